//! What a kind of file is to the rest of the engine: its [`Rows`], the [`Target`] that they make of one user, and how the
//! report [`Describe`]s them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::connect::{Connect, ConnectError, Operation, UserId};
use crate::input::{Header, Record};
use crate::outcome::{Preview, RowId, RowReport, Status, UserCounts};
use crate::resolve::Users;

use super::ledger::{Ledger, UserBatch};

/// All rows of one file of a kind. Pure, but for the one fetch.
///
/// In the order in which an import calls it: rows are [pushed](Rows::push), what the instance must be asked besides users is
/// [fetched](Rows::fetch_reference), the rows are [resolved](Rows::resolve) into one batch a user; each user is brought to
/// what its [items](Rows::items) say (`reconcile`), and the outcomes are [recorded](Rows::record).
#[expect(async_fn_in_trait, reason = "an import is one future on one thread")]
pub trait Rows: Default {
    /// As the summary names the kind.
    const NAME: &'static str;
    /// What the instance was asked besides users.
    type Reference;
    /// What the rows of one user make of it.
    type Target: Target;

    /// What all kinds keep of each row.
    fn ledger(&self) -> &Ledger;
    /// The same, to be written to.
    fn ledger_mut(&mut self) -> &mut Ledger;

    /// Takes one row of the file. A row that is wrong by itself is kept as invalid.
    fn push(&mut self, header: &Header, record: &Record<'_>);

    /// Whether such a file may be the whole truth for its users; else why not.
    fn check_replaceable(header: &Header) -> Result<(), &'static str>;

    /// Asks the instance what the rows need to know besides users. Complete, or an error.
    async fn fetch_reference(&self, connect: &Connect) -> Result<Self::Reference, ConnectError>;

    /// Compares the rows with the instance and with each other: what the instance does not know is invalid, of rows that say
    /// the same the first is tried, and rows that contradict each other are all invalid. What is left are the batches, in the
    /// order of the file.
    ///
    /// Rows that an earlier delivery has begun with are tried again whatever is known of them now: what was done for them
    /// must be seen and told.
    fn resolve(&mut self, users: &Users, reference: &Self::Reference, begun: &BTreeSet<RowId>) -> Vec<UserBatch>;

    /// What the rows of one user want, in the order of the file.
    fn items(&self, batch: UserBatch) -> Vec<<Self::Target as Target>::Item>;

    /// Keeps what became of the rows of one user, in the order of [`Rows::items`].
    fn record(&mut self, batch: UserBatch, outcomes: Vec<<Self::Target as Target>::ItemOutcome>);
}

/// One user on the way to what its rows say: what it had, what it has, and the calls in between. Pure, but for the two
/// calls that it names; the loop around it is `reconcile`.
#[expect(async_fn_in_trait, reason = "an import is one future on one thread")]
pub trait Target: Sized {
    /// What reads a user.
    const READ: Operation;
    /// What one row wants.
    type Item;
    /// What a user has.
    type Current: Clone + Serialize + DeserializeOwned;
    /// One call that writes.
    type Call;
    /// What became of one item.
    type ItemOutcome;
    /// What came of the user: all that undo.csv, removed.csv and the messages need, without the file.
    type Effects: Default + PartialEq + Serialize + DeserializeOwned;

    /// Reads what a user has. Complete, or an error.
    async fn read(connect: &Connect, user: &UserId) -> Result<Self::Current, ConnectError>;

    /// Makes one call.
    async fn send(connect: &Connect, user: &UserId, call: &Self::Call) -> Result<(), ConnectError>;

    /// A user with what it had before this import's first write for it, and what it has now.
    fn new(items: &[Self::Item], before: Self::Current, now: Self::Current, options: &ReconcileOptions) -> Self;

    /// What replacing the user's set would do, for the guard.
    fn preview(&self) -> Preview;

    /// The next call; nothing if nothing is wanted any more that is not given up.
    fn next_call(&mut self) -> Option<Self::Call>;

    /// A call succeeded. A later read may not show it yet.
    fn succeeded(&mut self, call: Self::Call);

    /// The user was read again after a call that failed.
    fn refresh(&mut self, now: Self::Current);

    /// After the refresh: what is still wanted of the failed call is tried in another way if there is one, else given up.
    fn failed(&mut self, call: &Self::Call, error: &ConnectError);

    /// What the call wanted is given up.
    fn give_up(&mut self, call: &Self::Call, error: &ConnectError);

    /// The user could not be read again: what the call did is not known. The call is given up; so is all else if the read
    /// was refused.
    fn lost_sight(&mut self, call: &Self::Call, error: &ConnectError, unread: &ConnectError);

    /// Whether something was not tried and is to be tried by another delivery.
    fn is_untried(&self) -> bool;

    /// What became of each item.
    fn outcomes(&self) -> Vec<Self::ItemOutcome>;

    /// What became of each item of a user who could not be read: nothing was tried, or it failed.
    fn unread(items: &[Self::Item], failed: Option<&ConnectError>) -> Vec<Self::ItemOutcome>;

    /// What came of the user so far.
    fn effects(&self) -> Self::Effects;

