//! What a file of settings per channel says, held compactly.

use std::collections::BTreeSet;

use super::cells::Cells;
use super::compare::compare;
use super::conditions::Conditions;
use super::plan::UserConfigItem;
use super::row::{CONDITIONS, SCHEMA, check};
use super::target::{UserConfigOutcome, UserConfigTarget};
use crate::connect::{ChannelSetting, Connect, ConnectError, Value};
use crate::input::{Header, Interner, Record, Symbol};
use crate::kind::cells::user_of;
use crate::kind::ledger::{Ledger, UserBatch};
use crate::kind::rows::{Rows, in_lines};
use crate::outcome::{Code, Line, Outcome, RowId, Status};
use crate::resolve::Users;

/// Conditions as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ConditionText {}

/// All rows of a file of settings and their outcomes.
#[derive(Debug, Default)]
pub struct UserConfigRows {
    ledger: Ledger,
    /// What each row says; nothing where it is wrong by itself.
    cells: Vec<Option<Cells>>,
    /// What each row asks for first: each text is kept once for all rows.
    conditions: Vec<Symbol<ConditionText>>,
    condition_texts: Interner<ConditionText>,
}

impl UserConfigRows {
    /// The rows of one user, not compared yet.
    fn rows(&self, batch: UserBatch) -> Vec<UserConfigItem> {
        let item = |&row: &RowId| {
            let conditions = Conditions::from_text(self.condition_texts.resolve(self.conditions[row.index()]));
            let (line, cells) = (self.ledger.line(row), self.cells[row.index()]?);
            Some(UserConfigItem { row, line, cells, conditions, repeats: None })
        };
        self.ledger.rows(batch).iter().filter_map(item).collect()
    }
}

impl Rows for UserConfigRows {
    const NAME: &'static str = "user_config";
    type Reference = ();
    type Target = UserConfigTarget;

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn push(&mut self, header: &Header, record: &Record<'_>) {
        let (user, cells, conditions, outcome) = match check(header, record) {
            Ok(row) => (row.user, Some(row.cells), row.conditions.to_text(), Outcome::PENDING),
            Err(problem) => {
                let user = user_of(header, record).unwrap_or_default();
                (user, None, String::new(), Outcome::invalid(problem.code))
            }
        };
        self.conditions.push(self.condition_texts.intern(&conditions));
        self.ledger.push(Line(record.line), user, outcome);
        self.cells.push(cells);
    }

    fn check_replaceable(_: &Header) -> Result<(), &'static str> {
        Err("A file of channel settings is never the whole truth: an empty cell leaves a setting as it is")
    }

    async fn fetch_reference(&self, _: &Connect) -> Result<(), ConnectError> {
        Ok(())
    }

    fn resolve(&mut self, users: &Users, (): &(), _: &BTreeSet<RowId>) -> Vec<UserBatch> {
        self.ledger.refuse_unknown_users(users);
        let batches = self.ledger.by_user(users);
        for batch in &batches {
            let rows = self.rows(*batch);
            let ids: Vec<RowId> = rows.iter().map(|item| item.row).collect();
            for (row, compared) in ids.into_iter().zip(compare(rows)) {
                if let Err(line) = compared {
                    self.ledger.set(row, Outcome::conflicting(line));
                }
            }
        }
        self.ledger.retain_resolved(batches, users)
    }

    fn items(&self, batch: UserBatch) -> Vec<UserConfigItem> {
        compare(self.rows(batch)).into_iter().filter_map(Result::ok).collect()
    }

    fn has_conditions(header: &Header) -> bool {
        (CONDITIONS..SCHEMA.len()).any(|column| header.index_of(column).is_some())
    }

    fn wants(&self, batch: UserBatch) -> Option<String> {
        let items = self.items(batch);
        if items.iter().any(|item| !item.conditions.0.is_empty()) {
            return None;
        }
        let want = |(key, value): (ChannelSetting, Value)| {
            [key.channel.to_string(), key.setting.to_string(), value.to_string()]
        };
        let wants: BTreeSet<_> = items.iter().flat_map(UserConfigItem::wants).map(want).collect();
        Some(in_lines(wants.into_iter()))
    }

    /// What repeats another row is said to do so, as if the user had been read.
    fn record_as_recorded(&mut self, batch: UserBatch, seen_at: u32) {
        for item in self.items(batch) {
            let outcome = item.repeats.map_or(Outcome::as_recorded(seen_at), Outcome::duplicate);
            self.ledger.set(item.row, outcome);
        }
    }

    fn record(&mut self, batch: UserBatch, outcomes: Vec<UserConfigOutcome>) {
        for (row, outcome) in self.ledger.rows(batch).to_vec().into_iter().zip(outcomes) {
            let messages = &mut self.ledger.messages;
            let outcome = match outcome {
                UserConfigOutcome::Added => Outcome::plain(Status::Added),
                UserConfigOutcome::Updated => Outcome::plain(Status::Updated),
                UserConfigOutcome::Unchanged => Outcome::plain(Status::Unchanged),
                UserConfigOutcome::Duplicate(line) => Outcome::duplicate(line),
                UserConfigOutcome::Kept(found) => {
                    let message = messages.intern(Code::ChangedSince.name(), &found.to_string());
                    Outcome::with_message(Status::Kept, message)
                }
                UserConfigOutcome::Unmet(unmet) => {
                    let message = messages.intern(Code::NeedsOtherSetting.name(), &unmet.to_string());
                    Outcome::with_message(Status::Invalid, message)
                }
                UserConfigOutcome::Failed(error) => messages.failed(&error),
                UserConfigOutcome::Pending => continue,
            };
            self.ledger.set(row, outcome);
        }
    }
}
