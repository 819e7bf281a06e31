//! What a proficiencies file says, held compactly.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::resolve::{Catalog, Match};
use crate::connect::{Connect, ConnectError, Level, Operation, ProficiencyKey};
use crate::input::{Header, Symbol, Interner, Record};
use crate::kind::cells::user_of;
use crate::kind::{Brought, Heard, Kind, Ledger, OfUser, Replaces, Terms, Work};
use crate::outcome::{Code, Outcome, Problem, Status, Preview, UserCounts, RowReport};
use crate::resolve::Users;

use super::target::{Aside, Before, Fate, Held, bring, survey};
use super::plan::{Item, Want};
use super::row::{ACTION, check};

/// What a row says: 12 bytes. Its texts are kept once for all rows.
#[derive(Clone, Copy, Debug)]
struct Said {
    attribute: Symbol,
    value: Symbol,
    /// 1 to 5; 0 says `remove`.
    level: u8,
}

/// All rows of a file and what became of each.
#[derive(Debug, Default)]
pub struct Rows {
    ledger: Ledger,
    said: Vec<Said>,
    /// Attributes and values.
    terms: Interner,
    /// What came of users besides what their rows say, by the place of the user's first row.
    asides: BTreeMap<u32, Aside>,
}

impl Rows {
    /// The pairs that rows to be tried name, each once, in the file's spelling and order.
    fn wanted_pairs(&self) -> Vec<(&str, &str)> {
        let mut seen = std::collections::HashSet::new();
        let said = self.ledger.pending().map(|place| self.said[place as usize]);
        let pairs = said.map(|said| (said.attribute, said.value)).filter(|pair| seen.insert(*pair));
        pairs.map(|(attribute, value)| (self.terms.resolve(attribute), self.terms.resolve(value))).collect()
    }

    fn match_to_instance(&mut self, users: &Users, catalog: &Catalog, begun: &BTreeSet<u32>) {
        let mut known: HashMap<(Symbol, Symbol), Result<(Symbol, Symbol), Outcome>> = HashMap::new();
        // The system's own pairs have no spelling that is known: the first row's counts for all.
        let mut spelled: HashMap<(String, String), (Symbol, Symbol)> = HashMap::new();
        for place in self.ledger.pending().collect::<Vec<_>>() {
            let Said { attribute, value, .. } = self.said[place as usize];
            let (terms, texts) = (&mut self.terms, &mut self.ledger.texts);
            let found = *known.entry((attribute, value)).or_insert_with(|| {
                match catalog.find(terms.resolve(attribute), terms.resolve(value)) {
                    Match::Known { attribute, value } => Ok(*spelled
                        .entry((attribute.to_lowercase(), value.to_lowercase()))
                        .or_insert_with(|| (terms.intern(&attribute), terms.intern(&value)))),
                    Match::UnknownAttribute => Err(Outcome::invalid(Code::UnknownAttribute, 0)),
                    Match::UnknownValue => Err(Outcome::invalid(Code::UnknownValue, 0)),
                    Match::Unread(code, sentence) => Err(Outcome::failed(texts.keep(&code, &sentence))),
                }
            });
            match found {
                _ if users.user(self.ledger.user(place).0).is_none() => {
                    self.ledger.set(place, Outcome::invalid(Code::UnknownUser, 0));
                }
                // The service judges what was begun with.
                Err(_) if begun.contains(&place) => {}
                Err(outcome) => self.ledger.set(place, outcome),
                Ok((attribute, value)) => {
                    let said = &mut self.said[place as usize];
                    (said.attribute, said.value) = (attribute, value);
                }
            }
        }
    }

    /// Leaves of the rows of one user one of each pair, if its rows agree.
    fn compare(&mut self, work: Work) {
        let said = |&place: &u32| (place, self.said[place as usize]);
        let mut sorted: Vec<(u32, Said)> = self.ledger.places(work).iter().map(said).collect();
        sorted.sort_by_key(|(place, said)| (said.attribute, said.value, *place));
        for same in sorted.chunk_by(|(_, a), (_, b)| (a.attribute, a.value) == (b.attribute, b.value)) {
            let first = same[0];
            let other = same.iter().find(|(_, said)| said.level != first.1.level);
            for (nth, (place, said)) in same.iter().enumerate() {
                let outcome = match other {
                    Some(other) => {
                        let contradicts = if said.level == first.1.level { other.0 } else { first.0 };
                        Outcome::invalid(Code::ConflictingRows, self.ledger.line(contradicts))
                    }
                    None if nth > 0 => {
                        let detail = self.ledger.line(first.0);
                        Outcome { status: Status::Duplicate, code: Code::DuplicateRow, detail }
                    }
                    None => continue,
                };
                self.ledger.set(*place, outcome);
            }
        }
    }

