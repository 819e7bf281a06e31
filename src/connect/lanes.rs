//! All lanes: a call goes through its operation's lane until it is answered or given up.

use std::cell::RefCell;

use tokio::time::{Instant, sleep};

use super::error::{ConnectError, ErrorKind};
use super::lane::{Calls, Lane};
use super::operation::Operation;
use super::rate::{FairBucket, Rates};
use super::retry::RetryPolicy;

/// All lanes, and the bucket over all of them if there is one.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    total: Option<FairBucket>,
    /// The refusal that stopped the import: calls that still wait are not sent.
    stopped: RefCell<Option<ConnectError>>,
    random: RefCell<fastrand::Rng>,
}

impl Lanes {
    /// Full buckets at these quotas. The seed decides the jitter of backoffs.
    pub fn new(rates: &Rates, seed: u64) -> Self {
        Self {
            lanes: Operation::ALL.map(|operation| Lane::new(operation, rates.of(operation))).into(),
            total: rates.total().map(FairBucket::new),
            stopped: RefCell::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// Begins a delivery: counts and proofs are those of its import. A resumed import begins with empty buckets, for the
    /// delivery before it may have used the burst a moment ago.
    pub fn begin(&self, is_resumed: bool) {
        self.stopped.take();
        if let Some(total) = self.total.as_ref().filter(|_| is_resumed) {
            total.drain();
        }
        for lane in &self.lanes {
            lane.begin(is_resumed);
        }
    }

    /// How often each operation was called, those left out that were not.
    pub fn calls(&self) -> impl Iterator<Item = (Operation, Calls)> {
        self.lanes.iter().map(|lane| (lane.operation, lane.calls())).filter(|(_, calls)| calls.attempts > 0)
    }

    /// An operation that was refused for want of permission and never succeeded. That is a refusal of the import, although
    /// the calls were too few to stop it.
    pub fn denied(&self) -> Option<ConnectError> {
        self.lanes.iter().find_map(|lane| lane.breaker.borrow().never_permitted())
    }

    /// Calls an operation until it is answered: throttles and outages are waited out, other failures tried again at
    /// most eight times.
    ///
    /// A failure counts where the service is seen to work: another call of the lane was answered since the last failure.
    /// Else it is the service that is down, and the lane rests. But where nothing else is left to be called, one poisoned
    /// call looks like an outage for ever; so after long rests the probe is asked, and its answer counts like another's.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        attempt: impl AsyncFn() -> Result<T, ConnectError>,
        probe: impl AsyncFn() -> Result<(), ConnectError>,
    ) -> Result<T, ConnectError> {
        let lane = self.lane(operation);
        let mut failures = 0;
        let mut seen = lane.breaker.borrow().answers();
        loop {
            let mut error = match self.attempt(lane, &attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::Throttled => continue,
                ErrorKind::Refused | ErrorKind::NotSent => return Err(error),
                ErrorKind::Denied => {
                    error.stops_import = lane.breaker.borrow_mut().denied(&error);
                    if error.stops_import {
                        self.stop(&error);
                    }
                    return Err(error);
                }
                ErrorKind::Unavailable => {}
            }
            let (answers, is_in_doubt) = {
                let breaker = lane.breaker.borrow();
                (breaker.answers(), breaker.is_in_doubt())
            };
            let others_succeed = answers > seen;
            let is_long_down = is_in_doubt && !operation.is_instance_wide();
            if others_succeed || (is_long_down && self.is_answered(&probe).await) {
                failures += 1;
                if failures == RetryPolicy::CONNECT.max_attempts {
                    return Err(error);
                }
            }
            seen = answers;
            let jitter = self.random.borrow_mut().f64();
            if others_succeed {
                sleep(RetryPolicy::CONNECT.backoff(failures, jitter)).await;
            } else {
                lane.breaker.borrow_mut().open(jitter);
            }
        }
    }

    /// One attempt in its turn.
    async fn attempt<T>(
        &self,
        lane: &Lane,
        attempt: &impl AsyncFn() -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let asked = Instant::now();
        lane.acquire(&self.stopped, self.total.as_ref()).await;
        if let Some(cause) = &*self.stopped.borrow() {
            return Err(ConnectError::not_sent(lane.operation, cause));
        }
        let sent = Instant::now();
        let _under_way = lane.sent(asked);
        let answer = attempt().await;
        lane.heard(&answer, sent);
        answer
    }

    /// Whether the service answers a harmless question.
    async fn is_answered(&self, probe: &impl AsyncFn() -> Result<(), ConnectError>) -> bool {
        self.attempt(self.lane(Operation::SearchPredefinedAttributes), probe).await.is_ok()
    }

    fn stop(&self, cause: &ConnectError) {
        self.stopped.borrow_mut().get_or_insert_with(|| cause.clone());
        self.lanes.iter().for_each(Lane::wake);
    }

    fn lane(&self, operation: Operation) -> &Lane {
        &self.lanes[operation as usize]
    }
}
