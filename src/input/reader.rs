//! A file, piece by piece: its delimiter and header first, then row after row.

use super::records::{Record, Records};
use super::{Header, Refusal, Schema};

/// What may separate cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// A header is looked for in the first so many bytes.
const HEAD_BYTES: usize = 256 << 10;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What to do with each row: everything but the rows that hold nothing.
pub type Visit<'v> = dyn FnMut(&Header, Record<'_>) -> Result<(), Refusal> + 'v;

/// Reads a file of one schema that is handed to it piece by piece.
#[derive(Debug)]
pub struct Reader {
    schema: Schema,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The first bytes, until they hold a header.
    Head(Vec<u8>),
    Rows(Box<Rows>),
}

#[derive(Debug)]
struct Rows {
    header: Header,
    records: Records,
    is_past_header: bool,
}

impl Reader {
    /// A reader at the beginning of a file.
    pub fn new(schema: Schema) -> Self {
        Self { schema, state: State::Head(Vec::new()) }
    }

    /// The header, once it was read.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Head(_) => None,
            State::Rows(rows) => Some(&rows.header),
        }
    }

    /// Takes the next bytes of the file and visits each row that they complete.
    pub fn push(&mut self, bytes: &[u8], visit: &mut Visit<'_>) -> Result<(), Refusal> {
        match &mut self.state {
            State::Rows(rows) => rows.push(bytes, visit),
            State::Head(head) => {
                head.extend_from_slice(bytes);
                if head.len() > HEAD_BYTES || head.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                    self.begin(false, visit)?;
                }
                Ok(())
            }
        }
    }

    /// The file ends here.
    pub fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Refusal> {
        if matches!(self.state, State::Head(_)) {
            self.begin(true, visit)?;
        }
        match &mut self.state {
            State::Rows(rows) => rows.finish(visit),
            State::Head(_) => {
                Err(Refusal::new("empty_file", "The file is empty. Its first row must name the columns."))
            }
        }
    }

    /// Understands the header in the first bytes, if they hold all of it, and goes on with what follows it.
    fn begin(&mut self, is_all: bool, visit: &mut Visit<'_>) -> Result<(), Refusal> {
        let State::Head(head) = &self.state else { return Ok(()) };
        check_is_text(head)?;
        let text = head.strip_prefix(BOM).unwrap_or(head);
        let mut best: Option<Header> = None;
        let mut objection: Option<(usize, Refusal)> = None;
        let mut is_undecided = false;
        for delimiter in DELIMITERS {
            let Some(cells) = first_record(text, delimiter, is_all)? else {
                is_undecided = !is_all && head.len() <= HEAD_BYTES;
                continue;
            };
            let n_cells = cells.len();
            match Header::understand(self.schema, delimiter, cells) {
                Ok(header) if best.as_ref().is_none_or(|best| header.n_found() > best.n_found()) => best = Some(header),
                // Of several ways to read a header that does not fit, the one with the most cells is the likely one.
                Err(error) if objection.as_ref().is_none_or(|(most, _)| n_cells > *most) => {
                    objection = Some((n_cells, error));
                }
                Ok(_) | Err(_) => {}
            }
        }
        match (best, objection) {
            (Some(header), _) => {
                let records = Records::new(header.delimiter);
                let rows = Box::new(Rows { header, records, is_past_header: false });
                let State::Head(head) = std::mem::replace(&mut self.state, State::Rows(rows)) else { return Ok(()) };
                self.push(head.strip_prefix(BOM).unwrap_or(&head), visit)
            }
            (None, _) if is_undecided => Ok(()),
            (None, Some((_, error))) => Err(error),
            (None, None) if is_all => Ok(()),
            (None, None) => Err(Refusal::new("not_csv", "The file does not begin with a row that names the columns.")),
        }
    }
}

impl Rows {
    fn push(&mut self, bytes: &[u8], visit: &mut Visit<'_>) -> Result<(), Refusal> {
        let Self { header, records, is_past_header } = self;
        records.push(bytes, |record| visit_row(header, is_past_header, record, visit))
    }

