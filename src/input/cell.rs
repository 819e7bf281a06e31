//! What a cell means: its text without white space around it, and without the `'` that keeps a spreadsheet from running it.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, tab or CR for a formula ("CSV injection"). The report
//! writes such a cell with a leading `'`, and reading takes one `'` off before those characters, so that what was written
//! reads back the same. Numbers and phone numbers stay as they are, and so does `'t Hooft`.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

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

/// Whether a cell of ours that holds this text is read as just this text.
pub fn reads_back(text: &str) -> bool {
    !text.is_empty() && is_visible(text) && trimmed(unescape_formula(trimmed(&escape_formula(text)))) == text
}

/// The cell without the white space around it, of any kind, and without characters that have no width.
#[inline]
pub fn trimmed(cell: &str) -> &str {
    match cell.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
        [only] if only.is_ascii_graphic() => cell,
        [] => cell,
        _ => without_blanks(cell),
    }
}

#[inline(never)]
fn without_blanks(cell: &str) -> &str {
    cell.trim_matches(is_blank)
}

/// Whether the character is white space or has no width.
pub(super) fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || has_no_width(letter)
}

/// Whether the character takes no room, so that nobody sees it: web pages, chats and address books leave such characters
/// around what is copied from them, and a byte order mark stands where files were joined.
pub fn has_no_width(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' // soft hyphen
            | '\u{61c}' // mark of direction
            | '\u{180e}' // vowel separator
            | '\u{200b}'..='\u{200f}' // zero-width space and joiners, marks of direction
            | '\u{202a}'..='\u{202e}' // marks of direction
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, marks of direction
            | '\u{feff}' // byte order mark
    )
}

/// The text with each letter and its accents as one character where there is one (Unicode's form NFC): a Mac writes file
/// names, and what is copied from them, with two.
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// What texts have in common that are one and the same for Amazon Connect: neither case nor Unicode form counts.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Composed again: a lower case letter may be spelled in another form than its upper case.
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// The text with U+FFFD for each control character that [`has_control`] finds.
pub fn printable(text: &str) -> Cow<'_, str> {
    if has_control(text) {
        let seen = text.chars().map(|letter| if is_unprintable(letter) { char::REPLACEMENT_CHARACTER } else { letter });
        Cow::Owned(seen.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether the text holds no control character at all, not even a tab or a line break.
pub fn is_visible(text: &str) -> bool {
    // By bytes and without a branch, because nearly all rows pass; U+0080 to U+009F are C2 80 to C2 9F.
    let is_suspect = |byte: &u8| matches!(byte, 0..0x20 | 0x7f | 0xc2);
    let has_suspect = text.as_bytes().iter().fold(false, |so_far, byte| so_far | is_suspect(byte));
    !has_suspect || !text.chars().any(char::is_control)
}

/// Whether the text holds a control character, such as NUL or escape. Tabs and line breaks do not count.
pub fn has_control(text: &str) -> bool {
    !is_visible(text) && text.chars().any(is_unprintable)
}

fn is_unprintable(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\t' | '\r' | '\n')
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
        let directions =
            ['\u{200e}', '\u{200f}'].into_iter().chain('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        let widthless = ['\u{ad}', '\u{61c}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{2063}', '\u{feff}'];
        for mark in directions.chain(widthless) {
            for cell in
                [format!("{mark}+4930901820"), format!("+4930901820{mark} "), format!("{mark} +4930901820{mark}{mark}")]
            {
                assert_eq!(trimmed(&cell), "+4930901820", "{cell:?}");
            }
            assert_eq!(trimmed(&format!("{mark}{mark}")), "");
            assert_eq!(trimmed(&format!("a{mark}b")).chars().count(), 3, "within a cell it stays");
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

    #[test]
    fn letters_and_their_accents_are_put_together() {
        for (text, expected) in [
            ("Franc\u{327}ais", "Français"),
            ("Français", "Français"),
            ("jdoe", "jdoe"),
            ("\u{1112}\u{1161}", "하"),
            ("ﬁ", "ﬁ"),
        ] {
            assert_eq!(composed(text), expected);
        }
        assert!(matches!(composed("Français"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_nobody_can_print_is_replaced() {
        assert_eq!(printable("a\0b\u{1b}[2J\u{9d}\tc\r\n"), "a\u{fffd}b\u{fffd}[2J\u{fffd}\tc\r\n");
        assert!(matches!(printable("Â£ \t©\n"), Cow::Borrowed(_)));
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
