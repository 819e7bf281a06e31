//! What all kinds keep of each row: its line, its user and what became of it; and which rows are to be tried.

use std::collections::HashMap;

use crate::input::{Symbol, Interner};
use crate::outcome::{Counts, Outcome, Status, Messages, StoredOutcome, UserCounts};
use crate::resolve::Users;

/// A row of the file: 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    line: u32,
    user: Symbol,
    outcome: Outcome,
}

/// All rows of a file and what became of each.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    users: Interner,
    counts: Counts,
    /// What Connect said.
    pub texts: Messages,
    /// The rows that are to be tried, user by user; see [`Work`].
    to_try: Vec<u32>,
}

/// The rows of one user that are to be tried, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The user, as [`Users`] names it.
    pub user: Symbol,
    /// Whether these are all that the file says of the user: none of its rows is wrong, and none is done already.
    pub is_whole: bool,
    start: u32,
    end: u32,
}

impl Ledger {
    /// Takes one row: its line, the user that it names (nothing where it names none), and its outcome if it is wrong by
    /// itself.
    pub fn push(&mut self, line: u32, user: &str, outcome: Outcome) {
        self.counts.add(outcome.status);
        self.entries.push(Entry { line, user: self.users.intern(user), outcome });
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Rows by status.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The line on which a row begins.
    pub fn line(&self, place: u32) -> u32 {
        self.entries[place as usize].line
    }

    /// The user that a row names, as the file has it.
    pub fn user(&self, place: u32) -> (Symbol, &str) {
        let name = self.entries[place as usize].user;
        (name, self.users.resolve(name))
    }

    /// What became of a row. Nothing is known of a row beyond the last.
    pub fn outcome(&self, place: usize) -> Option<Outcome> {
        self.entries.get(place).map(|entry| entry.outcome)
    }

    /// Whether a row is still to be tried.
    pub fn is_pending(&self, place: u32) -> bool {
        self.entries[place as usize].outcome.status == Status::Pending
    }

    /// The places of the rows that are to be tried.
    pub fn pending(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.entries).filter(|(_, entry)| entry.outcome.status == Status::Pending).map(|(place, _)| place)
    }

    /// Whether some row is still to be tried.
    pub fn has_pending(&self) -> bool {
        self.counts.of(Status::Pending) > 0
    }

    /// Says what became of a row.
    pub fn set(&mut self, place: u32, outcome: Outcome) {
        let entry = &mut self.entries[place as usize];
        self.counts.change(entry.outcome.status, outcome.status);
        entry.outcome = outcome;
    }

    /// Says what became of all rows of a user.
    pub fn set_all(&mut self, work: Work, outcome: Outcome) {
        for nth in work.start..work.end {
            self.set(self.to_try[nth as usize], outcome);
        }
    }

    /// Says of all rows of a user that it would have become so.
    pub fn set_would(&mut self, work: Work) {
        for nth in work.start..work.end {
            let place = self.to_try[nth as usize];
            let outcome = self.entries[place as usize].outcome;
            self.set(place, Outcome { status: outcome.status.in_a_dry_run(), ..outcome });
        }
    }

    /// The users that rows name, each once, in the order of the file: rows to be tried, or all.
    pub fn wanted_users(&self, is_all: bool) -> Vec<(Symbol, &str)> {
        let mut is_wanted = vec![false; self.users.len()];
        for entry in self.entries.iter().filter(|entry| is_all || entry.outcome.status == Status::Pending) {
            is_wanted[entry.user.index()] = entry.user != Symbol::EMPTY;
        }
        self.users.iter().filter(|(name, _)| is_wanted[name.index()]).collect()
    }

