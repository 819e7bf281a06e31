//! A dry run makes a plan; dropped, the plan does just that.

use std::time::Duration;

use connect_emulator::{Emulator, Quotas};
use expect_test::expect;
use serde_json::json;

use crate::world::{BUCKET, Report, World, instance, proficiencies, user_id, with_products};

const WRITES: [&str; 3] = ["AssociateUserProficiencies", "UpdateUserProficiencies", "DisassociateUserProficiencies"];

fn centre() -> World {
    let mut centre = instance(0);
    centre.add_user(user_id(0), "agent000", [("Language", "German", 3.0), ("Language", "French", 2.5)]);
    centre.add_user(user_id(1), "agent001", [("Language", "German", 3.0)]);
    World::new(centre)
}

fn message(report: &Report) -> &str {
    report.summary["message"].as_str().unwrap_or_default()
}

fn has_written(world: &World) -> bool {
    WRITES.iter().any(|write| world.calls().contains_key(*write))
}

#[tokio::test(start_paused = true)]
async fn a_plan_has_all_that_a_dry_run_would_do_and_does_just_that() {
    let world = centre();
    let rows = "agent000,Language,German,4\nagent000,Product,P01,1\nagent001,Language,German,3\nnobody,Product,P02,1\n";
    let planned = world.drop_file("incoming/mode=replace/dry-run=true/a.csv", proficiencies(rows)).await;
    assert_eq!(planned.statuses(), ["would_update", "would_add", "unchanged", "invalid"]);
    assert!(!has_written(&world));
    expect![[r#"
        user,attribute,value,level,action,if_level
        00000000-0000-4000-8000-000000000000,Language,German,4,set,3
        00000000-0000-4000-8000-000000000000,Product,P01,1,set,none
        00000000-0000-4000-8000-000000000000,Language,French,,remove,2.5
    "#]]
    .assert_eq(planned.plan.as_deref().unwrap());
    assert_eq!(planned.undo, None);

    // It is merged, whatever the setting, and may itself be tried first.
    let tried = world.drop_file("incoming/dry-run=true/plan.csv", planned.plan.as_ref().unwrap()).await;
    assert_eq!(tried.statuses(), ["would_update", "would_add", "would_remove"]);
    assert_eq!(tried.plan, planned.plan);
    world.emulator.instance(|centre| centre.set_level(&user_id(1), "Product", "P09", Some(1.0)));
    let done = world.drop_file("incoming/plan.csv", planned.plan.unwrap()).await;
    assert_eq!((done.statuses().join(","), done.plan), ("updated,added,removed".to_owned(), None));
    assert_eq!(world.held(0), ["Language=German:4", "Product=P01:1"]);
    assert_eq!(world.held(1), ["Language=German:3", "Product=P09:1"], "what is not in the plan is not touched");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_would_be_done_there_is_no_plan() {
    let world = centre();
    let rows = proficiencies("agent001,Language,German,3\n");
    let report = world.drop_file("incoming/dry-run=true/a.csv", rows).await;
    assert_eq!((report.status(), report.plan.as_deref()), ("succeeded", None));
}

#[tokio::test(start_paused = true)]
async fn a_plan_spares_what_others_changed_meanwhile() {
    let world = centre();
    let rows = proficiencies("agent000,Language,German,4\nagent001,Language,German,5\n");
    let planned = world.drop_file("incoming/dry-run=true/a.csv", rows).await;
    world.emulator.instance(|centre| centre.set_level(&user_id(1), "Language", "German", Some(1.0)));
    let done = world.drop_file("incoming/plan.csv", planned.plan.unwrap()).await;
    assert_eq!(done.statuses(), ["updated", "kept"]);
    assert_eq!(world.held(1), ["Language=German:1"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_guard_rejects_can_be_done_by_its_plan() {
    let world = World::new(with_products(2, 10));
    let rows = proficiencies("agent000,Product,P00,5\nagent001,Product,P11,3\n");
    let rejected = world.drop_file("incoming/mode=replace/a.csv", &rows).await;
    assert_eq!((rejected.status(), rejected.plan.is_none()), ("rejected", true));
    let said = "To see them, import the file as a dry run: its report has them in plan.csv. If they are meant, upload that \
                plan.csv, or";
    assert!(message(&rejected).contains(said), "{}", message(&rejected));
    let planned = world.drop_file("incoming/mode=replace/dry-run=true/a.csv", rows).await;
    assert_eq!((planned.status(), &planned.summary["code"]), ("rejected", &json!("too_many_removals")));
    let said = "so a real import would be rejected. plan.csv has all of them; if they are meant, upload it to the import folder, or";
    assert!(message(&planned).contains(said), "{}", message(&planned));
    assert_eq!((planned.plan.as_ref().unwrap().lines().count(), has_written(&world)), (1 + 1 + 1 + 19, false));
    let done = world.drop_file("incoming/plan.csv", planned.plan.unwrap()).await;
    assert_eq!(
        (done.status(), world.held(0), world.held(1)),
        ("succeeded", vec!["Product=P00:5".into()], vec!["Product=P11:3".into()])
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_right_in_a_file_that_is_mostly_wrong_can_be_done_by_its_plan() {
    let world = centre();
    let wrong: String = (0..9).map(|n| format!("nobody{n},Language,German,4\n")).collect();
    let rows = proficiencies(format!("agent000,Language,German,4\n{wrong}"));
    let rejected = world.drop_file("incoming/a.csv", &rows).await;
    assert_eq!(
        (rejected.status(), rejected.statuses()[0].as_str(), rejected.plan.as_deref()),
        ("rejected", "pending", None)
    );
    assert!(
        message(&rejected).contains("import the file as a dry run and upload the plan.csv of its report, or import")
    );
    let planned = world.drop_file("incoming/dry-run=true/a.csv", rows).await;
    assert_eq!((planned.status(), &planned.summary["code"]), ("rejected", &json!("too_many_invalid")));
    assert!(
        message(&planned).contains("To do the others all the same, upload plan.csv to the import folder, or import"),
        "{}",
        message(&planned)
    );
    assert_eq!((planned.statuses()[0].as_str(), has_written(&world)), ("would_update", false));
    let done = world.drop_file("incoming/plan.csv", planned.plan.unwrap()).await;
    assert_eq!((done.status(), world.held(0)[1].as_str()), ("succeeded", "Language=German:4"));
}

/// With somebody else's number, calls would ring there.
#[tokio::test(start_paused = true)]
async fn a_desk_phone_goes_with_the_number_that_was_planned_for_it() {
    let world = World::new(instance(1));
    let set = |number: &str| {
        let phone = json!([{"Channel": "VOICE", "PhoneType": "SOFT_PHONE", "PhoneNumber": number}]);
        let config = serde_json::from_value(json!({"PhoneNumberConfigs": phone})).unwrap();
        world.emulator.instance(|centre| centre.set_config(&user_id(0), config));
    };
    set("+490");
    let csv = "user,channel,phone_type,phone_number\nagent000,VOICE,DESK_PHONE,+491\n";
    let planned = world.drop_file("incoming/dry-run=true/a.csv", csv).await;
    let plan = planned.plan.unwrap();
    set("+499");
    let done = world.drop_file("incoming/plan.csv", &plan).await;
    assert_eq!((done.statuses(), done.undo), (vec!["kept".to_owned(), "kept".to_owned()], None));
    set("+490");
    let done = world.drop_file("incoming/again.csv", plan).await;
    assert_eq!(done.statuses(), ["updated", "updated"]);
}

/// A guard that rejects a dry run does so however many deliveries that takes; and a person may stop it.
#[tokio::test(start_paused = true)]
async fn a_rejected_dry_run_goes_on_to_its_end() {
    let world = || {
        let emulator = Emulator::builder(instance(40)).quotas(Quotas::all(5.0, 5));
        World::built(emulator, &[("REQUESTS_PER_SECOND", "5")])
    };
    let good: String = (0..40).map(|n| format!("agent{n:03},Language,German,4\n")).collect();
    let wrong: String = (0..60).map(|n| format!("nobody{n},Language,German,4\n")).collect();
    let rows = proficiencies(format!("{good}{wrong}"));
    let mut killed = world();
    let event = killed.dropped("incoming/dry-run=true/a.csv", &rows);
    let lives = [Duration::from_secs(3), Duration::from_secs(3)];
    let report = killed.import_killed(event, &lives).await;
    assert_eq!((report.status(), &report.summary["code"]), ("rejected", &json!("too_many_invalid")));
    assert_eq!(report.counts(), [("invalid".to_owned(), 60), ("would_add".to_owned(), 40)].into());
    assert_eq!(report.plan.unwrap().lines().count(), 1 + 40);

    let world = world();
    let event = world.dropped("incoming/dry-run=true/a.csv", rows);
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let summary = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
        world.s3.put(BUCKET, &summary.replace("summary.json", "cancel"), "");
    };
    let (report, ()) = tokio::join!(world.import(event), cancel);
    assert_eq!(report.status(), "cancelled");
    let (n_planned, counts) = (report.plan.as_ref().unwrap().lines().count() as u64 - 1, report.counts());
    assert_eq!((counts["would_add"], counts["would_add"] + counts["pending"]), (n_planned, 40));
}

/// Who may plan only may write below dry-run=true/ only; and where all are dry runs, a plan must not be one.
#[tokio::test(start_paused = true)]
async fn the_way_on_is_one_that_can_be_gone() {
    let settings = [("REQUESTS_PER_SECOND", "1000"), ("DRY_RUN", "true")];
    let world = World::built(Emulator::builder(instance(1)).quotas(Quotas::unlimited()), &settings);
    let next = |report: &Report| {
        let page = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
        String::from_utf8(page.to_vec()).unwrap()
    };
    let rows = proficiencies("agent000,Language,German,4\n");
    let report = world.drop_file("incoming/a.csv", rows).await;
    let said = "upload plan.csv to s3://imports/incoming/dry-run=false/.";
    assert!(next(&report).contains(said), "{}", next(&report));
    let report = world.drop_file("incoming/dry-run=false/plan.csv", report.plan.unwrap()).await;
    assert_eq!((report.status(), world.held(0).len()), ("succeeded", 1));
    let rows = proficiencies("agent000,Language,Germann,4\n");
    let report = world.drop_file("incoming/mode=replace/b.csv", rows).await;
    let said = "upload it to s3://imports/incoming/dry-run=true/mode=replace/.";
    assert!(next(&report).contains(said), "{}", next(&report));
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_settings_has_a_row_for_each() {
    let emulator = Emulator::builder(instance(1)).quotas(Quotas::unlimited());
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000")]);
    let csv = "user,channel,auto_accept,after_contact_work_seconds\nagent000,VOICE,yes,30\nagent000,CHAT,no,\n";
    let planned = world.drop_file("incoming/dry-run=true/a.csv", csv).await;
    assert_eq!(planned.statuses(), ["would_add", "would_add"]);
    let plan = planned.plan.unwrap();
    let rows: Vec<Vec<&str>> = plan.lines().skip(1).map(|row| row.split(',').collect()).collect();
    let given: Vec<_> = rows.iter().map(|row| (row[1], row[2], row[4], row[10], row[12])).collect();
    let expected =
        [("VOICE", "yes", "", "unset", ""), ("VOICE", "", "30", "", "unset"), ("CHAT", "no", "", "unset", "")];
    assert_eq!(given, expected);
    // Somebody sets one of them meanwhile: the others go ahead.
    let chat = "user,channel,auto_accept\nagent000,CHAT,yes\n";
    world.drop_file("incoming/chat.csv", chat).await;
    let done = world.drop_file("incoming/plan.csv", &plan).await;
    assert_eq!(done.statuses(), ["added", "added", "kept"]);
    let said = "`auto_accept` of CHAT is now yes, not unset: it was changed since. Left as it is.";
    assert_eq!((done.rows()[2][2].as_str(), done.rows()[2][3].as_str()), ("changed_since", said));
    assert_eq!(done.status(), "completed_with_errors");
    assert_eq!(done.summary["causes"][0]["code"], "changed_since");
}
