//! A file, from its bytes to its rows: all stages in a line.

use super::decode::Decoder;
use super::header::{Header, Schema};
use super::record::Visit;
use super::sheet::{Headings, SheetHeader};
use super::sniff;
use super::table::TableParser;
use super::unpack::Decompressor;
use super::workbook::{MAX_WORKBOOK_BYTES, Workbook};
use crate::outcome::Problem;

/// How much text a file may hold, unpacked: two million rows of a thousand letters. A gzip bomb holds more, and
/// [`super::Interner`] cannot hold more.
const MAX_TEXT_BYTES: u64 = 2 << 30;

/// How many bytes the object may have: UTF-16 takes two for a letter, and an archive may go on and hold nothing.
const MAX_BYTES: u64 = 4 << 30;

/// A step reads the rows of a workbook until they hold so many letters.
const STEP_LETTERS: usize = 64 << 10;

/// A reader of a file of one of these schemas, which takes bytes piece by piece.
///
/// If the file is a [sheet](Reader::sheet), it pauses behind the header until its headings are [explained](Reader::explain).
#[derive(Debug)]
pub struct Reader {
    unpacker: Decompressor,
    content: Content,
    table: TableParser,
    n_bytes: u64,
    n_text_bytes: u64,
}

/// What the bytes are.
#[derive(Debug)]
enum Content {
    /// Too few of them have come.
    Unknown(Vec<u8>),
    Text(Decoder),
    /// All bytes so far: a workbook's directory is at its end.
    Workbook(Vec<u8>),
    /// All of them were read. Of a workbook rows are left.
    Ended(Workbook),
}

impl Reader {
    /// A reader at the beginning of a file.
    pub fn new(schemas: &'static [Schema]) -> Self {
        Self::with_whole_rows(schemas, false)
    }

    /// The same. Where `is_whole`, a row of a sheet that lacks cells is wrong: it cannot be the whole truth of its user.
    pub fn with_whole_rows(schemas: &'static [Schema], is_whole: bool) -> Self {
        Self {
            unpacker: Decompressor::default(),
            content: Content::Unknown(Vec::new()),
            table: TableParser::new(schemas, is_whole),
            n_bytes: 0,
            n_text_bytes: 0,
        }
    }

    /// The header, once it was read; of a sheet, once its headings were explained.
    pub fn header(&self) -> Option<&Header> {
        self.table.header()
    }

    /// The header of a sheet whose headings were not explained yet. It has no rows before they are.
    pub fn sheet(&self) -> Option<&SheetHeader> {
        self.table.sheet()
    }

    /// Says what the headings of the sheet mean.
    pub fn explain(&mut self, headings: &Headings) {
        self.table.explain(headings);
    }

    /// Takes some of the next bytes of the file and visits each row that they complete. Returns how many bytes it took: call
    /// it again with the rest.
    ///
    /// A step reads 64 KiB of text at most, even from a packed file: a caller that collects rows holds no more than that
    /// between two steps. (Only the one that finds the end of a workbook reads all of it, before its first row.)
    pub fn step(&mut self, bytes: &[u8], visit: &mut Visit<'_>) -> Result<usize, Problem> {
        self.advance(bytes, visit).map(|(taken, _)| taken)
    }

    /// How many bytes were taken, and whether anything came out of them.
    fn advance(&mut self, bytes: &[u8], visit: &mut Visit<'_>) -> Result<(usize, bool), Problem> {
        let (taken, plain) = self.unpacker.take(bytes)?;
        count(&mut self.n_bytes, taken, MAX_BYTES, "bytes")?;
        let is_empty = plain.is_empty();
        match &mut self.content {
            Content::Unknown(held) => {
                held.extend_from_slice(plain);
                if held.len() >= sniff::HEAD_BYTES {
                    self.begin(visit)?;
                }
            }
            Content::Text(decoder) => {
                let text = decoder.decode(plain)?;
                count(&mut self.n_text_bytes, text.len(), MAX_TEXT_BYTES, "text")?;
                self.table.push(text, visit)?;
            }
            Content::Workbook(held) => {
                held.extend_from_slice(plain);
                check_size(held)?;
            }
            Content::Ended(_) => {}
        }
        Ok((taken, !is_empty))
    }

