//! What people are told of the end of an import: the subject and the text of an e-mail. Pure.

use unicode_normalization::UnicodeNormalization as _;

use crate::import::ImportEnd;
use crate::report::{Cause, Summary, counted, grouped};

/// SNS takes subjects of fewer than 100 characters of ASCII, without control characters (API reference, `Publish`).
const MAX_SUBJECT_LETTERS: usize = 99;
/// Causes that a notice names.
const MAX_CAUSES: usize = 3;

/// `agents.csv: completed with errors, 8 of 129 rows to mend`. What is no ASCII in the name of the file is spelled without its
/// accents, or as `?`; a long name is cut.
pub(super) fn subject(end: &ImportEnd) -> String {
    let Summary { rows, .. } = end.summary();
    let to_mend = match rows.to_retry() {
        0 => String::new(),
        n => format!(", {} of {} rows to mend", grouped(n), grouped(rows.total())),
    };
    let after = format!(": {}{to_mend}", end.summary().status_in_words());
    let name = ascii(end.summary().file_name());
    let room = MAX_SUBJECT_LETTERS - after.len();
    let name = if name.len() <= room { name } else { format!("{}...", &name[..room - 3]) };
    format!("{name}{after}")
}

/// The text with its accents taken off, and with `?` for all that is no ASCII then, or cannot be seen.
fn ascii(text: &str) -> String {
    let is_accent = |letter: &char| ('\u{300}'..='\u{36f}').contains(letter);
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    let text: String = text.nfd().filter(|letter| !is_accent(letter)).map(plain).collect();
    let text = text.trim().to_owned();
    if text.is_empty() { "?".to_owned() } else { text }
}

/// What happened, why rows are not as the file says, where the report is, and what to do next.
pub(super) fn text(end: &ImportEnd) -> String {
    let Summary { source, message, dry_run, causes, .. } = end.summary();
    let what = match end.summary() {
        summary @ Summary { export: true, .. } => summary.file_name().to_owned(),
        _ => format!("import of {}", on_one_line(source)),
    };
    let mut lines = vec![format!("The {what}: {}.", end.summary().status_in_words())];
    if *dry_run {
        lines.push("It was a dry run: nothing was written.".to_owned());
    }
    lines.extend(message.clone());
    lines.push(format!("{}.", end.summary().rows_in_words()));
    if !causes.is_empty() {
        lines.push(String::new());
        lines.push("Why rows were not applied:".to_owned());
        let cause = |cause: &Cause| format!("- {}: {}", cause.rows_in_words(), cause.message);
        lines.extend(causes.iter().take(MAX_CAUSES).map(cause));
        let more: u64 = causes.iter().skip(MAX_CAUSES).map(|cause| cause.rows).sum();
        if more > 0 {
            lines.push(format!("- {}: for other reasons, which summary.json tells.", counted(more, "row")));
        }
    }
    if let Some(report) = &end.report {
        lines.extend([String::new(), format!("The report: {}", on_one_line(report))]);
    }
    lines.extend([String::new(), format!("What to do next: {}", end.next_step()), String::new()]);
    lines.join("\n")
}

/// The name of a file may have line breaks, which would begin lines of their own.
fn on_one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::import::Telling;
    use crate::options::Mode;
    use crate::outcome::{ImportStatus, Status};

    /// The end of an import of a file of this name.
    fn end(name: &str, status: ImportStatus, rows: &[(Status, u64)]) -> ImportEnd {
        let source = format!("s3://imports/incoming/{name}");
        let begun = Summary::begun("an-id".to_owned(), source, Mode::Merge, false, DateTime::UNIX_EPOCH);
        let mut summary = Summary { status, ..begun };
        for (status, n) in rows {
            (0..*n).for_each(|_| summary.rows.add(*status));
        }
        ImportEnd {
            telling: Telling { summary, objects: Vec::new(), folder: String::new() },
            report: None,
            name: None,
            told_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_subject_says_what_happened_in_ninety_nine_letters_of_ascii() {
        let rows = [(Status::Added, 1121), (Status::Invalid, 5), (Status::Failed, 1), (Status::Pending, 2)];
        let subject = |name: &str| subject(&end(name, ImportStatus::CompletedWithErrors, &rows));
        let after = ": completed with errors, 8 of 1,129 rows to mend";
        for (name, shown) in [
            ("agents.csv", "agents.csv"),
            ("Köln Süd.csv", "Koln Sud.csv"),
            ("日本.csv", "??.csv"),
            ("два\r\nBcc: x.csv", "?????Bcc: x.csv"),
            (" ", "?"),
        ] {
            assert!(subject(name).starts_with(shown), "{} {shown}", subject(name));
            assert!(subject(name).ends_with(after) && subject(name).bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
        let long = subject(&"long ".repeat(60));
        assert_eq!((long.len(), long.ends_with(&format!("lon...{after}"))), (99, true), "{long}");
        assert_eq!(super::subject(&end("a.csv", ImportStatus::Succeeded, &[(Status::Added, 3)])), "a.csv: succeeded");
    }
}
