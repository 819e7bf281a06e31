//! What a file of proficiencies says, held compactly.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::plan::{Condition, ProficiencyItem, Want};
use super::row::{ACTION, IF_LEVEL, check, says_what_to_remove};
use super::target::{ProficiencyOutcome, ProficiencyTarget};
use super::torn::{TornRows, named_pair};
use crate::connect::{Connect, ConnectError, Level, ProficiencyKey};
use crate::input::{Header, Interner, Record, Symbol};
use crate::kind::cells::{cell, user_of};
use crate::kind::ledger::{Ledger, UserBatch};
use crate::kind::rows::{Rows, in_lines};
use crate::kind::unassigned::Unassigned;
use crate::options::UnassignedRows;
use crate::outcome::{Code, Line, Outcome, RowId, Status};
use crate::resolve::{Catalog, Match, Users};

/// Names of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum AttributeText {}

/// Values of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ValueText {}

pub(super) type Pair = (Symbol<AttributeText>, Symbol<ValueText>);

/// What a row says: 16 bytes. Each of its texts is kept once for all rows.
#[derive(Clone, Copy, Debug)]
struct RowValues {
    attribute: Symbol<AttributeText>,
    value: Symbol<ValueText>,
    /// 1 to 5; 0 for `remove`.
    level: f32,
    /// The level that the user must have; 0 if it must not have it, [`ALWAYS`] if that does not matter.
    if_level: f32,
}

/// No level is so low.
const ALWAYS: f32 = -1.0;

impl RowValues {
    const NOTHING: Self = Self { attribute: Symbol::EMPTY, value: Symbol::EMPTY, level: 0.0, if_level: ALWAYS };

    fn pair(self) -> Pair {
        (self.attribute, self.value)
    }

    fn want(self) -> Want {
        if self.level > 0.0 { Want::Level(Level::from_wire(self.level)) } else { Want::Absent }
    }

    fn condition(self) -> Condition {
        match self.if_level {
            level if level > 0.0 => Condition::Level(Level::from_wire(level)),
            level if level < 0.0 => Condition::Always,
            _ => Condition::Absent,
        }
    }

    /// Whether another row of the same pair says the same.
    fn agrees_with(self, other: Self) -> bool {
        self.want() == other.want() && self.condition() == other.condition()
    }
}

/// All rows of a file of proficiencies and their outcomes.
#[derive(Debug, Default)]
pub struct ProficiencyRows {
    ledger: Ledger,
    values: Vec<RowValues>,
    attribute_texts: Interner<AttributeText>,
    value_texts: Interner<ValueText>,
    /// Rows that remove what the catalogue does not have: done if the user has it all the same, else they have this outcome.
    unknown_removals: BTreeMap<RowId, Outcome>,
    pub(super) torn: TornRows,
    /// Whether an entry of a sheet says that its user does not have something.
    has_sheet_removals: bool,
}

impl ProficiencyRows {
    /// The pairs that pending rows name, each once, in the file's spelling and order.
    fn wanted_pairs(&self) -> Vec<(&str, &str)> {
        let mut seen = HashSet::new();
        let pairs = self.ledger.pending().map(|row| self.values[row.index()].pair()).filter(|pair| seen.insert(*pair));
        pairs.map(|pair| self.texts(pair)).collect()
    }

    /// The symbols of the pair that a row names.
    pub(super) fn symbols(&self, row: RowId) -> Pair {
        self.values[row.index()].pair()
    }

    /// The texts of a pair.
    pub(super) fn texts(&self, (attribute, value): Pair) -> (&str, &str) {
        (self.attribute_texts.resolve(attribute), self.value_texts.resolve(value))
    }

    fn match_to_instance(&mut self, catalog: &Catalog, begun: &BTreeSet<RowId>) {
        let mut known: HashMap<Pair, Result<Pair, Outcome>> = HashMap::new();
        // The system's own pairs have no known spelling: the first row's counts for all.
        let mut spelled: HashMap<(String, String), Pair> = HashMap::new();
        for row in self.ledger.pending().collect::<Vec<_>>() {
            let pair = self.values[row.index()].pair();
            let found = *known.entry(pair).or_insert_with(|| self.find(pair, catalog, &mut spelled));
            match found {
                Err(outcome) if self.values[row.index()].want() == Want::Absent => {
                    self.unknown_removals.insert(row, outcome);
                    self.trim(row);
                }
                // The service judges what an earlier delivery has begun with.
                Err(_) if begun.contains(&row) => self.trim(row),
                Err(outcome) => self.ledger.set(row, outcome),
                Ok((attribute, value)) => {
                    let values = &mut self.values[row.index()];
                    (values.attribute, values.value) = (attribute, value);
                }
            }
        }
    }

