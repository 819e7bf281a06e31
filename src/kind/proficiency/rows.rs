//! What a file says, held compactly, and the rows of one user set beside each other.

use std::collections::{BTreeMap, HashMap};

use crate::attributes::{Catalog, Match};
use crate::connect::{Level, Pair};
use crate::input::{Header, Name, Names, Record};
use crate::outcome::{Code, Counts, Outcome, Status, Texts, Told, UserCounts, Words};
use crate::users::Users;

use super::row::{check, user_of};
use super::{Fate, Invalid, Item, Want};

/// A row of the file: 28 bytes. Its texts are kept once for all rows.
#[derive(Clone, Copy, Debug)]
struct Row {
    line: u32,
    user: Name,
    attribute: Name,
    value: Name,
    /// 1 to 5; 0 says `remove`.
    level: u8,
    outcome: Outcome,
}

/// All rows of a file and what became of each.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    users: Names,
    /// Attributes and values.
    terms: Names,
    counts: Counts,
    texts: Texts,
    /// The rows that are to be tried, user by user; see [`Work`].
    to_try: Vec<u32>,
}

/// The rows of one user that are to be tried: each of another pair, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The user, as [`Users`] names it.
    pub user: Name,
    start: u32,
    end: u32,
}

impl Rows {
    /// Takes one row of the file. A row that is wrong by itself is kept as invalid.
    pub fn push(&mut self, header: &Header, record: &Record<'_>) {
        let row = match check(header, record) {
            Ok(row) => Row {
                line: record.line,
                user: self.users.intern(row.user),
                attribute: self.terms.intern(row.attribute),
                value: self.terms.intern(row.value),
                level: row.level.unwrap_or(0),
                outcome: Outcome::PENDING,
            },
            Err(refusal) => Row {
                line: record.line,
                user: self.users.intern(user_of(header, record).unwrap_or_default()),
                attribute: Name::EMPTY,
                value: Name::EMPTY,
                level: 0,
                outcome: Outcome::invalid(refusal.code, 0),
            },
        };
        self.counts.add(row.outcome.status);
        self.rows.push(row);
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

    /// Whether some row is still to be tried.
    pub fn has_pending(&self) -> bool {
        self.counts.of(Status::Pending) > 0
    }

    /// The users that rows to be tried name, each once, in the order of the file.
    pub fn wanted_users(&self) -> Vec<(Name, &str)> {
        let mut is_wanted = vec![false; self.users.len()];
        for row in self.pending() {
            is_wanted[row.user.index()] = true;
        }
        self.users.iter().filter(|(name, _)| is_wanted[name.index()]).collect()
    }

    /// The pairs that rows to be tried name, each once, in the file's spelling and order.
    pub fn wanted_pairs(&self) -> Vec<(&str, &str)> {
        let mut seen = std::collections::HashSet::new();
        let pairs = self.pending().map(|row| (row.attribute, row.value)).filter(|pair| seen.insert(*pair));
        pairs.map(|(attribute, value)| (self.terms.text(attribute), self.terms.text(value))).collect()
    }

    fn pending(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.outcome.status == Status::Pending)
    }

    /// Sets rows and instance beside each other: what the instance does not know is invalid, spellings become the
    /// instance's own, of rows that say the same the first is tried, and rows that contradict each other are all invalid.
    /// What is left is the work, by user, in the order of the file.
    pub fn settle(&mut self, users: &Users, catalog: &Catalog) -> Vec<Work> {
        self.match_to_instance(users, catalog);
        let mut of_user = self.by_user(users);
        for work in &mut of_user {
            let kept = self.compare(*work);
            self.keep(work, &kept);
        }
        of_user.retain(|work| work.start < work.end);
        of_user
    }

