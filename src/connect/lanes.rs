//! All lanes: a call goes through its operation's lane until it is answered or given up.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::error::{ConnectError, ErrorKind};
use super::gate::{Gate, StopCause};
use super::lane::{Calls, Lane};
use super::memory::LaneMemory;
use super::operation::Operation;
use super::quotas::Rates;
use super::rate::FairBucket;
use super::retry::POLICY;
use super::timeline::Timeline;
use super::types::UserId;

/// Harmless questions. A lane asks them where nothing was answered for long.
pub(super) trait Probe {
    /// Asks the same operation, a read, for another user.
    async fn ask_for(&self, operation: Operation, user: &UserId) -> Result<(), ConnectError>;

    /// Asks another operation.
    async fn ask(&self, operation: Operation) -> Result<(), ConnectError>;
}

/// All lanes, and the bucket over all of them if there is one.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    rates: RefCell<Rates>,
    total: Option<FairBucket>,
    gate: Gate,
    random: RefCell<fastrand::Rng>,
    timeline: RefCell<Timeline>,
    /// When the import began.
    import_began: Cell<ImportBegan>,
}

/// When an import began: so long before an instant of this process.
#[derive(Clone, Copy, Debug)]
struct ImportBegan {
    before: Duration,
    now: Instant,
}

impl Lanes {
    /// Full buckets at these quotas. The seed decides the jitter of backoffs.
    pub fn new(rates: Rates, seed: u64) -> Self {
        Self {
            lanes: Operation::ALL.map(|operation| Lane::new(operation, rates.of(operation))).into(),
            total: rates.total().map(FairBucket::new),
            gate: Gate::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            timeline: RefCell::default(),
            import_began: Cell::new(ImportBegan { before: Duration::ZERO, now: Instant::now() }),
            rates: RefCell::new(rates),
        }
    }

    /// What each operation may.
    pub fn rates(&self) -> Rates {
        self.rates.borrow().clone()
    }

    /// Other quotas from now on; the bucket over all operations stays. A lane whose quota is another one begins with a full
    /// bucket, or where the import is resumed with an empty one. Nothing is under way yet.
    pub fn set_rates(&self, rates: Rates, is_resumed: bool) {
        let before = self.rates.replace(rates);
        let rates = self.rates.borrow();
        for lane in self.lanes.iter().filter(|lane| before.of(lane.operation) != rates.of(lane.operation)) {
            lane.set_rate(rates.of(lane.operation));
            if is_resumed {
                lane.drain();
            }
        }
    }

    /// Begins a delivery, of which nothing is known yet. A resumed import begins with empty buckets, for the delivery before it
    /// may have used the burst a moment ago.
    pub fn begin(&self, is_resumed: bool) {
        self.gate.reset();
        if let Some(total) = self.total.as_ref().filter(|_| is_resumed) {
            total.drain();
        }
        for lane in &self.lanes {
            lane.begin(is_resumed);
        }
    }

    /// Takes over what earlier deliveries of the import knew, by the names of the operations.
    pub fn restore(&self, memory: &BTreeMap<String, LaneMemory>) {
        for lane in &self.lanes {
            if let Some(memory) = memory.get(lane.operation.name()) {
                lane.restore(memory);
            }
        }
    }

    /// Begins to count what is called when: the import began so long ago.
    pub fn begin_timeline(&self, age: Duration) {
        self.timeline.take();
        self.import_began.set(ImportBegan { before: age, now: Instant::now() });
    }

    /// What this delivery has called when.
    pub fn timeline(&self) -> Timeline {
        self.timeline.borrow().clone()
    }

