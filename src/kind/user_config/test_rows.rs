//! For tests: rows of a file, each checked.

use super::cells::Cells;
use super::row::{SCHEMA, check};
use crate::input::{Header, Reader, Record};
use crate::outcome::{Code, Problem};

/// The rows below a header, each checked.
pub(super) fn check_rows(csv: &str) -> Vec<Result<(String, Cells), Problem<Code>>> {
    let mut found = Vec::new();
    let mut reader = Reader::new(&[SCHEMA]);
    let mut visit = |header: &Header, record: Record<'_>| {
        found.push(check(header, &record).map(|row| (row.user.to_owned(), row.cells)));
        Ok(())
    };
    reader.push(csv.as_bytes(), &mut visit).unwrap();
    reader.finish(&mut visit).unwrap();
    found
}
