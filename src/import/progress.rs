//! How far an import is, and its summary.

use std::time::Duration;

use tokio::time::Instant;

use super::finish::Imported;
use super::run::{Run, Verdict};
use crate::connect::Operation;
use crate::kind::{Describe, FileKind};
use crate::outcome::{Counts, ImportStatus, UserCounts};
use crate::report::Summary;
use crate::state::{CallsByName, Replay};

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows by status.
    pub rows: Counts,
    /// Users with rows to be tried.
    pub n_users: usize,
    /// Users that are done.
    pub n_users_done: usize,
    /// Those of them that earlier deliveries did, or that took no call.
    pub n_users_before: usize,
    /// Users that are read once more after those: where all are looked at before the first write.
    pub n_users_after: usize,
    /// When this delivery began with them.
    pub since: Option<Instant>,
}

impl Progress {
    /// How long it will probably take from now on, at the pace so far.
    fn left(&self) -> Option<Duration> {
        let done_now = self.n_users_done - self.n_users_before;
        let left = self.n_users - self.n_users_done + self.n_users_after;
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let share = left as f64 / done_now as f64;
        Duration::try_from_secs_f64(self.since?.elapsed().as_secs_f64() * share).ok().filter(|_| done_now > 0)
    }
}

/// What earlier deliveries did, in numbers.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What they called.
    pub(super) calls: CallsByName,
    /// Users that they are done with.
    pub(super) n_users_completed: usize,
}

impl History {
    pub(super) fn of(replay: &Replay) -> Self {
        Self {
            calls: replay.calls.clone(),
            n_users_completed: replay.n_users_completed(),
        }
    }
}

impl Run<'_> {
    /// The summary of an import that runs.
    pub(super) fn unfinished(&self) -> Summary {
        let progress = *self.importer.progress.borrow();
        let expected_at = progress.left().map(|left| self.deadlines.wall_clock() + left);
        Summary { rows: progress.rows, expected_at, ..self.summary() }
    }

    /// The summary of an import that is over.
    pub(super) fn finished<R: Describe>(&self, import: &Imported<R>) -> Summary {
        let rows = import.counts();
        let status = match &import.verdict {
            Verdict::Failed(_) => ImportStatus::Failed,
            Verdict::Rejected(_) => ImportStatus::Rejected,
            Verdict::Cancelled => ImportStatus::Cancelled,
            Verdict::Completed if rows.to_retry() > 0 || !import.rows.incomplete_users().is_empty() => {
                ImportStatus::CompletedWithErrors
            }
            Verdict::Completed => ImportStatus::Succeeded,
        };
        let problem = match &import.verdict {
            Verdict::Failed(problem) | Verdict::Rejected(problem) => Some(problem),
            Verdict::Cancelled | Verdict::Completed => None,
        };
        Summary {
            status,
            code: problem.map(|problem| problem.code.clone().into_owned()),
            message: problem.map(|problem| problem.message.clone()),
            rows,
            implied_removals: import.removed().count() as u64,
            users: import.rows.users(import.users.as_ref()),
            finished_at: Some(self.deadlines.wall_clock()),
            ..self.summary()
        }
    }

    fn summary(&self) -> Summary {
        let record = self.record();
        let mut calls = self.history.borrow().calls.clone();
        for (operation, now) in self.lanes().calls() {
            calls.entry(Operation::name(operation).to_owned()).or_default().add(&now);
        }
        Summary {
            import_id: record.import_id.clone(),
            source: record.source.to_string(),
            version: record.version.clone(),
            kind: self.kind.get().map(FileKind::name),
            mode: self.mode.get(),
            dry_run: record.options.dry_run,
            status: ImportStatus::InProgress,
            code: None,
            message: None,
            rows: Counts::default(),
            implied_removals: 0,
            users: UserCounts::default(),
            calls,
            started_at: record.started_at,
            finished_at: None,
            expected_at: None,
            deliveries: record.deliveries,
        }
    }
}
