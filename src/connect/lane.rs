//! The way of one operation's calls: whose turn it is, and what their answers teach.
//!
//! Calls go in the order in which they come, and every attempt takes a token. A lane that was not answered yet in this
//! delivery, or that is down, lets one call through at a time. So a refusal of permission or an outage costs a few calls
//! and not a burst.

use std::cell::{Cell, RefCell};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::breaker::{BreakerState, CircuitBreaker};
use super::error::{ConnectError, ErrorKind};
use super::operation::Operation;
use super::rate::{AdaptiveRate, FairBucket, Rate};
use super::retry::RetryPolicy;

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
    /// Wakes the first in line: an attempt ended, or the import stopped.
    changed: Notify,
}

impl Lane {
    /// A lane with a full bucket.
    pub(super) fn new(operation: Operation, rate: Rate) -> Self {
        Self {
            operation,
            breaker: RefCell::new(CircuitBreaker::new(RetryPolicy::CONNECT)),
            bucket: FairBucket::new(rate),
            rate: RefCell::new(AdaptiveRate::new(rate.per_second)),
            calls: Cell::default(),
            under_way: Cell::default(),
            changed: Notify::new(),
        }
    }

    /// Begins a delivery; a resumed import's with an empty bucket.
    pub(super) fn begin(&self, is_resumed: bool) {
        self.breaker.replace(CircuitBreaker::new(RetryPolicy::CONNECT));
        self.calls.take();
        if is_resumed {
            self.bucket.drain();
        }
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
    /// spacing, and the tokens. After each wait all of them are looked at again.
    pub(super) async fn acquire(&self, stopped: &RefCell<Option<ConnectError>>, mut total: Option<&FairBucket>) {
        let _first_in_line = self.bucket.stand_in_line().await;
        while stopped.borrow().is_none() {
            let state = self.breaker.borrow().state();
            let pause = if let BreakerState::Open { until } = state { Some(until) } else { None };
            let not_before = self.rate.borrow().not_before();
            if let Some(until) = pause.into_iter().chain(not_before).max().filter(|&at| at > Instant::now()) {
                // An answer to a call that is still under way may end a pause early.
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.changed.notified() => {}
                }
            } else if state == BreakerState::HalfOpen && self.under_way.get() > 0 {
                self.changed.notified().await;
            } else if let Some(total) = total.take() {
                total.acquire().await;
            } else if let Err(wait) = self.bucket.take() {
                sleep(wait).await;
            } else {
                self.rate.borrow_mut().sent();
                return;
            }
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

    /// Learns from the answer to an attempt that went at `sent`.
    pub(super) fn heard<T>(&self, answer: &Result<T, ConnectError>, sent: Instant) {
        match answer.as_ref().map_err(|error| error.kind) {
            Ok(_) => {
                self.breaker.borrow_mut().answered(true);
                self.rate.borrow_mut().succeeded();
            }
            // A refusal is an answer: the service works, and the call used its token.
            Err(ErrorKind::Refused) => {
                self.breaker.borrow_mut().answered(false);
                self.rate.borrow_mut().succeeded();
            }
            Err(ErrorKind::Throttled) => {
                let calls = self.calls.get();
                self.calls.set(Calls { throttled: calls.throttled + 1, ..calls });
                self.rate.borrow_mut().throttled(sent);
            }
            Err(ErrorKind::Denied | ErrorKind::Unavailable | ErrorKind::NotSent) => {}
        }
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
