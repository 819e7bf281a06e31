//! One line of the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::connect::{Calls, LaneMemory, Timeline, UserId};
use crate::options::Mode;
use crate::outcome::{Preview, RowId, StoredOutcome};

/// Calls by the operation's name.
pub(crate) type CallsByName = BTreeMap<String, Calls>;
/// What is known of each operation, by its name.
pub(crate) type LanesByName = BTreeMap<String, LaneMemory>;

/// What the journal says in one line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// What the file is, once its header was read.
    Started(Started),
    /// What replacing a user's set would do.
    Preview { user: UserId, preview: Preview },
    /// The guard against a mass removal was passed.
    GuardPassed,
    /// A user's first write is about to be made.
    Intent(Intent),
    /// What became of a user.
    Completed(Completed),
    /// What this delivery has called so far, and what it knows of each operation.
    Called { calls: CallsByName, lanes: LanesByName },
    /// What this delivery has called when.
    Timeline(Timeline),
}

/// What a file is, and what was found when it was first compared with the instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    /// The name of its kind.
    pub kind: String,
    /// Whether it is the whole truth for its users.
    pub mode: Mode,
    /// The rows that could not be assigned to a user, in the engine's form.
    pub unassigned: Box<RawValue>,
}

/// A user whose writes may have started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// Who it is.
    pub user: UserId,
    /// Its rows: so the names that the file has for the user keep meaning this one.
    pub rows: Vec<RowId>,
    /// Whether these are all that the file says of it.
    pub is_complete: bool,
    /// What it had before this import's first write for it, in its kind's form.
    pub before: Box<RawValue>,
    /// What may come of it by what is planned, in its kind's form: with this, undo.csv needs no file.
    pub possible: Box<RawValue>,
}

/// A user that is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Completed {
    /// Who it is.
    pub user: UserId,
    /// What became of its rows.
    pub rows: Vec<(RowId, StoredOutcome)>,
    /// What came of it, in its kind's form; of an export, what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Box<RawValue>>,
}

impl Entry {
    /// The entry as a line, with its end.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("an entry has no map keys that are not texts");
        line.push(b'\n');
        line
    }
}
