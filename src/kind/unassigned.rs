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
    /// These pairs of attribute and value stay, without regard to case and Unicode form.
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
    /// What would not be removed either if rows were ignored that are whole, and only name somebody whom the instance does not
    /// have, nor anybody of nearly that name.
    pub without_nobodys: Protected,
    /// How many rows protect something.
    n_rows: u64,
    /// The first lines on which they stand, and whether there are more.
    lines: Vec<Line>,
    has_more_lines: bool,
}

impl Unassigned {
    /// Takes a row that protects something, by its line.
    pub fn push(&mut self, line: Line) {
        self.n_rows += 1;
        // A line of a sheet has many rows.
        if self.lines.len() < MAX_LINES && !self.lines.contains(&line) {
            self.lines.push(line);
        } else {
            self.has_more_lines |= !self.lines.contains(&line);
        }
    }

    /// What a row may name is not removed. `is_nobodys` says whether it would be if such rows were ignored.
    pub fn protect(&mut self, protected: Protected, is_nobodys: bool) {
        if !is_nobodys {
            self.without_nobodys.absorb(protected.clone());
        }
        self.protected.absorb(protected);
    }

    /// What a later delivery finds is protected, too. What an earlier one found stays so: who was renamed meanwhile must not
    /// lose anything for it.
    pub fn absorb(&mut self, later: Self) {
        self.protected.absorb(later.protected);
        self.without_nobodys.absorb(later.without_nobodys);
        if self.n_rows == 0 {
            (self.n_rows, self.lines, self.has_more_lines) = (later.n_rows, later.lines, later.has_more_lines);
        }
    }

    /// What the import says of so many removals that were withheld. `can_ignore` says whether none would have been if rows of
    /// people without an account were ignored.
    pub fn in_words(&self, n_withheld: u64, is_dry_run: bool, can_ignore: bool) -> String {
        let were = match (is_dry_run, n_withheld) {
            (true, _) => "would be",
            (false, 1) => "was",
            (false, _) => "were",
        };
        let lines: Vec<_> = self.lines.iter().map(ToString::to_string).collect();
        let more = if self.has_more_lines { ", ..." } else { "" };
        // Perhaps an earlier delivery knew them.
        let rows = if self.n_rows == 0 { "rows".to_owned() } else { counted(self.n_rows, "row") };
        let at = match self.lines.len() {
            0 => String::new(),
            1 if more.is_empty() => format!(" (line {})", lines[0]),
            _ => format!(" (lines {}{more})", lines.join(", ")),
        };
        let ignore = if can_ignore {
            " If they name people who have no account, import the file with a new request that has \"unassigned_rows\": \
             \"ignore\"."
        } else {
            ""
        };
        format!(
            "{} {were} withheld, because {rows} cannot be assigned to a user{at}: what such a row may name is removed from nobody. \
             Correct these rows.{ignore} What was withheld is in withheld.csv.",
            counted(n_withheld, "removal"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_withheld_is_told_with_the_first_lines() {
        let told = |lines: &[u32], n, is_dry_run, can_ignore| {
            let mut unassigned = Unassigned::default();
            for line in lines {
                unassigned.push(Line(*line));
            }
            unassigned.in_words(n, is_dry_run, can_ignore)
        };
        let rest = "be assigned to a user";
        for (lines, n, is_dry_run, said) in [
            (&[4][..], 1, false, format!("1 removal was withheld, because 1 row cannot {rest} (line 4): what")),
            (&[4, 4, 4], 2, false, format!("2 removals were withheld, because 3 rows cannot {rest} (line 4): what")),
            (
                &[4, 5, 6],
                2,
                true,
                format!("2 removals would be withheld, because 3 rows cannot {rest} (lines 4, 5, 6): what"),
            ),
            (
                &[4, 5, 6, 6, 7],
                1,
                true,
                format!("1 removal would be withheld, because 5 rows cannot {rest} (lines 4, 5, 6, ...): what"),
            ),
            (&[], 1_200, false, format!("1,200 removals were withheld, because rows cannot {rest}: what")),
        ] {
            let sentence = told(lines, n, is_dry_run, false);
            assert!(sentence.starts_with(&said), "{sentence}");
            assert!(sentence.ends_with("Correct these rows. What was withheld is in withheld.csv."), "{sentence}");
        }
        assert!(
            told(&[4], 1, false, true).contains("Correct these rows. If they name people who have no account, import")
        );
    }

    #[test]
    fn pairs_are_covered_in_any_case_and_unicode_form() {
        let mut protected = Protected::default();
        protected.add("Caf\u{e9}", "One");
        let key = |attribute: &str, value: &str| ProficiencyKey { attribute: attribute.into(), value: value.into() };
        assert!(protected.covers(&key("cafe\u{301}", "ONE")) && !protected.covers(&key("cafe", "one")));
        protected.absorb(Protected::Nothing);
        assert!(!protected.covers(&key("a", "b")));
        protected.absorb(Protected::Everything);
        protected.absorb(Protected::Pairs(BTreeSet::new()));
        assert!(protected.covers(&key("a", "b")));
    }
}