    /// Takes the spaces around a row's texts off, for the instance has no spelling of them.
    fn trim(&mut self, row: RowId) {
        let (attribute, value) = self.texts(self.values[row.index()].pair());
        let (attribute, value) = (attribute.trim().to_owned(), value.trim().to_owned());
        let values = &mut self.values[row.index()];
        (values.attribute, values.value) = (self.attribute_texts.intern(&attribute), self.value_texts.intern(&value));
    }

    /// A pair in the instance's spelling, or the outcome of rows that name it.
    fn find(
        &mut self,
        pair: Pair,
        catalog: &Catalog,
        spelled: &mut HashMap<(String, String), Pair>,
    ) -> Result<Pair, Outcome> {
        let (attribute, value) = self.texts(pair);
        match catalog.find(attribute, value) {
            Match::Known { attribute, value } => Ok(*spelled
                .entry((attribute.to_lowercase(), value.to_lowercase()))
                .or_insert_with(|| (self.attribute_texts.intern(&attribute), self.value_texts.intern(&value)))),
            Match::UnknownAttribute => Err(Outcome::invalid(Code::UnknownAttribute)),
            Match::UnknownValue => Err(Outcome::invalid(Code::UnknownValue)),
            Match::Unread(code, sentence) => {
                Err(Outcome::with_message(Status::Failed, self.ledger.messages.intern(&code, &sentence)))
            }
        }
    }

    fn sets_something(&self, batch: UserBatch) -> bool {
        self.ledger.rows(batch).iter().any(|row| self.values[row.index()].want() != Want::Absent)
    }

    /// Of the rows of one user that name the same pair, keeps one pending if they agree, and none if they do not.
    fn compare(&mut self, batch: UserBatch) {
        let with_values = |&row: &RowId| (row, self.values[row.index()]);
        let mut sorted: Vec<(RowId, RowValues)> = self.ledger.rows(batch).iter().map(with_values).collect();
        sorted.sort_by_key(|(row, values)| (values.pair(), *row));
        for same in sorted.chunk_by(|(_, a), (_, b)| a.pair() == b.pair()) {
            let first = same[0];
            let other = same.iter().find(|(_, values)| !values.agrees_with(first.1));
            for (nth, (row, values)) in same.iter().enumerate() {
                let outcome = match other {
                    Some(other) => {
                        let contradicts = if values.agrees_with(first.1) { other.0 } else { first.0 };
                        Outcome::conflicting(self.ledger.line(contradicts))
                    }
                    None if nth > 0 => Outcome::duplicate(self.ledger.line(first.0)),
                    None => continue,
                };
                self.ledger.set(*row, outcome);
            }
        }
    }
}

/// Whether a record is an entry of a sheet that says that the user does not have something.
pub(super) fn is_sheet_removal(header: &Header, record: &Record<'_>) -> bool {
    header.is_of_sheet() && !cell(header, record, ACTION).is_empty()
}

impl Rows for ProficiencyRows {
    const NAME: &'static str = "proficiencies";
    type Reference = Catalog;
    type Target = ProficiencyTarget;

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn push(&mut self, header: &Header, record: &Record<'_>) {
        let (user, values, outcome) = match check(header, record) {
            Ok(row) => {
                let attribute = self.attribute_texts.intern(row.attribute);
                let value = self.value_texts.intern(row.value);
                let if_level = match row.condition {
                    Condition::Always => ALWAYS,
                    Condition::Level(level) => level.to_wire(),
                    Condition::Absent => 0.0,
                };
                let level = row.level.map_or(0.0, Level::to_wire);
                (row.user, RowValues { attribute, value, level, if_level }, Outcome::PENDING)
            }
            Err(problem) => {
                let user = user_of(header, record).unwrap_or_default();
                let (attribute, value) = named_pair(header, record, problem.code);
                let (attribute, value) = (self.attribute_texts.intern(attribute), self.value_texts.intern(value));
                let row = RowId(u32::try_from(self.ledger.len()).unwrap_or(u32::MAX));
                self.torn.push(row, header, record);
                (user, RowValues { attribute, value, ..RowValues::NOTHING }, Outcome::invalid(problem.code))
            }
        };
        self.has_sheet_removals |= is_sheet_removal(header, record);
        self.ledger.push(Line(record.line), user, outcome);
        self.values.push(values);
    }

