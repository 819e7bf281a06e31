//! Text to records, with the line on which each begins.
//!
//! A quote counts at the beginning of a cell only, and doubled within a quoted cell; all other text stands for itself. So far
//! this is what the `csv` crate and `csv-core` below it do, and tests hold it to that. Neither can do the rest, as another
//! test shows:
//!
//! - Lines are those of an editor, which counts `\n`, `\r\n` and a lone `\r` as one line end each. The crate counts `\n`.
//! - A quote that is never closed must not swallow the rows below it. The next quote of the file would close it, which opens
//!   some other cell and so has text behind it: a cell of several lines whose closing quote has text behind it ends the
//!   reading, as does the end of the file within such a cell. The crate reads on, and does not say where quotes stood.
//! - White space before an opening quote is no part of the cell. To the crate such a quote is a letter; its `trim` looks at
//!   cells after they were split.
//! - Ctrl-Z at the end of the file is no text: DOS ended its files so.
//! - The bytes and cells of a record are limited, and each cell is a `&str` without another check.

use memchr::{memchr, memchr2_iter, memchr3_iter};

use super::cell::is_blank;
use super::record::{END_OF_FILE, MAX_CELLS, MAX_RECORD_BYTES, Record};
use crate::outcome::Problem;

/// A parser that takes text piece by piece.
#[derive(Debug)]
pub(super) struct Records {
    delimiter: u8,
    state: CellState,
    /// The cells of the current record, end to end.
    text: String,
    ends: Vec<usize>,
    /// The line of the next letter.
    line: u32,
    last_was_cr: bool,
    /// The line on which the current record began.
    began: u32,
    /// The line on which the current quoted cell began.
    opened: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellState {
    /// Before the next record.
    Between,
    /// At the beginning of a cell, or behind white space there.
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

/// A function that takes a record.
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
                CellState::Start if next == b'"' => self.open_quoted(),
                CellState::Start if !is_plain(next) && self.without_padding(rest).len() < rest.len() => {
                    self.pad(rest)?
                }
                CellState::Start | CellState::Plain => self.plain(rest, &mut each)?,
                CellState::Quoted => self.quoted(rest)?,
                CellState::Quote | CellState::Closed => self.behind_quote(next)?,
            };
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// The file ends here: hands on the last record if it has no line end.
    pub(super) fn finish(&mut self, mut each: impl Each) -> Result<(), Problem> {
        match self.state {
            CellState::Between => Ok(()),
            CellState::Quoted if self.opened < self.line => Err(self.unclosed("the file ends before the next quote")),
            state => {
                if matches!(state, CellState::Plain | CellState::Closed | CellState::Quoted) {
                    let cell = self.cell_start();
                    self.text.truncate(cell + self.text[cell..].trim_end_matches(END_OF_FILE).len());
                }
                self.end_cell()?;
                self.end_record(&mut each)
            }
        }
    }

    /// How many cells the current record has so far.
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

    /// Begins a quoted cell, without the white space before the quote.
    fn open_quoted(&mut self) -> usize {
        let start = self.cell_start();
        if start < self.text.len() {
            self.text.truncate(start);
        }
        self.opened = self.line;
        self.state = CellState::Quoted;
        1
    }

    /// Takes white space at the beginning of a cell, before it is known whether a quote follows.
    fn pad(&mut self, text: &str) -> Result<usize, Problem> {
        let n_padding = text.len() - self.without_padding(text).len();
        self.take(&text[..n_padding]).map(|()| n_padding)
    }

