//! What became of a row, of a user and of an import. Pure data.

mod import;
mod row;

pub use import::{Counts, ImportStatus, Preview, Problem, UserCounts};
pub use row::{Code, LevelChange, Line, MessageId, Note, Outcome, RowId, RowReport, Status, StoredOutcome};
