//! What all kinds keep of each row: its line, its user and its outcome; which rows are still to be tried; and what the
//! import did to users.

use std::collections::HashMap;

use super::effects::{EffectsStore, KeptEffects, UserEffects};
use super::messages::Messages;
use crate::connect::UserId;
use crate::input::{Interner, Symbol};
use crate::outcome::{Code, Counts, Line, Outcome, RowId, Status, StoredOutcome, UserCounts};
use crate::resolve::{User, UserCell, Users};

/// A row of the file: 16 bytes, because a million of them may be held.
#[derive(Clone, Copy, Debug)]
struct LedgerRow {
    line: Line,
    user: Symbol<UserCell>,
    outcome: Outcome,
}

/// All rows of a file and their outcomes.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Vec<LedgerRow>,
    users: Interner<UserCell>,
    counts: Counts,
    /// The messages of outcomes that have one.
    pub messages: Messages,
    /// The rows to try, user by user; see [`UserBatch`].
    queue: Vec<RowId>,
    effects: EffectsStore,
}

/// The rows of one user that are still to be tried, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub struct UserBatch {
    /// The user, as [`Users`] has it.
    pub user: Symbol<User>,
    /// Whether these are all that the file says of the user: none of its rows is wrong, and none is done already.
    pub is_complete: bool,
    start: u32,
    end: u32,
}

