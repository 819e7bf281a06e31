//! What the report says of settings per channel, and what takes an import of them back. Pure.

use super::effects::{RowChanges, SettingChange, UserConfigEffects};
use super::row::{CheckedConfig, check};
use super::rows::UserConfigRows;
use super::words::{UNDO_HEADER, changed};
use crate::connect::{Channel, Setting, UserId};
use crate::input::{Header, Record};
use crate::kind::messages::as_recorded;
use crate::kind::rows::{Describe, ReportContext, Rows as _};
use crate::outcome::{Code, Note, Outcome, Problem, RowId, RowReport, Status};

impl Describe for UserConfigRows {
    const UNDO: &'static [&'static str] = &UNDO_HEADER;
    const REMOVED: &'static [&'static str] = &[];

    fn describe(&self, row: RowId, header: &Header, record: &Record<'_>, context: ReportContext<'_, ()>) -> RowReport {
        let outcome = self.ledger().outcome(row).unwrap_or(Outcome::PENDING);
        let checked = check(header, record);
        let changed = checked.as_ref().ok().and_then(|_| self.changed(row, outcome, context));
        let (code, reason) = self.reason(outcome, header, checked, context);
        let mut report = RowReport::new(outcome.status, code, reason);
        report.cause = match (outcome.status, outcome.code) {
            (_, Code::ConflictingRows) => Some(format!(
                "Contradicts another line: same user, channel and setting, {}. None of them was done: keep one.",
                difference(header)
            )),
            (Status::Kept, _) => Some(Code::ChangedSince.in_words().to_owned()),
            _ => None,
        };
        if let Some(changed) = changed {
            report.remark(&changed);
        }
        report
    }

    fn undo(user: &UserId, effects: &UserConfigEffects) -> Vec<Vec<String>> {
        let all = || changes(effects).chain(unseen(effects));
        let back = |(channel, change): (&Channel, &SettingChange)| {
            change.back(user.as_str(), channel, number_of(channel, all()))
        };
        all().filter_map(back).collect()
    }

    fn plan(user: &UserId, effects: &UserConfigEffects) -> Vec<Vec<String>> {
        let forth = |(channel, change): (&Channel, &SettingChange)| {
            change.forth(user.as_str(), channel, number_of(channel, changes(effects)))
        };
        changes(effects).map(forth).collect()
    }

    fn removed(_: &str, _: &UserConfigEffects) -> Vec<Vec<String>> {
        Vec::new()
    }

    fn changed_beyond_rows(effects: &UserConfigEffects) -> bool {
        // A row may have changed something and yet not have ended well.
        !effects.changed.is_empty()
    }

    fn is_incomplete(_: &UserConfigEffects) -> bool {
        false
    }
}

/// What rows changed.
fn changes(effects: &UserConfigEffects) -> impl Iterator<Item = (&Channel, &SettingChange)> {
    effects.changed.iter().flat_map(|RowChanges(_, channel, changes)| changes.iter().map(move |it| (channel, it)))
}

/// What may have been changed, and cannot be seen.
fn unseen(effects: &UserConfigEffects) -> impl Iterator<Item = (&Channel, &SettingChange)> {
    effects.unseen.iter().flat_map(|(channel, changes)| changes.iter().map(move |it| (channel, it)))
}

/// What was done to a channel's phone number.
fn number_of<'e>(
    channel: &Channel,
    mut changes: impl Iterator<Item = (&'e Channel, &'e SettingChange)>,
) -> Option<&'e SettingChange> {
    let is_number =
        |(of, change): &(&Channel, &SettingChange)| *of == channel && change.setting == Setting::PhoneNumber;
    changes.find(is_number).map(|(_, change)| change)
}

/// How rows of one user, channel and setting differ that contradict each other.
fn difference(header: &Header) -> &'static str {
    if UserConfigRows::has_conditions(header) { "another value or condition" } else { "another value" }
}

impl UserConfigRows {
    /// The code of an outcome, and why it came to it.
    fn reason(
        &self,
        outcome: Outcome,
        header: &Header,
        checked: Result<CheckedConfig<'_>, Problem<Code>>,
        context: ReportContext<'_, ()>,
    ) -> (String, String) {
        let reason = match (outcome.code, outcome.note(), checked) {
            (_, Note::Message(id), _) => return self.ledger().messages.get(id),
            (_, _, Err(problem)) => problem.message,
            (Code::UnknownUser, _, Ok(row)) => {
                context.users.map_or_else(|| outcome.code.in_words().to_owned(), |users| users.why(row.user))
            }
            (_, Note::SeenAt(seen_at), _) => as_recorded(seen_at),
            (Code::DuplicateRow, Note::Line(line), _) => format!("This was said before: see line {line}."),
            (_, Note::Line(line), _) => {
                let difference = difference(header);
                format!("Contradicts line {line}: same user, channel and setting, {difference}. Keep one of the two.")
            }
            (_, _, Ok(_)) => String::new(),
        };
        (outcome.code.name().to_owned(), reason)
    }

