//! A table: its delimiter and header first, then row after row.

use super::records::{Record, Records};
use super::{Header, Schema};
use crate::outcome::Problem;

/// What may separate cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// A header is looked for in so many of the first bytes: Excel's 16,384 columns would have names of 16 letters each.
const HEAD_BYTES: usize = 256 << 10;
/// Twice what is measured on every change. An import of proficiencies holds about 130 bytes a row, so that this fits into the
/// function's default memory; at Connect's default quota it is more than a day's work.
const MAX_ROWS: u32 = 2_000_000;
const BOM: char = '\u{feff}';

/// What to do with each row: everything but the rows that hold nothing.
pub type Visit<'v> = dyn FnMut(&Header, Record<'_>) -> Result<(), Problem> + 'v;

/// A table of one of these schemas that is handed over piece by piece.
#[derive(Debug)]
pub(super) struct TableParser {
    schemas: &'static [Schema],
    state: ParserStage,
}

#[derive(Debug)]
enum ParserStage {
    /// The first text, until it holds a header.
    Head(String),
    Body(Box<Body>),
}

#[derive(Debug)]
struct Body {
    header: Header,
    records: Records,
    /// How many records are still to come before the first row.
    n_before: u8,
    n_rows: u32,
}

impl TableParser {
    pub(super) fn new(schemas: &'static [Schema]) -> Self {
        Self { schemas, state: ParserStage::Head(String::new()) }
    }

    pub(super) fn header(&self) -> Option<&Header> {
        match &self.state {
            ParserStage::Head(_) => None,
            ParserStage::Body(rows) => Some(&rows.header),
        }
    }

    /// Takes the next text and visits each row that it completes.
    pub(super) fn push(&mut self, text: &str, visit: &mut Visit<'_>) -> Result<(), Problem> {
        match &mut self.state {
            ParserStage::Body(rows) => rows.push(text, visit),
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
            ParserStage::Body(rows) => rows.finish(visit),
            ParserStage::Head(_) => {
                Err(Problem::new("empty_file", "The file is empty. Its first row must name the columns."))
            }
        }
    }

    /// Understands the header in the first text, if it holds all of it, and goes on with what follows it.
    fn begin(&mut self, is_end: bool, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let ParserStage::Head(head) = &mut self.state else { return Ok(()) };
        let Some(found) = find_header(self.schemas, head, is_end)? else { return Ok(()) };
        let head = std::mem::take(head);
        let records = Records::new(found.header.delimiter);
        let mut rows = Body { header: found.header, records, n_before: found.n_before, n_rows: 0 };
        let begun = rows.push(without_mark(&head), visit);
        self.state = ParserStage::Body(Box::new(rows));
        begun
    }
}

impl Body {
    fn push(&mut self, text: &str, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { header, records, n_before, n_rows } = self;
        records.push(text, |record| visit_row(header, n_before, n_rows, record, visit))
    }

    fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { header, records, n_before, n_rows } = self;
        records.finish(|record| visit_row(header, n_before, n_rows, record, visit))
    }
}

fn visit_row(
    header: &Header,
    n_before: &mut u8,
    n_rows: &mut u32,
    record: Record<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), Problem> {
    if record.is_empty() {
        return Ok(());
    }
    if *n_before > 0 {
        *n_before -= 1;
        return Ok(());
    }
    if *n_rows == MAX_ROWS {
        let message = format!("The file has more than {MAX_ROWS} rows. Split it into smaller files.");
        return Err(Problem::new("too_many_rows", message));
    }
    *n_rows += 1;
    visit(header, record)
}

/// The text without the byte order mark that it begins with; some programs write it twice.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches(BOM)
}

struct FoundHeader {
    header: Header,
    /// How many records it takes to get to the first row.
    n_before: u8,
}

/// The header at the beginning of a file: read with each delimiter, and the one that makes most of it is the file's.
///
/// Nothing is decided before each of them is, so that it does not depend on how much of the file has come.
fn find_header(schemas: &[Schema], head: &str, is_end: bool) -> Result<Option<FoundHeader>, Problem> {
    let is_end = is_end && head.len() <= HEAD_BYTES;
    let is_all = is_end || head.len() >= HEAD_BYTES;
    let head = without_mark(&head[..head.floor_char_boundary(HEAD_BYTES)]);
    let (delimiters, n_before, text) = match separator(head, is_end) {
        Separator::Unknown if !is_all => return Ok(None),
        Separator::Said(delimiter, text) => (vec![delimiter], 2, text),
        Separator::Unknown | Separator::Unsaid => (DELIMITERS.to_vec(), 1, head),
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
            // Of several ways to read a header that does not fit, the one with the most cells is the likely one.
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

/// What the line `sep=;` says, which Excel writes above the header, understands and does not show.
enum Separator<'t> {
    /// The line has not come.
    Unknown,
    /// There is none.
    Unsaid,
    /// The delimiter, and the text below the line.
    Said(u8, &'t str),
}

fn separator(text: &str, is_end: bool) -> Separator<'_> {
    let text = text.trim_start_matches(['\r', '\n']);
    let Some((line, below)) = text.split_once(['\r', '\n']) else {
        return if is_end { Separator::Unsaid } else { Separator::Unknown };
    };
    let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let said = line.get(..4).filter(|name| name.eq_ignore_ascii_case("sep=")).map(|_| &line.as_bytes()[4..]);
    match said {
        // A program that knows nothing of it fills the line up with empty cells.
        Some([delimiter, rest @ ..]) if DELIMITERS.contains(delimiter) && rest.iter().all(|byte| byte == delimiter) => {
            Separator::Said(*delimiter, below)
        }
        _ => Separator::Unsaid,
    }
}

/// The first record that holds something, read with one delimiter.
enum First {
    Cells(Vec<String>),
    /// It has not come, or is not whole.
    Nothing,
    /// It cannot be read so, after so many cells.
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
        // What stands further down is some row's.
        (Some(cells), _) if cells.iter().any(|cell| super::has_control(cell)) => {
            let message =
                "The file is not text: its first row holds control characters. Save the table as \"CSV UTF-8\".";
            First::Refused(cells.len(), Problem::new("not_csv", message))
        }
        (Some(cells), _) => First::Cells(cells),
        (None, Ok(())) => First::Nothing,
        (None, Err(refusal)) => First::Refused(records.n_cells(), refusal),
    }
}
