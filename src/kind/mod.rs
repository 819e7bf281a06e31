//! The kinds of file. What the kinds share (reading, users, pace, journal, report) stands outside and knows a kind by its
//! [`Rows`], [`Target`] and [`Describe`]; what differs stands here: the columns, the checks of a row, the plan for a user
//! and the calls that follow it. The loop that brings a user to what its rows say is the same for all: [`mod@reconcile`].

mod cells;
mod effects;
mod export;
mod ledger;
mod messages;
pub mod proficiency;
mod reconcile;
mod rows;
#[cfg(test)]
mod test_desk;
mod unassigned;
pub mod user_config;

use serde::{Deserialize, Serialize};

use crate::input::{Header, Record, Schema};

pub use effects::{KeptEffects, UserEffects};
pub use export::{Export, ExportError, ExportedUser, Form};
pub use ledger::{Ledger, UserBatch};
pub use messages::Messages;
pub use proficiency::ProficiencyRows;
pub use reconcile::{Prior, Reconciled, preview, reconcile};
pub use rows::{Describe, EffectsOf, ReconcileOptions, ReportContext, Rows, Target, UserNotes, Writes};
pub use unassigned::{Protected, Unassigned};
pub use user_config::UserConfigRows;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Proficiencies.
    Proficiencies,
    /// Settings per channel.
    UserConfig,
}

impl FileKind {
    /// All, by their [`FileKind::index`].
    pub const ALL: [Self; 2] = [Self::Proficiencies, Self::UserConfig];

    /// Its place in [`FileKind::ALL`].
    const fn index(self) -> usize {
        match self {
            Self::Proficiencies => 0,
            Self::UserConfig => 1,
        }
    }

    /// The kind of which a header has the columns.
    pub fn of(header: &Header) -> Self {
        Self::ALL[header.schema]
    }

    /// As the summary names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proficiencies => ProficiencyRows::NAME,
            Self::UserConfig => UserConfigRows::NAME,
        }
    }

    /// The name of the table that an export of it writes.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Proficiencies => ProficiencyRows::TABLE,
            Self::UserConfig => UserConfigRows::TABLE,
        }
    }

    /// Its columns.
    pub const fn schema(self) -> Schema {
        match self {
            Self::Proficiencies => proficiency::SCHEMA,
            Self::UserConfig => user_config::SCHEMA,
        }
    }
}

/// The columns of each kind, in the order of [`FileKind::ALL`].
pub const SCHEMAS: &[Schema] = &{
    let mut schemas: [Schema; FileKind::ALL.len()] = [&[]; FileKind::ALL.len()];
    let mut index = 0;
    while index < schemas.len() {
        let kind = FileKind::ALL[index];
        assert!(kind.index() == index, "a kind stands at its index");
        schemas[index] = kind.schema();
        index += 1;
    }
    schemas
};

/// The rows of a file of any kind.
#[derive(Debug)]
pub enum AnyRows {
    /// Proficiencies.
    Proficiencies(ProficiencyRows),
    /// Settings per channel.
    UserConfig(UserConfigRows),
}

impl AnyRows {
    /// No rows yet.
    pub fn new(kind: FileKind) -> Self {
        match kind {
            FileKind::Proficiencies => Self::Proficiencies(ProficiencyRows::default()),
            FileKind::UserConfig => Self::UserConfig(UserConfigRows::default()),
        }
    }

    /// What kind they are of.
    pub const fn kind(&self) -> FileKind {
        match self {
            Self::Proficiencies(_) => FileKind::Proficiencies,
            Self::UserConfig(_) => FileKind::UserConfig,
        }
    }

    /// Takes one row of the file: see [`Rows::push`].
    pub fn push(&mut self, header: &Header, record: &Record<'_>) {
        match self {
            Self::Proficiencies(rows) => rows.push(header, record),
            Self::UserConfig(rows) => rows.push(header, record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_the_summary_names_it() {
        for kind in FileKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
            assert_eq!(AnyRows::new(kind).kind(), kind);
        }
    }
}
