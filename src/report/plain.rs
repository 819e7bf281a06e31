//! `undo.csv`, `plan.csv`, `withheld.csv` and `removed.csv`, and what an export writes: tables of our own, in the form of a file
//! to drop.

use super::table::BOM;
use crate::input::escape_formula;

/// The first line of what an export writes.
pub(crate) fn first_line(header: &[String]) -> Vec<u8> {
    PlainTable::for_people(header).take()
}

/// A table, as bytes that are taken out as they come.
#[derive(Debug)]
pub(super) struct PlainTable {
    csv: csv::Writer<Vec<u8>>,
    n_rows: usize,
}

impl PlainTable {
    /// A table that begins with its header.
    pub(super) fn new(header: &[&str]) -> Self {
        Self::beginning(Vec::new(), header)
    }

    /// The same, for spreadsheet programs too.
    pub(super) fn for_people(header: &[String]) -> Self {
        Self::beginning(BOM.to_vec(), header)
    }

    fn beginning(bytes: Vec<u8>, header: &[impl AsRef<str>]) -> Self {
        let mut table = Self { csv: csv::Writer::from_writer(bytes), n_rows: 0 };
        table.write(header);
        table
    }

    /// One row.
    pub(super) fn push(&mut self, row: &[String]) {
        self.write(row);
        self.n_rows += 1;
    }

    fn write(&mut self, row: &[impl AsRef<str>]) {
        for cell in row {
            let written = self.csv.write_field(escape_formula(cell.as_ref()).as_bytes());
            written.expect("a vector takes all that is written to it");
        }
        self.csv.write_record(None::<&[u8]>).expect("a vector takes all that is written to it");
    }

    /// How many rows were written since the last time.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.n_rows = 0;
        let full = std::mem::replace(&mut self.csv, csv::Writer::from_writer(Vec::new()));
        full.into_inner().expect("a vector takes all that is written to it")
    }
}
