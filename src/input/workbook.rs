//! An Excel workbook: the rows of its first sheet that has a header, as a person sees them.
//!
//! A workbook is a zip archive of XML, and its directory stands at its end: the whole file must be there before its first
//! row can be read. So its size is limited, and before anything of it is parsed it is unpacked once into nothing, for what
//! an archive says of its own size may be wrong. Of the rows the texts are kept, and no empty cell.

use std::fmt::Write as _;
use std::io::{Cursor, Read as _};

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetType, SheetVisible, Xlsx, XlsxCellReader, XlsxError};
use memchr::memmem;
use zip::ZipArchive;

use super::cell::trimmed;
use super::record::{MAX_CELLS, MAX_RECORD_BYTES, Record};
use super::sniff::{COMPOUND_FILE, NUMBERS_SENTENCE, OPEN_DOCUMENT_SENTENCE, ZIP_SENTENCE};
use crate::outcome::Problem;

/// How many bytes a workbook may have.
pub(super) const MAX_WORKBOOK_BYTES: usize = 32 << 20;
/// How many bytes it may have unpacked, and how many letters its sheet.
const MAX_UNPACKED_BYTES: u64 = 128 << 20;
/// How many tags a part may have beside those of cells: each may be a text that the parser keeps, however short.
const MAX_KEPT_TAGS: u64 = 2 << 20;
/// The tags of cells, which are read one by one.
const CELL_TAGS: [&[u8]; 7] = [b"row", b"c", b"v", b"f", b"is", b"t", b"r"];
/// How many cells the sheet may have, empty ones among them.
const MAX_SHEET_CELLS: u64 = 50_000_000;
/// What is shown of a formula whose result was not stored.
const NO_RESULT: &str = "=formula_without_a_stored_result";
/// The part that each workbook has.
const WORKBOOK_PART: &str = "xl/workbook.xml";
/// So much of a tag is looked at.
const MAX_TAG_BYTES: usize = 1 << 10;
/// So many sheets are looked at: each costs reading it.
const MAX_SHEETS: usize = 100;
/// The parts of other files of the same kind of archive, and what is said of them.
const OTHER_PARTS: [(&str, &str); 5] = [
    (
        "xl/workbook.bin",
        "This is a binary Excel workbook (.xlsb). Open it in Excel and save it as an Excel workbook (.xlsx) or as \"CSV UTF-8\".",
    ),
    (
        "word/document.xml",
        "This is a Word document, not a table. Save the table itself as an Excel workbook or as CSV.",
    ),
    (
        "ppt/presentation.xml",
        "This is a presentation, not a table. Save the table itself as an Excel workbook or as CSV.",
    ),
    ("META-INF/manifest.xml", OPEN_DOCUMENT_SENTENCE),
    ("Index/Document.iwa", NUMBERS_SENTENCE),
];

/// The rows of a workbook's sheet, on the way to the table.
#[derive(Debug, Default)]
pub(super) struct Workbook {
    /// The cells that hold something, end to end.
    text: String,
    cells: Vec<SheetCell>,
    rows: Vec<SheetRow>,
    /// How many cells there are, with the empty ones before others of their rows.
    n_cells: u64,
    /// How many rows, cells and letters were handed on.
    next: (usize, usize, usize),
    /// The record that was handed on last: its text is in `text`, its ends are here.
    ends: Vec<usize>,
}

/// A cell that holds something.
#[derive(Clone, Copy, Debug)]
struct SheetCell {
    column: u32,
    len: u32,
}

/// A row that has such a cell.
#[derive(Clone, Copy, Debug)]
struct SheetRow {
    /// As a person counts, from 1 on.
    line: u32,
    n_cells: u32,
    n_letters: usize,
}