impl Ledger {
    /// Adds one row: its line, the user that it names (empty if it names none), and its outcome, which is pending unless
    /// the row is wrong by itself.
    pub fn push(&mut self, line: Line, user: &str, outcome: Outcome) {
        self.counts.add(outcome.status);
        self.rows.push(LedgerRow { line, user: self.users.intern(user), outcome });
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows by status.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The line on which a row begins.
    pub fn line(&self, row: RowId) -> Line {
        self.rows[row.index()].line
    }

    /// The user that a row names, as the file has it.
    pub fn user(&self, row: RowId) -> (Symbol<UserCell>, &str) {
        let cell = self.rows[row.index()].user;
        (cell, self.users.resolve(cell))
    }

    /// The outcome of a row; nothing of a row beyond the last.
    pub fn outcome(&self, row: RowId) -> Option<Outcome> {
        self.rows.get(row.index()).map(|row| row.outcome)
    }

    /// The lines of all rows and their outcomes.
    pub fn outcomes(&self) -> impl Iterator<Item = (Line, Outcome)> {
        self.rows.iter().map(|row| (row.line, row.outcome))
    }

    fn is_pending(&self, row: RowId) -> bool {
        self.rows[row.index()].outcome.status == Status::Pending
    }

    /// The rows that are still to be tried.
    pub fn pending(&self) -> impl Iterator<Item = RowId> {
        (0..).map(RowId).zip(&self.rows).filter(|(_, row)| row.outcome.status == Status::Pending).map(|(id, _)| id)
    }

    /// Whether some row is still to be tried.
    pub fn has_pending(&self) -> bool {
        self.counts.of(Status::Pending) > 0
    }

    /// Sets the outcome of a row.
    pub fn set(&mut self, row: RowId, outcome: Outcome) {
        let row = &mut self.rows[row.index()];
        self.counts.change(row.outcome.status, outcome.status);
        row.outcome = outcome;
    }

    /// Sets the outcome of all rows of a batch.
    pub fn set_all(&mut self, batch: UserBatch, outcome: Outcome) {
        for nth in batch.range() {
            self.set(self.queue[nth], outcome);
        }
    }

    /// Turns the outcomes of a batch into those of a dry run.
    pub fn set_would(&mut self, batch: UserBatch) {
        for nth in batch.range() {
            let row = self.queue[nth];
            self.set(row, self.rows[row.index()].outcome.in_a_dry_run());
        }
    }

    /// The users that pending rows name, or all rows, each once and in the order of the file.
    pub fn wanted_users(&self, is_all: bool) -> Vec<(Symbol<UserCell>, &str)> {
        let mut is_wanted = vec![false; self.users.len()];
        for row in self.rows.iter().filter(|row| is_all || row.outcome.status == Status::Pending) {
            is_wanted[row.user.index()] = row.user != Symbol::EMPTY;
        }
        self.users.iter().filter(|(cell, _)| is_wanted[cell.index()]).collect()
    }

    /// The users that cells of the file meant when the journal was written.
    pub fn recorded_users(&self, recorded: impl Iterator<Item = (RowId, UserId)>) -> HashMap<Symbol<UserCell>, UserId> {
        recorded.filter_map(|(row, id)| Some((self.rows.get(row.index())?.user, id))).collect()
    }

    /// Sorts the pending rows by user: users in the order of their first row, rows in the order of the file.
    pub fn by_user(&mut self, users: &Users) -> Vec<UserBatch> {
        let user_of = |row: &LedgerRow| users.user(row.user).filter(|_| row.outcome.status == Status::Pending);
        let mut batch_of_user = vec![usize::MAX; users.len()];
        let mut batches: Vec<UserBatch> = Vec::new();
        for user in self.rows.iter().filter_map(user_of) {
            let index = &mut batch_of_user[user.index()];
            if *index == usize::MAX {
                *index = batches.len();
                batches.push(UserBatch { user, is_complete: true, start: 0, end: 0 });
            }
            batches[*index].end += 1;
        }
        let mut start = 0;
        for batch in &mut batches {
            let n_rows = batch.end;
            (batch.start, batch.end) = (start, start);
            start += n_rows;
        }
        self.queue = vec![RowId(0); start as usize];
        for (id, row) in (0..).map(RowId).zip(&self.rows) {
            if let Some(user) = user_of(row) {
                let batch = &mut batches[batch_of_user[user.index()]];
                self.queue[batch.end as usize] = id;
                batch.end += 1;
            }
        }
        batches
    }

    /// The rows of a batch.
    pub fn rows(&self, batch: UserBatch) -> &[RowId] {
        &self.queue[batch.range()]
    }

    /// Keeps what is still pending after rows were compared. A batch of a user with errors is not complete.
    pub fn retain_resolved(&mut self, batches: Vec<UserBatch>, users: &Users) -> Vec<UserBatch> {
        let has_errors = self.users_with_errors(users);
        self.retain(batches, |batch, _| batch.is_complete && !has_errors[batch.user.index()])
    }

    /// Keeps what is still pending after the outcomes of earlier deliveries were restored. A batch that loses rows is not
    /// complete any more.
    pub fn retain_pending(&mut self, batches: Vec<UserBatch>) -> Vec<UserBatch> {
        self.retain(batches, |batch, n_before| batch.is_complete && batch.range().len() == n_before)
    }

    fn retain(
        &mut self,
        mut batches: Vec<UserBatch>,
        is_complete: impl Fn(&UserBatch, usize) -> bool,
    ) -> Vec<UserBatch> {
        for batch in &mut batches {
            let before = batch.range();
            let kept: Vec<RowId> = self.rows(*batch).iter().copied().filter(|&row| self.is_pending(row)).collect();
            self.queue[before.start..before.start + kept.len()].copy_from_slice(&kept);
            batch.end = batch.start + u32::try_from(kept.len()).unwrap_or(u32::MAX);
            batch.is_complete = is_complete(batch, before.len());
        }
        batches.retain(|batch| batch.start < batch.end);
        batches
    }

    /// Of each user, whether one of its rows is invalid or failed.
    pub fn users_with_errors(&self, users: &Users) -> Vec<bool> {
        self.users_with(users, |status| matches!(status, Status::Invalid | Status::Failed))
    }

    /// Whether some row names nobody whom the instance has.
    pub fn has_unknown_users(&self, users: &Users) -> bool {
        self.rows.iter().any(|row| users.user(row.user).is_none())
    }

    /// Of each user, whether one of its rows has such a status.
    pub fn users_with(&self, users: &Users, test: impl Fn(Status) -> bool) -> Vec<bool> {
        let mut has = vec![false; users.len()];
        for row in self.rows.iter().filter(|row| test(row.outcome.status)) {
            if let Some(user) = users.user(row.user) {
                has[user.index()] = true;
            }
        }
        has
    }

    /// The user that a row names, if it is known; nobody for a row beyond the last.
    pub fn known_user(&self, row: RowId, users: &Users) -> Option<Symbol<User>> {
        self.rows.get(row.index()).and_then(|row| users.user(row.user))
    }

    /// Makes the pending rows of users invalid whom the instance does not have.
    pub fn refuse_unknown_users(&mut self, users: &Users) {
        let unknown: Vec<RowId> = self.pending().filter(|row| self.known_user(*row, users).is_none()).collect();
        for row in unknown {
            self.set(row, Outcome::invalid(Code::UnknownUser));
        }
    }

    /// Whether a row belongs to one of these users.
    pub fn is_one_of(&self, row: RowId, users: &Users, these: &[bool]) -> bool {
        self.known_user(row, users).is_some_and(|user| these[user.index()])
    }

    /// The outcomes of a batch for the journal, without those that are pending.
    pub fn stored(&self, batch: UserBatch) -> Vec<(RowId, StoredOutcome)> {
        let message = |id| self.messages.get(id);
        let tried = self.rows(batch).iter().filter(|&&row| !self.is_pending(row));
        tried.map(|&row| (row, StoredOutcome::new(self.rows[row.index()].outcome, message))).collect()
    }

    /// Takes over the outcome that a row had in an earlier delivery. A row beyond the last is ignored.
    pub fn restore_outcome(&mut self, row: RowId, stored: &StoredOutcome) {
        if row.index() < self.rows.len() {
            let outcome = stored.restore(|code, sentence| self.messages.intern(code, sentence));
            self.set(row, outcome);
        }
    }

    /// The effects on users, with the first row of their batch, in the order of the file. A user whose rows were done in
    /// two deliveries may be there twice.
    pub fn effects(&self) -> impl Iterator<Item = (RowId, KeptEffects<'_>)> {
        self.effects.iter()
    }

    /// The effects that were set for this row.
    pub fn user_effects(&self, row: RowId) -> Option<KeptEffects<'_>> {
        self.effects.get(row)
    }

