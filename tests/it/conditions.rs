//! Rows that say what must be there for them to be done, and an undo that spares what others changed since.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule};
use serde_json::json;

use crate::world::{BUCKET, World, instance, proficiencies, user_id, with_products};

const HEADER: &str = "user,attribute,value,level,action,if_level\n";

/// Somebody at the console changes what a user has.
fn set_level(world: &World, n: usize, value: &str, level: Option<f32>) {
    world.emulator.instance(|centre| centre.set_level(&user_id(n), "Language", value, level));
}

#[tokio::test(start_paused = true)]
async fn a_row_whose_condition_does_not_hold_is_kept_and_the_others_go_ahead() {
    let mut centre = instance(0);
    centre.add_user(user_id(0), "agent000", [("Language", "German", 5.0), ("Language", "French", 2.5)]);
    let world = World::new(centre);
    let rows = [
        "agent000,Language,German,4,set,3",
        "agent000,Language,French,3,set,2.5",
        "agent000,Language,English,,remove,1",
        "agent000,Language,Spanish,1,,none",
        "agent000,Product,P01,1,,2",
        "agent000,Product,P02,1,,maybe",
    ];
    let report = world.drop_file("incoming/a.csv", format!("{HEADER}{}\n", rows.join("\n"))).await;
    assert_eq!(report.statuses(), ["kept", "updated", "unchanged", "added", "kept", "invalid"]);
    let told: Vec<_> = report.rows().into_iter().map(|[_, _, code, message]| (code, message)).collect();
    let german = "Language=German is now 5, not 3: it was changed since. Left as it is.";
    assert_eq!(told[0], ("changed_since".to_owned(), german.to_owned()));
    assert_eq!(told[4].1, "Product=P01 is now none, not 2: it was changed since. Left as it is.");
    assert_eq!(told[5].0, "invalid_level");
    assert_eq!(world.held(0), ["Language=French:3", "Language=German:5", "Language=Spanish:1"]);

    assert_eq!(report.status(), "completed_with_errors");
    assert_eq!(report.summary["users"], json!({"total": 1, "changed": 1, "unchanged": 0, "with_errors": 1}));
    let retry = report.retry.unwrap();
    assert_eq!(retry.lines().count(), 1 + 1, "what is kept is not there to be mended: {retry}");
    let page = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    let kept = page.split("The rows that were kept").nth(1).unwrap();
    assert!(kept.contains("All of them (2); results.csv has them, too.") && kept.contains(german), "{page}");
    let cause = &report.summary["causes"][0];
    assert_eq!((&cause["code"], &cause["rows"], &cause["lines"]), (&json!("changed_since"), &json!(2), &json!([2, 6])));
}

#[tokio::test(start_paused = true)]
async fn where_all_is_right_or_kept_nothing_has_to_be_mended() {
    let world = World::new(instance(2));
    let csv = format!("{HEADER}agent000,Language,German,3,,none\nagent001,Language,German,3,,2\n");
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.statuses(), report.status()), (vec!["added".into(), "kept".into()], "completed_with_errors"));
    assert_eq!((report.retry, &report.summary["rows"]["kept"]), (None, &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn rows_of_one_pair_that_differ_in_their_conditions_contradict_each_other() {
    let world = World::new(instance(1));
    let rows = [
        "agent000,Language,German,3,,none",
        "agent000,Language,German,3,,1",
        "agent000,Language,French,3,,none",
        "agent000,Language,French,3,,None",
    ];
    let report = world.drop_file("incoming/a.csv", format!("{HEADER}{}\n", rows.join("\n"))).await;
    assert_eq!(report.statuses(), ["invalid", "invalid", "added", "duplicate"]);
    let [_, _, code, message] = &report.rows()[0];
    let said = "Contradicts line 3: same user, attribute and value, another level or condition. Keep one of the two.";
    assert_eq!((code.as_str(), message.as_str()), ("conflicting_rows", said));
}

#[tokio::test(start_paused = true)]
async fn a_file_with_conditions_is_never_the_whole_truth() {
    let csv = "user,attribute,value,level,if_level\nagent000,Language,German,3,none\n";
    let world = World::new(instance(1));
    let report = world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("replace_not_possible")));
    assert!(report.summary["message"].as_str().unwrap().contains("`if_level`"), "{}", report.summary);
    let emulator = Emulator::builder(instance(1)).quotas(Quotas::unlimited());
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000"), ("MODE", "replace")]);
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.statuses(), &report.summary["mode"]), (vec!["added".into()], &json!("merge")));
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_kept_and_leave_no_room_keep_all_of_their_user() {
    let world = World::new(with_products(2, 10));
    let swap = |n: usize, if_level: u8| {
        format!(
            "agent{n:03},Product,P00,,remove,{if_level}\nagent{n:03},Product,P01,,remove,3\n\
             agent{n:03},Product,P10,1,,none\nagent{n:03},Product,P11,1,,none\nagent{n:03},Product,P02,3,,\n"
        )
    };
    let report = world.drop_file("incoming/a.csv", format!("{HEADER}{}{}", swap(0, 3), swap(1, 4))).await;
    let done = ["removed", "removed", "added", "added", "unchanged"];
    assert_eq!(report.statuses(), [done, ["kept", "kept", "kept", "kept", "unchanged"]].concat());
    let rows = report.rows();
    assert_eq!(rows[5][3], "Product=P00 is now 3, not 4: it was changed since. Left as it is.");
    let room = "There is no room for what the rows of this user add, so this one was not done either.";
    assert_eq!((rows[6][2].as_str(), rows[6][3].as_str()), ("changed_since", room));
    assert_eq!(world.held(1), (0..10).map(|n| format!("Product=P{n:02}:3")).collect::<Vec<_>>());
}

