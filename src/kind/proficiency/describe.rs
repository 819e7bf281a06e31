//! What the report says of proficiencies, and what takes an import of them back. Pure.

use super::effects::{ProficiencyChange, ProficiencyEffects};
use super::plan::Condition;
use super::row::{ACTION, CheckedProficiency, IF_LEVEL, NONE, check};
use super::rows::{ProficiencyRows, is_sheet_removal};
use crate::connect::{Level, UserId};
use crate::input::{Header, Record};
use crate::kind::messages::as_recorded;
use crate::kind::rows::{Describe, ReportContext, Rows as _};
use crate::kind::unassigned::Protected;
use crate::outcome::{Code, LevelChange, Line, Note, Outcome, Problem, RowId, RowReport, Status};
use crate::resolve::Catalog;

/// What the user had and what it has, or would have, as far as that is known.
fn level_change(outcome: Outcome, row: &CheckedProficiency<'_>) -> Option<LevelChange> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
    let wanted = row.level.map_or(0, |level| level.to_wire().round() as u8);
    let before = match outcome.note() {
        Note::LevelBefore(hundredths) => u8::try_from((hundredths + 50) / 100).ok(),
        _ => None,
    };
    let (before, after) = match outcome.status {
        Status::Added | Status::WouldAdd => (0, wanted),
        Status::Updated | Status::WouldUpdate => (before?, wanted),
        Status::Removed | Status::WouldRemove => (before?, 0),
        Status::Unchanged if wanted > 0 => (wanted, wanted),
        _ => return None,
    };
    Some(LevelChange { before, after })
}

/// A level of a user, or that there is none: as a condition says it.
fn level_or_none(level: Option<Level>) -> String {
    level.map_or_else(|| NONE.to_owned(), |level| level.to_string())
}

/// The row that brings a user from one level to another, if it still has the former.
fn conditional_row(user: &UserId, change: &ProficiencyChange, from: Option<Level>, to: Option<Level>) -> Vec<String> {
    let (attribute, value) = (change.pair.attribute.to_string(), change.pair.value.to_string());
    let action = if to.is_some() { "set" } else { "remove" };
    let level = to.map_or_else(String::new, |level| level.to_string());
    vec![user.to_string(), attribute, value, level, action.to_owned(), level_or_none(from)]
}

/// The row that makes a change.
fn forth(user: &UserId, change: &ProficiencyChange) -> Vec<String> {
    conditional_row(user, change, change.before, change.after)
}

/// Rows of `removed.csv`: what a user had.
fn lost(user: &str, changes: &[ProficiencyChange]) -> Vec<Vec<String>> {
    let row = |ProficiencyChange { pair, before, .. }: &ProficiencyChange| {
        let level = before.map_or_else(String::new, |level| level.to_string());
        vec![user.to_owned(), pair.attribute.to_string(), pair.value.to_string(), level]
    };
    changes.iter().map(row).collect()
}

/// `Language=German, Product=P01`.
fn pairs(changes: &[ProficiencyChange]) -> String {
    changes.iter().map(|change| change.pair.to_string()).collect::<Vec<_>>().join(", ")
}

/// How rows of one user, attribute and value differ that contradict each other.
fn difference(header: &Header) -> &'static str {
    if header.index_of(IF_LEVEL).is_some() { "another level or condition" } else { "another level" }
}

/// What is said of an addition for which there is no room.
fn too_many(what: &str, most: usize) -> String {
    format!(
        "The user would have {what} than the {most} that are allowed. Remove some first, or raise the quota in Amazon Connect \
         and MAX_PROFICIENCIES_PER_USER here."
    )
}