    /// Keeps the effects of the batch that begins with this row. The row may be one of a file that is gone.
    pub fn set_effects(&mut self, row: RowId, effects: &UserEffects) {
        self.effects.insert(row, effects);
    }

    /// Users in the file by the outcomes of their rows. Names that nobody has count, too.
    ///
    /// Of users that changed, or are incomplete, although their rows do not say so, one row each is given.
    pub fn users(&self, users: Option<&Users>, changed: &[RowId], incomplete: &[RowId]) -> UserCounts {
        const CHANGED: u8 = 1;
        const WITH_ERRORS: u8 = 2;
        const UNCHANGED: u8 = 4;
        const PENDING: u8 = 8;
        // Two names of one user are one user.
        let n_known = users.map_or(0, Users::len);
        let index = |row: &LedgerRow| {
            let known = users.and_then(|users| users.user(row.user));
            known.map_or(n_known + row.user.index(), Symbol::index)
        };
        let mut flags = vec![0_u8; n_known + self.users.len()];
        for row in self.rows.iter().filter(|row| row.user != Symbol::EMPTY) {
            flags[index(row)] |= match row.outcome.status {
                Status::Unchanged | Status::Duplicate => UNCHANGED,
                Status::Pending => PENDING,
                Status::Invalid | Status::Failed | Status::Kept => WITH_ERRORS,
                Status::Added
                | Status::Updated
                | Status::Removed
                | Status::WouldAdd
                | Status::WouldUpdate
                | Status::WouldRemove => CHANGED,
            };
        }
        for (rows, flag) in [(changed, CHANGED), (incomplete, WITH_ERRORS)] {
            for row in rows.iter().filter_map(|row| self.rows.get(row.index())) {
                flags[index(row)] |= flag;
            }
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

impl UserBatch {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that name these users, each on a line of its own.
    fn ledger(users: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for (line, user) in (2..).zip(users) {
            ledger.push(Line(line), user, Outcome::PENDING);
        }
        ledger
    }

    /// `a1` and `a2` are two names of the user a.
    fn users(ledger: &Ledger) -> Users {
        let ids = (0..).map(RowId).take(ledger.len()).filter_map(|row| {
            let letter = ledger.user(row).1.get(..1)?;
            Some((row, UserId::new(letter)))
        });
        Users::recorded("instance", &ledger.recorded_users(ids), 0)
    }

    fn shown(ledger: &Ledger, users: &Users, batches: &[UserBatch]) -> Vec<(UserId, Vec<u32>, bool)> {
        let shown = |batch: &UserBatch| {
            let rows = ledger.rows(*batch).iter().map(|row| row.0);
            (users.id(batch.user), rows.collect(), batch.is_complete)
        };
        batches.iter().map(shown).collect()
    }

    #[test]
    fn a_row_is_small() {
        assert_eq!(size_of::<LedgerRow>(), 16);
    }

    #[test]
    fn batches_have_the_rows_of_each_user_whatever_it_is_called() {
        let mut ledger = ledger(&["a1", "b", "a2", "", "b", "a1"]);
        let (users, id) = (users(&ledger), UserId::new);
        let batches = ledger.by_user(&users);
        assert_eq!(shown(&ledger, &users, &batches), [(id("a"), vec![0, 2, 5], true), (id("b"), vec![1, 4], true)]);

        ledger.set(RowId(4), Outcome::duplicate(Line(3)));
        ledger.set(RowId(3), Outcome::invalid(Code::MissingField));
        let batches = ledger.retain_resolved(batches, &users);
        assert_eq!(shown(&ledger, &users, &batches), [(id("a"), vec![0, 2, 5], true), (id("b"), vec![1], true)]);

        ledger.restore_outcome(RowId(1), &StoredOutcome::new(Outcome::plain(Status::Added), |_| unreachable!()));
        ledger.restore_outcome(RowId(99), &StoredOutcome::new(Outcome::plain(Status::Added), |_| unreachable!()));
        ledger.set(RowId(2), Outcome::plain(Status::Updated));
        let batches = ledger.retain_pending(batches);
        assert_eq!(shown(&ledger, &users, &batches), [(id("a"), vec![0, 5], false)]);

        ledger.set_would(batches[0]);
        assert_eq!(ledger.outcome(RowId(0)), Some(Outcome::PENDING));
        ledger.set_all(batches[0], Outcome::plain(Status::Removed));
        ledger.set_would(batches[0]);
        assert_eq!(ledger.outcome(RowId(5)), Some(Outcome::plain(Status::WouldRemove)));
        assert_eq!(
            (ledger.counts().total(), ledger.counts().of(Status::WouldRemove), ledger.has_pending()),
            (6, 2, false)
        );
    }

    #[test]
    fn an_outcome_goes_through_the_journal_with_its_message() {
        let mut ledger = ledger(&["a", "a"]);
        let users = users(&ledger);
        let batch = ledger.by_user(&users)[0];
        let message = ledger.messages.intern("NoSuchThing", "Not this.");
        ledger.set(RowId(1), Outcome::with_message(Status::Failed, message));
        let stored = ledger.stored(batch);
        assert_eq!(stored.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [RowId(1)], "what is pending is not stored");
        let json = serde_json::to_string(&stored).unwrap();
        assert_eq!(json, r#"[[1,{"status":"failed","code":"text","message":["NoSuchThing","Not this."]}]]"#);

        let mut resumed = self::ledger(&["a", "a"]);
        resumed.messages.intern("Another", "message.");
        for (row, stored) in serde_json::from_str::<Vec<(RowId, StoredOutcome)>>(&json).unwrap() {
            resumed.restore_outcome(row, &stored);
        }
        let crate::outcome::Note::Message(id) = resumed.outcome(RowId(1)).unwrap().note() else { panic!("no message") };
        assert_eq!(resumed.messages.get(id), ("NoSuchThing".to_owned(), "Not this.".to_owned()));
    }

    #[test]
    fn a_user_counts_once_and_may_have_changed_and_have_errors() {
        let mut ledger = ledger(&["a1", "a2", "b", "c", "", "d"]);
        let users = users(&ledger);
        for (row, status) in
            [Status::Unchanged, Status::Failed, Status::Unchanged, Status::Added].into_iter().enumerate()
        {
            ledger.set(RowId(u32::try_from(row).unwrap()), Outcome::plain(status));
        }
        let counts = ledger.users(Some(&users), &[RowId(0)], &[RowId(3)]);
        assert_eq!(counts, UserCounts { total: 4, changed: 2, unchanged: 1, with_errors: 2 });
        assert_eq!(ledger.users(None, &[], &[]).total, 5, "who is not known is counted by name");
    }
}
