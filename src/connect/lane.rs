//! Whose turn it is, and whether to try again.
//!
//! One lane an operation. Waiters are served in the order in which they came; every attempt takes a token. A lane that has
//! not yet succeeded in this import, or that is down, lets one call through at a time, so that a refusal of permission
//! or an outage costs a few calls and not a burst.

use std::cell::RefCell;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, sleep_until};

use super::breaker::CircuitBreaker;
use super::error::{ConnectError, ErrorKind};
use super::operation::Operation;
use super::rate::{TokenBucket, Rates, AdaptiveRate};

/// A call that fails this often, while the service answers others, is given up.
const MAX_ATTEMPTS: u32 = 8;
/// Backoff of a call that failed by itself: full jitter below this, doubled each time, up to the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// Pauses without an answer after which a lane doubts that it is the service that is down: about a minute.
const PAUSES_BEFORE_DOUBT: u32 = 7;
/// What a lane did, for the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// Requests sent, retries among them.
    pub attempts: u64,
    /// Those of them that the service throttled.
    pub throttled: u64,
    /// How long calls waited for their turn, added up over all calls.
    pub waited_seconds: f64,
}

impl Calls {
    /// Adds what another delivery did.
    pub fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.throttled += other.throttled;
        self.waited_seconds += other.waited_seconds;
    }
}

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
            lanes: Operation::ALL.map(|operation| Lane::new(operation, rates)).into(),
            total: rates.total().map(|rate| FairBucket { turn: Mutex::new(()), bucket: TokenBucket::new(rate) }),
            stopped: RefCell::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// A delivery begins: counts and proofs are those of its import. A resumed import starts with empty buckets, for the
    /// delivery before it may have used the burst a moment ago.
    pub fn begin(&self, is_resumed: bool) {
        self.stopped.take();
        if let Some(total) = self.total.as_ref().filter(|_| is_resumed) {
            total.bucket.drain();
        }
        for lane in &self.lanes {
            lane.health.replace(CircuitBreaker::default());
            lane.calls.replace(Calls::default());
            if is_resumed {
                lane.queue.bucket.drain();
            }
        }
    }

    /// What each operation was called, those that were not left out.
    pub fn calls(&self) -> impl Iterator<Item = (Operation, Calls)> {
        self.lanes.iter().map(|lane| (lane.operation, *lane.calls.borrow())).filter(|(_, calls)| calls.attempts > 0)
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
        let mut seen = lane.health.borrow().answers;
        loop {
            let mut error = match self.attempt(lane, &attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::Throttled => continue,
                ErrorKind::Refused | ErrorKind::NotSent => return Err(error),
                ErrorKind::Denied => {
                    error.stops_import = lane.health.borrow_mut().denied(&error);
                    if error.stops_import {
                        self.stop(&error);
                    }
                    return Err(error);
                }
                ErrorKind::Unavailable => {}
            }
            let (answers, pauses) = {
                let health = lane.health.borrow();
                (health.answers, health.pauses)
            };
            let others_succeed = answers > seen;
            let is_long_down = pauses >= PAUSES_BEFORE_DOUBT && !operation.is_instance_wide();
            if others_succeed || (is_long_down && self.is_answered(&probe).await) {
                failures += 1;
                if failures == MAX_ATTEMPTS {
                    return Err(error);
                }
            }
            seen = answers;
            let share = self.random.borrow_mut().f64();
            if others_succeed {
                let longest = LONGEST_BACKOFF.min(FIRST_BACKOFF * 2_u32.pow(failures - 1));
                sleep(longest.mul_f64(share)).await;
            } else {
                lane.health.borrow_mut().pause(share);
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
        lane.turn(&self.stopped, self.total.as_ref()).await;
        let _under_way = UnderWay::new(lane);
        if let Some(cause) = &*self.stopped.borrow() {
            return Err(ConnectError::not_sent(lane.operation, cause));
        }
        let sent = Instant::now();
        {
            let mut calls = lane.calls.borrow_mut();
            calls.attempts += 1;
            calls.waited_seconds += (sent - asked).as_secs_f64();
        }
        let answer = attempt().await;
        match &answer {
            Ok(_) => {
                lane.health.borrow_mut().answered(true);
                lane.spacing.borrow_mut().succeeded();
            }
            Err(error) => match error.kind {
                ErrorKind::Throttled => {
                    lane.calls.borrow_mut().throttled += 1;
                    lane.spacing.borrow_mut().throttled(sent);
                }
                // A refusal is an answer: the service works, and the call used its token.
                ErrorKind::Refused => {
                    lane.health.borrow_mut().answered(false);
                    lane.spacing.borrow_mut().succeeded();
                }
                ErrorKind::Denied | ErrorKind::Unavailable | ErrorKind::NotSent => {}
            },
        }
        answer
    }

    /// Whether the service answers a harmless question.
    async fn is_answered(&self, probe: &impl AsyncFn() -> Result<(), ConnectError>) -> bool {
        self.attempt(self.lane(Operation::SearchPredefinedAttributes), probe).await.is_ok()
    }

    /// An operation that was refused for want of permission and never succeeded: a refusal of the import, although too few
    /// calls were made to stop it.
    pub fn denied(&self) -> Option<ConnectError> {
        self.lanes.iter().find_map(|lane| {
            let health = lane.health.borrow();
            health.last_denial.clone().filter(|_| !health.has_succeeded)
        })
    }

    fn stop(&self, cause: &ConnectError) {
        self.stopped.borrow_mut().get_or_insert_with(|| cause.clone());
        for lane in &self.lanes {
            lane.answered.notify_one();
        }
    }

    fn lane(&self, operation: Operation) -> &Lane {
        &self.lanes[operation as usize]
    }
}

/// One operation's lane.
#[derive(Debug)]
struct Lane {
    operation: Operation,
    queue: FairBucket,
    spacing: RefCell<AdaptiveRate>,
    health: RefCell<CircuitBreaker>,
    calls: RefCell<Calls>,
    /// Attempts under way.
    under_way: RefCell<u32>,
    answered: Notify,
}

/// A bucket and the line in front of it: tokio's mutex is fair, so whoever came first goes first.
#[derive(Debug)]
struct FairBucket {
    turn: Mutex<()>,
    bucket: TokenBucket,
}

impl FairBucket {
    async fn turn(&self) {
        let _first_in_line = self.turn.lock().await;
        while let Err(wait) = self.bucket.take() {
            sleep(wait).await;
        }
    }
}

impl Lane {
    fn new(operation: Operation, rates: &Rates) -> Self {
        let rate = rates.of(operation);
        Self {
            operation,
            queue: FairBucket { turn: Mutex::new(()), bucket: TokenBucket::new(rate) },
            spacing: RefCell::new(AdaptiveRate::new(rate.per_second)),
            health: RefCell::default(),
            calls: RefCell::default(),
            under_way: RefCell::default(),
            answered: Notify::new(),
        }
    }

    /// Waits until this call may go: its place in line, the end of a pause, the call that tries the lane, the spacing,
    /// and the tokens. What is found after a wait may have changed meanwhile, so each wait begins anew.
    async fn turn(&self, stopped: &RefCell<Option<ConnectError>>, mut total: Option<&FairBucket>) {
        let _first_in_line = self.queue.turn.lock().await;
        while stopped.borrow().is_none() {
            let (paused_until, is_up) = {
                let health = self.health.borrow();
                (health.paused_until, health.is_up)
            };
            let not_before = self.spacing.borrow().not_before();
            if let Some(until) = paused_until.into_iter().chain(not_before).max().filter(|&at| at > Instant::now()) {
                // An answer to a call that is still under way may end a pause early.
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.answered.notified() => {}
                }
            } else if !is_up && *self.under_way.borrow() > 0 {
                self.answered.notified().await;
            } else if let Some(total) = total.take() {
                total.turn().await;
            } else if let Err(wait) = self.queue.bucket.take() {
                sleep(wait).await;
            } else {
                self.spacing.borrow_mut().turn();
                return;
            }
        }
    }
}

/// An attempt under way; its end may be what the next in line waits for.
struct UnderWay<'a>(&'a Lane);

impl<'a> UnderWay<'a> {
    fn new(lane: &'a Lane) -> Self {
        *lane.under_way.borrow_mut() += 1;
        Self(lane)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.under_way.borrow_mut() -= 1;
        self.0.answered.notify_one();
    }
}
