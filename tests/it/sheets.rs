//! Sheets: a row for each user, a column for each skill.

use connect_emulator::{Instance, Operation};
use serde_json::json;

use crate::world::{Report, World, instance, run, user_id};

/// The usual centre, and attributes that make headings hard.
pub fn centre(n_users: usize) -> Instance {
    instance(n_users)
        .with_attribute("Tier", ["Tier 2", "Gold", "Sales; EMEA"])
        .with_attribute("Queue", ["Gold", "Billing"])
        .with_attribute("Customer Care", ["Team: Blue", "Refunds"])
}

/// Each row of a report: line, column, user, attribute, value, level, status, code.
pub fn told(report: &Report) -> Vec<String> {
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

pub fn code(report: &Report) -> (&str, &str) {
    (report.status(), report.summary["code"].as_str().unwrap_or_default())
}

pub fn message(report: &Report) -> &str {
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
pub fn full() -> Instance {
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
fn names_that_a_spreadsheet_would_run_are_those_of_the_instance() {
    run(async {
        let world = World::new(instance(1).with_attribute("Odd", ["'=y", "=x", "-1 day", "'t Hooft"]));
        let csv = "user,Odd: '=y,Odd: =x,Odd\nagent000,1,2,'-1 day 3; 't Hooft 4\n";
        let report = world.drop_file("incoming/odd.csv", csv).await;
        assert_eq!(report.statuses(), ["added"; 4], "{:?}", report.rows());
        assert_eq!(world.held(0), ["Odd='=y:1", "Odd='t Hooft:4", "Odd=-1 day:3", "Odd==x:2"]);
        let list = world.drop_file("incoming/list.csv", "user,Odd\nagent000,''=y 5; =x 1\n").await;
        assert_eq!(list.statuses(), ["updated"; 2], "{:?}", list.rows());
    });
}
