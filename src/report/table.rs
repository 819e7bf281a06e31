//! `results.csv` and `retry.csv`: the file's own columns, and beside each row its outcome.

use crate::input::{Header, Record, escape_formula, unescape_formula};
use crate::outcome::RowReport;

/// Without it Excel takes the file for Windows-1252.
const BOM: &[u8] = b"\xef\xbb\xbf";
const OURS: [&str; 4] = ["import_line", "import_status", "import_code", "import_message"];

/// A table of the report, as bytes that are taken out as they come.
#[derive(Debug)]
pub struct Table {
    csv: csv::Writer<Vec<u8>>,
    cells: csv::StringRecord,
}

impl Table {
    /// A table that begins with the file's own header, less what an earlier report added to it.
    pub fn new(header: &Header) -> Self {
        let mut table = Self { csv: writer(header.delimiter, BOM.to_vec()), cells: csv::StringRecord::new() };
        let own = header.carried.iter().map(|&place| header.cells[place].as_str());
        table.write(own.chain(OURS));
        table
    }

    /// One row. Cells beyond the header stand behind ours, so that nothing of the row is lost.
    pub fn push(&mut self, header: &Header, record: &Record<'_>, row: &RowReport) {
        let line = record.line.to_string();
        let own = header.carried.iter().map(|&place| record.get(place).unwrap_or_default());
        let beyond = record.cells().skip(header.cells.len());
        let ours = [line.as_str(), row.status.name(), &row.code, &row.message];
        self.write(own.chain(ours).chain(beyond));
    }

    fn write<'c>(&mut self, cells: impl Iterator<Item = &'c str>) {
        self.cells.clear();
        for cell in cells {
            // A spreadsheet and many a reader of CSV stop at a NUL.
            self.cells.push_field(&escape_formula(unescape_formula(&crate::input::printable(cell))));
        }
        self.csv.write_record(&self.cells).expect("a vector takes all that is written to it");
    }

    /// What was written since the last time.
    pub fn take(&mut self, header: &Header) -> Vec<u8> {
        let full = std::mem::replace(&mut self.csv, writer(header.delimiter, Vec::new()));
        full.into_inner().expect("a vector takes all that is written to it")
    }
}

fn writer(delimiter: u8, bytes: Vec<u8>) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Column, Presence, Reader, Schema};

    #[test]
    fn control_characters_are_replaced_and_nothing_else() {
        const SCHEMA: Schema = &[Column::new("user", Presence::Required)];
        let mut reader = Reader::new(&[SCHEMA]);
        reader.push(b"user\n", &mut |_, _| Ok(())).and_then(|()| reader.finish(&mut |_, _| Ok(()))).unwrap();
        let header = reader.header().unwrap();
        let mut table = Table::new(header);
        table.take(header);
        table.write(["jdoe", "a\0b\u{7}\u{9d}", "c\td\ne", "\u{1b}[2J", "=\0"].into_iter());
        let row = "jdoe,a\u{fffd}b\u{fffd}\u{fffd},\"c\td\ne\",\u{fffd}[2J,'=\u{fffd}\n";
        assert_eq!(table.take(header), row.as_bytes());
    }
}