    /// Sorts the rows to be tried by user: users in the order of their first row, rows in the order of the file.
    fn by_user(&mut self, users: &Users) -> Vec<Work> {
        let user_of = |row: &Row| users.user(row.user).filter(|_| row.outcome.status == Status::Pending);
        let mut places = vec![u32::MAX; users.len()];
        let mut of_user: Vec<Work> = Vec::new();
        for user in self.rows.iter().filter_map(user_of) {
            let place = &mut places[user.index()];
            if *place == u32::MAX {
                *place = u32::try_from(of_user.len()).unwrap_or(u32::MAX);
                of_user.push(Work { user, start: 0, end: 0 });
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
        for (place, row) in (0..).zip(&self.rows) {
            if let Some(user) = user_of(row) {
                let work = &mut of_user[places[user.index()] as usize];
                self.to_try[work.end as usize] = place;
                work.end += 1;
            }
        }
        of_user
    }

    fn places(&self, work: Work) -> &[u32] {
        &self.to_try[work.start as usize..work.end as usize]
    }

    fn match_to_instance(&mut self, users: &Users, catalog: &Catalog) {
        let mut known: HashMap<(Name, Name), Result<(Name, Name), Outcome>> = HashMap::new();
        // The system's own pairs have no spelling that is known: the first row's counts for all.
        let mut spelled: HashMap<(String, String), (Name, Name)> = HashMap::new();
        for place in 0..self.rows.len() {
            let Row { user, attribute, value, outcome, .. } = self.rows[place];
            if outcome.status != Status::Pending {
                continue;
            }
            let (terms, texts) = (&mut self.terms, &mut self.texts);
            let found = *known.entry((attribute, value)).or_insert_with(|| {
                match catalog.find(terms.text(attribute), terms.text(value)) {
                    Match::Known { attribute, value } => Ok(*spelled
                        .entry((attribute.to_lowercase(), value.to_lowercase()))
                        .or_insert_with(|| (terms.intern(&attribute), terms.intern(&value)))),
                    Match::UnknownAttribute => Err(Outcome::invalid(Code::UnknownAttribute, 0)),
                    Match::UnknownValue => Err(Outcome::invalid(Code::UnknownValue, 0)),
                    Match::Unread(code, sentence) => Err(Outcome::failed(texts.keep(&code, &sentence))),
                }
            });
            match found {
                _ if users.user(user).is_none() => self.set(place, Outcome::invalid(Code::UnknownUser, 0)),
                Err(outcome) => self.set(place, outcome),
                Ok((attribute, value)) => {
                    self.rows[place].attribute = attribute;
                    self.rows[place].value = value;
                }
            }
        }
    }

    /// Of the rows of one user, those that are to be tried: one of each pair, if its rows agree.
    fn compare(&mut self, work: Work) -> Vec<u32> {
        let mut sorted: Vec<(u32, Row)> =
            self.places(work).iter().map(|&place| (place, self.rows[place as usize])).collect();
        sorted.sort_by_key(|(place, row)| (row.attribute, row.value, *place));
        for same in sorted.chunk_by(|(_, a), (_, b)| (a.attribute, a.value) == (b.attribute, b.value)) {
            let first = same[0].1;
            let other = same.iter().map(|(_, row)| row).find(|row| row.level != first.level);
            for (nth, (place, row)) in same.iter().enumerate() {
                match other {
                    Some(other) => {
                        let contradicts = if row.level == first.level { other } else { &first };
                        self.set(*place as usize, Outcome::invalid(Code::ConflictingRows, contradicts.line));
                    }
                    None if nth > 0 => {
                        let duplicate =
                            Outcome { status: Status::Duplicate, code: Code::DuplicateRow, detail: first.line };
                        self.set(*place as usize, duplicate);
                    }
                    None => {}
                }
            }
        }
        let is_pending = |place: &u32| self.rows[*place as usize].outcome.status == Status::Pending;
        self.places(work).iter().copied().filter(is_pending).collect()
    }

    /// What the rows of one user want.
    pub fn items(&self, work: Work) -> Vec<Item> {
        let item = |&place: &u32| {
            let row = &self.rows[place as usize];
            let want = if row.level == 0 { Want::Absent } else { Want::Level(Level::whole(row.level)) };
            let (attribute, value) = (self.terms.text(row.attribute), self.terms.text(row.value));
            Item { pair: Pair { attribute: attribute.into(), value: value.into() }, want }
        };
        self.places(work).iter().map(item).collect()
    }

    /// Writes down what became of the rows of one user, in the order of [`Rows::items`].
    pub fn record(&mut self, work: Work, fates: &[Fate], is_dry_run: bool) {
        for (nth, fate) in fates.iter().enumerate() {
            let place = self.to_try[work.start as usize + nth];
            let mut outcome = match fate {
                Fate::Added => Outcome::plain(Status::Added),
                Fate::Updated { from } => Outcome { detail: hundredths(*from), ..Outcome::plain(Status::Updated) },
                Fate::Removed { from } => Outcome { detail: hundredths(*from), ..Outcome::plain(Status::Removed) },
                Fate::Unchanged => Outcome::plain(Status::Unchanged),
                Fate::TooMany(size) => {
                    Outcome::invalid(Code::TooManyProficiencies, u32::try_from(*size).unwrap_or(u32::MAX))
                }
                Fate::Failed(error) => Outcome::failed(self.texts.keep(&error.code, &error.sentence())),
                Fate::Pending => continue,
            };
            if is_dry_run {
                outcome.status = outcome.status.in_a_dry_run();
            }
            self.set(place as usize, outcome);
        }
    }

    /// What became of the rows of one user, for the journal.
    pub fn told(&self, work: Work) -> Vec<(u32, Told)> {
        let told = |&place: &u32| (place, self.texts.tell(self.rows[place as usize].outcome));
        self.places(work).iter().map(told).filter(|(_, told)| told.status() != Status::Pending).collect()
    }

    /// Takes over what an earlier delivery did; what is left of the work is returned.
    pub fn restore(&mut self, done: &BTreeMap<u32, Told>, work: Vec<Work>) -> Vec<Work> {
        let n_rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        for (&place, told) in done.range(..n_rows) {
            let outcome = self.texts.hear(told);
            self.set(place as usize, outcome);
        }
        let mut left = work;
        for work in &mut left {
            let is_left = |place: &u32| self.rows[*place as usize].outcome.status == Status::Pending;
            let kept: Vec<u32> = self.places(*work).iter().copied().filter(is_left).collect();
            self.keep(work, &kept);
        }
        left.retain(|work| work.start < work.end);
        left
    }

    /// Leaves only these of a user's rows in the work.
    fn keep(&mut self, work: &mut Work, kept: &[u32]) {
        let start = work.start as usize;
        self.to_try[start..start + kept.len()].copy_from_slice(kept);
        work.end = work.start + u32::try_from(kept.len()).unwrap_or(u32::MAX);
    }

    /// What takes back what this import did: rows of user id, attribute, value, level and action.
    pub fn undo<'u>(&'u self, users: &'u Users) -> impl Iterator<Item = [String; 5]> + 'u {
        self.rows.iter().filter_map(|row| {
            let (level, action) = match row.outcome.status {
                Status::Added => (String::new(), "remove"),
                Status::Updated | Status::Removed => ((f64::from(row.outcome.detail) / 100.0).to_string(), "set"),
                _ => return None,
            };
            let user = users.user(row.user).map_or_else(|| self.users.text(row.user), |user| users.id(user));
            let (attribute, value) = (self.terms.text(row.attribute), self.terms.text(row.value));
            Some([user.to_owned(), attribute.to_owned(), value.to_owned(), level, action.to_owned()])
        })
    }

    fn set(&mut self, place: usize, outcome: Outcome) {
        self.counts.change(self.rows[place].outcome.status, outcome.status);
        self.rows[place].outcome = outcome;
    }

    /// What the report says of the row at this place, which is `record`, in words.
    pub fn words(&self, place: usize, header: &Header, record: &Record<'_>, known: &Known<'_>) -> Words {
        let Some(row) = self.rows.get(place) else {
            return Words { status: Status::Pending, code: String::new(), message: String::new() };
        };
        let Outcome { status, code, detail } = row.outcome;
        let checked = check(header, record);
        let (mut name, mut message) = (code.name().to_owned(), String::new());
        match (code, checked) {
            (Code::Service, _) => {
                let (code, said) = self.texts.get(detail);
                code.clone_into(&mut name);
                said.clone_into(&mut message);
            }
            (_, Err(Invalid { message: sentence, .. })) => message = sentence,
            (Code::UnknownUser, Ok(row)) => message = known.users.map_or_else(String::new, |users| users.why(row.user)),
            (Code::UnknownAttribute | Code::UnknownValue, Ok(row)) => {
                message = known.catalog.map_or_else(String::new, |catalog| catalog.why(row.attribute, row.value));
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
                    known.max_proficiencies
                );
            }
            (_, Ok(now)) if matches!(status, Status::Updated | Status::WouldUpdate) => {
                let from = f64::from(detail) / 100.0;
                message = format!("level {from} -> {}", now.level.unwrap_or(0));
            }
            _ => {}
        }
        Words { status, code: name, message }
    }

    /// Users in the file by what became of their rows.
    pub fn users(&self) -> UserCounts {
        const CHANGED: u8 = 1;
        const WITH_ERRORS: u8 = 2;
        const UNCHANGED: u8 = 4;
        const PENDING: u8 = 8;
        let mut flags = vec![0_u8; self.users.len()];
        for row in self.rows.iter().filter(|row| row.user != Name::EMPTY) {
            flags[row.user.index()] |= match row.outcome.status {
                Status::Unchanged | Status::Duplicate => UNCHANGED,
                Status::Pending => PENDING,
                Status::Invalid | Status::Failed => WITH_ERRORS,
                _ => CHANGED,
            };
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

/// A level as a whole number: the service may hold others than whole ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
fn hundredths(level: Level) -> u32 {
    (level.to_wire() * 100.0).round() as u32
}

/// What is known of the instance when the report is written; less where the import stopped early.
#[derive(Clone, Copy, Debug)]
pub struct Known<'k> {
    /// Its users, if they were asked for.
    pub users: Option<&'k Users>,
    /// Its attributes, if they were asked for.
    pub catalog: Option<&'k Catalog>,
    /// `MAX_PROFICIENCIES_PER_USER`.
    pub max_proficiencies: usize,
}
