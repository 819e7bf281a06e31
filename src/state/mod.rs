//! What an import remembers from one delivery to the next, below `state/<key>/`: a record that decides it and says which
//! delivery has it (the lease), and a journal of what it is about to do and what it did (a write-ahead log). And what imports
//! remember of users for each other, below `state/seen/`.

mod entry;
mod journal;
mod lease;
mod record;
mod replay;
mod seen;
mod segment;

pub(crate) use entry::{CallsByName, Completed, Intent, LanesByName, Started};
pub(crate) use journal::Journal;
pub(crate) use lease::{Acquired, Fenced, FinishedImport, Found, Lease, LeaseError};
pub use record::Answer;
pub(crate) use record::{Ending, ImportRecord};
pub(crate) use replay::Replay;
pub(crate) use seen::{Fingerprint, SeenUser, SeenUsers, Writer};