impl Workbook {
    /// Reads the first sheet that people see whose first row may be a header; if none has one, the first that holds anything.
    pub(super) fn read(bytes: &[u8], may_begin_with: &dyn Fn(&[String]) -> bool) -> Result<Self, Problem> {
        if bytes.starts_with(COMPOUND_FILE) {
            return Err(compound_file(bytes));
        }
        check_archive(bytes)?;
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
        let is_seen =
            |sheet: &&calamine::Sheet| sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet;
        let sheets: Vec<String> = workbook
            .sheets_metadata()
            .iter()
            .filter(is_seen)
            .take(MAX_SHEETS)
            .map(|sheet| sheet.name.clone())
            .collect();
        let mut first = None;
        for sheet in &sheets {
            let mut reader = workbook.worksheet_cells_reader(sheet).map_err(|error| unreadable(&error))?;
            let mut rows = Self::default();
            while rows.rows.len() < 2 && rows.read_cell(&mut reader)? {}
            if rows.rows.is_empty() {
                continue;
            }
            if may_begin_with(&rows.first_row()) {
                while rows.read_cell(&mut reader)? {}
                return Ok(rows);
            }
            first.get_or_insert(rows);
        }
        Ok(first.unwrap_or_default())
    }

    /// Reads one cell more; false at the end of the sheet.
    fn read_cell(&mut self, reader: &mut XlsxCellReader<'_, Cursor<&[u8]>>) -> Result<bool, Problem> {
        let cell = reader.next_cell_with_formula_metadata().map_err(|error| unreadable(&error))?;
        let Some(cell) = cell else { return Ok(false) };
        let ((line, column), start) = (cell.pos, self.text.len());
        write_value(&mut self.text, &cell.value);
        if cell.formula.is_some() && matches!(cell.value, DataRef::Empty) {
            self.text.push_str(NO_RESULT);
        }
        if trimmed(&self.text[start..]).is_empty() {
            self.text.truncate(start);
            return Ok(true);
        }
        self.keep(line + 1, column, self.text.len() - start)?;
        Ok(true)
    }

    /// Keeps a cell whose text was written.
    fn keep(&mut self, line: u32, column: u32, len: usize) -> Result<(), Problem> {
        let (last, n_before) = match (self.rows.last_mut(), self.cells.last()) {
            (Some(row), Some(cell)) if row.line == line => {
                row.n_cells += 1;
                (Some(row), u64::from(cell.column) + 1)
            }
            (last, _) if last.as_ref().is_none_or(|last| last.line < line) => {
                self.rows.push(SheetRow { line, n_cells: 1, n_letters: 0 });
                (self.rows.last_mut(), 0)
            }
            _ => return Err(damaged("its rows are not in order")),
        };
        if u64::from(column) < n_before {
            return Err(damaged("its cells are not in order"));
        }
        let Some(row) = last else { return Ok(()) };
        row.n_letters += len;
        self.n_cells += u64::from(column) + 1 - n_before;
        if column as usize >= MAX_CELLS || row.n_letters > MAX_RECORD_BYTES {
            let message = format!(
                "The row on line {line} is longer than a million letters, or has more than {MAX_CELLS} cells. This is not a table."
            );
            return Err(Problem::new("row_too_large", message));
        }
        if self.text.len() as u64 > MAX_UNPACKED_BYTES || self.n_cells > MAX_SHEET_CELLS {
            return Err(too_large());
        }
        self.cells.push(SheetCell { column, len: u32::try_from(len).unwrap_or(u32::MAX) });
        Ok(())
    }

    /// The cells of the first row.
    fn first_row(&self) -> Vec<String> {
        let n_cells = self.rows.first().map_or(0, |row| row.n_cells as usize);
        let (mut row, mut start) = (Vec::new(), 0);
        for cell in &self.cells[..n_cells] {
            let end = start + cell.len as usize;
            row.resize(cell.column as usize, String::new());
            row.push(self.text[start..end].to_owned());
            start = end;
        }
        row
    }

