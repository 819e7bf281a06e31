//! `results.csv` and `retry.csv`: the file's own columns, and beside each row its outcome.

use crate::input::{Header, Record, escape_formula, unescape_formula};
use crate::outcome::RowReport;

/// Without it Excel takes the file for Windows-1252.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";
const OURS: [&str; 4] = ["import_line", "import_status", "import_code", "import_message"];
/// In the report of a sheet, behind the line: the heading of the column that an entry was read from.
const COLUMN: &str = "import_column";

/// A table of the report, as bytes that are taken out as they come.
#[derive(Debug)]
pub struct Table {
    /// The indices of the file's own columns.
    columns: Vec<usize>,
    table: EscapedTable,
}

/// A table whose cells no spreadsheet takes for formulas.
#[derive(Debug)]
struct EscapedTable {
    csv: csv::Writer<Vec<u8>>,
    cells: csv::StringRecord,
}

impl Table {
    /// A table that begins with the file's own header, less what an earlier report added to it.
    pub fn new(header: &Header) -> Self {
        Self::with_columns(header, header.carried.clone())
    }

    /// A table of some of the file's own columns, by their indices.
    pub fn with_columns(header: &Header, columns: Vec<usize>) -> Self {
        let csv = writer(header.delimiter, BOM.to_vec());
        let mut table = EscapedTable { csv, cells: csv::StringRecord::new() };
        let own = columns.iter().map(|&place| header.cells[place].as_str());
        let [line, ours @ ..] = OURS;
        let column = header.is_of_sheet().then_some(COLUMN);
        table.write(own.chain([line]).chain(column).chain(ours));
        Self { columns, table }
    }

    /// One row. Cells beyond the header stand behind ours, so that nothing of the row is lost.
    pub fn push(&mut self, header: &Header, record: &Record<'_>, row: &RowReport) {
        let line = record.line.to_string();
        let Self { columns, table } = self;
        let own = columns.iter().map(|&place| record.get(place).unwrap_or_default());
        let beyond = record.cells().skip(header.cells.len());
        let ours = [row.status.name(), &row.code, &row.message];
        table.write(own.chain([line.as_str()]).chain(record.column()).chain(ours).chain(beyond));
    }

    /// What was written since the last time.
    pub fn take(&mut self, header: &Header) -> Vec<u8> {
        let full = std::mem::replace(&mut self.table.csv, writer(header.delimiter, Vec::new()));
        full.into_inner().expect("a vector takes all that is written to it")
    }
}

impl EscapedTable {
    fn write<'c>(&mut self, cells: impl Iterator<Item = &'c str>) {
        self.cells.clear();
        for cell in cells {
            // A spreadsheet and many a reader of CSV stop at a NUL.
            self.cells.push_field(&escape_formula(unescape_formula(&crate::input::printable(cell))));
        }
        self.csv.write_record(&self.cells).expect("a vector takes all that is written to it");
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
        table.table.write(["jdoe", "a\0b\u{7}\u{9d}", "c\td\ne", "\u{1b}[2J", "=\0"].into_iter());
        let row = "jdoe,a\u{fffd}b\u{fffd}\u{fffd},\"c\td\ne\",\u{fffd}[2J,'=\u{fffd}\n";
        assert_eq!(table.take(header), row.as_bytes());
    }
}
