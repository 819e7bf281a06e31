//! What an import says of itself: how far it is, and what became of it.

use std::time::Duration;

use crate::input::Refusal;
use crate::journal::{CallsByName, Replay};
use crate::kind::Kind;
use crate::outcome::{Counts, UserCounts};
use crate::report::{ImportStatus, Summary};
use crate::state::{Answer, Begun};

use super::{End, Importer, Run};

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows by status.
    pub rows: Counts,
    /// Users with rows to be tried.
    pub n_users: usize,
    /// Users that are done.
    pub n_users_done: usize,
    /// Those of them that earlier deliveries did.
    pub n_users_before: usize,
}

/// What earlier deliveries did, in numbers.
pub(super) struct Past {
    /// Deliveries so far, this one among them.
    pub(super) deliveries: u32,
    /// How many of those before this one died, one after another.
    pub(super) deaths: u32,
    calls: CallsByName,
    pub(super) rows: Counts,
    pub(super) n_users_done: usize,
    /// Whether one came as far as to begin with users.
    pub(super) has_begun_users: bool,
}

impl Past {
    pub(super) fn of(replay: &Replay) -> Self {
        Self {
            deliveries: replay.deliveries,
            deaths: replay.deaths,
            calls: replay.calls.clone(),
            rows: replay.counts(),
            n_users_done: replay.n_users_done(),
            has_begun_users: replay.has_begun_users(),
        }
    }
}

impl Importer {
    pub(super) fn unfinished(&self, run: &Run) -> Summary {
        let progress = *self.progress.borrow();
        let now = run.delivery.now();
        let elapsed = (now - run.delivery.began).as_seconds_f64();
        let (left, done_now) =
            (progress.n_users - progress.n_users_done, progress.n_users_done - progress.n_users_before);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let left = Duration::try_from_secs_f64(elapsed * left as f64 / done_now as f64).ok();
        let expected_at = left.filter(|_| done_now > 0).map(|left| now + left);
        Summary { rows: progress.rows, expected_at, ..self.summary(run) }
    }

    pub(super) fn finished<K: Kind>(&self, run: &Run, end: &End<K>) -> Summary {
        let rows = end.rows.ledger().counts();
        let said = |why: &Refusal| (Some(why.code.clone().into_owned()), Some(why.message.clone()));
        let (status, (code, message)) = match (&end.failed, &end.rejected) {
            (Some(why), _) => (ImportStatus::Failed, said(why)),
            (_, Some(why)) => (ImportStatus::Rejected, said(why)),
            (None, None) if end.is_cancelled => (ImportStatus::Cancelled, (None, None)),
            (None, None) if rows.to_retry() > 0 || end.rows.left().next().is_some() => {
                (ImportStatus::CompletedWithErrors, (None, None))
            }
            (None, None) => (ImportStatus::Succeeded, (None, None)),
        };
        Summary {
            status,
            code,
            message,
            rows,
            implied_removals: end.rows.removed().count() as u64,
            users: end.rows.users(end.users.as_ref()),
            finished_at: Some(run.delivery.now()),
            ..self.summary(run)
        }
    }

    fn summary(&self, run: &Run) -> Summary {
        let begun = &run.begun;
        let mut calls = run.past.calls.clone();
        for (operation, of_now) in self.connect.lanes().calls() {
            calls.entry(operation.name().to_owned()).or_default().add(&of_now);
        }
        Summary {
            import_id: begun.import_id.clone(),
            source: begun.source.to_string(),
            version: begun.version.clone(),
            kind: run.kind.get(),
            mode: run.mode.get(),
            dry_run: begun.options.dry_run,
            status: ImportStatus::InProgress,
            code: None,
            message: None,
            rows: Counts::default(),
            implied_removals: 0,
            users: UserCounts::default(),
            calls,
            started_at: begun.started_at,
            finished_at: None,
            expected_at: None,
            deliveries: run.past.deliveries,
        }
    }
}

pub(super) fn answer(begun: &Begun, status: ImportStatus, rows: Counts) -> Answer {
    Answer { import_id: begun.import_id.clone(), status, report: Some(begun.report.to_string()), rows }
}
