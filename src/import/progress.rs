//! How far an import is.

use std::time::Duration;

use tokio::time::Instant;

use crate::connect::Timeline;
use crate::outcome::Counts;
use crate::state::{CallsByName, Replay};

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Rows by status.
    pub rows: Counts,
    /// Users with rows to be tried.
    pub n_users: usize,
    /// Users that are done.
    pub n_users_done: usize,
    /// Those of them that earlier deliveries did, or that took no call.
    pub n_users_before: usize,
    /// Users that are probably read once more after those: where all are looked at before the first write.
    pub n_users_after: usize,
    /// Whether they are only looked at so far, before the first write.
    pub is_preview: bool,
    /// When this delivery began with them.
    pub since: Option<Instant>,
    /// How many users may be read in a second.
    pub reads_per_second: f64,
}

impl Progress {
    /// How long it will probably take from now on: at the pace so far, but no faster than users may be read. At first the burst is
    /// faster, and nothing is known of writes.
    pub(super) fn left(&self) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let number = |n: usize| n as f64;
        let done_now = self.n_users_done - self.n_users_before;
        let left = number(self.n_users - self.n_users_done + self.n_users_after);
        let so_far = if done_now > 0 { self.since?.elapsed().as_secs_f64() / number(done_now) } else { 0.0 };
        Duration::try_from_secs_f64(left * so_far.max(1.0 / self.reads_per_second))
            .ok()
            .filter(|_| self.since.is_some())
    }
}

/// What earlier deliveries did, in numbers.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What they called.
    pub(super) calls: CallsByName,
    /// What they called when.
    pub(super) timeline: Timeline,
    /// Users that they are done with.
    pub(super) n_users_completed: usize,
}

impl History {
    pub(super) fn of(replay: &Replay) -> Self {
        Self {
            calls: replay.calls.clone(),
            timeline: replay.timeline.clone(),
            n_users_completed: replay.n_users_completed(),
        }
    }
}
