//! Files that are no text tables: each is known by its beginning and refused by its name.

use crate::outcome::Problem;

/// How many of a file's first bytes it takes to know it.
pub(super) const HEAD_BYTES: usize = 128;

/// How a file begins, and the sentence that refuses it.
const KNOWN: [(&[u8], &str); 7] = [
    (b"\x1f\x8b", "This was packed with gzip twice. Unpack it once."),
    (b"BZh", "This is a bzip2 archive. Unpack it, and drop the CSV that is in it."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive. Unpack it, and drop the CSV that is in it."),
    (b"Rar!\x1a\x07", "This is a RAR archive. Unpack it, and drop the CSV that is in it."),
    (b"\x28\xb5\x2f\xfd", "This is a Zstandard archive. Unpack it, and drop the CSV that is in it."),
    (b"%PDF-", "This is a PDF document, not a CSV. Save the table itself as CSV."),
    (b"PAR1", "This is a Parquet file, not a CSV. Save the table as CSV."),
];

/// How files of old Office programs begin, and those with a password.
pub(super) const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// How a zip archive begins, as a workbook is one.
const ZIP: &[u8] = b"PK\x03\x04";
/// What is said of spreadsheets that are neither a workbook of Excel's nor text.
pub(super) const OPEN_DOCUMENT_SENTENCE: &str = "This is a LibreOffice spreadsheet (.ods), not an Excel workbook. Open it in LibreOffice and save it as .xlsx or CSV.";
pub(super) const NUMBERS_SENTENCE: &str = "This is a Numbers spreadsheet (.numbers), not an Excel workbook. Open it in Numbers and export it as Excel (.xlsx) or CSV.";
pub(super) const ZIP_SENTENCE: &str = "This is a zip archive. Unpack it, and drop the file that is in it.";
/// The first entries of files of Numbers.
const NUMBERS_ENTRIES: [&[u8]; 5] = [b"Index/", b"Index.zip", b"preview", b"Metadata/", b"Data/PresetImageFill"];
/// The first entry of files of LibreOffice: stored, not packed.
const OPEN_DOCUMENT: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument";
/// Where a zip archive has the name of its first entry.
const ZIP_NAME_AT: usize = 30;

/// Refuses a file whose first bytes show that it is no text table.
pub(super) fn refuse(head: &[u8]) -> Result<(), Problem> {
    let known = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, message)| *message);
    let text = || letters(head);
    match known.or_else(|| zip(head)).or_else(|| markup(&text())).or_else(|| json(&text())) {
        Some(message) => Err(Problem::new("not_csv", message)),
        None => Ok(()),
    }
}

/// Whether a file that was not refused may be a workbook: what it is stands further down.
pub(super) fn may_be_workbook(head: &[u8]) -> bool {
    head.starts_with(ZIP) || head.starts_with(COMPOUND_FILE)
}

/// An empty archive, or one that other programs make.
fn zip(head: &[u8]) -> Option<&'static str> {
    let name = head.get(ZIP_NAME_AT..).unwrap_or_default();
    if head.starts_with(b"PK\x05\x06") {
        Some(ZIP_SENTENCE)
    } else if head.starts_with(ZIP) && name.starts_with(OPEN_DOCUMENT) {
        Some(OPEN_DOCUMENT_SENTENCE)
    } else if head.starts_with(ZIP) && NUMBERS_ENTRIES.iter().any(|entry| name.starts_with(entry)) {
        Some(NUMBERS_SENTENCE)
    } else {
        None
    }
}

/// The first ASCII letters of a text, without what stands before the first of them that is no white space.
fn letters(head: &[u8]) -> Vec<u8> {
    let letters: Vec<u8> = match head {
        [0xff, 0xfe, utf16 @ ..] => utf16.iter().step_by(2).copied().collect(),
        [0xfe, 0xff, utf16 @ ..] => utf16.iter().skip(1).step_by(2).copied().collect(),
        _ => head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).to_vec(),
    };
    letters.trim_ascii_start().to_vec()
}

