//! An import ends, whatever happens to it, and whoever should know hears of it.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule};
use import_testkit::{MemoryS3, S3Fault, Versioning};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::services::Mood;
use crate::world::{BUCKET, Report, World, batch, in_a_message, instance, proficiencies, user_id};

const SETTINGS: [(&str, &str); 3] = [
    ("REQUESTS_PER_SECOND", "20"),
    ("REQUEST_BURST", "5"),
    ("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/111122223333/dead.fifo"),
];
const N_USERS: usize = 60;

fn rows(n_users: usize) -> String {
    let row = |n| format!("agent{n:03},Language,German,3\nagent{n:03},Product,P01,4\n");
    proficiencies((0..n_users).map(row).collect::<String>())
}

fn world() -> World {
    world_with(&SETTINGS)
}

fn world_with(settings: &[(&str, &str)]) -> World {
    let emulator = Emulator::builder(instance(N_USERS)).latency(Duration::from_millis(80));
    World::built(emulator.quotas(Quotas::all(20.0, 5)), settings)
}

/// A world in which an import died half-way, and its event.
async fn half_way() -> (World, Value) {
    let mut world = world();
    let event = world.dropped("incoming/a.csv", rows(N_USERS));
    assert!(timeout(Duration::from_millis(2100), world.invoke(event.clone())).await.is_err());
    world.restart();
    assert!((0..N_USERS).any(|n| !world.held(n).is_empty()), "it has begun with users");
    (world, event)
}

/// Dropping undo.csv brings back that nobody has anything.
async fn undo(world: &World, report: Report) {
    world.emulator.set_faults(Faults::none());
    world.s3.heal();
    world.drop_file("incoming/undo.csv", report.undo.expect("there is something to take back")).await;
    for n in 0..N_USERS {
        assert_eq!(world.held(n), Vec::<String>::new(), "agent{n:03}");
    }
}

fn ended(report: &Report) -> (&str, Option<&str>) {
    (report.status(), report.summary["code"].as_str())
}

fn message(report: &Report) -> &str {
    report.summary["message"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn half_way_its_users_are_no_longer_listed() {
    let (world, event) = half_way().await;
    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUsers)));
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("failed", Some("AccessDeniedException")));
    assert!(report.counts()["pending"] > 40, "{:?}", report.counts());
    undo(&world, report).await;
}

#[tokio::test(start_paused = true)]
async fn half_way_the_object_is_deleted_for_good() {
    let (world, event) = half_way().await;
    let version = event["detail"]["object"]["version-id"].as_str().unwrap();
    world.s3.delete_version(BUCKET, "incoming/a.csv", version);
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("failed", Some("object_gone")));
    assert_eq!(report.results, None);
    assert!(report.summary["rows"]["added"].as_u64() > Some(10), "{}", report.summary);
    assert_eq!(report.summary["kind"], "proficiencies");
    undo(&world, report).await;
}

/// The delivery that ends such an import may die of it, too: the next one knows all that it knew.
#[tokio::test(start_paused = true)]
async fn what_was_done_with_a_deleted_object_outlasts_another_death() {
    let (mut world, event) = half_way().await;
    let version = event["detail"]["object"]["version-id"].as_str().unwrap();
    world.s3.delete_version(BUCKET, "incoming/a.csv", version);
    world.s3.fail_always("PutObject", Some("/undo.csv"), S3Fault::Internal500);
    assert!(world.invoke(event.clone()).await.is_err(), "its report cannot be written");
    world.restart();
    world.s3.heal();
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("failed", Some("object_gone")));
    assert!(report.summary["rows"]["added"].as_u64() > Some(10), "{}", report.summary);
    undo(&world, report).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_may_never_be_read_is_told_with_what_to_do() {
    for (fault, code, what) in [
        (S3Fault::InvalidObjectState403, "InvalidObjectState", "Restore it"),
        (S3Fault::AccessDenied403, "AccessDenied", "kms:Decrypt"),
    ] {
        let world = world();
        let event = world.dropped("incoming/a.csv", rows(N_USERS));
        world.s3.fail_always("GetObject", Some("incoming/a.csv"), fault);
        if fault == S3Fault::AccessDenied403 {
            // The same permission, and an answer without a code.
            world.s3.fail_always("HeadObject", Some("incoming/a.csv"), fault);
        }
        let report = world.import(event.clone()).await;
        assert_eq!(ended(&report), ("failed", Some(code)));
        assert!(message(&report).contains(what), "{}", message(&report));

        let (world, event) = half_way().await;
        world.s3.fail_always("GetObject", Some("incoming/a.csv"), fault);
        let report = world.import(event).await;
        assert_eq!(ended(&report), ("failed", Some(code)), "half-way");
        undo(&world, report).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_versions_an_object_that_may_never_be_copied_is_told_too() {
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Off);
    let world = World::over(Emulator::builder(instance(1)).quotas(Quotas::unlimited()), &s3, &SETTINGS);
    let event = world.dropped("incoming/a.csv", rows(1));
    s3.fail_always("CopyObject", None, S3Fault::InvalidObjectState403);
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("failed", Some("InvalidObjectState")));
}