impl Describe for ProficiencyRows {
    const UNDO: &'static [&'static str] = &["user", "attribute", "value", "level", "action", "if_level"];
    const REMOVED: &'static [&'static str] = &["user", "attribute", "value", "level"];

    fn describe(
        &self,
        row: RowId,
        header: &Header,
        record: &Record<'_>,
        context: ReportContext<'_, Catalog>,
    ) -> RowReport {
        let outcome = self.ledger().outcome(row).unwrap_or(Outcome::PENDING);
        let checked = check(header, record);
        let levels = checked.as_ref().ok().and_then(|row| level_change(outcome, row));
        let (code, message) = self.message(outcome, header, Line(record.line), checked, context);
        let mut report = RowReport { levels, ..RowReport::new(outcome.status, code, message) };
        report.cause = match outcome.code {
            Code::ConflictingRows => Some(format!(
                "Contradicts another line: same user, attribute and value, {}. None of them was done: keep one.",
                difference(header)
            )),
            Code::TooManyProficiencies => Some(too_many("more proficiencies", context.max_proficiencies)),
            Code::ChangedSince => Some(outcome.code.in_words().to_owned()),
            _ => None,
        };
        if let Some(surplus) = self.surplus(row, context) {
            report.remark(&surplus);
        }
        report
    }

    fn columns(&self, header: &Header, is_truth: bool) -> Vec<usize> {
        let has_actions = !header.is_of_sheet() || (self.counts_removals() && !is_truth);
        let is_there = |index: &usize| has_actions || header.index_of(ACTION) != Some(*index);
        header.carried.iter().copied().filter(is_there).collect()
    }

    fn may_be_retried(&self, row: RowId, header: &Header, record: &Record<'_>, is_truth: bool) -> bool {
        // Without its contradiction a row would be right: it stays, without a level, until somebody decides.
        let is_contradiction = || self.ledger().outcome(row).is_some_and(|of| of.code == Code::ConflictingRows);
        !(is_truth && is_sheet_removal(header, record)) || is_contradiction()
    }

    fn undo(user: &UserId, effects: &ProficiencyEffects) -> Vec<Vec<String>> {
        let ProficiencyEffects { changed, removed, unseen, .. } = effects;
        let back = |change: &ProficiencyChange| conditional_row(user, change, change.after, change.before);
        changed.iter().chain(removed).chain(unseen).map(back).collect()
    }

    fn plan(user: &UserId, effects: &ProficiencyEffects) -> Vec<Vec<String>> {
        effects.changed.iter().chain(&effects.removed).map(|change| forth(user, change)).collect()
    }

    fn withheld(user: &UserId, effects: &ProficiencyEffects) -> Vec<Vec<String>> {
        effects.withheld.iter().map(|change| forth(user, change)).collect()
    }

    fn withholds(effects: &ProficiencyEffects, protected: &Protected) -> bool {
        effects.withheld.iter().any(|change| protected.covers(&change.pair))
    }

    fn withheld_by_name(user: &str, effects: &ProficiencyEffects) -> Vec<Vec<String>> {
        lost(user, &effects.withheld)
    }

    fn removed(user: &str, effects: &ProficiencyEffects) -> Vec<Vec<String>> {
        lost(user, &effects.removed)
    }

    fn changed_beyond_rows(effects: &ProficiencyEffects) -> bool {
        !effects.removed.is_empty()
    }

    fn is_incomplete(effects: &ProficiencyEffects) -> bool {
        !(effects.remaining.is_empty() && effects.withheld.is_empty())
    }
}

impl ProficiencyRows {
    /// The code and the sentence of an outcome.
    fn message(
        &self,
        outcome: Outcome,
        header: &Header,
        own_line: Line,
        checked: Result<CheckedProficiency<'_>, Problem<Code>>,
        context: ReportContext<'_, Catalog>,
    ) -> (String, String) {
        // What an earlier delivery found is told, also where this one could not ask the instance what would be right.
        let in_words = || outcome.code.in_words().to_owned();
        // A sheet's line has many entries.
        let said = |line: Line| {
            if line == own_line { "another entry of this line".to_owned() } else { format!("line {line}") }
        };
        let message = match (outcome.code, outcome.note(), checked) {
            (_, Note::Message(id), _) => return self.ledger().messages.get(id),
            (_, _, Err(problem)) => problem.message,
            (Code::UnknownUser, _, Ok(row)) => context.users.map_or_else(in_words, |users| users.why(row.user)),
            (Code::UnknownAttribute | Code::UnknownValue, _, Ok(row)) => {
                context.reference.map_or_else(in_words, |catalog| catalog.why(row.attribute.trim(), row.value.trim()))
            }
            (Code::DuplicateRow, Note::Line(line), _) => format!("Duplicate of {}.", said(line)),
            (_, Note::Line(line), _) => {
                format!(
                    "Contradicts {}: same user, attribute and value, {}. Keep one of the two.",
                    said(line),
                    difference(header)
                )
            }
            (_, Note::LevelFound(hundredths), Ok(row)) => {
                #[expect(clippy::cast_precision_loss, reason = "levels are 1 to 5")]
                let found = (hundredths > 0).then(|| Level::from_wire(hundredths as f32 / 100.0));
                let expected = match row.condition {
                    Condition::Level(level) => Some(level),
                    Condition::Always | Condition::Absent => None,
                };
                format!(
                    "{}={} is now {}, not {}: it was changed since. Left as it is.",
                    row.attribute.trim(),
                    row.value.trim(),
                    level_or_none(found),
                    level_or_none(expected)
                )
            }
            (_, Note::SeenAt(seen_at), _) => as_recorded(seen_at),
            (_, Note::NoRoom, Ok(_)) => {
                "There is no room for what the rows of this user add, so this one was not done either.".to_owned()
            }
            (_, Note::SetSize(size), _) => too_many(&format!("{size} proficiencies, more"), context.max_proficiencies),
            (_, Note::LevelBefore(hundredths), Ok(row))
                if matches!(outcome.status, Status::Updated | Status::WouldUpdate) =>
            {
                let level = row.level.map_or_else(String::new, |level| level.to_string());
                format!("level {} -> {level}", f64::from(hundredths) / 100.0)
            }
            (_, Note::LevelBefore(_) | Note::None, Ok(_)) => String::new(),
        };
        (outcome.code.name().to_owned(), message)
    }

