//! What became of a row, of a user and of an import. Pure data.

mod code;
mod import;
mod row;

pub use code::Code;
pub use import::{Counts, ImportStatus, Preview, Problem, UserCounts};
pub use row::{LevelChange, Line, MessageId, Note, Outcome, RowId, RowReport, Status, StoredOutcome};
