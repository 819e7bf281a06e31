//! One row by itself.

use crate::input::{Column, Header, Record, Schema, has_control, trimmed, unguarded};
use crate::outcome::Code;

/// The columns of a proficiencies file.
pub const SCHEMA: Schema = &[
    Column { name: "user", aliases: &["username", "userid", "agent", "agentid", "login"], is_required: true },
    Column { name: "attribute", aliases: &["attributename", "skill", "proficiency"], is_required: true },
    Column { name: "value", aliases: &["attributevalue"], is_required: true },
    Column { name: "level", aliases: &["proficiencylevel"], is_required: true },
    Column { name: "action", aliases: &[], is_required: false },
];

const USER: usize = 0;
const ATTRIBUTE: usize = 1;
const VALUE: usize = 2;
const LEVEL: usize = 3;
const ACTION: usize = 4;

/// The service model: attribute names and values have 1 to 100 characters.
const MAX_LETTERS: usize = 100;
/// A user is an ARN at the longest.
const MAX_USER_LETTERS: usize = 250;

/// A row that is right by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<'r> {
    /// A user id, a user ARN or a username.
    pub user: &'r str,
    /// The attribute, in the file's spelling.
    pub attribute: &'r str,
    /// The value, in the file's spelling.
    pub value: &'r str,
    /// 1 to 5, or nothing where the row says `remove`.
    pub level: Option<u8>,
}

/// Why a row is refused, with a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The report's `import_code`.
    pub code: Code,
    /// The report's `import_message`.
    pub message: String,
}

/// The user that a row names, also where the row is otherwise wrong; but not what is no name at all.
pub(super) fn user_of<'r>(header: &Header, record: &Record<'r>) -> Option<&'r str> {
    Some(cell(header, record, USER)).filter(|user| user.len() <= MAX_USER_LETTERS)
}

/// Checks a row by itself: whole, no field missing, a level and an action that mean something.
pub fn check<'r>(header: &Header, record: &Record<'r>) -> Result<Checked<'r>, Invalid> {
    let n_columns = header.cells.len();
    let mut beyond = (n_columns..record.len()).filter_map(|place| record.get(place));
    let is_too_long = beyond.any(|cell| !trimmed(cell).is_empty());
    if record.len() < n_columns || is_too_long {
        let message = format!(
            "The row has {} cells and the header {n_columns}. Is a delimiter missing, or one too many?",
            record.len()
        );
        return Err(Invalid { code: Code::WrongCellCount, message });
    }
    let user = cell(header, record, USER);
    let attribute = cell(header, record, ATTRIBUTE);
    let value = cell(header, record, VALUE);
    let level = cell(header, record, LEVEL);
    let action = cell(header, record, ACTION);
    let named = [("user", user), ("attribute", attribute), ("value", value), ("level", level), ("action", action)];
    if !record.is_visible() {
        check_visible(header, record, &named)?;
    }
    for (name, cell) in named {
        let most = if name == "user" { MAX_USER_LETTERS } else { MAX_LETTERS };
        if cell.len() > most && cell.chars().count() > most {
            let message = format!("The {name} is longer than {most} characters.");
            return Err(Invalid { code: Code::TooLong, message });
        }
    }
    let is_removal = match action {
        "" => false,
        _ if action.eq_ignore_ascii_case("set") => false,
        _ if action.eq_ignore_ascii_case("remove") => true,
        _ => {
            let message = format!("The action '{action}' is neither 'set' nor 'remove'.");
            return Err(Invalid { code: Code::InvalidAction, message });
        }
    };
    let needed = if is_removal { &named[..3] } else { &named[..4] };
    let missing: Vec<_> = needed.iter().filter(|(_, cell)| cell.is_empty()).map(|(name, _)| *name).collect();
    if !missing.is_empty() {
        let message = format!("Nothing is said in: {}.", missing.join(", "));
        return Err(Invalid { code: Code::MissingField, message });
    }
    let level = if is_removal { None } else { Some(level_of(level)?) };
    Ok(Checked { user, attribute, value, level })
}

fn cell<'r>(header: &Header, record: &Record<'r>, column: usize) -> &'r str {
    let cell = header.place(column).and_then(|place| record.get(place)).unwrap_or_default();
    trimmed(unguarded(trimmed(cell)))
}

/// No cell may hold a control character; tabs and line breaks may stand in columns that are carried through.
fn check_visible(header: &Header, record: &Record<'_>, named: &[(&str, &str)]) -> Result<(), Invalid> {
    let message = if let Some(at) = record.cells().position(has_control) {
        let column =
            header.shown(at).map_or_else(|| format!("number {}", at + 1), |name| format!("in the column {name}"));
        format!("The cell {column} holds a character that nobody can see (such as NUL or escape). Type the cell anew.")
    } else if let Some((name, _)) = named.iter().find(|(_, cell)| cell.contains(['\t', '\r', '\n'])) {
        format!("The {name} holds a tab or a line break. Is a quote on this line not closed?")
    } else {
        return Ok(());
    };
    Err(Invalid { code: Code::InvalidCharacter, message })
}

/// 1 to 5, whole: `3`, `3.0`, and `3,0` as a German Excel writes it.
fn level_of(cell: &str) -> Result<u8, Invalid> {
    let (whole, fraction) = cell.split_once(['.', ',']).unwrap_or((cell, "0"));
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    match whole {
        "1" | "2" | "3" | "4" | "5" if is_whole => Ok(whole.as_bytes()[0] - b'0'),
        _ => {
            let message = format!("The level '{cell}' is not 1, 2, 3, 4 or 5.");
            Err(Invalid { code: Code::InvalidLevel, message })
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
        let mut reader = Reader::new(SCHEMA);
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
