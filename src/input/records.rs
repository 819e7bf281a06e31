//! Text to records, with the line on which each begins.
//!
//! Quotes count at the beginning of a cell only, and doubled within one; what else stands in a cell is taken as it is. So
//! far this is what the `csv` crate does, and a test holds it to that. Two things are done here that it does not:
//!
//! - Lines are those of an editor, which counts `\n`, `\r\n` and a lone `\r` as one line end each.
//! - A quote that is never closed must not swallow the rows below it. It would be closed by the next quote of the file,
//!   which opens some other cell and so has text behind it: a cell of several lines whose closing quote has text behind
//!   it ends the reading, as does the end of the file within such a cell.

use memchr::{memchr, memchr2_iter, memchr3_iter};

use crate::outcome::Problem;

/// Excel has 32,767 characters in a cell at most. A record larger than this is no row of a table.
const MAX_RECORD_BYTES: usize = 1 << 20;
/// Excel has 16,384 columns at most.
const MAX_CELLS: usize = 16_384;

/// One record: its cells, and the line on which it begins.
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// The line on which it begins, from 1 on, as an editor counts.
    pub line: u32,
    text: &'r str,
    ends: &'r [usize],
}

impl<'r> Record<'r> {
    /// A cell by its index, from 0 on.
    pub fn get(&self, index: usize) -> Option<&'r str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no cell holds anything but white space.
    #[inline]
    pub fn is_empty(&self) -> bool {
        super::trimmed(self.text).is_empty()
    }

    /// Whether no cell holds a control character: no NUL, no escape, no tab and no line break either.
    pub fn is_visible(&self) -> bool {
        super::cell::is_visible(self.text)
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        let Self { text, ends, .. } = *self;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, &end)| &text[start..end])
    }
}

