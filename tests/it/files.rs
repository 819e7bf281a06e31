//! Files as people have them: what is plainly a table is read right, what is not is refused with a sentence, and what
//! comes back can be dropped again, also after a spreadsheet has had it.

use std::io::Write as _;

use connect_emulator::{Emulator, Instance, Quotas};
use expect_test::expect;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::world::{BUCKET, Report, World, instance, user_id};

const HEADER: &str = "user;attribute;value;level;note\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect()
}

fn western(text: &str) -> Vec<u8> {
    let (bytes, _, is_lossy) = encoding_rs::WINDOWS_1252.encode(text);
    assert!(!is_lossy);
    bytes.into_owned()
}

/// A centre with a user whose name is beyond ASCII.
fn centre() -> Instance {
    let mut centre = instance(3);
    centre.add_user(user_id(9), "jürgen", Vec::<(String, String, f32)>::new());
    centre
}

fn code(report: &Report) -> (&str, &str) {
    (report.status(), report.summary["code"].as_str().unwrap_or_default())
}

fn message(report: &Report) -> &str {
    report.summary["message"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_file_in_any_encoding_says_the_same() {
    let text = format!("{HEADER}agent000;Language;German;3;plain\njürgen;Language;German;3,0;Straße “4” €\n");
    let western = western(&text);
    let (little, big) = (utf16(&text, u16::to_le_bytes), utf16(&text, u16::to_be_bytes));
    let members = [gzip(&western[..50]), gzip(&western[50..])].concat();
    for (name, bytes) in [
        ("utf-8", text.clone().into_bytes()),
        ("utf-8 with a mark", format!("\u{feff}{text}").into_bytes()),
        ("utf-8 with two marks", format!("\u{feff}\u{feff}{text}").into_bytes()),
        ("utf-16 little endian", little.clone()),
        ("utf-16 big endian", big),
        ("windows-1252", western.clone()),
        ("gzip", gzip(&western)),
        ("gzip in two members", members),
        ("gzip of utf-16", gzip(&little)),
    ] {
        let world = World::new(centre());
        world.s3.set_chunk_size(61);
        let report = world.drop_file("incoming/a.csv", bytes).await;
        assert_eq!(report.status(), "succeeded", "{name}");
        let results = "\u{feff}user;attribute;value;level;note;import_line;import_status;import_code;import_message\n\
                       agent000;Language;German;3;plain;2;added;;\n\
                       jürgen;Language;German;3,0;Straße “4” €;3;added;;\n";
        assert_eq!(report.results.unwrap(), results, "{name}");
        assert_eq!(world.held(9), ["Language=German:3"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_western_letter_far_down_is_found_without_reading_again() {
    let world = World::new(centre());
    world.s3.set_chunk_size(10_000);
    let rows = "agent000;Language;German;3;\n".repeat(20_000);
    let bytes = western(&format!("{HEADER}{rows}jürgen;Language;German;3;\n"));
    let report = world.drop_file("incoming/a.csv", bytes).await;
    let counts = report.counts();
    assert_eq!((counts["added"], counts["duplicate"], counts.len()), (2, 19_999, 2));
    let reads = world
        .s3
        .calls()
        .into_iter()
        .filter(|(operation, what)| operation == "GetObject" && what.contains("incoming/a.csv"));
    assert_eq!(reads.count(), 2, "once to plan and once to write the report");
}

#[tokio::test(start_paused = true)]
async fn lines_cells_and_blanks_are_as_an_editor_and_a_person_see_them() {
    let world = World::new(centre());
    let csv = "sep=;\r\n\r\nUser Name; Skill ;VALUE;Level;Note;;\r\n\
               \u{a0}agent000\u{a0};Language;German\u{200b};3,0;\"two\r\nlines; \"\"and\"\" a quote\";;\r\n\
               ;;\u{a0};;\r\n\r\n\
               agent001;\"Lang\r\nuage\";German;3;;;\r\n\
               agent002;Language;German;3;bell\u{7};;\r\n\
               agent001;Language;Ger\0man;3;;;\r\n\
               agent001;Language\r\n\
               agent001;Language;German;3;;;;;beyond\r\n\
               agent001;Language;German;3.0;5\" disk;;";
    let report = world.drop_file("incoming/a.csv", csv).await;
    let said: Vec<String> = report.rows().iter().map(|row| row.join(" | ")).collect();
    expect![[r#"
        4 | added |  | 
        8 | invalid | invalid_character | The attribute holds a tab or a line break. Is a quote on this line not closed?
        10 | added |  | 
        11 | invalid | invalid_character | The cell in the column "VALUE" holds a character that nobody can see (such as NUL or escape). Type the cell anew.
        12 | invalid | missing_field | These cells are empty: value, level. The row has 2 cells and the header 5. Is a delimiter missing?
        13 | invalid | wrong_cell_count | The row has 9 cells and the header 5. Is a delimiter missing, or one too many?
        14 | added |  | "#]]
    .assert_eq(&said.join("\n"));
    let results = report.results.unwrap();
    assert!(results.starts_with("\u{feff}User Name; Skill ;VALUE;Level;Note;;;import_line;"), "{results}");
    assert!(
        results.contains(
            "\u{a0}agent000\u{a0};Language;German\u{200b};3,0;\"two\r\nlines; \"\"and\"\" a quote\";;;4;added"
        )
    );

    assert!(results.contains("agent002;Language;German;3;bell\u{fffd};;;10;added"), "{results}");

    let again = world.drop_file("incoming/again.csv", results).await;
    assert_eq!(again.statuses()[0], "unchanged");
    assert_eq!(again.rows().iter().filter(|row| row[1] == "invalid").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_readmes_example_is_read_as_it_says() {
    let readme = include_str!("../../README.md");
    let (_, example) = readme.split_once("```csv\nsep=;").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let world = World::new(centre());
    let report = world.drop_file("incoming/readme.csv", format!("sep=;{example}")).await;
    let rows: Vec<_> =
        report.rows().into_iter().map(|[line, status, code, _]| [line, status, code].join(" ")).collect();
    assert_eq!(rows, ["3 added ", "5 invalid missing_field", "6 invalid unknown_user"]);
    assert!(report.retry.unwrap().contains("\n'=jdoe;Language;French;4;;6;"));
}

#[tokio::test(start_paused = true)]
async fn what_is_something_else_is_refused_by_its_name() {
    let world = World::new(instance(1));
    let zip = |entry: &str| [b"PK\x03\x04\x14\0", &[0; 24][..], entry.as_bytes(), &[0; 200]].concat();
    for (bytes, said) in [
        (gzip(&gzip(HEADER.as_bytes())), "gzip twice"),
        (zip("Index/Document.iwa"), "Numbers spreadsheet (.numbers)"),
        (b"<html><table>".to_vec(), "web page"),
        (b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>".to_vec(), "error that Amazon S3 answered"),
        (b"[\n  {\"user\": \"agent000\"}\n]\n".to_vec(), "JSON"),
        (utf16("{\"Users\": []}", u16::to_le_bytes), "JSON"),
        (HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect(), "control characters"),
        (vec![b'x'; 5 << 20], "not a table"),
        (gzip(&vec![b'x'; 8 << 20]), "not a table"),
    ] {
        let report = world.drop_file("incoming/agents.csv", bytes).await;
        assert_eq!((code(&report), &report.results), (("rejected", "not_csv"), &None), "{said}");
        assert!(report.summary["message"].as_str().unwrap().contains(said), "{}", report.summary["message"]);
    }
    let wide = world.drop_file("incoming/wide.csv", format!("user{}\n", ",x".repeat(1 << 20))).await;
    assert_eq!(code(&wide), ("rejected", "row_too_large"));
    let many = world.drop_file("incoming/many.csv", format!("user{}\n", ",column".repeat(1000))).await;
    assert_eq!(code(&many), ("rejected", "missing_column"));
    assert!(message(&many).ends_with("and 989 more."), "{}", message(&many));
    let columns = format!("user;attribute;value;level{}\n", ";note".repeat(1000));
    let row = format!("agent000;Language;German;3{}\n", ";x".repeat(1000));
    assert_eq!(world.drop_file("incoming/notes.csv", columns + &row).await.statuses(), ["added"]);
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_was_cut_short_is_never_half_a_file() {
    let world = World::new(instance(3));
    let rows: String = (0..5000).map(|n| format!("agent{:03};Language;German;3;{n}\n", n % 3)).collect();
    let packed = gzip(format!("{HEADER}{rows}").as_bytes());
    let report = world.drop_file("incoming/cut.csv.gz", &packed[..packed.len() - 4]).await;
    assert_eq!(code(&report), ("rejected", "cut_short"));
    assert_eq!(report.counts()["pending"], 5000, "what could be read is accounted for");
    let mut damaged = packed.clone();
    damaged[packed.len() / 2] ^= 0x55;
    let report = world.drop_file("incoming/damaged.csv.gz", damaged).await;
    assert_eq!(code(&report), ("rejected", "damaged_archive"));
    assert!(world.calls().is_empty(), "nothing was asked or written");
}

#[tokio::test(start_paused = true)]
async fn a_quote_that_is_never_closed_swallows_nothing() {
    let world = World::new(instance(3));
    let rows = |from: usize, to: usize| -> String {
        (from..to).map(|n| format!("agent{:03};Language;German;3;{n}\n", n % 3)).collect()
    };
    let stray = "agent000;\"Language;German;3;\n";
    for (below, why) in [
        (String::new(), "the file ends before the next quote"),
        ("agent001;Language;German;3;\"a good note\"\n".to_owned(), "line 63, has text behind it"),
    ] {
        let csv = format!("{HEADER}{}{stray}{}{below}", rows(0, 20), rows(20, 60));
        let report = world.drop_file("incoming/a.csv", csv).await;
        assert_eq!(code(&report), ("rejected", "unclosed_quote"));
        assert!(message(&report).contains("on line 22") && message(&report).contains(why), "{}", message(&report));
        assert_eq!(report.counts()["pending"], 20);
    }
    assert!(world.calls().is_empty());
}

/// `cargo test --test it libreoffice -- --ignored`, with `soffice` on the path (Debian: `libreoffice-calc`).
#[tokio::test]
#[ignore = "needs LibreOffice, and takes a while"]
async fn a_report_that_libreoffice_saved_can_be_dropped_back() {
    let emulator = |centre| Emulator::builder(centre).quotas(Quotas::unlimited());
    for delimiter in [",", ";"] {
        let mut centre = centre();
        centre.add_user(user_id(10), "held", [("Language", "German", 2.0), ("Language", "French", 4.0)]);
        let world = World::built(emulator(centre), &[("REQUESTS_PER_SECOND", "1000")]);
        let csv = "user,attribute,value,level,action,note\n\
                   agent000,Language,German,3,,\"=1+1\"\n\
                   jürgen,Language,German,3,set,\"two\nlines, \"\"quoted\"\"\"\n\
                   agent001,Language,Germn,3,set,'t Hooft\n\
                   @nobody,Language,German,3,set,+49 30 901820\n\
                   held,Language,German,5,set,-5\n\
                   held,Language,French,,remove,€\n"
            .replace(',', delimiter);
        let report = world.drop_file("incoming/a.csv", &csv).await;
        assert_eq!(report.statuses(), ["added", "added", "invalid", "invalid", "updated", "removed"]);
        let saved = |name: &str, table: Option<String>, by: &str| libreoffice(&table.unwrap(), name, by, delimiter);

        let results = saved("results", report.results, delimiter);
        let again = world.drop_file("incoming/results.csv", &results).await;
        assert_eq!(again.statuses(), ["unchanged", "unchanged", "invalid", "invalid", "unchanged", "unchanged"]);
        assert!(again.results.unwrap().contains("'=1+1"), "a formula is still none");

        let retry = saved("retry", report.retry, delimiter).replace("Germn", "German");
        let mended = world.drop_file("incoming/retry.csv", retry).await;
        assert_eq!(mended.statuses(), ["added", "invalid"]);
        assert!(mended.rows()[1][3].contains("'@nobody'"), "{:?}", mended.rows());

        // The undo file is ours, with commas.
        let undo = libreoffice(&report.undo.unwrap(), "undo", ",", ",");
        let undone = world.drop_file("incoming/undo.csv", undo).await;
        assert_eq!(undone.status(), "succeeded", "{:?}", undone.rows());
        assert_eq!(world.held(10), ["Language=French:4", "Language=German:2"]);
        assert_eq!((world.held(0).len(), world.held(9).len()), (0, 0));
        assert!(!world.s3.keys(BUCKET, "reports/").is_empty());
    }
}

/// Opens a table in LibreOffice Calc and saves it as CSV in UTF-8.
fn libreoffice(table: &str, name: &str, opened_by: &str, saved_by: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at(&format!("{name}.csv")), table).unwrap();
    let number = |delimiter: &str| delimiter.as_bytes()[0];
    // Field separator, quote, UTF-8, from the first line on; the rest says: cells as shown, quoted where needed.
    let opened = format!("--infilter=CSV:{},34,76,1", number(opened_by));
    let saved = format!("csv:Text - txt - csv (StarCalc):{},34,76,1,,0,false,true,false", number(saved_by));
    let status = std::process::Command::new("soffice")
        .arg(format!("-env:UserInstallation=file://{}", at("profile").display()))
        .args(["--headless", &opened, "--convert-to", &saved, "--outdir"])
        .arg(at("saved"))
        .arg(at(&format!("{name}.csv")))
        .status()
        .expect("LibreOffice is there");
    assert!(status.success());
    std::fs::read_to_string(at("saved").join(format!("{name}.csv"))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_file_that_breaks_off_is_no_file_to_drop_again() {
    let mut centre = instance(2);
    centre.add_user(user_id(2), "held", [("Language", "German", 2.0), ("Language", "French", 4.0)]);
    let world = World::new(centre);
    let csv =
        "user,attribute,value,level\nheld,Language,German,3\nagent000,Language,\"German,3\nheld,Language,French,4\n";
    let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("unclosed_quote")));
    assert_eq!((report.statuses(), report.retry), (vec!["pending".to_owned()], None));
    assert_eq!(world.held(2).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_two_kinds_is_refused() {
    let world = World::new(instance(1));
    let csv = "user,attribute,value,level,channel,auto_accept\nagent000,Language,German,3,VOICE,yes\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("ambiguous_kind")));
    assert!(report.summary["message"].as_str().unwrap().ends_with("Make two files of it."));
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn cells_at_the_end_that_have_no_name_may_be_missing() {
    let world = World::new(instance(2));
    let csv = "user,attribute,value,level,,\nagent000,Language,German,3\nagent001,Language,German\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["added", "invalid"]);
    let [_, _, code, message] = &report.rows()[1];
    assert_eq!(code, "missing_field");
    assert!(message.contains("empty: level. The row has 3 cells and the header 4."), "{message}");
}

#[tokio::test(start_paused = true)]
async fn last_cells_that_nobody_needs_may_be_missing() {
    let mut centre = instance(2);
    centre.add_user(user_id(2), "held", [("Language", "German", 2.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,action,level,note\n\
               held,Language,German,remove\n\
               agent000,Language,German,,3\n\
               agent001,Language,German,set\n\
               agent001,Language\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    let rows: Vec<_> = report.rows().into_iter().map(|[_, status, code, _]| [status, code].join(" ")).collect();
    assert_eq!(rows, ["removed ", "added ", "invalid missing_field", "invalid missing_field"]);
    assert!(report.results.unwrap().contains("held,Language,German,remove,,,2,removed,"));

    let settings = "user,channel,auto_accept,phone_type,phone_number\nagent000,CHAT,yes\nagent000,VOICE\nagent001\n";
    let report = world.drop_file("incoming/b.csv", settings).await;
    let rows: Vec<_> = report.rows().into_iter().map(|[_, status, code, _]| [status, code].join(" ")).collect();
    assert!(matches!(rows[0].as_str(), "added " | "updated "), "{rows:?}");
    assert_eq!(rows[1..], ["invalid no_setting", "invalid missing_field"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_sees_in_a_file_changes_nothing() {
    let mut centre = instance(6).with_attribute("Langue", ["Français"]);
    centre.add_user(user_id(9), "ju\u{308}rgen", Vec::<(String, String, f32)>::new());
    let world = World::new(centre);
    let csv = "\"user\", \"attribute\", \"value\", \"level\"\r\n\
               agent000, \"Language\", \"German\", 3\r\n\
               \"agent001\",\t\"Language\",  \"German\" , \"3\"\r\n\
               \u{202a}agent002\u{202c},\u{2066}Language\u{2069},\u{feff}German,\u{200e}3\u{200f}\r\n\
               agent003,Langue,Franc\u{327}ais,3\r\n\
               jürgen,Language,German,3\r\n\
               ju\u{308}rgen,Language,French,3\r\n\
               \u{1a}";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.status(), "succeeded", "{:?}", report.rows());
    assert_eq!(report.statuses(), ["added"; 6]);
    assert_eq!(world.held(3), ["Langue=Français:3"]);
    assert_eq!(world.held(9), ["Language=French:3", "Language=German:3"]);
    let mut again = report.results.unwrap();
    again.push('\u{1a}');
    assert_eq!(world.drop_file("incoming/again.csv", again).await.statuses(), ["unchanged"; 6]);
}

#[tokio::test(start_paused = true)]
async fn a_column_whose_name_is_nearly_one_of_ours_rejects_the_file() {
    let world = World::new(instance(1));
    for (header, both) in [
        ("user,attribute,value,level,acton", ["`action`", "\"acton\""]),
        ("user,attribute,value,level,Operation", ["`action`", "\"Operation\""]),
        ("user,attribute,value,action,levl", ["`level`", "\"levl\""]),
        ("user,channel,phone_type,auto_acept", ["`auto_accept`", "\"auto_acept\""]),
    ] {
        let report = world.drop_file("incoming/a.csv", format!("{header}\nagent000,a,b,c,d\n")).await;
        assert_eq!(code(&report), ("rejected", "unknown_column"), "{header}");
        assert!(both.iter().all(|name| message(&report).contains(name)), "{}", message(&report));
    }
    assert!(world.calls().is_empty());
    let csv =
        "user,attribute,value,level,Actions taken,Value date,Levels,Reaction\nagent000,Language,German,3,a,b,c,d\n";
    assert_eq!(world.drop_file("incoming/b.csv", csv).await.statuses(), ["added"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_removals_needs_no_column_of_levels() {
    let mut centre = instance(1);
    centre.add_user(user_id(2), "held", [("Language", "German", 2.0), ("Language", "French", 4.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,action\nheld,Language,German,remove\nagent000,Language,German,set\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["removed", "invalid"]);
    let [_, _, code, message] = &report.rows()[1];
    assert_eq!(code, "missing_field");
    assert_eq!(message, "These cells are empty: level. The file has no column `level`.");
    assert_eq!(world.held(2), ["Language=French:4"]);
}

#[tokio::test(start_paused = true)]
async fn what_we_write_ourselves_runs_in_no_spreadsheet() {
    let mut centre = instance(0).with_attribute("=Team", ["+blue"]);
    centre.add_user(user_id(0), "=cmd()", [("=Team", "+blue", 2.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,level\n=cmd(),Language,German,3\n";
    let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!(report.removed.as_deref(), Some("user,attribute,value,level\n'=cmd(),'=Team,'+blue,2\n"));
    assert!(report.undo.as_ref().unwrap().contains(",'=Team,'+blue,2,set,none\n"), "{:?}", report.undo);
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(world.held(0), ["=Team=+blue:2"]);
}