    /// What may come of the user by all that is planned: what was there before of everything that a write may touch.
    fn possible_effects(&self) -> Self::Effects;
}

/// How the report tells of the rows of a kind. Pure.
pub trait Describe: Rows {
    /// The header of its `undo.csv`.
    const UNDO: &'static [&'static str];
    /// The header of its `removed.csv`.
    const REMOVED: &'static [&'static str];

    /// What the report says of a row, which is `record`.
    fn describe(
        &self,
        row: RowId,
        header: &Header,
        record: &Record<'_>,
        context: ReportContext<'_, Self::Reference>,
    ) -> RowReport;

    /// What takes back what came of a user: rows below [`Describe::UNDO`].
    fn undo(user: &UserId, effects: &EffectsOf<Self>) -> Vec<Vec<String>>;

    /// What was removed of a user, or would be, without a row that says so: rows below [`Describe::REMOVED`]. `user` is as
    /// the file names it.
    fn removed(user: &str, effects: &EffectsOf<Self>) -> Vec<Vec<String>>;

    /// Whether the import changed the user beyond what the statuses of its rows say.
    fn changed_beyond_rows(effects: &EffectsOf<Self>) -> bool;

    /// Whether the user has not just what the file says, although its rows are right.
    fn is_incomplete(effects: &EffectsOf<Self>) -> bool;

    /// The effects of every user that has some, with the first of the user's rows.
    fn all_effects(&self) -> impl Iterator<Item = (RowId, &UserId, EffectsOf<Self>)> {
        let of_user = |(row, effects): (RowId, _)| parsed::<Self>(row, effects);
        self.ledger().effects().map(of_user)
    }

    /// A row each of users who have not just what the file says, although their rows are right.
    fn incomplete_users(&self) -> Vec<RowId> {
        self.all_effects().filter(|(.., effects)| Self::is_incomplete(effects)).map(|(row, ..)| row).collect()
    }

    /// Users in the file by what became of them.
    fn users(&self, users: Option<&Users>) -> UserCounts {
        let (mut changed, mut incomplete) = (Vec::new(), Vec::new());
        for (row, _, effects) in self.all_effects() {
            if Self::changed_beyond_rows(&effects) {
                changed.push(row);
            }
            if Self::is_incomplete(&effects) {
                incomplete.push(row);
            }
        }
        self.ledger().users(users, &changed, &incomplete)
    }

    /// What goes for all rows of each user.
    fn user_notes(&self, users: &Users) -> Vec<UserNotes> {
        let with_errors = self.ledger().users_with_errors(users).into_iter();
        let mut notes: Vec<_> = with_errors.map(|has_errors| UserNotes { has_errors, effects: None }).collect();
        for (row, _) in self.ledger().effects() {
            if let Some(user) = users.user(self.ledger().user(row).0) {
                notes[user.index()].effects = Some(row);
            }
        }
        notes
    }

    /// Of each user, whether one of its rows is to be mended and dropped again, and so all of them where the file is the
    /// whole truth for its users.
    fn users_to_retry(&self, users: &Users) -> Vec<bool> {
        let ledger = self.ledger();
        let mut to_retry = ledger.users_with(users, Status::needs_retry);
        let incomplete = self.incomplete_users().into_iter().filter_map(|row| users.user(ledger.user(row).0));
        for user in incomplete.chain(users.possible_matches()) {
            to_retry[user.index()] = true;
        }
        to_retry
    }
}

/// The effects of a kind's users.
pub type EffectsOf<R> = <<R as Rows>::Target as Target>::Effects;

/// What came of one user, as its kind's [`Target::Effects`] in JSON: users are many, and most are never asked for again.
#[derive(Clone, Debug)]
pub struct UserEffects {
    /// Whose they are.
    pub user: UserId,
    /// The effects.
    pub json: Box<RawValue>,
}

fn parsed<R: Rows>(row: RowId, effects: &UserEffects) -> (RowId, &UserId, EffectsOf<R>) {
    // Our own text; one that the journal spoilt was refused when it was read.
    (row, &effects.user, serde_json::from_str(effects.json.get()).unwrap_or_default())
}

/// What holds for bringing one user to what the file says.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileOptions {
    /// The largest set that a user may have, unless it holds more.
    pub limit: usize,
    /// Whether what the file does not name is removed.
    pub replaces: bool,
    /// What is written.
    pub writes: Writes,
}

/// How far bringing a user goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Everything is written.
    Apply,
    /// Nothing is written, and what would be is told.
    Plan,
    /// Nothing is written, and what was done before is told.
    Observe,
}

/// What is known of the instance when the report is written; less where the import stopped early.
#[derive(Debug)]
pub struct ReportContext<'c, R> {
    /// Its users, if they were asked for.
    pub users: Option<&'c Users>,
    /// What else it was asked.
    pub reference: Option<&'c R>,
    /// `MAX_PROFICIENCIES_PER_USER`.
    pub max_proficiencies: usize,
    /// Where the file is the whole truth for its users: of each user what goes for all of its rows.
    pub user_notes: Option<&'c [UserNotes]>,
}

impl<R> Clone for ReportContext<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for ReportContext<'_, R> {}

/// What goes for all rows of a user.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserNotes {
    /// Whether one of them is not right, so that the user keeps what the file does not name.
    pub has_errors: bool,
    /// The row by which its effects are kept, if it has some.
    pub effects: Option<RowId>,
}
