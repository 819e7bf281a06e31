//! Sheets: a row for each user, a column for each skill; as CSV and as Excel workbooks.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Instance, InstanceFile, Operation, Quotas, Rule, Switches};
use import_testkit::workbook::{archive, parts, rows, workbook, workbook_with_texts};
use serde_json::json;

use crate::world::{Report, World, instance, run, user_id};

/// The usual centre, and attributes that make headings hard.
fn centre(n_users: usize) -> Instance {
    instance(n_users)
        .with_attribute("Tier", ["Tier 2", "Gold", "Sales; EMEA"])
        .with_attribute("Queue", ["Gold", "Billing"])
        .with_attribute("Customer Care", ["Team: Blue", "Refunds"])
}

/// Each row of a report: line, column, user, attribute, value, level, status, code.
fn told(report: &Report) -> Vec<String> {
    let text = report.results.as_deref().unwrap().strip_prefix('\u{feff}').unwrap();
    let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
    let mut csv = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let header = csv.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|cell| cell == name).unwrap();
    let wanted =
        ["import_line", "import_column", "user", "attribute", "value", "level", "import_status", "import_code"];
    let wanted = wanted.map(place);
    csv.records().map(|row| row.unwrap()).map(|row| wanted.map(|place| row[place].to_owned()).join("|")).collect()
}

fn code(report: &Report) -> (&str, &str) {
    (report.status(), report.summary["code"].as_str().unwrap_or_default())
}

fn message(report: &Report) -> &str {
    report.summary["message"].as_str().unwrap_or_default()
}

#[test]
fn headings_are_pairs_attributes_or_values_mixed_in_one_file() {
    run(async {
        let world = World::new(centre(3));
        let csv = "Agent,Team,language: german,Site,French,Product,CUSTOMER CARE: team: blue\n\
                   agent000,North,3,S01 2; s02:4 | S03 (1),,P01=5,2\n\
                   agent001,South,,,4,\"P02 1\nP03 2\",\n\
                   agent002,North,,,,,\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(
            told(&report),
            [
                "2|language: german|agent000|Language|German|3|added|",
                "2|Site|agent000|Site|S01|2|added|",
                "2|Site|agent000|Site|s02|4|added|",
                "2|Site|agent000|Site|S03|1|added|",
                "2|Product|agent000|Product|P01|5|added|",
                "2|CUSTOMER CARE: team: blue|agent000|Customer Care|Team: Blue|2|added|",
                "3|French|agent001|Language|French|4|added|",
                "3|Product|agent001|Product|P02|1|added|",
                "3|Product|agent001|Product|P03|2|added|",
            ]
        );
        assert_eq!(report.status(), "succeeded");
        assert_eq!(report.counts()["added"], 9);
        assert_eq!(world.held(1), ["Language=French:4", "Product=P02:1", "Product=P03:2"]);
        assert_eq!(report.summary["kind"], "proficiencies");
        let used = ["Agent", "language: german", "Site", "French", "Product", "CUSTOMER CARE: team: blue"];
        assert_eq!(report.summary["columns"], json!({"used": used, "carried": ["Team"]}));
        let results = report.results.unwrap();
        let header = results.lines().next().unwrap();
        assert_eq!(
            header,
            "\u{feff}user,attribute,value,level,Team,import_line,import_column,import_status,import_code,import_message"
        );
        // The report is the long form: dropped back, it says the same.
        let again = world.drop_file("incoming/again.csv", &results).await;
        assert_eq!(again.counts().into_iter().collect::<Vec<_>>(), [("unchanged".to_owned(), 9)]);
        let undone = world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
        assert_eq!((undone.counts()["removed"], world.held(0).len()), (9, 0));
    });
}

