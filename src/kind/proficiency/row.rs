//! One row by itself.

use crate::input::{Column, Header, Presence, Record, Schema};
use crate::kind::cells::{
    MAX_USER_LETTERS, USER, USER_COLUMN, cell, check_given, check_length, check_visible, check_whole,
};
use crate::outcome::{Code, Problem};

/// The columns of a proficiencies file.
pub const SCHEMA: Schema = &[
    USER_COLUMN,
    Column { name: "attribute", aliases: &["attributename", "skill", "proficiency"], presence: Presence::Required },
    Column { name: "value", aliases: &["attributevalue"], presence: Presence::Required },
    Column { name: "level", aliases: &["proficiencylevel"], presence: Presence::Required },
    Column { name: "action", aliases: &[], presence: Presence::Optional },
];

const ATTRIBUTE: usize = 1;
const VALUE: usize = 2;
const LEVEL: usize = 3;
pub(super) const ACTION: usize = 4;

/// The service model: attribute names and values have 1 to 100 characters.
const MAX_LETTERS: usize = 100;

/// A row that is right by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedProficiency<'r> {
    /// A user id, a user ARN or a username.
    pub user: &'r str,
    /// The attribute, in the file's spelling.
    pub attribute: &'r str,
    /// The value, in the file's spelling.
    pub value: &'r str,
    /// 1 to 5, or nothing where the row says `remove`.
    pub level: Option<u8>,
}

/// Checks a row by itself: whole, no field missing, a level and an action that mean something.
pub fn check<'r>(header: &Header, record: &Record<'r>) -> Result<CheckedProficiency<'r>, Problem<Code>> {
    check_whole(header, record)?;
    let user = cell(header, record, USER);
    let attribute = cell(header, record, ATTRIBUTE);
    let value = cell(header, record, VALUE);
    let level = cell(header, record, LEVEL);
    let action = cell(header, record, ACTION);
    let named = [("user", user), ("attribute", attribute), ("value", value), ("level", level), ("action", action)];
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
    check_given(needed)?;
    let level = if is_removal { None } else { Some(level_of(level)?) };
    Ok(CheckedProficiency { user, attribute, value, level })
}

/// 1 to 5, whole: `3`, `3.0`, and `3,0` as a German Excel writes it.
fn level_of(cell: &str) -> Result<u8, Problem<Code>> {
    let (whole, fraction) = cell.split_once(['.', ',']).unwrap_or((cell, "0"));
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    match whole {
        "1" | "2" | "3" | "4" | "5" if is_whole => Ok(whole.as_bytes()[0] - b'0'),
        _ => {
            let message = format!("The level '{cell}' is not 1, 2, 3, 4 or 5.");
            Err(Problem::new(Code::InvalidLevel, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Reader;

    type Cells = (String, String, String, Option<u8>);

    fn check_row(row: &str) -> Result<Cells, (&'static str, String)> {
        let mut found = Vec::new();
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |header: &Header, record: Record<'_>| {
            found.push(match check(header, &record) {
                Ok(row) => Ok((row.user.to_owned(), row.attribute.to_owned(), row.value.to_owned(), row.level)),
                Err(refusal) => Err((refusal.code.name(), refusal.message)),
            });
            Ok(())
        };
        reader.push(format!("agent,skill,value,level,action\n{row}").as_bytes(), &mut visit).unwrap();
        reader.finish(&mut visit).unwrap();
        found.remove(0)
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
        ] {
            assert_eq!(check_row(text), row(level), "{text}");
        }
        assert_eq!(check_row("jdoe,Language,German,1,,\u{a0}, ").unwrap().3, Some(1));
        assert_eq!(check_row("'=x,Language,'t Hooft,1,").unwrap().0, "=x");
        assert_eq!(check_row("'=x,Language,'t Hooft,1,").unwrap().2, "'t Hooft");
    }

    #[test]
    fn a_bad_row_says_what_is_wrong() {
        let long = format!("jdoe,Language,{},3,", "x".repeat(101));
        for (text, code, message) in [
            ("jdoe,Language,German", "wrong_cell_count", "3 cells and the header 5"),
            ("jdoe,Language,German,3,,extra", "wrong_cell_count", "6 cells"),
            (",Language,,3,", "missing_field", "user, value"),
            ("jdoe,Language,German,,", "missing_field", "level"),
            ("jdoe,Language,German,0,", "invalid_level", "'0'"),
            ("jdoe,Language,German,6,", "invalid_level", "'6'"),
            ("jdoe,Language,German,2.5,", "invalid_level", "'2.5'"),
            ("jdoe,Language,German,3.,", "invalid_level", "'3.'"),
            ("jdoe,Language,German,good,", "invalid_level", "'good'"),
            ("jdoe,Language,German,3,delete", "invalid_action", "'delete'"),
            ("jdoe,Language,\"Ger\nman\",3,", "invalid_character", "The value holds a tab or a line break"),
            ("jdoe,Language,Ger\0man,3,", "invalid_character", "in the column \"value\""),
            ("jdoe,Language,German,3,set,\u{1b}", "wrong_cell_count", "6 cells"),
            ("jdoe,Language,German,3,s\u{9c}t", "invalid_character", "in the column \"action\""),
            (&long, "too_long", "value"),
        ] {
            let (found, sentence) = check_row(text).unwrap_err();
            assert_eq!(found, code, "{text}");
            assert!(sentence.contains(message), "{text}: {sentence}");
        }
    }
}
