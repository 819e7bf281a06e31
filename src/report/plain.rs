//! `undo.csv` and `removed.csv`: tables of our own, in the form of a file to drop.

use crate::input::guarded;

/// A table, as bytes that are taken out as they come.
#[derive(Debug)]
pub struct Plain(Vec<u8>);

impl Plain {
    /// A table that begins with its header.
    pub fn new(header: &[&str]) -> Self {
        Self((header.join(",") + "\n").into())
    }

    /// One row.
    pub fn push(&mut self, row: &[String]) {
        let mut csv = csv::Writer::from_writer(&mut self.0);
        let written = csv.write_record(row.iter().map(|cell| guarded(cell).into_owned()));
        written.and_then(|()| csv.flush().map_err(Into::into)).expect("a vector takes all that is written to it");
    }

    /// How many bytes were written since the last time.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