    /// The next row, and how much it holds.
    pub(super) fn next(&mut self) -> Option<(Record<'_>, usize)> {
        let (row, cell, letter) = self.next;
        let SheetRow { line, n_cells, .. } = *self.rows.get(row)?;
        self.ends.clear();
        let mut end = 0;
        for cell in &self.cells[cell..cell + n_cells as usize] {
            self.ends.resize(cell.column as usize, end);
            end += cell.len as usize;
            self.ends.push(end);
        }
        self.next = (row + 1, cell + n_cells as usize, letter + end);
        Some((Record::new(line, &self.text[letter..letter + end], &self.ends), end + self.ends.len()))
    }
}

/// Writes a value as a person sees it.
fn write_value(text: &mut String, value: &DataRef<'_>) {
    let written = match value {
        DataRef::Empty => Ok(()),
        DataRef::String(value) | DataRef::DateTimeIso(value) | DataRef::DurationIso(value) => text.write_str(value),
        DataRef::SharedString(value) => text.write_str(value),
        DataRef::Int(value) => write!(text, "{value}"),
        DataRef::Float(value) => write_number(text, *value),
        DataRef::Bool(value) => text.write_str(if *value { "TRUE" } else { "FALSE" }),
        DataRef::Error(error) => write!(text, "{error}"),
        DataRef::DateTime(value) => write_time(text, value),
    };
    written.expect("a text takes all that is written to it");
}

/// `3` and not `3.0`; as Excel, with fifteen digits at most.
fn write_number(text: &mut String, value: f64) -> std::fmt::Result {
    const MOST_EXACT: f64 = 1e15;
    if value.fract() == 0.0 && value.abs() < MOST_EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        return write!(text, "{}", value as i64);
    }
    let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    write!(text, "{rounded}")
}

/// A day, a day with its time, or a time, as ISO 8601 has them.
fn write_time(text: &mut String, value: &ExcelDateTime) -> std::fmt::Result {
    const SECONDS_PER_DAY: f64 = 86_400.0;
    let days = value.as_f64();
    if value.is_duration() || (0.0..1.0).contains(&days) {
        #[expect(clippy::cast_possible_truncation, reason = "a sheet's times are no longer than its days")]
        let seconds = (days * SECONDS_PER_DAY).round() as i64;
        let (sign, seconds) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
        return write!(text, "{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = value.to_ymd_hms_milli();
    write!(text, "{year:04}-{month:02}-{day:02}")?;
    if (hour, minute, second) == (0, 0, 0) { Ok(()) } else { write!(text, "T{hour:02}:{minute:02}:{second:02}") }
}

/// The archive is that of a workbook, has no password, and is not too large, whatever it says of its own size.
fn check_archive(bytes: &[u8]) -> Result<(), Problem> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error.to_string()))?;
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let has = |part: &str| names.iter().any(|name| name.trim_start_matches('/').eq_ignore_ascii_case(part));
    if !has(WORKBOOK_PART) {
        let known = OTHER_PARTS.iter().find(|(part, _)| has(part));
        return Err(Problem::new("not_csv", known.map_or(ZIP_SENTENCE, |(_, sentence)| sentence)));
    }
    let mut n_left = MAX_UNPACKED_BYTES;
    for index in 0..archive.len() {
        if archive.by_index_raw(index).is_ok_and(|part| part.encrypted()) {
            return Err(with_password());
        }
        let mut part = archive.by_index(index).map_err(|error| damaged(&error.to_string()))?;
        if part.size() > n_left {
            return Err(too_large());
        }
        let (mut piece, mut seen) = (vec![0; 64 << 10], SeenTags::default());
        loop {
            let n_read = part.read(&mut piece).map_err(|error| damaged(&error.to_string()))?;
            if n_read == 0 {
                break;
            }
            n_left = n_left.checked_sub(n_read as u64).ok_or_else(too_large)?;
            seen.take(&piece[..n_read])?;
        }
        seen.check_promise()?;
    }
    Ok(())
}

