//! What the rest of the engine knows of a kind of file: its [`Rows`], the [`Target`] that they set for one user, and how
//! the report [`Describe`]s them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::effects::{KeptEffects, UserEffects};
use super::ledger::{Ledger, UserBatch};
use super::unassigned::{Protected, Unassigned};
use crate::connect::{Connect, ConnectError, Operation, UserId};
use crate::input::{Header, Record, Symbol};
use crate::options::UnassignedRows;
use crate::outcome::{Outcome, Preview, RowId, RowReport, Status, UserCounts};
use crate::resolve::{User, Users};

/// All rows of one file of a kind. Pure, but for one fetch.
///
/// An import [pushes](Rows::push) the rows, [fetches](Rows::fetch_reference) what they need to know of the instance,
/// [resolves](Rows::resolve) them into one batch a user, brings each user to what its [items](Rows::items) say
/// (`reconcile`), and [records](Rows::record) the outcomes.
#[expect(async_fn_in_trait, reason = "an import is one future on one thread")]
pub trait Rows: Default {
    /// As the summary names the kind.
    const NAME: &'static str;
    /// What the rows need to know of the instance, other than its users.
    type Reference;
    /// What the rows of one user ask for.
    type Target: Target;

    /// What all kinds keep of each row.
    fn ledger(&self) -> &Ledger;
    /// The same, to be written to.
    fn ledger_mut(&mut self) -> &mut Ledger;

    /// Adds one row of the file. A row that is wrong by itself is kept as invalid.
    fn push(&mut self, header: &Header, record: &Record<'_>);

    /// Whether the removals that rows ask for count for the guard against mass removals, as those do that a file implies.
    fn counts_removals(&self) -> bool {
        false
    }

    /// Whether such a file may be the whole truth for its users, or why not.
    fn check_replaceable(header: &Header) -> Result<(), &'static str>;

    /// Asks the instance what the rows need to know. Complete, or an error.
    async fn fetch_reference(&self, connect: &Connect) -> Result<Self::Reference, ConnectError>;

    /// Compares the rows with the instance and with each other: what the instance does not know is invalid, of rows that
    /// say the same the first is tried, and rows that contradict each other are all invalid. Returns the rest, in the
    /// order of the file.
    ///
    /// Rows that an earlier delivery has begun with are tried again even if the instance does not know them any more: the
    /// report must tell what was done for them.
    fn resolve(&mut self, users: &Users, reference: &Self::Reference, begun: &BTreeSet<RowId>) -> Vec<UserBatch>;

    /// The rows that cannot be assigned to a user, and what they protect, where the file is the whole truth for its users.
    fn unassigned(&self, _users: &Users, _reference: &Self::Reference, _rows: UnassignedRows) -> Unassigned {
        Unassigned::default()
    }

    /// Whether there is such a row, whatever it protects.
    fn has_unassigned(&self, users: &Users) -> bool {
        self.ledger().has_unknown_users(users)
    }

    /// What the rows of one user want, in the order of the file.
    fn items(&self, batch: UserBatch) -> Vec<<Self::Target as Target>::Item>;

    /// Whether rows of such a file may ask for something first.
    fn has_conditions(header: &Header) -> bool;

    /// What the rows of one user want, as a text that is the same whenever they want the same. Nothing for a user that must be
    /// looked at all the same, because a row removes something or asks for something first.
    fn wants(&self, batch: UserBatch) -> Option<String>;

    /// Keeps the outcomes of the rows of one user, in the order of [`Rows::items`].
    fn record(&mut self, batch: UserBatch, outcomes: Vec<<Self::Target as Target>::ItemOutcome>);

    /// Keeps that the user of the batch has already what its rows say.
    fn record_right(&mut self, batch: UserBatch) {
        self.ledger_mut().set_all(batch, Outcome::plain(Status::Unchanged));
    }

    /// Keeps that the user of the batch was not read, because it has what its rows say since it was seen, so many seconds after
    /// 1970.
    fn record_as_recorded(&mut self, batch: UserBatch, seen_at: u32) {
        self.ledger_mut().set_all(batch, Outcome::as_recorded(seen_at));
    }

    /// Takes over the effects that an earlier delivery had on the user of the batch that began with this row.
    fn restore_effects(&mut self, row: RowId, effects: &UserEffects) -> serde_json::Result<()> {
        // What cannot be read must not pass for no effects when undo.csv is written.
        serde_json::from_str::<EffectsOf<Self>>(effects.json.get())?;
        self.ledger_mut().set_effects(row, effects);
        Ok(())
    }
}

/// What rows want as one text, for [`Rows::wants`]: no cell holds a control character.
pub(super) fn in_lines(wants: impl Iterator<Item = [String; 3]>) -> String {
    wants.flat_map(|cells| [cells.join("\t"), "\n".to_owned()]).collect()
}

/// One user on the way to what its rows say: what it had, what it has, and which call is next. Pure, but for reading and
/// sending; the loop around it is `reconcile`.
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
    /// The outcome of one item.
    type ItemOutcome;
    /// What the import did to a user: all that undo.csv, removed.csv and the messages need, without the file.
    type Effects: Default + PartialEq + Serialize + DeserializeOwned;

