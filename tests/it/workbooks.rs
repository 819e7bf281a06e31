//! Excel workbooks: what a person sees in them, and what no person made.

use connect_emulator::{Emulator, Instance, InstanceFile, Quotas};
use import_testkit::workbook::{archive, parts, rows, workbook, workbook_with_texts};
use serde_json::json;

use crate::sheets::{centre, code, message, told};
use crate::world::{World, run, user_id};

fn text(cells: &[&[&str]]) -> String {
    rows(cells)
}

#[test]
fn a_workbook_is_read_as_a_person_sees_it() {
    run(async {
        let mut centre = centre(2);
        centre.add_user(user_id(7), "001234", Vec::<(&str, &str, f32)>::new());
        centre.add_user(user_id(8), "4567", Vec::<(&str, &str, f32)>::new());
        let world = World::new(centre);
        let team = text(&[
            &["Agent", "Language: German", "Site", "Since", "Phone", "Share", "Late"],
            &[
                "agent000",
                "3",
                "S01 2, S02 4",
                "<c s=\"1\"><v>45000</v></c>",
                "+4930901820",
                "0.1",
                "<c s=\"2\"><v>45000.5</v></c>",
            ],
            &[],
            &[
                "agent001",
                "<c><f>1+3</f><v>4</v></c>",
                "",
                "<c s=\"3\"><v>0.25</v></c>",
                "4930901820",
                "<c><v>0.30000000000000004</v></c>",
            ],
            &[
                "<c t=\"str\"><f>\"001234\"</f><v>001234</v></c>",
                "<c><v>2.0</v></c>",
                "<c t=\"str\"><f>\"\"</f><v></v></c>",
                "<c t=\"b\"><v>1</v></c>",
            ],
            &["4567", "5"],
            &["1234", "1"],
        ]);
        let sheets = [
            ("Old", "hidden", text(&[&["user", "Language: French"], &["agent000", "5"]])),
            ("Cover", "visible", text(&[&[], &["Skills of the North team"], &["user", "French"]])),
            ("Team", "visible", team),
            ("Other", "visible", text(&[&["user", "French"], &["agent000", "5"]])),
        ];
        let report = world.drop_file("incoming/Team.xlsx", workbook(&sheets)).await;
        assert_eq!(
            told(&report),
            [
                "2|Language: German|agent000|Language|German|3|added|",
                "2|Site|agent000|Site|S01|2|added|",
                "2|Site|agent000|Site|S02|4|added|",
                "4|Language: German|agent001|Language|German|4|added|",
                "5|Language: German|001234|Language|German|2|added|",
                "6|Language: German|4567|Language|German|5|added|",
                "7|Language: German|1234|Language|German|1|invalid|unknown_user",
            ]
        );
        assert_eq!(report.rows()[6][3], "There is no user '1234'; did you mean '001234'?");
        let results = report.results.unwrap();
        assert!(results.contains(",3,2023-03-15,+4930901820,0.1,2023-03-15T12:00:00,2,"), "{results}");
        assert!(results.contains(",4,06:00:00,4930901820,0.3,,4,"), "{results}");
        assert!(results.contains("001234,Language,German,2,TRUE,,,,5,"), "{results}");
        // As CSV, the sheet says the same.
        assert_eq!(report.summary["columns"]["used"], json!(["Agent", "Language: German", "Site"]));
    });
}

#[test]
fn a_workbook_may_hold_the_long_form_and_settings_too() {
    run(async {
        let world = World::new(centre(1));
        let long = text(&[&["user", "attribute", "value", "level"], &["agent000", "Language", "German", "3"]]);
        let report = world.drop_file("incoming/a.xlsx", workbook(&[("Skills", "visible", long)])).await;
        assert_eq!((report.statuses(), report.rows()[0][0].as_str()), (vec!["added".to_owned()], "2"));
        assert!(!report.results.unwrap().contains("import_column"));
        let settings = text(&[&["user", "channel", "after_contact_work_seconds"], &["agent000", "CHAT", "30"]]);
        let report = world.drop_file("incoming/b.xlsx", workbook(&[("Settings", "visible", settings)])).await;
        assert_eq!((report.statuses(), &report.summary["kind"]), (vec!["added".to_owned()], &json!("user_config")));
    });
}

