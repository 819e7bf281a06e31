//! Excel workbooks, made part by part, so that a test can say what a spreadsheet program would not.

use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// A workbook of these sheets: for each its name, `visible`, `hidden` or `veryHidden`, and the XML of its rows, as
/// [`rows`] makes it. Style 1 is a day, style 2 a day and a time, style 3 a time.
///
/// # Panics
/// When the parts are too many for an archive.
pub fn workbook(sheets: &[(&str, &str, String)]) -> Vec<u8> {
    workbook_with_texts(sheets, &[])
}

/// The same with a table of texts, to which cells of the type `s` point.
///
/// # Panics
/// When the parts are too many for an archive.
pub fn workbook_with_texts(sheets: &[(&str, &str, String)], texts: &[&str]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    let (mut entries, mut relations, mut parts) = (String::new(), String::new(), Vec::new());
    for (nth, (name, state, rows)) in (1..).zip(sheets) {
        entries += &format!("<sheet name=\"{name}\" sheetId=\"{nth}\" state=\"{state}\" r:id=\"rId{nth}\"/>");
        relations += &format!(
            "<Relationship Id=\"rId{nth}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{nth}.xml\"/>"
        );
        let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/sheet{nth}.xml"), sheet));
    }
    relations += &format!("<Relationship Id=\"rId901\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/>");
    relations += &format!("<Relationship Id=\"rId902\" Type=\"{OFFICE}/sharedStrings\" Target=\"sharedStrings.xml\"/>");
    let texts: String = texts.iter().map(|text| format!("<si><t xml:space=\"preserve\">{text}</t></si>")).collect();
    let formats = "<xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"22\"/><xf numFmtId=\"21\"/>";
    parts.extend([
        (
            "[Content_Types].xml".to_owned(),
            format!("<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"xml\" ContentType=\"application/xml\"/></Types>"),
        ),
        (
            "_rels/.rels".to_owned(),
            format!("<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>{entries}</sheets></workbook>"),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{relations}</Relationships>"),
        ),
        ("xl/styles.xml".to_owned(), format!("<styleSheet xmlns=\"{MAIN}\"><cellXfs>{formats}</cellXfs></styleSheet>")),
        ("xl/sharedStrings.xml".to_owned(), format!("<sst xmlns=\"{MAIN}\">{texts}</sst>")),
    ]);
    archive(&parts)
}

/// A zip archive of these parts.
///
/// # Panics
/// When the parts are too many for an archive.
pub fn archive(parts: &[(String, String)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        archive.start_file(name.as_str(), SimpleFileOptions::default()).expect("an archive takes a part");
        archive.write_all(text.as_bytes()).expect("an archive takes a part's bytes");
    }
    archive.finish().expect("an archive ends").into_inner()
}

/// The parts of an archive, to be made anew with others.
///
/// # Panics
/// When it is none of ours.
pub fn parts(archive: &[u8]) -> Vec<(String, String)> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).expect("it is an archive");
    let names: Vec<String> = archive.file_names().map(|name| name.expect("it is text").into_owned()).collect();
    let part = |name: String| {
        let mut text = String::new();
        archive.by_name(&name).expect("it is there").read_to_string(&mut text).expect("it is text");
        (name, text)
    };
    names.into_iter().map(part).collect()
}

/// Rows of cells: what is a number from 1 on becomes one, what is empty no cell, and what begins with `<c` is a cell already.
pub fn rows<S: AsRef<str>>(rows: &[impl AsRef<[S]>]) -> String {
    let cell = |row: usize, column: usize, text: &str| {
        let at = format!("{}{row}", letters(column));
        match text {
            "" => String::new(),
            _ if text.starts_with("<c") => text.replacen("<c", &format!("<c r=\"{at}\""), 1),
            _ if text.parse::<f64>().is_ok() && text.starts_with(|first: char| ('1'..='9').contains(&first)) => {
                format!("<c r=\"{at}\"><v>{text}</v></c>")
            }
            _ => format!("<c r=\"{at}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>", escaped(text)),
        }
    };
    let row = |(nth, cells): (usize, &_)| {
        let cells: &[S] = AsRef::<[S]>::as_ref(cells);
        let cells: String = cells.iter().enumerate().map(|(column, text)| cell(nth, column, text.as_ref())).collect();
        format!("<row r=\"{nth}\">{cells}</row>")
    };
    (1..).zip(rows).map(row).collect()
}

/// The letters of a column, from 0 on.
fn letters(column: usize) -> String {
    let last = char::from(b'A' + u8::try_from(column % 26).unwrap_or_default());
    if column < 26 { last.to_string() } else { format!("{}{last}", letters(column / 26 - 1)) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
