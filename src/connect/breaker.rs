//! What is known of an operation: whether the service answers it, and whether the caller may call it at all.

use std::time::Duration;

use tokio::time::Instant;

use super::error::ConnectError;

/// How long a lane rests when the service is down, doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Refusals of permission in a row that stop an import if the operation never succeeded in it. Not the first one: for all
/// that the documents say, a user who does not exist may be answered so.
const FIRST_DENIALS_THAT_STOP: u32 = 3;
/// Refusals of permission in a row that stop an import although the operation has succeeded before.
const DENIALS_THAT_STOP: u32 = 10;

/// What is known of an operation in this import.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    /// Successes and refusals: whatever shows that the service works.
    pub(super) answers: u64,
    pub(super) has_succeeded: bool,
    /// Whether the last that was heard was an answer. Down, one call at a time goes through.
    pub(super) is_up: bool,
    pub(super) pauses: u32,
    pub(super) paused_until: Option<Instant>,
    pub(super) denials: u32,
    pub(super) last_denial: Option<ConnectError>,
}

impl CircuitBreaker {
    pub(super) fn answered(&mut self, is_success: bool) {
        let has_succeeded = self.has_succeeded || is_success;
        *self = Self { answers: self.answers + 1, has_succeeded, is_up: true, ..Self::default() };
    }

    /// The service is down. Calls that were under way together make one pause.
    pub(super) fn pause(&mut self, share: f64) {
        self.is_up = false;
        if self.paused_until.is_none_or(|until| until <= Instant::now()) {
            let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.pow(self.pauses.min(10)));
            self.pauses += 1;
            self.paused_until = Some(Instant::now() + longest.mul_f64(f64::midpoint(1.0, share)));
        }
    }

    /// Counts a refusal of permission, and says whether it stops the import.
    pub(super) fn denied(&mut self, error: &ConnectError) -> bool {
        self.denials += 1;
        self.last_denial = Some(error.clone());
        let enough = if self.has_succeeded { DENIALS_THAT_STOP } else { FIRST_DENIALS_THAT_STOP };
        error.operation.is_instance_wide() || self.denials >= enough
    }
}
