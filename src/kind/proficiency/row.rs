//! One row by itself.

use super::plan::Condition;
use crate::connect::Level;
use crate::input::{Column, Header, Presence, Record, Schema, trimmed, unescape_formula};
use crate::kind::cells::{
    MAX_USER_LETTERS, USER, USER_COLUMN, cell, check_given, check_length, check_visible, check_whole, name_cell,
};
use crate::outcome::{Code, Problem};

/// The columns of a proficiencies file.
pub const SCHEMA: Schema = &[
    USER_COLUMN,
    Column { aliases: &["attributename", "skill", "proficiency"], ..Column::new("attribute", Presence::Required) },
    Column { aliases: &["attributevalue"], ..Column::new("value", Presence::Required) },
    // A list of removals needs no levels.
    Column { aliases: &["proficiencylevel"], ..Column::new("level", Presence::RequiredWithout("action")) },
    Column { mistaken: &["operation", "delete", "remove"], ..Column::new("action", Presence::Optional) },
    Column::new("if_level", Presence::Optional),
];

const ATTRIBUTE: usize = 1;
const VALUE: usize = 2;
const LEVEL: usize = 3;
pub(super) const ACTION: usize = 4;
pub(super) const IF_LEVEL: usize = 5;
/// What a condition says where the user must not have it.
pub(super) const NONE: &str = "none";

/// The service model: attribute names and values have 1 to 100 characters.
pub(super) const MAX_LETTERS: usize = 100;

/// A row that is right by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckedProficiency<'r> {
    /// A user id, a user ARN or a username.
    pub user: &'r str,
    /// The attribute in the file's spelling, with the spaces around it.
    pub attribute: &'r str,
    /// The value in the file's spelling, with the spaces around it.
    pub value: &'r str,
    /// 1 to 5, or nothing where the row says `remove`.
    pub level: Option<Level>,
    /// What the user must have for the row to be done.
    pub condition: Condition,
}

/// Checks a row by itself: whole, no field missing, a level and an action that mean something.
pub fn check<'r>(header: &Header, record: &Record<'r>) -> Result<CheckedProficiency<'r>, Problem<Code>> {
    check_whole(header, record)?;
    let user = cell(header, record, USER);
    let (attribute_name, value_name) = (name_cell(header, record, ATTRIBUTE), name_cell(header, record, VALUE));
    let (attribute, value) = (trimmed(attribute_name), trimmed(value_name));
    let level = cell(header, record, LEVEL);
    let (action, if_level) = (cell(header, record, ACTION), cell(header, record, IF_LEVEL));
    let named = [
        ("user", user),
        ("attribute", attribute),
        ("value", value),
        ("level", level),
        ("action", action),
        ("if_level", if_level),
    ];
    check_visible(header, record, &named)?;
    for (name, cell) in named {
        check_length(name, cell, if name == "user" { MAX_USER_LETTERS } else { MAX_LETTERS })?;
    }
    let is_removal = match action {
        "" => false,
        _ if action.eq_ignore_ascii_case("set") => false,
        _ if action.eq_ignore_ascii_case("remove") => true,
        _ => {
            let message = format!("The action '{action}' is neither 'set' nor 'remove'.");
            return Err(Problem::new(Code::InvalidAction, message));
        }
    };
    let needed = if is_removal { &named[..3] } else { &named[..4] };
    check_entry(record, attribute, value, level, is_removal)?;
    check_given(header, record, needed)?;
    let is_whole = !says_what_to_remove(header);
    let level = if is_removal { None } else { Some(level_of(level, is_whole)?) };
    let condition = condition_of(if_level)?;
    Ok(CheckedProficiency { user, attribute: attribute_name, value: value_name, level, condition })
}

/// The attribute and the value in the cells so many places behind their columns.
pub(super) fn pair_cells<'r>(header: &Header, record: &Record<'r>, shift: usize) -> (&'r str, &'r str) {
    let cell = |column: usize| header.index_of(column).and_then(|index| record.get(index + shift)).unwrap_or_default();
    let name = |column: usize| trimmed(unescape_formula(trimmed(cell(column))));
    (name(ATTRIBUTE), name(VALUE))
}