    /// Where the file is the whole truth for its users: what to say of a user who has more than the file names.
    fn surplus(&self, row: RowId, context: ReportContext<'_, Catalog>) -> Option<String> {
        if !context.replaces {
            return None;
        }
        let user = self.ledger().known_user(row, context.users?)?;
        let effects = self.effects_of(row, context);
        if let Some(ProficiencyEffects { remaining, remaining_reason, withheld, .. }) =
            effects.iter().find(|of| Self::is_incomplete(of))
        {
            let reason = remaining_reason.as_ref().map_or_else(String::new, |reason| format!(" {reason}"));
            let remaining = (!remaining.is_empty())
                .then(|| format!("What the file does not name could not be removed: {}.{reason}", pairs(remaining)));
            let withheld = (!withheld.is_empty()).then(|| {
                format!(
                    "Not removed, because a row that cannot be assigned to a user may name it: {}.",
                    pairs(withheld)
                )
            });
            return Some(remaining.into_iter().chain(withheld).collect::<Vec<_>>().join(" "));
        }
        let has_lost = effects.iter().any(|effects| !effects.removed.is_empty());
        let sentence = if has_lost {
            "Not all rows of this user are right. What had to make room before that was seen, and found none again, is in \
             removed.csv."
        } else {
            "Not all rows of this user are right, so what the file does not name was not removed."
        };
        context.user_notes?.has_errors(user).then(|| sentence.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kind::test_desk::{APPLY, INSTANCE, read, report, table, user_id, visit};
    use crate::kind::{FileKind, ReconcileOptions, UserEffects};
    use crate::outcome::Line;
    use crate::resolve::Users;
    use serde_json::value::RawValue;

    const EFFECTS: &str = r#"{"c":[["connect:A","x",2,5],["connect:A","y",null,1]],"r":[["Product","P01",3,null]],
                              "u":[["Product","P02",null,4]],"k":[["Product","P03",1,null]],"w":"Not this.",
                              "h":[["Product","P04",2.5,null],["Product","P05",1,null]]}"#;

    /// The messages of these rows of one user, after this happened.
    fn messages(csv_rows: &[&str], replaces: bool, happen: impl FnOnce(&mut ProficiencyRows)) -> Vec<String> {
        let csv = table(FileKind::Proficiencies, 0, csv_rows);
        let mut rows: ProficiencyRows = read(FileKind::Proficiencies, &csv);
        let recorded = rows.ledger().recorded_users([(RowId(0), UserId::new(user_id(0)))].into_iter());
        let users = Users::recorded(INSTANCE, &recorded, 0);
        rows.resolve(&users, &Catalog::default(), &BTreeSet::new());
        happen(&mut rows);
        let options = ReconcileOptions { replaces, ..APPLY };
        let reports = report(&rows, FileKind::Proficiencies, &csv, &users, &Catalog::default(), options);
        reports.into_iter().map(|row| row.message).collect()
    }

    fn set_effects(rows: &mut ProficiencyRows, json: &str) {
        let json = RawValue::from_string(json.to_owned()).unwrap();
        rows.restore_effects(RowId(0), &UserEffects { user: UserId::new(user_id(0)), json }).unwrap();
    }

    #[test]
    fn a_row_says_which_other_it_repeats_or_contradicts() {
        let rows = ["connect:A,x,1", "connect:a,X,1", "connect:A,y,2", "connect:A,y,3", "connect:A,z,9"];
        let expected = [
            "",
            "Duplicate of line 2.",
            "Contradicts line 5: same user, attribute and value, another level. Keep one of the two.",
            "Contradicts line 4: same user, attribute and value, another level. Keep one of the two.",
            "The level '9' is not 1, 2, 3, 4 or 5.",
        ];
        assert_eq!(messages(&rows, false, |_| {}), expected);
        let missing = messages(&["connect:A,,1", ",x,1"], false, |_| {});
        assert_eq!(missing, ["These cells are empty: value.", "These cells are empty: attribute."]);
    }

    #[test]
    fn what_the_file_does_not_name_is_told_of_every_row_of_its_user() {
        let change = |rows: &mut ProficiencyRows| {
            rows.ledger_mut().set(RowId(0), Outcome::from_level(Status::Updated, 250));
            rows.ledger_mut().set(RowId(1), Outcome::duplicate(Line(2)));
        };
        let rows = ["connect:A,x,1", "connect:A,x,1"];
        let kept = "What the file does not name could not be removed: Product=P03. Not this. Not removed, because a row that \
                    cannot be assigned to a user may name it: Product=P04, Product=P05.";
        let told = messages(&rows, true, |rows| {
            change(rows);
            set_effects(rows, EFFECTS);
        });
        assert_eq!(told, [format!("level 2.5 -> 1. {kept}"), format!("Duplicate of line 2. {kept}")]);
        assert_eq!(messages(&rows, false, change), ["level 2.5 -> 1", "Duplicate of line 2."]);

        let rows = ["connect:A,x,1", "connect:A,y,six"];
        let told = messages(&rows, true, change_nothing);
        let not_removed = "Not all rows of this user are right, so what the file does not name was not removed.";
        assert_eq!(told, [not_removed, &format!("The level 'six' is not 1, 2, 3, 4 or 5. {not_removed}")]);
        let told = messages(&rows, true, |rows| set_effects(rows, r#"{"r":[["Product","P01",3,null]]}"#));
        assert!(told[0].ends_with("and found none again, is in removed.csv."), "{told:?}");
    }

    #[test]
    fn what_is_wrong_with_a_row_is_said_even_where_the_instance_could_not_be_asked() {
        let csv = table(FileKind::Proficiencies, 0, &["Language,Greek,1"]);
        let mut rows: ProficiencyRows = read(FileKind::Proficiencies, &csv);
        let nothing =
            ReportContext { users: None, reference: None, max_proficiencies: 10, replaces: false, user_notes: None };
        for code in [Code::UnknownUser, Code::UnknownAttribute, Code::UnknownValue] {
            rows.ledger_mut().set(RowId(0), Outcome::invalid(code));
            visit(FileKind::Proficiencies, &csv, |header, record| {
                assert_eq!(rows.describe(RowId(0), header, record, nothing).message, code.in_words());
            });
        }
    }

    fn change_nothing(_: &mut ProficiencyRows) {}

    #[test]
    fn undo_takes_back_rows_then_removals_then_what_cannot_be_seen_and_a_plan_does_them() {
        let effects = serde_json::from_str(EFFECTS).unwrap();
        let undo = ProficiencyRows::undo(&UserId::new("an-id"), &effects);
        let undo: Vec<String> = undo.iter().map(|row| row.join(",")).collect();
        let expected = [
            "an-id,connect:A,x,2,set,5",
            "an-id,connect:A,y,,remove,1",
            "an-id,Product,P01,3,set,none",
            "an-id,Product,P02,,remove,4",
        ];
        assert_eq!(undo, expected);
        let joined = |rows: Vec<Vec<String>>| rows.iter().map(|row| row.join(",")).collect::<Vec<_>>();
        let plan = joined(ProficiencyRows::plan(&UserId::new("an-id"), &effects));
        let expected = ["an-id,connect:A,x,5,set,2", "an-id,connect:A,y,1,set,none", "an-id,Product,P01,,remove,3"];
        assert_eq!(plan, expected);
        let withheld = joined(ProficiencyRows::withheld(&UserId::new("an-id"), &effects));
        assert_eq!(withheld, ["an-id,Product,P04,,remove,2.5", "an-id,Product,P05,,remove,1"]);
        assert_eq!(ProficiencyRows::removed("jdoe", &effects), [["jdoe", "Product", "P01", "3"]]);
        assert!(ProficiencyRows::is_incomplete(&effects) && ProficiencyRows::changed_beyond_rows(&effects));
    }
}
