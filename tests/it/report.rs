//! The report: every row once, in a form that people and programs read, and that can be dropped back in.

use std::time::Duration;

use connect_emulator::{Emulator, Quotas};
use expect_test::expect;
use serde_json::Value;

use crate::world::{BUCKET, World, instance, proficiencies};

#[tokio::test(start_paused = true)]
async fn a_report_has_the_files_own_columns_and_four_more() {
    let world = World::new(instance(3));
    let csv = "Team;User;Attribute;Value;Level;import_status;Note\n\
               =1+1;agent000;Language;German;3;old;\"a;b\"\n\
               't Hooft;agent001;Language;Germn;3;old;-5\n\
               +49 30 1;agent002;Language;German;3;old;\"two\nlines\"\n";
    let report = world.drop_file("incoming/berlin.csv", csv).await;
    expect![[r#"
        Team;User;Attribute;Value;Level;Note;import_line;import_status;import_code;import_message
        '=1+1;agent000;Language;German;3;"a;b";2;added;;
        't Hooft;agent001;Language;Germn;3;-5;3;invalid;unknown_value;"The attribute 'Language' has no value 'Germn'; did you mean 'German'?"
        +49 30 1;agent002;Language;German;3;"two
        lines";4;added;;
    "#]]
    .assert_eq(report.results.as_deref().unwrap().strip_prefix('\u{feff}').unwrap());
    expect![[r#"
        Team;User;Attribute;Value;Level;Note;import_line;import_status;import_code;import_message
        't Hooft;agent001;Language;Germn;3;-5;3;invalid;unknown_value;"The attribute 'Language' has no value 'Germn'; did you mean 'German'?"
    "#]]
    .assert_eq(report.retry.as_deref().unwrap().strip_prefix('\u{feff}').unwrap());

    let again = world.drop_file("incoming/again.csv", report.results.unwrap()).await;
    assert_eq!(again.statuses(), ["unchanged", "invalid", "unchanged"], "a report can be dropped back in");
    let mended = world.drop_file("incoming/mended.csv", report.retry.unwrap().replace("Germn", "German")).await;
    assert_eq!((mended.statuses(), mended.retry), (vec!["added".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn the_summary_has_what_was_promised_and_nothing_else() {
    let world = World::new(instance(3));
    let csv =
        "user,attribute,value,level\nagent000,Language,German,3\nagent001,Language,Germn,3\nnobody,Language,German,3\n";
    let mut summary = world.drop_file("incoming/a.csv", csv).await.summary;
    for (member, shape) in [("import_id", 25), ("version", 0), ("started_at", 20), ("finished_at", 20)] {
        let text = summary[member].as_str().unwrap();
        assert!(text.len() >= shape, "{member}: {text}");
        summary[member] = Value::from("...");
    }
    expect![[r#"
        {
          "calls": {
            "AssociateUserProficiencies": {
              "attempts": 1,
              "throttled": 0,
              "waited_seconds": 0.0
            },
            "DescribePredefinedAttribute": {
              "attempts": 1,
              "throttled": 0,
              "waited_seconds": 0.0
            },
            "ListUserProficiencies": {
              "attempts": 1,
              "throttled": 0,
              "waited_seconds": 0.0
            },
            "ListUsers": {
              "attempts": 1,
              "throttled": 0,
              "waited_seconds": 0.0
            },
            "SearchPredefinedAttributes": {
              "attempts": 1,
              "throttled": 0,
              "waited_seconds": 0.0
            }
          },
          "causes": [
            {
              "code": "unknown_value",
              "lines": [
                3
              ],
              "message": "The attribute 'Language' has no value 'Germn'; did you mean 'German'?",
              "rows": 1
            },
            {
              "code": "unknown_user",
              "lines": [
                4
              ],
              "message": "There is no user 'nobody'.",
              "rows": 1
            }
          ],
          "code": null,
          "columns": {
            "carried": [],
            "used": [
              "user",
              "attribute",
              "value",
              "level"
            ]
          },
          "deliveries": 1,
          "dry_run": false,
          "finished_at": "...",
          "implied_removals": 0,
          "import_id": "...",
          "kind": "proficiencies",
          "message": null,
          "mode": "merge",
          "quotas": {
            "AssociateUserProficiencies": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "DescribePredefinedAttribute": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "DescribeUser": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "DisassociateUserProficiencies": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "ListUserProficiencies": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "ListUsers": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "SearchPredefinedAttributes": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "UpdateUserConfig": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            },
            "UpdateUserProficiencies": {
              "burst": 5,
              "from": "setting",
              "rate": 1000.0
            }
          },
          "removals_withheld": 0,
          "rows": {
            "added": 1,
            "duplicate": 0,
            "failed": 0,
            "invalid": 2,
            "kept": 0,
            "pending": 0,
            "removed": 0,
            "total": 3,
            "unchanged": 0,
            "updated": 0,
            "would_add": 0,
            "would_remove": 0,
            "would_update": 0
          },
          "source": "s3://imports/incoming/a.csv",
          "started_at": "...",
          "status": "completed_with_errors",
          "users": {
            "changed": 1,
            "total": 3,
            "unchanged": 0,
            "with_errors": 2
          },
          "version": "..."
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&summary).unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_summary_is_renewed_while_the_import_runs() {
    let world = World::built(Emulator::builder(instance(300)).quotas(Quotas::all(2.0, 5)), &[]);
    let rows: String = (0..300).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/a.csv", format!("user,attribute,value,level\n{rows}"));
    let watch = async {
        let mut seen = Vec::new();
        loop {
            tokio::time::sleep(Duration::from_secs(35)).await;
            let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("summary.json")).unwrap();
            let summary: Value = serde_json::from_slice(&world.s3.get(BUCKET, &key).unwrap()).unwrap();
            seen.push((summary["status"].as_str().unwrap().to_owned(), summary["rows"]["added"].as_u64().unwrap()));
            if seen.len() == 4 {
                return seen;
            }
        }
    };
    let (answer, seen) = tokio::join!(world.invoke(event), watch);
    assert!(seen.iter().all(|(status, _)| status == "in_progress"), "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0].1 < pair[1].1), "{seen:?}");
    assert_eq!(world.report(&answer.unwrap()["imports"][0]).status(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_large_report_goes_up_in_parts_and_none_is_left_behind() {
    let world = World::new(instance(1));
    world.s3.set_chunk_size(100_000);
    let note = "x".repeat(200);
    let rows: String = (0..60_000).map(|n| format!("unknown{n},Language,German,3,{note}\n")).collect();
    let csv = format!("user,attribute,value,level,note\nagent000,Language,German,3,\n{rows}");
    let report = world.drop_file("incoming/large.csv", csv).await;
    assert_eq!((report.counts()["invalid"], report.counts()["pending"]), (60_000, 1));
    let parts = world.s3.calls().into_iter().filter(|(operation, _)| operation == "UploadPart").count();
    assert!(parts >= 4, "{parts}");
    assert!(world.s3.open_uploads(BUCKET).is_empty());
    for (nth, row) in report.rows().iter().enumerate() {
        assert_eq!(row[0], (nth + 2).to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_write_the_same_bytes() {
    let run = async || {
        let world = World::new(instance(40));
        let rows: String =
            (0..60).rev().map(|n| format!("agent{:03},Language,German,{}\n", n * 7 % 50, n % 7)).collect();
        world.drop_file("incoming/a.csv", format!("user,attribute,value,level\n{rows}")).await.results.unwrap()
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn the_summary_says_why_rows_are_not_as_the_file_says() {
    let world = World::new(instance(9));
    let mut rows = String::from("agent000,Language,German,3\nagent001,Product,P01,3\nagent001,Product,P01,4\n");
    for n in 0..4 {
        rows += &format!("agent00{n},Language,Germann,3\nnobody{n},Language,German,3\nagent00{n},Language,,1\n");
    }
    let report = world.drop_file("incoming/a.csv", proficiencies(rows)).await;
    expect![[r#"
        4 [5,8,11] unknown_value: The attribute 'Language' has no value 'Germann'; did you mean 'German'?
        4 [6,9,12] unknown_user: There is no user 'nobody0'. There is no user 'nobody1'. There is no user 'nobody2'. retry.csv has the others.
        4 [7,10,13] missing_field: These cells are empty: value.
        2 [3,4] conflicting_rows: Contradicts another line: same user, attribute and value, another level. None of them was done: keep one.
        1 [2] too_many_invalid: 14 of 15 rows are invalid, more than 50 percent, so nothing was written. Correct them. To do the others all the same, import the file as a dry run and upload the plan.csv of its report, or import the file with a new request that has "max_invalid_percent": 100."#]]
    .assert_eq(&causes(&report.summary));

    // Where the file is the whole truth, what else is said of a user's rows makes no causes of their own.
    let rows = "agent002,Language,Germann,3\nagent003,Language,Germann,3\nagent003,Product,P02,3\n";
    let report = world.drop_file("incoming/mode=replace/a.csv", proficiencies(rows)).await;
    assert!(report.rows()[0][3].ends_with("so what the file does not name was not removed."));
    let expected = "2 [2,3] unknown_value: The attribute 'Language' has no value 'Germann'; did you mean 'German'?";
    assert_eq!(causes(&report.summary), expected);
}

/// Causes as lines.
fn causes(summary: &Value) -> String {
    let shown = |cause: &Value| {
        let (code, message) = (cause["code"].as_str().unwrap(), cause["message"].as_str().unwrap());
        format!("{} {} {code}: {message}", cause["rows"], cause["lines"])
    };
    summary["causes"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>().join("\n")
}