/// What a part has the parser keep, however little it takes in the file.
#[derive(Debug, Default)]
struct SeenTags {
    /// How many tags there are that are no cell's.
    n_kept: u64,
    /// How many formats of cells there are. Each keeps a copy of what it names.
    n_formats: u64,
    /// How many letters the longest tag has, with the text behind it.
    longest: u64,
    /// How many texts the part says that it has.
    promised: u64,
    /// The last tag, as far as it was read.
    last: Vec<u8>,
    len_of_last: u64,
}

impl SeenTags {
    fn take(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let mut rest = piece;
        loop {
            let end = memchr::memchr(b'<', rest);
            let text = &rest[..end.unwrap_or(rest.len())];
            self.last.extend_from_slice(&text[..text.len().min(MAX_TAG_BYTES.saturating_sub(self.last.len()))]);
            self.len_of_last += text.len() as u64;
            let Some(end) = end else { break };
            self.end_tag();
            rest = &rest[end + 1..];
        }
        let is_too_much = self.n_kept > MAX_KEPT_TAGS || self.n_formats * self.longest > MAX_UNPACKED_BYTES;
        if is_too_much { Err(too_large()) } else { Ok(()) }
    }

    fn end_tag(&mut self) {
        self.longest = self.longest.max(self.len_of_last);
        let end = self.last.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>'));
        let name = &self.last[..end.unwrap_or(self.last.len())];
        // What closes a tag begins with `/`, and has no name here.
        let name = memchr::memrchr(b':', name).map_or(name, |at| &name[at + 1..]);
        self.n_kept += u64::from(!name.is_empty() && !CELL_TAGS.contains(&name));
        self.n_formats += u64::from(name == b"xf");
        if name == b"sst" {
            self.promised = self.promised.max(self.promise());
        }
        self.last.clear();
        self.len_of_last = 0;
    }

    /// How many texts the last tag, which begins their table, says that there are. What stands too far back counts as too many.
    fn promise(&self) -> u64 {
        const NAME: &[u8] = b"uniqueCount";
        let Some(at) = memmem::find(&self.last, NAME) else {
            return if self.last.len() < MAX_TAG_BYTES { 0 } else { u64::MAX };
        };
        let is_before = |byte: &&u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'"' | b'\'');
        let number = self.last[at + NAME.len()..].iter().skip_while(is_before).take_while(|byte| byte.is_ascii_digit());
        number.fold(0, |so_far: u64, digit| so_far.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    }

    /// The parser makes room for as many texts as the part says.
    fn check_promise(&mut self) -> Result<(), Problem> {
        self.end_tag();
        let is_kept = self.promised <= self.n_kept;
        if is_kept { Ok(()) } else { Err(damaged("it says that it has more texts than there are")) }
    }
}

fn too_large() -> Problem {
    let message = format!(
        "The workbook holds more than {} MiB when it is unpacked. Save the sheet as \"CSV UTF-8\", or split it into smaller \
         files.",
        MAX_UNPACKED_BYTES >> 20
    );
    Problem::new("file_too_large", message)
}

fn with_password() -> Problem {
    let message = "The workbook has a password, so it cannot be read. Save it without one, and drop it again.";
    Problem::new("not_csv", message)
}

/// A file of an old Office program, or of a new one with a password: its directory says which.
fn compound_file(bytes: &[u8]) -> Problem {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if memmem::find(bytes, &name).is_some() {
        return with_password();
    }
    let message = "This is an old Excel workbook (.xls) or another Office file. Open it in Excel and save it as an Excel \
                   workbook (.xlsx) or as \"CSV UTF-8\".";
    Problem::new("not_csv", message)
}

fn unreadable(error: &XlsxError) -> Problem {
    match error {
        XlsxError::Password => with_password(),
        error => damaged(&error.to_string()),
    }
}

fn damaged(why: &str) -> Problem {
    let message = format!(
        "The workbook cannot be read ({why}). Open it in Excel and save it anew, or save the sheet as \"CSV UTF-8\"."
    );
    Problem::new("not_csv", message)
}
