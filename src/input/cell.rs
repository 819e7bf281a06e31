//! Cells that a spreadsheet would run.
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
pub fn guarded(cell: &str) -> Cow<'_, str> {
    let quoted = cell.trim_start_matches('\'');
    if begins_a_formula(quoted) && (quoted.len() < cell.len() || !is_number(cell)) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The cell as it was meant: the inverse of [`guarded`].
pub fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if begins_a_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
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
            assert_eq!(guarded(cell), written);
            assert_eq!(unguarded(written), cell);
        }
        assert_eq!(unguarded("'t Hooft"), "'t Hooft");
        assert_eq!(unguarded("'=x"), "=x");
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(cell in "['=+@0-9a ,.\t\r-]{0,8}") {
            let written = guarded(&cell);
            prop_assert_eq!(unguarded(&written), cell.as_str());
            prop_assert!(!begins_a_formula(&written) || is_number(&written), "{:?} runs", written);
        }
    }
}