/// A replacement gave ten for ten; one of them went, and another came. There is no room for all that the undo brings back.
#[tokio::test(start_paused = true)]
async fn an_undo_for_which_there_is_no_room_takes_nothing_away() {
    let world = World::new(with_products(1, 10));
    let rows: String = (10..20).map(|product| format!("agent000,Product,P{product:02},4\n")).collect();
    world.s3.put(BUCKET, "lists/a.csv", proficiencies(rows));
    let request = json!({"source": "s3://imports/lists/a.csv", "mode": "replace", "max_removals_percent": 100});
    let report = world.import(request).await;
    world.emulator.instance(|centre| {
        centre.set_level(&user_id(0), "Product", "P10", None);
        centre.set_level(&user_id(0), "Language", "German", Some(1.0));
    });
    let before = world.held(0);
    let undone = world.drop_file("incoming/undo.csv", report.undo.as_ref().unwrap()).await;
    assert_eq!(world.held(0), before);
    let counts = undone.counts();
    assert_eq!((counts["kept"], counts["invalid"], counts["unchanged"]), (9, 10, 1), "{counts:?}");
    // With room again, it does what it says.
    world.emulator.instance(|centre| centre.set_level(&user_id(0), "Language", "German", None));
    let undone = world.drop_file("incoming/again.csv", report.undo.unwrap()).await;
    assert_eq!(
        (undone.status(), world.held(0)),
        ("succeeded", (0..10).map(|n| format!("Product=P{n:02}:3")).collect())
    );
}

#[tokio::test(start_paused = true)]
async fn an_undo_spares_what_others_changed_since() {
    let mut centre = instance(3);
    centre.add_user(user_id(3), "agent003", [("Language", "French", 2.0)]);
    let world = World::new(centre);
    let rows = "agent000,Language,German,3\nagent001,Language,German,3\nagent002,Language,German,3\n\
                agent003,Language,German,3\nagent003,Language,French,4\n";
    let report = world.drop_file("incoming/a.csv", proficiencies(rows)).await;
    set_level(&world, 1, "German", Some(5.0));
    set_level(&world, 2, "German", None);
    set_level(&world, 3, "French", Some(1.0));
    let undo = report.undo.unwrap();
    assert_eq!(undo.lines().next(), Some("user,attribute,value,level,action,if_level"));
    let undone = world.drop_file("incoming/undo.csv", &undo).await;
    assert_eq!(undone.statuses(), ["removed", "kept", "unchanged", "removed", "kept"]);
    let held: Vec<_> = (0..4).map(|n| world.held(n)).collect();
    let expected: [&[&str]; 4] = [&[], &["Language=German:5"], &[], &["Language=French:1"]];
    assert_eq!(held, expected.map(|held| held.iter().map(ToString::to_string).collect::<Vec<_>>()));

    // One from before there were conditions is read as it was meant.
    let old = undo.lines().map(|line| line.rsplit_once(',').unwrap().0).collect::<Vec<_>>().join("\n");
    let undone = world.drop_file("incoming/old.csv", old).await;
    assert_eq!(undone.statuses(), ["unchanged", "removed", "unchanged", "unchanged", "updated"]);
    assert_eq!((world.held(1), world.held(3)), (vec![], vec!["Language=French:2".to_owned()]));
}

/// What a delivery wrote before it was killed is its own work, not somebody else's.
#[tokio::test(start_paused = true)]
async fn a_killed_delivery_does_not_take_its_own_work_for_somebody_elses() {
    let outcome = async |lives: &[Duration]| {
        let emulator = Emulator::builder(instance(20)).latency(Duration::from_millis(60)).quotas(Quotas::all(20.0, 5));
        let cut = Rule::new(Fault::CutAfter).on(Operation::AssociateUserProficiencies).randomly(0.3);
        let settings = [("REQUESTS_PER_SECOND", "20")];
        let mut world = World::built(emulator.faults(Faults::seeded(7).rule(cut)), &settings);
        let rows: String = (0..20).map(|n| format!("agent{n:03},Language,German,3,,none\n")).collect();
        let event = world.dropped("incoming/a.csv", format!("{HEADER}{rows}"));
        world.import_killed(event, lives).await
    };
    let whole = outcome(&[]).await;
    assert_eq!(whole.counts(), [("added".to_owned(), 20)].into());
    for millis in (200..2400).step_by(200) {
        let report = outcome(&[Duration::from_millis(millis)]).await;
        assert_eq!(
            (report.results, report.undo),
            (whole.results.clone(), whole.undo.clone()),
            "killed after {millis} ms"
        );
    }
}
