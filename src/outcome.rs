//! What became of a row: a status, a code that machines read, and what is needed to say it in a sentence.

use serde::{Deserialize, Serialize};

/// What became of a row, in the report's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// The user did not have it and has it now.
    Added,
    /// The user had it at another level.
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
    /// A dry run would have added it.
    WouldAdd,
    /// A dry run would have changed its level.
    WouldUpdate,
    /// A dry run would have taken it away.
    WouldRemove,
}

impl Status {
    /// All, in the order of the summary.
    pub const ALL: [Self; 11] = [
        Self::Added,
        Self::Updated,
        Self::Removed,
        Self::Unchanged,
        Self::Duplicate,
        Self::Invalid,
        Self::Failed,
        Self::Pending,
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
            Self::WouldAdd => "would_add",
            Self::WouldUpdate => "would_update",
            Self::WouldRemove => "would_remove",
        }
    }

    /// Whether the row is to be mended and dropped again: it goes to `retry.csv`.
    pub const fn is_to_retry(self) -> bool {
        matches!(self, Self::Invalid | Self::Failed | Self::Pending)
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

/// Why, in the report's `import_code`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Code {
    /// Nothing to explain.
    #[default]
    None,
    /// The row has fewer cells than the header, or more.
    WrongCellCount,
    /// A cell that must hold something is empty.
    MissingField,
    /// A cell holds a control character.
    InvalidCharacter,
    /// A cell is longer than Connect allows.
    TooLong,
    /// An action that is neither `set` nor `remove`.
    InvalidAction,
    /// A level that is not 1, 2, 3, 4 or 5.
    InvalidLevel,
    /// No such user.
    UnknownUser,
    /// No such predefined attribute.
    UnknownAttribute,
    /// The predefined attribute has no such value.
    UnknownValue,
    /// Says the same as the row on another line.
    DuplicateRow,
    /// Says something else of the same thing than the row on another line.
    ConflictingRows,
    /// The user would have more proficiencies than are allowed.
    TooManyProficiencies,
    /// A channel that is not `VOICE`, `CHAT`, `TASK` or `EMAIL`.
    InvalidChannel,
    /// A cell that is neither yes nor no.
    InvalidBoolean,
    /// A cell that is not whole seconds from 0 to 2,000,000.
    InvalidSeconds,
    /// A phone number that is not in E.164.
    InvalidPhoneNumber,
    /// A phone type that Connect does not have.
    InvalidPhoneType,
    /// A voice enhancement mode that Connect does not have.
    InvalidVoiceEnhancementMode,
    /// A row of which all settings are empty.
    NoSetting,
    /// A setting of calls for another channel.
    VoiceOnly,
    /// A setting that cannot be without another one, which is neither in the file nor there.
    NeedsOtherSetting,
    /// Code and message are a [`Texts`] entry: Connect's own, or what only the moment knew.
    Text,
}

impl Code {
    /// As the report has it. [`Code::Text`] has none of its own.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None | Self::Text => "",
            Self::WrongCellCount => "wrong_cell_count",
            Self::MissingField => "missing_field",
            Self::InvalidCharacter => "invalid_character",
            Self::TooLong => "too_long",
            Self::InvalidAction => "invalid_action",
            Self::InvalidLevel => "invalid_level",
            Self::UnknownUser => "unknown_user",
            Self::UnknownAttribute => "unknown_attribute",
            Self::UnknownValue => "unknown_value",
            Self::DuplicateRow => "duplicate_row",
            Self::ConflictingRows => "conflicting_rows",
            Self::TooManyProficiencies => "too_many_proficiencies",
            Self::InvalidChannel => "invalid_channel",
            Self::InvalidBoolean => "invalid_boolean",
            Self::InvalidSeconds => "invalid_seconds",
            Self::InvalidPhoneNumber => "invalid_phone_number",
            Self::InvalidPhoneType => "invalid_phone_type",
            Self::InvalidVoiceEnhancementMode => "invalid_voice_enhancement_mode",
            Self::NoSetting => "no_setting",
            Self::VoiceOnly => "voice_only",
            Self::NeedsOtherSetting => "needs_other_setting",
        }
    }
}