    /// Whom names of the file meant when the journal was written.
    pub fn recorded_users<'u>(&self, recorded: impl Iterator<Item = (u32, &'u str)>) -> HashMap<Symbol, String> {
        let entry = |place: u32| self.entries.get(place as usize);
        let meant = recorded.filter_map(|(place, id)| Some((entry(place)?.user, id.to_owned())));
        meant.collect()
    }

    /// Sorts the rows to be tried by user: users in the order of their first row, rows in the order of the file.
    pub fn by_user(&mut self, users: &Users) -> Vec<Work> {
        let user_of = |entry: &Entry| users.user(entry.user).filter(|_| entry.outcome.status == Status::Pending);
        let mut places = vec![u32::MAX; users.len()];
        let mut of_user: Vec<Work> = Vec::new();
        for user in self.entries.iter().filter_map(user_of) {
            let place = &mut places[user.index()];
            if *place == u32::MAX {
                *place = u32::try_from(of_user.len()).unwrap_or(u32::MAX);
                of_user.push(Work { user, is_whole: true, start: 0, end: 0 });
            }
            of_user[*place as usize].end += 1;
        }
        let mut start = 0;
        for work in &mut of_user {
            let n_rows = work.end;
            (work.start, work.end) = (start, start);
            start += n_rows;
        }
        self.to_try = vec![0; start as usize];
        for (place, entry) in (0..).zip(&self.entries) {
            if let Some(user) = user_of(entry) {
                let work = &mut of_user[places[user.index()] as usize];
                self.to_try[work.end as usize] = place;
                work.end += 1;
            }
        }
        of_user
    }

    /// The places of a user's rows.
    pub fn places(&self, work: Work) -> &[u32] {
        &self.to_try[work.start as usize..work.end as usize]
    }

    /// Leaves in the work what is still to be tried, and says of each user whether that is all that the file says of it.
    pub fn settled(&mut self, work: Vec<Work>, users: &Users) -> Vec<Work> {
        let is_wrong = self.users_with_errors(users);
        let mut left = work;
        for work in &mut left {
            self.keep_pending(work);
            work.is_whole &= !is_wrong[work.user.index()];
        }
        left.retain(|work| work.start < work.end);
        left
    }

    fn keep_pending(&mut self, work: &mut Work) {
        let kept: Vec<u32> = self.places(*work).iter().copied().filter(|&place| self.is_pending(place)).collect();
        let start = work.start as usize;
        self.to_try[start..start + kept.len()].copy_from_slice(&kept);
        work.end = work.start + u32::try_from(kept.len()).unwrap_or(u32::MAX);
    }

    /// Of each user, whether one of its rows is invalid or failed. That may be a row whose user is misspelled, or a row that
    /// names nobody below one of the user's: so it is where cells of a spreadsheet were merged.
    pub fn users_with_errors(&self, users: &Users) -> Vec<bool> {
        let mut is_wrong = self.users_with(users, |status| matches!(status, Status::Invalid | Status::Failed));
        users.possible_matches().for_each(|user| is_wrong[user.index()] = true);
        let mut above = None;
        for entry in &self.entries {
            if entry.user != Symbol::EMPTY {
                above = users.user(entry.user);
            } else if let Some(user) = above {
                is_wrong[user.index()] = true;
            }
        }
        is_wrong
    }

    /// Of each user, whether one of its rows has such a status.
    pub fn users_with(&self, users: &Users, test: impl Fn(Status) -> bool) -> Vec<bool> {
        let mut has = vec![false; users.len()];
        for entry in self.entries.iter().filter(|entry| test(entry.outcome.status)) {
            if let Some(user) = users.user(entry.user) {
                has[user.index()] = true;
            }
        }
        has
    }

    /// Whether a row is one of these users'.
    pub fn is_one_of(&self, place: usize, users: &Users, these: &[bool]) -> bool {
        let user = self.entries.get(place).and_then(|entry| users.user(entry.user));
        user.is_some_and(|user| these[user.index()])
    }

    /// What became of the rows of one user, for the journal.
    pub fn told(&self, work: Work) -> Vec<(u32, StoredOutcome)> {
        let told = |&place: &u32| (place, self.texts.tell(self.entries[place as usize].outcome));
        self.places(work).iter().map(told).filter(|(_, told)| told.status() != Status::Pending).collect()
    }

    /// Takes over what earlier deliveries did.
    pub fn restore<'t>(&mut self, rows_done: impl Iterator<Item = (u32, &'t StoredOutcome)>) {
        let n_rows = self.entries.len();
        for (place, told) in rows_done.filter(|(place, _)| (*place as usize) < n_rows) {
            let outcome = self.texts.hear(told);
            self.set(place, outcome);
        }
    }

    /// Leaves in the work what is still to be tried.
    pub fn leave(&mut self, work: Vec<Work>) -> Vec<Work> {
        let mut left = work;
        for work in &mut left {
            let before = work.end;
            self.keep_pending(work);
            work.is_whole &= work.end == before;
        }
        left.retain(|work| work.start < work.end);
        left
    }

    /// Users in the file by what became of their rows. Interner that nobody has count, too.
    ///
    /// A user may be changed, or not right, besides: then the place of one of its rows is given.
    pub fn users(
        &self,
        users: Option<&Users>,
        changed: impl Iterator<Item = u32>,
        left: impl Iterator<Item = u32>,
    ) -> UserCounts {
        const CHANGED: u8 = 1;
        const WITH_ERRORS: u8 = 2;
        const UNCHANGED: u8 = 4;
        const PENDING: u8 = 8;
        // Two names of one user are one user.
        let n_known = users.map_or(0, Users::len);
        let index = |entry: &Entry| {
            let known = users.and_then(|users| users.user(entry.user));
            known.map_or(n_known + entry.user.index(), Symbol::index)
        };
        let mut flags = vec![0_u8; n_known + self.users.len()];
        for entry in self.entries.iter().filter(|entry| entry.user != Symbol::EMPTY) {
            flags[index(entry)] |= match entry.outcome.status {
                Status::Unchanged | Status::Duplicate => UNCHANGED,
                Status::Pending => PENDING,
                Status::Invalid | Status::Failed => WITH_ERRORS,
                _ => CHANGED,
            };
        }
        for place in changed {
            flags[index(&self.entries[place as usize])] |= CHANGED;
        }
        for place in left {
            flags[index(&self.entries[place as usize])] |= WITH_ERRORS;
        }
        let count = |test: fn(u8) -> bool| flags.iter().filter(|&&flag| test(flag)).count() as u64;
        UserCounts {
            total: count(|flag| flag != 0),
            changed: count(|flag| flag & CHANGED != 0),
            unchanged: count(|flag| flag == UNCHANGED),
            with_errors: count(|flag| flag & WITH_ERRORS != 0),
        }
    }
}
