//! What became of a row: a status, a code that machines read, and what a sentence needs.

use serde::{Deserialize, Serialize};

use super::code::Code;

/// A row of the file by its number, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowId(pub u32);

impl RowId {
    /// Its place in a list of all rows.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A line of the file, from 1 on, as an editor counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line(pub u32);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What became of a row, in the report's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// The user did not have it and has it now.
    Added,
    /// The user had it otherwise.
    Updated,
    /// The user had it and has it no more.
    Removed,
    /// The user had it so already.
    Unchanged,
    /// Says the same as an earlier row.
    Duplicate,
    /// Refused by us, before any write for it.
    Invalid,
    /// Refused by Connect.
    Failed,
    /// Never tried: the import stopped.
    Pending,
    /// Not done, because its condition did not hold: somebody changed what it is about.
    Kept,
    /// A dry run would have added it.
    WouldAdd,
    /// A dry run would have changed it.
    WouldUpdate,
    /// A dry run would have taken it away.
    WouldRemove,
}

impl Status {
    /// All, in the order of the summary.
    pub const ALL: [Self; 12] = [
        Self::Added,
        Self::Updated,
        Self::Removed,
        Self::Unchanged,
        Self::Duplicate,
        Self::Invalid,
        Self::Failed,
        Self::Pending,
        Self::Kept,
        Self::WouldAdd,
        Self::WouldUpdate,
        Self::WouldRemove,
    ];

    /// As the report has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Removed => "removed",
            Self::Unchanged => "unchanged",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Kept => "kept",
            Self::WouldAdd => "would_add",
            Self::WouldUpdate => "would_update",
            Self::WouldRemove => "would_remove",
        }
    }

    /// As people read it.
    pub fn in_words(self) -> String {
        self.name().replace('_', " ")
    }

    /// Whether the row must be mended and dropped again: it goes to `retry.csv`.
    pub const fn needs_retry(self) -> bool {
        matches!(self, Self::Invalid | Self::Failed | Self::Pending)
    }

    /// Whether the user is not as the row says.
    pub const fn is_undone(self) -> bool {
        self.needs_retry() || matches!(self, Self::Kept)
    }

    /// What it is called where nothing was written.
    #[must_use]
    pub const fn in_a_dry_run(self) -> Self {
        match self {
            Self::Added => Self::WouldAdd,
            Self::Updated => Self::WouldUpdate,
            Self::Removed => Self::WouldRemove,
            other => other,
        }
    }
}

/// What became of a row, small enough to be kept for a million of them. The sentence is made when the report is written,
/// from the row itself and from the [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its status.
    pub status: Status,
    /// Why.
    pub code: Code,
    /// What [`Outcome::note`] unpacks.
    detail: u32,
}

/// No level is so high.
const NO_ROOM: u32 = u32::MAX;

/// What a sentence about an outcome needs beside the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    None,
    /// Another row, by its line.
    Line(Line),
    /// A message that is kept elsewhere.
    Message(MessageId),
    /// The level before the change, in hundredths: the service may hold others than whole ones.
    LevelBefore(u32),
    /// How many proficiencies the user would have.
    SetSize(u32),
    /// The level that was found where a condition names another one, in hundredths; 0 if there was none.
    LevelFound(u32),
    /// There was no room for what the user's rows add, so the row was not done either.
    NoRoom,
    /// When the user was last seen, in seconds since 1970.
    SeenAt(u32),
}

/// A message that was kept, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageId(pub u32);

impl Outcome {
    /// Not yet tried.
    pub const PENDING: Self = Self::plain(Status::Pending);

    /// A status that needs no explanation.
    pub const fn plain(status: Status) -> Self {
        Self { status, code: Code::None, detail: 0 }
    }

    /// A row that we refuse for what it says.
    pub const fn invalid(code: Code) -> Self {
        Self { status: Status::Invalid, code, detail: 0 }
    }

    /// A row that contradicts the one on another line.
    pub const fn conflicting(other: Line) -> Self {
        Self { status: Status::Invalid, code: Code::ConflictingRows, detail: other.0 }
    }

    /// A row that says the same as the one on another line.
    pub const fn duplicate(of: Line) -> Self {
        Self { status: Status::Duplicate, code: Code::DuplicateRow, detail: of.0 }
    }

    /// An addition for which there is no room: the size that the user's set would have.
    pub const fn too_many(set_size: u32) -> Self {
        Self { status: Status::Invalid, code: Code::TooManyProficiencies, detail: set_size }
    }

