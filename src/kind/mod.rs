//! The kinds of file. What the kinds share (reading, users, pace, journal, report) stands outside and knows a kind only by
//! [`Kind`]; what differs stands here: the columns, the checks of a row, the plan for a user and how it is applied.

mod cells;
mod ledger;
pub mod proficiency;
pub mod user_config;

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connect::{Connect, ConnectError, Operation};
use crate::input::{Header, Record, Schema};
use crate::outcome::{Status, Preview, UserCounts, RowReport};
use crate::resolve::Users;

pub use ledger::{Ledger, Work};

/// A kind of file: all rows of one file, and what is done because of them.
///
/// In the order in which an import calls it: the rows are [pushed](Kind::push), the instance is [asked](Kind::ask) what the
/// rows need to know besides users, rows and instance are [set beside each other](Kind::settle); then each user is
/// [brought](Kind::bring) to what its rows say, and what came of it is [recorded](Kind::record) and told in
/// [words](Kind::words).
#[expect(async_fn_in_trait, reason = "an import is one future on one thread")]
pub trait Kind: Default {
    /// As the summary names it.
    const NAME: &'static str;
    /// What reads a user.
    const READ: Operation;
    /// The header of its `undo.csv`.
    const UNDO: &'static [&'static str];
    /// What the instance was asked.
    type Known;
    /// What one row wants.
    type Item;
    /// What a user has.
    type Held: Serialize + DeserializeOwned;
    /// What became of one row.
    type Fate;
    /// What came of a user besides what its rows say.
    type Aside: Serialize + DeserializeOwned;

    /// What all kinds keep of each row.
    fn ledger(&self) -> &Ledger;
    /// The same, to be written to.
    fn ledger_mut(&mut self) -> &mut Ledger;

    /// Takes one row of the file. A row that is wrong by itself is kept as invalid.
    fn push(&mut self, header: &Header, record: &Record<'_>);

    /// Whether such a file may be the whole truth for its users, less what it says itself.
    fn replaces(header: &Header) -> Replaces;

    /// Asks the instance what the rows need to know besides users. Complete, or an error.
    async fn ask(&self, connect: &Connect) -> Result<Self::Known, ConnectError>;

    /// Sets rows and instance beside each other: what the instance does not know is invalid, of rows that say the same the
    /// first is tried, and rows that contradict each other are all invalid. What is left is the work, by user, in the
    /// order of the file.
    ///
    /// Rows that an earlier delivery has begun with are tried again whatever is known of them now: what was done for them is
    /// to be seen and told.
    fn settle(&mut self, users: &Users, known: &Self::Known, begun: &BTreeSet<u32>) -> Vec<Work>;

    /// What the rows of one user want, in the order of the file.
    fn items(&self, work: Work) -> Vec<Self::Item>;

    /// What replacing a user's set would do, for the guard. Only of a kind whose files may be the whole truth.
    async fn survey(_: &Connect, _user_id: &str, _: &[Self::Item]) -> Result<Preview, ConnectError> {
        Ok(Preview::default())
    }

    /// Brings a user to what the items say, as far as the terms allow.
    ///
    /// What is read is handed to `plan_is_made` before the first write, unless an earlier delivery made one already.
    async fn bring(
        connect: &Connect,
        user_id: &str,
        items: &[Self::Item],
        terms: Terms<'_, Self::Held>,
        plan_is_made: impl AsyncFnOnce(&Self::Held),
    ) -> Brought<Self>;

    /// Writes down what became of the rows of one user, in the order of [`Kind::items`]. What came of it besides is returned,
    /// for the journal.
    fn record(&mut self, work: Work, brought: Brought<Self>) -> Option<&Self::Aside>;

    /// Takes over what came of a user in an earlier delivery besides what its rows say; the user is that of the row at this
    /// place.
    fn recall(&mut self, place: u32, aside: Self::Aside);

    /// What the report says of the row at this place, which is `record`, in words.
    fn words(&self, place: usize, header: &Header, record: &Record<'_>, heard: Heard<'_, Self>) -> RowReport;

    /// Users in the file by what became of them.
    fn users(&self, users: Option<&Users>) -> UserCounts;

    /// Rows of users who have not just what the file says, although their rows are right: one of each.
    fn left(&self) -> impl Iterator<Item = u32> {
        std::iter::empty()
    }

    /// Where what came of users besides is to be found: the places of rows of theirs.
    fn asides(&self) -> impl Iterator<Item = u32>;

    /// What goes for all rows of each user.
    fn of_users(&self, users: &Users) -> Vec<OfUser> {
        let with_errors = self.ledger().users_with_errors(users).into_iter();
        let mut of_users: Vec<_> = with_errors.map(|has_errors| OfUser { has_errors, aside: None }).collect();
        for place in self.asides() {
            if let Some(user) = users.user(self.ledger().user(place).0) {
                of_users[user.index()].aside = Some(place);
            }
        }
        of_users
    }

    /// Of each user, whether one of its rows is to be mended and dropped again, and so all of them where the file is the
    /// whole truth for its users.
    fn users_to_retry(&self, users: &Users) -> Vec<bool> {
        let ledger = self.ledger();
        let mut to_retry = ledger.users_with(users, Status::needs_retry);
        let left = self.left().filter_map(|place| users.user(ledger.user(place).0));
        for user in left.chain(users.possible_matches()) {
            to_retry[user.index()] = true;
        }
        to_retry
    }

    /// What takes back what this import did: rows below [`Kind::UNDO`].
    fn undo<'u>(&'u self, users: &'u Users) -> impl Iterator<Item = Vec<String>> + 'u;

    /// What was removed, or would be, without a row that says so: rows of user, attribute, value and level.
    fn removed(&self) -> impl Iterator<Item = Vec<String>> {
        std::iter::empty()
    }
}

