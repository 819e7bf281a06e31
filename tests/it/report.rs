//! The report: every row once, in a form that people and programs read, and that can be dropped back in.

use std::time::Duration;

use connect_emulator::{Emulator, Quotas};
use expect_test::expect;
use serde_json::Value;

use crate::world::{BUCKET, World, instance};

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
          "rows": {
            "added": 1,
            "duplicate": 0,
            "failed": 0,
            "invalid": 2,
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
