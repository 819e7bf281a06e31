//! What the person who dropped the file gets back. Bytes only: where they go is not known here.

mod summary;
mod table;

pub use summary::{ImportStatus, Summary};
pub use table::Table;

/// The report's objects, in the folder of the import.
pub mod object {
    /// Every row of the file and what became of it.
    pub const RESULTS: &str = "results.csv";
    /// The rows that are to be mended and dropped again.
    pub const RETRY: &str = "retry.csv";
    /// The import in numbers.
    pub const SUMMARY: &str = "summary.json";
}
