//! What a cell means: without what surrounds it, and without what keeps a spreadsheet from running it.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, tab or CR is a formula to a spreadsheet ("CSV injection"). The report
//! writes such a cell with a leading `'`, and reading takes one `'` off before those characters, so that what was written
//! reads back the same. Numbers and phone numbers stay as they are, and so does `'t Hooft`.

use std::borrow::Cow;

fn begins_a_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// `-5`, `+3,5` or `+49 30 901820`: digits in groups, a sign only in front.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.ends_with(|last: char| last.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b' '))
}

/// The cell as a report has it.
pub fn escape_formula(cell: &str) -> Cow<'_, str> {
    let quoted = cell.trim_start_matches('\'');
    if begins_a_formula(quoted) && (quoted.len() < cell.len() || !is_number(cell)) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The cell as it was meant: the inverse of [`escape_formula`].
pub fn unescape_formula(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if begins_a_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

/// The cell without the white space around it, which may be of the kinds that web pages and chats have: non-breaking, of no
/// width, marks of direction, and the byte order mark of a file that was joined to another.
pub fn trimmed(cell: &str) -> &str {
    match cell.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
        _ => cell.trim_matches(|letter: char| {
            letter.is_whitespace() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
        }),
    }
}

/// Whether the text holds no control character at all: no NUL, no escape, no tab and no line break either.
pub(super) fn is_visible(text: &str) -> bool {
    // By bytes and without a branch, for nearly all rows pass; U+0080 to U+009F are C2 80 to C2 9F.
    let is_suspect = |byte: &u8| matches!(byte, 0..0x20 | 0x7f | 0xc2);
    let has_suspect = text.as_bytes().iter().fold(false, |so_far, byte| so_far | is_suspect(byte));
    !has_suspect || !text.chars().any(char::is_control)
}

/// Whether the cell holds what nobody can see and no name has: NUL, escapes and the like. Tabs and line breaks do not count.
pub fn has_control(cell: &str) -> bool {
    !is_visible(cell) && cell.chars().any(|letter| letter.is_control() && !matches!(letter, '\t' | '\r' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_guarded_and_numbers_are_not() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("-", "'-"),
            ("-5", "-5"),
            ("+49 30 901820", "+49 30 901820"),
            ("'t Hooft", "'t Hooft"),
            ("'=x", "''=x"),
            ("'-5", "''-5"),
            ("jdoe", "jdoe"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(cell), written);
            assert_eq!(unescape_formula(written), cell);
        }
        assert_eq!(unescape_formula("'t Hooft"), "'t Hooft");
        assert_eq!(unescape_formula("'=x"), "=x");
    }

    #[test]
    fn what_surrounds_a_cell_is_taken_off() {
        for cell in ["jdoe", " jdoe\t", "\u{a0}jdoe\u{a0}", "\u{feff}jdoe", "\u{200b}jdoe\u{200e} ", "\u{202f}jdoe"] {
            assert_eq!(trimmed(cell), "jdoe", "{cell:?}");
        }
        assert_eq!((trimmed(" \u{a0} "), trimmed(""), trimmed("a\u{a0}b"), trimmed("x")), ("", "", "a\u{a0}b", "x"));
        assert_eq!((trimmed("é "), trimmed("\u{0}")), ("é", "\u{0}"));
    }

    #[test]
    fn what_nobody_can_see_is_found() {
        for cell in ["\0", "a\u{1b}[2J", "\u{7f}", "Â\u{81}", "\u{9d}"] {
            assert!(has_control(cell), "{cell:?}");
        }
        for cell in ["", "two\r\nlines\tand", "Â£ ©", "\u{a0}"] {
            assert!(!has_control(cell), "{cell:?}");
            assert_eq!(is_visible(cell), !cell.contains('\n'));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(cell in "['=+@0-9a ,.\t\r-]{0,8}") {
            let written = escape_formula(&cell);
            prop_assert_eq!(unescape_formula(&written), cell.as_str());
            prop_assert!(!begins_a_formula(&written) || is_number(&written), "{:?} runs", written);
        }
    }
}
