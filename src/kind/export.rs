//! The other way round: what users have, in the form of a file to drop. Dropped back, such a file finds everybody right.
//!
//! A file cannot say all that the service may hold: a level between two others in a sheet, a value that the instance does not
//! know any more, a name that nobody can see. What it cannot say is left out and told, and never said otherwise.

use serde::{Deserialize, Serialize};

use super::rows::{Rows, Target};
use crate::connect::{Connect, ConnectError};
use crate::outcome::Problem;

/// How proficiencies are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A row for each.
    #[default]
    Long,
    /// A sheet: a row for each user, a column for each pair of an attribute and a value.
    Wide,
}

/// What a file says of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportedUser {
    /// Its lines.
    pub lines: Vec<Vec<String>>,
    /// How many rows that is, as an import counts them: of a sheet each entry is one.
    pub n_rows: u64,
    /// What the file cannot say, each in some words.
    pub left_out: Vec<String>,
}

/// Why there can be no table.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The instance could not be asked.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The instance did not say what a name means.
    #[error(transparent)]
    Unread(Problem),
    /// In this form there can be none.
    #[error(transparent)]
    Form(Problem),
}

/// What users have, as the rows of a kind of file say it. Pure, but for one fetch.
#[expect(async_fn_in_trait, reason = "an export is one future on one thread")]
pub trait Export: Rows {
    /// The name of the table.
    const TABLE: &'static str;
    /// What must be known before the first line.
    type Layout;

    /// Looks at all that users have, and asks the instance what names in it mean.
    async fn layout(
        connect: &Connect,
        form: Form,
        held: impl Iterator<Item = <Self::Target as Target>::Current> + Clone,
    ) -> Result<Self::Layout, ExportError>;

    /// The table's first line.
    fn header(layout: &Self::Layout) -> Vec<String>;

    /// Whether an import would understand this first line as it is meant; why not otherwise.
    fn check_header(_layout: &Self::Layout, _line: &[u8]) -> Result<(), Problem> {
        Ok(())
    }

    /// What the table says of a user. `user` is how a file names it.
    fn export(layout: &Self::Layout, user: &str, held: &<Self::Target as Target>::Current) -> ExportedUser;
}
