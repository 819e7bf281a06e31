//! The clock of `LastModified`.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// 2026-01-01T00:00:00Z, where the clock begins.
const DEFAULT_START: Duration = Duration::from_secs(1_767_225_600);

const ONE_SECOND: Duration = Duration::from_secs(1);

/// Follows tokio's time, so that it stands still in paused time but for the second that each write takes.
#[derive(Debug)]
pub(super) struct Clock {
    start: SystemTime,
    started: Instant,
    last: Option<SystemTime>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: SystemTime::UNIX_EPOCH + DEFAULT_START, started: Instant::now(), last: None }
    }

    /// The time of the next write, later than that of every write before it.
    pub(super) fn tick(&mut self) -> SystemTime {
        let now = whole_seconds(self.start + self.started.elapsed());
        let next = match self.last {
            Some(last) => now.max(last + ONE_SECOND),
            None => now,
        };
        self.last = Some(next);
        next
    }
}

fn whole_seconds(at: SystemTime) -> SystemTime {
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())
}