    /// A row whose condition did not hold: the level that was found in hundredths, 0 if there was none.
    pub const fn kept(hundredths: u32) -> Self {
        Self { status: Status::Kept, code: Code::ChangedSince, detail: hundredths }
    }

    /// A row that was not done, because there was no room for what the user's rows add.
    pub const fn kept_without_room() -> Self {
        Self::kept(NO_ROOM)
    }

    /// A row of a user that was not read, because it is as the row says since it was last seen, in seconds since 1970.
    pub const fn as_recorded(seen_at: u32) -> Self {
        Self { status: Status::Unchanged, code: Code::AsRecorded, detail: seen_at }
    }

    /// A level that was changed or removed, and what it was before in hundredths.
    pub const fn from_level(status: Status, hundredths: u32) -> Self {
        Self { status, code: Code::None, detail: hundredths }
    }

    /// A row with a message that is kept elsewhere.
    pub const fn with_message(status: Status, message: MessageId) -> Self {
        Self { status, code: Code::Text, detail: message.0 }
    }

    /// The same in a dry run.
    #[must_use]
    pub const fn in_a_dry_run(self) -> Self {
        Self { status: self.status.in_a_dry_run(), ..self }
    }

    /// What its sentence needs beside the row.
    pub const fn note(self) -> Note {
        match self.code {
            Code::DuplicateRow | Code::ConflictingRows => Note::Line(Line(self.detail)),
            Code::TooManyProficiencies => Note::SetSize(self.detail),
            Code::ChangedSince if self.detail == NO_ROOM => Note::NoRoom,
            Code::ChangedSince => Note::LevelFound(self.detail),
            Code::AsRecorded => Note::SeenAt(self.detail),
            Code::Text => Note::Message(MessageId(self.detail)),
            Code::None if self.detail > 0 => Note::LevelBefore(self.detail),
            _ => Note::None,
        }
    }
}

/// An [`Outcome`] that stands by itself, for the journal: with its message, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOutcome {
    status: Status,
    #[serde(default, skip_serializing_if = "is_default")]
    code: Code,
    #[serde(default, skip_serializing_if = "is_default")]
    detail: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Box<(String, String)>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl StoredOutcome {
    /// The outcome with its message (a code and a sentence), which is asked for only where there is one.
    pub fn new(outcome: Outcome, message: impl FnOnce(MessageId) -> (String, String)) -> Self {
        let Outcome { status, code, detail } = outcome;
        match outcome.note() {
            Note::Message(id) => Self { status, code, detail: 0, message: Some(Box::new(message(id))) },
            _ => Self { status, code, detail, message: None },
        }
    }

    /// The outcome again; its message, if it has one, is kept by `keep`.
    pub fn restore(&self, keep: impl FnOnce(&str, &str) -> MessageId) -> Outcome {
        let detail = self.message.as_ref().map_or(self.detail, |message| keep(&message.0, &message.1).0);
        Outcome { status: self.status, code: self.code, detail }
    }

    /// What became of the row.
    pub fn status(&self) -> Status {
        self.status
    }
}

/// What the report says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowReport {
    /// `import_status`.
    pub status: Status,
    /// `import_code`.
    pub code: String,
    /// `import_message`.
    pub message: String,
    /// Whether the row goes to `retry.csv`.
    pub needs_retry: bool,
    /// The part of the message that says why the row is not as the file says, and that other rows may share; the whole
    /// message if nothing is said here.
    pub cause: Option<String>,
    /// What the user had and what it has, where the row is about a level.
    pub levels: Option<LevelChange>,
}

/// A level before an import and after it: 1 to 5, rounded, or 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// What the user had.
    pub before: u8,
    /// What it has.
    pub after: u8,
}

impl RowReport {
    /// The row's outcome in words; it goes to `retry.csv` if its status says so.
    pub fn new(status: Status, code: String, message: String) -> Self {
        Self { status, code, message, needs_retry: status.needs_retry(), cause: None, levels: None }
    }

    /// Says one thing more, which is not why the row is not as the file says.
    pub fn remark(&mut self, sentence: &str) {
        if self.message.is_empty() {
            sentence.clone_into(&mut self.message);
            return;
        }
        if self.status.is_undone() && self.cause.is_none() {
            self.cause = Some(self.message.clone());
        }
        let end = if self.message.ends_with(['.', '?']) { " " } else { ". " };
        self.message.extend([end, sentence]);
    }
}