    /// Reads what a user has. Complete, or an error.
    async fn read(connect: &Connect, user: &UserId) -> Result<Self::Current, ConnectError>;

    /// Makes one call.
    async fn send(connect: &Connect, user: &UserId, call: &Self::Call) -> Result<(), ConnectError>;

    /// A user that had `before` when this import first wrote, and has `now`.
    fn new(items: &[Self::Item], before: Self::Current, now: Self::Current, options: &ReconcileOptions<'_>) -> Self;

    /// What bringing the user to its rows would do, for the guard against mass removals.
    fn preview(&self) -> Preview;

    /// The next call; none once everything is in place or given up.
    fn next_call(&mut self) -> Option<Self::Call>;

    /// The call succeeded. A later read may not show it yet.
    fn succeeded(&mut self, call: Self::Call);

    /// The user was read again after a call that failed.
    fn refresh(&mut self, now: Self::Current);

    /// Chooses, after the refresh, another way for what the failed call wanted, or gives it up if there is none.
    fn failed(&mut self, call: &Self::Call, error: &ConnectError);

    /// Gives up what the call wanted.
    fn give_up(&mut self, call: &Self::Call, error: &ConnectError);

    /// The user could not be read after a call that failed: the effect of the call is not known. Gives up the call, and
    /// also everything else unless the read was not even sent.
    fn lost_sight(&mut self, call: &Self::Call, error: &ConnectError, unread: &ConnectError);

    /// Whether something was not tried, so that another delivery must come back to the user.
    fn is_untried(&self) -> bool;

    /// The outcome of each item.
    fn outcomes(&self) -> Vec<Self::ItemOutcome>;

    /// How many things the user has now.
    fn n_held(&self) -> usize;

    /// The outcome of each item of a user that could not be read: not tried, or failed.
    fn unread(items: &[Self::Item], failed: Option<&ConnectError>) -> Vec<Self::ItemOutcome>;

    /// What was done to the user so far.
    fn effects(&self) -> Self::Effects;

    /// The user is not written to any more, and an earlier delivery may have begun to: a write of that may still be on its way,
    /// or somebody may have changed what it wrote. So whatever it may have touched counts as what cannot be seen.
    fn distrust(&mut self);

    /// What the writes may do at most: all that they may touch, as it was before. It counts if the user cannot be read
    /// later.
    fn possible_effects(&self) -> Self::Effects;
}

/// What the report says of the rows of a kind. Pure.
pub trait Describe: Rows {
    /// The header of its `undo.csv`, and of what else is in that form.
    const UNDO: &'static [&'static str];
    /// The header of its `removed.csv`; empty for a kind that removes nothing by implication.
    const REMOVED: &'static [&'static str];

    /// What the report says of a row, which is `record`.
    fn describe(
        &self,
        row: RowId,
        header: &Header,
        record: &Record<'_>,
        context: ReportContext<'_, Self::Reference>,
    ) -> RowReport;

    /// The indices of the columns that a table of the report has. `is_truth` says whether, dropped again, it is to be the
    /// whole truth for its users.
    fn columns(&self, header: &Header, _is_truth: bool) -> Vec<usize> {
        header.carried.clone()
    }

    /// Whether a row may be dropped again. Where the file is to be the whole truth for its users, a row that says what is
    /// not to be there says nothing.
    fn may_be_retried(&self, _row: RowId, _header: &Header, _record: &Record<'_>, _is_truth: bool) -> bool {
        true
    }

    /// The rows of `undo.csv` that take back these effects.
    fn undo(user: &UserId, effects: &EffectsOf<Self>) -> Vec<Vec<String>>;

    /// The rows of `plan.csv` that do what a dry run would have done, with these effects.
    fn plan(user: &UserId, effects: &EffectsOf<Self>) -> Vec<Vec<String>>;

    /// The rows of `withheld.csv`: the removals that rows protect which cannot be assigned to a user.
    fn withheld(_user: &UserId, _effects: &EffectsOf<Self>) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// Whether a removal was withheld that these protect.
    fn withholds(_effects: &EffectsOf<Self>, _protected: &Protected) -> bool {
        false
    }

    /// What was withheld, in the form of `removed.csv`. `user` is as the file names it.
    fn withheld_by_name(_user: &str, _effects: &EffectsOf<Self>) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// The rows of `removed.csv`: what was removed, or would be, without a row that says so. `user` is as the file names
    /// it.
    fn removed(user: &str, effects: &EffectsOf<Self>) -> Vec<Vec<String>>;

    /// Whether the import changed more of the user than the statuses of its rows say.
    fn changed_beyond_rows(effects: &EffectsOf<Self>) -> bool;

    /// Whether the user has more than the file says, although its rows are right.
    fn is_incomplete(effects: &EffectsOf<Self>) -> bool;

    /// The effects on each user that has some, with the first row of their batch.
    fn all_effects(&self) -> impl Iterator<Item = (RowId, UserId, EffectsOf<Self>)> {
        self.ledger().effects().map(|(row, effects)| (row, UserId::new(effects.user), parse::<Self>(effects)))
    }

    /// The effects on the user of this row: several if its rows were done in several deliveries.
    fn effects_of(&self, row: RowId, context: ReportContext<'_, Self::Reference>) -> Vec<EffectsOf<Self>> {
        let ledger = self.ledger();
        let Some((users, notes)) = context.users.zip(context.user_notes) else { return Vec::new() };
        let Some(user) = ledger.known_user(row, users) else { return Vec::new() };
        notes.effects(user).filter_map(|row| ledger.user_effects(row)).map(parse::<Self>).collect()
    }

    /// One row of each user who has more than the file says, although its rows are right.
    fn incomplete_users(&self) -> Vec<RowId> {
        self.all_effects().filter(|(.., effects)| Self::is_incomplete(effects)).map(|(row, ..)| row).collect()
    }

    /// Users in the file by their outcome.
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

    /// What [`Describe::describe`] needs of each user.
    fn user_notes(&self, users: &Users) -> UserNotes {
        let ledger = self.ledger();
        let user_of = |(row, _)| Some((ledger.known_user(row, users)?, row));
        let mut effects: Vec<(Symbol<User>, RowId)> = ledger.effects().filter_map(user_of).collect();
        effects.sort_unstable();
        UserNotes { has_errors: ledger.users_with_errors(users), effects }
    }

    /// Of each user, whether one of its rows must be corrected. Where the file is the whole truth for its users, all rows
    /// of such a user must be dropped again.
    fn users_to_retry(&self, users: &Users) -> Vec<bool> {
        let ledger = self.ledger();
        let mut to_retry = ledger.users_with(users, Status::needs_retry);
        let incomplete = self.incomplete_users().into_iter().filter_map(|row| ledger.known_user(row, users));
        for user in incomplete {
            to_retry[user.index()] = true;
        }
        to_retry
    }
}

