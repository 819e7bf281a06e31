//! The time that a call sees.

use std::time::Duration;

/// The time of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Now, counted from the emulator's start.
    pub(crate) since_start: Duration,
    /// The emulator's start, counted from 1970.
    pub(crate) calendar_start: Duration,
}

impl Clock {
    /// A time counted from the start, as timestamps are written: seconds since 1970.
    pub(super) fn timestamp(self, since_start: Duration) -> f64 {
        (self.calendar_start + since_start).as_secs_f64()
    }
}
