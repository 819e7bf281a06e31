//! The way of one operation's calls: whose turn it is, and what their answers teach.
//!
//! Calls go in the order in which they come, and every attempt takes a token. A lane that was not answered yet in this
//! delivery, or that is down, lets one call through at a time. So a refusal of permission or an outage costs a few calls
//! and not a burst.

use std::cell::{Cell, RefCell};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::breaker::{BreakerState, CircuitBreaker};
use super::error::{ConnectError, ErrorKind};
use super::gate::Gate;
use super::memory::LaneMemory;
use super::operation::Operation;
use super::rate::{AdaptiveRate, FairBucket, Rate};
use super::types::UserId;

/// Users to remember: of two at least one is not the user whose call fails.
const MAX_ANSWERED_USERS: usize = 2;

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

/// One operation's lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) operation: Operation,
    pub(super) breaker: RefCell<CircuitBreaker>,
    bucket: FairBucket,
    rate: RefCell<AdaptiveRate>,
    calls: Cell<Calls>,
    /// Attempts under way.
    under_way: Cell<u32>,
    /// The last users that were answered, the latest first.
    answered_users: RefCell<Vec<UserId>>,
    /// Wakes the first in line: an attempt ended, the import stopped, or the permit for writes was extended.
    changed: Notify,
}

impl Lane {
    /// A lane with a full bucket.
    pub(super) fn new(operation: Operation, rate: Rate) -> Self {
        Self {
            operation,
            breaker: RefCell::new(CircuitBreaker::new()),
            bucket: FairBucket::new(rate),
            rate: RefCell::new(AdaptiveRate::new(rate.per_second)),
            calls: Cell::default(),
            under_way: Cell::default(),
            answered_users: RefCell::default(),
            changed: Notify::new(),
        }
    }

    /// Another rate from now on, with a full bucket.
    pub(super) fn set_rate(&self, rate: Rate) {
        self.bucket.replace(rate);
        self.rate.replace(AdaptiveRate::new(rate.per_second));
    }

    /// Begins a delivery; a resumed import's with an empty bucket.
    pub(super) fn begin(&self, is_resumed: bool) {
        self.restore(&LaneMemory::default());
        self.calls.take();
        if is_resumed {
            self.drain();
        }
    }

    /// Empties the bucket.
    pub(super) fn drain(&self) {
        self.bucket.drain();
    }

    /// Takes over what earlier deliveries of the import knew.
    pub(super) fn restore(&self, memory: &LaneMemory) {
        self.breaker.replace(CircuitBreaker::restored(self.operation, memory));
        self.answered_users.replace(memory.answered_users.clone());
    }

    /// What the next delivery has to know.
    pub(super) fn memory(&self) -> LaneMemory {
        LaneMemory { answered_users: self.answered_users.borrow().clone(), ..self.breaker.borrow().memory() }
    }

    /// What the lane did in this delivery.
    pub(super) fn calls(&self) -> Calls {
        self.calls.get()
    }

    /// Wakes the first in line.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits until a call may go: for its place in line, the end of a pause, the end of the call that tries the lane, the
    /// permit to write, the spacing, and the tokens. After each wait all of them are looked at again. An error is that of a
    /// call that is not sent.
    pub(super) async fn acquire(&self, gate: &Gate, mut total: Option<&FairBucket>) -> Result<(), ConnectError> {
        let _first_in_line = self.bucket.stand_in_line().await;
        let mut token_due = Instant::now();
        loop {
            gate.check(self.operation)?;
            let state = self.breaker.borrow().state();
            if let (BreakerState::Open { .. }, Some(error)) = (state, self.breaker.borrow().given_up()) {
                return Err(error);
            }
            if let Some(until) = self.not_before(state) {
                self.wait_until(until).await;
            } else if (state == BreakerState::HalfOpen && self.under_way.get() > 0) || gate.is_barred(self.operation) {
                self.changed.notified().await;
            } else if let Some(total) = total.take() {
                gate.unless_stopped(total.acquire()).await;
            } else if token_due > Instant::now() {
                self.wait_until(token_due).await;
            } else if let Err(wait) = self.bucket.take() {
                token_due = Instant::now() + wait;
            } else {
                self.rate.borrow_mut().sent();
                return Ok(());
            }
        }
    }

    /// The end of the pause or of the spacing, whichever is later, if it is to come.
    fn not_before(&self, state: BreakerState) -> Option<Instant> {
        let pause = if let BreakerState::Open { until } = state { Some(until) } else { None };
        let spacing = self.rate.borrow().not_before();
        pause.into_iter().chain(spacing).max().filter(|&at| at > Instant::now())
    }

    /// Waits until a time, or until something changes: an answer to a call under way may end a pause early.
    async fn wait_until(&self, time: Instant) {
        tokio::select! {
            () = sleep_until(time) => {}
            () = self.changed.notified() => {}
        }
    }

    /// An attempt begins that has waited for its turn since `asked`.
    pub(super) fn sent(&self, asked: Instant) -> UnderWay<'_> {
        let mut calls = self.calls.get();
        calls.attempts += 1;
        calls.waited_seconds += asked.elapsed().as_secs_f64();
        self.calls.set(calls);
        UnderWay::new(self)
    }

    /// Learns from the answer to an attempt that went at `sent`. The other operations have answered so much by now.
    pub(super) fn heard<T>(&self, answer: &Result<T, ConnectError>, sent: Instant, answers_beside: u64) {
        let Err(error) = answer else {
            self.breaker.borrow_mut().answered(true);
            self.rate.borrow_mut().succeeded();
            return;
        };
        match error.kind {
            // A refusal is an answer: the service works, and the call used its token.
            ErrorKind::Refused => {
                self.breaker.borrow_mut().answered(false);
                self.rate.borrow_mut().succeeded();
            }
            ErrorKind::Throttled => {
                let calls = self.calls.get();
                self.calls.set(Calls { throttled: calls.throttled + 1, ..calls });
                self.rate.borrow_mut().throttled(sent);
            }
            ErrorKind::Unavailable => self.breaker.borrow_mut().failed(error, answers_beside),
            ErrorKind::Denied => self.breaker.borrow_mut().barred(),
            ErrorKind::NotSent => {}
        }
    }

    /// Remembers a user that was answered.
    pub(super) fn remember(&self, user: &UserId) {
        let mut users = self.answered_users.borrow_mut();
        if users.first() != Some(user) {
            users.retain(|other| other != user);
            users.insert(0, user.clone());
            users.truncate(MAX_ANSWERED_USERS);
        }
    }

    /// Another user, who was answered before.
    pub(super) fn user_beside(&self, user: &UserId) -> Option<UserId> {
        self.answered_users.borrow().iter().find(|other| *other != user).cloned()
    }
}

/// An attempt under way. Its end may be what the first in line waits for.
#[derive(Debug)]
pub(super) struct UnderWay<'a>(&'a Lane);

impl<'a> UnderWay<'a> {
    fn new(lane: &'a Lane) -> Self {
        lane.under_way.update(|n| n + 1);
        Self(lane)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.update(|n| n - 1);
        self.0.wake();
    }
}