/// A parser that is fed piece by piece.
#[derive(Debug)]
pub(super) struct Records {
    delimiter: u8,
    state: CellState,
    /// The cells of the record under way, end to end.
    text: String,
    ends: Vec<usize>,
    /// The line of the next letter.
    line: u32,
    last_was_cr: bool,
    /// The line on which the record under way began.
    began: u32,
    /// The line on which the quoted cell under way began.
    opened: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellState {
    /// No record is under way.
    Between,
    /// At the beginning of a cell.
    Start,
    /// In a cell, where quotes mean nothing any more.
    Plain,
    /// Behind the quote that opens a cell.
    Quoted,
    /// Behind a quote within a quoted cell.
    Quote,
    /// Behind white space that follows the closing quote of a cell of several lines.
    Closed,
}

/// What takes a record.
pub(super) trait Each: FnMut(Record<'_>) -> Result<(), Problem> {}
impl<F: FnMut(Record<'_>) -> Result<(), Problem>> Each for F {}

impl Records {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: CellState::Between,
            text: String::new(),
            ends: Vec::new(),
            line: 1,
            last_was_cr: false,
            began: 1,
            opened: 1,
        }
    }

    /// Takes the next text and hands on each record that it completes.
    pub(super) fn push(&mut self, text: &str, mut each: impl Each) -> Result<(), Problem> {
        let mut rest = text;
        while let Some(&next) = rest.as_bytes().first() {
            let taken = match self.state {
                CellState::Between => self.skip_blank_lines(rest),
                CellState::Start if next == b'"' => {
                    self.opened = self.line;
                    self.state = CellState::Quoted;
                    1
                }
                CellState::Start | CellState::Plain => self.plain(rest, &mut each)?,
                CellState::Quoted => self.quoted(rest)?,
                CellState::Quote | CellState::Closed => self.behind_quote(next)?,
            };
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// The file ends here: hands on the record that has no line end.
    pub(super) fn finish(&mut self, mut each: impl Each) -> Result<(), Problem> {
        match self.state {
            CellState::Between => Ok(()),
            CellState::Quoted if self.opened < self.line => Err(self.unclosed("the file ends before the next quote")),
            _ => {
                self.end_cell()?;
                self.end_record(&mut each)
            }
        }
    }

    /// How many cells of the record under way there are so far.
    pub(super) fn n_cells(&self) -> usize {
        self.ends.len() + 1
    }

    fn skip_blank_lines(&mut self, text: &str) -> usize {
        let blank = text.bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        for &byte in &text.as_bytes()[..blank] {
            self.count_line_end(byte);
        }
        if blank < text.len() {
            self.last_was_cr = false;
            self.began = self.line;
            self.state = CellState::Start;
        }
        blank
    }

    /// Takes cells from within one that is not quoted, up to the end of the record or to a quoted one.
    fn plain(&mut self, text: &str, each: &mut impl Each) -> Result<usize, Problem> {
        let bytes = text.as_bytes();
        let mut start = 0;
        for end in memchr3_iter(self.delimiter, b'\n', b'\r', bytes) {
            self.take(&text[start..end])?;
            self.end_cell()?;
            start = end + 1;
            if bytes[end] != self.delimiter {
                self.count_line_end(bytes[end]);
                self.end_record(each)?;
                return Ok(start);
            }
            if bytes.get(start).is_none_or(|&next| next == b'"') {
                self.state = CellState::Start;
                return Ok(start);
            }
        }
        self.take(&text[start..])?;
        self.state = CellState::Plain;
        Ok(bytes.len())
    }

    /// Takes a quoted cell up to the next quote.
    fn quoted(&mut self, text: &str) -> Result<usize, Problem> {
        let bytes = text.as_bytes();
        let len = memchr(b'"', bytes).unwrap_or(bytes.len());
        // No more than fits: what is refused must not depend on where the pieces end.
        self.count_lines(&bytes[..len.min(MAX_RECORD_BYTES - self.text.len())]);
        self.take(&text[..len])?;
        if len == bytes.len() {
            return Ok(len);
        }
        self.last_was_cr = false;
        self.state = CellState::Quote;
        Ok(len + 1)
    }

    /// A quote within a quoted cell closes it, unless another follows. Text behind it belongs to the cell.
    fn behind_quote(&mut self, next: u8) -> Result<usize, Problem> {
        let is_of_several_lines = self.opened < self.line;
        match next {
            b'"' if self.state == CellState::Quote => {
                self.take("\"")?;
                self.state = CellState::Quoted;
                return Ok(1);
            }
            b'\r' | b'\n' => self.state = CellState::Plain,
            _ if next == self.delimiter || !is_of_several_lines => self.state = CellState::Plain,
            b' ' | b'\t' => {
                self.take(if next == b' ' { " " } else { "\t" })?;
                self.state = CellState::Closed;
                return Ok(1);
            }
            _ => return Err(self.unclosed(&format!("the next quote, on line {}, has text behind it", self.line))),
        }
        Ok(0)
    }

    fn take(&mut self, text: &str) -> Result<(), Problem> {
        if self.text.len() + text.len() <= MAX_RECORD_BYTES {
            self.text.push_str(text);
            return Ok(());
        }
        let began = self.began;
        if self.state == CellState::Quoted && self.opened < self.line {
            return Err(self.unclosed("the next quote is more than a million letters further down"));
        }
        let message = format!("The row on line {began} is longer than a million letters. This is not a table.");
        Err(Problem::new("row_too_large", message))
    }

    fn end_cell(&mut self) -> Result<(), Problem> {
        if self.ends.len() == MAX_CELLS {
            let message = format!(
                "The row on line {} has more than {MAX_CELLS} cells, which is more than Excel has columns.",
                self.began
            );
            return Err(Problem::new("row_too_large", message));
        }
        self.ends.push(self.text.len());
        Ok(())
    }

    fn end_record(&mut self, each: &mut impl Each) -> Result<(), Problem> {
        let handed_on = each(Record { line: self.began, text: &self.text, ends: &self.ends });
        self.text.clear();
        self.ends.clear();
        self.state = CellState::Between;
        handed_on
    }

    fn count_line_end(&mut self, byte: u8) {
        self.line += u32::from(byte == b'\r' || !self.last_was_cr);
        self.last_was_cr = byte == b'\r';
    }

    fn count_lines(&mut self, bytes: &[u8]) {
        let mut after_cr = self.last_was_cr.then_some(0);
        for at in memchr2_iter(b'\r', b'\n', bytes) {
            if bytes[at] == b'\r' {
                self.line += 1;
                after_cr = Some(at + 1);
            } else if after_cr != Some(at) {
                self.line += 1;
            }
        }
        self.last_was_cr = after_cr == Some(bytes.len());
    }

    fn unclosed(&self, why: &str) -> Problem {
        let message = format!(
            "The quote (\") that opens a cell on line {} is not closed where it should be: {why}. Close it, or take it \
             away. Where a cell is to hold a quote, write it twice.",
            self.opened
        );
        Problem::new("unclosed_quote", message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = Vec<(u32, Vec<String>)>;

    fn read(pieces: &[&str]) -> Result<Read, Problem> {
        let mut found = Vec::new();
        let mut records = Records::new(b',');
        let mut each = |record: Record<'_>| {
            found.push((record.line, record.cells().map(str::to_owned).collect::<Vec<_>>()));
            Ok(())
        };
        for piece in pieces {
            records.push(piece, &mut each)?;
        }
        records.finish(&mut each)?;
        Ok(found)
    }

    /// The text in pieces that end at these places, or at the next letter.
    fn pieces<'t>(text: &'t str, cuts: &[prop::sample::Index]) -> Vec<&'t str> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| text.ceil_char_boundary(cut.index(text.len() + 1))).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect()
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"c", "c\",d", "e,f", "", "", "g,h", "\"", "\"", "i"].join(end);
            let lines: Vec<_> = read(&[&text]).unwrap().into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [1, 3, 5, 8, 9, 11], "{end:?}");
            let letters: Vec<_> = text.split_inclusive(|_| true).collect();
            assert_eq!(read(&letters), read(&[&text]), "{end:?}");
        }
        assert_eq!(read(&["\"\r\"\n\r\na"]).unwrap()[1].0, 4, "a CR in quotes and an LF behind them are two lines");
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named_where_it_opens() {
        let unclosed = |text: &str| {
            let error = read(&[text]).unwrap_err();
            assert_eq!(error.code, "unclosed_quote");
            let letters: Vec<_> = text.split_inclusive(|_| true).collect();
            assert_eq!(read(&letters), Err(error.clone()));
            error.message
        };
        assert!(unclosed("a,b\nc,\"d\ne,f\ng,h\n").contains("on line 2 is not closed"));
        let message = unclosed("a,b\nc,\"d\ne,f\ng,\"h\"\n");
        assert!(message.contains("on line 2") && message.contains("on line 4, has text behind it"), "{message}");
        assert!(unclosed("a,\"b\n\"  \tc").contains("on line 1"));
        let far = format!("a\n\"b\n{}\",c\n", "x,y\n".repeat(300_000));
        assert!(unclosed(&far).contains("on line 2"));
        let wide = format!("a\n\"b{}\n\",c\n", "x".repeat(1_200_000));
        assert_eq!(read(&[&wide]).unwrap_err().code, "row_too_large");
    }