#[test]
fn every_entry_is_accounted_for_and_a_bad_one_spoils_no_other() {
    run(async {
        let world = World::new(centre(2));
        let csv = "user;Language;Language: German;Tier;note\n\
                   agent000;German 4, Frensh 2, English, 5, French five, Spanish 3,;x;Tier 2, Gold 3, Tier 2 1;a\n\
                   ;French 1;2;;b\n\
                   nobody;French 1;;;c\n\
                   agent001;French 1;-;Sales; EMEA 4;d\n\
                   ;;;;e\n";
        world.s3.put("imports", "lists/team.csv", csv);
        let request = json!({"source": "s3://imports/lists/team.csv", "max_invalid_percent": 100});
        let report = world.import(request).await;
        assert_eq!(
            told(&report),
            [
                "2|Language|agent000|Language|German|4|added|",
                "2|Language|agent000|Language|Frensh|2|invalid|unknown_value",
                "2|Language|agent000|Language|English||invalid|missing_field",
                "2|Language|agent000|Language||5|invalid|missing_field",
                "2|Language|agent000|Language|French|five|invalid|invalid_level",
                "2|Language|agent000|Language|Spanish|3|added|",
                "2|Language: German|agent000|Language|German|x|invalid|invalid_level",
                "2|Tier|agent000|Tier|Tier 2||invalid|missing_field",
                "2|Tier|agent000|Tier|Gold|3|added|",
                "2|Tier|agent000|Tier|Tier 2|1|added|",
                "3|Language||Language|French|1|invalid|missing_field",
                "3|Language: German||Language|German|2|invalid|missing_field",
                "4|Language|nobody|Language|French|1|invalid|unknown_user",
                // One cell too many: the delimiter in the value tore it apart.
                "5|Language|agent001|Language|French|1|invalid|wrong_cell_count",
                "5|Language: German|agent001|Language|German||invalid|wrong_cell_count",
                "5|Tier|agent001|Tier|Sales||invalid|wrong_cell_count",
            ]
        );
        let causes = report.summary["causes"].as_array().unwrap();
        let torn = causes.iter().find(|cause| cause["code"] == "wrong_cell_count").unwrap();
        assert_eq!((&torn["rows"], &torn["lines"]), (&json!(3), &json!([5])), "a line is named once");
        let messages: Vec<_> = report.rows().into_iter().map(|[.., message]| message).collect();
        assert_eq!(messages[1], "The attribute 'Language' has no value 'Frensh'; did you mean 'French'?");
        assert_eq!(messages[2], "The entry 'English' has no level. Write 'English 3', for example.");
        assert_eq!(messages[3], "The entry has no value of the attribute 'Language', only a level.");
        assert!(messages[13].starts_with("The row has 6 cells and the header 5."), "{}", messages[13]);
        // Mended, the retry file is a file of the long form.
        let retry = report.retry.unwrap();
        assert!(
            retry.lines().next().unwrap().starts_with("\u{feff}user;attribute;value;level;action;note;import_line;")
        );
        let mended = retry.replace("Frensh", "French").replace(";five;", ";2;");
        let mended = world.drop_file("incoming/retry.csv", mended).await;
        assert_eq!(mended.statuses()[3], "duplicate", "{:?}", mended.rows());
    });
}

#[test]
fn a_value_may_hold_what_ends_an_entry() {
    run(async {
        let world = World::new(centre(1));
        let csv = "user,Tier\nagent000,\"Sales; EMEA 4; Gold 2;; Sales 1\"\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(
            told(&report),
            [
                "2|Tier|agent000|Tier|Sales; EMEA|4|added|",
                "2|Tier|agent000|Tier|Gold|2|added|",
                "2|Tier|agent000|Tier|Sales|1|invalid|unknown_value",
            ]
        );
    });
}

#[test]
fn a_dash_and_a_zero_take_away_and_nothing_else_does() {
    run(async {
        let mut centre = centre(1);
        let held =
            [("Language", "German", 3.0), ("Language", "French", 2.0), ("Site", "S01", 1.0), ("Site", "S02", 2.0)];
        centre.add_user(user_id(1), "held", held);
        let world = World::new(centre);
        let csv = "user,Language: German,French,Site,Team\nheld,-,0,S02 -,x\nagent000,0,4,,y\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(
            told(&report),
            [
                "2|Language: German|held|Language|German||removed|",
                "2|French|held|Language|French||removed|",
                "2|Site|held|Site|S02||removed|",
                "3|Language: German|agent000|Language|German||unchanged|",
                "3|French|agent000|Language|French|4|added|",
            ]
        );
        assert!(
            report.results.as_ref().unwrap().contains("held,Language,German,,remove,x,2,Language: German,removed,")
        );
        assert_eq!(world.held(1), ["Site=S01:1"]);
        let undone = world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
        assert_eq!(undone.counts().into_keys().collect::<Vec<_>>(), ["added", "removed"]);
        assert_eq!(world.held(1).len(), 4);
    });
}

