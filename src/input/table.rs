//! A table: its delimiter and header first, then row after row.

use super::cell::has_control;
use super::header::{Header, Schema, has_key};
use super::record::{MAX_ROWS, Record, Visit};
use super::records::Records;
use super::sheet::{Headings, SheetHeader, SheetRows};
use super::understand::{Understood, understand};
use crate::outcome::Problem;

/// What may separate cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The header is in this many of the first bytes: that is 16 letters for each of Excel's 16,384 columns.
const HEAD_BYTES: usize = 256 << 10;
const BOM: char = '\u{feff}';

/// A parser of a table of one of these schemas, which takes text piece by piece, or records.
#[derive(Debug)]
pub(super) struct TableParser {
    schemas: &'static [Schema],
    /// Whether a sheet's rows must have all cells.
    is_whole: bool,
    state: ParserStage,
}

#[derive(Debug)]
enum ParserStage {
    /// The first text, until it holds a header.
    Head(String),
    /// The header of a sheet, and the first text: nobody has said yet what its headings mean.
    Sheet(Box<PausedSheet>),
    Rows(Box<TableRows>),
}

#[derive(Debug)]
struct PausedSheet {
    header: SheetHeader,
    is_workbook: bool,
    head: String,
    counter: RowCounter,
}

#[derive(Debug)]
struct TableRows {
    header: Header,
    sheet: Option<SheetRows>,
    /// Text that came before the headings were understood.
    head: String,
    records: Records,
    counter: RowCounter,
}

/// Which records are rows.
#[derive(Debug, Default)]
struct RowCounter {
    /// How many records stand before the first row.
    n_before: u8,
    n_rows: u32,
    /// A line of nothing but Ctrl-Z, and its number: a row if another one follows, else the end of the file.
    end_of_file: Option<(u32, String)>,
}

/// Where rows go.
struct RowSink<'s, 'v, 'w> {
    header: &'s Header,
    sheet: Option<&'s SheetRows>,
    visit: &'v mut Visit<'w>,
}

impl TableParser {
    pub(super) fn new(schemas: &'static [Schema], is_whole: bool) -> Self {
        Self { schemas, is_whole, state: ParserStage::Head(String::new()) }
    }

    pub(super) fn header(&self) -> Option<&Header> {
        match &self.state {
            ParserStage::Head(_) | ParserStage::Sheet(_) => None,
            ParserStage::Rows(rows) => Some(&rows.header),
        }
    }

    /// The header of a sheet whose headings nobody has explained.
    pub(super) fn sheet(&self) -> Option<&SheetHeader> {
        match &self.state {
            ParserStage::Sheet(sheet) => Some(&sheet.header),
            ParserStage::Head(_) | ParserStage::Rows(_) => None,
        }
    }

    /// Says what the headings of the sheet mean.
    pub(super) fn explain(&mut self, headings: &Headings) {
        let ParserStage::Sheet(paused) = &mut self.state else { return };
        let (header, sheet) = SheetRows::new(&paused.header, headings, paused.is_workbook, self.is_whole);
        let (head, counter) = (std::mem::take(&mut paused.head), std::mem::take(&mut paused.counter));
        let records = Records::new(header.delimiter);
        self.state = ParserStage::Rows(Box::new(TableRows { header, sheet: Some(sheet), head, records, counter }));
    }

    /// Whether a record may be a header of one of the schemas.
    pub(super) fn may_begin_with(&self, cells: &[String]) -> bool {
        has_key(self.schemas, cells)
    }

    /// Takes the next text and visits each row that it completes.
    pub(super) fn push(&mut self, text: &str, visit: &mut Visit<'_>) -> Result<(), Problem> {
        match &mut self.state {
            ParserStage::Rows(rows) => rows.push(text, visit),
            ParserStage::Sheet(sheet) => {
                sheet.head.push_str(text);
                Ok(())
            }
            ParserStage::Head(head) => {
                head.push_str(text);
                let may_hold_header = text.contains(['\r', '\n']) || head.len() >= HEAD_BYTES;
                if may_hold_header { self.begin(false, visit) } else { Ok(()) }
            }
        }
    }

    /// Takes the next record of a workbook. The first one is the header.
    pub(super) fn push_record(&mut self, record: Record<'_>, visit: &mut Visit<'_>) -> Result<(), Problem> {
        match &mut self.state {
            ParserStage::Rows(rows) => rows.take(record, visit),
            ParserStage::Sheet(_) => Ok(()),
            ParserStage::Head(_) => {
                let cells: Vec<String> = record.cells().map(str::to_owned).collect();
                let understood = understand(self.schemas, DELIMITERS[0], &cells)?;
                self.state = ParserStage::new(understood, true, String::new(), 0);
                Ok(())
            }
        }
    }

