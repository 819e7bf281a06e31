//! What the person who dropped the file gets back. Bytes only: where they go is not known here.

mod plain;
mod summary;
mod table;
mod write;

pub use plain::PlainTable;
pub use summary::Summary;
pub use table::Table;
pub use write::{FirstPass, REFRESH_INTERVAL, SummaryObject, plain, read_rows, tables};

/// The report's objects, in the folder of the import.
pub mod object {
    /// Every row of the file and what became of it.
    pub const RESULTS: &str = "results.csv";
    /// The rows that are to be mended and dropped again.
    pub const RETRY: &str = "retry.csv";
    /// What takes back what the import did.
    pub const UNDO: &str = "undo.csv";
    /// What was removed because the file does not name it.
    pub const REMOVED: &str = "removed.csv";
    /// The import in numbers.
    pub const SUMMARY: &str = "summary.json";
}
