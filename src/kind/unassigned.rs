//! Rows that cannot be assigned to a user, where the file is the whole truth for its users: what they may name is removed from
//! nobody by implication. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::connect::ProficiencyKey;
use crate::input::folded;
use crate::outcome::Line;
use crate::report::counted;

/// How many lines a sentence names.
const MAX_LINES: usize = 3;

/// What is not removed by implication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protected {
    /// All that the file does not name is removed.
    #[default]
    Nothing,
    /// These pairs of attribute and value stay, without regard to case.
    Pairs(BTreeSet<(String, String)>),
    /// All stays.
    Everything,
}

impl Protected {
    /// Whether a pair stays.
    pub fn covers(&self, ProficiencyKey { attribute, value }: &ProficiencyKey) -> bool {
        match self {
            Self::Nothing => false,
            Self::Pairs(pairs) => pairs.contains(&(folded(attribute), folded(value))),
            Self::Everything => true,
        }
    }

    /// One more pair stays.
    pub fn add(&mut self, attribute: &str, value: &str) {
        self.absorb(Self::Pairs([(folded(attribute), folded(value))].into()));
    }

    /// What another one protects stays, too.
    pub fn absorb(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Everything, _) | (_, Self::Nothing) => {}
            (Self::Pairs(pairs), Self::Pairs(others)) => pairs.extend(others),
            (_, other) => *self = other,
        }
    }
}

/// The rows that cannot be assigned to a user, and what they protect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unassigned {
    /// What is not removed because of them.
    pub protected: Protected,
    /// How many rows protect something.
    n_rows: u64,
    /// The first lines on which they stand.
    lines: Vec<Line>,
    /// How many of them are whole, and only name somebody whom the instance does not have, nor anybody of nearly that name.
    n_nobodys: u64,
}

impl Unassigned {
    /// Takes a row that protects something. `is_nobodys` says whether it would protect nothing with `ignore`.
    pub fn push(&mut self, line: Line, is_nobodys: bool) {
        self.n_rows += 1;
        self.n_nobodys += u64::from(is_nobodys);
        // A line of a sheet has many rows.
        if self.lines.len() < MAX_LINES && !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// What a later delivery finds is protected, too. What an earlier one found stays so: who was renamed meanwhile must not
    /// lose anything for it.
    pub fn absorb(&mut self, later: Self) {
        self.protected.absorb(later.protected);
        if self.n_rows == 0 {
            (self.n_rows, self.lines, self.n_nobodys) = (later.n_rows, later.lines, later.n_nobodys);
        }
    }

    /// What the import says of so many removals that were withheld.
    pub fn in_words(&self, n_withheld: u64, is_dry_run: bool) -> String {
        let were = if is_dry_run { "would be" } else { "were" };
        let lines: Vec<_> = self.lines.iter().map(ToString::to_string).collect();
        let more = if self.n_rows > self.lines.len() as u64 { ", ..." } else { "" };
        let plural = if self.lines.len() == 1 && more.is_empty() { "" } else { "s" };
        let ignore = if self.n_rows == self.n_nobodys {
            " If they name people who have no account, import the file with a new request that has \"unassigned_rows\": \"ignore\"."
        } else {
            ""
        };
        format!(
            "{} {were} withheld, because {} cannot be assigned to a user (line{plural} {}{more}): what such a row may name is \
             removed from nobody. Correct these rows.{ignore} What was withheld is in withheld.csv.",
            counted(n_withheld, "removal"),
            counted(self.n_rows, "row"),
            lines.join(", ")
        )
    }
}