/// Twenty users who hold five products each.
fn full() -> Instance {
    let mut centre = centre(0);
    for n in 0..20 {
        centre.add_user(user_id(n), format!("agent{n:03}"), (0..5).map(|nth| ("Product", format!("P{nth:02}"), 3.0)));
    }
    centre
}

#[test]
fn a_mass_removal_by_dashes_is_refused_before_the_first_write() {
    run(async {
        let rows = |cell: &str| (0..20).map(|n| format!("agent{n:03},{cell},{cell},1\n")).collect::<String>();
        let header = "user,Product: P00,Product: P01,Language: German\n";
        for (key, said) in [("merge", "The file marks 40 of the 100"), ("replace", "does not name 100 of the 100")] {
            let world = World::new(full());
            let report = world.drop_file(&format!("incoming/mode={key}/a.csv"), header.to_owned() + &rows("-")).await;
            assert_eq!(code(&report), ("rejected", "too_many_removals"), "{key}");
            assert!(message(&report).contains(said), "{}", message(&report));
            assert_eq!(report.counts()["pending"], 60);
            assert_eq!(
                world.calls().keys().filter(|name| !name.starts_with("List") && !name.starts_with("Search")).count(),
                0
            );
            let asked =
                json!({"source": format!("s3://imports/incoming/mode={key}/a.csv"), "max_removals_percent": 100});
            let report = world.import(asked).await;
            assert_eq!((report.counts()["removed"], report.counts()["added"]), (40, 20));
            assert_eq!(world.held(0).len(), if key == "merge" { 4 } else { 1 });
        }
        // A few are no mass.
        let world = World::new(full());
        let few = "user,Product: P00\nagent000,-\nagent001,0\nagent002,4\n";
        let report = world.drop_file("incoming/a.csv", few).await;
        assert_eq!(report.statuses(), ["removed", "removed", "updated"]);
        assert_eq!(world.calls()[&Operation::ListUserProficiencies.to_string()], 6, "all are looked at first");
    });
}

#[test]
fn in_replace_an_empty_cell_is_not_named_and_a_row_without_entries_says_nothing() {
    run(async {
        let world = World::new(full());
        let csv = "user,Product: P00,Product: P01,Language: German,Team\n\
                   agent000,3,,4,a\nagent001,,,,b\nagent002,-,,,c\nagent003,-,2,,d\nagent004,3,x,,e\nagent005,3,,\n";
        let request = json!({"source": "s3://imports/lists/a.csv", "mode": "replace", "max_removals_percent": 100});
        world.s3.put("imports", "lists/a.csv", csv);
        let report = world.import(request).await;
        assert_eq!(
            told(&report),
            [
                "2|Product: P00|agent000|Product|P00|3|unchanged|",
                "2|Language: German|agent000|Language|German|4|added|",
                "4|Product: P00|agent002|Product|P00||removed|",
                "5|Product: P00|agent003|Product|P00||removed|",
                "5|Product: P01|agent003|Product|P01|2|updated|",
                "6|Product: P00|agent004|Product|P00|3|unchanged|",
                "6|Product: P01|agent004|Product|P01|x|invalid|invalid_level",
                "7|Product: P00|agent005|Product|P00|3|invalid|wrong_cell_count",
                "7|Language: German|agent005|Language|German||invalid|wrong_cell_count",
            ]
        );
        assert_eq!(world.held(0), ["Language=German:4", "Product=P00:3"]);
        assert_eq!((world.held(1).len(), world.held(2).len()), (5, 4), "nothing is set, nothing more is taken");
        assert_eq!(world.held(3), ["Product=P01:2"]);
        assert_eq!((world.held(4).len(), world.held(5).len()), (5, 5), "a wrong row takes nothing");
        assert_eq!(report.summary["implied_removals"], 4 + 3);
        let retry = report.retry.unwrap();
        let retry: Vec<_> = retry.lines().map(|line| line.split(",import").next().unwrap()).collect();
        assert_eq!(retry[0], "\u{feff}user,attribute,value,level,Team");
        assert_eq!(retry.len(), 5, "all rows of users with an error: {retry:?}");
    });
}