    /// Finds out from the first bytes what the file is.
    fn begin(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Content::Unknown(held) = &mut self.content else { return Ok(()) };
        let held = std::mem::take(held);
        sniff::refuse(&held[..held.len().min(sniff::HEAD_BYTES)])?;
        if sniff::may_be_workbook(&held) {
            check_size(&held)?;
            self.content = Content::Workbook(held);
            return Ok(());
        }
        let mut decoder = Decoder::default();
        let text = decoder.decode(&held)?;
        count(&mut self.n_text_bytes, text.len(), MAX_TEXT_BYTES, "text")?;
        self.table.push(text, visit)?;
        self.content = Content::Text(decoder);
        Ok(())
    }

    /// Takes all of the next bytes.
    pub fn push(&mut self, mut bytes: &[u8], visit: &mut Visit<'_>) -> Result<(), Problem> {
        while !bytes.is_empty() {
            let taken = self.step(bytes, visit)?;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// The file ends here: visits some of the last rows, and says whether there are more. A sheet whose headings were not
    /// explained has no more before they are.
    pub fn finish_step(&mut self, visit: &mut Visit<'_>) -> Result<bool, Problem> {
        if self.advance(&[], visit)?.1 {
            return Ok(true);
        }
        self.unpacker.finish()?;
        if matches!(self.content, Content::Unknown(_)) {
            self.begin(visit)?;
        }
        match &mut self.content {
            Content::Unknown(_) => {}
            Content::Text(decoder) => {
                self.table.push(decoder.finish()?, visit)?;
                self.content = Content::Ended(Workbook::default());
            }
            Content::Workbook(bytes) => {
                let workbook = Workbook::read(&std::mem::take(bytes), &|cells| self.table.may_begin_with(cells))?;
                self.content = Content::Ended(workbook);
            }
            Content::Ended(workbook) => {
                let mut n_letters = 0;
                while n_letters < STEP_LETTERS && self.table.sheet().is_none() {
                    let Some((record, n_more)) = workbook.next() else {
                        self.table.finish(visit)?;
                        return Ok(self.table.sheet().is_some());
                    };
                    n_letters += n_more;
                    self.table.push_record(record, visit)?;
                }
            }
        }
        Ok(true)
    }

    /// The file ends here: visits the last rows. Of a sheet whose headings were not explained there are none.
    pub fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Problem> {
        while self.finish_step(visit)? && self.sheet().is_none() {}
        Ok(())
    }
}

fn check_size(workbook: &[u8]) -> Result<(), Problem> {
    if workbook.len() > MAX_WORKBOOK_BYTES {
        let message = format!(
            "The workbook, or other archive, has more than {} MiB. Save the sheet as \"CSV UTF-8\", or split it into smaller files.",
            MAX_WORKBOOK_BYTES >> 20
        );
        return Err(Problem::new("file_too_large", message));
    }
    Ok(())
}

fn count(n: &mut u64, more: usize, most: u64, what: &str) -> Result<(), Problem> {
    *n += more as u64;
    if *n > most {
        let message = format!("The file holds more than {} GiB of {what}. Split it into smaller files.", most >> 30);
        return Err(Problem::new("file_too_large", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::input::{Column, Heading, Presence, Record};

    const SCHEMA: Schema = &[
        Column { aliases: &["agent"], ..Column::new("user", Presence::Required) },
        Column::new("value", Presence::Required),
    ];

    /// Delimiter, and the line and the cells of each row; or the code of the problem.
    type Read = Result<(u8, Vec<(u32, String)>), Cow<'static, str>>;

    fn read_in_pieces(bytes: &[u8], size: usize) -> Result<(u8, Vec<(u32, String)>), Problem> {
        let mut rows = Vec::new();
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |_: &Header, record: Record<'_>| {
            rows.push((record.line, record.cells().collect::<Vec<_>>().join("/")));
            Ok(())
        };
        let done = bytes.chunks(size).try_for_each(|piece| reader.push(piece, &mut visit));
        done.and_then(|()| reader.finish(&mut visit))?;
        Ok((reader.header().unwrap().delimiter, rows))
    }

    /// Reads the bytes whole and in pieces, which must be the same.
    fn read_bytes(bytes: &[u8]) -> Result<(u8, Vec<(u32, String)>), Problem> {
        let whole = read_in_pieces(bytes, usize::MAX);
        for size in [1, 2, 3, 4, 127, 128, 129] {
            assert_eq!(read_in_pieces(bytes, size), whole, "in pieces of {size} bytes");
        }
        whole
    }

    fn read(text: &str) -> Read {
        read_bytes(text.as_bytes()).map_err(|error| error.code)
    }

    #[test]
    fn the_header_tells_the_delimiter() {
        for delimiter in [',', ';', '\t', '|'] {
            let text = "\u{feff}user,value\n\na,\"b,;\t|\"\n,\nc,d".replace(',', &delimiter.to_string());
            let inner = ",;\t|".replace(',', &delimiter.to_string());
            let rows = vec![(3, format!("a/b{inner}")), (5, "c/d".into())];
            assert_eq!(read(&text), Ok((delimiter as u8, rows)), "{delimiter:?}");
        }
    }

    #[test]
    fn what_excel_writes_above_the_header_is_understood() {
        let rows = |line| vec![(line, "a/b,c".to_owned())];
        for above in ["sep=;\r\n", "\"SEP=;\"\n", "sep=;;;\n", "\u{feff}\u{feff}\n\nsep=;\n"] {
            let line = u32::try_from(above.matches('\n').count()).unwrap() + 2;
            assert_eq!(read(&format!("{above}user;value\na;b,c\n")), Ok((b';', rows(line))), "{above:?}");
        }
        // The line counts more than what seems likelier.
        assert_eq!(read("sep=;\nuser,value;user;value\nx;a;b,c\n"), Ok((b';', vec![(3, "x/a/b,c".to_owned())])));
        // A line with another delimiter is a header, and not a good one.
        assert_eq!(read("sep=x\nuser;value\na;b,c\n"), Err("missing_column".into()));
        assert_eq!(read("sep=;"), Err("missing_column".into()));
    }

    #[test]
    fn a_header_is_found_below_blank_lines() {
        assert_eq!(read("\r\n\r\n ,\u{a0}\r\nuser,value\r\na,b"), Ok((b',', vec![(5, "a/b".into())])));
        assert_eq!(read("\u{feff}\u{feff}user,value\na,b"), Ok((b',', vec![(2, "a/b".into())])));
    }

    #[test]
    fn ctrl_z_at_the_end_is_no_row_and_elsewhere_it_is_one() {
        let rows =
            |rows: &[(u32, &str)]| Ok((b',', rows.iter().map(|&(line, cells)| (line, cells.to_owned())).collect()));
        for end in [
            "\u{1a}",
            "\n\u{1a}",
            "\n\u{1a}\u{1a}\u{1a}",
            "\r\n\u{1a}\r\n",
            "\n\u{1a}\n\n , \n",
            "\n\n\u{1a}\u{1a}\n\u{feff}",
        ] {
            assert_eq!(read(&format!("user,value\na,b{end}")), rows(&[(2, "a/b")]), "{end:?}");
        }
        let between = "user,value\na,b\n\u{1a}\n\nc,d\n\u{1a}\u{1a}\ne\u{1a},f\n\u{1a}";
        assert_eq!(
            read(between),
            rows(&[(2, "a/b"), (3, "\u{1a}"), (5, "c/d"), (6, "\u{1a}\u{1a}"), (7, "e\u{1a}/f")])
        );
        assert_eq!(read("user,value\u{1a}"), rows(&[]));
        assert_eq!(read("user,value\n\u{1a}"), rows(&[]));
        assert_eq!(read("\u{1a}"), Err("empty_file".into()));
    }

    #[test]
    fn quotes_behind_spaces_open_cells_from_the_header_on() {
        let text = "\"user\", \"value\"\n\"jdoe\", \"a, b\"\n";
        assert_eq!(read(text), Ok((b',', vec![(2, "jdoe/a, b".into())])));
        assert_eq!(read("\u{feff} \"user\" ; \"value\"\na;b"), Ok((b';', vec![(2, "a/b".into())])));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (text, code) in [
            ("", "empty_file"),
            ("\n\n", "empty_file"),
            ("\u{feff}", "empty_file"),
            ("name,value\na,b\n", "missing_column"),
            ("user,user,value\na,b,c\n", "duplicate_column"),
            ("PK\u{3}\u{4}user,value\n", "not_csv"),
            ("just a sentence", "missing_column"),
            ("u\0s\0e\0r\0,\0v\0a\0l\0u\0e\0\n\0", "not_csv"),
            ("user,\"value\na,b\nc,d\n", "unclosed_quote"),
            ("user,value\na,\"b\nc,d\ne,f\n", "unclosed_quote"),
        ] {
            assert_eq!(read(text), Err(code.into()), "{text:?}");
        }
    }

    #[test]
    fn a_header_may_be_all_there_is() {
        assert_eq!(read("user,value"), Ok((b',', vec![])));
        assert_eq!(read("user,value\r\n"), Ok((b',', vec![])));
        assert_eq!(read("user,\"val\nue\"\na,b"), Ok((b',', vec![(3, "a/b".into())])));
    }

    #[test]
    fn a_header_of_a_thousand_columns_is_read_and_one_of_millions_refused() {
        let wide = |n: usize| format!("user,value{}\n", ",x".repeat(n));
        assert_eq!(read_in_pieces(format!("{}a,b\n", wide(1000)).as_bytes(), 5000).unwrap().1, [(2, "a/b".to_owned())]);
        let code = |bytes: &[u8]| read_in_pieces(bytes, 5000).unwrap_err().code;
        assert_eq!(code(wide(10_000_000).as_bytes()), "row_too_large");
        assert_eq!(code(&b"x".repeat(10_000_000)), "not_csv");
        assert_eq!(code(&b"\n".repeat(10_000_000)), "not_csv");
        assert_eq!(code(&b"\"".repeat(10_000_000)), "not_csv");
    }

    #[test]
    fn more_rows_than_fit_are_refused() {
        let mut n_rows = 0;
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |_: &Header, _: Record<'_>| {
            n_rows += 1;
            Ok(())
        };
        reader.push(b"user,value\n", &mut visit).unwrap();
        let rows = b"a,b\n".repeat(100_000);
        let refusal = (0..30).find_map(|_| reader.push(&rows, &mut visit).err()).unwrap();
        assert_eq!((refusal.code.as_ref(), n_rows), ("too_many_rows", 2_000_000));
    }

    #[test]
    fn more_text_than_fits_is_refused_in_little_memory() {
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(b"user,value\n").unwrap();
        bomb.write_all(&b"\n".repeat(8 << 20)).unwrap();
        let member = bomb.finish().unwrap();
        assert!(member.len() < 10_000, "{}", member.len());
        let mut reader = Reader::new(&[SCHEMA]);
        // As if nearly two gigabytes had been read: they take a minute here.
        reader.n_text_bytes = MAX_TEXT_BYTES - (4 << 20);
        let mut visit = |_: &Header, _: Record<'_>| Ok(());
        let refusal = reader.push(&member, &mut visit).unwrap_err();
        assert_eq!(refusal.code, "file_too_large");
    }

    #[test]
    fn an_archive_that_goes_on_and_holds_nothing_is_refused() {
        let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        archive.write_all(b"user,value\n").unwrap();
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |_: &Header, _: Record<'_>| Ok(());
        reader.push(&archive.finish().unwrap(), &mut visit).unwrap();
        reader.n_bytes = MAX_BYTES - 1000;
        let refusal = reader.push(&[0; 1001], &mut visit).unwrap_err();
        assert_eq!((refusal.code.as_ref(), refusal.message.contains("4 GiB")), ("file_too_large", true));
    }

    #[test]
    fn a_step_reads_no_more_than_was_promised_however_small_it_was_packed() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(b"user,value\n").unwrap();
        packed.write_all(&b"a,b\n".repeat(500_000)).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() < 10_000, "{}", packed.len());
        let mut reader = Reader::new(&[SCHEMA]);
        let (mut rest, mut n_rows, mut most) = (&packed[..], 0, 0);
        while !rest.is_empty() {
            let before = n_rows;
            let mut visit = |_: &Header, _: Record<'_>| {
                n_rows += 1;
                Ok(())
            };
            rest = &rest[reader.step(rest, &mut visit).unwrap()..];
            most = most.max(n_rows - before);
        }
        reader.finish(&mut |_, _| Ok(())).unwrap();
        assert_eq!((n_rows, most), (500_000, (64 << 10) / 4));
        assert_eq!(Reader::new(&[SCHEMA]).step(&vec![b'a'; 100_000], &mut |_, _| Ok(())), Ok(64 << 10));
    }

