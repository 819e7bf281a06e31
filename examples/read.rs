//! What reading a file costs, beside what the `csv` crate alone needs for the same bytes, or `calamine` for those of a
//! workbook; and the memory that a row takes.
//!
//! `cargo run --release --example read -- 1000000` makes a file of a million rows in several forms, and a sheet of 25,000
//! agents by 60 skills, and reads each.
#![expect(clippy::print_stdout, reason = "this is what the benchmark shows")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use calamine::Xlsx;
use connect_bulk_import::input::{Header, Heading, Headings, Reader, Record};
use connect_bulk_import::kind::proficiency::{SCHEMA, check};
use connect_bulk_import::kind::{ProficiencyRows, Rows as _};
use import_testkit::workbook::{rows, workbook};

/// The sheet that is read.
const N_AGENTS: usize = 25_000;
const N_SKILLS: usize = 60;

/// Pieces are as S3's connection hands them over.
const PIECE_BYTES: usize = 16 << 10;
const ROUNDS: usize = 15;

/// A form of the file, its bytes, what is done with them, and which of the forms it is measured by.
type Form<'f> = (&'static str, &'f [u8], &'f dyn Fn(&[u8]) -> usize, usize);

fn main() -> anyhow::Result<()> {
    let n_rows = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let text = table(n_rows);
    let western = encoding_rs::WINDOWS_1252.encode(&text).0.into_owned();
    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes())?;
    let packed = packed.finish()?;

    let before = resident_bytes()?;
    let kept = keep(text.as_bytes());
    let held = resident_bytes()?.saturating_sub(before);
    println!("{n_rows} rows, {:.1} MiB of text", mebibytes(text.len()));
    println!("a row that is kept: {} bytes, its share of the names among them\n", held / kept.ledger().len());
    drop(kept);

    let quoted = quoted(&text);
    let sheet = sheet();
    let csv_sheet: String = sheet.iter().map(|row| row.join(",") + "\n").collect();
    let workbook = workbook(&[("Skills", "visible", rows(&sheet))]);
    drop(sheet);
    let forms: [Form<'_>; 15] = [
        ("csv::ByteRecord alone", text.as_bytes(), &bare, 0),
        ("... from quoted cells", quoted.as_bytes(), &bare, 1),
        ("records", text.as_bytes(), &|bytes| read(bytes, |_, record| record.len()), 0),
        ("records and row checks", text.as_bytes(), &|bytes| read(bytes, is_right), 0),
        ("... kept as rows", text.as_bytes(), &|bytes| keep(bytes).ledger().len(), 0),
        ("... from quoted cells", quoted.as_bytes(), &|bytes| read(bytes, is_right), 1),
        ("... from Windows-1252", &western, &|bytes| read(bytes, is_right), 0),
        ("... from UTF-16", &utf16, &|bytes| read(bytes, is_right), 0),
        ("... from gzip", &packed, &|bytes| read(bytes, is_right), 0),
        ("csv alone, a sheet", csv_sheet.as_bytes(), &bare, 9),
        ("... its entries", csv_sheet.as_bytes(), &|bytes| read(bytes, |_, record| record.len()), 9),
        ("... checked", csv_sheet.as_bytes(), &|bytes| read(bytes, is_right), 9),
        ("calamine alone, a workbook", &workbook, &bare_workbook, 12),
        ("... its entries", &workbook, &|bytes| read(bytes, |_, record| record.len()), 12),
        ("... checked", &workbook, &|bytes| read(bytes, is_right), 12),
    ];
    // In turns, so that what else the machine does meets all of them.
    let mut best = [Duration::MAX; 15];
    for _ in 0..ROUNDS {
        for (best, (_, bytes, run, _)) in best.iter_mut().zip(&forms) {
            let began = Instant::now();
            black_box(run(bytes));
            *best = began.elapsed().min(*best);
        }
    }
    println!("{:26} {:>8} {:>8} {:>8}   (the best of {ROUNDS} rounds)", "", "seconds", "MiB/s", "times");
    for (took, (what, bytes, _, by)) in best.iter().zip(&forms) {
        let (seconds, times) = (took.as_secs_f64(), took.as_secs_f64() / best[*by].as_secs_f64());
        println!("{what:26} {seconds:8.3} {:8.1} {times:8.2}", mebibytes(bytes.len()) / seconds);
    }
    Ok(())
}