#[test]
fn in_replace_the_retry_file_says_what_is_not_to_be_there_by_leaving_it_out() {
    run(async {
        let world = World::new(full());
        let csv = "user,Product: P00,Product: P01,Product: P02\nagent000,-,3,x\n";
        let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
        assert_eq!(report.statuses(), ["removed", "unchanged", "invalid"]);
        assert!(report.results.unwrap().contains("agent000,Product,P00,,remove,2,"));
        let retry = report.retry.unwrap();
        assert!(!retry.contains("remove,") && !retry.contains("P00"), "{retry}");
        let mended = retry.replace("P02,x", "P02,1");
        let report = world.drop_file("incoming/mode=replace/retry.csv", mended).await;
        assert_eq!(report.status(), "succeeded", "{:?}", report.rows());
        assert_eq!(world.held(0), ["Product=P01:3", "Product=P02:1"]);
    });
}

#[test]
fn two_columns_that_say_the_same_are_one_and_two_that_differ_are_none() {
    run(async {
        let world = World::new(centre(2));
        let csv = "user,Language: German,Language,German\nagent000,3,German 3,3\nagent001,3,\"German 4;French 1\",\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(report.statuses(), ["added", "duplicate", "duplicate", "invalid", "invalid", "added"]);
        assert_eq!(report.rows()[1][3], "Duplicate of another entry of this line.");
        assert!(report.rows()[3][3].starts_with("Contradicts another entry of this line: same user"));
    });
}

#[test]
fn a_typo_in_a_heading_is_told_before_anything_is_written() {
    run(async {
        for (header, expected, said) in [
            ("user,Gold,French", "ambiguous_column", "name the column \"Queue: Gold\" or \"Tier: Gold\""),
            ("user,Germn,French", "unknown_column", "did you mean \"Language: German\"? If \"Germn\" is no skill"),
            ("user,Langauge,French", "unknown_column", "did you mean \"Language\"?"),
            ("user,customer_care,French", "unknown_column", "did you mean \"Customer Care\"?"),
            ("user,Language: Germn,French", "unknown_column", "did you mean \"Language: German\"?"),
            ("user,Language: Klingon,French", "unknown_column", "The attribute 'Language' has no value 'Klingon'"),
            ("user,Languages: Klingon,French", "unknown_column", "There is no predefined attribute 'Languages'"),
            ("user,Sprache: German,French", "unknown_column", "did you mean \"Language: German\"?"),
            ("user,German: level,French", "unknown_column", "did you mean \"Language: German\"?"),
            ("user,Level: French,Spanish", "unknown_column", "did you mean \"Language: French\"?"),
            ("user,connect:Subtype,French", "unknown_column", "write \"connect:Attribute: Value\""),
            ("user,French,level", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,Proficiency Level", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,action", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,if_level", "unknown_column", "no column `level`, but one named \"if_level\""),
            ("user,French,acton", "unknown_column", "no column `action`, but one named \"acton\""),
            ("user,French,atribute", "unknown_column", "no column `attribute`, but one named \"atribute\""),
            ("user,French,auto_acept", "unknown_column", "no column `auto_accept`"),
            ("users,French", "unknown_column", "no column `user`, but one named \"users\""),
            ("user,Team,Shift", "missing_column", "Either name the columns `user`, `attribute`, `value` and `level`"),
            ("user,Agent,username,French", "", ""),
            ("Agent,login,French", "duplicate_column", "The column `user` is there twice"),
        ] {
            let world = World::new(centre(1));
            let report = world.drop_file("incoming/team.csv", format!("{header}\nagent000,1,2,3\n")).await;
            if expected.is_empty() {
                assert_eq!(report.status(), "succeeded", "{header}");
                continue;
            }
            assert_eq!(code(&report), ("rejected", expected), "{header}: {}", message(&report));
            assert!(message(&report).contains(said), "{header}: {}", message(&report));
            assert!(report.results.is_none() && world.held(0).is_empty());
        }
        // What stands there itself is not meant by a near name; other columns are other columns.
        let world = World::new(centre(1));
        let csv = "user,German,Germn,Team,Start: hour,id_\nagent000,3,x,y,z,1\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!((report.statuses(), report.status()), (vec!["added".to_owned()], "succeeded"));
        assert_eq!(report.summary["columns"]["carried"], json!(["Germn", "Team", "Start: hour", "id_"]));
    });
}

