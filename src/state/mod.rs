//! What an import remembers from one delivery to the next, below `state/<key>/`: a record that decides it and says which
//! delivery has it (the lease), and a journal of what it is about to do and what it did (a write-ahead log).

mod entry;
mod journal;
mod lease;
mod record;
mod replay;
mod segment;

pub use entry::{CallsByName, Completed, Intent, LanesByName};
pub use journal::Journal;
pub use lease::{Acquired, Fenced, Found, Lease, LeaseError};
pub use record::{Answer, Ending, ImportRecord};
pub use replay::Replay;