    /// The schema of a long form, which sheets have.
    const LONG: Schema = &[
        Column::new("user", Presence::Key),
        Column::new("attribute", Presence::Required),
        Column::new("value", Presence::Required),
        Column::new("level", Presence::Required),
        Column::new("action", Presence::Optional),
    ];

    /// The lines, headings and cells of a sheet's entries, read in pieces of some size; every heading is a value.
    fn read_sheet(bytes: &[u8], size: usize) -> Result<Vec<String>, Problem> {
        let (mut entries, mut n_paused) = (Vec::new(), 0);
        let mut reader = Reader::new(&[LONG]);
        let mut visit = |_: &Header, record: Record<'_>| {
            let cells = record.cells().collect::<Vec<_>>().join("/");
            entries.push(format!("{} {}: {cells}", record.line, record.column().unwrap_or_default()));
            Ok(())
        };
        let mut explain = |reader: &mut Reader| {
            let Some(sheet) = reader.sheet() else { return };
            let is_skill = |(_, name): &(usize, &str)| *name != "note";
            let value = |(index, value): (usize, &str)| {
                (index, Heading::Value { attribute: "A".to_owned(), value: value.to_owned() })
            };
            let headings = Headings(sheet.headings().filter(is_skill).map(value).collect());
            reader.explain(&headings);
            n_paused += 1;
        };
        for piece in bytes.chunks(size) {
            reader.push(piece, &mut visit)?;
            explain(&mut reader);
        }
        while reader.finish_step(&mut visit)? {
            explain(&mut reader);
        }
        assert_eq!(n_paused, 1);
        Ok(entries)
    }

    #[test]
    fn a_sheet_reads_the_same_wherever_the_pieces_end() {
        let text = "\u{feff}user,x,note,y,import_line\na,3,n1,-,9\n\nb,,\"two\nlines\",2\nc,,n\nd,1,n,2,3,extra\n";
        let expected = [
            "2 x: a/A/x/3//n1",
            "2 y: a/A/y//remove/n1",
            "4 y: b/A/y/2//two\nlines",
            "7 x: d/A/x/1//n/extra",
            "7 y: d/A/y/2//n/extra",
        ];
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        for bytes in [text.as_bytes().to_vec(), utf16, packed.finish().unwrap()] {
            for size in [1, 2, 3, 7, 64, 127, 128, 129, 1 << 20] {
                assert_eq!(read_sheet(&bytes, size).unwrap(), expected, "in pieces of {size}");
            }
        }
        for text in ["user,x", "user,x\n", "user,x\n,\n"] {
            assert_eq!(read_sheet(text.as_bytes(), 1).unwrap(), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn a_workbook_reads_as_the_same_sheet_does_as_text() {
        let table: Vec<Vec<String>> = (0..300)
            .map(|n| {
                if n == 0 {
                    ["user", "x", "note", "y"].map(str::to_owned).to_vec()
                } else {
                    vec![format!("u{n}"), (n % 6).to_string(), String::new(), "x\"y".to_owned()]
                }
            })
            .collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &table {
            writer.write_record(row).unwrap();
        }
        let text = read_sheet(&writer.into_inner().unwrap(), 1000).unwrap();
        assert_eq!(text.len(), 598, "0 takes away, and counts");
        let book = import_testkit::workbook::workbook(&[("T", "visible", import_testkit::workbook::rows(&table))]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&book).unwrap();
        for bytes in [book, packed.finish().unwrap()] {
            for size in [1, 100, 1 << 20] {
                assert_eq!(read_sheet(&bytes, size).unwrap(), text, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_step_through_a_workbook_is_as_small_as_one_through_text() {
        let table: Vec<Vec<String>> = (0..20_000)
            .map(|n| vec![if n == 0 { "user" } else { "u" }.to_owned(), if n == 0 { "x" } else { "3" }.to_owned()])
            .collect();
        let book = import_testkit::workbook::workbook(&[("T", "visible", import_testkit::workbook::rows(&table))]);
        let mut reader = Reader::new(&[LONG]);
        reader.push(&book, &mut |_, _| Ok(())).unwrap();
        while reader.sheet().is_none() {
            assert!(reader.finish_step(&mut |_, _| Ok(())).unwrap());
        }
        let value = Heading::Value { attribute: "A".to_owned(), value: "x".to_owned() };
        reader.explain(&Headings([(1, value)].into()));
        let (mut n_rows, mut n_steps, mut most) = (0, 0, 0);
        loop {
            let before = n_rows;
            let mut visit = |_: &Header, _: Record<'_>| {
                n_rows += 1;
                Ok(())
            };
            let is_more = reader.finish_step(&mut visit).unwrap();
            most = most.max(n_rows - before);
            n_steps += 1;
            if !is_more {
                break;
            }
        }
        assert!(n_rows == 19_999 && n_steps > 1 && most <= STEP_LETTERS / 4 + 1, "{n_rows} rows, {most} at once");
    }

    /// A form in which a table may come.
    #[derive(Clone, Debug)]
    struct Form {
        delimiter: u8,
        end: csv::Terminator,
        is_quoted: bool,
        encoding: &'static str,
        is_packed: bool,
        n_blank: usize,
    }

    fn form() -> impl Strategy<Value = Form> {
        let ends = vec![csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')];
        let encodings = vec!["utf-8", "utf-8 with mark", "utf-16le", "utf-16be", "windows-1252"];
        let (delimiter, end) = (prop::sample::select(b",;\t|".to_vec()), prop::sample::select(ends));
        (delimiter, end, any::<bool>(), prop::sample::select(encodings), any::<bool>(), 0..3_usize).prop_map(
            |(delimiter, end, is_quoted, encoding, is_packed, n_blank)| Form {
                delimiter,
                end,
                is_quoted,
                encoding,
                is_packed,
                n_blank,
            },
        )
    }

    impl Form {
        fn write(&self, rows: &[Vec<String>]) -> Vec<u8> {
            let style = if self.is_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new();
            writer.delimiter(self.delimiter).terminator(self.end).quote_style(style);
            let mut writer = writer.from_writer(vec![b'\n'; self.n_blank]);
            writer.write_record(["Agent", "Value", "note"]).unwrap();
            for row in rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let utf16 = |to: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(to).collect();
            let bytes = match self.encoding {
                "utf-8" => text.into_bytes(),
                "utf-8 with mark" => format!("\u{feff}{text}").into_bytes(),
                "utf-16le" => utf16(u16::to_le_bytes),
                "utf-16be" => utf16(u16::to_be_bytes),
                _ => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            };
            if !self.is_packed {
                return bytes;
            }
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
    }

    proptest! {
        #[test]
        fn a_table_in_any_form_reads_back_the_same(
            // No two letters beyond ASCII in a row: those may be UTF-8 for others, and no reader can tell.
            rows in prop::collection::vec(prop::collection::vec("x[ü€]?[a-c,;|\t\"\r\n ]{0,6}", 3), 0..8),
            form in form(),
            size in 1..300_usize,
        ) {
            let read = read_in_pieces(&form.write(&rows), size).unwrap();
            let cells: Vec<_> = read.1.into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(cells, rows.iter().map(|row| row.join("/")).collect::<Vec<_>>());
            prop_assert_eq!(read.0, form.delimiter);
        }
    }
}
