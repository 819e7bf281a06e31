//! The end of an import: its report, its last summary, its answer.

use anyhow::Context as _;
use tracing::{info, warn};

use super::load::{ReadStep, RowReader, unreadable};
use super::run::{Run, Verdict, best_effort};
use crate::input::{Header, Record};
use crate::kind::{Describe, ProficiencyRows, ReportContext};
use crate::options::Mode;
use crate::outcome::{Counts, Problem, RowId, RowReport};
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
pub(super) async fn finish<R: Describe>(run: &Run<'_>, mut import: Imported<R>) -> anyhow::Result<Finished> {
    // What is told is stored, so that whoever comes after this delivery tells the same.
    run.note_calls();
    run.journal.sync().await;
    run.confirm().await?;
    let unreadable = write_report(run, &import).await.context("the report could not be written")?;
    if let Some(problem) = unreadable {
        import.verdict = Verdict::Failed(problem);
    }
    Ok(Finished { summary: run.finished(&import), keeps_journal: false })
}

/// Writes the report's tables. If the file cannot be read any more, the problem is told, and all tables that need no file are
/// written.
async fn write_report<R: Describe>(run: &Run<'_>, import: &Imported<R>) -> Result<Option<Problem>, LeaseError> {
    let (store, folder) = (&run.importer.store, &run.record().report);
    let unreadable = match &import.header {
        Some(header) => write_rows(run, import, header).await?,
        None => None,
    };
    write_table(store, folder, report::REMOVED, R::REMOVED, import.removed()).await?;
    if !run.record().options.dry_run {
        write_table(store, folder, report::UNDO, R::UNDO, import.undo()).await?;
    }
    Ok(unreadable)
}

/// Reads the file a second time, and writes each row's outcome beside it; or tells why the file cannot be read any more.
async fn write_rows<R: Describe>(
    run: &Run<'_>,
    import: &Imported<R>,
    header: &Header,
) -> Result<Option<Problem>, LeaseError> {
    let ledger = import.rows.ledger();
    let users = import.users.as_ref().filter(|_| run.mode.get() == Mode::Replace);
    let user_notes = import.users.as_ref().map(|users| import.rows.user_notes(users));
    let to_retry = users.map(|users| (users, import.rows.users_to_retry(users)));
    let context = ReportContext {
        users: import.users.as_ref(),
        reference: import.reference.as_ref(),
        max_proficiencies: run.record().options.max_proficiencies_per_user,
        replaces: users.is_some(),
        user_notes: user_notes.as_ref(),
    };
    let describe = |row: RowId, header: &Header, record: &Record<'_>| {
        let mut report = import.rows.describe(row, header, record, context);
        // Dropped again, the rows to mend must be the whole truth for their users, too.
        report.needs_retry |= to_retry.as_ref().is_some_and(|(users, these)| ledger.is_one_of(row, users, these));
        // A file that ends before its end must be mended itself: what was read of it is no file to drop.
        report.needs_retry &= import.unreadable.is_none();
        report
    };
    let mut sheets = RowSheets::new(&run.importer.store, &run.record().report, header);
    let (n_rows, read) = match copy_rows(run, header, &mut sheets, describe).await {
        Ok(copied) => copied,
        Err(error) => {
            sheets.abort().await;
            return match error {
                CopyError::Source(error) => unreadable(run.record(), &error).map(Some).ok_or(error.into()),
                CopyError::Report(error) => Err(error.into()),
            };
        }
    };
    if (n_rows, read.err().as_ref()) != (ledger.len(), import.unreadable.as_ref()) {
        sheets.abort().await;
        return Err(read_differently(run, n_rows, ledger.len()).into());
    }
    // The tables take the place of what an earlier delivery left: not if a newer one has the import.
    if let Err(error) = run.confirm().await {
        sheets.abort().await;
        return Err(error);
    }
    sheets.finish(header).await?;
    Ok(None)
}

/// What failed: to read the file, or to write the report.
enum CopyError {
    Source(StoreError),
    Report(StoreError),
}

/// Copies the file's rows into the sheets. Returns their number, and how reading ended.
async fn copy_rows(
    run: &Run<'_>,
    header: &Header,
    sheets: &mut RowSheets,
    describe: impl Fn(RowId, &Header, &Record<'_>) -> RowReport,
) -> Result<(usize, Result<(), Problem>), CopyError> {
    let source = RowReader::open(&run.importer.store, &run.record().read_from).await;
    let (mut n_rows, mut reader) = (0_u32, source.map_err(CopyError::Source)?);
    loop {
        let mut push = |header: &Header, record: Record<'_>| {
            sheets.push(header, &record, &describe(RowId(n_rows), header, &record));
            n_rows += 1;
            Ok(())
        };
        let step = reader.step(&mut push).await.map_err(CopyError::Source)?;
        sheets.flush(header).await.map_err(CopyError::Report)?;
        if let ReadStep::End(read) = step {
            return Ok((n_rows as usize, read));
        }
    }
}

fn read_differently(run: &Run<'_>, n_rows: usize, n_before: usize) -> StoreError {
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
