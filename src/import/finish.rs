//! The end of an import: its report, its last summary, its answer.

use anyhow::Context as _;
use futures::future::join;

use super::end::{ImportEnd, Telling};
use super::imported::Imported;
use super::load::{ReadStep, RowReader, unreadable};
use super::run::{Run, Verdict};
use crate::input::{Header, Record};
use crate::kind::{Describe, ProficiencyRows, ReportContext};
use crate::options::Mode;
use crate::outcome::{Problem, RowId, RowReport};
use crate::report::{self, CauseCounter, Details, Digest, RowObject, RowSheets, Summary, write_table};
use crate::state::{FinishedImport, LeaseError};
use crate::store::StoreError;

/// An import whose report is written.
#[derive(Debug)]
pub(super) struct Finished {
    summary: Summary,
    details: Details,
    /// Whether the journal knows what the report does not tell.
    keeps_journal: bool,
}

/// Writes the report.
pub(super) async fn finish<R: Describe>(run: &Run<'_>, mut import: Imported<R>) -> anyhow::Result<Finished> {
    // What is told is stored, so that whoever comes after this delivery tells the same.
    run.note_calls();
    run.journal.sync().await;
    run.confirm().await?;
    let (written, ()) = join(Box::pin(write_report(run, &import)), run.put_in()).await;
    let Written { rows, tables } = written.context("the report could not be written")?;
    let (digest, objects) = match rows {
        WrittenRows::All { digest, objects } => (*digest, objects),
        WrittenRows::None(problem) => {
            if let Some(problem) = problem {
                import.verdict = Verdict::Failed(problem);
            }
            (Digest::new(import.causes_without_file()), Vec::new())
        }
    };
    let objects = objects.into_iter().chain(tables).map(Into::into).collect();
    let (causes, details) = digest.finish(import.removed(), import.withheld_by_name(), objects);
    Ok(Finished { summary: run.finished(&import, causes, &details), details, keeps_journal: false })
}

/// What was written of a report.
struct Written {
    rows: WrittenRows,
    /// The names of the tables that need no file.
    tables: Vec<&'static str>,
}

