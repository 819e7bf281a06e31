//! `report.html`: there from the beginning, renewed while the import runs, small and harmless whatever the rows hold. How it looks in
//! a browser is tested in `tests/page`.

use std::time::Duration;

use connect_emulator::{Emulator, Quotas};
use serde_json::Value;
use tokio::time::sleep;

use crate::world::{BUCKET, Report, World, instance, proficiencies};

fn page(world: &World, report: &Report) -> String {
    let bytes = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The page without its marks, each text on a line.
fn text(page: &str) -> Vec<String> {
    let body = page.split_once("<body>").unwrap().1;
    let texts = body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text).trim());
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn the_page_says_what_the_summary_says() {
    let world = World::new(instance(9));
    let mut rows = String::from("agent000,Language,German,3\nagent001,Product,P01,3\n");
    for n in 0..4 {
        rows += &format!("agent00{n},Language,Germann,3\n");
    }
    let report = world.drop_file("incoming/team/agents.csv", proficiencies(rows)).await;
    let text = text(&page(&world, &report)).join("\n");
    for said in [
        "s3://imports/incoming/team/agents.csv",
        "Done, but 4 of 6 rows were not applied.",
        "What to do next:\nCorrect the rows in retry.csv, and upload it to s3://imports/incoming/.",
        "6 rows: 2 added, 4 invalid.",
        "4 rows (lines 4, 5, 6, ...)\nThe attribute &#39;Language&#39; has no value &#39;Germann&#39;; did you mean &#39;German&#39;?",
        "Line 7\n(invalid):\nuser\n:&nbsp;\nagent003\n,\nattribute\n:&nbsp;\nLanguage",
        "All of them (4); retry.csv has them, too. Lines are those of the file that was imported",
        "none\n2\n0",
        "3\n0\n2",
        report.summary["import_id"].as_str().unwrap(),
        "retry.csv\nthe rows that were not applied",
    ] {
        assert!(text.contains(said), "{said:?} is missing in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_while_it_runs_sees_how_far_it_is() {
    let world = World::built(Emulator::builder(instance(300)).quotas(Quotas::all(2.0, 5)), &[]);
    let rows: String = (0..300).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/a.csv", proficiencies(format!("{rows}agent000,Language,Germann,3\n")));
    let find = || {
        let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/report.html"))?;
        Some(text(std::str::from_utf8(&world.s3.get(BUCKET, &key).unwrap()).unwrap()).join("\n"))
    };
    let look = async {
        sleep(Duration::from_millis(100)).await;
        let begun = find().expect("it is there from the beginning");
        assert!(begun.contains("The import is under way.\nThe file is being read."), "{begun}");
        sleep(Duration::from_secs(65)).await;
        let running = find().unwrap();
        assert!(running.contains(" of 300 users are done. It will probably be over in about "), "{running}");
        assert!(running.contains("; reload for newer.") && running.contains("What to do next:\nWait"), "{running}");
        assert!(running.contains("1 row (line 302)\nThe attribute has no such value."), "{running}");
        assert!(running.contains("ListUserProficiencies\n: "), "{running}");
    };
    let (answer, ()) = tokio::join!(world.invoke(event), look);
    let report = world.report(&answer.unwrap()["imports"][0]);
    assert!(!text(&page(&world, &report)).join("\n").contains("reload for newer"));
}

#[tokio::test(start_paused = true)]
async fn calls_are_told_of_all_deliveries() {
    let mut world = World::built(Emulator::builder(instance(200)).quotas(Quotas::all(2.0, 5)), &[]);
    let rows: String = (0..200).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/a.csv", proficiencies(rows));
    let report = world.import_killed(event, &[Duration::from_secs(40), Duration::from_secs(35)]).await;
    let page = page(&world, &report);
    let words = page.split_once("<strong>ListUserProficiencies</strong>: ").unwrap().1;
    // By the wall clock, which stands still in this test, the three lives lie one over the other.
    let most = words.split_once(", in the fullest bar ").unwrap().1.split_once(" a second").unwrap().0;
    assert!(words.starts_with("200 calls") && most.parse::<f64>().unwrap() > 5.0, "{most}");
}

#[tokio::test(start_paused = true)]
async fn the_page_of_any_number_of_bad_rows_is_small_and_harmless() {
    let world = World::new(instance(3));
    let hostile =
        ["<script>alert(1)</script>", "]]>", "\u{202e}gnp", "=cmd()", "\" onload=\"x", "</bdi></main>", "&lt;"];
    let long = "<&\"'>".repeat(6_000);
    let row = |n: usize| format!("nobody{n}{},\"{}\",\"{}\",3\n", hostile[n % 7].replace('"', ""), &long[..90], n % 7);
    let rows: String = (0..3_000).map(row).collect();
    let report =
        world.drop_file("incoming/</title><script>.csv", proficiencies(format!("{rows}x,\"{long}\",y,3\n"))).await;
    let page = page(&world, &report);
    assert!((256 * 1024..=512 * 1024).contains(&page.len()), "it tells as many as fit: {}", page.len());
    assert!(page.contains(" of 3,001; all are in retry.csv."));
    assert_eq!(page.matches("</main>").count(), 1);
    assert!(
        page.contains("&#60;script&#62;alert(1)&#60;/script&#62;")
            || page.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
    );
    assert!(page.contains("There is no user"));
}

#[tokio::test(start_paused = true)]
async fn objects_have_their_media_types() {
    let world = World::new(instance(3));
    let report = world
        .drop_file("incoming/a.csv", proficiencies("agent000,Language,German,3\nnobody,Language,German,3\n"))
        .await;
    for (name, media_type) in [
        ("results.csv", "text/csv; charset=utf-8"),
        ("retry.csv", "text/csv; charset=utf-8"),
        ("undo.csv", "text/csv; charset=utf-8"),
        ("summary.json", "application/json"),
        ("report.html", "text/html; charset=utf-8"),
    ] {
        let key = format!("{}{name}", report.folder);
        assert_eq!(world.s3.media_type(BUCKET, &key).as_deref(), Some(media_type), "{name}");
    }
    // In parts, too.
    let rows: String = (0..60_000).map(|n| format!("unknown{n},Language,German,3,{}\n", "x".repeat(200))).collect();
    let report = world.drop_file("incoming/large.csv", format!("user,attribute,value,level,note\n{rows}")).await;
    let key = format!("{}results.csv", report.folder);
    assert_eq!(world.s3.media_type(BUCKET, &key).as_deref(), Some("text/csv; charset=utf-8"));
}

/// A delivery that is late must not write over the page of a newer one.
#[tokio::test(start_paused = true)]
async fn an_older_delivery_leaves_the_page_of_a_newer_one() {
    let (old, emulator) = {
        let emulator = Emulator::builder(instance(60)).quotas(Quotas::all(2.0, 5)).build();
        let s3 = import_testkit::MemoryS3::new().with_bucket(BUCKET, import_testkit::Versioning::Enabled);
        (World::beside(&emulator, &s3, &[]), emulator)
    };
    let new = World::beside(&emulator, &old.s3, &[]);
    let rows: String = (0..60).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = old.dropped("incoming/a.csv", proficiencies(rows));
    let begins_later = async {
        sleep(Duration::from_secs(5)).await;
        new.invoke(event.clone()).await
    };
    let (_, answer) = tokio::join!(old.invoke(event.clone()), begins_later);
    let answer: Value = answer.unwrap();
    let report = new.report(&answer["imports"][0]);
    assert_eq!(report.summary["deliveries"], 2);
    assert!(page(&new, &report).contains("<meta name=\"deliveries\" content=\"2\">"));
}

/// What undoes a replacement has a column `action`: below `mode=replace/` it would be rejected.
#[tokio::test(start_paused = true)]
async fn each_file_is_to_be_uploaded_where_it_does_what_it_is_for() {
    let world = World::new(instance(9));
    let replaced = world.drop_file("incoming/mode=replace/a.csv", proficiencies("agent000,Language,German,3\n")).await;
    let next = "There is nothing to do. To undo what was done, upload undo.csv to s3://imports/incoming/.";
    assert!(text(&page(&world, &replaced)).join("\n").contains(next));
    let undone = world.drop_file("incoming/undo.csv", replaced.undo.unwrap()).await;
    assert_eq!(undone.status(), "succeeded");
    let rows = "agent000,Language,German,4\nagent000,Language,Germann,3\n";
    let wrong = world.drop_file("incoming/mode=replace/b.csv", proficiencies(rows)).await;
    let next = "Correct the rows in retry.csv, and upload it to s3://imports/incoming/mode=replace/.";
    assert!(text(&page(&world, &wrong)).join("\n").contains(next));
    let planned = world.drop_file("incoming/mode=replace/dry-run=true/b.csv", proficiencies(rows)).await;
    let next = "Correct the rows in your file, and upload it to s3://imports/incoming/dry-run=true/mode=replace/. Or upload \
                plan.csv to s3://imports/incoming/: it does what can be done.";
    assert!(!text(&page(&world, &planned)).join("\n").contains(next), "nothing can be done");
    let rows = "agent000,Language,German,5\nagent001,Language,Germann,3\n";
    let planned = world.drop_file("incoming/mode=replace/dry-run=true/b.csv", proficiencies(rows)).await;
    assert!(text(&page(&world, &planned)).join("\n").contains(next));
    let planned = world.drop_file("incoming/dry-run=true/b.csv", proficiencies("agent000,Language,German,5\n")).await;
    let next = "To do all of it, upload plan.csv to s3://imports/incoming/.";
    assert!(text(&page(&world, &planned)).join("\n").contains(next));
}

#[tokio::test(start_paused = true)]
async fn before_the_first_write_of_a_replacement_users_are_only_looked_at() {
    let world = World::built(Emulator::builder(instance(200)).quotas(Quotas::all(2.0, 5)), &[]);
    let rows: String = (0..200).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/mode=replace/a.csv", proficiencies(rows));
    let look = async {
        sleep(Duration::from_secs(65)).await;
        let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/report.html")).unwrap();
        let looking = text(std::str::from_utf8(&world.s3.get(BUCKET, &key).unwrap()).unwrap()).join("\n");
        assert!(looking.contains(" of 200 users were looked at. Nothing is written before all were."), "{looking}");
    };
    tokio::join!(world.invoke(event), look).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_replacement_removed_is_told_by_name_and_counts_among_the_levels() {
    let world = World::new(instance(1));
    world.drop_file("incoming/a.csv", proficiencies("agent000,Product,P01,4\n")).await;
    let report = world.drop_file("incoming/mode=replace/a.csv", proficiencies("agent000,Language,German,3\n")).await;
    let text = text(&page(&world, &report)).join("\n");
    for said in [
        "Removed, because the file does not name it: 1 proficiency.",
        "agent000\n,\nProduct\n,\nP01\n,\n4",
        "All of them (1); removed.csv has them, too.",
        "none\n1\n1",
        "3\n0\n1",
        "4\n1\n0",
    ] {
        assert!(text.contains(said), "{said:?} is missing in\n{text}");
    }
    assert_eq!(report.summary["implied_removals"], 1);
}
