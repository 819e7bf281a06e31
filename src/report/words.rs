//! The summary in words: the same in a notice as wherever else people read it.

use std::borrow::Cow;

use super::causes::Cause;
use super::summary::Summary;
use super::text::{counted, grouped};
use super::{PLAN, RETRY, UNDO};
use crate::options::Mode;
use crate::outcome::{Code, ImportStatus, Status};

/// The folder in which a file is no dry run, where the setting says that all are.
pub(crate) const REAL_RUN: &str = "dry-run=false/";

impl Summary {
    /// The name of the file, without the folders above it; of a folder, its own; of an export, what it is.
    pub fn file_name(&self) -> &str {
        match self.kind.as_deref() {
            Some("user_config") if self.export => return "export of settings per channel",
            _ if self.export => return "export of proficiencies",
            _ => {}
        }
        let source = self.source.trim_end_matches('/');
        source.rsplit_once('/').map_or(source, |(_, name)| name)
    }

    /// How it ended.
    pub fn status_in_words(&self) -> String {
        self.status.name().replace('_', " ")
    }

    /// Rows by status: `129 rows: 54 added, 75 unchanged`; of an export, of how many users.
    pub fn rows_in_words(&self) -> String {
        if self.export {
            return self.rows_of_export();
        }
        let of = |status: Status| (self.rows.of(status), status.in_words());
        let some = Status::ALL.into_iter().map(of).filter(|(n_rows, _)| *n_rows > 0);
        let some: Vec<_> = some.map(|(n_rows, name)| format!("{} {name}", grouped(n_rows))).collect();
        let counts = if some.is_empty() { String::new() } else { format!(": {}", some.join(", ")) };
        format!("{}{counts}", counted(self.rows.total(), "row"))
    }

    /// What to do next: one thing. `objects` are the names of what the report has; `folder` is where files are uploaded to.
    pub fn next_step(&self, objects: &[Cow<'static, str>], folder: &str) -> String {
        if self.export {
            return self.next_step_of_export(objects, folder);
        }
        // There is no retry.csv of a file that could not be read to its end.
        let has = |name| objects.iter().any(|object| object == name);
        // The rows of a replacement are the whole truth again; what undoes it says itself what to remove, and is merged.
        let mode = if self.mode == Mode::Replace { "mode=replace/" } else { "" };
        // Whoever uploaded the retry.csv of a dry run would lose the rows that are right. The folder of dry runs comes first: who
        // may plan only may write to nothing else.
        let (file, again) = match (self.dry_run, has(RETRY)) {
            (true, _) => ("your file", format!("{}dry-run=true/{mode}", folder.trim_end_matches(REAL_RUN))),
            (false, true) => (RETRY, format!("{folder}{mode}")),
            (false, false) => ("your file", format!("{folder}{mode}")),
        };
        let undo =
            if has(UNDO) { format!(" To undo what was done, upload {UNDO} to {folder}.") } else { String::new() };
        let is_denied = self.code.as_deref().is_some_and(|code| code.starts_with("AccessDenied"));
        let has_no_room = |cause: &Cause| cause.code == Code::TooManyProficiencies.name();
        let lacks_room = self.removals_withheld == 0 && self.causes.first().is_some_and(has_no_room);
        match self.status {
            ImportStatus::InProgress => "Wait: the import is under way.".to_owned(),
            ImportStatus::Succeeded if has(PLAN) => format!(
                "To do all of it, upload {PLAN} to {folder}. It does what this report says, and spares what others change \
                 meanwhile."
            ),
            ImportStatus::Succeeded => format!("There is nothing to do.{undo}"),
            ImportStatus::CompletedWithErrors if self.rows.to_retry() > 0 && has(PLAN) => format!(
                "Correct the rows in {file}, and upload it to {again}. Or upload {PLAN} to {folder}: it does what can be done."
            ),
            ImportStatus::CompletedWithErrors if self.rows.to_retry() == 0 && self.rows.of(Status::Kept) > 0 => {
                "Look at the rows in results.csv that are kept: what they are about was changed since. Change by hand what is \
                 still wanted."
                    .to_owned()
            }
            ImportStatus::CompletedWithErrors if self.rows.to_retry() == 0 => {
                "Look at import_message in results.csv: it says what could not be done.".to_owned()
            }
            ImportStatus::CompletedWithErrors if lacks_room => format!(
                "Ask AWS for a larger quota of proficiencies per user (L-50375162), have MAX_PROFICIENCIES_PER_USER raised, \
                 and upload {file} to {again}."
            ),
            ImportStatus::CompletedWithErrors => format!("Correct the rows in {file}, and upload it to {again}."),
            ImportStatus::Failed if is_denied => {
                format!("Ask whoever runs this function to give it the permission, then upload {file} to {again}.")
            }
            ImportStatus::Rejected if has(PLAN) => format!(
                "If all that {PLAN} has is meant, upload it to {folder}. If not, do what the message above says, and upload your \
                 file again to {again}."
            ),
            ImportStatus::Rejected => format!("Do what the message above says, and upload your file again to {again}."),
            ImportStatus::Failed => format!("Do what the message above says, and upload {file} to {again}."),
            ImportStatus::Cancelled => format!("To go on, upload {file} to {again}.{undo}"),
        }
    }
}

impl Summary {
    fn rows_of_export(&self) -> String {
        match self.status {
            ImportStatus::InProgress => "No rows yet".to_owned(),
            ImportStatus::Succeeded | ImportStatus::CompletedWithErrors => {
                let (rows, users) = (counted(self.rows.total(), "row"), counted(self.users.total, "user"));
                format!("{rows}, of an instance with {users}")
            }
            ImportStatus::Rejected | ImportStatus::Failed | ImportStatus::Cancelled => "No rows".to_owned(),
        }
    }

    fn next_step_of_export(&self, objects: &[Cow<'static, str>], folder: &str) -> String {
        let is_denied = self.code.as_deref().is_some_and(|code| code.starts_with("AccessDenied"));
        let folder = if folder.is_empty() { "your bucket" } else { folder };
        match (self.status, objects.first()) {
            (ImportStatus::InProgress, _) => "Wait: the export is under way.".to_owned(),
            (_, Some(table)) => {
                format!("Edit {table}, and upload it to {folder}. What differs then from what users have is written.")
            }
            (ImportStatus::Failed, None) if is_denied => {
                "Ask whoever runs this function to give it the permission, then ask for the export again.".to_owned()
            }
            (ImportStatus::Cancelled, None) => "Ask for the export again.".to_owned(),
            (_, None) => "Do what the message above says.".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Line;

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
