//! Any bytes as a file: read the same wherever the pieces end, as the `csv` crate reads them, checked row by row, and read
//! back from the report that is written of them.
#![no_main]

use connect_bulk_import::input::{Header, Heading, Headings, Reader, Record, printable, trimmed, unescape_formula};
use connect_bulk_import::kind::{FileKind, SCHEMAS, proficiency, user_config};
use connect_bulk_import::outcome::{Problem, RowReport, Status};
use connect_bulk_import::report::Table;
use libfuzzer_sys::fuzz_target;

type Rows = Vec<(u32, Vec<String>)>;

fuzz_target!(|data: (u8, u8, &[u8])| {
    let (size, form, body) = data;
    let header: &[u8] = match form % 9 {
        0 => b"",
        1 => b"user,attribute,value,level\n",
        2 => b"\xef\xbb\xbfUser;Skill;Value;Level;note\r\n",
        3 => b"sep=\t\ragent\tattribute\tvalue\tlevel\taction\r",
        4 => b"\n\n\"user\"|\"attribute\"|\"value\"|\"level\"|\"two\nlines\"\n",
        5 => b"Agent,Channel,auto_accept,after_contact_work_seconds,phone_type,phone_number\r\n",
        6 => b"agent,German,Language,Note,Tier: 2\n",
        7 => b"Agent;Language\n",
        _ => b"\xff\xfeu\0s\0e\0r\0,\0s\0k\0i\0l\0l\0,\0v\0a\0l\0u\0e\0,\0l\0e\0v\0e\0l\0\n\0",
    };
    let bytes = [header, body].concat();
    let whole = read(&bytes, usize::MAX);
    assert_eq!(read(&bytes, usize::from(size).max(1)), whole);
    let (rows, Ok((header, report))) = whole else { return };
    let is_sheet = matches!(form % 9, 6 | 7);
    assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0 || (is_sheet && pair[0].0 == pair[1].0)), "lines go up");

    if form % 9 == 1
        && let Ok(text) = std::str::from_utf8(&bytes)
        && !is_beyond_the_crate(text)
    {
        let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let theirs = csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).skip(1);
        let theirs: Vec<_> = theirs.filter(|row| !rows_nothing(row)).collect();
        let ours: Vec<_> = rows.iter().map(|(_, cells)| cells.clone()).collect();
        assert_eq!(ours, theirs);
    }

    // A name that the report adds may be in the header in another form, and is then dropped.
    if header.carried.len() == header.cells.len() {
        let (again, read_again) = read(&report, usize::MAX);
        read_again.expect("a report is a file");
        assert_eq!(again.len(), rows.len(), "a report has every row");
        for ((_, cells), (_, before)) in again.iter().zip(&rows) {
            for (place, cell) in before.iter().enumerate().take(header.cells.len()) {
                assert_eq!(unescape_formula(&cells[place]), unescape_formula(&printable(cell)));
            }
        }
    }
});

fn rows_nothing(row: &[String]) -> bool {
    row.iter().all(|cell| trimmed(cell).is_empty())
}

/// Whether the text may hold what the `csv` crate reads in another way: white space before a quote, or a Ctrl-Z.
fn is_beyond_the_crate(text: &str) -> bool {
    let is_space = |letter: char| !matches!(letter, '\r' | '\n') && trimmed(&letter.to_string()).is_empty();
    text.contains('\u{1a}') || text.split('"').rev().skip(1).any(|before| before.ends_with(is_space))
}

/// Says what the headings of a sheet mean, if the file is one.
fn explain(reader: &mut Reader) {
    let Some(sheet) = reader.sheet() else { return };
    let value = |value: &str| Heading::Value { attribute: "Language".into(), value: value.into() };
    let list = || Heading::List { attribute: "Language".into(), values: vec!["German".into(), "Tier; 2".into()] };
    let heading = |(index, name): (usize, &str)| match name {
        "German" => Some((index, value(name))),
        "Language" => Some((index, list())),
        _ => None,
    };
    let headings = Headings(sheet.headings().filter_map(heading).collect());
    reader.explain(&headings);
}

fn read(bytes: &[u8], size: usize) -> (Rows, Result<(Header, Vec<u8>), Problem>) {
    let mut rows = Vec::new();
    let mut report: Option<Table> = None;
    let mut reader = Reader::new(SCHEMAS);
    let mut visit = |header: &Header, record: Record<'_>| {
        let checked = match FileKind::of(header) {
            FileKind::Proficiencies => proficiency::check(header, &record).map(|_| ()),
            FileKind::UserConfig => user_config::check(header, &record).map(|_| ()),
        };
        let message = checked.map_or_else(|invalid| invalid.message, |()| String::new());
        assert!(message.len() < 1000, "{message}");
        let report = report.get_or_insert_with(|| Table::new(header));
        let row = RowReport::new(Status::Pending, String::new(), message);
        report.push(header, &record, &row);
        rows.push((record.line, record.cells().map(str::to_owned).collect()));
        Ok(())
    };
    let mut read = Ok(());
    for piece in bytes.chunks(size) {
        read = read.and_then(|()| reader.push(piece, &mut visit));
        explain(&mut reader);
    }
    while read.is_ok() {
        match reader.finish_step(&mut visit) {
            Ok(true) => explain(&mut reader),
            ended => {
                read = ended.map(drop);
                break;
            }
        }
    }
    let header = reader.header().cloned();
    (
        rows,
        read.map(|()| {
            let header = header.expect("what was read has a header");
            let report = report.unwrap_or_else(|| Table::new(&header)).take(&header);
            (header, report)
        }),
    )
}
