//! Bytes to records, with the line on which each begins.
//!
//! `csv-core` does the parsing; it takes the bytes as they come, so that nothing waits for a whole file. Lines are counted
//! here, for its own count knows `\n` only: an editor counts `\n`, `\r\n` and a lone `\r` as one line each.

use csv_core::ReadRecordResult;

use super::Refusal;

/// A record larger than this is no row of a table but a file that is something else, or a quote that is never closed.
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
    /// A cell by its place, from 0 on.
    pub fn get(&self, place: usize) -> Option<&'r str> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no cell holds anything but white space.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
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
    csv: csv_core::Reader,
    out: Vec<u8>,
    out_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// The line of the next byte.
    line: u32,
    last_was_cr: bool,
    /// The line on which the record under way began.
    began: Option<u32>,
    quotes: usize,
}

impl Records {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            csv: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            out: vec![0; 1024],
            out_len: 0,
            ends: vec![0; 32],
            ends_len: 0,
            line: 1,
            last_was_cr: false,
            began: None,
            quotes: 0,
        }
    }

    /// Takes the next bytes and hands on each record that they complete.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Record<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        loop {
            if self.began.is_none() {
                let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                self.count(&bytes[..blank]);
                bytes = &bytes[blank..];
            }
            if bytes.is_empty() {
                return Ok(());
            }
            self.began.get_or_insert(self.line);
            let taken = self.read(bytes, &mut each)?.1;
            self.count(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
    }

    /// The file ends here: hands on the record that has no line end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Record<'_>) -> Result<(), Refusal>) -> Result<(), Refusal> {
        if let Some(began) = self.began.filter(|&began| self.quotes % 2 == 1 && began < self.line) {
            let message = format!(
                "The quote that opens on line {began} is never closed, so everything after it is one cell. \
                 Close the quote, or take it away."
            );
            return Err(Refusal::new("unclosed_quote", message));
        }
        while !matches!(self.read(&[], &mut each)?.0, ReadRecordResult::End) {}
        Ok(())
    }

    fn read(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Record<'_>) -> Result<(), Refusal>,
    ) -> Result<(ReadRecordResult, usize), Refusal> {
        let (out, ends) = (&mut self.out[self.out_len..], &mut self.ends[self.ends_len..]);
        let (result, taken, written, ended) = self.csv.read_record(bytes, out, ends);
        self.out_len += written;
        self.ends_len += ended;
        let began = self.began.unwrap_or(self.line);
        match result {
            ReadRecordResult::OutputFull if self.out.len() >= MAX_RECORD_BYTES => {
                let message = format!(
                    "The row that begins on line {began} is longer than {MAX_RECORD_BYTES} bytes. This is not a table, or a \
                     quote on that line is never closed."
                );
                return Err(Refusal::new("row_too_large", message));
            }
            ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_CELLS => {
                let message = format!("The row on line {began} has more than {MAX_CELLS} cells.");
                return Err(Refusal::new("row_too_large", message));
            }
            ReadRecordResult::OutputFull => self.out.resize(self.out.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            ReadRecordResult::Record => {
                let (out, ends) = (&self.out[..self.out_len], &self.ends[..self.ends_len]);
                let text = std::str::from_utf8(out).ok();
                let text = text.filter(|text| ends.iter().all(|&end| text.is_char_boundary(end)));
                let Some(text) = text else {
                    let message = format!(
                        "Line {began} is not UTF-8 text. Save the file as \"CSV UTF-8 (comma delimited)\" and drop it again."
                    );
                    return Err(Refusal::new("not_utf8", message));
                };
                self.out_len = 0;
                self.ends_len = 0;
                self.quotes = 0;
                self.began = None;
                each(Record { line: began, text, ends })?;
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
        }
        Ok((result, taken))
    }

    fn count(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' if self.last_was_cr => {}
                b'\r' | b'\n' => self.line += 1,
                b'"' if self.began.is_some() => self.quotes += 1,
                _ => {}
            }
            self.last_was_cr = byte == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Read = Vec<(u32, Vec<String>)>;

    fn read(pieces: &[&[u8]]) -> Result<Read, Refusal> {
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

    #[test]
    fn lines_are_those_of_an_editor() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"c", "c\",d", "e,f", "", "", "g,h"].join(end);
            let lines: Vec<_> = read(&[text.as_bytes()]).unwrap().into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [1, 3, 5, 8], "{end:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named() {
        let error = read(&[b"a,b\nc,\"d\ne,f\ng,h\n"]).unwrap_err();
        assert_eq!(error.code, "unclosed_quote");
        assert!(error.message.contains("line 2"), "{error}");
        assert_eq!(read(&[b"a,5\" disk"]).unwrap(), [(1, vec!["a".into(), "5\" disk".into()])]);
    }

    #[test]
    fn a_row_without_end_is_refused() {
        let endless = vec![b'x'; 1 << 16];
        let error = read(&[&endless[..]; 20]).unwrap_err();
        assert_eq!(error.code, "row_too_large");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_line() {
        let error = read(&[b"user\nM\xfcller\n"]).unwrap_err();
        assert_eq!(error.code, "not_utf8");
        assert!(error.message.contains("Line 2"), "{error}");
    }

    proptest! {
        #[test]
        fn what_a_csv_writer_writes_reads_back_wherever_the_pieces_end(
            rows in prop::collection::vec(prop::collection::vec("[a-c\",\r\n é]{0,4}", 2..4), 1..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let cells: Vec<_> = read(&pieces).unwrap().into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(cells, rows);
        }
    }
}