    /// Where the file is the whole truth for its users: what to say of one that has more than the file names.
    fn more(&self, place: usize, heard: Heard<'_, Self>) -> Option<String> {
        let place = u32::try_from(place).ok().filter(|place| (*place as usize) < self.ledger.len())?;
        let user = heard.users?.user(self.ledger.user(place).0)?;
        let OfUser { has_errors, aside } = heard.of_users?[user.index()];
        let aside = aside.and_then(|place| self.asides.get(&place));
        if let Some(Aside { left, left_because, .. }) = aside.filter(|aside| !aside.left.is_empty()) {
            let pairs = left.iter().map(|Before(attribute, value, _)| format!("{attribute}={value}"));
            let pairs = pairs.collect::<Vec<_>>().join(", ");
            let why = left_because.as_ref().map_or_else(String::new, |why| format!(" {why}"));
            return Some(format!("What the file does not name could not be removed: {pairs}.{why}"));
        }
        let has_lost = aside.is_some_and(|aside| !aside.removed.is_empty());
        let said = if has_lost {
            "Not all rows of this user are right. What had to make room before that was seen, and found none again, is in \
             removed.csv."
        } else {
            "Not all rows of this user are right, so what the file does not name was not removed."
        };
        has_errors.then(|| said.to_owned())
    }
}