    /// The file ends here. A sheet whose headings nobody has explained waits: say so, and finish again.
    pub(super) fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        if matches!(self.state, ParserStage::Head(_)) {
            self.begin(true, visit)?;
        }
        match &mut self.state {
            ParserStage::Rows(rows) => rows.finish(visit),
            ParserStage::Sheet(_) => Ok(()),
            ParserStage::Head(_) => {
                Err(Problem::new("empty_file", "The file is empty. Its first row must name the columns."))
            }
        }
    }

    /// Understands the header if the first text holds all of it, and goes on with what follows it.
    fn begin(&mut self, is_end: bool, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let ParserStage::Head(head) = &mut self.state else { return Ok(()) };
        let Some(found) = find_header(self.schemas, head, is_end)? else { return Ok(()) };
        let head = without_mark(head).to_owned();
        self.state = ParserStage::new(found.understood, false, head, found.n_before);
        self.push("", visit)
    }
}

impl ParserStage {
    fn new(understood: Understood, is_workbook: bool, head: String, n_before: u8) -> Self {
        let counter = RowCounter { n_before, ..RowCounter::default() };
        match understood {
            Understood::Sheet(header) => Self::Sheet(Box::new(PausedSheet { header, is_workbook, head, counter })),
            Understood::Rows(header) => {
                let records = Records::new(header.delimiter);
                Self::Rows(Box::new(TableRows { header, sheet: None, head, records, counter }))
            }
        }
    }
}

impl TableRows {
    fn push(&mut self, text: &str, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { header, sheet, head, records, counter } = self;
        let mut sink = RowSink { header, sheet: sheet.as_ref(), visit };
        let head = std::mem::take(head);
        if !head.is_empty() {
            records.push(&head, |record| counter.take(record, &mut sink))?;
        }
        records.push(text, |record| counter.take(record, &mut sink))
    }

    fn take(&mut self, record: Record<'_>, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { header, sheet, counter, .. } = self;
        counter.take(record, &mut RowSink { header, sheet: sheet.as_ref(), visit })
    }

    fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        self.push("", visit)?;
        let Self { header, sheet, records, counter, .. } = self;
        let mut sink = RowSink { header, sheet: sheet.as_ref(), visit };
        records.finish(|record| counter.take(record, &mut sink))
    }
}

impl RowSink<'_, '_, '_> {
    #[inline]
    fn take(&mut self, row: Record<'_>) -> Result<(), Problem> {
        match self.sheet {
            None => (self.visit)(self.header, row),
            Some(sheet) => sheet.expand(self.header, &row, self.visit),
        }
    }
}

impl RowCounter {
    /// Hands on a record if it is a row.
    #[inline]
    fn take(&mut self, record: Record<'_>, sink: &mut RowSink<'_, '_, '_>) -> Result<(), Problem> {
        if record.is_empty() {
            return Ok(());
        }
        if self.n_before > 0 {
            self.n_before -= 1;
            return Ok(());
        }
        if (record.len() == 1 || self.end_of_file.is_some()) && self.hold_back(record, sink)? {
            return Ok(());
        }
        self.hand_on(record, sink)
    }

    /// Keeps a line of nothing but Ctrl-Z back, and hands on the one that was kept back before.
    #[cold]
    fn hold_back(&mut self, record: Record<'_>, sink: &mut RowSink<'_, '_, '_>) -> Result<bool, Problem> {
        if let Some((line, text)) = self.end_of_file.take() {
            self.hand_on(Record::new(line, &text, &[text.len()]), sink)?;
        }
        self.end_of_file = record.end_of_file().map(|text| (record.line, text.to_owned()));
        Ok(self.end_of_file.is_some())
    }

    #[inline]
    fn hand_on(&mut self, row: Record<'_>, sink: &mut RowSink<'_, '_, '_>) -> Result<(), Problem> {
        if self.n_rows == MAX_ROWS {
            let message = format!("The file has more than {MAX_ROWS} rows. Split it into smaller files.");
            return Err(Problem::new("too_many_rows", message));
        }
        self.n_rows += 1;
        sink.take(row)
    }
}

/// The text without the byte order mark at its beginning; some programs write it twice.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches(BOM)
}

struct FoundHeader {
    understood: Understood,
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
    let mut best: Option<Understood> = None;
    let mut objection: Option<(usize, Problem)> = None;
    for delimiter in delimiters {
        let (n_cells, read) = match first_record(text, delimiter, is_end) {
            First::Cells(cells) => (cells.len(), understand(schemas, delimiter, &cells)),
            First::Refused(n_cells, refusal) => (n_cells, Err(refusal)),
            First::Nothing if is_end => continue,
            First::Nothing if is_all => (0, Err(no_header())),
            First::Nothing => return Ok(None),
        };
        match read {
            Ok(read) if best.as_ref().is_none_or(|best| read.n_found() > best.n_found()) => best = Some(read),
            // Of several ways to read a header that does not fit, the likeliest is the one with the most cells.
            Err(refusal) if objection.as_ref().is_none_or(|(most, _)| n_cells > *most) => {
                objection = Some((n_cells, refusal));
            }
            Ok(_) | Err(_) => {}
        }
    }
    match (best, objection) {
        (Some(understood), _) => Ok(Some(FoundHeader { understood, n_before })),
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