    /// The text without the white space that may stand before an opening quote.
    fn without_padding<'t>(&self, text: &'t str) -> &'t str {
        text.trim_start_matches(|letter| match letter {
            ' ' => true,
            '\t' => self.delimiter != b'\t',
            _ => !letter.is_ascii() && is_blank(letter),
        })
    }

    /// Takes cells from within one that is not quoted, up to the end of the record or to one that may be quoted.
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
            let next = bytes.get(start).copied().unwrap_or(b'"');
            if next == b'"' || (!is_plain(next) && self.is_padded_quote(&text[start..])) {
                self.state = CellState::Start;
                return Ok(start);
            }
        }
        self.take(&text[start..])?;
        self.state = CellState::Plain;
        Ok(bytes.len())
    }

    /// Whether a quoted cell begins here behind white space, or may do so in the next piece.
    #[inline(never)]
    fn is_padded_quote(&self, text: &str) -> bool {
        match text.bytes().find(|byte| *byte != b' ') {
            Some(byte) if is_plain(byte) => false,
            _ => matches!(self.without_padding(text).as_bytes().first(), None | Some(b'"')),
        }
    }

    /// Takes a quoted cell up to the next quote.
    fn quoted(&mut self, text: &str) -> Result<usize, Problem> {
        let bytes = text.as_bytes();
        let len = memchr(b'"', bytes).unwrap_or(bytes.len());
        // No more than fits: where the pieces end must not decide why the file is refused.
        self.count_lines(&bytes[..len.min(MAX_RECORD_BYTES - self.text.len())]);
        self.take(&text[..len])?;
        if len == bytes.len() {
            return Ok(len);
        }
        self.last_was_cr = false;
        self.state = CellState::Quote;
        Ok(len + 1)
    }

    /// A quote within a quoted cell closes it, unless another one follows. Text behind the closing quote belongs to the cell.
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
            b' ' | b'\t' | 0x1a => {
                self.take(char::from(next).encode_utf8(&mut [0]))?;
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

    /// Where the text of the current cell begins.
    fn cell_start(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
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
        let handed_on = each(Record::new(self.began, &self.text, &self.ends));
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

/// Whether a cell that begins with this byte is certainly not quoted.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'#'..=b'~')
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

    /// The text without white space between the beginning of a cell and a quote, and otherwise letter by letter the same.
    fn unpadded(text: &str) -> String {
        let (mut kept, mut padding) = (String::new(), String::new());
        let (mut is_start, mut is_quoted, mut was_quote) = (true, false, false);
        for letter in text.chars() {
            if is_quoted {
                is_quoted = letter != '"';
                was_quote = letter == '"';
            } else if letter == '"' && (is_start || was_quote) {
                padding.clear();
                (is_start, is_quoted) = (false, true);
            } else if is_start && matches!(letter, ' ' | '\t' | '\u{a0}') {
                padding.push(letter);
                continue;
            } else {
                kept.push_str(&std::mem::take(&mut padding));
                is_start = matches!(letter, ',' | '\r' | '\n');
                was_quote = false;
            }
            kept.push(letter);
        }
        kept + &padding
    }

    #[test]
    fn only_white_space_before_quotes_is_kept_from_the_csv_crate() {
        for (text, expected) in [
            (" \"a\", \"b \"\"\" ,\t\"c\"", "\"a\",\"b \"\"\" ,\"c\""),
            ("\"a\" \"b\"\n \"c\"", "\"a\" \"b\"\n\"c\""),
            ("a, b \"c\", \" \"", "a, b \"c\",\" \""),
            ("a, ", "a, "),
        ] {
            assert_eq!(unpadded(text), expected);
        }
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
    fn white_space_before_an_opening_quote_is_no_part_of_the_cell() {
        let rows = |rows: &[&[&str]]| -> Result<Read, Problem> {
            Ok((1..)
                .zip(rows)
                .map(|(line, cells)| (line, cells.iter().map(|&cell| cell.to_owned()).collect()))
                .collect())
        };
        for (text, expected) in [
            ("jdoe, \"Language\", \"German\", 3", &[&["jdoe", "Language", "German", " 3"][..]][..]),
            ("\"user\", \"level\"\n \"jdoe\",\t \"4\" \n", &[&["user", "level"], &["jdoe", "4 "]]),
            ("a, \"b, c\"", &[&["a", "b, c"]]),
            ("a, \"say \"\"so\"\"\"\n \"d\"", &[&["a", "say \"so\""], &["d"]]),
            ("a,\u{a0}\"b\",\u{200b}\u{3000}\"c\"", &[&["a", "b", "c"]]),
            ("\u{feff}\"a\",b", &[&["a", "b"]]),
            ("a, b, x\"c\", \r\n ,  \"\" , 5\" disk", &[&["a", " b", " x\"c\"", " "], &[" ", " ", " 5\" disk"]]),
            ("a, \"b", &[&["a", "b"]]),
            ("a, ", &[&["a", " "]]),
        ] {
            assert_eq!(read(&[text]), rows(expected), "{text:?}");
            let letters: Vec<_> = text.split_inclusive(|_| true).collect();
            assert_eq!(read(&letters), rows(expected), "{text:?}");
        }
        let mut tabs = Vec::new();
        let mut each = |record: Record<'_>| {
            tabs.push(record.cells().collect::<Vec<_>>().join("/"));
            Ok(())
        };
        let mut records = Records::new(b'\t');
        records.push("a\t\t\"b\tc\"\t \"d\"\t\n", &mut each).unwrap();
        records.finish(&mut each).unwrap();
        assert_eq!(tabs, ["a//b\tc/d/"], "a tab that separates cells is no white space");
        assert_eq!(read(&["a, \"b\nc, \"d\"\n"]).unwrap_err().code, "unclosed_quote");
    }

    #[test]
    fn ctrl_z_at_the_end_of_the_file_is_no_text() {
        let row = |cells: &[&str]| (1, cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
        for end in ["\u{1a}", "\u{1a}\u{1a}\u{1a}"] {
            let read = |text: &str| {
                let text = format!("{text}{end}");
                let letters: Vec<_> = text.split_inclusive(|_| true).collect();
                assert_eq!(read(&letters), read(&[&text]));
                read(&[&text])
            };
            assert_eq!(read("a,b"), Ok(vec![row(&["a", "b"])]));
            assert_eq!(read("a,"), Ok(vec![row(&["a", ""])]));
            assert_eq!(read("a,\"b\""), Ok(vec![row(&["a", "b"])]));
            assert_eq!(read("a,\"b\nc\""), Ok(vec![row(&["a", "b\nc"])]));
            assert_eq!(read("a,\"b"), Ok(vec![row(&["a", "b"])]));
            assert_eq!(
                read("a,b\r\n"),
                Ok(vec![row(&["a", "b"]), (2, vec![String::new()])]),
                "an empty row is skipped"
            );
            assert_eq!(read("a\u{1a},b"), Ok(vec![row(&["a\u{1a}", "b"])]), "elsewhere it is a letter");
        }
    }

    /// If this fails, the crate has learnt something, and less of this file may be needed.
    #[test]
    fn what_the_csv_crate_cannot_do() {
        let read = |text: &str| {
            let mut builder = csv::ReaderBuilder::new();
            let mut csv = builder.has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
            let records = csv.records().map(|record| record.unwrap());
            let row = |record: csv::StringRecord| {
                (record.position().unwrap().line(), record.iter().collect::<Vec<_>>().join("/"))
            };
            records.map(row).collect::<Vec<_>>()
        };
        let row = |line, cells: &str| (line, cells.to_owned());
        assert_eq!(read("a\rb\r\nc\nd"), [row(1, "a"), row(1, "b"), row(1, "c"), row(3, "d")], "lines are 1 to 4");
        assert_eq!(read("a,\"b\nc,\"d\"\ne,f"), [row(1, "a/b\nc,d\""), row(3, "e/f")], "the second row is lost");
        assert_eq!(read("a, \"b, c\""), [row(1, "a/\"b/c\"")], "a cell is torn");
        assert_eq!(read("a,b\n\u{1a}"), [row(1, "a/b"), row(2, "\u{1a}")], "the end of the file is a row");
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
        fn any_text_reads_as_the_csv_crate_reads_it_without_white_space_before_quotes(
            text in "[ab\",\r\n é\t\u{a0}]{0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let whole = read(&[&text]);
            prop_assert_eq!(read(&pieces(&text, &cuts)), whole.clone());
            match whole {
                Ok(found) => {
                    let text = unpadded(&text);
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
