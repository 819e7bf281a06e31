//! Events, identity and answers.

use std::time::Duration;

use connect_emulator::{Emulator, Quotas};
use import_testkit::{MemoryS3, S3Fault, Versioning};
use serde_json::{Value, json};

use crate::world::{BUCKET, Report, World, batch, in_a_message, instance, user_id};

const CSV: &str = "user,attribute,value,level\nagent000,Language,German,3\nagent001,Language,German,3\n";

#[tokio::test(start_paused = true)]
async fn a_finished_import_gives_the_same_answer_for_one_read() {
    let world = World::new(instance(2));
    let event = world.dropped("incoming/Köln Süd+mehr=1%.csv", CSV);
    let first = world.invoke(event.clone()).await.unwrap();
    world.s3.clear_calls();
    world.emulator.reset_stats();
    assert_eq!(world.invoke(event).await.unwrap(), first);
    let calls = world.s3.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].1.ends_with("/import.json") && world.calls().is_empty());
    let report = world.report(&first["imports"][0]);
    assert!(report.folder.starts_with("reports/Köln Süd+mehr=1%.csv/20"), "{}", report.folder);
    assert_eq!(report.summary["deliveries"], 1);
    assert_eq!(first["imports"][0]["rows"]["added"], 2);
}

#[tokio::test(start_paused = true)]
async fn every_record_of_a_notification_is_imported_and_its_keys_are_decoded() {
    let world = World::new(instance(2));
    world.s3.put(BUCKET, "incoming/Köln Süd+mehr.csv", CSV);
    world.s3.put(BUCKET, "incoming/b=1%.csv", CSV);
    let record = |key: &str| {
        json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
               "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "sequencer": "01"}}})
    };
    let keys =
        ["incoming/K%C3%B6ln+S%C3%BCd%2Bmehr.csv", "elsewhere/a.csv", "incoming/b%3D1%25.csv", "incoming/gone.csv"];
    let answer = world.invoke(json!({"Records": keys.map(record)})).await.unwrap();
    let statuses: Vec<_> =
        answer["imports"].as_array().unwrap().iter().map(|import| import["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["succeeded", "succeeded", "failed"], "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_event_bridge_key_that_is_not_found_is_tried_decoded() {
    let world = World::new(instance(2));
    let mut event = world.dropped("incoming/two words.csv", CSV);
    event["detail"]["object"]["key"] = json!("incoming/two+words.csv");
    let answer = world.invoke(event).await.unwrap();
    assert_eq!(answer["imports"][0]["status"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_imported_is_passed_over() {
    let world = World::new(instance(2));
    for key in ["a.csv", "reports/a.csv/x/results.csv", "state/x/source", "incoming/folder/"] {
        let event = world.dropped(key, CSV);
        assert_eq!(world.invoke(event).await.unwrap(), json!({"imports": []}), "{key}");
    }
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET});
    assert_eq!(world.invoke(test).await.unwrap(), json!({"imports": []}));
    assert!(world.invoke(json!({"hello": "world"})).await.unwrap_err().to_string().contains("expected"));
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_is_answered_and_done() {
    let world = World::new(instance(2));
    let event = world.dropped("incoming/a.csv", CSV);
    world.s3.delete(BUCKET, "incoming/a.csv");
    let with_version = world.invoke(event.clone()).await.unwrap();
    assert_eq!(with_version["imports"][0]["status"], "succeeded", "the version is still there");
    let never = json!({"source": "s3://imports/incoming/never.csv"});
    let report = world.import(never.clone()).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("no_source")));
    assert!(report.folder.starts_with("reports/never.csv/"), "{}", report.folder);
    let done = world.invoke(batch(&[in_a_message("m1", 1, &never)])).await.unwrap();
    assert_eq!(done, json!({"batchItemFailures": []}));
}

#[tokio::test(start_paused = true)]
async fn without_versions_the_object_is_copied_and_the_copy_is_cleared_away() {
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Off);
    let world = World::over(Emulator::builder(instance(2)).quotas(Quotas::unlimited()), &s3, &[]);
    let older = world.dropped("incoming/a.csv", CSV);
    let newer = world.dropped("incoming/a.csv", CSV.replace(",3", ",4"));
    let answer = world.invoke(older).await.unwrap();
    assert_eq!(answer["imports"][0]["status"], "rejected", "it was overwritten, and the newer one has its own event");
    let answer = world.invoke(newer).await.unwrap();
    assert_eq!(world.report(&answer["imports"][0]).counts()["added"], 2);
    assert_eq!(world.held(0), ["Language=German:4"]);
    let state = world.s3.keys(BUCKET, "state/");
    assert!(!state.iter().any(|key| key.ends_with("/source") || key.contains("/journal/")), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_served_in_order_and_what_means_nothing_is_done() {
    let world = World::new(instance(2));
    let event = world.dropped("incoming/a.csv", CSV);
    let messages = [
        in_a_message("m1", 1, &json!({"hello": "world"})),
        in_a_message("m2", 1, &event),
        in_a_message("m3", 1, &json!({"source": "s3://imports/incoming/a.csv", "dryrun": true})),
    ];
    assert_eq!(world.invoke(batch(&messages)).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(world.held(0), ["Language=German:3"]);
    assert!(world.sqs.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_import_that_is_not_over_at_the_deadline_is_delivered_again() {
    let quotas = Quotas::all(2.0, 5);
    let world = World::built(Emulator::builder(instance(100)).quotas(quotas), &[]);
    let rows: String = (0..100).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/a.csv", format!("user,attribute,value,level\n{rows}"));
    let other = world.dropped("incoming/b.csv", CSV);
    let messages = batch(&[in_a_message("m1", 1, &event), in_a_message("m2", 1, &other)]);
    let answer = world.invoke_for(messages, Duration::from_secs(30)).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}));
    let asked = world.sqs.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["VisibilityTimeout"], 3);
    assert_eq!(asked[0]["ReceiptHandle"], "receipt-m1");

    let error = world.invoke_for(event.clone(), Duration::from_secs(10)).await.unwrap_err();
    assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "ImportInProgress");

    let mut request = json!({"source": "s3://imports/incoming/a.csv", "import_id": "by-hand"});
    let answer = world.invoke_for(request.clone(), Duration::from_secs(10)).await.unwrap();
    let import = &answer["imports"][0];
    assert_eq!(import["status"], "in_progress");
    let report = world.report(import);
    assert!(report.summary["rows"]["unchanged"].as_u64().unwrap() > 0, "{}", report.summary);
    assert!(report.summary["expected_at"].is_string());
    request["import_id"] = import["import_id"].clone();
    let answer = world.invoke(request).await.unwrap();
    assert_eq!(answer["imports"][0]["import_id"], import["import_id"], "the id of the answer names the import, too");
    assert_eq!(answer["imports"][0]["status"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn an_error_before_the_import_began_is_given_up_after_five_receives() {
    let world = World::new(instance(2));
    let event = world.dropped("incoming/a.csv", CSV);
    for (receives, again) in [(1, 1), (4, 1), (5, 0)] {
        world.s3.fail_next("GetObject", Some("import.json"), S3Fault::AccessDenied403);
        let answer = world.invoke(batch(&[in_a_message("m1", receives, &event)])).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), again, "received {receives} times");
    }
    assert_eq!(world.sqs.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_newest_object_of_a_folder_is_meant_by_a_request_for_the_folder() {
    let world = World::new(instance(2));
    world.s3.put(BUCKET, "hr/z-old.csv", CSV.replace(",3", ",1"));
    world.s3.put(BUCKET, "hr/a-new.csv", CSV.replace(",3", ",5"));
    let request = json!({"source": "s3://imports/hr/", "import_id": "hr-sync-2026-11-22T02:00:00Z"});
    let answer = world.invoke(request.clone()).await.unwrap();
    assert_eq!(world.held(0), ["Language=German:5"]);
    let report = world.report(&answer["imports"][0]);
    assert!(report.folder.starts_with("reports/hr/a-new.csv/"), "{}", report.folder);
    world.s3.put(BUCKET, "hr/newer.csv", CSV.replace(",3", ",2"));
    assert_eq!(world.invoke(request).await.unwrap(), answer, "the same name is the same import");
}

#[tokio::test(start_paused = true)]
async fn what_marks_a_folder_and_what_lies_deeper_is_not_its_newest_file() {
    let world = World::new(instance(2));
    let csv = |level: u8| CSV.replace(",3", &format!(",{level}"));
    world.s3.put(BUCKET, "hr/", "");
    world.s3.put(BUCKET, "hr/old.csv", csv(1));
    world.s3.put(BUCKET, "hr/Newest.TXT", csv(4));
    for key in ["hr/archive/a.csv", "hr/_SUCCESS", "hr/Newest.TXT.md5", "hr/a.csv.done", "hr/csv", "hrx/a.csv"] {
        world.s3.put(BUCKET, key, csv(5));
    }
    world.s3.put(BUCKET, "hr/empty.csv", "");
    let report = world.import(json!({"source": "s3://imports/hr/"})).await;
    assert_eq!(world.held(0), ["Language=German:4"]);
    assert!(report.folder.starts_with("reports/hr/Newest.TXT/"), "{}", report.folder);
}

#[tokio::test(start_paused = true)]
async fn a_folder_without_a_file_or_with_an_old_one_is_rejected_below_its_name() {
    let hours_ago = |hours: f64| std::time::SystemTime::now() - Duration::from_secs_f64(hours * 3600.0);
    let request = |name: &str, max_age: Value| json!({"source": name, "max_age_hours": max_age});
    let ended = |report: &Report| (report.status().to_owned(), report.summary["code"].as_str().unwrap().to_owned());
    let rejected = |code: &str| ("rejected".to_owned(), code.to_owned());

    let world = World::new(instance(2));
    world.s3.put(BUCKET, "hr/archive/a.csv", CSV);
    let report = world.import(json!({"source": "s3://imports/hr/"})).await;
    assert_eq!(ended(&report), rejected("no_source"));
    assert!(report.folder.starts_with("reports/hr/20"), "{}", report.folder);
    assert!(report.summary["message"].as_str().unwrap().starts_with("There is no file in s3://imports/hr/: "));

    world.s3.put_at(BUCKET, "hr/a.csv", CSV, hours_ago(26.0));
    for name in ["s3://imports/hr/", "s3://imports/hr/a.csv"] {
        for (n, (max_age, is_stale)) in [(25.5, true), (26.5, false)].into_iter().enumerate() {
            let named = json!({"source": name, "max_age_hours": max_age, "import_id": format!("hr-{name}-{n}")});
            let report = world.import(named).await;
            if is_stale {
                assert_eq!(ended(&report), rejected("stale_source"));
                let below = format!("reports/{}/20", name.trim_start_matches("s3://imports/").trim_end_matches('/'));
                assert!(report.folder.starts_with(&below), "{}", report.folder);
                assert_eq!(world.held(0), Vec::<String>::new());
            } else {
                assert_eq!(report.status(), "succeeded");
                world.emulator.instance(|there| *there = instance(2));
            }
        }
    }
    for max_age in [json!(0), json!(-1), json!("26"), json!(true)] {
        assert!(world.invoke(request("s3://imports/hr/", max_age)).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_s3_that_was_lost_changes_nothing() {
    let world = World::new(instance(2));
    let event = world.dropped("incoming/a.csv", CSV);
    world.s3.fail_next("PutObject", Some("import.json"), S3Fault::DoneThen500);
    // Of the summaries, the first is written over nothing, the second over the first.
    world.s3.fail_next("PutObject", Some("summary.json"), S3Fault::DoneThen500);
    world.s3.fail_next("PutObject", Some("summary.json"), S3Fault::DoneThen500);
    world.s3.fail_next("GetObject", Some("a.csv"), S3Fault::CutBody { after: 40 });
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 2));
    assert_eq!(report.summary["deliveries"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_import_half_way_is_not_given_up_for_a_fault_of_s3() {
    let world = World::built(Emulator::builder(instance(100)).quotas(Quotas::all(2.0, 5)), &[]);
    let rows: String = (0..100).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/a.csv", format!("user,attribute,value,level\n{rows}"));
    let deliver = async |receives| {
        let message = batch(&[in_a_message("m1", receives, &event)]);
        let answer = world.invoke_for(message, Duration::from_secs(30)).await.unwrap();
        answer["batchItemFailures"].as_array().unwrap().len()
    };
    assert_eq!(deliver(5).await, 1);
    for _ in 0..3 {
        world.s3.fail_next("GetObject", Some("import.json"), S3Fault::Internal500);
    }
    assert_eq!(deliver(6).await, 1, "S3 did not answer");
    let mut receives = 7;
    while deliver(receives).await == 1 {
        receives += 1;
        assert!(receives < 10, "it goes on where it was");
    }
    assert_eq!(world.held(99), ["Language=German:3"]);
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_was_on_its_way_when_the_work_ended_does_no_harm() {
    let world = World::built(Emulator::builder(instance(70)).quotas(Quotas::all(2.0, 5)), &[]);
    let rows: String = (0..70).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let event = world.dropped("incoming/a.csv", format!("user,attribute,value,level\n{rows}"));
    let slow = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        world.s3.fail_next("PutObject", Some("summary.json"), S3Fault::Slow(Duration::from_secs(3600)));
    };
    let (answer, ()) = tokio::join!(world.invoke(event), slow);
    let report = world.report(&answer.unwrap()["imports"][0]);
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 70));
}

#[tokio::test(start_paused = true)]
async fn an_older_object_of_a_key_is_not_imported_after_a_newer_one() {
    let world = World::new(instance(2));
    let older = world.dropped("incoming/a.csv", CSV);
    let newer = world.dropped("incoming/a.csv", CSV.replace(",3", ",4"));
    assert_eq!(world.invoke(newer.clone()).await.unwrap()["imports"][0]["status"], "succeeded");
    let answer = world.invoke(older).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("superseded")));
    assert_eq!(report.statuses(), ["pending", "pending"]);
    assert_eq!(world.held(0), ["Language=German:4"]);
    let answer = world.invoke(newer).await.unwrap();
    assert_eq!(answer["imports"][0]["status"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_is_imported_to_the_end_whatever_becomes_of_the_object() {
    for versioning in [Versioning::Enabled, Versioning::Off] {
        for is_deleted in [false, true] {
            let s3 = MemoryS3::new().with_bucket(BUCKET, versioning);
            let emulator = Emulator::builder(instance(60)).quotas(Quotas::all(2.0, 5));
            let world = World::over(emulator, &s3, &[]);
            let rows: String = (0..60).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
            let event = world.dropped("incoming/a.csv", format!("user,attribute,value,level\n{rows}"));
            let error = world.invoke_for(event.clone(), Duration::from_secs(15)).await.unwrap_err();
            assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "ImportInProgress");
            if is_deleted {
                world.s3.delete(BUCKET, "incoming/a.csv");
            } else {
                world.dropped("incoming/a.csv", "user,attribute,value,level\n");
            }
            let answer = world.invoke(event).await.unwrap();
            let report = world.report(&answer["imports"][0]);
            assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 60));
            assert_eq!(report.summary["deliveries"], 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_delivery_left_of_a_report_is_cleared_away() {
    let world = World::new(instance(1));
    let event = world
        .dropped("incoming/a.csv", "user,attribute,value,level\nagent000,Language,German,3\nlate,Language,German,3\n");
    // The first delivery writes its report, and then cannot write that it is over.
    world.s3.fail_next("PutObject", Some("results.csv"), S3Fault::AccessDenied403);
    assert!(world.invoke(event.clone()).await.is_err());
    let retry = world.s3.keys(BUCKET, "reports/").into_iter().filter(|key| key.ends_with("/retry.csv")).count();
    assert_eq!(retry, 1);
    world.emulator.instance(|centre| centre.add_user(user_id(7), "late", Vec::<(String, String, f32)>::new()));
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 2));
    assert_eq!(report.retry, None);
}
