//! The first thing after a deployment: will imports work here?

use std::collections::BTreeMap;
use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Quotas, Rule, Switches};
use import_testkit::{MemoryS3, S3Fault, Versioning};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{BUCKET, INSTANCE, World, batch, in_a_message, instance, proficiencies, with_products};

const SETTINGS: [(&str, &str); 1] = [("REPORT_BUCKET", BUCKET)];

fn world(centre: Instance) -> World {
    World::built(Emulator::builder(centre).quotas(Quotas::of_an_account()), &SETTINGS)
}

async fn check(world: &World) -> Value {
    world.invoke(json!({"check": true})).await.unwrap()["check"].clone()
}

/// What was looked at and found otherwise than `ok`, with its sentence.
fn complaints(check: &Value) -> BTreeMap<String, (String, String)> {
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let findings = check["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] != "ok");
    findings.map(|finding| (text(finding, "what"), (text(finding, "level"), text(finding, "message")))).collect()
}

fn levels(check: &Value) -> Vec<(String, String)> {
    complaints(check).into_iter().map(|(what, (level, _))| (what, level)).collect()
}

fn found(what: &str, level: &str) -> Vec<(String, String)> {
    vec![(what.to_owned(), level.to_owned())]
}

#[tokio::test(start_paused = true)]
async fn where_all_is_well_it_says_so_and_leaves_nothing_behind() {
    let world = world(with_products(3, 2));
    let check = check(&world).await;
    assert_eq!((check["ok"].as_bool(), complaints(&check)), (Some(true), BTreeMap::new()));
    assert_eq!((check["users"].as_u64(), check["attributes"].as_u64()), (Some(3), Some(3)));
    assert_eq!(check["quotas"]["ListUserProficiencies"], json!({"rate": 9.0, "burst": 5, "from": "service-quotas"}));
    assert_eq!(check["minutes_per_1000_users"], 9.3, "1.8 additions a second");
    let whats: Vec<_> = check["findings"].as_array().unwrap().iter().map(|finding| finding["what"].as_str()).collect();
    let expected = [
        "settings",
        "quotas",
        "users",
        "attributes",
        "proficiencies",
        "user_settings",
        "report",
        "state",
        "versions",
        "events",
        "not_tried",
    ];
    assert_eq!(whats, expected.map(Some));
    let untried = check["findings"][10]["message"].as_str().unwrap();
    for action in ["connect:AssociateUserProficiencies", "connect:UpdateUserConfig", "sqs:ChangeMessageVisibility"] {
        assert!(untried.contains(action), "{untried}");
    }
    assert!(world.emulator.calls().iter().all(|call| !call.operation.to_string().contains("Associate")));
    let called: Vec<_> = world.calls().into_keys().collect();
    let reads = [
        "DescribePredefinedAttribute",
        "DescribeUser",
        "ListServiceQuotas",
        "ListUserProficiencies",
        "ListUsers",
        "SearchPredefinedAttributes",
    ];
    assert_eq!(called, reads, "each read is tried, and no write");
    assert_eq!(world.s3.keys(BUCKET, ""), Vec::<String>::new());
    // And then it imports.
    assert_eq!(
        world.drop_file("incoming/a.csv", proficiencies("agent000,Language,German,3\n")).await.status(),
        "succeeded"
    );
}

#[tokio::test(start_paused = true)]
async fn each_refusal_is_a_finding_that_says_what_to_do_and_keeps_the_others_from_nothing() {
    for (operation, what) in [
        (Operation::ListUsers, "users"),
        (Operation::SearchPredefinedAttributes, "attributes"),
        (Operation::DescribePredefinedAttribute, "attributes"),
        (Operation::ListUserProficiencies, "proficiencies"),
        (Operation::DescribeUser, "user_settings"),
    ] {
        let world = world(with_products(3, 2));
        world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(operation)));
        let check = check(&world).await;
        assert_eq!((check["ok"].as_bool(), levels(&check)), (Some(false), found(what, "error")), "{operation}");
        let (_, message) = &complaints(&check)[what];
        assert!(message.contains(&format!("connect:{operation}")), "{message}");
        assert_eq!(check["findings"].as_array().unwrap().last().unwrap()["what"], "not_tried", "{operation}");
    }
    let world = world(with_products(3, 2));
    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListServiceQuotas)));
    let check = check(&world).await;
    assert_eq!((check["ok"].as_bool(), levels(&check)), (Some(true), found("quotas", "warning")));
    assert!(complaints(&check)["quotas"].1.contains("servicequotas:ListServiceQuotas"));
    assert_eq!(check["quotas"]["ListUsers"]["from"], "default");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_an_alias_or_elsewhere_is_told() {
    const OTHER: &str = "99999999-2222-3333-4444-555555555555";
    let elsewhere = |id: &str, region: &str, account: &str| format!("arn:aws:connect:{region}:{account}:instance/{id}");
    for (id, told) in [
        ("my-centre".to_owned(), "looks like an alias"),
        (
            elsewhere(OTHER, "us-east-1", "111122223333"),
            "of the Region us-east-1, and the function runs in eu-central-1",
        ),
        (
            elsewhere(OTHER, "eu-central-1", "999999999999"),
            "of the account 999999999999, and the function runs in 111122223333",
        ),
        (OTHER.to_owned(), "in the function's own account and Region?"),
    ] {
        let settings = [SETTINGS[0], ("CONNECT_INSTANCE_ID", id.as_str())];
        let world = World::built(Emulator::builder(with_products(1, 1)).quotas(Quotas::unlimited()), &settings);
        let check = check(&world).await;
        assert_eq!(check["ok"], false, "{id}");
        let told_by =
            complaints(&check).into_values().any(|(level, message)| level == "error" && message.contains(told));
        assert!(told_by, "{id}: {check:#}");
    }
    for (region, expected) in [("eu-central-1", vec![]), ("us-east-1", found("settings", "warning"))] {
        let settings = [SETTINGS[0], ("CONNECT_INSTANCE_ID", &elsewhere(INSTANCE, region, "111122223333"))];
        let world = World::built(Emulator::builder(with_products(1, 1)).quotas(Quotas::of_an_account()), &settings);
        let check = check(&world).await;
        assert_eq!((check["ok"].as_bool(), levels(&check)), (Some(true), expected), "a replica answers: {region}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_not_as_it_should_be_is_told() {
    let emulator = || Emulator::builder(with_products(1, 1)).quotas(Quotas::of_an_account());
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Off);
    let world = World::over(emulator(), &s3, &SETTINGS);
    assert_eq!(levels(&check(&world).await), found("versions", "warning"));
    s3.set_event_bridge(BUCKET, false);
    let found_off = check(&world).await;
    assert_eq!((found_off["ok"].as_bool(), levels(&found_off).len()), (Some(true), 2));
    assert!(complaints(&found_off)["events"].1.contains("Turn EventBridge on"));

    let none = World::over(emulator(), &MemoryS3::new(), &SETTINGS);
    let check_none = check(&none).await;
    assert_eq!(check_none["ok"], false);
    assert_eq!(complaints(&check_none).into_keys().collect::<Vec<_>>(), ["events", "report", "state"]);

    for (operation, action) in [
        ("PutObject", "s3:PutObject"),
        ("GetObject", "s3:GetObject"),
        ("HeadObject", "s3:GetObject"),
        ("ListObjectsV2", "s3:ListBucket"),
        ("DeleteObject", "s3:DeleteObject"),
    ] {
        let world = World::built(emulator(), &SETTINGS);
        world.s3.fail_always(operation, Some("state/"), S3Fault::AccessDenied403);
        let check = check(&world).await;
        assert_eq!((check["ok"].as_bool(), levels(&check)), (Some(false), found("state", "error")), "{operation}");
        assert!(complaints(&check)["state"].1.contains(&format!("needs {action} there")), "{check:#}");
        let left = usize::from(operation == "DeleteObject");
        assert_eq!(world.s3.keys(BUCKET, "").len(), left, "{operation}: what was written is deleted");
    }
    let world = World::built(emulator(), &SETTINGS);
    world.s3.fail_always("GetBucketNotificationConfiguration", None, S3Fault::AccessDenied403);
    let unseen = check(&world).await;
    assert_eq!((unseen["ok"].as_bool(), levels(&unseen)), (Some(true), found("events", "warning")));
    for (fault, told) in
        [(S3Fault::PermanentRedirect301, "in another Region"), (S3Fault::NoSuchBucket404, "There is no bucket")]
    {
        let world = World::built(emulator(), &SETTINGS);
        world.s3.fail_always("PutObject", None, fault);
        let check = check(&world).await;
        assert!(complaints(&check)["report"].1.contains(told), "{check:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_tried_is_named() {
    let world = world(with_products(3, 2));
    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUsers)));
    let check = check(&world).await;
    let untried = check["findings"].as_array().unwrap().last().unwrap()["message"].as_str().unwrap().to_owned();
    assert!(untried.contains("connect:ListUserProficiencies, connect:DescribeUser"), "{untried}");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_thousand_users_knows_one_bucket_over_all_operations() {
    let settings = [SETTINGS[0], ("REQUESTS_PER_SECOND", "2"), ("TOTAL_REQUESTS_PER_SECOND", "2")];
    let world = World::built(Emulator::builder(with_products(3, 2)), &settings);
    assert_eq!(check(&world).await["minutes_per_1000_users"], 16.7);
}

#[tokio::test(start_paused = true)]
async fn without_a_bucket_for_reports_it_says_so() {
    let world = World::built(Emulator::builder(with_products(1, 1)).quotas(Quotas::of_an_account()), &[]);
    let check = check(&world).await;
    assert_eq!((check["ok"].as_bool(), levels(&check)), (Some(false), found("settings", "error")));
    assert!(complaints(&check)["settings"].1.starts_with("REPORT_BUCKET is not set."));
}

#[tokio::test(start_paused = true)]
async fn an_empty_instance_is_a_warning() {
    let world = world(Instance::new(INSTANCE));
    let check = check(&world).await;
    assert_eq!((check["ok"].as_bool(), check["users"].as_u64()), (Some(true), Some(0)));
    assert_eq!(levels(&check).into_iter().map(|(what, _)| what).collect::<Vec<_>>(), ["attributes", "users"]);
}

#[tokio::test(start_paused = true)]
async fn it_answers_within_seconds_whatever_does_not() {
    let large = World::built(Emulator::builder(instance(10_000)).quotas(Quotas::of_an_account()), &SETTINGS);
    let began = Instant::now();
    let check_large = check(&large).await;
    assert_eq!((check_large["ok"].as_bool(), check_large["users"].as_u64()), (Some(true), Some(10_000)));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    let dead = world(with_products(3, 2));
    dead.emulator.set_faults(Faults::none().rule(Rule::new(Fault::Slow(Duration::from_secs(3600)))));
    for operation in ["PutObject", "GetBucketNotificationConfiguration"] {
        dead.s3.fail_always(operation, None, S3Fault::Slow(Duration::from_secs(3600)));
    }
    let began = Instant::now();
    let check_dead = check(&dead).await;
    assert!(began.elapsed() <= Duration::from_secs(41), "{:?}", began.elapsed());
    assert_eq!(check_dead["ok"], false);
    let began = Instant::now();
    let in_short = dead.invoke_for(json!({"check": true}), Duration::from_secs(8)).await.unwrap();
    assert_eq!((in_short["check"]["ok"].as_bool(), began.elapsed() < Duration::from_secs(8)), (Some(false), true));
    assert_eq!(
        complaints(&check_dead).into_keys().collect::<Vec<_>>(),
        ["attributes", "events", "quotas", "report", "state", "users"]
    );
    // The next check begins anew.
    dead.emulator.set_faults(Faults::none());
    dead.s3.heal();
    assert_eq!(check(&dead).await["ok"], true);
}

#[tokio::test(start_paused = true)]
async fn a_mistyped_check_is_an_error_and_a_queued_one_is_given_up() {
    let world = world(with_products(1, 1));
    for event in
        [json!({"check": false}), json!({"check": true, "source": "s3://imports/a.csv"}), json!({"check": "yes"})]
    {
        assert!(world.invoke(event.clone()).await.is_err(), "{event}");
    }
    let queued = batch(&[in_a_message("m-1", 1, &json!({"check": true}))]);
    assert_eq!(world.invoke(queued).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(world.emulator.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_reads_all_pages() {
    let switches = Switches { page_size_cap: Some(2), empty_first_page: true, ..Switches::default() };
    let emulator = Emulator::builder(with_products(5, 1)).quotas(Quotas::unlimited()).switches(switches);
    let world = World::built(emulator, &[SETTINGS[0], ("REQUESTS_PER_SECOND", "1000")]);
    let check = check(&world).await;
    assert_eq!((check["users"].as_u64(), check["attributes"].as_u64()), (Some(5), Some(3)));
}