#[test]
fn what_a_cell_of_a_workbook_cannot_say_is_invalid_and_spoils_nothing() {
    run(async {
        let world = World::new(centre(2));
        let team = text(&[
            &["user", "German", "French", "Language", "Team"],
            &[
                "agent000",
                "<c t=\"e\"><v>#N/A</v></c>",
                "4",
                "<c t=\"e\"><v>#DIV/0!</v></c>",
                "<c t=\"e\"><v>#REF!</v></c>",
            ],
            &["agent001", "<c><f>VLOOKUP(A3,X:Y,2)</f></c>", "2", "<c s=\"1\"/>", ""],
            &["<c t=\"e\"><v>#NAME?</v></c>", "1", "", "", ""],
            &["Total", "<c><f>SUM(B2:B4)</f><v>12</v></c>", "6", "", ""],
            &["", "", "", "", "merged"],
        ]);
        let report = world.drop_file("incoming/a.xlsx", workbook(&[("Team", "visible", team)])).await;
        assert_eq!(
            told(&report),
            [
                "2|German|agent000|Language|German|#N/A|invalid|invalid_level",
                "2|French|agent000|Language|French|4|added|",
                "2|Language|agent000|Language|#DIV/0!||invalid|missing_field",
                "3|German|agent001|Language|German|'=formula_without_a_stored_result|invalid|invalid_level",
                "3|French|agent001|Language|French|2|added|",
                "4|German|#NAME?|Language|German|1|invalid|unknown_user",
                "5|German|Total|Language|German|12|invalid|invalid_level",
                "5|French|Total|Language|French|6|invalid|invalid_level",
            ]
        );
    });
}

#[test]
fn what_is_no_workbook_with_a_table_is_refused_by_its_name() {
    run(async {
        let part = |name: &str| archive(&[(name.to_owned(), "x".repeat(200))]);
        let password: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let password = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &[0; 3000][..], &password, &[0; 3000]].concat();
        let team = workbook(&[("Team", "visible", text(&[&["user", "German"], &["agent000", "3"]]))]);
        let two = text(&[&["", "Languages", "Languages"], &["user", "German", "French"], &["agent000", "1", "2"]]);
        let hidden = text(&[&["user", "German"], &["agent000", "3"]]);
        let zipped = "0".repeat(140 << 20);
        for (bytes, code_, said) in [
            (part("xl/workbook.bin"), "not_csv", "binary Excel workbook (.xlsb)"),
            (part("word/document.xml"), "not_csv", "Word document"),
            (part("Index/Document.iwa"), "not_csv", "Numbers spreadsheet (.numbers)"),
            (part("META-INF/manifest.xml"), "not_csv", "LibreOffice spreadsheet (.ods)"),
            (part("agents.csv"), "not_csv", "zip archive"),
            (password, "not_csv", "has a password"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0".to_vec(), "not_csv", "old Excel workbook (.xls)"),
            (team[..team.len() - 30].to_vec(), "not_csv", "cannot be read"),
            ([&b"PK\x03\x04"[..], &[7; 4000]].concat(), "not_csv", "cannot be read"),
            (workbook(&[("Empty", "visible", String::new())]), "empty_file", "empty"),
            (workbook(&[("Secret", "hidden", hidden)]), "empty_file", "empty"),
            (workbook(&[("Team", "visible", two)]), "missing_column", "no column `user`"),
            (workbook(&[("Team", "visible", text(&[&["name", "German"]]))]), "missing_column", "no column `user`"),
            (workbook(&[("Team", "visible", text(&[&["users", "German"]]))]), "unknown_column", "named \"users\""),
            (archive(&[("xl/workbook.xml".to_owned(), zipped)]), "file_too_large", "128 MiB"),
            ([&team[..], &vec![0; 33 << 20]].concat(), "file_too_large", "32 MiB"),
        ] {
            let world = World::new(centre(1));
            let report = world.drop_file("incoming/team.xlsx", bytes).await;
            assert_eq!(code(&report), ("rejected", code_), "{said}: {}", message(&report));
            assert!(message(&report).contains(said), "{said}: {}", message(&report));
            assert!(world.held(0).is_empty());
        }
        // What a file is its bytes say, not its name.
        let world = World::new(centre(1));
        assert_eq!(world.drop_file("incoming/team.csv", team).await.statuses(), ["added"]);
        assert_eq!(world.drop_file("incoming/team.xlsx", "user,German\nagent000,4\n").await.statuses(), ["updated"]);
    });
}