/// The columns of each kind, in the order of [`AnyRows`].
pub const SCHEMAS: &[Schema] = &[proficiency::SCHEMA, user_config::SCHEMA];

/// The rows of a file, whose kind its header tells.
#[derive(Debug)]
pub enum AnyRows {
    /// Proficiencies.
    Proficiencies(proficiency::Rows),
    /// Settings per channel.
    UserConfig(user_config::Rows),
}

impl AnyRows {
    /// No rows yet, of the kind that a header tells.
    pub fn of(header: &Header) -> Self {
        match header.schema {
            0 => Self::Proficiencies(proficiency::Rows::default()),
            _ => Self::UserConfig(user_config::Rows::default()),
        }
    }

    /// See [`Kind::push`].
    pub fn push(&mut self, header: &Header, record: &Record<'_>) {
        match self {
            Self::Proficiencies(rows) => rows.push(header, record),
            Self::UserConfig(rows) => rows.push(header, record),
        }
    }
}

/// Whether a file may be the whole truth for its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// It may.
    Yes,
    /// It may not, and why.
    No(&'static str),
}

/// What holds for bringing one user to what the file says.
#[derive(Debug)]
pub struct Terms<'t, H> {
    /// The largest set that a user may have, unless it holds more.
    pub limit: usize,
    /// Whether what the file does not name is removed.
    pub replaces: bool,
    /// What is not to be done.
    pub only: Only,
    /// What the user held before this import's first write for it, if there was one.
    pub before: Option<&'t H>,
}

/// How far bringing a user goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All the way.
    Nothing,
    /// Nothing is written, and what would be is told.
    Plan,
    /// Nothing is written, and what was done before is told.
    Look,
}

/// What became of one user.
#[derive(Debug)]
pub struct Brought<K: Kind> {
    /// What became of each item, in the order of the items.
    pub fates: Vec<K::Fate>,
    /// What came of the user besides.
    pub aside: Option<K::Aside>,
    /// Whether all was tried that is to be done for it.
    pub is_done: bool,
    /// The refusal that stops the whole import, if there was one.
    pub stop: Option<ConnectError>,
}

/// What is known of the instance when the report is written; less where the import stopped early.
#[derive(Debug)]
pub struct Heard<'h, K: Kind> {
    /// Its users, if they were asked for.
    pub users: Option<&'h Users>,
    /// What else it was asked.
    pub known: Option<&'h K::Known>,
    /// `MAX_PROFICIENCIES_PER_USER`.
    pub max_proficiencies: usize,
    /// Where the file is the whole truth for its users: of each user what goes for all of its rows.
    pub of_users: Option<&'h [OfUser]>,
}

/// What goes for all rows of a user.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfUser {
    /// Whether one of them is not right, so that the user keeps what the file does not name.
    pub has_errors: bool,
    /// Where what came of the user besides is to be found, if something did.
    pub aside: Option<u32>,
}

impl<K: Kind> Clone for Heard<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kind> Copy for Heard<'_, K> {}
