//! When a failed call is sent again, how long it waits first, and when it is given up.
//!
//! A call that fails is given up if the service answers other calls of the same operation meanwhile. If it answers none,
//! the operation is down: its calls wait, and none of them fails, but after a long outage of this operation alone.

use std::time::Duration;

/// The policy of this program: one for all lanes.
pub(super) const POLICY: RetryPolicy = RetryPolicy {
    max_attempts: 8,
    first_backoff: Duration::from_millis(500),
    longest_backoff: Duration::from_secs(20),
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(30),
    pauses_before_doubt: 7,
    longest_outage: Duration::from_secs(30 * 60),
    longest_silence: Duration::from_secs(60),
    denials_before_success: 3,
    denials_after_success: 10,
};

/// The rules for calls that fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryPolicy {
    /// A call that fails this often, while other calls of its lane are answered, is given up.
    pub(super) max_attempts: u32,
    /// The backoff of a call that fails by itself: full jitter below this, doubled each time, up to the longest.
    first_backoff: Duration,
    longest_backoff: Duration,
    /// How long a lane rests while the service is down: doubled each time, up to the longest.
    first_pause: Duration,
    longest_pause: Duration,
    /// Pauses without an answer, about a minute in all, after which a lane asks whether it is the service that is down.
    pub(super) pauses_before_doubt: u32,
    /// An operation that answers nothing but failures for so long, while others answer, fails what waits for it.
    pub(super) longest_outage: Duration,
    /// The longest time between two failures that counts as down. Attempts and pauses are shorter; a process that was
    /// frozen between them knows nothing of that time.
    pub(super) longest_silence: Duration,
    /// Refusals of permission in a row that stop the import if the operation never succeeded in it. More than one: the
    /// documents do not say how a user is answered who does not exist.
    denials_before_success: u32,
    /// The same for an operation that has succeeded.
    denials_after_success: u32,
}

impl RetryPolicy {
    /// How long a call waits after its n-th failure. `jitter` is at least 0 and below 1.
    pub(super) fn backoff(&self, n_failures: u32, jitter: f64) -> Duration {
        doubled(self.first_backoff, n_failures.saturating_sub(1), self.longest_backoff).mul_f64(jitter)
    }

    /// How long a lane rests after this many pauses: at least half of the longest that the turn allows.
    pub(super) fn pause(&self, n_pauses: u32, jitter: f64) -> Duration {
        doubled(self.first_pause, n_pauses, self.longest_pause).mul_f64(f64::midpoint(1.0, jitter))
    }

    /// How many refusals of permission in a row stop the import.
    pub(super) fn denials_that_stop(&self, has_succeeded: bool) -> u32 {
        if has_succeeded { self.denials_after_success } else { self.denials_before_success }
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    longest.min(first * 2_u32.pow(times.min(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoffs = [1, 2, 3, 6, 7, 100].map(|n| POLICY.backoff(n, 1.0).as_millis());
        assert_eq!(backoffs, [500, 1000, 2000, 16_000, 20_000, 20_000]);
        let pauses = [0, 1, 5, 6, 100].map(|n| POLICY.pause(n, 1.0).as_millis());
        assert_eq!(pauses, [500, 1000, 16_000, 30_000, 30_000]);
        assert_eq!(POLICY.pause(6, 0.0), Duration::from_secs(15));
        assert_eq!(POLICY.backoff(7, 0.0), Duration::ZERO);
    }
}
