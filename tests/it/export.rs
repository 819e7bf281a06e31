//! What users have, as a file that can be dropped: the other way round.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Quotas, Rule, Switches};
use import_testkit::{MemoryS3, Versioning};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{BUCKET, INSTANCE, Report, World, batch, in_a_message, instance, user_id, with_products};

pub const SETTINGS: [(&str, &str); 2] = [("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "1000")];

pub fn world(centre: Instance) -> World {
    World::built(Emulator::builder(centre).quotas(Quotas::unlimited()), &SETTINGS)
}

/// The table of an export, without the mark at its beginning.
pub fn table(world: &World, report: &Report) -> Option<String> {
    let name = format!("{}.csv", report.summary["kind"].as_str().unwrap());
    let bytes = world.s3.get(BUCKET, &format!("{}{name}", report.folder))?;
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Some(text.strip_prefix('\u{feff}').expect("a table for people begins with a BOM").to_owned())
}

fn message(report: &Report) -> &str {
    report.summary["message"].as_str().unwrap_or_default()
}

/// A centre with one user of each sort: `zoe` has two skills, `agent000` one, `Anna` none.
fn small() -> Instance {
    let mut centre = instance(0);
    centre.add_user(user_id(0), "zoe", [("Product", "P01", 2.0), ("Language", "German", 5.0)]);
    centre.add_user(user_id(1), "agent000", [("Language", "French", 1.0)]);
    centre.add_user(user_id(2), "Anna", Vec::<(String, String, f32)>::new());
    centre
}

/// Dropped back, the table finds all rows as they are, and nothing is written.
async fn assert_right(world: &World, folder: &str, table: &str) -> Report {
    let n_before = n_writes(world);
    let report = world.drop_file(&format!("incoming/{folder}back.csv"), table).await;
    assert_eq!(report.status(), "succeeded", "{folder}: {:#}", report.summary);
    assert!(report.statuses().iter().all(|status| status == "unchanged"), "{folder}: {:?}", report.rows());
    assert_eq!(n_writes(world), n_before, "{folder}");
    report
}

fn n_writes(world: &World) -> usize {
    let is_write = |name: &str| name.contains("ssociate") || name.starts_with("Update");
    world.calls().into_iter().filter(|(name, _)| is_write(name)).map(|(_, n)| n).sum()
}

#[tokio::test(start_paused = true)]
async fn proficiencies_are_a_row_for_each_by_username() {
    let world = world(small());
    let report = world.import(json!({"export": "proficiencies", "import_id": "long"})).await;
    assert_eq!(
        table(&world, &report).unwrap(),
        "user,attribute,value,level\nagent000,Language,French,1\nzoe,Language,German,5\nzoe,Product,P01,2\n"
    );
    let summary = &report.summary;
    assert_eq!(
        (report.status(), &summary["export"], &summary["kind"]),
        ("succeeded", &json!(true), &json!("proficiencies"))
    );
    assert_eq!((&summary["rows"]["total"], &summary["rows"]["unchanged"]), (&json!(3), &json!(3)));
    assert_eq!(summary["users"], json!({"total": 3, "changed": 0, "unchanged": 3, "with_errors": 0}));
    let source = format!("s3://{BUCKET}/{}proficiencies.csv", report.folder);
    assert_eq!(
        (&summary["source"], &summary["message"], &summary["code"]),
        (&json!(source), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&summary["mode"], &summary["dry_run"], &summary["causes"]),
        (&json!("merge"), &json!(false), &json!([]))
    );
    assert_eq!(report.folder, format!("reports/export/{}/", summary["import_id"].as_str().unwrap()));
    assert_eq!(world.s3.keys(BUCKET, &report.folder).len(), 3, "the table, the summary and the page");
    assert_eq!(n_writes(&world), 0);
    for folder in ["", "mode=replace/"] {
        assert_right(&world, folder, &table(&world, &report).unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sheet_has_a_column_for_every_pair_that_somebody_has() {
    let world = world(small());
    let report = world.import(json!({"export": "proficiencies", "form": "wide", "import_id": "wide"})).await;
    let sheet = table(&world, &report).unwrap();
    assert_eq!(sheet, "user,Language: French,Language: German,Product: P01\nAnna,,,\nagent000,1,,\nzoe,,5,2\n");
    assert_eq!((report.status(), &report.summary["rows"]["total"]), ("succeeded", &json!(3)));
    for folder in ["", "mode=replace/"] {
        assert_right(&world, folder, &sheet).await;
    }
    // And edited, it does just what was edited.
    let edited = world
        .drop_file("incoming/edited.csv", sheet.replace("Anna,,,", "Anna,3,,").replace("zoe,,5,", "zoe,,4,"))
        .await;
    assert_eq!(edited.statuses(), ["added", "unchanged", "updated", "unchanged"]);
}

#[tokio::test(start_paused = true)]
async fn settings_per_channel_are_a_row_for_each_channel() {
    let mut centre = instance(2);
    let lists = json!({
        "AutoAcceptConfigs": [{"Channel": "VOICE", "AutoAccept": true}, {"Channel": "EMAIL", "AutoAccept": false}],
        "AfterContactWorkConfigs": [{"Channel": "VOICE", "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": 0}}],
        "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "DESK_PHONE", "PhoneNumber": "+4930901820"}],
    });
    centre.set_config(&user_id(1), serde_json::from_value(lists).unwrap());
    let world = world(centre);
    let report = world.import(json!({"export": "user_config", "import_id": "settings"})).await;
    let rows = table(&world, &report).unwrap();
    assert_eq!(
        rows,
        "user,channel,auto_accept,agent_first_callback_auto_accept,after_contact_work_seconds,\
         agent_first_callback_after_contact_work_seconds,phone_type,phone_number,persistent_connection,voice_enhancement_mode\n\
         agent001,VOICE,yes,,0,,DESK_PHONE,+4930901820,,\nagent001,EMAIL,no,,,,,,,\n"
    );
    assert_eq!((report.status(), &report.summary["kind"]), ("succeeded", &json!("user_config")));
    assert_right(&world, "", &rows).await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_over_deliveries_and_deaths_and_reads_nobody_twice() {
    let mut world = World::built(
        Emulator::builder(with_products(60, 3)).quotas(Quotas::all(2.0, 5)).latency(Duration::from_millis(80)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let request = json!({"export": "proficiencies", "import_id": "a long one"});
    // One delivery that reaches its deadline, and one that dies.
    let first = world.invoke_for(request.clone(), Duration::from_secs(12)).await.unwrap();
    assert_eq!(first["imports"][0]["status"], "in_progress");
    let unfinished = world.report(&first["imports"][0]);
    assert_eq!((table(&world, &unfinished), &unfinished.summary["export"]), (None, &json!(true)));
    let _ = tokio::time::timeout(Duration::from_secs(8), world.invoke(request.clone())).await;
    world.restart();
    let report = world.import(request.clone()).await;
    assert_eq!((report.status(), &report.summary["deliveries"]), ("succeeded", &json!(3)));
    assert_eq!(table(&world, &report).unwrap().lines().count(), 181);
    let n_read = world.calls()["ListUserProficiencies"];
    assert!((60..=70).contains(&n_read), "{n_read} reads: those under way at the death are read again");
    // Asked again, it is the same one; and its answer can be asked for by its id alone.
    let n_calls = world.emulator.calls().len();
    let again = world.invoke(request).await.unwrap();
    let by_id = world.invoke(json!({"import_id": report.summary["import_id"]})).await.unwrap();
    assert_eq!((&again, &by_id), (&json!({"imports": [again["imports"][0]]}), &again));
    assert_eq!(again["imports"][0]["status"], "succeeded");
    assert_eq!(world.emulator.calls().len(), n_calls);
    assert!(world.s3.keys(BUCKET, "state/").iter().all(|key| !key.contains("journal")), "only the answer is left");
}

#[tokio::test(start_paused = true)]
async fn it_is_as_fast_as_the_quota_of_reads() {
    let world = World::built(
        Emulator::builder(with_products(60, 3)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let began = Instant::now();
    let report = world.import(json!({"export": "proficiencies", "import_id": "pace"})).await;
    let floor = Duration::from_millis(27_500);
    let took = began.elapsed();
    assert_eq!(report.status(), "succeeded");
    assert!(took >= floor && took < floor + Duration::from_millis(500), "{took:?}, and 27.5 s is the floor");
}

#[tokio::test(start_paused = true)]
async fn who_is_deleted_meanwhile_is_left_out_and_told() {
    let world = World::built(
        Emulator::builder(with_products(30, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let emulator = world.emulator.clone();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        emulator.instance(|centre| {
            centre.remove_user(&user_id(0)); // was read
            centre.remove_user(&user_id(29)); // was not
            centre.add_user(user_id(30), "a new one", [("Product", "P07", 4.0)]);
            centre.add_user(user_id(3), "renamed", [("Product", "P00", 3.0)]);
        });
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = world.import(json!({"export": "proficiencies", "import_id": "meanwhile"})) => report,
        () = meanwhile => unreachable!(),
    };
    assert_eq!(report.status(), "succeeded");
    assert_eq!(message(&report), "2 users were deleted while the export ran, and are left out: agent000, agent029.");
    let table = table(&world, &report).unwrap();
    let users: Vec<_> = table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((users.len(), users[0], users[28]), (29, "a new one", "renamed"));
    assert!(!users.contains(&"agent000") && !users.contains(&"agent029") && !users.contains(&"agent003"));
    assert_right(&world, "", &table).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_deleted_between_deliveries_is_told_too() {
    let mut world = World::built(
        Emulator::builder(with_products(30, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let request = json!({"export": "proficiencies", "import_id": "two"});
    world.invoke_for(request.clone(), Duration::from_secs(12)).await.unwrap();
    world.emulator.instance(|centre| centre.remove_user(&user_id(0)));
    world.restart();
    let report = world.import(request).await;
    assert_eq!(message(&report), "1 user was deleted while the export ran, and is left out: agent000.");
    assert!(!table(&world, &report).unwrap().contains("agent000,"));
}

#[tokio::test(start_paused = true)]
async fn what_a_file_cannot_say_is_left_out_and_told() {
    let mut centre = small();
    centre.add_user(user_id(3), "half", [("Product", "P01", 2.5), ("Product", "P02", 3.0)]);
    centre.add_user(user_id(4), "gone", [("Product", "retired", 2.0), ("Product", "P02", 3.0)]);
    centre.add_user(user_id(5), "none", [("Product", "P03", 0.5)]);
    let world = world(centre);
    let long = world.import(json!({"export": "proficiencies", "import_id": "long"})).await;
    assert_eq!(
        table(&world, &long).unwrap(),
        "user,attribute,value,level,action\nagent000,Language,French,1,set\nhalf,Product,P01,2.5,set\nhalf,Product,P02,3,set\n\
         zoe,Language,German,5,set\nzoe,Product,P01,2,set\n",
        "only a file with actions can say a level between two others"
    );
    assert_eq!(long.status(), "completed_with_errors");
    assert_eq!(
        message(&long),
        "2 users are left out as a whole, because such a file cannot say all that they have: gone (Product=retired, which the \
         instance does not know), none (Product=P03 at level 0.5)."
    );
    assert_eq!(long.summary["users"], json!({"total": 6, "changed": 0, "unchanged": 4, "with_errors": 2}));
    assert_right(&world, "", &table(&world, &long).unwrap()).await;

    let wide = world.import(json!({"export": "proficiencies", "form": "wide", "import_id": "wide"})).await;
    assert!(
        message(&wide).starts_with("3 users are left out")
            && message(&wide).contains("half (Product=P01 at level 2.5)"),
        "{}",
        message(&wide)
    );
    let sheet = table(&world, &wide).unwrap();
    assert!(!sheet.contains("half") && !sheet.contains("retired"), "{sheet}");
    for folder in ["", "mode=replace/"] {
        assert_right(&world, folder, &sheet).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sheet_whose_headings_would_mean_others_is_refused() {
    let mut centre = Instance::new(INSTANCE).with_attribute("A", ["B: C"]).with_attribute("A: B", ["C"]);
    centre.add_user(user_id(0), "jdoe", [("A", "B: C", 2.0)]);
    let world = world(centre);
    let wide = world.import(json!({"export": "proficiencies", "form": "wide", "import_id": "wide"})).await;
    assert_eq!((wide.status(), &wide.summary["code"], table(&world, &wide)), ("rejected", &json!("no_sheet"), None));
    assert!(message(&wide).contains("may be several skills") && message(&wide).ends_with("Export the long form."));
    let long = world.import(json!({"export": "proficiencies", "import_id": "long"})).await;
    assert_right(&world, "", &table(&world, &long).unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_complete_or_not_there() {
    let code = "InvalidRequestException".to_owned();
    let refused = Fault::Custom { status: 400, code, message: "no".to_owned(), work_done: false };
    for (fault, status, told) in [
        (Rule::new(Fault::AccessDenied).on(Operation::ListUsers), "failed", "connect:ListUsers"),
        (
            Rule::new(Fault::AccessDenied).on(Operation::ListUserProficiencies),
            "failed",
            "connect:ListUserProficiencies",
        ),
        (
            Rule::new(Fault::AccessDenied).on(Operation::SearchPredefinedAttributes),
            "failed",
            "SearchPredefinedAttributes",
        ),
        (
            Rule::new(refused).on(Operation::ListUserProficiencies).of_user(user_id(1)),
            "failed",
            "What agent001 has could not be read, so there is no table.",
        ),
    ] {
        let world = world(with_products(3, 2));
        world.emulator.set_faults(Faults::none().rule(fault));
        let report = world.import(json!({"export": "proficiencies", "import_id": "refused"})).await;
        assert_eq!((report.status(), table(&world, &report)), (status, None), "{told}");
        assert!(message(&report).contains(told), "{}", message(&report));
        assert_eq!(report.summary["rows"]["total"], 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_delivery_wrote_that_could_not_end_is_no_table_if_the_export_fails() {
    let mut world = world(with_products(3, 2));
    let request = json!({"export": "proficiencies", "import_id": "stale"});
    let (s3, table_at) = (world.s3.clone(), |world: &World| {
        world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/proficiencies.csv"))
    });
    // Once the table is there, nothing is written any more.
    let dies = async {
        while !s3.keys(BUCKET, "reports/").iter().any(|key| key.ends_with("/proficiencies.csv")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    s3.fail_always("HeadObject", Some("left_out.csv"), import_testkit::S3Fault::Slow(Duration::from_secs(3600)));
    tokio::select! {
        answer = world.invoke(request.clone()) => panic!("{answer:?}"),
        () = dies => {}
    }
    assert!(table_at(&world).is_some());
    world.s3.heal();
    world.restart();
    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUsers)));
    let report = world.import(request).await;
    assert_eq!((report.status(), table_at(&world)), ("failed", None));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_found_late_is_read_again() {
    let gone = || Fault::Custom {
        status: 404,
        code: "ResourceNotFoundException".to_owned(),
        message: "no".to_owned(),
        work_done: false,
    };
    let on = |fault| Rule::new(fault).on(Operation::ListUserProficiencies).of_user(user_id(1));
    let world = world(with_products(3, 1));
    world.emulator.set_faults(Faults::none().rule(on(gone()).first(2)));
    let report = world.import(json!({"export": "proficiencies", "import_id": "late"})).await;
    assert_eq!((report.status(), message(&report)), ("succeeded", ""));
    assert_eq!(table(&world, &report).unwrap().lines().count(), 4);

    // Listed, and never found: nobody can say what is right.
    world.emulator.set_faults(Faults::none().rule(on(gone())));
    let report = world.import(json!({"export": "proficiencies", "import_id": "never"})).await;
    assert_eq!(report.status(), "completed_with_errors");
    assert_eq!(
        message(&report),
        "1 user is left out, because Amazon Connect either lists it or finds it, but not both: agent001."
    );
    assert_eq!(table(&world, &report).unwrap().lines().count(), 3);
    let left_out = world.s3.get(BUCKET, &format!("{}left_out.csv", report.folder)).unwrap();
    assert_eq!(&left_out[..], b"user,why\nagent001,\"listed and not found, or found and not listed\"\n");
}

#[tokio::test(start_paused = true)]
async fn whose_read_is_refused_because_it_was_deleted_is_left_out() {
    let code = "InvalidParameterException".to_owned();
    let refused = Fault::Custom { status: 400, code, message: "no such user".to_owned(), work_done: false };
    let world = world(with_products(4, 1));
    let refused = Rule::new(refused).on(Operation::ListUserProficiencies).of_user(user_id(2));
    world.emulator.set_faults(Faults::none().rule(refused).rule(Rule::new(Fault::Slow(Duration::from_secs(1)))));
    let emulator = world.emulator.clone();
    let deleted = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        emulator.instance(|centre| centre.remove_user(&user_id(2)));
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = world.import(json!({"export": "proficiencies", "import_id": "refused"})) => report,
        () = deleted => unreachable!(),
    };
    assert_eq!(report.status(), "succeeded");
    assert_eq!(message(&report), "1 user was deleted while the export ran, and is left out: agent002.");
    assert_eq!(table(&world, &report).unwrap().lines().count(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_whom_nobody_can_read_ends_it_at_once() {
    let code = "InvalidRequestException".to_owned();
    let refused = Fault::Custom { status: 400, code, message: "no".to_owned(), work_done: false };
    let world = World::built(
        Emulator::builder(with_products(300, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let refused = Rule::new(refused).on(Operation::ListUserProficiencies).of_user(user_id(3));
    world.emulator.set_faults(Faults::none().rule(refused));
    let report = world.import(json!({"export": "proficiencies", "import_id": "refused"})).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("failed", Some("InvalidRequestException")));
    assert!(world.calls()["ListUserProficiencies"] < 100, "{:?}", world.calls());
}

#[tokio::test(start_paused = true)]
async fn whether_a_name_is_known_that_could_not_be_asked_is_not_guessed() {
    let mut centre = with_products(3, 1);
    centre.add_user(user_id(3), "old", [("Retired", "x", 2.0)]);
    let world = world(centre);
    world
        .emulator
        .set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::DescribePredefinedAttribute)));
    let report = world.import(json!({"export": "proficiencies", "import_id": "unread"})).await;
    assert_eq!((report.status(), table(&world, &report)), ("failed", None));
    assert!(message(&report).contains("connect:DescribePredefinedAttribute"), "{}", message(&report));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_permission_is_told_as_one_also_where_there_are_few_users() {
    let world = world(with_products(1, 1));
    let denied = Rule::new(Fault::AccessDenied).on(Operation::ListUserProficiencies);
    world.emulator.set_faults(Faults::none().rule(denied));
    let report = world.import(json!({"export": "proficiencies", "import_id": "denied"})).await;
    assert_eq!((report.status(), &report.summary["code"]), ("failed", &json!("AccessDeniedException")));
    assert!(!message(&report).contains("Ask for the export again"), "{}", message(&report));
    let page = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
    assert!(String::from_utf8_lossy(&page).contains("Ask whoever runs this function to give it the permission"));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_was_overtaken_does_not_replace_the_table() {
    let world = world(with_products(3, 1));
    let other = World::beside(&world.emulator, &world.s3, &world.settings());
    // The older one has read everybody, and waits for what names mean.
    let slow = Rule::new(Fault::Slow(Duration::from_secs(8))).on(Operation::SearchPredefinedAttributes).first(1);
    world.emulator.set_faults(Faults::none().rule(slow));
    let request = json!({"export": "proficiencies", "import_id": "overtaken"});
    let newer = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let report = other.import(request.clone()).await;
        let at = format!("{}proficiencies.csv", report.folder);
        other.s3.put(BUCKET, &at, "as the newer one left it");
        at
    };
    let (older, at) = tokio::join!(world.invoke(request.clone()), newer);
    assert_eq!(older.unwrap()["imports"][0]["status"], "in_progress");
    assert_eq!(&world.s3.get(BUCKET, &at).unwrap()[..], b"as the newer one left it");
}

#[tokio::test(start_paused = true)]
async fn of_two_deliveries_at_once_the_newer_has_it() {
    let world = World::built(
        Emulator::builder(with_products(20, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let other = World::beside(&world.emulator, &world.s3, &world.settings());
    let request = json!({"export": "proficiencies", "import_id": "two"});
    let later = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        // By the id of its answer, which is all that this takes.
        let key = world.s3.keys(BUCKET, "reports/export/").remove(0);
        other.import(json!({"import_id": key.split('/').nth(2).unwrap()})).await
    };
    let (older, newer) = tokio::join!(world.invoke(request.clone()), later);
    assert_eq!(older.unwrap()["imports"][0]["status"], "in_progress", "it is fenced, and leaves it to the newer");
    assert_eq!((newer.status(), table(&world, &newer).unwrap().lines().count()), ("succeeded", 21));
}

#[tokio::test(start_paused = true)]
async fn a_table_of_many_rows_is_whole() {
    let world = world(with_products(130, 20));
    for (n, form) in ["long", "wide"].into_iter().enumerate() {
        let report = world.import(json!({"export": "proficiencies", "form": form, "import_id": form})).await;
        assert_eq!((report.status(), &report.summary["rows"]["total"]), ("succeeded", &json!(2600)));
        assert_eq!(table(&world, &report).unwrap().lines().count(), [2601, 131][n]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_days_ago_is_read_again() {
    use connect_bulk_import::import::Deadlines;
    use connect_bulk_import::import::request::ExportRequest;
    use connect_bulk_import::import::trigger::Trigger;
    use connect_bulk_import::kind::FileKind;

    let mut world = World::built(
        Emulator::builder(with_products(20, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let request = json!({"export": "proficiencies", "import_id": "lain"});
    let first = world.invoke_for(request, Duration::from_secs(5)).await.unwrap();
    assert_eq!(first["imports"][0]["status"], "in_progress");
    let n_read = world.calls()["ListUserProficiencies"];
    assert!(n_read > 5);
    world.emulator.instance(|centre| centre.set_level(&user_id(0), "Product", "P00", Some(5.0)));
    world.restart();
    let request = ExportRequest { export: FileKind::Proficiencies, form: None, import_id: Some("lain".to_owned()) };
    let later = Deadlines::none(chrono::Utc::now() + chrono::TimeDelta::days(3));
    let answer = world.importer().run(&Trigger::invoked(request, "r"), &later).await.unwrap();
    let report = world.report(&serde_json::to_value(answer).unwrap());
    assert!(table(&world, &report).unwrap().contains("agent000,Product,P00,5\n"), "as it is, and not as it was");
    assert_eq!(world.calls()["ListUserProficiencies"], n_read + 20);
}

#[tokio::test(start_paused = true)]
async fn a_person_can_stop_it() {
    let world = World::built(
        Emulator::builder(with_products(60, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let s3 = world.s3.clone();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        let summary = s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
        s3.put(BUCKET, &summary.replace("summary.json", "cancel"), "");
        std::future::pending::<()>().await;
    };
    let began = Instant::now();
    let report = tokio::select! {
        report = world.import(json!({"export": "proficiencies", "import_id": "stopped"})) => report,
        () = stop => unreachable!(),
    };
    assert_eq!((report.status(), table(&world, &report)), ("cancelled", None));
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_comes_by_the_queue_and_a_message_that_is_redriven_joins() {
    let mut world = World::built(
        Emulator::builder(with_products(40, 1)).quotas(Quotas::all(2.0, 5)),
        &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "2")],
    );
    let asked = |id: &str, body: &Value| batch(&[in_a_message(id, 1, body)]);
    let request = json!({"export": "proficiencies"});
    let again = world.invoke_for(asked("m-1", &request), Duration::from_secs(10)).await.unwrap();
    assert_eq!(again, json!({"batchItemFailures": [{"itemIdentifier": "m-1"}]}));
    world.restart();
    let done = world.invoke(asked("m-2", &json!({"export": "proficiencies", "form": "long"}))).await.unwrap();
    assert_eq!(done, json!({"batchItemFailures": []}));
    let tables =
        |world: &World| world.s3.keys(BUCKET, "reports/").into_iter().filter(|key| key.ends_with("s.csv")).count();
    assert_eq!(tables(&world), 1, "the second message went on with what the first had begun");
    assert!(world.calls()["ListUserProficiencies"] <= 50);
    // Once that is over, the next message is the next night's.
    world.invoke(asked("m-3", &request)).await.unwrap();
    assert_eq!(tables(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_means_something_else_is_an_error() {
    let world = world(small());
    for event in [
        json!({"export": "everything"}),
        json!({"export": "proficiencies", "form": "tall"}),
        json!({"export": "user_config", "form": "wide"}),
        json!({"export": "proficiencies", "source": "s3://imports/a.csv"}),
        json!({"export": "proficiencies", "import_id": ""}),
        json!({"export": true}),
        json!({"export": "proficiencies", "import_id": "20261121T230905Z-1a2b3c4d5e6f7a8b"}),
    ] {
        assert!(world.invoke(event.clone()).await.is_err(), "{event}");
    }
    world.import(json!({"export": "proficiencies", "import_id": "mine"})).await;
    world.s3.put(BUCKET, "a.csv", "user,attribute,value,level\nzoe,Product,P01,2\n");
    for event in [
        json!({"export": "proficiencies", "form": "wide", "import_id": "mine"}),
        json!({"export": "user_config", "import_id": "mine"}),
        json!({"source": "s3://imports/a.csv", "import_id": "mine"}),
    ] {
        let error = world.invoke(event.clone()).await.unwrap_err().to_string();
        assert!(error.contains("give it another import_id"), "{event}: {error}");
    }
    let same = world.invoke(json!({"export": "proficiencies", "form": "long", "import_id": "mine"})).await.unwrap();
    assert_eq!(same["imports"][0]["status"], "succeeded");
    world.import(json!({"source": "s3://imports/a.csv", "import_id": "import"})).await;
    let error = world.invoke(json!({"export": "proficiencies", "import_id": "import"})).await.unwrap_err().to_string();
    assert!(error.contains("give it another import_id"), "{error}");
    assert_eq!(world.emulator.calls().iter().filter(|call| call.operation == Operation::DescribeUser).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_bucket_for_reports_it_says_so() {
    let world = World::built(Emulator::builder(small()).quotas(Quotas::unlimited()), &[]);
    let error = world.invoke(json!({"export": "proficiencies"})).await.unwrap_err().to_string();
    assert!(error.contains("an export needs the setting REPORT_BUCKET"), "{error}");
    let queued = batch(&[in_a_message("m-1", 1, &json!({"export": "proficiencies"}))]);
    assert_eq!(world.invoke(queued).await.unwrap(), json!({"batchItemFailures": []}), "given up");
}

#[tokio::test(start_paused = true)]
async fn settings_for_imports_do_not_concern_it() {
    let settings = [SETTINGS[0], SETTINGS[1], ("DRY_RUN", "true"), ("MODE", "replace")];
    let world = World::built(Emulator::builder(small()).quotas(Quotas::unlimited()), &settings);
    let report = world.import(json!({"export": "proficiencies", "import_id": "settings"})).await;
    assert_eq!((&report.summary["dry_run"], &report.summary["mode"]), (&json!(false), &json!("merge")));
    assert_eq!(table(&world, &report).unwrap().lines().count(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_empty_centre_is_a_table_without_rows() {
    let world = world(Instance::new(INSTANCE));
    for (n, request) in [
        json!({"export": "proficiencies", "import_id": "1"}),
        json!({"export": "proficiencies", "form": "wide", "import_id": "2"}),
        json!({"export": "user_config", "import_id": "3"}),
    ]
    .into_iter()
    .enumerate()
    {
        let report = world.import(request).await;
        assert_eq!((report.status(), table(&world, &report).unwrap().lines().count()), ("succeeded", 1), "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_pages_are_read_whatever_the_service_leaves_open() {
    for (name, switches) in Switches::matrix() {
        let emulator = Emulator::builder(with_products(5, 4)).quotas(Quotas::unlimited()).switches(switches);
        let world = World::built(emulator, &SETTINGS);
        let report = world.import(json!({"export": "proficiencies", "import_id": "pages"})).await;
        assert_eq!(table(&world, &report).unwrap().lines().count(), 21, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn its_end_is_told_but_is_no_import_s() {
    let settings = [
        SETTINGS[0],
        SETTINGS[1],
        ("EVENT_BUS_NAME", "bus"),
        ("NOTICE_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:n"),
    ];
    let world = World::built(Emulator::builder(small()).quotas(Quotas::unlimited()), &settings);
    let _logged = world.told.log("info");
    let report = world.import(json!({"export": "proficiencies", "import_id": "hr-sync-no"})).await;
    let (ends, metrics) = (world.told.ends(), world.told.metrics());
    let (finished, metrics) = (&ends[0], &metrics[0]);
    assert_eq!((&finished["level"], &finished["status"]), (&json!("INFO"), &json!("succeeded")));
    assert_eq!(finished["report"], format!("s3://{BUCKET}/{}", report.folder));
    assert_eq!((&metrics["Users"], &metrics["export"]), (&json!(3), &json!(true)));
    let described = metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"].to_string();
    for name in ["Imports", "ScheduledImportsDone", "RowsTotal"] {
        assert!(metrics.get(name).is_none() && !described.contains(&format!("\"{name}\"")), "{metrics}");
    }
    let events = world.told.events();
    let detail: Value = serde_json::from_str(events[0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!((events.len(), &detail["export"], &detail["kind"]), (1, &json!(true), &json!("proficiencies")));
    assert_eq!(world.told.notices().len(), 0, "nobody is woken for an export that succeeded");

    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUsers)));
    world.import(json!({"export": "proficiencies", "import_id": "refused"})).await;
    let notices = world.told.notices();
    assert_eq!(notices.len(), 1);
    let said = format!("{:?}", notices[0]);
    for told in ["export of proficiencies: failed", "What to do next: Ask whoever runs this function"] {
        assert!(said.contains(told), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_tells_it_to_people() {
    let world = World::over(
        Emulator::builder(small()).quotas(Quotas::unlimited()),
        &MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled),
        &SETTINGS,
    );
    let report = world.import(json!({"export": "proficiencies", "form": "wide", "import_id": "page"})).await;
    let page = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    for said in [
        "Done: the table has all that users have.",
        "Edit proficiencies.csv, and upload it to incoming/. What differs then from what users have is written.",
        "3 rows, of an instance with 3 users",
        "of the export;",
        "what users have: edit it, and upload it",
    ] {
        assert!(page.contains(said), "{said}");
    }
    for of_imports in ["Mode", "Dry run", "Rows by result", "Users in the file"] {
        assert!(!page.contains(&format!(">{of_imports}<")), "{of_imports}");
    }
}
