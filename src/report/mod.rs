//! What the person who dropped the file gets back. Bytes only: where they go is not known here.

mod plain;
mod summary;
mod table;

pub use plain::Plain;
pub use summary::{ImportStatus, Summary};
pub use table::Table;

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