    /// What was changed for a row.
    fn changed(&self, row: RowId, outcome: Outcome, context: ReportContext<'_, ()>) -> Option<String> {
        if matches!(outcome.status, Status::Unchanged | Status::Duplicate) {
            return None;
        }
        let effects = self.effects_of(row, context);
        let RowChanges(_, _, changes) =
            effects.iter().flat_map(|effects| &effects.changed).find(|changes| changes.0 == row)?;
        Some(changed(changes, !outcome.status.needs_retry()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;
    use crate::kind::test_desk::{APPLY, INSTANCE, read, report, table, user_id};
    use crate::kind::{FileKind, UserEffects};
    use crate::resolve::Users;
    use serde_json::value::RawValue;

    #[test]
    fn what_several_deliveries_changed_for_a_user_is_told_of_its_rows() {
        let csv = table(FileKind::UserConfig, 0, &["CHAT,yes", "CHAT,no", "TASK,yes", "EMAIL,yes"]);
        let mut rows: UserConfigRows = read(FileKind::UserConfig, &csv);
        let recorded = rows.ledger().recorded_users([(RowId(0), UserId::new(user_id(0)))].into_iter());
        let users = Users::recorded(INSTANCE, &recorded, 0);
        rows.resolve(&users, &(), &BTreeSet::new());
        for (row, json) in [
            (2, r#"{"c":[[2,"TASK",[[0,false,true]]]]}"#),
            (3, r#"{"c":[[3,"EMAIL",[[0,null,true]]]],"u":[["VOICE",[[0,true,false]]]]}"#),
        ] {
            rows.ledger_mut().set(RowId(row), Outcome::plain(Status::Updated));
            let json = RawValue::from_string(json.to_owned()).unwrap();
            rows.restore_effects(RowId(row), &UserEffects { user: UserId::new(user_id(0)), json }).unwrap();
        }
        let reports = report(&rows, FileKind::UserConfig, &csv, &users, &(), APPLY);
        let messages: Vec<&str> = reports.iter().map(|row| row.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Contradicts line 3: same user, channel and setting, another value. Keep one of the two.",
                "Contradicts line 2: same user, channel and setting, another value. Keep one of the two.",
                "auto_accept no -> yes",
                "auto_accept nothing -> yes. undo.csv cannot take back: auto_accept.",
            ]
        );
        let undo = rows.all_effects().flat_map(|(_, user, effects)| UserConfigRows::undo(&user, &effects));
        let undo: Vec<String> = undo.map(|row| row[1..].join(",")).collect();
        assert_eq!(undo, ["TASK,no,,,,,,,,yes,,,,,,,", "VOICE,yes,,,,,,,,no,,,,,,,"]);
        assert_eq!(rows.users(Some(&users)).changed, 1);
    }

    #[test]
    fn what_was_done_is_taken_back_without_the_file() {
        let mut gone = UserConfigRows::default();
        let json = RawValue::from_string(r#"{"c":[[7,"TASK",[[0,false,true]]]]}"#.to_owned()).unwrap();
        gone.restore_effects(RowId(7), &UserEffects { user: UserId::new("an-id"), json }).unwrap();
        let undo = gone.all_effects().flat_map(|(_, user, effects)| UserConfigRows::undo(&user, &effects));
        assert_eq!(undo.map(|row| row.join(",")).collect::<Vec<_>>(), ["an-id,TASK,no,,,,,,,,yes,,,,,,,"]);
        let users = Users::recorded(INSTANCE, &HashMap::new(), 0);
        assert_eq!((gone.users(Some(&users)).total, gone.users_to_retry(&users).contains(&true)), (0, false));
        assert_eq!(gone.user_notes(&users).effects(crate::input::Symbol::EMPTY).count(), 0);
    }

    #[test]
    fn effects_that_cannot_be_read_are_refused() {
        let csv = table(FileKind::UserConfig, 0, &["CHAT,yes"]);
        let mut rows: UserConfigRows = read(FileKind::UserConfig, &csv);
        let json = RawValue::from_string(r#"{"c":7}"#.to_owned()).unwrap();
        let effects = UserEffects { user: UserId::new(user_id(0)), json };
        assert!(rows.restore_effects(RowId(0), &effects).is_err());
        let users = Users::recorded(INSTANCE, &HashMap::new(), 0);
        assert_eq!(rows.users(Some(&users)).changed, 0);
    }
}
