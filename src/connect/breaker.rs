//! What an operation's answers say of it: whether the service works, and whether the caller may call it at all.

use tokio::time::Instant;

use super::error::ConnectError;
use super::retry::RetryPolicy;

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
    policy: RetryPolicy,
    state: BreakerState,
    /// Successes and refusals so far: both show that the service works.
    answers: u64,
    has_succeeded: bool,
    /// Pauses since the last answer.
    pauses: u32,
    /// Refusals of permission since the last answer.
    denials: u32,
    last_denial: Option<ConnectError>,
}

impl CircuitBreaker {
    /// A breaker that nothing was heard of yet.
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            state: BreakerState::HalfOpen,
            answers: 0,
            has_succeeded: false,
            pauses: 0,
            denials: 0,
            last_denial: None,
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

    /// Whether the operation has been silent for so long that perhaps only the calls that wait for it fail.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.pauses >= self.policy.pauses_before_doubt
    }

    /// A call was answered: a success, or a refusal of what it asked for.
    pub(super) fn answered(&mut self, is_success: bool) {
        let has_succeeded = self.has_succeeded || is_success;
        let state = BreakerState::Closed;
        *self = Self { state, answers: self.answers + 1, has_succeeded, ..Self::new(self.policy) };
    }

    /// Pauses, for the service is down. Calls that were under way together make one pause.
    pub(super) fn open(&mut self, jitter: f64) {
        if !matches!(self.state(), BreakerState::Open { .. }) {
            self.state = BreakerState::Open { until: Instant::now() + self.policy.pause(self.pauses, jitter) };
            self.pauses += 1;
        }
    }

    /// Counts a refusal of permission. Says whether it stops the import.
    pub(super) fn denied(&mut self, error: &ConnectError) -> bool {
        self.denials += 1;
        self.last_denial = Some(error.clone());
        error.operation.is_instance_wide() || self.denials >= self.policy.denials_that_stop(self.has_succeeded)
    }

    /// The last refusal of permission, if the operation never succeeded.
    pub(super) fn never_permitted(&self) -> Option<ConnectError> {
        self.last_denial.clone().filter(|_| !self.has_succeeded)
    }
}
