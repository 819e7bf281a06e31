//! What the person who dropped the file gets back: tables, a summary and a page as bytes, and [`mod@write`], which
//! stores them.

mod causes;
mod details;
mod facts;
mod page;
mod pictures;
mod plain;
mod summary;
mod table;
mod text;
mod words;
mod write;

pub use causes::Cause;
pub(crate) use causes::CauseCounter;
pub(crate) use details::{Details, Digest};
pub(crate) use page::{ReportPage, UsersDone};
pub(crate) use plain::first_line;
pub use summary::{Columns, Summary};
pub use table::Table;
pub(crate) use text::cut;
pub use text::{counted, grouped};
pub(crate) use words::REAL_RUN;
pub(crate) use write::{Overview, PlainSheet, REFRESH_INTERVAL, RowSheets, delete_stale, write_table};

use crate::outcome::RowReport;

/// An object with a line for each row of the file that it wants: the file's own columns, and what became of the row.
#[derive(Debug)]
pub(crate) struct RowObject {
    /// Its name in the report's folder.
    pub name: &'static str,
    /// Whether it is there without rows, too.
    pub is_always_there: bool,
    /// Which rows it has.
    pub wants: fn(&RowReport) -> bool,
}

/// All of them. Another one is one more entry.
pub(crate) const ROW_OBJECTS: [RowObject; 2] = [
    RowObject { name: RESULTS, is_always_there: true, wants: |_| true },
    RowObject { name: RETRY, is_always_there: false, wants: |row| row.needs_retry },
];

/// Every row of the file with its outcome.
pub(crate) const RESULTS: &str = "results.csv";
/// The rows to mend and drop again.
pub(crate) const RETRY: &str = "retry.csv";
/// What takes back what the import did.
pub(crate) const UNDO: &str = "undo.csv";
/// What does what a dry run would have done.
pub(crate) const PLAN: &str = "plan.csv";
/// What removes what rows protect that cannot be assigned to a user.
pub(crate) const WITHHELD: &str = "withheld.csv";
/// What was removed because the file does not name it.
pub(crate) const REMOVED: &str = "removed.csv";
/// Of whom an export does not say all.
pub(crate) const LEFT_OUT: &str = "left_out.csv";
/// The import in numbers.
pub(crate) const SUMMARY: &str = "summary.json";
/// The import for people.
pub(crate) const PAGE: &str = "report.html";