/// Whether the file says itself what is to be removed, and from what. It may be one that takes an import back: to what the
/// service held, whatever that was.
pub(super) fn says_what_to_remove(header: &Header) -> bool {
    let has = |column| header.index_of(column).is_some();
    (has(ACTION) || has(IF_LEVEL)) && !header.is_of_sheet()
}

/// A level, `none`, or nothing.
fn condition_of(cell: &str) -> Result<Condition, Problem<Code>> {
    if cell.is_empty() {
        return Ok(Condition::Always);
    }
    if cell.eq_ignore_ascii_case(NONE) {
        return Ok(Condition::Absent);
    }
    number(cell).filter(|level| *level > 0.0).map(|level| Condition::Level(Level::from_wire(level))).ok_or_else(|| {
        let message = format!(
            "The condition `if_level` is '{cell}'. Write the level that the user must have, 'none', or nothing."
        );
        Problem::new(Code::InvalidLevel, message)
    })
}

/// An entry of a list has a value and a level.
fn check_entry(
    record: &Record<'_>,
    attribute: &str,
    value: &str,
    level: &str,
    is_removal: bool,
) -> Result<(), Problem<Code>> {
    let message = match (record.column(), value.is_empty(), level.is_empty() && !is_removal) {
        (Some(_), false, true) => format!("The entry '{value}' has no level. Write '{value} 3', for example."),
        (Some(_), true, _) if !attribute.is_empty() => {
            format!("The entry has no value of the attribute '{attribute}', only a level.")
        }
        _ => return Ok(()),
    };
    Err(Problem::new(Code::MissingField, message))
}

/// 1 to 5, whole: `3`, `3.0`, and `3,0` as a German Excel writes it. Where it need not be whole, `2.5` too.
pub(super) fn level_of(cell: &str, is_whole: bool) -> Result<Level, Problem<Code>> {
    if let [digit @ b'1'..=b'5'] = cell.as_bytes() {
        return Ok(Level::whole(digit - b'0'));
    }
    let is_right = |level: &f32| (1.0..=5.0).contains(level) && (!is_whole || level.fract() == 0.0);
    number(cell)
        .filter(is_right)
        .map(Level::from_wire)
        .ok_or_else(|| Problem::new(Code::InvalidLevel, format!("The level '{cell}' is not 1, 2, 3, 4 or 5.")))
}

