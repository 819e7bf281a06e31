//! What a file of settings per channel says, held compactly.

use std::collections::BTreeSet;

use super::compare::compare;
use super::plan::UserConfigItem;
use super::row::{Cells, check};
use super::target::{UserConfigOutcome, UserConfigTarget};
use crate::connect::{Connect, ConnectError};
use crate::input::{Header, Record};
use crate::kind::cells::user_of;
use crate::kind::ledger::{Ledger, UserBatch};
use crate::kind::rows::Rows;
use crate::outcome::{Code, Line, Outcome, RowId, Status};
use crate::resolve::Users;

/// All rows of a file of settings and their outcomes.
#[derive(Debug, Default)]
pub struct UserConfigRows {
    ledger: Ledger,
    /// What each row says; nothing where it is wrong by itself.
    cells: Vec<Option<Cells>>,
}

impl UserConfigRows {
    fn with_cells(&self, batch: UserBatch) -> Vec<(RowId, Line, Cells)> {
        let with_cells = |&row: &RowId| Some((row, self.ledger.line(row), self.cells[row.index()]?));
        self.ledger.rows(batch).iter().filter_map(with_cells).collect()
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
        let (user, cells, outcome) = match check(header, record) {
            Ok(row) => (row.user, Some(row.cells), Outcome::PENDING),
            Err(problem) => (user_of(header, record).unwrap_or_default(), None, Outcome::invalid(problem.code)),
        };
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
            let rows = self.with_cells(*batch);
            for ((row, ..), compared) in rows.iter().zip(compare(&rows)) {
                if let Err(line) = compared {
                    self.ledger.set(*row, Outcome::conflicting(line));
                }
            }
        }
        self.ledger.retain_resolved(batches, users)
    }

    fn items(&self, batch: UserBatch) -> Vec<UserConfigItem> {
        compare(&self.with_cells(batch)).into_iter().filter_map(Result::ok).collect()
    }

    fn record(&mut self, batch: UserBatch, outcomes: Vec<UserConfigOutcome>) {
        for (row, outcome) in self.ledger.rows(batch).to_vec().into_iter().zip(outcomes) {
            let messages = &mut self.ledger.messages;
            let outcome = match outcome {
                UserConfigOutcome::Added => Outcome::plain(Status::Added),
                UserConfigOutcome::Updated => Outcome::plain(Status::Updated),
                UserConfigOutcome::Unchanged => Outcome::plain(Status::Unchanged),
                UserConfigOutcome::Duplicate(line) => Outcome::duplicate(line),
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
