//! What an operation's answers say of it: whether the service works, and whether the caller may call it at all.

use std::time::Duration;

use tokio::time::Instant;

use super::error::ConnectError;
use super::memory::{Denial, LaneMemory};
use super::operation::Operation;
use super::retry::POLICY;

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakerState {
    /// The last call was answered: calls go through at the lane's pace.
    Closed,
    /// Nothing was answered yet, or a pause is over: one call at a time goes through.
    HalfOpen,
    /// The service is down: no call goes through.
    Open {
        /// The end of the pause.
        until: Instant,
    },
}

/// The circuit breaker of one operation, for one delivery.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    state: BreakerState,
    /// Successes and refusals so far: both show that the service works.
    answers: u64,
    /// The same with refusals of permission, which show that the service is there.
    replies: u64,
    has_succeeded: bool,
    /// Pauses since the last answer.
    pauses: u32,
    /// Refusals of permission since the last answer.
    denials: u32,
    last_denial: Option<ConnectError>,
    /// How long the operation has answered nothing but failures while others answered, over all deliveries.
    down: Duration,
    last_failure: Option<Failure>,
}

/// The last failure since the last answer.
#[derive(Debug)]
struct Failure {
    at: Instant,
    /// What the other operations had answered by then.
    answers_beside: u64,
    error: ConnectError,
}

impl CircuitBreaker {
    /// A breaker that has heard nothing yet.
    pub(super) fn new() -> Self {
        Self {
            state: BreakerState::HalfOpen,
            answers: 0,
            replies: 0,
            has_succeeded: false,
            pauses: 0,
            denials: 0,
            last_denial: None,
            down: Duration::ZERO,
            last_failure: None,
        }
    }

    /// A breaker that knows what earlier deliveries of its import heard.
    pub(super) fn restored(operation: Operation, memory: &LaneMemory) -> Self {
        Self {
            has_succeeded: memory.has_succeeded,
            denials: memory.denials,
            last_denial: memory.last_denial.clone().map(|denial| denial.into_error(operation)),
            down: Duration::try_from_secs_f64(memory.down_seconds).unwrap_or_default(),
            ..Self::new()
        }
    }

    /// What the next delivery has to know.
    pub(super) fn memory(&self) -> LaneMemory {
        LaneMemory {
            has_succeeded: self.has_succeeded,
            denials: self.denials,
            last_denial: self.last_denial.as_ref().map(Denial::of),
            down_seconds: self.down.as_secs_f64(),
            answered_users: Vec::new(),
        }
    }

    /// Whether calls go through now.
    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            BreakerState::Open { until } if until <= Instant::now() => BreakerState::HalfOpen,
            state => state,
        }
    }

    /// Successes and refusals so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// Successes and refusals so far, refusals of permission among them.
    pub(super) fn replies(&self) -> u64 {
        self.replies
    }

    /// Whether the operation has been silent for so long that perhaps only the calls that wait for it fail.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.pauses >= POLICY.pauses_before_doubt
    }

    /// A call was answered: a success, or a refusal of what it asked for.
    pub(super) fn answered(&mut self, is_success: bool) {
        let has_succeeded = self.has_succeeded || is_success;
        let (answers, replies) = (self.answers + 1, self.replies + 1);
        *self = Self { state: BreakerState::Closed, answers, replies, has_succeeded, ..Self::new() };
    }

    /// A call was refused for want of permission. That says nothing of the work of the operation.
    pub(super) fn barred(&mut self) {
        self.replies += 1;
    }

    /// A call failed. The time since the failure before it counts as down, if other operations answered in it.
    pub(super) fn failed(&mut self, error: &ConnectError, answers_beside: u64) {
        let at = Instant::now();
        if let Some(last) = self.last_failure.as_ref().filter(|last| last.answers_beside < answers_beside) {
            self.down += POLICY.longest_silence.min(at - last.at);
        }
        self.last_failure = Some(Failure { at, answers_beside, error: error.clone() });
    }

    /// Whether other operations have answered since the last failure of this one.
    pub(super) fn is_answered_beside(&self, answers_beside: u64) -> bool {
        self.last_failure.as_ref().is_some_and(|last| last.answers_beside < answers_beside)
    }

    /// Why calls that wait for the operation fail, if it has been down for too long.
    pub(super) fn given_up(&self) -> Option<ConnectError> {
        let last = self.last_failure.as_ref().filter(|_| self.down >= POLICY.longest_outage)?;
        let minutes = POLICY.longest_outage.as_secs() / 60;
        let message = format!(
            "{} has answered nothing but failures for {minutes} minutes, while other operations answered. The last one: {}",
            last.error.operation, last.error.message
        );
        let stops_import = last.error.operation.is_instance_wide();
        Some(ConnectError { message, stops_import, ..last.error.clone() })
    }

    /// Pauses, for the service is down. Calls that were under way together make one pause. Says whether this began one.
    pub(super) fn open(&mut self, jitter: f64) -> bool {
        let is_new = !matches!(self.state(), BreakerState::Open { .. });
        if is_new {
            self.state = BreakerState::Open { until: Instant::now() + POLICY.pause(self.pauses, jitter) };
            self.pauses += 1;
        }
        is_new
    }

    /// Counts a refusal of permission. Says whether it stops the import.
    pub(super) fn denied(&mut self, error: &ConnectError) -> bool {
        self.denials += 1;
        self.last_denial = Some(error.clone());
        error.operation.is_instance_wide() || self.denials >= POLICY.denials_that_stop(self.has_succeeded)
    }

    /// The last refusal of permission, if the operation never succeeded.
    pub(super) fn never_permitted(&self) -> Option<ConnectError> {
        self.last_denial.clone().filter(|_| !self.has_succeeded)
    }
}
