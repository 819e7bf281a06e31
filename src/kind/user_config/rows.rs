//! What a file of channel settings says, held compactly.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::connect::{Channel, Connect, ConnectError, Operation, Setting, Value};
use crate::input::{Header, Record};
use crate::kind::cells::user_of;
use crate::kind::{Brought, Heard, Kind, Ledger, Replaces, Terms, Work};
use crate::outcome::{Code, Outcome, Problem, UserCounts, RowReport};
use crate::resolve::Users;

use super::target::bring;
use super::words::{UNDO_HEADER, undo, words};
use super::{Before, Cells, Change, End, Fate, Held, Item, check, compare};

/// All rows of a file and what became of each.
#[derive(Debug, Default)]
pub struct Rows {
    ledger: Ledger,
    /// What each row says; nothing where it is wrong by itself.
    cells: Vec<Option<Cells>>,
    /// What was changed, by the place of the user's first row.
    asides: BTreeMap<u32, Aside>,
}

/// What was changed for a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Aside {
    /// By the row that says so, also where that did not end well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<(u32, Vec<Change>)>,
    /// What may have been changed, and cannot be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Before>,
}

impl Rows {
    fn said(&self, work: Work) -> Vec<(u32, Cells)> {
        let said = |&place: &u32| Some((self.ledger.line(place), self.cells[place as usize]?));
        self.ledger.places(work).iter().filter_map(said).collect()
    }
}

impl Kind for Rows {
    const NAME: &'static str = "user_config";
    const READ: Operation = Operation::DescribeUser;
    const UNDO: &'static [&'static str] = &UNDO_HEADER;
    type Known = ();
    type Item = Item;
    type Held = Held;
    type Fate = Fate;
    type Aside = Aside;

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn push(&mut self, header: &Header, record: &Record<'_>) {
        let (user, cells, outcome) = match check(header, record) {
            Ok(row) => (row.user, Some(row.cells), Outcome::PENDING),
            Err(refusal) => (user_of(header, record).unwrap_or_default(), None, Outcome::invalid(refusal.code, 0)),
        };
        self.ledger.push(record.line, user, outcome);
        self.cells.push(cells);
    }

    fn replaces(_: &Header) -> Replaces {
        Replaces::No("A file of channel settings is never the whole truth: an empty cell leaves a setting as it is")
    }

    async fn ask(&self, _: &Connect) -> Result<(), ConnectError> {
        Ok(())
    }

    fn settle(&mut self, users: &Users, (): &(), _: &BTreeSet<u32>) -> Vec<Work> {
        let unknown: Vec<u32> =
            self.ledger.pending().filter(|&place| users.user(self.ledger.user(place).0).is_none()).collect();
        for place in unknown {
            self.ledger.set(place, Outcome::invalid(Code::UnknownUser, 0));
        }
        let of_user = self.ledger.by_user(users);
        for work in &of_user {
            let compared = compare(&self.said(*work));
            for (place, item) in self.ledger.places(*work).to_vec().into_iter().zip(compared) {
                if let Err(line) = item {
                    self.ledger.set(place, Outcome::invalid(Code::ConflictingRows, line));
                }
            }
        }
        self.ledger.settled(of_user, users)
    }

    fn items(&self, work: Work) -> Vec<Item> {
        compare(&self.said(work)).into_iter().filter_map(Result::ok).collect()
    }

    async fn bring(
        connect: &Connect,
        user_id: &str,
        items: &[Item],
        terms: Terms<'_, Held>,
        plan_is_made: impl AsyncFnOnce(&Held),
    ) -> Brought<Self> {
        bring(connect, user_id, items, terms, plan_is_made).await
    }

    fn record(&mut self, work: Work, brought: Brought<Self>) -> Option<&Aside> {
        let places = self.ledger.places(work).to_vec();
        let mut aside = brought.aside.unwrap_or_default();
        for (&place, fate) in places.iter().zip(brought.fates) {
            let RowReport { status, code, message, .. } = words(&fate);
            if fate.end != End::Pending {
                let is_plain = code.is_empty() && message.is_empty();
                let outcome = Outcome::plain(status);
                let said = (!is_plain).then(|| self.ledger.texts.keep(&code, &message));
                let outcome = said.map_or(outcome, |text| Outcome { code: Code::Text, detail: text, ..outcome });
                self.ledger.set(place, outcome);
            }
            if !fate.changes.is_empty() {
                aside.changes.push((place, fate.changes));
            }
        }
        let first = *places.first()?;
        if aside != Aside::default() {
            self.recall(first, aside);
        }
        self.asides.get(&first)
    }

    fn recall(&mut self, place: u32, aside: Aside) {
        self.asides.insert(place, aside);
    }

    fn words(&self, place: usize, header: &Header, record: &Record<'_>, heard: Heard<'_, Self>) -> RowReport {
        let Outcome { status, code, detail } = self.ledger.outcome(place).unwrap_or(Outcome::PENDING);
        let (mut name, mut message) = (code.name().to_owned(), String::new());
        match (code, check(header, record)) {
            (Code::Text, _) => {
                let (code, said) = self.ledger.texts.get(detail);
                code.clone_into(&mut name);
                said.clone_into(&mut message);
            }
            (_, Err(Problem { message: sentence, .. })) => message = sentence,
            (Code::UnknownUser, Ok(row)) => message = heard.users.map_or_else(String::new, |users| users.why(row.user)),
            (Code::ConflictingRows, _) => {
                message =
                    format!("Line {detail} says otherwise of the same user, channel and setting. Keep one of them.");
            }
            _ => {}
        }
        RowReport { status, code: name, message, needs_retry: status.needs_retry() }
    }

    fn users(&self, users: Option<&Users>) -> UserCounts {
        let changed = self.asides.iter().filter(|(_, aside)| !aside.changes.is_empty()).map(|(place, _)| *place);
        self.ledger.users(users, changed, std::iter::empty())
    }

    fn asides(&self) -> impl Iterator<Item = u32> {
        self.asides.keys().copied()
    }

    fn undo<'u>(&'u self, users: &'u Users) -> impl Iterator<Item = Vec<String>> + 'u {
        self.asides.iter().flat_map(move |(place, aside)| {
            let (name, text) = self.ledger.user(*place);
            let id = users.user(name).map_or(text, |user| users.id(user));
            let of_rows = aside.changes.iter().filter_map(move |(place, changes)| {
                let channel = self.cells[*place as usize]?.channel();
                undo(id, &channel, changes.iter().map(Change::before))
            });
            of_rows.chain(unseen(id, &aside.unseen)).map(Vec::from)
        })
    }
}

/// What may have been changed, and cannot be seen: a row for each channel.
fn unseen(id: &str, before: &[Before]) -> Vec<[String; UNDO_HEADER.len()]> {
    let mut of_channel: BTreeMap<&Channel, Vec<(Setting, Option<&Value>)>> = BTreeMap::new();
    for Before(channel, setting, value) in before {
        of_channel.entry(channel).or_default().push((*setting, value.as_ref()));
    }
    of_channel.into_iter().filter_map(|(channel, before)| undo(id, channel, before)).collect()
}
