//! Files that are no text tables, known by how they begin, so that each can be refused by its name.

use crate::outcome::Problem;

/// How many of a file's first bytes are needed to know it.
pub(super) const HEAD_BYTES: usize = 128;

/// How a file begins, and what is said of it.
const KNOWN: [(&[u8], &str); 8] = [
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "This is an old Excel workbook (.xls) or another Office file, not a CSV. Open it in Excel and save it as \"CSV UTF-8\".",
    ),
    (b"\x1f\x8b", "This was packed with gzip twice. Unpack it once."),
    (b"BZh", "This is a bzip2 archive. Unpack it, and drop the CSV that is in it."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive. Unpack it, and drop the CSV that is in it."),
    (b"Rar!\x1a\x07", "This is a RAR archive. Unpack it, and drop the CSV that is in it."),
    (b"\x28\xb5\x2f\xfd", "This is a Zstandard archive. Unpack it, and drop the CSV that is in it."),
    (b"%PDF-", "This is a PDF document, not a CSV. Save the table itself as CSV."),
    (b"PAR1", "This is a Parquet file, not a CSV. Save the table as CSV."),
];

/// The entry that Excel's and other Office programs' files begin with.
const OFFICE_ENTRIES: [&[u8]; 5] = [b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/", b"customXml/"];
/// What LibreOffice's files begin with: stored, not packed.
const OPEN_DOCUMENT: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument";
/// Where a zip archive has the name of its first entry.
const ZIP_NAME_AT: usize = 30;

/// Refuses what is known by its first bytes to be something else than text.
pub(super) fn refuse(head: &[u8]) -> Result<(), Problem> {
    let known = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, said)| *said);
    match known.or_else(|| zip(head)).or_else(|| markup(head)) {
        Some(said) => Err(Problem::new("not_csv", said)),
        None => Ok(()),
    }
}

fn zip(head: &[u8]) -> Option<&'static str> {
    let [b'P', b'K', 3 | 5, 4 | 6, ..] = head else { return None };
    let name = head.get(ZIP_NAME_AT..).unwrap_or_default();
    Some(if OFFICE_ENTRIES.iter().any(|entry| name.starts_with(entry)) {
        "This is an Excel workbook (.xlsx) or another Office file, not a CSV. Open it in Excel and save it as \"CSV UTF-8\"."
    } else if name.starts_with(OPEN_DOCUMENT) {
        "This is a LibreOffice spreadsheet (.ods), not a CSV. Open it in LibreOffice and save it as CSV."
    } else {
        "This is a zip archive. Unpack it, and drop the CSV that is in it."
    })
}

/// Some systems export a web page or XML and call it a spreadsheet.
fn markup(head: &[u8]) -> Option<&'static str> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    [&b"<?xml"[..], b"<!doctype", b"<html", b"<table"]
        .into_iter()
        .any(begins)
        .then_some("This is a web page or an XML file, not a CSV. Open it in a spreadsheet program and save it as CSV.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_refused_by_its_name() {
        let zip = |name: &str| [&b"PK\x03\x04"[..], &[0; 26], name.as_bytes()].concat();
        for (head, name) in [
            (zip("[Content_Types].xml"), "Excel workbook (.xlsx)"),
            (zip("xl/workbook.xml"), "Excel workbook (.xlsx)"),
            (zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "LibreOffice"),
            (zip("agents.csv"), "zip archive"),
            (b"PK\x05\x06".to_vec(), "zip archive"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(), "old Excel workbook (.xls)"),
            (b"\x1f\x8b\x08".to_vec(), "gzip twice"),
            (b"%PDF-1.7".to_vec(), "PDF"),
            (b"\xef\xbb\xbf\r\n<!DOCTYPE html>".to_vec(), "web page"),
            (b"<Table>".to_vec(), "web page"),
        ] {
            let refusal = refuse(&head).unwrap_err();
            assert_eq!(refusal.code, "not_csv");
            assert!(refusal.message.contains(name), "{head:?}: {refusal}");
        }
        for head in [&b""[..], b"user,attribute", b"PK", b"Rar", b"<user>;<attribute>"] {
            assert_eq!(refuse(head), Ok(()));
        }
    }
}