/// What was written of the tables with a line for each row.
enum WrittenRows {
    /// All of it: what the rows tell, and the names of the tables.
    All { digest: Box<Digest>, objects: Vec<&'static str> },
    /// Nothing: the file has no header, or cannot be read any more for this reason.
    None(Option<Problem>),
}

/// Writes the report's tables.
async fn write_report<R: Describe>(run: &Run<'_>, import: &Imported<R>) -> Result<Written, LeaseError> {
    let (store, folder) = (&run.importer.store, &run.record().report);
    let rows = match &import.header {
        Some(header) => write_rows(run, import, header).await?,
        None => WrittenRows::None(None),
    };
    let mut tables = Vec::new();
    if write_table(store, folder, report::REMOVED, R::REMOVED, import.removed()).await? {
        tables.push(report::REMOVED);
    }
    if write_table(store, folder, report::WITHHELD, R::UNDO, import.withheld()).await? {
        tables.push(report::WITHHELD);
    }
    let is_dry_run = run.record().options.dry_run;
    if is_dry_run && write_table(store, folder, report::PLAN, R::UNDO, import.plan()).await? {
        tables.push(report::PLAN);
    }
    if !is_dry_run && write_table(store, folder, report::UNDO, R::UNDO, import.undo()).await? {
        tables.push(report::UNDO);
    }
    Ok(Written { rows, tables })
}

/// Reads the file a second time, and writes each row's outcome beside it.
async fn write_rows<R: Describe>(
    run: &Run<'_>,
    import: &Imported<R>,
    header: &Header,
) -> Result<WrittenRows, LeaseError> {
    let ledger = import.rows.ledger();
    let users = import.users.as_ref().filter(|_| run.mode.get() == Mode::Replace);
    let user_notes = import.users.as_ref().map(|users| import.rows.user_notes(users));
    let to_retry = users.map(|users| (users, import.rows.users_to_retry(users)));
    // A row that is mended may turn out to be any user's.
    let retries_all = users.is_some_and(|users| import.rows.has_unassigned(users));
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
        report.needs_retry |= retries_all;
        report.needs_retry |= to_retry.as_ref().is_some_and(|(users, these)| ledger.is_one_of(row, users, these));
        report.needs_retry &= import.rows.may_be_retried(row, header, record, context.replaces);
        // A file that ends before its end must be mended itself: what was read of it is no file to drop.
        report.needs_retry &= import.unreadable.is_none();
        report
    };
    let columns = |object: &RowObject| import.rows.columns(header, object.name == report::RETRY && context.replaces);
    let mut sheets = RowSheets::new(&run.importer.store, &run.record().report, header, columns);
    let mut digest = Digest::new(CauseCounter::new(import.verdict.stopped()));
    let (n_rows, read) = match copy_rows(run, header, &mut sheets, &mut digest, describe).await {
        Ok(copied) => copied,
        Err(error) => {
            sheets.abort().await;
            return match error {
                CopyError::Source(error) => match unreadable(run.record(), &error) {
                    Some(problem) => Ok(WrittenRows::None(Some(problem))),
                    None => Err(error.into()),
                },
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
    let objects = sheets.finish(header).await?;
    Ok(WrittenRows::All { digest: Box::new(digest), objects })
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
    digest: &mut Digest,
    describe: impl Fn(RowId, &Header, &Record<'_>) -> RowReport,
) -> Result<(usize, Result<(), Problem>), CopyError> {
    let source = RowReader::open(run).await;
    let (mut n_rows, mut reader) = (0_u32, source.map_err(CopyError::Source)?);
    loop {
        let mut push = |header: &Header, record: Record<'_>| {
            let row = describe(RowId(n_rows), header, &record);
            digest.push(header, &record, &row);
            sheets.push(header, &record, &row);
            n_rows += 1;
            Ok(())
        };
        let step = reader.step(&mut push).await.map_err(CopyError::Source)?;
        sheets.flush(header).await.map_err(CopyError::Report)?;
        match (step, run.headings.get()) {
            (ReadStep::End(read), _) => return Ok((n_rows as usize, read)),
            (ReadStep::Sheet(_), Some(headings)) => reader.explain(headings),
            // What was read before was no sheet: the numbers of rows differ, which is an error.
            (ReadStep::Sheet(_), None) => return Ok((n_rows as usize, Ok(()))),
            (ReadStep::More, _) => {}
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
    /// An export that is over.
    pub(super) fn of_export(summary: Summary, details: Details) -> Self {
        Self { summary, details, keeps_journal: false }
    }

    /// An import that ends without a report: what its journal knows stays there.
    pub(super) fn without_report(run: &Run<'_>, verdict: Verdict) -> Self {
        let mut import = Imported::new(ProficiencyRows::default(), None, None);
        import.verdict = verdict;
        Self {
            summary: run.finished(&import, Vec::new(), &Details::default()),
            details: Details::default(),
            keeps_journal: true,
        }
    }

    /// Writes the last summary, the page and the answer: from now on that is all that a delivery gets. Nothing if another delivery has
    /// the import.
    pub(super) async fn close(self: Box<Self>, run: &Run<'_>) -> anyhow::Result<Option<Closed>> {
        let Self { summary, details, keeps_journal } = *self;
        let closed = async {
            run.write_overview(&summary, &details).await?;
            let telling = Telling { summary, objects: details.objects, folder: run.upload_folder() };
            let end = ImportEnd::new(run.record(), telling, run.deadlines.wall_clock());
            let untold = run.importer.listener.is_some().then(|| end.telling.to_json());
            let finished = run.lease.finish(end.answer(), untold, keeps_journal).await?;
            Ok(Closed { finished, end })
        };
        match closed.await {
            Err(LeaseError::Fenced(_)) => Ok(None),
            closed => Ok(Some(closed?)),
        }
    }
}

/// An import whose answer is stored, and its end.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) finished: FinishedImport,
    pub(super) end: ImportEnd,
}