/// The effects of a kind on one user.
pub type EffectsOf<R> = <<R as Rows>::Target as Target>::Effects;

fn parse<R: Rows>(effects: KeptEffects<'_>) -> EffectsOf<R> {
    // Our own text; what a journal had was checked when it was restored.
    serde_json::from_str(effects.json).unwrap_or_default()
}

/// How one user is brought to what the file says.
#[derive(Clone, Copy, Debug)]
pub struct ReconcileOptions<'p> {
    /// The largest set that a user may have, unless it holds more.
    pub limit: usize,
    /// Whether what the file does not name is removed.
    pub replaces: bool,
    /// What stays all the same.
    pub protected: &'p Protected,
    /// What is written.
    pub writes: Writes,
}

/// How far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Everything is written.
    Apply,
    /// Nothing is written; the outcomes are those that writing would have.
    Plan,
    /// Nothing is written; the outcomes are those of earlier deliveries.
    Observe,
}

/// What is known when the report is written; less if the import stopped early.
#[derive(Debug)]
pub struct ReportContext<'c, R> {
    /// The instance's users, if they were asked for.
    pub users: Option<&'c Users>,
    /// What else the instance was asked.
    pub reference: Option<&'c R>,
    /// `MAX_PROFICIENCIES_PER_USER`.
    pub max_proficiencies: usize,
    /// Whether the file is the whole truth for its users.
    pub replaces: bool,
    /// What [`Describe::user_notes`] says of `users`. Without it no message says what the import changed.
    pub user_notes: Option<&'c UserNotes>,
}

impl<R> Clone for ReportContext<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for ReportContext<'_, R> {}

/// What holds for all rows of a user.
#[derive(Debug)]
pub struct UserNotes {
    /// By user.
    has_errors: Vec<bool>,
    /// The rows by which the ledger has effects, sorted by user.
    effects: Vec<(Symbol<User>, RowId)>,
}

impl UserNotes {
    /// Whether a row of the user is not right, so that the user keeps what the file does not name.
    pub fn has_errors(&self, user: Symbol<User>) -> bool {
        self.has_errors[user.index()]
    }

    /// The rows by which the ledger has the effects on the user.
    pub fn effects(&self, user: Symbol<User>) -> impl Iterator<Item = RowId> {
        let start = self.effects.partition_point(|(other, _)| *other < user);
        self.effects[start..].iter().take_while(move |(other, _)| *other == user).map(|(_, row)| *row)
    }
}