/// Ten rows each of users with names of some length, every twentieth with a letter beyond ASCII.
fn table(n_rows: usize) -> String {
    let mut text = "user,attribute,value,level,team\n".to_owned();
    for n in 0..n_rows {
        let user = n / 10;
        let name = if user % 20 == 0 { "jürgen" } else { "jordan" };
        let attribute = ["Language", "Product", "Certification"][n % 3];
        let _ =
            writeln!(text, "{name}.{user:06}@example.com,{attribute},Value {:02},{},Team Berlin", n % 40, n % 5 + 1);
    }
    text
}

fn quoted(text: &str) -> String {
    let rows = text.lines().map(|line| format!("\"{}\"\r\n", line.replace(',', "\",\"")));
    rows.collect()
}

fn is_right(header: &Header, record: &Record<'_>) -> usize {
    usize::from(check(header, record).is_ok())
}

fn bare(bytes: &[u8]) -> usize {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut n_cells = 0;
    while csv.read_byte_record(&mut record).unwrap_or(false) {
        n_cells += black_box(&record).len();
    }
    n_cells
}

fn read(bytes: &[u8], each: impl Fn(&Header, &Record<'_>) -> usize) -> usize {
    let mut sum = 0;
    let mut reader = Reader::new(&[SCHEMA]);
    let mut visit = |header: &Header, record: Record<'_>| {
        sum += each(header, black_box(&record));
        Ok(())
    };
    for piece in bytes.chunks(PIECE_BYTES) {
        reader.push(piece, &mut visit).expect("the table is one");
        explain(&mut reader);
    }
    while reader.finish_step(&mut visit).expect("the table is one") {
        explain(&mut reader);
    }
    sum
}

/// Says what the headings of the sheet mean, if it is one.
fn explain(reader: &mut Reader) {
    let Some(sheet) = reader.sheet() else { return };
    let heading = |(index, value): (usize, &str)| {
        (index, Heading::Value { attribute: "Skill".to_owned(), value: value.to_owned() })
    };
    let headings = Headings(sheet.headings().map(heading).collect());
    reader.explain(&headings);
}

/// A level in every cell.
fn sheet() -> Vec<Vec<String>> {
    let names = (0..N_SKILLS).map(|n| format!("Skill {n:02}"));
    let header = ["user".to_owned()].into_iter().chain(names).collect();
    let row = |agent: usize| {
        let user = format!("jordan.{agent:06}@example.com");
        [user].into_iter().chain((0..N_SKILLS).map(|n| ((agent + n) % 5 + 1).to_string())).collect()
    };
    [header].into_iter().chain((0..N_AGENTS).map(row)).collect()
}

/// All cells of the first sheet, as the crate hands them out.
fn bare_workbook(bytes: &[u8]) -> usize {
    let mut book: Xlsx<_> = calamine::Reader::new(Cursor::new(bytes)).expect("it is a workbook");
    let mut cells = book.worksheet_cells_reader("Skills").expect("the sheet is there");
    let mut n_cells = 0;
    while let Some(cell) = cells.next_cell().expect("the sheet is one") {
        black_box(&cell);
        n_cells += 1;
    }
    n_cells
}

fn keep(bytes: &[u8]) -> ProficiencyRows {
    let mut rows = ProficiencyRows::default();
    let mut reader = Reader::new(&[SCHEMA]);
    let mut visit = |header: &Header, record: Record<'_>| {
        rows.push(header, &record);
        Ok(())
    };
    let read = bytes.chunks(PIECE_BYTES).try_for_each(|piece| reader.push(piece, &mut visit));
    read.and_then(|()| reader.finish(&mut visit)).expect("the table is one");
    rows
}

#[expect(clippy::cast_precision_loss, reason = "a benchmark's numbers are small")]
fn mebibytes(n_bytes: usize) -> f64 {
    n_bytes as f64 / f64::from(1 << 20)
}

/// What the process holds, as Linux says.
fn resident_bytes() -> anyhow::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kibibytes.map_or(Ok(0), |n| n.trim().parse::<usize>())? << 10)
}