    fn counts_removals(&self) -> bool {
        self.has_sheet_removals
    }

    fn check_replaceable(header: &Header) -> Result<(), &'static str> {
        match says_what_to_remove(header) {
            false => Ok(()),
            true if header.index_of(ACTION).is_some() => {
                Err("The file has a column `action`, so it says itself what is to be removed")
            }
            true => Err("The file has a column `if_level`, so it says itself what is to change, and from what"),
        }
    }

    async fn fetch_reference(&self, connect: &Connect) -> Result<Catalog, ConnectError> {
        Catalog::read(connect, &self.wanted_pairs()).await
    }

    fn resolve(&mut self, users: &Users, catalog: &Catalog, begun: &BTreeSet<RowId>) -> Vec<UserBatch> {
        self.ledger.refuse_unknown_users(users);
        self.match_to_instance(catalog, begun);
        let batches = self.ledger.by_user(users);
        for batch in &batches {
            self.compare(*batch);
        }
        let mut batches = self.ledger.retain_resolved(batches, users);
        for batch in &mut batches {
            // Where nothing is set, nothing is the whole truth.
            batch.is_complete &= self.sets_something(*batch);
        }
        batches
    }

    fn unassigned(&self, users: &Users, catalog: &Catalog, rows: UnassignedRows) -> Unassigned {
        self.find_unassigned(users, catalog, rows)
    }

    fn has_unassigned(&self, users: &Users) -> bool {
        !self.torn.is_empty() || self.ledger.has_unknown_users(users)
    }

    fn items(&self, batch: UserBatch) -> Vec<ProficiencyItem> {
        let item = |row: &RowId| {
            let values = self.values[row.index()];
            let (attribute, value) = self.texts(values.pair());
            let pair = ProficiencyKey { attribute: attribute.into(), value: value.into() };
            ProficiencyItem { pair, want: values.want(), condition: values.condition() }
        };
        self.ledger.rows(batch).iter().map(item).collect()
    }

    fn has_conditions(header: &Header) -> bool {
        header.index_of(IF_LEVEL).is_some()
    }

    fn wants(&self, batch: UserBatch) -> Option<String> {
        let want = |item: ProficiencyItem| match (item.want, item.condition) {
            (Want::Level(level), Condition::Always) => Some((item.pair, level.to_string())),
            _ => None,
        };
        let mut wants = self.items(batch).into_iter().map(want).collect::<Option<Vec<_>>>()?;
        wants.sort();
        Some(in_lines(
            wants.into_iter().map(|(pair, level)| [pair.attribute.to_string(), pair.value.to_string(), level]),
        ))
    }

    fn record_right(&mut self, batch: UserBatch) {
        let outcomes = vec![ProficiencyOutcome::Unchanged; self.ledger.rows(batch).len()];
        self.record(batch, outcomes);
    }

    fn record(&mut self, batch: UserBatch, outcomes: Vec<ProficiencyOutcome>) {
        for (row, outcome) in self.ledger.rows(batch).to_vec().into_iter().zip(outcomes) {
            let outcome = match outcome {
                ProficiencyOutcome::Added => Outcome::plain(Status::Added),
                ProficiencyOutcome::Updated { from } => Outcome::from_level(Status::Updated, hundredths(from)),
                ProficiencyOutcome::Removed { from } => Outcome::from_level(Status::Removed, hundredths(from)),
                ProficiencyOutcome::Unchanged => {
                    self.unknown_removals.get(&row).copied().unwrap_or(Outcome::plain(Status::Unchanged))
                }
                ProficiencyOutcome::TooMany(size) => Outcome::too_many(u32::try_from(size).unwrap_or(u32::MAX)),
                ProficiencyOutcome::Kept { found } => Outcome::kept(found.map_or(0, hundredths)),
                ProficiencyOutcome::WithoutRoom => Outcome::kept_without_room(),
                ProficiencyOutcome::Failed(error) => self.ledger.messages.failed(&error),
                ProficiencyOutcome::Pending => continue,
            };
            self.ledger.set(row, outcome);
        }
    }
}

/// A level as a whole number: the service may hold others than whole ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
fn hundredths(level: Level) -> u32 {
    (level.to_wire() * 100.0).round() as u32
}