/// A number of one digit, and a fraction behind a point or a comma.
fn number(cell: &str) -> Option<f32> {
    let (whole, fraction) = cell.split_once(['.', ',']).unwrap_or((cell, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let is_number = whole.len() == 1 && are_digits(whole) && are_digits(fraction);
    format!("{whole}.{fraction}").parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Reader;

    type Cells = (String, String, String, Option<u8>);

    fn check_row(row: &str) -> Result<Cells, (&'static str, String)> {
        check_below("agent,skill,value,level,action", row)
    }

    fn check_below(header: &str, row: &str) -> Result<Cells, (&'static str, String)> {
        let mut found = Vec::new();
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |header: &Header, record: Record<'_>| {
            found.push(match check(header, &record) {
                Ok(row) => {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
                    let level = row.level.map(|level| level.to_wire() as u8);
                    Ok((row.user.to_owned(), row.attribute.trim().to_owned(), row.value.trim().to_owned(), level))
                }
                Err(refusal) => Err((refusal.code.name(), refusal.message)),
            });
            Ok(())
        };
        reader.push(format!("{header}\n{row}").as_bytes(), &mut visit).unwrap();
        reader.finish(&mut visit).unwrap();
        found.remove(0)
    }

    fn refusal(csv: &str) -> Problem {
        let mut reader = Reader::new(&[SCHEMA]);
        reader.push(csv.as_bytes(), &mut |_, _| Ok(())).and_then(|()| reader.finish(&mut |_, _| Ok(()))).unwrap_err()
    }

    #[test]
    fn a_good_row_is_read_without_what_surrounds_it() {
        let row = |level| Ok(("jdoe".to_owned(), "Language".to_owned(), "German".to_owned(), level));
        for (text, level) in [
            ("jdoe,Language,German,3,", Some(3)),
            (" jdoe ,\"Language\", German,3.0,SET", Some(3)),
            ("\u{a0}jdoe\u{a0},\u{200b}Language,German\u{202f}, 3 ,", Some(3)),
            ("jdoe,Language,German,\"5,00\",set", Some(5)),
            ("jdoe,Language,German,,remove", None),
            ("jdoe,Language,German,9,Remove", None),
            ("jdoe,Language,German,1,,,", Some(1)),
            ("jdoe, \"Language\", \"German\", \"3\", set", Some(3)),
            ("\u{202a}jdoe\u{202c},\u{feff}Language,\u{2066}German\u{2069},\u{200e}3,", Some(3)),
        ] {
            assert_eq!(check_row(text), row(level), "{text}");
        }
        assert_eq!(check_row("jdoe,Language,German,1,,\u{a0}, ").unwrap().3, Some(1));
        assert_eq!(check_row("'=x,Language,'t Hooft,1,").unwrap().0, "=x");
        assert_eq!(check_row("'=x,Language,'t Hooft,1,").unwrap().2, "'t Hooft");
    }

    #[test]
    fn a_file_that_takes_an_import_back_may_say_whatever_the_service_held() {
        let level = |header: &str, row: &str| {
            let mut found = None;
            let mut reader = Reader::new(&[SCHEMA]);
            let mut visit = |header: &Header, record: Record<'_>| {
                found =
                    Some(check(header, &record).map(|row| row.level.map(Level::to_wire)).map_err(|error| error.code));
                Ok(())
            };
            reader.push(format!("{header}\n{row}\n").as_bytes(), &mut visit).unwrap();
            reader.finish(&mut visit).unwrap();
            found.unwrap()
        };
        assert_eq!(level("user,attribute,value,level,action", "j,A,v,2.5,set"), Ok(Some(2.5)));
        assert_eq!(level("user,attribute,value,level,action", "j,A,v,\"2,55\","), Ok(Some(2.55)));
        assert_eq!(level("user,attribute,value,level", "j,A,v,2.5"), Err(Code::InvalidLevel));
    }

    #[test]
    fn a_condition_is_a_level_or_none_or_nothing() {
        let condition = |cell: &str| {
            let mut found = None;
            let mut reader = Reader::new(&[SCHEMA]);
            let mut visit = |header: &Header, record: Record<'_>| {
                found = Some(check(header, &record).map(|row| row.condition).map_err(|problem| problem.message));
                Ok(())
            };
            let csv = format!("user,attribute,value,level,If Level\nj,A,v,2.5,{cell}\n");
            reader.push(csv.as_bytes(), &mut visit).unwrap();
            reader.finish(&mut visit).unwrap();
            found.unwrap()
        };
        let level = |level| Ok(Condition::Level(Level::from_wire(level)));
        for (cell, expected) in [
            ("", Ok(Condition::Always)),
            (" ", Ok(Condition::Always)),
            ("none", Ok(Condition::Absent)),
            ("NONE ", Ok(Condition::Absent)),
            ("3", level(3.0)),
            ("\"2,55\"", level(2.55)),
            ("0.5", level(0.5)),
        ] {
            assert_eq!(condition(cell), expected, "{cell:?}");
        }
        for cell in ["no", "three", "33", "-", "3.", "+3", "0"] {
            let message = condition(cell).unwrap_err();
            assert!(message.starts_with(&format!("The condition `if_level` is '{cell}'.")), "{message}");
        }
    }

    #[test]
    fn the_spaces_around_a_name_stay_for_the_look_up() {
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |header: &Header, record: Record<'_>| {
            let row = check(header, &record).unwrap();
            assert_eq!((row.user, row.attribute, row.value), ("j", "Billing ", " a"));
            Ok(())
        };
        reader.push("user,attribute,value,level\n j ,\u{200b}Billing ,\" a\", 3\n".as_bytes(), &mut visit).unwrap();
        reader.finish(&mut visit).unwrap();
    }

    #[test]
    fn last_cells_that_are_missing_are_empty() {
        let row = |level| Ok(("jdoe".to_owned(), "Language".to_owned(), "German".to_owned(), level));
        assert_eq!(check_row("jdoe,Language,German,3"), row(Some(3)));
        let action_first = "action,agent,skill,value,level,note";
        for (text, level) in [(",jdoe,Language,German,3", Some(3)), ("remove,jdoe,Language,German", None)] {
            assert_eq!(check_below(action_first, text), row(level), "{text}");
        }
        for (header, text, said) in [
            ("agent,skill,value,level,action", "jdoe,Language,German", "These cells are empty: level."),
            ("agent,skill,value,level,action", "jdoe", "These cells are empty: attribute, value, level."),
            (action_first, "remove,jdoe,Language", "These cells are empty: value."),
            (action_first, "set,jdoe,Language,German", "These cells are empty: level."),
            ("note,agent,skill,value,level", "a note", "These cells are empty: user, attribute, value, level."),
        ] {
            let (code, message) = check_below(header, text).unwrap_err();
            let (n_cells, n_columns) = (text.split(',').count(), header.split(',').count());
            let cells = if n_cells == 1 { "1 cell".to_owned() } else { format!("{n_cells} cells") };
            let counts = format!("The row has {cells} and the header {n_columns}. Is a delimiter missing?");
            assert_eq!((code, message), ("missing_field", format!("{said} {counts}")), "{text}");
        }
    }

    #[test]
    fn a_list_of_removals_needs_no_column_of_levels() {
        let header = "agent,skill,value,action";
        let removal = Ok(("jdoe".to_owned(), "Language".to_owned(), "German".to_owned(), None));
        assert_eq!(check_below(header, "jdoe,Language,German,remove"), removal);
        for row in ["jdoe,Language,German,set", "jdoe,Language,German,", "jdoe,Language,German"] {
            let (code, message) = check_below(header, row).unwrap_err();
            assert_eq!(code, "missing_field");
            assert!(message.starts_with("These cells are empty: level. The file has no column `level`."), "{message}");
        }
        assert_eq!(check_below(header, "jdoe,,German,remove").unwrap_err().1, "These cells are empty: attribute.");
        let refusal = refusal("agent,skill,value\nj,L,G\n");
        assert!(refusal.message.starts_with("There is no column `level`."), "{refusal}");
    }

    #[test]
    fn a_column_that_is_only_carried_through_may_hold_any_bytes() {
        for note in ["bell\u{7}", "\0", "\u{9d}", "\"two\nlines\tand\u{1b}[2J\""] {
            let row = check_below("agent,skill,value,level,note", &format!("jdoe,Language,German,3,{note}"));
            assert_eq!(row.unwrap().3, Some(3), "{note:?}");
        }
    }

    #[test]
    fn the_columns_that_are_nearly_ours_reject_the_file() {
        for name in ["actions", "acton", "operation", "Delete", "remove"] {
            let refusal = refusal(&format!("agent,skill,value,level,{name}\n"));
            assert_eq!(refusal.code, "unknown_column");
            assert!(refusal.message.contains(&format!("`action`, but one named \"{name}\"")), "{refusal}");
        }
    }

    #[test]
    fn a_bad_row_says_what_is_wrong() {
        let long = format!("jdoe,Language,{},3,", "x".repeat(101));
        for (text, code, message) in [
            ("jdoe,Language,German,3,,extra", "wrong_cell_count", "The row has 6 cells and the header 5. Is a"),
            (",Language,,3,", "missing_field", "These cells are empty: user, value."),
            ("jdoe,Language,German,,", "missing_field", "level"),
            ("jdoe,Language,German,0,", "invalid_level", "'0'"),
            ("jdoe,Language,German,6,", "invalid_level", "'6'"),
            ("jdoe,Language,German,5.5,", "invalid_level", "'5.5'"),
            ("jdoe,Language,German,0.5,", "invalid_level", "'0.5'"),
            ("jdoe,Language,German,3.,", "invalid_level", "'3.'"),
            ("jdoe,Language,German,good,", "invalid_level", "'good'"),
            ("jdoe,Language,German,3,delete", "invalid_action", "'delete'"),
            ("jdoe,Language,\"Ger\nman\",3,", "invalid_character", "The value holds a tab or a line break"),
            ("jdoe,Language,Ger\0man,3,", "invalid_character", "in the column \"value\""),
            ("jdoe,Language,German,3,set,\u{1b}", "wrong_cell_count", "6 cells"),
            ("jdoe,Language,German,3,s\u{9c}t", "invalid_character", "in the column \"action\""),
            ("jd\u{1b}oe,Language,German,3,", "invalid_character", "in the column \"agent\""),
            (&long, "too_long", "value"),
        ] {
            let (found, sentence) = check_row(text).unwrap_err();
            assert_eq!(found, code, "{text}");
            assert!(sentence.contains(message), "{text}: {sentence}");
        }
    }
}
