//! The end of an import: its report, its last summary, its answer.

use anyhow::Context as _;
use tracing::{info, warn};

use super::load::{ReadStep, RowReader};
use super::run::{Run, Verdict, best_effort};
use crate::input::{Header, Record};
use crate::kind::{Describe, ProficiencyRows, ReportContext};
use crate::options::Mode;
use crate::outcome::{Counts, Problem, RowId};
use crate::report::{self, RowSheets, Summary, write_table};
use crate::resolve::Users;
use crate::state::{Answer, LeaseError};
use crate::store::StoreError;

/// An import as far as it came.
#[derive(Debug)]
pub(super) struct Imported<R: Describe> {
    pub(super) rows: R,
    pub(super) header: Option<Header>,
    /// Where reading had to end before the file did.
    pub(super) unreadable: Option<Problem>,
    pub(super) users: Option<Users>,
    pub(super) reference: Option<R::Reference>,
    pub(super) verdict: Verdict,
    /// Rows by status as the journal knows them, where the file cannot be read any more.
    pub(super) counts_without_file: Option<Counts>,
}

impl<R: Describe> Imported<R> {
    /// Rows of which nothing is known yet but what they say.
    pub(super) fn new(rows: R, header: Option<Header>, unreadable: Option<Problem>) -> Self {
        Self {
            rows,
            header,
            unreadable,
            users: None,
            reference: None,
            verdict: Verdict::Completed,
            counts_without_file: None,
        }
    }

    /// Rows by status.
    pub(super) fn counts(&self) -> Counts {
        self.counts_without_file.unwrap_or_else(|| self.rows.ledger().counts())
    }

    /// What was removed without a row that says so, or would be.
    pub(super) fn removed(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        let ledger = self.rows.ledger();
        self.rows.all_effects().flat_map(move |(row, user, effects)| {
            let named = if row.index() < ledger.len() { ledger.user(row).1 } else { user.as_str() };
            R::removed(named, &effects)
        })
    }

    fn undo(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.rows.all_effects().flat_map(|(_, user, effects)| R::undo(&user, &effects))
    }
}

/// An import whose report is written.
#[derive(Debug)]
pub(super) struct Finished {
    summary: Summary,
    /// Whether the journal knows what the report does not tell.
    keeps_journal: bool,
}

/// Writes the report.
pub(super) async fn finish<R: Describe>(run: &Run<'_>, import: Imported<R>) -> anyhow::Result<Finished> {
    // What is told is stored, so that whoever comes after this delivery tells the same.
    run.note_calls();
    run.journal.sync().await;
    run.confirm().await?;
    write_report(run, &import).await.context("the report could not be written")?;
    Ok(Finished { summary: run.finished(&import), keeps_journal: false })
}

async fn write_report<R: Describe>(run: &Run<'_>, import: &Imported<R>) -> Result<(), StoreError> {
    let (store, folder) = (&run.importer.store, &run.record().report);
    if let Some(header) = &import.header {
        write_rows(run, import, header).await?;
    }
    write_table(store, folder, report::REMOVED, R::REMOVED, import.removed()).await?;
    if !run.record().options.dry_run {
        write_table(store, folder, report::UNDO, R::UNDO, import.undo()).await?;
    }
    Ok(())
}

/// Reads the file a second time, and writes beside each row what became of it.
async fn write_rows<R: Describe>(run: &Run<'_>, import: &Imported<R>, header: &Header) -> Result<(), StoreError> {
    let (record, store) = (run.record(), &run.importer.store);
    let ledger = import.rows.ledger();
    let users = import.users.as_ref().filter(|_| run.mode.get() == Mode::Replace);
    let user_notes = import.users.as_ref().map(|users| import.rows.user_notes(users));
    let to_retry = users.map(|users| (users, import.rows.users_to_retry(users)));
    let context = ReportContext {
        users: import.users.as_ref(),
        reference: import.reference.as_ref(),
        max_proficiencies: record.options.max_proficiencies_per_user,
        replaces: users.is_some(),
        user_notes: user_notes.as_ref(),
    };
    let mut sheets = RowSheets::new(store, &record.report, header);
    let (mut n_rows, mut reader) = (0_u32, RowReader::open(store, &record.read_from).await?);
    let mut visit = |sheets: &mut RowSheets, header: &Header, found: Record<'_>| {
        let row = RowId(n_rows);
        let mut report = import.rows.describe(row, header, &found, context);
        // Dropped again, the rows to mend must be the whole truth for their users, too.
        report.needs_retry |=
            to_retry.as_ref().is_some_and(|(users, these)| ledger.is_one_of(row.index(), users, these));
        // A file that ends before its end must be mended itself: what was read of it is no file to drop.
        report.needs_retry &= import.unreadable.is_none();
        sheets.push(header, &found, &report);
        n_rows += 1;
    };
    let written = loop {
        let mut push = |header: &Header, found: Record<'_>| {
            visit(&mut sheets, header, found);
            Ok(())
        };
        let step = reader.step(&mut push).await;
        match (step, sheets.flush(header).await) {
            (Err(error), _) | (_, Err(error)) => break Err(error),
            (Ok(ReadStep::More), Ok(())) => {}
            (Ok(ReadStep::End(read)), Ok(())) => break Ok(read),
        }
    };
    let is_same = |read: &Result<(), Problem>| {
        n_rows as usize == ledger.len() && read.as_ref().err() == import.unreadable.as_ref()
    };
    match written {
        Ok(read) if is_same(&read) => sheets.finish(header).await,
        Ok(_) => {
            sheets.abort().await;
            Err(read_differently(run, n_rows, ledger.len()))
        }
        Err(error) => {
            sheets.abort().await;
            Err(error)
        }
    }
}

fn read_differently(run: &Run<'_>, n_rows: u32, n_before: usize) -> StoreError {
    StoreError::Other {
        what: format!("GetObject {}", run.record().read_from),
        status: None,
        code: "ReadDifferently".to_owned(),
        message: format!("{n_rows} rows were read for the report, and {n_before} rows before"),
    }
}

impl Finished {
    /// An import that ends without a report: what its journal knows stays there.
    pub(super) fn without_report(run: &Run<'_>, verdict: Verdict) -> Self {
        let mut import = Imported::new(ProficiencyRows::default(), None, None);
        import.verdict = verdict;
        Self { summary: run.finished(&import), keeps_journal: true }
    }

    /// Writes the last summary and the answer: from now on that is all that a delivery gets. Nothing if another delivery has
    /// the import.
    pub(super) async fn answer(self: Box<Self>, run: &Run<'_>) -> anyhow::Result<Option<Answer>> {
        let answer = run.answer(self.summary.status, self.summary.rows);
        let closed = async {
            run.write_summary(&self.summary).await?;
            run.lease.finish(&answer).await
        };
        match closed.await {
            Err(LeaseError::Fenced(_)) => return Ok(None),
            closed => closed?,
        }
        info!(import_id = answer.import_id, status = ?answer.status, rows = answer.rows.total(), "import is over");
        let cleaned = async {
            if let Err(error) = run.clean_up(self.keeps_journal).await {
                warn!(import_id = answer.import_id, "the state is left to the bucket's lifecycle: {error}");
            }
            Ok(())
        };
        best_effort(run.deadlines.end, cleaned).await;
        Ok(Some(answer))
    }
}