    fn finish(&mut self, visit: &mut Visit<'_>) -> Result<(), Refusal> {
        let Self { header, records, is_past_header } = self;
        records.finish(|record| visit_row(header, is_past_header, record, visit))
    }
}

fn visit_row(
    header: &Header,
    is_past_header: &mut bool,
    record: Record<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), Refusal> {
    if record.is_empty() || !std::mem::replace(is_past_header, true) {
        return Ok(());
    }
    visit(header, record)
}

/// The first record that holds something, if it is whole. What follows it is not looked at.
fn first_record(text: &[u8], delimiter: u8, is_all: bool) -> Result<Option<Vec<String>>, Refusal> {
    let mut first = None;
    let mut keep = |record: Record<'_>| {
        if record.is_empty() {
            return Ok(());
        }
        first = Some(record.cells().map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
        Err(Refusal::new("found", "the header is enough"))
    };
    let mut records = Records::new(delimiter);
    let read = records.push(text, &mut keep).and_then(|()| if is_all { records.finish(&mut keep) } else { Ok(()) });
    match (first, read) {
        (Some(cells), _) => Ok(Some(cells)),
        (None, read) => read.map(|()| None),
    }
}

/// Refuses by name what people drop by mistake.
fn check_is_text(head: &[u8]) -> Result<(), Refusal> {
    let (code, what) = match head {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => ("not_csv", "This is an Excel workbook or a zip archive; save it as CSV."),
        [0x1f, 0x8b, ..] => ("not_csv", "This is a gzip archive; unpack it first."),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("not_utf8", "The file is UTF-16 text; save it as \"CSV UTF-8\"."),
        // In the header only: what stands further down is some row's, and how much of it is here is chance.
        _ if head
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .find(|line| !line.is_empty())
            .is_some_and(|line| line.contains(&0)) =>
        {
            ("not_csv", "The file is not text: it holds NUL bytes. Save the table as CSV.")
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(code, what))
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    const SCHEMA: Schema = &[
        Column { name: "user", aliases: &["agent"], is_required: true },
        Column { name: "value", aliases: &[], is_required: true },
    ];

    /// Delimiter, and of each row the line and its cells; or the code of what is wrong.
    type Read = Result<(u8, Vec<(u32, String)>), std::borrow::Cow<'static, str>>;

    fn read_in_pieces(bytes: &[u8], size: usize) -> Read {
        let mut rows = Vec::new();
        let mut reader = Reader::new(SCHEMA);
        let mut visit = |_: &Header, record: Record<'_>| {
            rows.push((record.line, record.cells().collect::<Vec<_>>().join("/")));
            Ok(())
        };
        let done = bytes.chunks(size).try_for_each(|piece| reader.push(piece, &mut visit));
        done.and_then(|()| reader.finish(&mut visit)).map_err(|error| error.code)?;
        Ok((reader.header().unwrap().delimiter, rows))
    }

    fn read(text: &str) -> Read {
        let whole = read_in_pieces(text.as_bytes(), usize::MAX);
        for size in 1..5 {
            assert_eq!(read_in_pieces(text.as_bytes(), size), whole, "in pieces of {size} bytes");
        }
        whole
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
    fn what_is_no_table_is_refused() {
        assert_eq!(read(""), Err("empty_file".into()));
        assert_eq!(read("\n\n"), Err("empty_file".into()));
        assert_eq!(read("name,value\na,b\n"), Err("missing_column".into()));
        assert_eq!(read("user,user,value\na,b,c\n"), Err("duplicate_column".into()));
        assert_eq!(read("PK\u{3}\u{4}user,value\n"), Err("not_csv".into()));
        assert_eq!(read("just a sentence"), Err("missing_column".into()));
    }

    #[test]
    fn a_header_may_be_all_there_is() {
        assert_eq!(read("user,value"), Ok((b',', vec![])));
        assert_eq!(read("user,value\r\n"), Ok((b',', vec![])));
        assert_eq!(read("user,\"val\nue\"\na,b"), Ok((b',', vec![(3, "a/b".into())])));
    }
}
