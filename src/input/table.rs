//! A table: its delimiter and header first, then row after row.

use super::cell::has_control;
use super::header::{Header, Schema};
use super::records::{Record, Records};
use crate::outcome::Problem;

/// What may separate cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The header is in this many of the first bytes: that is 16 letters for each of Excel's 16,384 columns.
const HEAD_BYTES: usize = 256 << 10;
/// Twice as many as are measured on every change. An import of proficiencies holds about 130 bytes a row, so that this fits
/// into the function's default memory; at Connect's default quota it is more than a day's work.
const MAX_ROWS: u32 = 2_000_000;
const BOM: char = '\u{feff}';

/// What to do with each row. Rows that hold nothing are none.
pub type Visit<'v> = dyn FnMut(&Header, Record<'_>) -> Result<(), Problem> + 'v;

/// A parser of a table of one of these schemas, which takes text piece by piece.
#[derive(Debug)]
pub(super) struct TableParser {
    schemas: &'static [Schema],
    state: ParserStage,
}

#[derive(Debug)]
enum ParserStage {
    /// The first text, until it holds a header.
    Head(String),
    Rows(Box<TableRows>),
}

#[derive(Debug)]
struct TableRows {
    header: Header,
    records: Records,
    counter: RowCounter,
}

/// Which records are rows.
#[derive(Debug)]
struct RowCounter {
    /// How many records stand before the first row.
    n_before: u8,
    n_rows: u32,
    /// A line of nothing but Ctrl-Z, and its number: a row if another one follows, else the end of the file.
    end_of_file: Option<(u32, String)>,
}

impl TableParser {
    pub(super) fn new(schemas: &'static [Schema]) -> Self {
        Self { schemas, state: ParserStage::Head(String::new()) }
    }

    pub(super) fn header(&self) -> Option<&Header> {
        match &self.state {
            ParserStage::Head(_) => None,
            ParserStage::Rows(rows) => Some(&rows.header),
        }
    }

    /// Takes the next text and visits each row that it completes.
    pub(super) fn push(&mut self, text: &str, visit: &mut Visit<'_>) -> Result<(), Problem> {
        match &mut self.state {
            ParserStage::Rows(rows) => rows.push(text, visit),
            ParserStage::Head(head) => {
                head.push_str(text);
                let may_hold_header = text.contains(['\r', '\n']) || head.len() >= HEAD_BYTES;
                if may_hold_header { self.begin(false, visit) } else { Ok(()) }
            }
        }
    }

    /// The file ends here.
    pub(super) fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        if matches!(self.state, ParserStage::Head(_)) {
            self.begin(true, visit)?;
        }
        match &mut self.state {
            ParserStage::Rows(rows) => rows.finish(visit),
            ParserStage::Head(_) => {
                Err(Problem::new("empty_file", "The file is empty. Its first row must name the columns."))
            }
        }
    }

    /// Understands the header if the first text holds all of it, and goes on with what follows it.
    fn begin(&mut self, is_end: bool, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let ParserStage::Head(head) = &mut self.state else { return Ok(()) };
        let Some(found) = find_header(self.schemas, head, is_end)? else { return Ok(()) };
        let head = std::mem::take(head);
        let records = Records::new(found.header.delimiter);
        let counter = RowCounter { n_before: found.n_before, n_rows: 0, end_of_file: None };
        let mut rows = TableRows { header: found.header, records, counter };
        let begun = rows.push(without_mark(&head), visit);
        self.state = ParserStage::Rows(Box::new(rows));
        begun
    }
}

impl TableRows {
    fn push(&mut self, text: &str, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { header, records, counter } = self;
        records.push(text, |record| counter.take(header, record, visit))
    }

    fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { header, records, counter } = self;
        records.finish(|record| counter.take(header, record, visit))
    }
}

impl RowCounter {
    /// Visits a record if it is a row.
    #[inline]
    fn take(&mut self, header: &Header, record: Record<'_>, visit: &mut Visit<'_>) -> Result<(), Problem> {
        if record.is_empty() {
            return Ok(());
        }
        if self.n_before > 0 {
            self.n_before -= 1;
            return Ok(());
        }
        if (record.len() == 1 || self.end_of_file.is_some()) && self.hold_back(header, record, visit)? {
            return Ok(());
        }
        self.visit(header, record, visit)
    }

    /// Keeps a line of nothing but Ctrl-Z back, and visits the one that was kept back before.
    #[cold]
    fn hold_back(&mut self, header: &Header, record: Record<'_>, visit: &mut Visit<'_>) -> Result<bool, Problem> {
        if let Some((line, text)) = self.end_of_file.take() {
            self.visit(header, Record::one_cell(line, &text, &text.len()), visit)?;
        }
        self.end_of_file = record.end_of_file().map(|text| (record.line, text.to_owned()));
        Ok(self.end_of_file.is_some())
    }

