//! The summary of an import, while it runs and when it is over.

use super::export::ExportOutcome;
use super::imported::Imported;
use super::run::{Run, Verdict};
use crate::kind::{Describe, FileKind};
use crate::outcome::{ImportStatus, Problem};
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
        let is_whole = rows.undone() == 0 && import.rows.incomplete_users().is_empty();
        let problem = import.verdict.problem();
        let withheld = (details.n_withheld > 0).then(|| {
            let (n, is_dry_run) = (details.n_withheld, self.record().options.dry_run);
            import.unassigned.in_words(n, is_dry_run, import.is_withheld_by_nobodys())
        });
        let sentences: Vec<String> =
            problem.map(|problem| problem.message.clone()).into_iter().chain(withheld).collect();
        Summary {
            status: import.verdict.status(is_whole),
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

    /// The summary of an export that is over.
    pub(super) fn exported(&self, exported: &ExportOutcome, verdict: &Verdict) -> Summary {
        let problem = verdict.problem();
        Summary {
            status: verdict.status(exported.is_whole()),
            code: problem.map(|problem| problem.code.clone().into_owned()),
            message: problem.map(|problem| problem.message.clone()).or_else(|| exported.message()),
            rows: exported.rows(),
            users: exported.users(),
            finished_at: Some(self.deadlines.wall_clock()),
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
            export: self.export.is_some(),
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

impl Verdict {
    /// What an import of this end is. `is_whole` says whether all is as it was asked for.
    fn status(&self, is_whole: bool) -> ImportStatus {
        match self {
            Self::Failed(_) => ImportStatus::Failed,
            Self::Rejected(_) => ImportStatus::Rejected,
            Self::Cancelled => ImportStatus::Cancelled,
            Self::Completed if is_whole => ImportStatus::Succeeded,
            Self::Completed => ImportStatus::CompletedWithErrors,
        }
    }

    /// Why it ended before its time.
    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Failed(problem) | Self::Rejected(problem) => Some(problem),
            Self::Cancelled | Self::Completed => None,
        }
    }
}
