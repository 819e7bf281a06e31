//! What became of an import and of its users, and what is wrong with one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::row::{Outcome, Status};

/// Rows by status: the summary's `rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Status::ALL.len()]);

impl Counts {
    /// Rows of these outcomes.
    pub fn of_all(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            counts.add(outcome.status);
        }
        counts
    }

    /// This many rows, all of that status.
    pub fn only(status: Status, n_rows: u64) -> Self {
        let mut counts = Self::default();
        counts.0[status as usize] = n_rows;
        counts
    }

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

    /// Rows of users who are not as they say: those that are invalid, failed, pending or kept.
    pub fn undone(&self) -> u64 {
        Status::ALL.into_iter().filter(|status| status.is_undone()).map(|status| self.of(status)).sum()
    }

    /// Rows that are invalid, failed or pending.
    pub fn to_retry(&self) -> u64 {
        Status::ALL.into_iter().filter(|status| status.needs_retry()).map(|status| self.of(status)).sum()
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

/// The summary's `users`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCounts {
    /// Users that the file names.
    pub total: u64,
    /// Of them, those that the import changed, by a row or because the file is the whole truth.
    pub changed: u64,
    /// Those of whom all was right already.
    pub unchanged: u64,
    /// Those with an invalid, a failed or a kept row, or who kept what the file does not name. They may have changed, too.
    pub with_errors: u64,
}

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    /// Every row is as the file says.
    Succeeded,
    /// It is over, and some rows are not as the file says.
    CompletedWithErrors,
    /// Nothing was written.
    Rejected,
    /// Stopped by the system.
    Failed,
    /// Stopped by a person.
    Cancelled,
    /// Not over yet.
    InProgress,
}

impl ImportStatus {
    /// As the summary has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::InProgress => "in_progress",
        }
    }
}

/// What replacing the set of one user would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// How many the user has now.
    pub held: u32,
    /// How many of them the file does not name, where it is the whole truth.
    pub implied: u32,
    /// How many of them rows take away.
    #[serde(default)]
    pub named: u32,
    /// Whether the user has already just what the file says.
    pub is_right: bool,
    /// Whether its rows were all that the file says of it. Of others, nothing is removed.
    pub is_whole: bool,
}

/// What is wrong with a row, a file or an import: a code for machines and a sentence for people.
///
/// Of a row the code is a [`Code`](super::Code); of a file or an import it is one of ours (`not_csv`, `missing_column`, ...) or a
/// service's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem<C = Cow<'static, str>> {
    /// Stable and machine-readable.
    pub code: C,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl<C> Problem<C> {
    /// A problem with its sentence.
    pub fn new(code: impl Into<C>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}