#[test]
fn a_workbook_may_be_wide_and_long_and_full_of_nothing() {
    run(async {
        let world = World::new(centre(1));
        let mut header = vec!["user".to_owned(), "German".to_owned()];
        header.resize_with(16_384, || "note".to_owned());
        let wide = rows(&[header, vec!["agent000".to_owned(), "3".to_owned()]]);
        let report = world.drop_file("incoming/wide.xlsx", workbook(&[("Wide", "visible", wide)])).await;
        assert_eq!(report.statuses(), ["added"]);
        let mut long = text(&[&["user", "German"]]);
        for line in 2..200_000 {
            long += &format!("<row r=\"{line}\"><c r=\"A{line}\" s=\"1\"/></row>");
        }
        long += "<row r=\"1000000\"><c r=\"A1000000\" t=\"inlineStr\"><is><t>agent000</t></is></c><c r=\"B1000000\"><v>4</v></c></row>";
        let report = world.drop_file("incoming/long.xlsx", workbook(&[("Long", "visible", long)])).await;
        assert_eq!(told(&report), ["1000000|German|agent000|Language|German|4|updated|"]);
        let cell = "x".repeat(32_767);
        let large = text(&[&["user", "German", "note"], &["agent000", "5", &cell]]);
        let report = world.drop_file("incoming/large.xlsx", workbook(&[("Large", "visible", large)])).await;
        assert_eq!(report.statuses(), ["updated"]);
        // A text that stands once in the file and in each of a million cells is no small sheet.
        let many: String =
            (2..9_000).map(|line| format!("<row r=\"{line}\"><c r=\"A{line}\" t=\"s\"><v>0</v></c></row>")).collect();
        let many = text(&[&["user", "German"]]) + &many;
        let bomb = workbook_with_texts(&[("Bomb", "visible", many)], &[&cell]);
        let report = world.drop_file("incoming/bomb.xlsx", bomb).await;
        assert_eq!(code(&report), ("rejected", "file_too_large"), "{}", message(&report));
    });
}

/// What the README says of its sheet.
const README: [&str; 6] = [
    "2|German|jdoe|Language|German|4|added|",
    "2|Product|jdoe|Product|Billing|2|added|",
    "2|Product|jdoe|Product|Mobile|5|added|",
    "3|German|asmith|Language|German||removed|",
    "3|Language: French|asmith|Language|French|3|added|",
    "3|Product|asmith|Product|Returns||invalid|missing_field",
];

/// The centre of the README's examples.
fn readmes_centre() -> World {
    let mut centre = Instance::new(crate::world::INSTANCE)
        .with_attribute("Language", ["German", "French"])
        .with_attribute("Product", ["Billing", "Mobile", "Returns"]);
    centre.add_user(user_id(0), "jdoe", Vec::<(&str, &str, f32)>::new());
    centre.add_user(user_id(1), "asmith", [("Language", "German", 3.0)]);
    World::new(centre)
}

fn readmes_sheet() -> String {
    let (_, example) = include_str!("../../README.md").split_once("```csv\nAgent,Team,").unwrap();
    format!("Agent,Team,{}", example.split_once("```").unwrap().0)
}

#[test]
fn the_readmes_sheet_does_what_it_says_whatever_program_saved_it() {
    // As Google Sheets exports it: all texts in a table, styles on all cells, empty cells with a style.
    let texts = [
        "Agent",
        "Team",
        "German",
        "Language: French",
        "Product",
        "jdoe",
        "North",
        "Billing 2; Mobile 5",
        "asmith",
        "South",
        "-",
        "Returns",
    ];
    let cell = |nth: usize| format!("<c s=\"1\" t=\"s\"><v>{nth}</v></c>");
    let number = |level: u8| format!("<c s=\"0\"><v>{level}.0</v></c>");
    let google = rows(&[
        (0..5).map(cell).collect::<Vec<_>>(),
        vec![cell(5), cell(6), number(4), "<c s=\"1\"/>".to_owned(), cell(7)],
        vec![cell(8), cell(9), cell(10), number(3), cell(11)],
    ]);
    run(async {
        for (program, bytes) in [
            ("CSV", readmes_sheet().into_bytes()),
            ("LibreOffice", include_bytes!("data/libreoffice.xlsx").to_vec()),
            ("XlsxWriter, which writes as Excel does", include_bytes!("data/xlsxwriter.xlsx").to_vec()),
            ("openpyxl", include_bytes!("data/openpyxl.xlsx").to_vec()),
            ("Google Sheets", workbook_with_texts(&[("Sheet1", "visible", google)], &texts)),
        ] {
            let report = readmes_centre().drop_file("incoming/team.xlsx", bytes).await;
            assert_eq!(told(&report), README, "{program}: {:?}", report.summary);
        }
    });
}

/// `cargo test --test it libreoffice -- --ignored`, with `soffice` on the path (Debian: `libreoffice-calc`).
#[tokio::test]
#[ignore = "needs LibreOffice, and takes a while"]
async fn a_sheet_that_libreoffice_saved_as_a_workbook_does_what_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("team.csv"), readmes_sheet()).unwrap();
    let status = std::process::Command::new("soffice")
        .arg(format!("-env:UserInstallation=file://{}", folder.path().join("profile").display()))
        .args(["--headless", "--infilter=CSV:44,34,76,1", "--convert-to", "xlsx", "--outdir"])
        .args([folder.path().join("saved"), folder.path().join("team.csv")])
        .status()
        .expect("LibreOffice is there");
    assert!(status.success());
    let workbook = std::fs::read(folder.path().join("saved/team.xlsx")).unwrap();
    let report = readmes_centre().drop_file("incoming/team.xlsx", workbook).await;
    assert_eq!(told(&report), README);
}

