//! Why a row has its status: a code that machines read, and what it means.

use serde::{Deserialize, Serialize};

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
    /// A level, or one of a condition, that is not 1, 2, 3, 4 or 5.
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
    /// What the row is about is not as its condition says.
    ChangedSince,
    /// The user was not read: its rows are as they were when it was last seen right.
    AsRecorded,
    /// Code and message are kept elsewhere ([`Note::Message`](super::Note::Message)): Connect's own, or what only the moment knew.
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
            Self::ChangedSince => "changed_since",
            Self::AsRecorded => "as_recorded",
        }
    }
}

impl Code {
    /// What is wrong with such rows, where their own sentences are not known.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::None | Self::Text => "Why is not known.",
            Self::WrongCellCount => "The row has more cells than the header, or lacks some.",
            Self::MissingField => "A cell that must hold something is empty.",
            Self::InvalidCharacter => "A cell holds a character that nobody can see.",
            Self::TooLong => "A cell is longer than Amazon Connect allows.",
            Self::InvalidAction => "The action is neither 'set' nor 'remove'.",
            Self::InvalidLevel => "The level, or the one of a condition, is not 1, 2, 3, 4 or 5.",
            Self::UnknownUser => "There is no such user.",
            Self::UnknownAttribute => "There is no such predefined attribute in this instance.",
            Self::UnknownValue => "The attribute has no such value.",
            Self::DuplicateRow => "Says the same as another line.",
            Self::ConflictingRows => "Contradicts another line. None of them was done: keep one.",
            Self::TooManyProficiencies => "The user would have more proficiencies than are allowed.",
            Self::InvalidChannel => "The channel is none of VOICE, CHAT, TASK and EMAIL.",
            Self::InvalidBoolean => "A cell is neither yes nor no.",
            Self::InvalidSeconds => "A cell is not whole seconds from 0 to 2,000,000.",
            Self::InvalidPhoneNumber => "The phone number is not of the form +4930901820.",
            Self::InvalidPhoneType => "The phone type is neither SOFT_PHONE nor DESK_PHONE.",
            Self::InvalidVoiceEnhancementMode => {
                "The voice enhancement mode is none of VOICE_ISOLATION, NOISE_SUPPRESSION and NONE."
            }
            Self::NoSetting => "All settings of the row are empty.",
            Self::VoiceOnly => "A setting of calls stands beside another channel.",
            Self::NeedsOtherSetting => "A setting needs another one, which is neither in the file nor there.",
            Self::ChangedSince => {
                "What the row is about is not as its condition says: it was changed since. Left as it is."
            }
            Self::AsRecorded => "Not read: the user had this when it was last seen.",
        }
    }
}
