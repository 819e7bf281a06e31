//! An import as far as it came: its rows, what they were compared with, and how it ends.

use super::run::Verdict;
use crate::input::Header;
use crate::kind::{Describe, EffectsOf, Unassigned};
use crate::outcome::{Code, Counts, Line, Note, Outcome, Problem, Status};
use crate::report::{Cause, CauseCounter};
use crate::resolve::Users;

/// An import as far as it came.
#[derive(Debug)]
pub(super) struct Imported<R: Describe> {
    pub(super) rows: R,
    pub(super) header: Option<Header>,
    /// Where reading had to end before the file did.
    pub(super) unreadable: Option<Problem>,
    pub(super) users: Option<Users>,
    pub(super) reference: Option<R::Reference>,
    pub(super) verdict: Verdict,
    /// The rows that cannot be assigned to a user, where the file is the whole truth for its users.
    pub(super) unassigned: Unassigned,
    /// What became of rows as the journal knows it, where the file cannot be read any more.
    pub(super) outcomes_without_file: Option<Vec<Outcome>>,
}

impl<R: Describe> Imported<R> {
    /// Rows of which nothing is known yet but what they say.
    pub(super) fn new(rows: R, header: Option<Header>, unreadable: Option<Problem>) -> Self {
        Self {
            rows,
            header,
            unreadable,
            users: None,
            reference: None,
            verdict: Verdict::Completed,
            unassigned: Unassigned::default(),
            outcomes_without_file: None,
        }
    }

    /// Rows by status.
    pub(super) fn counts(&self) -> Counts {
        let without_file = self.outcomes_without_file.as_ref();
        without_file.map_or_else(|| self.rows.ledger().counts(), |outcomes| Counts::of_all(outcomes))
    }

    /// What was removed without a row that says so, or would be.
    pub(super) fn removed(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.by_name(R::removed)
    }

    /// What would have been removed if no row protected it that cannot be assigned to a user: by name.
    pub(super) fn withheld_by_name(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.by_name(R::withheld_by_name)
    }

    /// Whether nothing would have been withheld if rows of people without an account were ignored.
    pub(super) fn is_withheld_by_nobodys(&self) -> bool {
        !self.rows.all_effects().any(|(.., effects)| R::withholds(&effects, &self.unassigned.without_nobodys))
    }

    /// Rows about users as the file names them.
    fn by_name(&self, rows: fn(&str, &EffectsOf<R>) -> Vec<Vec<String>>) -> impl Iterator<Item = Vec<String>> + '_ {
        let ledger = self.rows.ledger();
        self.rows.all_effects().flat_map(move |(row, user, effects)| {
            let named = if row.index() < ledger.len() { ledger.user(row).1 } else { user.as_str() };
            rows(named, &effects)
        })
    }

    /// Why rows are not as the file says, as far as that is known without the file.
    pub(super) fn causes_without_file(&self) -> CauseCounter {
        match &self.outcomes_without_file {
            Some(outcomes) => self.count_causes(outcomes.iter().map(|outcome| (None, *outcome))),
            None => self.count_causes(self.rows.ledger().outcomes().map(|(line, outcome)| (Some(line), outcome))),
        }
    }

    /// Why rows are known to be wrong while the import runs. Their own sentences come with the report.
    pub(super) fn causes_so_far(&self) -> Vec<Cause> {
        let tried = self.rows.ledger().outcomes().filter(|(_, outcome)| outcome.status != Status::Pending);
        self.count_causes(tried.map(|(line, outcome)| (Some(line), outcome))).into_causes()
    }

    fn count_causes(&self, outcomes: impl Iterator<Item = (Option<Line>, Outcome)>) -> CauseCounter {
        let mut causes = CauseCounter::new(self.verdict.stopped());
        for (line, outcome) in outcomes {
            match outcome.note() {
                _ if outcome.status == Status::Kept => {
                    causes.add(line, outcome.status, Code::ChangedSince.name(), Code::ChangedSince.in_words());
                }
                Note::Message(id) => {
                    let (code, sentence) = self.rows.ledger().messages.get(id);
                    causes.add(line, outcome.status, &code, &sentence);
                }
                _ => causes.add(line, outcome.status, outcome.code.name(), outcome.code.in_words()),
            }
        }
        causes
    }

    /// What takes back what was done.
    pub(super) fn undo(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.rows.all_effects().flat_map(|(_, user, effects)| R::undo(&user, &effects))
    }

    /// What does what a dry run would have done.
    pub(super) fn plan(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.rows.all_effects().flat_map(|(_, user, effects)| R::plan(&user, &effects))
    }

    /// What removes what was withheld.
    pub(super) fn withheld(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.rows.all_effects().flat_map(|(_, user, effects)| R::withheld(&user, &effects))
    }
}