impl Kind for Rows {
    const NAME: &'static str = "proficiencies";
    const READ: Operation = Operation::ListUserProficiencies;
    const UNDO: &'static [&'static str] = &["user", "attribute", "value", "level", "action"];
    type Known = Catalog;
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
        let (user, said, outcome) = match check(header, record) {
            Ok(row) => {
                let (attribute, value) = (self.terms.intern(row.attribute), self.terms.intern(row.value));
                (row.user, Said { attribute, value, level: row.level.unwrap_or(0) }, Outcome::PENDING)
            }
            Err(refusal) => {
                let user = user_of(header, record).unwrap_or_default();
                let nothing = Said { attribute: Symbol::EMPTY, value: Symbol::EMPTY, level: 0 };
                (user, nothing, Outcome::invalid(refusal.code, 0))
            }
        };
        self.ledger.push(record.line, user, outcome);
        self.said.push(said);
    }

    fn replaces(header: &Header) -> Replaces {
        match header.index_of(ACTION) {
            None => Replaces::Yes,
            Some(_) => Replaces::No("The file has a column `action`, so it says itself what is to be removed"),
        }
    }

    async fn ask(&self, connect: &Connect) -> Result<Catalog, ConnectError> {
        Catalog::read(connect, &self.wanted_pairs()).await
    }

    fn settle(&mut self, users: &Users, catalog: &Catalog, begun: &BTreeSet<u32>) -> Vec<Work> {
        self.match_to_instance(users, catalog, begun);
        let of_user = self.ledger.by_user(users);
        for work in &of_user {
            self.compare(*work);
        }
        self.ledger.settled(of_user, users)
    }

    fn items(&self, work: Work) -> Vec<Item> {
        let item = |&place: &u32| {
            let said = &self.said[place as usize];
            let want = if said.level == 0 { Want::Absent } else { Want::Level(Level::whole(said.level)) };
            let (attribute, value) = (self.terms.resolve(said.attribute), self.terms.resolve(said.value));
            Item { pair: ProficiencyKey { attribute: attribute.into(), value: value.into() }, want }
        };
        self.ledger.places(work).iter().map(item).collect()
    }

    async fn survey(connect: &Connect, user_id: &str, items: &[Item]) -> Result<Preview, ConnectError> {
        survey(connect, user_id, items).await
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
        for (&place, fate) in places.iter().zip(&brought.fates) {
            let outcome = match fate {
                Fate::Added => Outcome::plain(Status::Added),
                Fate::Updated { from } => Outcome { detail: hundredths(*from), ..Outcome::plain(Status::Updated) },
                Fate::Removed { from } => Outcome { detail: hundredths(*from), ..Outcome::plain(Status::Removed) },
                Fate::Unchanged => Outcome::plain(Status::Unchanged),
                Fate::TooMany(size) => {
                    Outcome::invalid(Code::TooManyProficiencies, u32::try_from(*size).unwrap_or(u32::MAX))
                }
                Fate::Failed(error) => Outcome::failed(self.ledger.texts.keep(&error.code, &error.user_message())),
                Fate::Pending => continue,
            };
            self.ledger.set(place, outcome);
        }
        let first = *places.first()?;
        self.recall(first, brought.aside?);
        self.asides.get(&first)
    }

    fn recall(&mut self, place: u32, aside: Aside) {
        self.asides.insert(place, aside);
    }

    fn words(&self, place: usize, header: &Header, record: &Record<'_>, heard: Heard<'_, Self>) -> RowReport {
        let outcome = self.ledger.outcome(place).unwrap_or(Outcome::PENDING);
        let Outcome { status, code, detail } = outcome;
        let checked = check(header, record);
        let (mut name, mut message) = (code.name().to_owned(), String::new());
        match (code, checked) {
            (Code::Text, _) => {
                let (code, said) = self.ledger.texts.get(detail);
                code.clone_into(&mut name);
                said.clone_into(&mut message);
            }
            (_, Err(Problem { message: sentence, .. })) => message = sentence,
            (Code::UnknownUser, Ok(row)) => message = heard.users.map_or_else(String::new, |users| users.why(row.user)),
            (Code::UnknownAttribute | Code::UnknownValue, Ok(row)) => {
                message = heard.known.map_or_else(String::new, |catalog| catalog.why(row.attribute, row.value));
            }
            (Code::DuplicateRow, _) => message = format!("This says the same as line {detail}."),
            (Code::ConflictingRows, _) => {
                message =
                    format!("Line {detail} says otherwise of the same user, attribute and value. Keep one of them.");
            }
            (Code::TooManyProficiencies, _) => {
                message = format!(
                    "The user would have {detail} proficiencies, more than the {} that are allowed. Remove some first, or \
                     raise the quota in Amazon Connect and MAX_PROFICIENCIES_PER_USER here.",
                    heard.max_proficiencies
                );
            }
            (_, Ok(now)) if matches!(status, Status::Updated | Status::WouldUpdate) => {
                let from = f64::from(detail) / 100.0;
                message = format!("level {from} -> {}", now.level.unwrap_or(0));
            }
            _ => {}
        }
        if let Some(more) = self.more(place, heard) {
            message = match message.as_str() {
                "" => more,
                said if said.ends_with(['.', '?']) => format!("{said} {more}"),
                said => format!("{said}. {more}"),
            };
        }
        RowReport { status, code: name, message, needs_retry: status.needs_retry() }
    }

    fn users(&self, users: Option<&Users>) -> UserCounts {
        let changed = self.asides.iter().filter(|(_, aside)| !aside.removed.is_empty()).map(|(place, _)| *place);
        self.ledger.users(users, changed, self.left())
    }

    fn asides(&self) -> impl Iterator<Item = u32> {
        self.asides.keys().copied()
    }

    fn left(&self) -> impl Iterator<Item = u32> {
        self.asides.iter().filter(|(_, aside)| !aside.left.is_empty()).map(|(place, _)| *place)
    }

    fn undo<'u>(&'u self, users: &'u Users) -> impl Iterator<Item = Vec<String>> + 'u {
        let id = move |place: u32| {
            let (name, text) = self.ledger.user(place);
            users.user(name).map_or_else(|| text.to_owned(), |user| users.id(user).to_owned())
        };
        let undone = move |place: u32, attribute: &str, value: &str, level: Option<String>| {
            let action = if level.is_some() { "set" } else { "remove" };
            vec![id(place), attribute.to_owned(), value.to_owned(), level.unwrap_or_default(), action.to_owned()]
        };
        let of_rows = (0..).zip(&self.said).filter_map(move |(place, said)| {
            let outcome = self.ledger.outcome(place as usize)?;
            let level = match outcome.status {
                Status::Added => None,
                Status::Updated | Status::Removed => Some((f64::from(outcome.detail) / 100.0).to_string()),
                _ => return None,
            };
            Some(undone(place, self.terms.resolve(said.attribute), self.terms.resolve(said.value), level))
        });
        let besides = self.asides.iter().flat_map(move |(place, aside)| {
            aside.undone().map(move |Before(attribute, value, level)| {
                undone(*place, attribute, value, level.map(|level| level.to_string()))
            })
        });
        of_rows.chain(besides)
    }

    fn removed(&self) -> impl Iterator<Item = Vec<String>> {
        self.asides.iter().flat_map(move |(place, aside)| {
            aside.removed.iter().map(move |Before(attribute, value, level)| {
                let level = level.map_or_else(String::new, |level| level.to_string());
                vec![self.ledger.user(*place).1.to_owned(), attribute.clone(), value.clone(), level]
            })
        })
    }
}

/// A level as a whole number: the service may hold others than whole ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
fn hundredths(level: Level) -> u32 {
    (level.to_wire() * 100.0).round() as u32
}