/// Some systems export a web page or XML and call it a spreadsheet, and S3 answers a download that fails with XML.
fn markup(text: &[u8]) -> Option<&'static str> {
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    let is_xml = begins(b"<?xml");
    let holds_error = || memchr::memmem::find(text, b"<Error><Code>").is_some();
    if begins(b"<Error>") || (is_xml && holds_error()) {
        return Some(
            "This is an error that Amazon S3 answered, not a CSV: a download failed, and its answer was saved as the file. \
             Download the file again, and drop that.",
        );
    }
    let is_page = is_xml || [&b"<!doctype"[..], b"<html", b"<table"].into_iter().any(begins);
    is_page
        .then_some("This is a web page or an XML file, not a CSV. Open it in a spreadsheet program and save it as CSV.")
}

/// An object or a list; a list of texts too, which no header begins as.
fn json(text: &[u8]) -> Option<&'static str> {
    let (first, rest) = text.split_first()?;
    let second = rest.trim_ascii_start().first();
    let is_json = match first {
        b'{' => matches!(second, None | Some(b'"' | b'}')),
        b'[' => matches!(second, None | Some(b'{' | b'[' | b'"' | b']')),
        _ => false,
    };
    is_json.then_some("This is JSON, not a CSV. Save the data as a table with a row for each user and entry, as CSV.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_refused_by_its_name() {
        let zip = |name: &str| [&b"PK\x03\x04"[..], &[0; 26], name.as_bytes()].concat();
        let utf16 = |to_bytes: fn(u16) -> [u8; 2], text: &str| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect()
        };
        for (head, name) in [
            (zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "LibreOffice"),
            (zip("Index/Document.iwa"), "Numbers spreadsheet (.numbers)"),
            (zip("Index.zip"), "Numbers spreadsheet (.numbers)"),
            (zip("preview.jpg"), "Numbers spreadsheet (.numbers)"),
            (zip("preview-micro.jpg"), "Numbers spreadsheet (.numbers)"),
            (zip("Metadata/Properties.plist"), "Numbers spreadsheet (.numbers)"),
            (b"PK\x05\x06".to_vec(), "zip archive"),
            (b"\x1f\x8b\x08".to_vec(), "gzip twice"),
            (b"%PDF-1.7".to_vec(), "PDF"),
            (b"\xef\xbb\xbf\r\n<!DOCTYPE html>".to_vec(), "web page"),
            (b"<Table>".to_vec(), "web page"),
            (b"<?xml version=\"1.0\"?><Workbook>".to_vec(), "XML file"),
            (utf16(u16::to_le_bytes, "<?xml version=\"1.0\"?>"), "XML file"),
            (
                b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>".to_vec(),
                "error that Amazon S3",
            ),
            (b"<Error><Code>ExpiredToken</Code>".to_vec(), "error that Amazon S3"),
            (b"{\"users\":[]}".to_vec(), "JSON"),
            (b"\xef\xbb\xbf\n [ {\n  \"user\": \"jdoe\"".to_vec(), "JSON"),
            (b"{}".to_vec(), "JSON"),
            (b"[[\"user\",\"attribute\"]".to_vec(), "JSON"),
            (b"[\"user\",\"attribute\"]".to_vec(), "JSON"),
            (b"{".to_vec(), "JSON"),
            (utf16(u16::to_le_bytes, "{\r\n    \"Users\": ["), "JSON"),
            (utf16(u16::to_be_bytes, "[{\"user\":1}]"), "JSON"),
        ] {
            let refusal = refuse(&head).unwrap_err();
            assert_eq!(refusal.code, "not_csv");
            assert!(refusal.message.contains(name), "{head:?}: {refusal}");
        }
        for head in [
            &b""[..],
            b"user,attribute",
            b"PK",
            b"Rar",
            b"<user>;<attribute>",
            b"[user],[attribute]",
            b"{user},{attribute}",
            b"\xff\xfeu\0s\0e\0r\0",
            b"\xff\xfe",
            b"<Errors>;user",
        ] {
            assert_eq!((refuse(head), may_be_workbook(head)), (Ok(()), false), "{head:?}");
        }
        for head in [zip("[Content_Types].xml"), zip("xl/workbook.xml"), zip("agents.csv"), COMPOUND_FILE.to_vec()] {
            assert_eq!((refuse(&head), may_be_workbook(&head)), (Ok(()), true), "{head:?}");
        }
    }
}
