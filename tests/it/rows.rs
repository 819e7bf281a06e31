//! What becomes of rows: good ones land, bad ones say why, and no call is made that need not be.

use connect_emulator::switches::FractionalLevels;
use connect_emulator::{Emulator, Quotas, Switches};
use expect_test::expect;

use crate::world::{World, instance, user_id};

#[tokio::test(start_paused = true)]
async fn rows_of_every_kind_between_good_ones() {
    let mut centre = instance(12);
    centre.add_user(user_id(12), "JDoe", [("Language", "German", 2.0), ("Language", "French", 4.0)]);
    let held: Vec<_> = (0..10).map(|n| ("Product".to_owned(), format!("P{n:02}"), 1.0)).collect();
    centre.add_user(user_id(13), "full", held);
    let world = World::new(centre);
    let id = user_id(3);
    let arn = format!("arn:aws:connect:eu-central-1:1:instance/{}/agent/{}", crate::world::INSTANCE, user_id(4));
    let csv = format!(
        "Agent;Skill;Attribute Value;Level;Team;action\n\
         agent000;Language;German;3;blue;\n\
         agent001;language;german;4;;set\n\
         ;Language;German;3;nobody;\n\
         agent002;Language;English;6;;\n\
         agent002;Language;French;5;\"a; \"\"quoted\"\"\nteam\";\n\
         \n\
         jdoe;Language;German;3;;\n\
         JDoe;Language;German;5;;\n\
         JDoe;Language;French;4;;\n\
         {id};Language;Spanish;1;;\n\
         {arn};Language;Spanish;1;;\n\
         agent005;Sprache;Deutsch;1;;\n\
         agent005;Language;Germn;1;;\n\
         agent005;Language;German;1;;\n\
         agent006;Language;German;1;;\n\
         agent006;Language;German;1;again;\n\
         agent007;Language;German;1;;\n\
         agent007;language;GERMAN;2;;\n\
         agent007;Language;English;2;;\n\
         agent008;Language;German\n\
         agent008;Language;German;2;;;extra\n\
         agent008;Language;German;2;;;\n\
         full;Product;P00;1;;remove\n\
         full;Product;P19;1;;remove\n\
         full;Language;German;1;;\n\
         full;Language;English;1;;\n\
         full;Product;P01;5;;\n\
         agent009;connect:Language;connect:French;2;;\n\
         agent010;Language;German;;;remove\n\
         agent010;Language;German;3;;delete\n\
         =cmd();Language;German;3;;\n\
         agent011;Language;German;3.0;;"
    );
    let report = world.drop_file("incoming/all.csv", &csv).await;
    let said: Vec<String> = report.rows().iter().map(|row| row.join(" | ")).collect();
    expect![[r#"
        2 | added |  | 
        3 | added |  | 
        4 | invalid | missing_field | These cells are empty: user.
        5 | invalid | invalid_level | The level '6' is not 1, 2, 3, 4 or 5.
        6 | added |  | 
        9 | invalid | unknown_user | There is no user 'jdoe'; did you mean 'JDoe'?
        10 | updated |  | level 2 -> 5
        11 | unchanged |  | 
        12 | added |  | 
        13 | added |  | 
        14 | invalid | unknown_attribute | There is no predefined attribute 'Sprache' in this instance.
        15 | invalid | unknown_value | The attribute 'Language' has no value 'Germn'; did you mean 'German'?
        16 | added |  | 
        17 | added |  | 
        18 | duplicate | duplicate_row | Duplicate of line 17.
        19 | invalid | conflicting_rows | Contradicts line 20: same user, attribute and value, another level. Keep one of the two.
        20 | invalid | conflicting_rows | Contradicts line 19: same user, attribute and value, another level. Keep one of the two.
        21 | added |  | 
        22 | invalid | missing_field | These cells are empty: level. The row has 3 cells and the header 6. Is a delimiter missing?
        23 | invalid | wrong_cell_count | The row has 7 cells and the header 6. Is a delimiter missing, or one too many?
        24 | added |  | 
        25 | removed |  | 
        26 | unchanged |  | 
        27 | invalid | too_many_proficiencies | The user would have 11 proficiencies, more than the 10 that are allowed. Remove some first, or raise the quota in Amazon Connect and MAX_PROFICIENCIES_PER_USER here.
        28 | invalid | too_many_proficiencies | The user would have 11 proficiencies, more than the 10 that are allowed. Remove some first, or raise the quota in Amazon Connect and MAX_PROFICIENCIES_PER_USER here.
        29 | updated |  | level 1 -> 5
        30 | added |  | 
        31 | unchanged |  | 
        32 | invalid | invalid_action | The action 'delete' is neither 'set' nor 'remove'.
        33 | invalid | unknown_user | There is no user '=cmd()'.
        34 | added |  | "#]]
    .assert_eq(&said.join("\n"));
    assert_eq!(report.status(), "completed_with_errors");
    report.counts();
    assert_eq!(world.held(0), ["Language=German:3"]);
    assert_eq!(world.held(12), ["Language=French:4", "Language=German:5"]);
    assert_eq!(world.held(7), ["Language=English:2"]);
    assert_eq!(world.held(13).len(), 9);

    let retry = report.retry.as_deref().unwrap();
    assert_eq!(crate::world::rows_of(retry).len(), 13);
    assert!(retry.contains("'=cmd();Language;German"), "a formula is not run by whoever opens the report");
    assert!(report.results.unwrap().contains("\"a; \"\"quoted\"\"\nteam\""), "other columns are carried through");
}

#[tokio::test(start_paused = true)]
async fn calls_are_the_fewest_that_will_do() {
    let mut centre = instance(3);
    centre.add_user(user_id(9), "right", [("Language", "German", 3.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,level\n\
               right,Language,German,3\n\
               agent000,Language,German,1\nagent000,Language,French,2\nagent000,Product,P01,3\n\
               agent001,Language,German,1\n";
    world.drop_file("incoming/a.csv", csv).await;
    let calls = |world: &World| {
        let calls = world.calls().into_iter().map(|(operation, n)| format!("{operation} {n}"));
        calls.collect::<Vec<_>>().join(", ")
    };
    expect!["AssociateUserProficiencies 2, ListUserProficiencies 3, ListUsers 1, SearchPredefinedAttributes 1"]
        .assert_eq(&calls(&world));

    world.emulator.reset_stats();
    let changed = csv.replace(",1\n", ",4\n").replace(",2\n", ",5\n");
    world.drop_file("incoming/b.csv", changed).await;
    expect!["ListUserProficiencies 3, ListUsers 1, SearchPredefinedAttributes 1, UpdateUserProficiencies 2"]
        .assert_eq(&calls(&world));
}

#[tokio::test(start_paused = true)]
async fn the_directory_is_not_asked_where_the_file_holds_ids_only() {
    let world = World::new(instance(2));
    let csv = format!(
        "user,attribute,value,level\n{},Language,German,3\n{},Language,German,3\n",
        user_id(0),
        user_id(1).to_uppercase()
    );
    let report = world.drop_file("incoming/ids.csv", csv).await;
    assert_eq!(report.status(), "succeeded");
    assert_eq!(world.calls().get("ListUsers"), None);
    assert_eq!(world.held(1), ["Language=German:3"]);
}

#[tokio::test(start_paused = true)]
async fn an_attribute_that_the_search_does_not_show_yet_is_asked_for() {
    let switches = Switches { search_lag: vec!["Language".into()], ..Switches::default() };
    let emulator = Emulator::builder(instance(1)).switches(switches).quotas(Quotas::unlimited());
    let world = World::built(emulator, &[]);
    let report = world.drop_file("incoming/a.csv", "user,attribute,value,level\nagent000,Language,German,3\n").await;
    assert_eq!(report.statuses(), ["added"]);
    assert_eq!(world.calls()["DescribePredefinedAttribute"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let mut centre = instance(1);
    centre.add_user(user_id(9), "held", [("Language", "German", 2.0), ("Language", "French", 2.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,level,action\nagent000,Language,German,3,\nheld,Language,German,4,\nheld,Language,French,,remove\nheld,Language,English,,remove\n";
    let report = world.drop_file("incoming/dry-run=true/a.csv", csv).await;
    assert_eq!(report.statuses(), ["would_add", "would_update", "would_remove", "unchanged"]);
    assert_eq!(report.rows()[1][3], "level 2 -> 4");
    assert_eq!(report.summary["dry_run"], true);
    assert!(world.calls().keys().all(|operation| operation.starts_with("List") || operation.starts_with("Search")));
    report.counts();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_mostly_wrong_is_rejected_before_any_write() {
    let world = World::new(instance(20));
    let rows = (0..20).map(|n| format!("agent{n:03},Language,German,{}\n", if n < 11 { 9 } else { 3 }));
    let csv = format!("user,attribute,value,level\n{}", rows.collect::<String>());
    let report = world.drop_file("incoming/wrong.csv", &csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_invalid")));
    assert!(report.summary["message"].as_str().unwrap().contains("11 of 20"));
    assert_eq!(report.counts()["pending"], 9);
    assert_eq!(world.calls().get("ListUserProficiencies"), None);

    let source = "s3://imports/incoming/wrong.csv";
    let request = serde_json::json!({"source": source, "max_invalid_percent": 100});
    let answer = world.invoke(request).await.unwrap();
    assert_eq!(world.report(&answer["imports"][0]).counts()["added"], 9);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_table_is_rejected_with_a_report() {
    let world = World::new(instance(1));
    for (csv, code, has_results) in [
        ("", "empty_file", false),
        ("PK\u{3}\u{4}....\n", "not_csv", false),
        ("name,attribute,value,level\n", "missing_column", false),
        ("user,attribute,value,level\n", "no_rows", true),
        (
            "user,attribute,value,level\nagent000,Language,German,3\nagent000,\"Language,French,3\nx,y,z,1\n",
            "unclosed_quote",
            true,
        ),
    ] {
        let report = world.drop_file("incoming/not a table.csv", csv).await;
        assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some(code)), "{csv}");
        assert_eq!(report.results.is_some(), has_results, "{csv}");
        assert!(report.summary["message"].as_str().unwrap().len() > 20);
    }
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_file_of_invalid_rows_only_is_mostly_wrong_too() {
    let world = World::new(instance(1));
    let report = world
        .drop_file(
            "incoming/a.csv",
            format!("user,attribute,value,level\n{}", "agent000,Language,German,9\n".repeat(10)),
        )
        .await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_invalid")));
}

#[tokio::test(start_paused = true)]
async fn a_report_is_the_same_however_the_file_comes() {
    let rows: String =
        (0..50).map(|n| format!("agent{n:03},Language,German,{}\n", if n == 30 { "\0" } else { "3" })).collect();
    let csv = format!("user,attribute,value,level\n{rows}");
    let mut reports = Vec::new();
    for size in [7, 100, 1_000_000] {
        let world = World::new(instance(50));
        world.s3.set_chunk_size(size);
        let report = world.drop_file("incoming/a.csv", &csv).await;
        assert_eq!((report.counts()["added"], report.counts()["invalid"]), (49, 1), "in pieces of {size}");
        reports.push(report.results);
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn a_bad_option_in_the_key_rejects_the_import() {
    let world = World::new(instance(1));
    let report = world
        .drop_file("incoming/mode=replcae/a.csv", "user,attribute,value,level\nagent000,Language,German,3\n")
        .await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("invalid_option")));
    assert_eq!(report.statuses(), ["pending"]);
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_meant_for_an_option_rejects_the_import() {
    let world = World::new(instance(1));
    let csv = "user,attribute,value,level\nagent000,Language,German,3\n";
    for (folder, written) in [
        ("dryrun=true", "'dry-run=true'"),
        ("dry-run", "'dry-run=true'"),
        ("Dry Run=true", "'dry-run=true'"),
        ("modus=replace", "'mode=replace'"),
        ("mode", "'mode=replace'"),
        ("dry-run=true/dry-run=false", "'dry-run=true'"),
    ] {
        let report = world.drop_file(&format!("incoming/{folder}/a.csv"), csv).await;
        let (code, message) = (report.summary["code"].as_str(), report.summary["message"].as_str().unwrap());
        assert_eq!((report.status(), code), ("rejected", Some("invalid_option")), "{folder}");
        assert!(message.contains(written), "{message}");
    }
    assert!(world.calls().is_empty());
    let report = world.drop_file("incoming/modern=art/team=blue/mode=replace.csv", csv).await;
    assert_eq!((report.status(), report.summary["mode"].as_str()), ("succeeded", Some("merge")));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_nearly_named_is_suggested() {
    let mut centre = instance(1).with_attribute("Team", ["Contact\u{a0}Center"]);
    for (n, name) in ["JDoe", "jDoe", "asmith", "1234", "005678"].into_iter().enumerate() {
        centre.add_user(user_id(n + 1), name, Vec::<(String, String, f32)>::new());
    }
    let world = World::new(centre);
    let csv = "user,attribute,value,level\n\
               jdoe,Language,German,3\n\
               CORP\\asmith,Language,German,3\n\
               mailto:asmith@example.com,Language,German,3\n\
               \"Smith, Ann <asmith@example.com>\",Language,German,3\n\
               001234,Language,German,3\n\
               5678,Language,German,3\n\
               \"=\"\"001234\"\"\",Language,German,3\n\
               ａｓｍｉｔｈ,Language,German,3\n\
               agent000,Team,Contact Center,3\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    let said: Vec<_> = report.rows().into_iter().map(|[line, _, _, message]| format!("{line} | {message}")).collect();
    expect![[r#"
        2 | There is no user 'jdoe'; did you mean 'JDoe' or 'jDoe'?
        3 | There is no user 'CORP\asmith'; did you mean 'asmith'?
        4 | There is no user 'mailto:asmith@example.com'; did you mean 'asmith'?
        5 | There is no user 'Smith, Ann <asmith@example.com>'; did you mean 'asmith'?
        6 | There is no user '001234'; did you mean '1234'?
        7 | There is no user '5678'; did you mean '005678'?
        8 | There is no user '="001234"'; did you mean '1234'?
        9 | There is no user 'ａｓｍｉｔｈ'; did you mean 'asmith', with ordinary letters instead of full-width ones?
        10 | The attribute 'Team' has no value 'Contact Center'; did you mean 'Contact~Center', with a no-break space (U+00A0) instead of a space?"#]]
    .assert_eq(&said.join("\n").replace('\u{a0}', "~"));
}

/// Centres whose names nobody would type: they come back from undo.csv all the same.
#[tokio::test(start_paused = true)]
async fn whatever_the_service_held_is_brought_back() {
    let names = ["Billing", "Billing ", "Technical  Support", "Français"];
    let mut centre = instance(0).with_attribute("Team", names);
    let held = [("Team", "Billing", 1.0), ("Team", "Billing ", 2.5), ("Team", "Technical  Support", 3.0)];
    centre.add_user(user_id(0), "jdoe", held);
    let switches = Switches { fractional_levels: FractionalLevels::Accepted, ..Switches::default() };
    let world = World::built(Emulator::builder(centre).quotas(Quotas::unlimited()).switches(switches), &[]);
    let before = world.held(0);
    let csv = "user,attribute,value,level,action\njdoe,Team,Billing,5,\njdoe,Team,\"Billing \",4,\n\
               jdoe,Team,Technical  Support,,remove\njdoe,Team, Fran\u{327}cais ,3,\njdoe,Team,Franc\u{327}ais,3,\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["updated", "updated", "removed", "invalid", "added"]);
    assert_eq!(world.held(0), ["Team=Billing:5", "Team=Billing :4", "Team=Français:3"]);
    let report = world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(report.status(), "succeeded", "{:?}", report.rows());
    assert_eq!(world.held(0), before);
}

#[tokio::test(start_paused = true)]
async fn what_the_catalogue_lacks_is_removed_from_who_has_it() {
    let mut centre = instance(1);
    centre.add_user(user_id(1), "held", [("Old", "value", 3.0), ("Language", "Klingon", 2.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,action\nheld,old,Value,remove\nheld,Language,Klingon,remove\n\
               agent000,Old,value,remove\nheld,Language,Vulcan,remove\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["removed", "removed", "invalid", "invalid"]);
    let codes: Vec<_> = report.rows().into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(codes, ["", "", "unknown_attribute", "unknown_value"]);
    assert!(world.held(1).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_summary_says_which_columns_mean_something() {
    let world = World::new(instance(1));
    let csv = "Team,Agent,skill,value,Level,import_line\nblue,agent000,Language,German,3,9\n";
    let summary = world.drop_file("incoming/a.csv", csv).await.summary;
    let columns = serde_json::json!({"used": ["Agent", "skill", "value", "Level"], "carried": ["Team"]});
    assert_eq!(summary["columns"], columns);
}