/// Delivers a message until it is done; the visibility that each delivery asked for.
async fn delivered(world: &World, event: &Value, most: u32) -> Vec<u64> {
    for receives in 1..=most {
        let answer = world.invoke(batch(&[in_a_message("m1", receives, event)])).await.unwrap();
        if answer == json!({"batchItemFailures": []}) {
            break;
        }
        assert!(receives < most, "it comes again for ever");
    }
    world.sqs.requests().iter().map(|asked| asked["VisibilityTimeout"].as_u64().unwrap()).collect()
}

fn dead_letter(world: &World) -> (Value, String) {
    let letters = world.sqs.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(letter["QueueUrl"], SETTINGS[2].1);
    assert_eq!((&letter["MessageGroupId"], &letter["MessageDeduplicationId"]), (&json!("of its own"), &json!("m1")));
    let body = serde_json::from_str(letter["MessageBody"].as_str().unwrap()).unwrap();
    (body, letter["MessageAttributes"]["reason"]["StringValue"].as_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_report_that_may_not_be_written_gives_the_message_up_and_the_import_goes_on_later() {
    let world = world();
    let event = world.dropped("incoming/a.csv", rows(N_USERS));
    world.s3.fail_always("PutObject", Some("results.csv"), S3Fault::AccessDenied403);
    // What was imported is progress; after that five refusals in a row are enough.
    assert_eq!(delivered(&world, &event, 7).await, [60; 5]);
    let (body, reason) = dead_letter(&world);
    assert!(body == event && reason.contains("results.csv") && reason.contains("AccessDenied"), "{reason}");
    world.s3.heal();
    let report = world.import(event).await;
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 120));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_given_up_keeps_no_other_of_its_message_from_its_turn() {
    let world = world();
    let record = |key: &str| {
        let version = world.s3.put(BUCKET, key, rows(2)).version_id;
        json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
               "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "versionId": version, "sequencer": "01"}}})
    };
    let event = json!({"Records": [record("incoming/a.csv"), record("incoming/b.csv")]});
    world.s3.fail_always("PutObject", Some("reports/a.csv/"), S3Fault::AccessDenied403);
    delivered(&world, &event, 7).await;
    let (body, reason) = dead_letter(&world);
    assert!(body == event && reason.contains("AccessDenied"), "{reason}");
    let reported = world.s3.keys(BUCKET, "reports/b.csv/");
    assert!(reported.iter().any(|key| key.ends_with("/results.csv")), "{reported:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_elsewhere_or_nowhere_is_given_up_after_five_receives() {
    for (source, fault) in [
        ("s3://imports/incoming/a.csv", Some(S3Fault::PermanentRedirect301)),
        ("s3://imports/incoming/a.csv", Some(S3Fault::InvalidRequest400)),
        ("s3://a-mistyped-bucket/a.csv", None),
    ] {
        let world = world();
        if let Some(fault) = fault {
            world.s3.fail_always("HeadObject", None, fault);
        }
        assert_eq!(delivered(&world, &json!({ "source": source }), 6).await, [20; 4], "{source} {fault:?}");
        assert_eq!(dead_letter(&world).0, json!({ "source": source }));
    }
}

#[tokio::test(start_paused = true)]
async fn an_s3_that_is_down_loses_nothing() {
    let world = world();
    let event = world.dropped("incoming/a.csv", rows(N_USERS));
    world.s3.fail_always("HeadObject", None, S3Fault::ServiceUnavailable503);
    for receives in 1..=12 {
        let answer = world.invoke(batch(&[in_a_message("m1", receives, &event)])).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "received {receives} times");
    }
    assert!(world.sqs.requests().iter().all(|asked| asked["VisibilityTimeout"] == 60));
    world.s3.heal();
    delivered(&world, &event, 1).await;
    assert!(world.sqs.dead_letters().is_empty() && (0..N_USERS).all(|n| world.held(n).len() == 2));
}

#[tokio::test(start_paused = true)]
async fn what_means_nothing_goes_to_the_dead_letters() {
    let world = world();
    let nonsense = json!({"hello": "world"});
    delivered(&world, &nonsense, 1).await;
    let (body, reason) = dead_letter(&world);
    assert!(body == nonsense && reason.contains("expected"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn what_the_dead_letter_queue_does_not_take_comes_again() {
    let world = world();
    world.sqs.set_mood(Mood::Hangs);
    let began = Instant::now();
    let message = batch(&[in_a_message("m1", 1, &json!({"hello": "world"}))]);
    let answer = world.invoke_for(message, Duration::from_secs(60)).await.unwrap();
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m1");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_holds_no_delivery_past_its_time() {
    let world = world();
    let event = world.dropped("incoming/a.csv", rows(N_USERS));
    world.sqs.set_mood(Mood::Hangs);
    let began = Instant::now();
    let time = Duration::from_secs(3);
    let answer = world.invoke_for(batch(&[in_a_message("m1", 1, &event)]), time).await.unwrap();
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m1");
    assert!(began.elapsed() < time, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn twenty_errors_in_a_row_without_progress_end_it() {
    let (world, event) = half_way().await;
    world.s3.fail_always("GetObject", Some("incoming/a.csv"), S3Fault::Internal500);
    for _ in 0..21 {
        world.invoke(event.clone()).await.unwrap_err();
    }
    world.s3.heal();
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("failed", Some("no_progress")));
    assert!(message(&report).contains("incoming/a.csv"), "{}", message(&report));
    assert!(report.counts()["pending"] > 40);
    undo(&world, report).await;
}

#[tokio::test(start_paused = true)]
async fn an_import_that_is_done_but_for_its_report_is_no_failure() {
    let world = world();
    let event = world.dropped("incoming/a.csv", rows(4));
    world.s3.fail_always("PutObject", Some("results.csv"), S3Fault::Internal500);
    for _ in 0..21 {
        world.invoke(event.clone()).await.unwrap_err();
    }
    world.s3.heal();
    let report = world.import(event).await;
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 8));
}

/// A warm process serves one import after another.
#[tokio::test(start_paused = true)]
async fn nothing_of_one_import_is_told_of_the_next() {
    let world = world();
    world.drop_file("incoming/a.csv", rows(N_USERS)).await;
    world.s3.fail_always("GetObject", Some("incoming/b.csv"), S3Fault::Slow(Duration::from_secs(3600)));
    let event = world.dropped("incoming/b.csv", rows(N_USERS));
    let answer = world.invoke_for(batch(&[in_a_message("m1", 1, &event)]), Duration::from_secs(60)).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    let of_b = |key: &String| key.contains("b.csv") && key.ends_with("/summary.json");
    let key = world.s3.keys(BUCKET, "reports/").into_iter().find(of_b).unwrap();
    let summary: Value = serde_json::from_slice(&world.s3.get(BUCKET, &key).unwrap()).unwrap();
    assert_eq!((&summary["rows"]["total"], &summary["calls"]), (&json!(0), &json!({})), "{summary}");
}

#[tokio::test(start_paused = true)]
async fn cancelled_while_the_service_is_down_it_ends_within_ten_seconds() {
    for after in [Duration::from_millis(200), Duration::from_secs(2)] {
        let world = world();
        let event = world.dropped("incoming/a.csv", rows(N_USERS));
        let down = Rule::new(Fault::Slow(Duration::from_secs(3600)));
        let cancelled_at = std::cell::Cell::new(None);
        let cancel = async {
            sleep(after).await;
            world.emulator.set_faults(Faults::none().rule(down));
            sleep(Duration::from_secs(60)).await;
            let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
            world.s3.put(BUCKET, &key.replace("summary.json", "cancel"), "");
            cancelled_at.set(Some(Instant::now()));
        };
        let (answer, ()) = tokio::join!(world.invoke(event), cancel);
        let took = cancelled_at.get().unwrap().elapsed();
        let report = world.report(&answer.unwrap()["imports"][0]);
        assert_eq!(report.status(), "cancelled", "{after:?}");
        assert!(took < Duration::from_secs(10), "{after:?}: {took:?}");
        if report.undo.is_some() {
            undo(&world, report).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn overtaken_half_way_the_rest_is_left_to_the_newer_one() {
    let (world, event) = half_way().await;
    let newer = rows(N_USERS).replace(",3\n", ",5\n");
    assert_eq!(world.drop_file("incoming/a.csv", newer).await.status(), "succeeded");
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("failed", Some("superseded")));
    assert!(report.counts()["pending"] > 40 && report.undo.is_some());
    assert!((0..N_USERS).all(|n| world.held(n)[0] == "Language=German:5"));
}

#[tokio::test(start_paused = true)]
async fn overtaken_before_its_first_write_it_is_rejected() {
    let mut world = world();
    let event = world.dropped("incoming/a.csv", rows(N_USERS));
    assert!(timeout(Duration::from_millis(20), world.invoke(event.clone())).await.is_err());
    world.restart();
    world.drop_file("incoming/a.csv", rows(N_USERS)).await;
    let report = world.import(event).await;
    assert_eq!(ended(&report), ("rejected", Some("superseded")));
}

#[tokio::test(start_paused = true)]
async fn a_redriven_request_joins_the_import_that_it_began() {
    let world = world();
    world.s3.put(BUCKET, "lists/a.csv", rows(N_USERS));
    let request = json!({"source": "s3://imports/lists/a.csv"});
    let deliver = async |id: &str, time| {
        let answer = world.invoke_for(batch(&[in_a_message(id, 1, &request)]), time).await.unwrap();
        answer["batchItemFailures"].as_array().unwrap().is_empty()
    };
    assert!(!deliver("m1", Duration::from_millis(1500)).await);
    assert!(!deliver("redriven", Duration::from_millis(1500)).await);
    assert!(deliver("redriven", Duration::from_secs(900)).await);
    let summaries = || world.s3.keys(BUCKET, "reports/").into_iter().filter(|key| key.ends_with("/summary.json"));
    assert_eq!(summaries().count(), 1, "it is one import");
    assert!(deliver("m1", Duration::from_secs(900)).await, "the first message has its answer");
    assert_eq!(summaries().count(), 1);
    assert!(deliver("another", Duration::from_secs(900)).await, "the same again, after it is over, is another import");
    assert_eq!(summaries().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_names_an_import_means_what_that_was_given() {
    let world = world_with(&[SETTINGS[0], SETTINGS[1], ("REPORT_BUCKET", BUCKET)]);
    world.s3.put(BUCKET, "lists/a.csv", rows(N_USERS));
    world.s3.put(BUCKET, "lists/b.csv", rows(1));
    let real = json!({"source": "s3://imports/lists/a.csv", "import_id": "november"});
    let answer = world.invoke_for(real.clone(), Duration::from_secs(3)).await.unwrap();
    let import_id = answer["imports"][0]["import_id"].as_str().unwrap();
    for (member, value, names) in [
        ("dry_run", json!(true), "dry_run"),
        ("source", json!("s3://imports/lists/b.csv"), "lists/a.csv"),
        ("mode", json!("replace"), "replace"),
    ] {
        let mut other = real.clone();
        other[member] = value;
        let error = world.invoke(other.clone()).await.unwrap_err().to_string();
        assert!(error.contains("november") && error.contains(names), "{error}");
        other["import_id"] = json!(import_id);
        world.invoke(other).await.unwrap_err();
    }
    world.invoke(json!({"import_id": "20261121T230905Z-0000000000000000"})).await.unwrap_err();
    let report = world.import(json!({"import_id": import_id})).await;
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 120));
    assert_eq!(world.import(real).await.folder, report.folder);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_too_long_for_its_report_has_a_shorter_folder() {
    let world = world();
    let key = format!("incoming/{}.csv", "ä".repeat(500));
    let report = world.drop_file(&key, rows(1)).await;
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 2));
    let folder = report.folder.strip_prefix("reports/").unwrap();
    assert!(folder.starts_with(&"ä".repeat(100)) && folder.as_bytes()[200] == b'~', "{folder}");
    let again = world.drop_file(&format!("incoming/{}.tsv", "ä".repeat(500)), rows(1)).await;
    assert_ne!(again.folder[..230], report.folder[..230], "another key has another folder");
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_somebody_deletes_is_written_anew() {
    let emulator = Emulator::builder(instance(N_USERS)).quotas(Quotas::all(1.0, 1));
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1"), ("REQUEST_BURST", "1")]);
    let event = world.dropped("incoming/a.csv", rows(N_USERS));
    let delete = async {
        sleep(Duration::from_secs(20)).await;
        let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
        world.s3.delete(BUCKET, &key);
        sleep(Duration::from_secs(20)).await;
        assert!(world.s3.get(BUCKET, &key).is_some(), "it is renewed all the same");
    };
    let (answer, ()) = tokio::join!(world.invoke(event), delete);
    assert_eq!(world.report(&answer.unwrap()["imports"][0]).status(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn users_who_are_right_cost_few_requests() {
    let mut centre = instance(0);
    for n in 0..200 {
        let held = [("Language", "German", 3.0), ("Product", "P01", 4.0)];
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
    }
    let emulator = Emulator::builder(centre).quotas(Quotas::all(2.0, 5));
    let world = World::built(emulator, &[]);
    let report = world.drop_file("incoming/a.csv", rows(200)).await;
    assert_eq!(report.counts()["unchanged"], 400);
    let segments =
        world.s3.calls().into_iter().filter(|(op, key)| op == "PutObject" && key.contains("/journal/")).count();
    // 100 seconds, an outcome within 5 of them.
    assert!((20..=30).contains(&segments), "{segments}");
}
