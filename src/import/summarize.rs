//! The summary of an import, while it runs and when it is over.

use super::finish::Imported;
use super::run::{Run, Verdict};
use crate::kind::{Describe, FileKind};
use crate::outcome::{Counts, ImportStatus, UserCounts};
use crate::report::{Cause, Summary};

impl Run<'_> {
    /// The summary of an import that runs.
    pub(super) fn unfinished(&self) -> Summary {
        let progress = *self.importer.progress.borrow();
        let expected_at = progress.left().map(|left| self.deadlines.wall_clock() + left);
        Summary { rows: progress.rows, expected_at, ..self.summary() }
    }

    /// The summary of an import that is over.
    pub(super) fn finished<R: Describe>(&self, import: &Imported<R>, causes: Vec<Cause>) -> Summary {
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
            causes,
            ..self.summary()
        }
    }

    fn summary(&self) -> Summary {
        let record = self.record();
        let mut calls = self.history.borrow().calls.clone();
        for (operation, now) in self.lanes().calls() {
            calls.entry(operation.name().to_owned()).or_default().add(&now);
        }
        Summary {
            import_id: record.import_id.clone(),
            source: record.source.to_string(),
            version: record.version.clone(),
            kind: self.kind.get().map(|kind| FileKind::name(kind).into()),
            columns: self.columns.borrow().clone(),
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
            causes: Vec::new(),
        }
    }
}