    /// What the next delivery has to know, by the names of the operations.
    pub fn memory(&self) -> BTreeMap<String, LaneMemory> {
        let all = self.lanes.iter().map(|lane| (lane.operation.name().to_owned(), lane.memory()));
        all.filter(|(_, memory)| !memory.is_empty()).collect()
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

    /// Cancels the import: calls that wait, and those to come until the next [`begin`](Self::begin), are not sent.
    pub fn cancel(&self) {
        self.stop(StopCause::Cancelled);
    }

    /// Sets the time until which writes may be sent; nothing is no limit. A write whose turn comes later waits until the
    /// time is extended. So a process that was frozen does not write before it knows that the import is still its own.
    pub fn permit_writes_until(&self, until: Option<Instant>) {
        self.gate.permit_writes_until(until);
        self.lanes.iter().for_each(Lane::wake);
    }

    /// Calls an operation until it is answered: throttles and outages are waited out, other failures tried again at most
    /// eight times. `reads` is the user whom the call reads.
    ///
    /// A failure counts if other calls of the lane were answered since the last one. If none was, it is the operation that
    /// is down: the lane pauses, and nothing fails. But where nothing else is left to be called, one call that always fails
    /// looks like an outage. So after long pauses a lane asks for a user that was answered before, whose answer counts like
    /// any other. Without such a user, an outage of half an hour of this operation alone is the end.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        reads: Option<&UserId>,
        attempt: impl AsyncFn() -> Result<T, ConnectError>,
        probe: &impl Probe,
    ) -> Result<T, ConnectError> {
        let lane = self.lane(operation);
        let mut failures = 0;
        let mut answers = lane.breaker.borrow().answers();
        let mut last_failure = None;
        loop {
            let error = match self.attempt(lane, &attempt).await {
                Ok(answer) => {
                    if let Some(user) = reads {
                        lane.remember(user);
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::Throttled => continue,
                ErrorKind::Refused | ErrorKind::Denied => return Err(self.refused(lane, error)),
                // What an earlier attempt of a write did is not known: that is not the same as never sent.
                ErrorKind::NotSent => return Err(last_failure.filter(|_| operation.is_write()).unwrap_or(error)),
                ErrorKind::Unavailable => {}
            }
            let given_up = lane.breaker.borrow().given_up();
            if let Some(error) = given_up {
                self.pause(lane);
                return Err(error);
            }
            if lane.breaker.borrow().answers() == answers {
                self.pause_or_ask(lane, reads, failures > 0, probe).await;
            }
            let answers_now = lane.breaker.borrow().answers();
            if answers_now > answers {
                failures += 1;
                if failures == POLICY.max_attempts {
                    return Err(error);
                }
                self.gate.rest(POLICY.backoff(failures, self.jitter())).await;
            }
            answers = answers_now;
            last_failure = Some(error);
        }
    }

    /// One attempt in its turn.
    async fn attempt<T>(
        &self,
        lane: &Lane,
        attempt: &impl AsyncFn() -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let asked = Instant::now();
        lane.acquire(&self.gate, self.total.as_ref()).await?;
        let sent = Instant::now();
        let ImportBegan { before, now } = self.import_began.get();
        self.timeline.borrow_mut().record(lane.operation.name(), before + sent.duration_since(now));
        let _under_way = lane.sent(asked);
        let answer = attempt().await;
        lane.heard(&answer, sent, self.answers_beside(lane));
        answer
    }

    /// Pauses a lane that answers nothing. After long pauses, or where a call has failed alone before, it also asks: the
    /// same operation for another user, and where that is not answered, another operation.
    async fn pause_or_ask(&self, lane: &Lane, reads: Option<&UserId>, is_suspect: bool, probe: &impl Probe) {
        let is_new = self.pause(lane);
        if !is_new || !(is_suspect || lane.breaker.borrow().is_in_doubt()) {
            return;
        }
        if let Some(user) = reads.and_then(|user| lane.user_beside(user)) {
            match self.attempt(lane, &async || probe.ask_for(lane.operation, &user).await).await {
                Err(error) if error.kind == ErrorKind::Unavailable => _ = self.pause(lane),
                _ => return,
            }
        }
        if !lane.breaker.borrow().is_answered_beside(self.answers_beside(lane)) {
            let other = match lane.operation {
                Operation::SearchPredefinedAttributes => Operation::ListUsers,
                _ => Operation::SearchPredefinedAttributes,
            };
            // The answer is counted for its own lane. That is all that is asked for.
            _ = self.attempt(self.lane(other), &async || probe.ask(other).await).await;
        }
    }

    fn pause(&self, lane: &Lane) -> bool {
        lane.breaker.borrow_mut().open(self.jitter())
    }

    fn jitter(&self) -> f64 {
        self.random.borrow_mut().f64()
    }

    /// Counts a refusal of permission, and stops the import if there were enough. If a call about the instance is refused,
    /// so is the import.
    fn refused(&self, lane: &Lane, mut error: ConnectError) -> ConnectError {
        if lane.operation.is_instance_wide() {
            error.kind = ErrorKind::Denied;
        }
        if error.kind == ErrorKind::Refused {
            return error;
        }
        error.stops_import = lane.breaker.borrow_mut().denied(&error);
        if error.stops_import {
            self.stop(StopCause::Refusal(error.clone()));
        }
        error
    }

    fn stop(&self, cause: StopCause) {
        self.gate.stop(cause);
        self.lanes.iter().for_each(Lane::wake);
    }

    /// What all other operations have answered so far.
    fn answers_beside(&self, lane: &Lane) -> u64 {
        let others = self.lanes.iter().filter(|other| other.operation != lane.operation);
        others.map(|other| other.breaker.borrow().replies()).sum()
    }

    fn lane(&self, operation: Operation) -> &Lane {
        &self.lanes[operation as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use futures::future::{join, join_all};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::connect::quotas::{AccountQuotas, RateSettings};
    use crate::connect::rate::Rate;
    use Operation::{AssociateUserProficiencies, ListUserProficiencies, SearchPredefinedAttributes};

    const MINUTE: Duration = Duration::from_secs(60);

    fn lanes() -> Lanes {
        let rate = Rate { per_second: 20.0, burst: NonZeroU32::new(5).unwrap() };
        Lanes::new(RateSettings::fixed(rate).rates(&AccountQuotas::default()), 7)
    }

    fn down(operation: Operation) -> ConnectError {
        ConnectError::answered(operation, 500, Some("InternalServiceException"), Some("an internal error"), None)
    }

    fn denied(operation: Operation) -> ConnectError {
        ConnectError::answered(operation, 403, Some("AccessDeniedException"), Some("not you"), Some("r-1"))
    }

    /// What the probes are answered.
    struct Service {
        is_up: Cell<bool>,
        asked: Cell<u32>,
    }

    impl Service {
        fn new(is_up: bool) -> Self {
            Self { is_up: Cell::new(is_up), asked: Cell::default() }
        }
    }

    impl Probe for Service {
        async fn ask_for(&self, operation: Operation, user: &UserId) -> Result<(), ConnectError> {
            if user.as_str() == "well" { self.ask(operation).await } else { Err(down(operation)) }
        }

        async fn ask(&self, operation: Operation) -> Result<(), ConnectError> {
            self.asked.update(|n| n + 1);
            if self.is_up.get() { Ok(()) } else { Err(down(operation)) }
        }
    }

    /// A write that always fails.
    async fn failing_write(lanes: &Lanes, service: &Service) -> Result<(), ConnectError> {
        let operation = AssociateUserProficiencies;
        lanes.call(operation, None, async || Err(down(operation)), service).await
    }

    async fn succeed(lanes: &Lanes, operation: Operation) -> Result<(), ConnectError> {
        lanes.call(operation, None, async || Ok(()), &Service::new(true)).await
    }

    #[tokio::test(start_paused = true)]
    async fn half_an_hour_of_nothing_but_failures_while_others_answer_is_the_end() {
        let (lanes, service) = (lanes(), Service::new(true));
        let began = Instant::now();
        let waiting = join_all((0..20).map(|_| failing_write(&lanes, &service)));
        for answer in waiting.await {
            let error = answer.unwrap_err();
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "InternalServiceException"));
            let message = "AssociateUserProficiencies has answered nothing but failures for 30 minutes, while other \
                           operations answered. The last one: an internal error";
            assert_eq!(error.message, message);
            assert!(!error.stops_import);
        }
        assert!((30 * MINUTE..34 * MINUTE).contains(&began.elapsed()), "{:?}", began.elapsed());
        // While the lane rests, calls fail at once. The next that tries it finds whether it works again.
        failing_write(&lanes, &service).await.unwrap_err();
        assert!(began.elapsed() < 34 * MINUTE);
        sleep(MINUTE).await;
        succeed(&lanes, AssociateUserProficiencies).await.unwrap();
        assert!(timeout(20 * MINUTE, failing_write(&lanes, &service)).await.is_err(), "it counts from the beginning");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_the_service_fails_nothing_however_long_it_lasts() {
        let (lanes, service) = (lanes(), Service::new(false));
        assert!(timeout(5 * 60 * MINUTE, failing_write(&lanes, &service)).await.is_err());
        assert!(service.asked.get() > 100);
        assert_eq!(lanes.memory(), BTreeMap::new());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_counted_over_deliveries() {
        let mut memory = BTreeMap::new();
        for minutes in [12, 12] {
            let (lanes, service) = (lanes(), Service::new(true));
            lanes.begin(true);
            lanes.restore(&memory);
            assert!(timeout(minutes * MINUTE, failing_write(&lanes, &service)).await.is_err());
            let json = serde_json::to_string(&lanes.memory()).unwrap();
            memory = serde_json::from_str(&json).unwrap();
        }
        let (lanes, service) = (lanes(), Service::new(true));
        lanes.begin(true);
        lanes.restore(&memory);
        assert!(timeout(13 * MINUTE, failing_write(&lanes, &service)).await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_asks_for_a_user_who_was_answered_before_and_in_an_earlier_delivery() {
        let earlier = lanes();
        for user in ["well", "ill"].map(UserId::new) {
            let service = Service::new(true);
            earlier.call(ListUserProficiencies, Some(&user), async || Ok(()), &service).await.unwrap();
        }
        let (later, service) = (lanes(), Service::new(true));
        later.begin(true);
        later.restore(&earlier.memory());
        let began = Instant::now();
        let ill = UserId::new("ill");
        let failing = async || Err::<(), _>(down(ListUserProficiencies));
        let error = later.call(ListUserProficiencies, Some(&ill), failing, &service).await.unwrap_err();
        assert_eq!(error.message, "an internal error");
        assert!(began.elapsed() < 3 * MINUTE, "{:?}", began.elapsed());
        assert_eq!(service.asked.get(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_permission_is_that_of_one_user_in_a_later_delivery_too() {
        let deny = async |lanes: &Lanes| {
            let attempt = async || Err::<(), _>(denied(ListUserProficiencies));
            lanes.call(ListUserProficiencies, None, attempt, &Service::new(true)).await.unwrap_err()
        };
        // After a success, ten refusals in a row stop the import, in however many deliveries.
        let mut lanes = lanes();
        succeed(&lanes, ListUserProficiencies).await.unwrap();
        for nth in 1..=10 {
            assert_eq!(deny(&lanes).await.stops_import, nth == 10, "refusal {nth}");
            assert_eq!(lanes.denied(), None);
            let later = self::lanes();
            later.begin(true);
            later.restore(&lanes.memory());
            lanes = later;
        }
        // Where it never succeeded, one refusal is told at the end, in whichever delivery that is.
        let lanes = self::lanes();
        deny(&lanes).await;
        let json = serde_json::to_string(&lanes.memory()).unwrap();
        let later = self::lanes();
        later.begin(true);
        later.restore(&serde_json::from_str(&json).unwrap());
        assert_eq!(later.denied(), Some(denied(ListUserProficiencies)));
        later.begin(false);
        assert_eq!(later.denied(), None, "another import");
    }

    #[tokio::test(start_paused = true)]
    async fn writes_wait_for_their_permit_and_reads_do_not() {
        let lanes = lanes();
        let began = Instant::now();
        lanes.permit_writes_until(Some(began + Duration::from_secs(5)));
        succeed(&lanes, AssociateUserProficiencies).await.unwrap();
        sleep(Duration::from_secs(6)).await;
        let writes = async {
            join_all((0..3).map(|_| succeed(&lanes, AssociateUserProficiencies))).await;
            began.elapsed().as_secs()
        };
        let extended = async {
            succeed(&lanes, ListUserProficiencies).await.unwrap();
            assert_eq!(began.elapsed().as_secs(), 6);
            sleep(Duration::from_secs(10)).await;
            lanes.permit_writes_until(Some(began + Duration::from_secs(14)));
            sleep(Duration::from_secs(10)).await;
            lanes.permit_writes_until(Some(began + Duration::from_secs(27)));
        };
        assert_eq!(join(writes, extended).await.0, 26, "an extension that is over already permits nothing");

        lanes.permit_writes_until(Some(Instant::now()));
        let barred = timeout(MINUTE, succeed(&lanes, AssociateUserProficiencies));
        assert!(barred.await.is_err());
        lanes.begin(true);
        timeout(MINUTE, succeed(&lanes, AssociateUserProficiencies)).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_import_sends_nothing_more() {
        let (lanes, service) = (lanes(), Service::new(true));
        lanes.permit_writes_until(Some(Instant::now()));
        let began = Instant::now();
        let barred = succeed(&lanes, Operation::UpdateUserConfig);
        let under_way = lanes.call(
            SearchPredefinedAttributes,
            None,
            async || {
                sleep(Duration::from_secs(3)).await;
                Ok(())
            },
            &service,
        );
        // This one rests, for the service is down.
        let user = UserId::new("a-user");
        let failing = async || Err::<(), _>(down(ListUserProficiencies));
        let paused = lanes.call(ListUserProficiencies, Some(&user), failing, &service);
        let cancel = async {
            sleep(Duration::from_secs(2)).await;
            lanes.cancel();
        };
        let (barred, (under_way, (paused, ()))) = join(barred, join(under_way, join(paused, cancel))).await;
        for error in [barred.unwrap_err(), paused.unwrap_err()] {
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::NotSent, "Cancelled"));
            assert_eq!(error.user_message(), "This was not sent to Amazon Connect: the import was cancelled");
            assert!(!error.stops_import);
        }
        under_way.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(succeed(&lanes, ListUserProficiencies).await.unwrap_err().kind, ErrorKind::NotSent);
        lanes.begin(true);
        lanes.restore(&lanes.memory());
        succeed(&lanes, ListUserProficiencies).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_tried_is_not_one_that_was_never_sent() {
        let (lanes, service) = (lanes(), Service::new(true));
        let cancel = async {
            sleep(Duration::from_secs(1)).await;
            lanes.cancel();
        };
        let (answer, ()) = join(failing_write(&lanes, &service), cancel).await;
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Unavailable, "nobody knows what it did");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_in_backoff_hears_of_the_end() {
        let (lanes, service) = (lanes(), Service::new(true));
        let others = async {
            for _ in 0..40 {
                succeed(&lanes, ListUserProficiencies).await.unwrap();
                sleep(Duration::from_millis(100)).await;
            }
            lanes.cancel();
            Instant::now()
        };
        let failing = async || Err::<(), _>(down(ListUserProficiencies));
        let failing = async {
            let answer = lanes.call(ListUserProficiencies, None, failing, &service).await;
            (answer.unwrap_err().kind, Instant::now())
        };
        let (cancelled_at, ended) = join(others, failing).await;
        assert_eq!(ended, (ErrorKind::NotSent, cancelled_at));
    }
}
