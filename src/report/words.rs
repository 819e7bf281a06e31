//! The summary in words: the same in a notice as wherever else people read it.

use super::summary::Summary;
use crate::outcome::{ImportStatus, Status};

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
        let total = self.rows.total();
        let of = |status: Status| (self.rows.of(status), status.name().replace('_', " "));
        let some = Status::ALL.into_iter().map(of).filter(|(n_rows, _)| *n_rows > 0);
        let some: Vec<_> = some.map(|(n_rows, name)| format!("{} {name}", grouped(n_rows))).collect();
        let rows = if total == 1 { "row" } else { "rows" };
        let counts = if some.is_empty() { String::new() } else { format!(": {}", some.join(", ")) };
        format!("{} {rows}{counts}", grouped(total))
    }

    /// What to do next: one thing.
    pub fn next_step(&self) -> &'static str {
        let has_retry = self.rows.to_retry() > 0;
        match self.status {
            ImportStatus::InProgress => "Wait: the import is under way.",
            ImportStatus::Succeeded if self.dry_run => {
                "To do what the report says, drop the file again, outside of the folder dry-run=true."
            }
            ImportStatus::Succeeded if self.users.changed == 0 => "There is nothing to do.",
            ImportStatus::Succeeded => "There is nothing to do. To take the import back, drop undo.csv.",
            ImportStatus::CompletedWithErrors if has_retry => "Mend the rows in retry.csv, and drop that file.",
            ImportStatus::CompletedWithErrors => {
                "Look at import_message in results.csv: it says what could not be done."
            }
            ImportStatus::Rejected => "Nothing was written. Mend what is said above, and drop the file again.",
            ImportStatus::Failed if has_retry => "Mend what is said above, and drop retry.csv.",
            ImportStatus::Failed => "Mend what is said above, and drop the file again.",
            ImportStatus::Cancelled => "To go on, drop retry.csv. To take back what was done, drop undo.csv.",
        }
    }
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

    #[test]
    fn thousands_stand_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }
}
