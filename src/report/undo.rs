//! `undo.csv`: what takes back what an import did, in the form of a file to drop.

use crate::input::guarded;

const HEADER: &str = "user,attribute,value,level,action\n";

/// The undo file, as bytes that are taken out as they come.
#[derive(Debug)]
pub struct Undo(Vec<u8>);

impl Default for Undo {
    fn default() -> Self {
        Self::new()
    }
}

impl Undo {
    /// A file that begins with its header.
    pub fn new() -> Self {
        Self(HEADER.into())
    }

    /// One row: user id, attribute, value, level (none where the pair is removed) and action.
    pub fn push(&mut self, row: &[String; 5]) {
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
