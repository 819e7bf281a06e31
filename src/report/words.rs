//! The summary in words: the same in a notice as wherever else people read it.

use std::borrow::Cow;

use super::RETRY;
use super::causes::Cause;
use super::summary::Summary;
use crate::outcome::{Code, ImportStatus, Status};

impl Summary {
    /// The name of the file, without the folders above it; of a folder, its own.
    pub fn file_name(&self) -> &str {
        let source = self.source.trim_end_matches('/');
        source.rsplit_once('/').map_or(source, |(_, name)| name)
    }

    /// How it ended.
    pub fn status_in_words(&self) -> String {
        self.status.name().replace('_', " ")
    }

    /// Rows by status: `129 rows: 54 added, 75 unchanged`.
    pub fn rows_in_words(&self) -> String {
        let of = |status: Status| (self.rows.of(status), status.name().replace('_', " "));
        let some = Status::ALL.into_iter().map(of).filter(|(n_rows, _)| *n_rows > 0);
        let some: Vec<_> = some.map(|(n_rows, name)| format!("{} {name}", grouped(n_rows))).collect();
        let counts = if some.is_empty() { String::new() } else { format!(": {}", some.join(", ")) };
        format!("{}{counts}", counted(self.rows.total(), "row"))
    }

    /// What to do next: one thing. `objects` are the names of what the report has; files are uploaded to `folder`.
    pub fn next_step(&self, objects: &[Cow<'static, str>], folder: &str) -> String {
        // There is none of a file that could not be read to its end.
        let has_retry = objects.iter().any(|name| name == RETRY);
        let file = if has_retry { RETRY } else { "the file again" };
        let is_denied = self.code.as_deref().is_some_and(|code| code.starts_with("AccessDenied"));
        let lacks_room = self.causes.first().is_some_and(|cause| cause.code == Code::TooManyProficiencies.name());
        match self.status {
            ImportStatus::InProgress => "Wait: the import is under way.".to_owned(),
            ImportStatus::Succeeded if self.dry_run => {
                "To do what results.csv says, import the same file again, not as a dry run.".to_owned()
            }
            // Whoever uploaded retry.csv alone would lose the rows that are right.
            ImportStatus::CompletedWithErrors if self.dry_run => {
                "Correct the rows in your file, and import it again. Nothing was written.".to_owned()
            }
            ImportStatus::Succeeded if self.users.changed == 0 => "There is nothing to do.".to_owned(),
            ImportStatus::Succeeded => {
                format!("There is nothing to do. (To undo the import, upload undo.csv to {folder}.)")
            }
            ImportStatus::CompletedWithErrors if has_retry && lacks_room => format!(
                "Ask AWS for a larger quota of proficiencies per user (L-50375162), have MAX_PROFICIENCIES_PER_USER raised, \
                 and upload retry.csv to {folder}."
            ),
            ImportStatus::CompletedWithErrors if has_retry => {
                format!("Correct the rows in retry.csv, and upload that file to {folder}.")
            }
            ImportStatus::CompletedWithErrors => {
                "Look at import_message in results.csv: it says what could not be done.".to_owned()
            }
            ImportStatus::Failed if is_denied => {
                format!("Ask whoever runs this function to give it the permission, then upload {file} to {folder}.")
            }
            ImportStatus::Rejected => {
                format!("Correct what the message above says, and upload the file again to {folder}.")
            }
            ImportStatus::Failed => format!("Correct what the message above says, and upload {file} to {folder}."),
            ImportStatus::Cancelled => {
                format!("To go on, upload {file} to {folder}. To undo what was done, upload undo.csv.")
            }
        }
    }
}

impl Cause {
    /// `4 rows (lines 5, 8, 11, ...)`.
    pub fn rows_in_words(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(ToString::to_string).collect();
        let more = if self.rows > self.lines.len() as u64 { ", ..." } else { "" };
        let at = match lines.len() {
            0 => String::new(),
            1 if more.is_empty() => format!(" (line {})", lines[0]),
            _ => format!(" (lines {}{more})", lines.join(", ")),
        };
        format!("{}{at}", counted(self.rows, "row"))
    }
}

/// `1 row`, `1,200 rows`.
pub fn counted(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Line;

    #[test]
    fn thousands_stand_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }

    #[test]
    fn a_cause_says_its_lines_as_far_as_they_are_known() {
        let cause = |rows, lines: &[u32]| {
            let lines = lines.iter().copied().map(Line).collect();
            Cause { code: String::new(), message: String::new(), rows, lines }.rows_in_words()
        };
        assert_eq!(cause(1, &[7]), "1 row (line 7)");
        assert_eq!(cause(2, &[7, 9]), "2 rows (lines 7, 9)");
        assert_eq!(cause(1200, &[7, 9, 11]), "1,200 rows (lines 7, 9, 11, ...)");
        assert_eq!(cause(2, &[]), "2 rows");
    }
}
