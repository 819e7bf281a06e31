//! The summary of an import, while it runs and when it is over.

use super::imported::Imported;
use super::run::{Run, Verdict};
use crate::kind::{Describe, FileKind};
use crate::outcome::ImportStatus;
use crate::report::{Cause, Details, Summary};

impl Run<'_> {
    /// The summary of an import that runs.
    pub(super) fn unfinished(&self) -> Summary {
        let progress = *self.importer.progress.borrow();
        let expected_at = progress.left().map(|left| self.deadlines.wall_clock() + left);
        Summary { rows: progress.rows, expected_at, causes: self.causes.borrow().clone(), ..self.summary() }
    }

    /// The summary of an import that is over.
    pub(super) fn finished<R: Describe>(&self, import: &Imported<R>, causes: Vec<Cause>, details: &Details) -> Summary {
        let rows = import.counts();
        let status = match &import.verdict {
            Verdict::Failed(_) => ImportStatus::Failed,
            Verdict::Rejected(_) => ImportStatus::Rejected,
            Verdict::Cancelled => ImportStatus::Cancelled,
            Verdict::Completed if rows.undone() > 0 || !import.rows.incomplete_users().is_empty() => {
                ImportStatus::CompletedWithErrors
            }
            Verdict::Completed => ImportStatus::Succeeded,
        };
        let problem = match &import.verdict {
            Verdict::Failed(problem) | Verdict::Rejected(problem) => Some(problem),
            Verdict::Cancelled | Verdict::Completed => None,
        };
        let withheld = (details.n_withheld > 0).then(|| {
            let (n, is_dry_run) = (details.n_withheld, self.record().options.dry_run);
            import.unassigned.in_words(n, is_dry_run, import.is_withheld_by_nobodys())
        });
        let sentences: Vec<String> =
            problem.map(|problem| problem.message.clone()).into_iter().chain(withheld).collect();
        Summary {
            status,
            code: problem.map(|problem| problem.code.clone().into_owned()),
            message: (!sentences.is_empty()).then(|| sentences.join(" ")),
            rows,
            implied_removals: details.n_removed,
            removals_withheld: details.n_withheld,
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
        let (import_id, source) = (record.import_id.clone(), record.source.to_string());
        Summary {
            version: record.version.clone(),
            kind: self.kind.get().map(|kind| FileKind::name(kind).into()),
            columns: self.columns.borrow().clone(),
            calls,
            quotas: self.lanes().rates().by_name(),
            deliveries: record.deliveries,
            ..Summary::begun(import_id, source, self.mode.get(), record.options.dry_run, record.started_at)
        }
    }
}