/// What became of a row, small enough to be kept for a million of them. The sentence is made when the report is written,
/// from the row itself and from `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What became of it.
    pub status: Status,
    /// Why.
    pub code: Code,
    /// What the sentence needs besides: the line of another row, a [`Texts`] entry, levels; each code has its own.
    pub detail: u32,
}

impl Outcome {
    /// Not yet tried.
    pub const PENDING: Self = Self::plain(Status::Pending);

    /// A status that needs no explanation.
    pub const fn plain(status: Status) -> Self {
        Self { status, code: Code::None, detail: 0 }
    }

    /// A row that the service refused, with what it said as a [`Texts`] entry.
    pub const fn failed(text: u32) -> Self {
        Self { status: Status::Failed, code: Code::Text, detail: text }
    }

    /// A row that we refuse.
    pub const fn invalid(code: Code, detail: u32) -> Self {
        Self { status: Status::Invalid, code, detail }
    }
}

/// An [`Outcome`] by itself: with its text, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    status: Status,
    #[serde(default, skip_serializing_if = "is_default")]
    code: Code,
    #[serde(default, skip_serializing_if = "is_default")]
    detail: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Box<(String, String)>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Told {
    /// What became of the row.
    pub fn status(&self) -> Status {
        self.status
    }
}

/// What Connect said, each code and message once.
#[derive(Debug, Default)]
pub struct Texts {
    all: Vec<(String, String)>,
    places: std::collections::HashMap<(String, String), u32>,
}

impl Texts {
    /// The place of a code and message.
    pub fn keep(&mut self, code: &str, message: &str) -> u32 {
        let text = (code.to_owned(), message.to_owned());
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(text.clone()).or_insert(next);
        if place == next {
            self.all.push(text);
        }
        place
    }

    /// An outcome that stands by itself.
    pub fn tell(&self, Outcome { status, code, detail }: Outcome) -> Told {
        let text = (code == Code::Text).then(|| self.get(detail));
        let text = text.map(|(code, said)| Box::new((code.to_owned(), said.to_owned())));
        Told { status, code, detail, text }
    }

    /// The outcome that was told.
    pub fn hear(&mut self, told: &Told) -> Outcome {
        let detail = told.text.as_ref().map_or(told.detail, |text| self.keep(&text.0, &text.1));
        Outcome { status: told.status, code: told.code, detail }
    }

    /// The code and message at a place.
    pub fn get(&self, place: u32) -> (&str, &str) {
        self.all.get(place as usize).map_or(("", ""), |(code, message)| (code, message))
    }
}

/// Rows by status: the summary's `rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Status::ALL.len()]);

impl Counts {
    /// One more row of that status.
    pub fn add(&mut self, status: Status) {
        self.0[status as usize] += 1;
    }

    /// A row is no longer what it was.
    pub fn change(&mut self, from: Status, to: Status) {
        self.0[from as usize] -= 1;
        self.add(to);
    }

    /// How many have that status.
    pub fn of(&self, status: Status) -> u64 {
        self.0[status as usize]
    }

    /// All rows.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Rows that are invalid, failed or pending.
    pub fn to_retry(&self) -> u64 {
        Status::ALL.into_iter().filter(|status| status.is_to_retry()).map(|status| self.of(status)).sum()
    }
}

impl Serialize for Counts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let total = std::iter::once(("total", self.total()));
        serializer.collect_map(total.chain(Status::ALL.map(|status| (status.name(), self.of(status)))))
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = std::collections::BTreeMap::<String, u64>::deserialize(deserializer)?;
        Ok(Self(Status::ALL.map(|status| named.get(status.name()).copied().unwrap_or(0))))
    }
}

/// What the report says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// `import_status`.
    pub status: Status,
    /// `import_code`.
    pub code: String,
    /// `import_message`.
    pub message: String,
    /// Whether the row goes to `retry.csv`.
    pub is_to_retry: bool,
}

/// The summary's `users`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCounts {
    /// Users that the file names.
    pub total: u64,
    /// Of them, those that at least one row changed.
    pub changed: u64,
    /// Those that no row changed, and no row of whom is wrong.
    pub unchanged: u64,
    /// Those with an invalid or a failed row. They may have changed, too.
    pub with_errors: u64,
}