#[test]
fn the_samples_say_the_same_as_csv_and_as_a_workbook() {
    let centre: InstanceFile = serde_json::from_str(include_str!("../../examples/data/instance.json")).unwrap();
    let centre = Instance::from(centre);
    run(async {
        let mut all = Vec::new();
        for bytes in
            [&include_bytes!("../../examples/data/sheet.csv")[..], include_bytes!("../../examples/data/skills.xlsx")]
        {
            let settings = [("REQUESTS_PER_SECOND", "1000"), ("CONNECT_INSTANCE_ID", centre.id())];
            let world = World::built(Emulator::builder(centre.clone()).quotas(Quotas::unlimited()), &settings);
            let report = world.drop_file("incoming/team", bytes).await;
            assert_eq!(
                (report.status(), report.summary["rows"]["invalid"].as_u64()),
                ("completed_with_errors", Some(6))
            );
            all.push((told(&report), report.results.unwrap()));
        }
        assert_eq!(all[0], all[1]);
    });
}

#[test]
fn a_hostile_sheet_or_workbook_ends_in_little_time_and_memory() {
    run(async {
        let long = format!("user,German,{}\nagent000,3,x\n", ":a".repeat(100_000));
        let notes = format!("user,Language,note\nagent000,{},{}\n", "x;".repeat(100_000), "y".repeat(500_000));
        let lists = format!("user{}\nagent000,P01 3\n", ",Product".repeat(10_000));
        let sheet = text(&[&["user", "German"], &["agent000", "3"]]);
        let promise = |n: &str| {
            let texts = format!("<sst uniqueCount=\"{n}\"><si><t>x</t></si></sst>");
            altered(&workbook(&[("Team", "visible", sheet.clone())]), "xl/sharedStrings.xml", &texts)
        };
        let font = format!("<fonts><font><name val=\"{}\"/></font></fonts>", "x".repeat(100_000));
        let styles =
            format!("<styleSheet>{font}<cellXfs>{}</cellXfs></styleSheet>", "<xf fontId=\"0\"/>".repeat(60_000));
        let styles = altered(&workbook(&[("Team", "visible", sheet.clone())]), "xl/styles.xml", &styles);
        // Wherever the part stands, and however its tag is written.
        let book = workbook(&[("Team", "visible", sheet.clone())]);
        let mut parts = parts(&book);
        let padding = "x".repeat(3000);
        parts.push((
            "xl/worksheets/other.xml".to_owned(),
            format!("<x:sst pad='{padding}' uniqueCount = '4000000000'/>"),
        ));
        let elsewhere = archive(&parts);
        let tags = altered(&book, "xl/sharedStrings.xml", &format!("<sst>{}</sst>", "<si/>".repeat(3 << 20)));
        let told = text(&[&["user", "German", "note"], &["agent000", "3", "uniqueCount=\"4000000000\""]]);
        let told = workbook(&[("Team", "visible", told)]);
        for (name, bytes, expected) in [
            ("long.csv", long.into_bytes(), ("succeeded", "")),
            ("notes.csv", notes.into_bytes(), ("rejected", "row_too_large")),
            ("lists.csv", lists.into_bytes(), ("rejected", "row_too_large")),
            ("promise.xlsx", promise("18446744073709551615"), ("rejected", "not_csv")),
            ("promise.xlsx", promise("4000000000"), ("rejected", "not_csv")),
            ("promise.xlsx", promise("5000\" count=\"1"), ("rejected", "not_csv")),
            ("hidden.xlsx", elsewhere, ("rejected", "not_csv")),
            ("tags.xlsx", tags, ("rejected", "file_too_large")),
            ("text.xlsx", told, ("succeeded", "")),
            ("styles.xlsx", styles, ("rejected", "file_too_large")),
        ] {
            let world = World::new(centre(1));
            let report = world.drop_file(&format!("incoming/{name}"), bytes).await;
            assert_eq!(code(&report), expected, "{name}: {}", message(&report));
        }
    });
}

/// A workbook with another part in place of one.
fn altered(book: &[u8], name: &str, part: &str) -> Vec<u8> {
    let mut parts = parts(book);
    parts.iter_mut().filter(|(other, _)| other == name).for_each(|(_, text)| part.clone_into(text));
    archive(&parts)
}