    #[test]
    fn quotes_that_swallow_nothing_are_taken_as_they_are() {
        let row = |cells: &[&str]| vec![(1, cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>())];
        assert_eq!(read(&["a,5\" disk"]), Ok(row(&["a", "5\" disk"])));
        assert_eq!(read(&["\"Bob\" Smith,\"b\" ,c"]), Ok(row(&["Bob Smith", "b ", "c"])));
        assert_eq!(read(&["\"two\nlines\" \t,b"]), Ok(row(&["two\nlines \t", "b"])));
        assert_eq!(read(&["a,\"b"]), Ok(row(&["a", "b"])));
        assert_eq!(read(&["a,\""]), Ok(row(&["a", ""])));
        assert_eq!(read(&["a,\n"]), Ok(row(&["a", ""])));
    }

    #[test]
    fn a_row_without_end_is_refused() {
        let endless = "x".repeat(1 << 16);
        assert_eq!(read(&[endless.as_str(); 20]).unwrap_err().code, "row_too_large");
        let many = ",".repeat(1 << 16);
        assert_eq!(read(&[many.as_str(); 2]).unwrap_err().code, "row_too_large");
    }

    proptest! {
        #[test]
        fn what_a_csv_writer_writes_reads_back_wherever_the_pieces_end(
            rows in prop::collection::vec(prop::collection::vec("[a-c\",\r\n é]{0,4}", 2..4), 1..6),
            is_quoted in any::<bool>(),
            end in prop::sample::select(vec![csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let style = if is_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().flexible(true).quote_style(style).terminator(end).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let cells: Vec<_> = read(&pieces(&text, &cuts)).unwrap().into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(cells, rows);
        }

        #[test]
        fn any_text_reads_as_the_csv_crate_reads_it(
            text in "[ab\",\r\n é\t]{0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let whole = read(&[&text]);
            prop_assert_eq!(read(&pieces(&text, &cuts)), whole.clone());
            match whole {
                Ok(found) => {
                    let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                    let theirs: Vec<Vec<String>> =
                        csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
                    let ours: Vec<_> = found.into_iter().map(|(_, cells)| cells).collect();
                    prop_assert_eq!(ours, theirs);
                }
                Err(refusal) => prop_assert_eq!(refusal.code, "unclosed_quote"),
            }
        }
    }
}
