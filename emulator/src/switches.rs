//! What the service's documents leave open, as switches.
//!
//! No public text says what Connect does in the cases below. A client that is right under every
//! value of every switch is right whatever the service does; [`Switches::matrix`] lists them for tests.
//! The first value of each enum is the default: the likeliest, or where none is, the one that forgives least.

use clap::{Args, ValueEnum};

use crate::error::ApiError;

/// `AssociateUserProficiencies` of a pair that the user has already, at this or another level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AssociateExisting {
    /// Refused.
    #[default]
    Error,
    /// The new level takes the place of the old one.
    Overwrite,
    /// Answered with success, nothing changes.
    NoOp,
}

/// `UpdateUserProficiencies` of a pair that the user does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum UpdateMissing {
    /// Refused: "Proficiencies must first be associated to the user", says the model.
    #[default]
    Error,
    /// The pair is added.
    Upsert,
    /// Answered with success, nothing changes.
    NoOp,
}

/// `DisassociateUserProficiencies` of a pair that the user does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DisassociateMissing {
    /// Refused.
    #[default]
    Error,
    /// Answered with success, nothing changes.
    NoOp,
}

/// `UpdateUserProficiencies` with the level that the pair has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum UpdateSameLevel {
    /// Answered with success, nothing changes.
    #[default]
    NoOp,
    /// Refused.
    Error,
}

/// A write that names an attribute or a value which the instance does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum UnknownAttribute {
    /// `InvalidParameterException`, 400.
    #[default]
    InvalidParameter,
    /// `ResourceNotFoundException`, 404: the code that a missing user has too.
    ResourceNotFound,
}

/// What the refusals of the other switches are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Refusal {
    /// `InvalidParameterException`, 400.
    #[default]
    InvalidParameter,
    /// `InvalidRequestException`, 400.
    InvalidRequest,
    /// `ResourceNotFoundException`, 404.
    ResourceNotFound,
}

/// A call in which one item of several is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Batch {
    /// None of the items is done.
    #[default]
    Atomic,
    /// The items before the guilty one are done, and the answer is the error all the same.
    Partial,
}

/// A write after which a user would have more proficiencies than the quota allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OverLimit {
    /// `InvalidParameterException`, 400.
    #[default]
    InvalidParameter,
    /// `LimitExceededException`, 429, which some clients take for a throttle.
    LimitExceeded,
    /// `ServiceQuotaExceededException`, 402.
    ServiceQuotaExceeded,
}

/// Whether a write finds an attribute or value that is spelt in another case.
///
/// An instance cannot have two names that differ in case only (Connect administrator guide,
/// predefined attributes); nothing is said about what a write matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AttributeCase {
    /// `language` is unknown where the instance has `Language`.
    #[default]
    Sensitive,
    /// `language` is `Language`, and is stored as the instance spells it.
    Insensitive,
}

/// The same pair twice in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DuplicateInCall {
    /// Refused.
    #[default]
    Error,
    /// As if only the last had been sent.
    LastWins,
}

/// A write with no items at all, or with no list; the model sets no smallest length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum EmptyCall {
    /// Refused.
    #[default]
    Error,
    /// Answered with success, nothing changes.
    NoOp,
}

/// A level such as 2.5: a float from 1 to 5 in the model, but "valid values are 1, 2, 3, 4 and 5".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FractionalLevels {
    /// `InvalidParameterException`, 400.
    #[default]
    Refused,
    /// Stored as sent.
    Accepted,
}

/// What a list of settings that `UpdateUserConfig` is sent does to what is there. A list that is not sent
/// stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ConfigLists {
    /// Channels that it does not name stay; an item takes the place of its channel's.
    #[default]
    ByChannel,
    /// Channels that it does not name stay, and so does what an item leaves out.
    ByMember,
    /// It takes the place of the whole list.
    Whole,
}

/// An `AfterContactWorkConfig`, or the one for callbacks, without its `AfterContactWorkTimeLimit`.
///
/// The model does not require this member, and some SDKs leave it out if it is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MissingTimeLimit {
    /// `InvalidParameterException`, 400.
    #[default]
    Refused,
    /// Read as 0.
    Zero,
    /// The setting is not there, and is taken away if it was. The one for callbacks goes with the channel's own,
    /// which the model requires beside it.
    Unset,
}

/// How a throttle looks on the wire; the status is 429 each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ThrottleCode {
    /// What the model lists.
    #[default]
    ThrottlingException,
    /// What Connect has been seen to answer on other operations.
    TooManyRequestsException,
    /// Neither a code nor a body.
    Bare,
}

/// One answer for each question that the documents leave open.
///
/// The switches are the binary's flags as well, so what is said here is also its help.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Switches {
    /// Associate of a pair that the user has
    #[arg(long, value_enum, default_value_t)]
    pub associate_existing: AssociateExisting,
    /// Update of a pair that the user does not have
    #[arg(long, value_enum, default_value_t)]
    pub update_missing: UpdateMissing,
    /// Disassociate of a pair that the user does not have
    #[arg(long, value_enum, default_value_t)]
    pub disassociate_missing: DisassociateMissing,
    /// Update to the level that the pair has already
    #[arg(long, value_enum, default_value_t)]
    pub update_same_level: UpdateSameLevel,
    /// A write of an attribute or value that the instance does not have
    #[arg(long, value_enum, default_value_t)]
    pub unknown_attribute: UnknownAttribute,
    /// What the refusals of the other switches are called
    #[arg(long, value_enum, default_value_t)]
    pub refusal: Refusal,
    /// A call of which one item is refused
    #[arg(long, value_enum, default_value_t)]
    pub batch: Batch,
    /// A write that would give a user more proficiencies than the quota allows
    #[arg(long, value_enum, default_value_t)]
    pub over_limit: OverLimit,
    /// The most items in one write [default: no limit]
    #[arg(long, value_name = "N")]
    pub max_items_per_call: Option<usize>,
    /// Whether a write finds an attribute or value spelt in another case
    #[arg(long, value_enum, default_value_t)]
    pub attribute_case: AttributeCase,
    /// The same pair twice in one call
    #[arg(long, value_enum, default_value_t)]
    pub duplicate_in_call: DuplicateInCall,
    /// A write without items
    #[arg(long, value_enum, default_value_t)]
    pub empty_call: EmptyCall,
    /// A level that is not whole
    #[arg(long, value_enum, default_value_t)]
    pub fractional_levels: FractionalLevels,
    /// What a list sent to UpdateUserConfig does to the channels that it does not name
    #[arg(long, value_enum, default_value_t)]
    pub config_lists: ConfigLists,
    /// After contact work that is sent without its time limit
    #[arg(long, value_enum, default_value_t)]
    pub missing_time_limit: MissingTimeLimit,
    /// How a throttle looks on the wire
    #[arg(long, value_enum, default_value_t)]
    pub throttle_code: ThrottleCode,
    /// Attributes that the search does not show yet, though Describe does (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub search_lag: Vec<String>,
    /// The longest page, however many results are asked for [default: no limit]
    #[arg(long, value_name = "N")]
    pub page_size_cap: Option<usize>,
    /// The first page of every listing is empty and has a token
    #[arg(long)]
    pub empty_first_page: bool,
}

impl Switches {
    /// The refusal of an item, under the name that [`Refusal`] says.
    pub(crate) fn refuse(&self, message: impl Into<String>) -> ApiError {
        match self.refusal {
            Refusal::InvalidParameter => ApiError::invalid_parameter(message),
            Refusal::InvalidRequest => ApiError::invalid_request(message),
            Refusal::ResourceNotFound => ApiError::not_found(message),
        }
    }
}