    #[inline]
    fn visit(&mut self, header: &Header, row: Record<'_>, visit: &mut Visit<'_>) -> Result<(), Problem> {
        if self.n_rows == MAX_ROWS {
            let message = format!("The file has more than {MAX_ROWS} rows. Split it into smaller files.");
            return Err(Problem::new("too_many_rows", message));
        }
        self.n_rows += 1;
        visit(header, row)
    }
}

/// The text without the byte order mark at its beginning; some programs write it twice.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches(BOM)
}

struct FoundHeader {
    header: Header,
    /// How many records stand before the first row.
    n_before: u8,
}

/// The header at the beginning of a file, read with each delimiter: the one that finds the most columns is the file's.
///
/// Nothing is decided before each delimiter has an answer, so that it does not matter how much of the file has come.
fn find_header(schemas: &[Schema], head: &str, is_end: bool) -> Result<Option<FoundHeader>, Problem> {
    let is_end = is_end && head.len() <= HEAD_BYTES;
    let is_all = is_end || head.len() >= HEAD_BYTES;
    let head = without_mark(&head[..head.floor_char_boundary(HEAD_BYTES)]);
    let (delimiters, n_before, text) = match separator(head, is_end) {
        Separator::Unknown if !is_all => return Ok(None),
        Separator::Given(delimiter, text) => (vec![delimiter], 2, text),
        Separator::Unknown | Separator::Absent => (DELIMITERS.to_vec(), 1, head),
    };
    let mut best: Option<Header> = None;
    let mut objection: Option<(usize, Problem)> = None;
    for delimiter in delimiters {
        let (n_cells, read) = match first_record(text, delimiter, is_end) {
            First::Cells(cells) => (cells.len(), Header::understand(schemas, delimiter, &cells)),
            First::Refused(n_cells, refusal) => (n_cells, Err(refusal)),
            First::Nothing if is_end => continue,
            First::Nothing if is_all => (0, Err(no_header())),
            First::Nothing => return Ok(None),
        };
        match read {
            Ok(header) if best.as_ref().is_none_or(|best| header.n_found() > best.n_found()) => best = Some(header),
            // Of several ways to read a header that does not fit, the likeliest is the one with the most cells.
            Err(refusal) if objection.as_ref().is_none_or(|(most, _)| n_cells > *most) => {
                objection = Some((n_cells, refusal));
            }
            Ok(_) | Err(_) => {}
        }
    }
    match (best, objection) {
        (Some(header), _) => Ok(Some(FoundHeader { header, n_before })),
        (None, Some((_, refusal))) => Err(refusal),
        (None, None) => Ok(None),
    }
}

fn no_header() -> Problem {
    let message =
        "The file does not begin with a row that names the columns: it is not a table. Save the table as CSV.";
    Problem::new("not_csv", message)
}

/// What the line `sep=;` says. Excel writes it above the header, understands it and does not show it.
enum Separator<'t> {
    /// The line has not come yet.
    Unknown,
    /// There is no such line.
    Absent,
    /// The delimiter, and the text below the line.
    Given(u8, &'t str),
}

fn separator(text: &str, is_end: bool) -> Separator<'_> {
    let text = text.trim_start_matches(['\r', '\n']);
    let Some((line, below)) = text.split_once(['\r', '\n']) else {
        return if is_end { Separator::Absent } else { Separator::Unknown };
    };
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let given = line.get(..4).filter(|name| name.eq_ignore_ascii_case("sep=")).map(|_| &line.as_bytes()[4..]);
    match given {
        // A program that does not know the line fills it up with empty cells.
        Some([delimiter, rest @ ..]) if DELIMITERS.contains(delimiter) && rest.iter().all(|byte| byte == delimiter) => {
            Separator::Given(*delimiter, below)
        }
        _ => Separator::Absent,
    }
}

/// The first record that holds something, read with one delimiter.
enum First {
    Cells(Vec<String>),
    /// It has not come, or is not whole.
    Nothing,
    /// This many cells of it can be read, and then no more.
    Refused(usize, Problem),
}

fn first_record(text: &str, delimiter: u8, is_end: bool) -> First {
    const ENOUGH: &str = "enough";
    let mut first = None;
    let mut keep = |record: Record<'_>| {
        if record.is_empty() {
            return Ok(());
        }
        first = Some(record.cells().map(str::to_owned).collect::<Vec<_>>());
        Err(Problem::new(ENOUGH, ""))
    };
    let mut records = Records::new(delimiter);
    let read = records.push(text, &mut keep).and_then(|()| if is_end { records.finish(&mut keep) } else { Ok(()) });
    match (first, read) {
        // Control characters further down are a matter of their rows.
        (Some(cells), _) if cells.iter().any(|cell| has_control(cell)) => {
            let message =
                "The file is not text: its first row holds control characters. Save the table as \"CSV UTF-8\".";
            First::Refused(cells.len(), Problem::new("not_csv", message))
        }
        (Some(cells), _) => First::Cells(cells),
        (None, Ok(())) => First::Nothing,
        (None, Err(refusal)) => First::Refused(records.n_cells(), refusal),
    }
}