#[test]
fn a_skill_that_the_search_does_not_show_yet_is_one_all_the_same() {
    run(async {
        let mut centre = centre(1);
        centre.add_attribute("Brand New", ["Shiny", "Dull"]);
        let switches = Switches { search_lag: vec!["Brand New".to_owned()], ..Switches::default() };
        let emulator = Emulator::builder(centre).quotas(Quotas::unlimited()).switches(switches);
        let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000")]);
        let csv = "user,brand new,Brand New: Dull,Team\nagent000,Shiny 4,2,x\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(report.statuses(), ["added", "added"], "{:?}", report.summary);
        assert_eq!(world.held(0), ["Brand New=Dull:2", "Brand New=Shiny:4"]);
    });
}

#[test]
fn attributes_of_the_systems_go_to_the_service_unasked() {
    run(async {
        let world = World::new(centre(1).with_attribute("connect:Subtype", ["connect:Chat"]));
        let csv = "user,connect:Subtype: connect:Chat\nagent000,3\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(told(&report), ["2|connect:Subtype: connect:Chat|agent000|connect:Subtype|connect:Chat|3|added|"]);
    });
}

#[test]
fn the_forms_of_a_file_are_told_apart_by_its_columns() {
    run(async {
        for (header, row, expected) in [
            ("user,French,value", "agent000,1,2", "missing_column"),
            ("user,French,channel", "agent000,1,VOICE", "missing_column"),
            ("user,French,Auto Accept", "agent000,1,yes", "missing_column"),
            ("user,attribute,value,level,French", "agent000,Language,German,3,x", ""),
            ("user,channel,auto_accept,French", "agent000,CHAT,yes,3", ""),
        ] {
            let world = World::new(centre(1));
            let report = world.drop_file("incoming/a.csv", format!("{header}\n{row}\n")).await;
            assert_eq!(code(&report).1, expected, "{header}: {}", message(&report));
            assert!(!world.calls().contains_key("DescribePredefinedAttribute"), "{header}");
        }
    });
}

