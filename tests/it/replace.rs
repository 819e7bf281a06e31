//! The file as the whole truth for its users, what it would do before it does it, and what keeps it from wiping a centre.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Quotas, Rule, Switches};
use expect_test::expect;
use import_testkit::{MemoryS3, Versioning};
use proptest::prelude::*;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::world::{BUCKET, Report, World, instance, run, user_id, with_products};

const WRITES: [&str; 3] = ["AssociateUserProficiencies", "UpdateUserProficiencies", "DisassociateUserProficiencies"];

/// Users who have ten products each, P00 to P09, at level 3.
fn full_centre(n_users: usize) -> Instance {
    with_products(n_users, 10)
}

/// Ten other products for each.
fn ten_others(n_users: usize) -> String {
    let rows: String = (0..n_users)
        .flat_map(|n| (10..20).map(move |product| format!("agent{n:03},Product,P{product:02},4\n")))
        .collect();
    format!("user,attribute,value,level\n{rows}")
}

fn has_written(world: &World) -> bool {
    WRITES.iter().any(|write| world.calls().contains_key(*write))
}

fn request(key: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut request = json!({"source": format!("s3://{BUCKET}/{key}"), "mode": "replace"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

async fn replaced(world: &World, csv: &str, more: &serde_json::Value) -> Report {
    world.s3.put(BUCKET, "lists/a.csv", csv.to_owned());
    let answer = world.invoke(request("lists/a.csv", more)).await.unwrap();
    world.report(&answer["imports"][0])
}

#[tokio::test(start_paused = true)]
async fn each_user_in_the_file_ends_with_just_what_it_names() {
    let mut centre = instance(3);
    let held = [("Language", "German", 3.0), ("Language", "French", 2.0), ("Product", "P01", 4.0)];
    centre.add_user(user_id(3), "jdoe", held);
    centre.add_user(user_id(4), "asmith", held);
    centre.add_user(user_id(5), "right", [("Language", "German", 5.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,level\njdoe,Language,German,4\njdoe,Product,P02,1\nright,Language,German,5\n";
    let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!(report.statuses(), ["updated", "added", "unchanged"]);
    assert_eq!((report.status(), &report.summary["mode"]), ("succeeded", &"replace".into()));
    assert_eq!(world.held(3), ["Language=German:4", "Product=P02:1"]);
    assert_eq!(world.held(4).len(), 3, "who is not in the file is not touched");
    let reads = world.calls()["ListUserProficiencies"];
    assert_eq!(reads, 3, "who is right already is read once");
    expect![[r#"
        user,attribute,value,level
        jdoe,Language,French,2
        jdoe,Product,P01,4
    "#]]
    .assert_eq(report.removed.as_deref().unwrap());
    assert_eq!(report.summary["implied_removals"], 2);
    assert_eq!(report.summary["users"], json!({"total": 2, "changed": 1, "unchanged": 1, "with_errors": 0}));
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(world.held(3), ["Language=French:2", "Language=German:3", "Product=P01:4"]);
}

#[tokio::test(start_paused = true)]
async fn a_user_of_whom_only_removals_are_wanted_is_changed() {
    let world = World::new(full_centre(1));
    let report = world.drop_file("incoming/mode=replace/a.csv", "user,attribute,value,level\nagent000,Product,P00,3\n");
    let report = report.await;
    assert_eq!((report.statuses(), world.held(0)), (vec!["unchanged".to_owned()], vec!["Product=P00:3".to_owned()]));
    assert_eq!(report.summary["users"]["changed"], 1);
    assert_eq!(report.summary["implied_removals"], 9);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_not_right_removes_nothing() {
    let mut centre = full_centre(5);
    centre.add_user(user_id(5), "Miller", [("Product", "P00", 3.0), ("Product", "P01", 3.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,level\n\
               agent000,Product,P00,6\nagent000,Product,P01,5\n\
               agent001,Product,P0,3\nagent001,Product,P01,3\n\
               agent002,Product,P01,3\nagent002,Product,P01,4\nagent002,Product,P02,4\n\
               00000000-0000-4000-8000-000000000003,Product,P01\nagent003,Product,P02,4\n\
               agent004,Product,P01,4\n\
               miler,Product,P00,3\nMiller,Product,P01,4\n";
    let report = replaced(&world, csv, &json!({"max_removals_percent": 100})).await;
    for n in 0..4 {
        assert_eq!(world.held(n).len(), 10, "agent00{n}");
    }
    assert_eq!(world.held(4), ["Product=P00:3", "Product=P01:4"], "what a misspelled name may name stays with all");
    assert_eq!(world.held(5), ["Product=P00:3", "Product=P01:4"]);
    let rows = report.rows();
    assert_eq!((rows[1][1].as_str(), world.held(0)[1].as_str()), ("updated", "Product=P01:5"));
    let kept = "Not all rows of this user are right, so what the file does not name was not removed.";
    let said: Vec<_> = rows.iter().map(|row| row[3].contains(kept)).collect();
    assert_eq!(said, [true, true, true, true, true, true, true, true, true, false, false, false]);
    let withheld = "Not removed, because a row that cannot be assigned to a user may name it: Product=P00.";
    assert!(rows[9][3].ends_with(withheld) && rows[11][3].ends_with(withheld), "{rows:?}");
    assert_eq!(rows[1][3], format!("level 3 -> 5. {kept}"));
    assert_eq!((&report.summary["implied_removals"], &report.summary["removals_withheld"]), (&json!(8), &json!(2)));
    let retry = report.retry.unwrap();
    let of = |name: &str| retry.lines().filter(|line| line.starts_with(name)).count();
    let retried = ["agent000", "agent001", "agent002", "agent003", "0000", "agent004", "miler", "Miller"].map(of);
    assert_eq!(retried, [2, 2, 3, 1, 1, 1, 1, 1], "all rows, for one cannot be assigned to a user: {retry}");

    let without = csv.replace("miler,Product,P00,3\n", "");
    let report = replaced(&world, &without, &json!({"max_removals_percent": 100, "import_id": "without"})).await;
    assert_eq!((world.held(4), world.held(5)), (vec!["Product=P01:4".to_owned()], vec!["Product=P01:4".to_owned()]));
    let retry = report.retry.unwrap();
    let of = |name: &str| retry.lines().filter(|line| line.starts_with(name)).count();
    let retried = ["agent000", "agent001", "agent002", "agent003", "0000", "agent004", "Miller"].map(of);
    assert_eq!(retried, [2, 2, 3, 1, 1, 0, 0], "all rows of each user of whom one is to be mended: {retry}");
}

#[tokio::test(start_paused = true)]
async fn an_addition_that_the_service_refuses_removes_nothing() {
    let mut centre = instance(0);
    centre.add_user(user_id(0), "agent000", [("Language", "German", 3.0), ("Language", "French", 2.0)]);
    let world = World::new(centre);
    let csv = "user,attribute,value,level\nagent000,Product,P01,4\nagent000,connect:Language,connect:Klingon,1\n";
    let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!(report.statuses(), ["added", "failed"]);
    assert_eq!(world.held(0), ["Language=French:2", "Language=German:3", "Product=P01:4"]);
    assert_eq!((report.removed, &report.summary["implied_removals"]), (None, &0.into()));
}

#[tokio::test(start_paused = true)]
async fn where_the_limit_forced_removals_before_a_refusal_they_come_back_as_far_as_there_is_room() {
    let mut centre = full_centre(1).with_max_proficiencies(10);
    centre.add_user(user_id(1), "other", Vec::<(String, String, f32)>::new());
    let world = World::new(centre);
    let rows: String = (10..13).map(|product| format!("agent000,Product,P{product:02},4\n")).collect();
    let csv = format!("user,attribute,value,level\n{rows}agent000,connect:Language,connect:Klingon,1\n");
    let report = replaced(&world, &csv, &json!({"max_removals_percent": 100})).await;
    assert_eq!(report.counts()["added"], 3);
    let held = world.held(0);
    assert_eq!(held.len(), 10, "three new ones, and as many of the old as fit: {held:?}");
    assert_eq!(report.removed.unwrap().lines().count(), 1 + 3);
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(world.held(0), (0..10).map(|n| format!("Product=P{n:02}:3")).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_file_with_an_action_column_is_never_the_whole_truth() {
    let csv = "user,attribute,value,level,action\nagent000,Product,P15,3,set\nagent000,Product,P00,,remove\n";
    let world = World::new(full_centre(1));
    let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("replace_not_possible")));
    let message = report.summary["message"].as_str().unwrap();
    assert!(message.contains("`action`") && message.contains("without mode=replace"), "{message}");
    assert_eq!((report.statuses(), has_written(&world)), (vec!["pending".to_owned(), "pending".to_owned()], false));

    let emulator = Emulator::builder(full_centre(1)).quotas(Quotas::unlimited());
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000"), ("MODE", "replace")]);
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.statuses(), &report.summary["mode"]), (vec!["added".into(), "removed".into()], &"merge".into()));
    assert_eq!(world.held(0).len(), 10, "the setting gives way");
    let report = world.drop_file("incoming/b.csv", "user,attribute,value,level\nagent000,Product,P15,3\n").await;
    assert_eq!((report.status(), world.held(0).len()), ("succeeded", 1));
}

#[tokio::test(start_paused = true)]
async fn a_mass_removal_is_refused_before_the_first_write() {
    let world = World::new(full_centre(20));
    let rows: String = (0..20)
        .flat_map(|n| (0..8).map(move |product| format!("agent{n:03},Product,P{product:02},3\n")))
        .chain((0..19).map(|n| format!("agent{n:03},Product,P08,3\n")))
        .collect();
    let csv = format!("user,attribute,value,level\n{rows}");
    let report = replaced(&world, &csv, &json!({"max_removals_percent": 10})).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_removals")));
    let message = report.summary["message"].as_str().unwrap();
    assert!(message.contains("21 of the 200") && message.contains("more than 10 percent"), "{message}");
    assert!(message.contains("\"max_removals_percent\": 100"), "it says how to go ahead: {message}");
    assert!(!has_written(&world));
    assert_eq!(report.counts()["pending"], 179);
    let report = replaced(&world, &csv, &json!({"max_removals_percent": 10.5, "import_id": "again"})).await;
    assert_eq!((report.status(), report.summary["implied_removals"].as_u64()), ("succeeded", Some(21)));
}

#[tokio::test(start_paused = true)]
async fn rows_that_say_remove_are_not_guarded() {
    let world = World::new(full_centre(2));
    let rows: String = (0..2)
        .flat_map(|n| (0..9).map(move |product| format!("agent{n:03},Product,P{product:02},,remove\n")))
        .collect();
    let report = world.drop_file("incoming/a.csv", format!("user,attribute,value,level,action\n{rows}")).await;
    assert_eq!(report.counts()["removed"], 18);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let world = World::new(full_centre(2));
    let csv = "user,attribute,value,level\nagent000,Product,P00,5\nagent000,Product,P15,1\nagent001,Product,P00,3\n";
    let report = replaced(&world, csv, &json!({"max_removals_percent": 100, "dry_run": true})).await;
    assert_eq!(report.statuses(), ["would_update", "would_add", "unchanged"]);
    assert_eq!(report.rows()[0][3], "level 3 -> 5");
    assert_eq!(report.summary["implied_removals"], 18);
    assert_eq!(report.removed.unwrap().lines().count(), 19);
    assert_eq!((report.undo, has_written(&world)), (None, false));
    assert_eq!((&report.summary["dry_run"], report.summary["users"]["changed"].as_u64()), (&true.into(), Some(2)));
    let merged = "user,attribute,value,level,action\nagent000,Product,P00,,remove\nagent000,Product,P01,4,\n";
    let report = world.drop_file("incoming/dry-run=true/a.csv", merged).await;
    assert_eq!(report.statuses(), ["would_remove", "would_update"]);
    assert!(!has_written(&world));
    assert_eq!(world.held(0).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn ten_for_ten_others_under_a_limit_of_ten_never_leaves_a_user_with_nothing() {
    for (name, switches) in Switches::matrix() {
        let centre = full_centre(3).with_max_proficiencies(10);
        let world = World::built(
            Emulator::builder(centre).switches(switches).quotas(Quotas::unlimited()),
            &[("REQUESTS_PER_SECOND", "1000")],
        );
        let report = replaced(&world, &ten_others(3), &json!({"max_removals_percent": 100})).await;
        assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 30), "{name}");
        for n in 0..3 {
            let expected: Vec<_> = (10..20).map(|product| format!("Product=P{product:02}:4")).collect();
            assert_eq!(world.held(n), expected, "{name}");
            let smallest = world.emulator.instance(|centre| centre.smallest_set(&user_id(n)));
            assert!(smallest >= 1, "{name}: agent00{n} had nothing on the way");
        }
    }
}

const SLOW: [(&str, &str); 2] = [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "5")];

/// Of four users: full sets for others, full sets for a few, one who is right, one of whom a row is wrong.
fn mixed() -> (World, String) {
    let emulator = Emulator::builder(full_centre(8).with_max_proficiencies(10));
    let emulator = emulator.latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    s3.set_latency(Duration::from_millis(20));
    let mut csv = "user,attribute,value,level\n".to_owned();
    for n in 0..8 {
        let products = match n % 4 {
            0 => 10..20,
            1 => 5..8,
            2 => 0..10,
            _ => 9..13,
        };
        let rows =
            products.map(|product| format!("agent{n:03},Product,P{product:02},{}\n", if n % 4 == 2 { 3 } else { 4 }));
        csv.extend(rows);
        if n % 4 == 3 {
            csv.push_str(&format!("agent{n:03},Product,Q,1\n"));
        }
    }
    (World::over(emulator, &s3, &SLOW), csv)
}

async fn killed(lives: &[Duration]) -> (World, Report) {
    let (mut world, csv) = mixed();
    world.s3.put(BUCKET, "lists/a.csv", csv);
    let request = request("lists/a.csv", &json!({"import_id": "lists", "max_removals_percent": 100}));
    let report = world.import_killed(request, lives).await;
    (world, report)
}

proptest! {
    #![proptest_config(crate::world::cases(40))]
    #[test]
    fn killed_anywhere_a_replacement_ends_the_same(lives in prop::collection::vec(1_u64..3500, 1..5)) {
        run(async {
            let (whole, expected) = killed(&[]).await;
            let lives: Vec<_> = lives.into_iter().map(Duration::from_millis).collect();
            let (cut, report) = killed(&lives).await;
            assert_eq!(report.results, expected.results, "{lives:?}");
            assert_eq!(report.removed, expected.removed, "{lives:?}");
            assert_eq!(report.undo, expected.undo, "{lives:?}");
            assert_eq!(report.retry, expected.retry, "{lives:?}");
            for n in 0..8 {
                assert_eq!(cut.held(n), whole.held(n), "{lives:?}");
                let smallest = cut.emulator.instance(|centre| centre.smallest_set(&user_id(n)));
                assert!(smallest >= 1, "{lives:?}: agent00{n} had nothing on the way");
            }
            cut.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
            assert!((0..8).all(|n| cut.held(n) == (0..10).map(|p| format!("Product=P{p:02}:3")).collect::<Vec<_>>()));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_was_passed_is_not_asked_again() {
    let emulator = Emulator::builder(full_centre(30)).latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
    let mut world = World::built(emulator, &SLOW);
    let rows: String =
        (0..30).flat_map(|n| (0..9).map(move |product| format!("agent{n:03},Product,P{product:02},3\n"))).collect();
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let request = request("lists/a.csv", &json!({"import_id": "lists"}));
    assert!(timeout(Duration::from_millis(2600), world.invoke(request.clone())).await.is_err());
    assert!(world.calls().contains_key("DisassociateUserProficiencies"), "the guard was passed: 30 of 300");
    world.restart();
    // What others take away meanwhile makes the rest a larger share.
    world.emulator.instance(|centre| {
        for n in 20..30 {
            for product in 0..9 {
                centre.set_level(&user_id(n), "Product", &format!("P{product:02}"), None);
            }
        }
    });
    let answer = world.invoke(request).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.summary["implied_removals"].as_u64()), ("succeeded", Some(30)));
}

#[tokio::test(start_paused = true)]
async fn two_thousand_users_are_replaced_in_deliveries_of_ten_seconds() {
    let n_users = 2000;
    let mut centre = instance(0);
    for n in 0..n_users {
        let held: Vec<_> = (0..4).map(|product| ("Product".to_owned(), format!("P{product:02}"), 3.0)).collect();
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
    }
    let emulator = Emulator::builder(centre).latency(Duration::from_millis(50)).quotas(Quotas::all(100.0, 100));
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    s3.set_latency(Duration::from_millis(20));
    let world = World::over(emulator, &s3, &[("REQUESTS_PER_SECOND", "100"), ("REQUEST_BURST", "100")]);
    let rows: String = (0..n_users)
        .flat_map(|n| (1..4).map(move |product| format!("agent{n:03},Product,P{product:02},{product}\n")))
        .collect();
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let request = request("lists/a.csv", &json!({"import_id": "lists", "max_removals_percent": 25}));
    let answer = loop {
        let began = Instant::now();
        let answer = world.invoke_for(request.clone(), Duration::from_secs(10)).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "killed by the clock");
        if answer["imports"][0]["status"] != "in_progress" {
            break answer;
        }
    };
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.summary["implied_removals"].as_u64()), ("succeeded", Some(2000)));
    let deliveries = usize::try_from(report.summary["deliveries"].as_u64().unwrap()).unwrap();
    assert!((5..=8).contains(&deliveries), "{deliveries} deliveries for 4,000 reads at 100 a second");
    assert!((0..n_users).all(|n| world.held(n) == ["Product=P01:1", "Product=P02:2", "Product=P03:3"]));
    assert!(world.calls()["ListUserProficiencies"] <= 2 * n_users + 50 * deliveries);
}

#[tokio::test(start_paused = true)]
async fn where_the_services_own_limit_is_lower_removals_come_first() {
    let mut centre = instance(0).with_max_proficiencies(8);
    for n in 0..2 {
        let held: Vec<_> = (0..8).map(|product| ("Product".to_owned(), format!("P{product:02}"), 3.0)).collect();
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
    }
    let world = World::new(centre);
    let csv = "user,attribute,value,level,action\n\
               agent000,Product,P10,4,\nagent000,Product,P11,4,\n\
               agent000,Product,P00,,remove\nagent000,Product,P01,,remove\n\
               agent001,Product,P10,4,\nagent001,Product,P00,5,\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["added", "added", "removed", "removed", "failed", "updated"]);
    assert_eq!(world.held(0).len(), 8);
}

fn refused(work_done: bool) -> Fault {
    let message = "Not this one.".to_owned();
    Fault::Custom { status: 400, code: "InvalidRequestException".to_owned(), message, work_done }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_service_refuses_is_told() {
    let world = World::new(full_centre(3));
    world.emulator.set_faults(
        Faults::none().rule(Rule::new(refused(false)).on(Operation::DisassociateUserProficiencies).of_user(user_id(1))),
    );
    let rows: String = (0..3).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    let csv = format!("user,attribute,value,level\n{rows}");
    let report = replaced(&world, &csv, &json!({"max_removals_percent": 100})).await;
    assert_eq!(report.status(), "completed_with_errors");
    assert_eq!(report.statuses(), ["updated", "updated", "updated"], "what the rows say is in place");
    assert_eq!(report.summary["users"], json!({"total": 3, "changed": 3, "unchanged": 0, "with_errors": 1}));
    let message = &report.rows()[1][3];
    assert!(message.contains("could not be removed: Product=P01, ") && message.contains("Not this one."), "{message}");
    assert_eq!((report.summary["implied_removals"].as_u64(), world.held(1).len()), (Some(18), 10));
    let retry = report.retry.unwrap();
    assert_eq!((retry.lines().count(), retry.contains("agent001")), (2, true), "{retry}");
    world.emulator.set_faults(Faults::none());
    replaced(&world, &retry, &json!({"max_removals_percent": 100, "import_id": "again"})).await;
    assert_eq!(world.held(1), ["Product=P00:4"]);
}

#[tokio::test(start_paused = true)]
async fn without_the_permission_to_remove_nobody_is_taken_for_done() {
    let world = World::new(full_centre(12));
    let denied = Rule::new(Fault::AccessDenied).on(Operation::DisassociateUserProficiencies);
    world.emulator.set_faults(Faults::none().rule(denied));
    let rows: String = (0..12).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    let csv = format!("user,attribute,value,level\n{rows}");
    let report = replaced(&world, &csv, &json!({"max_removals_percent": 100})).await;
    assert_eq!(report.status(), "failed");
    let retry = report.retry.unwrap();
    assert_eq!(retry.lines().count(), 13, "all users are to be tried again: {retry}");
    world.emulator.set_faults(Faults::none());
    replaced(&world, &retry, &json!({"max_removals_percent": 100, "import_id": "again"})).await;
    assert!((0..12).all(|n| world.held(n) == ["Product=P00:4"]));
}

#[tokio::test(start_paused = true)]
async fn a_user_that_the_guard_could_not_count_loses_nothing() {
    let world = World::new(full_centre(3));
    let rule = Rule::new(refused(false)).on(Operation::ListUserProficiencies).of_user(user_id(1)).first(1);
    world.emulator.set_faults(Faults::none().rule(rule));
    let rows: String = (0..3).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    let csv = format!("user,attribute,value,level\n{rows}");
    let report = replaced(&world, &csv, &json!({"max_removals_percent": 100})).await;
    assert_eq!(report.statuses(), ["updated", "failed", "updated"]);
    let [_, _, code, message] = &report.rows()[1];
    assert_eq!(code, "user_not_read");
    assert!(message.contains("Not this one.") && message.contains("Drop retry.csv again"), "{message}");
    assert_eq!(world.held(1).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_above_the_guard_shows_what_it_would_do() {
    let world = World::new(full_centre(2));
    let csv = "user,attribute,value,level\nagent000,Product,P00,5\nagent001,Product,P11,3\n";
    let report = world.drop_file("incoming/mode=replace/dry-run=true/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_removals")));
    assert_eq!(report.statuses(), ["would_update", "would_add"]);
    assert_eq!(report.removed.unwrap().lines().count(), 1 + 19);
    assert!(!has_written(&world));
}

#[tokio::test(start_paused = true)]
async fn what_a_row_without_a_user_names_stays_with_all() {
    let world = World::new(full_centre(2));
    let csv = "user,attribute,value,level\nagent000,Product,P00,4\n,Product,P01,4\nagent001,Product,P00,4\n";
    let report = replaced(&world, csv, &json!({"max_removals_percent": 100})).await;
    assert_eq!(report.statuses(), ["updated", "invalid", "updated"]);
    let left = vec!["Product=P00:4".to_owned(), "Product=P01:3".to_owned()];
    assert_eq!((world.held(0), world.held(1)), (left.clone(), left));
}

#[tokio::test(start_paused = true)]
async fn the_guard_is_asked_when_all_are_surveyed_however_many_deliveries_that_takes() {
    let emulator = Emulator::builder(full_centre(60)).latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
    let world = World::built(emulator, &SLOW);
    let rows: String = (0..60).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let request = request("lists/a.csv", &json!({"import_id": "lists"}));
    let answer = loop {
        let answer = world.invoke_for(request.clone(), Duration::from_millis(1500)).await.unwrap();
        if answer["imports"][0]["status"] != "in_progress" {
            break answer;
        }
    };
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_removals")));
    assert!(report.summary["message"].as_str().unwrap().contains("540 of the 600"));
    assert!(report.summary["deliveries"].as_u64() > Some(2) && !has_written(&world));
    let reads = world.calls()["ListUserProficiencies"];
    assert!(reads < 90, "{reads} reads: each user is surveyed once");
}

#[tokio::test(start_paused = true)]
async fn cancelled_while_users_are_surveyed_it_writes_nothing() {
    let emulator = Emulator::builder(full_centre(60)).latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
    let world = World::built(emulator, &SLOW);
    let rows: String = (0..60).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let request = request("lists/a.csv", &json!({"import_id": "lists", "max_removals_percent": 100}));
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
        world.s3.put(BUCKET, &key.replace("summary.json", "cancel"), "");
    };
    let (answer, ()) = tokio::join!(world.invoke(request), cancel);
    let report = world.report(&answer.unwrap()["imports"][0]);
    assert_eq!((report.status(), report.counts()["pending"], has_written(&world)), ("cancelled", 60, false));
}

#[tokio::test(start_paused = true)]
async fn throttled_and_cut_between_any_two_calls_nobody_is_left_with_nothing() {
    for seed in 0..6 {
        let centre = full_centre(6).with_max_proficiencies(10);
        let fault = |fault| Rule::new(fault).randomly(0.08);
        let faults = [Fault::Throttle, Fault::InternalError, Fault::CutBefore, Fault::CutAfter];
        let faults = faults.map(fault).into_iter().fold(Faults::seeded(seed), Faults::rule);
        let emulator = Emulator::builder(centre).quotas(Quotas::unlimited()).faults(faults);
        let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000")]);
        let report = replaced(&world, &ten_others(6), &json!({"max_removals_percent": 100})).await;
        assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 60), "seed {seed}");
        for n in 0..6 {
            let smallest = world.emulator.instance(|centre| centre.smallest_set(&user_id(n)));
            assert!(smallest >= 1 && world.held(n).len() == 10, "seed {seed}: agent00{n} had nothing on the way");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_setting_for_dry_runs_holds_where_nothing_else_is_said() {
    let emulator = Emulator::builder(full_centre(1)).quotas(Quotas::unlimited());
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000"), ("DRY_RUN", "true")]);
    let csv = "user,attribute,value,level\nagent000,Product,P00,5\n";
    assert_eq!(world.drop_file("incoming/a.csv", csv).await.statuses(), ["would_update"]);
    assert_eq!(world.drop_file("incoming/dry-run=false/a.csv", csv).await.statuses(), ["updated"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_above_the_guard_says_so_however_often_it_is_resumed() {
    let emulator = Emulator::builder(full_centre(60)).latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
    let world = World::built(emulator, &SLOW);
    let rows: String = (0..60).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let request = request("lists/a.csv", &json!({"import_id": "lists", "dry_run": true}));
    let answer = loop {
        let answer = world.invoke_for(request.clone(), Duration::from_millis(1500)).await.unwrap();
        if answer["imports"][0]["status"] != "in_progress" {
            break answer;
        }
    };
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_removals")));
    assert!(report.summary["message"].as_str().unwrap().contains("540 of the 600"), "{}", report.summary["message"]);
    assert!(report.counts()["would_update"] == 60 && !has_written(&world));
}

#[tokio::test(start_paused = true)]
async fn where_a_refused_removal_leaves_no_room_that_is_what_is_told() {
    let world = World::new(full_centre(1).with_max_proficiencies(10));
    let rule = Rule::new(refused(false)).on(Operation::DisassociateUserProficiencies);
    world.emulator.set_faults(Faults::none().rule(rule));
    let report = replaced(&world, &ten_others(1), &json!({"max_removals_percent": 100})).await;
    assert_eq!(report.status(), "completed_with_errors");
    for row in report.rows() {
        assert_eq!((row[1].as_str(), row[2].as_str()), ("failed", "InvalidRequestException"), "{row:?}");
        assert!(row[3].contains("Not this one."), "{row:?}");
    }
    assert_eq!(world.held(0).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_addition_that_is_refused_for_being_there_already_is_an_addition() {
    let switches =
        Switches { associate_existing: connect_emulator::switches::AssociateExisting::Error, ..Switches::default() };
    let emulator = Emulator::builder(full_centre(1)).switches(switches).quotas(Quotas::unlimited());
    // The answer to the first attempt is lost, and the second is refused for what the first one did.
    let cut = Rule::new(Fault::CutAfter).on(Operation::AssociateUserProficiencies).nth(1);
    let world = World::built(emulator.faults(Faults::none().rule(cut)), &[("REQUESTS_PER_SECOND", "1000")]);
    let csv = "user,attribute,value,level\nagent000,Product,P15,4\n";
    let report = replaced(&world, csv, &json!({"max_removals_percent": 100})).await;
    assert_eq!((report.status(), report.statuses()), ("succeeded", vec!["added".to_owned()]));
    assert_eq!(world.held(0), ["Product=P15:4"]);
}

/// Why a user could not be read before the guard was asked is known after any kill, and a user that does not exist is told so.
#[tokio::test(start_paused = true)]
async fn why_a_user_could_not_be_read_outlasts_a_kill() {
    let outcome = async |lives: &[Duration]| {
        let emulator =
            Emulator::builder(full_centre(31)).latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
        let (code, message) = ("ResourceNotFoundException".to_owned(), "No such user.".to_owned());
        let gone = Fault::Custom { status: 404, code, message, work_done: false };
        let read = |fault| Rule::new(fault).on(Operation::ListUserProficiencies);
        let faults =
            Faults::none().rule(read(Fault::InternalError).of_user(user_id(1))).rule(read(gone).of_user(user_id(30)));
        let mut world = World::built(emulator.faults(faults), &SLOW);
        let rows: String = (0..31).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
        world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
        let request = request("lists/a.csv", &json!({"import_id": "lists", "max_removals_percent": 100}));
        world.import_killed(request, lives).await
    };
    let whole = outcome(&[]).await;
    let rows = whole.rows();
    assert_eq!((rows[1][1].as_str(), rows[1][2].as_str()), ("failed", "user_not_read"));
    assert!(rows[1][3].contains("Amazon Connect did not do this") && rows[1][3].contains("Drop retry.csv again"));
    assert_eq!((rows[30][1].as_str(), rows[30][2].as_str()), ("failed", "ResourceNotFoundException"));
    assert!(!rows[30][3].contains("Drop retry.csv again"), "{:?}", rows[30]);
    let n_updated = whole.counts()["updated"];
    assert_eq!(n_updated, 29);
    for seconds in [1, 20, 60, 100, 130] {
        let report = outcome(&[Duration::from_secs(seconds), Duration::from_millis(700)]).await;
        assert_eq!(report.results, whole.results, "killed after {seconds} s");
    }
}

/// Both passes over the users count in the estimate.
#[tokio::test(start_paused = true)]
async fn the_estimate_of_a_replacement_counts_both_of_its_passes() {
    let emulator = Emulator::builder(full_centre(60)).quotas(Quotas::all(1.0, 1));
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1"), ("REQUEST_BURST", "1")]);
    let rows: String = (0..60).map(|n| format!("agent{n:03},Product,P00,4\n")).collect();
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let estimates = async {
        let mut estimates = Vec::new();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(31)).await;
            let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
            let summary: serde_json::Value = serde_json::from_slice(&world.s3.get(BUCKET, &key).unwrap()).unwrap();
            let at = |name: &str| summary[name].as_str()?.parse::<chrono::DateTime<chrono::Utc>>().ok();
            // Between the two passes there is none.
            estimates.extend(at("expected_at").map(|over| (over - at("started_at").unwrap()).num_seconds()));
        }
        estimates
    };
    let began = Instant::now();
    let request = request("lists/a.csv", &json!({"max_removals_percent": 100}));
    let (answer, estimates) = tokio::join!(world.invoke(request), estimates);
    let took = i64::try_from(began.elapsed().as_secs()).unwrap();
    assert_eq!(answer.unwrap()["imports"][0]["status"], "succeeded");
    assert!(estimates.len() >= 2, "{estimates:?}");
    for estimate in estimates {
        assert!((took - 30..=took + 30).contains(&estimate), "over at {estimate} s, truly {took} s");
    }
}