#[test]
fn a_sheet_of_any_size_and_shape_ends() {
    run(async {
        let world = World::new(centre(1));
        let none = world.drop_file("incoming/none.csv", "user,French\n").await;
        assert_eq!(code(&none), ("rejected", "no_rows"));
        let none = world.drop_file("incoming/none.csv", "user,French").await;
        assert_eq!(code(&none), ("rejected", "no_rows"));
        let none = world.drop_file("incoming/empty.csv", "user,French\nagent000,\n").await;
        assert_eq!(code(&none), ("rejected", "no_rows"));
        let columns: String = (0..16_000).map(|n| format!(",note {n}")).collect();
        let wide = world
            .drop_file("incoming/wide.csv", format!("user,French{columns}\nagent000,3{}\n", ",x".repeat(16_000)))
            .await;
        assert_eq!(wide.statuses(), ["added"]);
        let long =
            world.drop_file("incoming/long.csv", format!("user,Language\nagent000,{} 3\n", "x".repeat(32_767))).await;
        assert_eq!(told(&long)[0].split('|').next_back(), Some("too_long"));
        let many = world
            .drop_file("incoming/many.csv", format!("user,Language\nagent000,{}\n", "German 3;".repeat(5_000)))
            .await;
        assert_eq!((many.counts()["duplicate"], many.counts()["added"]), (4_999, 1));
        let windows = b"user;Language: German;Stra\xdfe\nagent000;4;M\xfcnchen\n";
        let windows = world.drop_file("incoming/western.csv", windows).await;
        assert_eq!(windows.statuses(), ["updated"]);
        let utf16: Vec<u8> = "\u{feff}user\tGerman".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(code(&world.drop_file("incoming/utf16.csv", utf16).await), ("rejected", "no_rows"));
    });
}

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
fn what_a_heading_means_is_kept_for_all_deliveries_of_an_import() {
    run(async {
        let mut world = World::built(
            Emulator::builder(centre(40)).quotas(Quotas::all(5.0, 1)),
            &[("REQUESTS_PER_SECOND", "5"), ("REQUEST_BURST", "1")],
        );
        let rows: String = (0..40).map(|n| format!("agent{n:03},3,S01 2\n")).collect();
        let event = world.dropped("incoming/team.csv", format!("user,German,Site\n{rows}"));
        let life = tokio::time::timeout(Duration::from_secs(6), world.invoke(event.clone())).await;
        assert!(life.is_err(), "it is killed half-way");
        world.restart();
        // Meanwhile another attribute has such a value.
        world.emulator.instance(|instance| {
            instance.add_attribute("Nation", vec!["German".to_owned()]);
        });
        let report = world.import(event).await;
        assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 80));
        assert_eq!(report.summary["deliveries"], 2);
        assert_eq!(report.summary["calls"]["SearchPredefinedAttributes"]["attempts"], 3, "headings are asked once");
    });
}

#[test]
fn an_instance_that_cannot_be_asked_ends_a_sheet_with_its_reason() {
    run(async {
        let world = World::new(centre(1));
        let denied = Rule::new(Fault::AccessDenied).on(Operation::SearchPredefinedAttributes);
        world.emulator.set_faults(Faults::none().rule(denied));
        let report = world.drop_file("incoming/team.csv", "user,German\nagent000,3\n").await;
        assert_eq!(code(&report), ("failed", "AccessDeniedException"));
        assert!(report.results.is_none() && message(&report).contains("SearchPredefinedAttributes"));
    });
}

#[test]
fn what_is_to_be_mended_and_was_not_takes_nothing_away() {
    run(async {
        for sheet in [
            // Torn in two, contradicted, too long: what the rows to mend leave out must not pass for what is not to be there.
            "user,Product: P00,Product: P01,Language: German,Team\nagent000,3,\n",
            "user,Product: P00,Product: P01,Team\nagent000,3,1\n",
            "user,German,Language: German,Product: P00\nagent000,3,-,3\n",
            "user,Product: P00,Product: P01\nagent000,3,2,5,1\n",
            "user,Product: P00,Product\nagent000,3,P01\n",
        ] {
            let world = World::new(full());
            let before = world.held(0);
            let settings = json!({"mode": "replace", "max_removals_percent": 100, "max_invalid_percent": 100});
            let request = |name: &str| {
                let mut request = settings.clone();
                request["source"] = format!("s3://imports/lists/{name}").into();
                request["import_id"] = name.into();
                request
            };
            world.s3.put("imports", "lists/a.csv", sheet);
            let report = world.import(request("a.csv")).await;
            assert_eq!(report.status(), "completed_with_errors", "{sheet}");
            world.s3.put("imports", "lists/retry.csv", report.retry.unwrap());
            let again = world.import(request("retry.csv")).await;
            assert!(again.summary["rows"]["invalid"].as_u64() > Some(0), "{sheet}: {:?}", again.rows());
            assert_eq!(again.summary["implied_removals"], 0, "{sheet}: {:?}", again.rows());
            assert!(before.iter().all(|held| world.held(0).iter().any(|now| now[..11] == held[..11])), "{sheet}");
        }
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
