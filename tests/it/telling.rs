//! The end of every import is told: a line of the log, metrics, an event for machines, a notice for people.

use std::collections::BTreeSet;
use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule};
use expect_test::expect;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::services::{Mood, Notice};
use crate::world::{BUCKET, World, batch, in_a_message, instance, proficiencies};

const TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:imports";
const SETTINGS: [(&str, &str); 5] = [
    ("REQUESTS_PER_SECOND", "1000"),
    ("EVENT_BUS_NAME", "centre"),
    ("NOTICE_TOPIC_ARN", TOPIC),
    ("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/111122223333/dead.fifo"),
    ("AWS_LAMBDA_FUNCTION_NAME", "imports"),
];

const DRY_RUN: &str = "incoming/dry-run=true/a.csv";

fn world_with(settings: &[(&str, &str)]) -> World {
    let settings = [&SETTINGS, settings].concat();
    World::built(Emulator::builder(instance(40)).quotas(Quotas::unlimited()), &settings)
}

fn world() -> World {
    world_with(&[])
}

fn rows(n_users: usize) -> String {
    proficiencies((0..n_users).map(|n| format!("agent{n:03},Language,German,3\n")).collect::<String>())
}

/// Asserts that an end was told once in each way, and that all ways agree with the summary. Returns the notice.
fn assert_told(world: &World, summary: &Value, folder: &str, level: &str) -> Notice {
    let (ends, metrics, events, notices) =
        (world.told.ends(), world.told.metrics(), world.told.events(), world.told.notices());
    assert_eq!((ends.len(), metrics.len(), events.len(), notices.len()), (1, 1, 1, 1), "{summary:#}");

    let report = format!("s3://{BUCKET}/{folder}");
    let line = &ends[0];
    assert_eq!((line["level"].as_str().unwrap(), line["report"].as_str().unwrap()), (level, report.as_str()));
    assert_eq!(line["reason"], summary["message"]);
    for member in ["import_id", "status", "code", "source", "rows", "deliveries"] {
        assert_eq!(line[member], summary[member], "{member}");
    }
    let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
    let took = time(&summary["finished_at"]) - time(&summary["started_at"]);
    assert_eq!(line["duration_seconds"].as_f64(), Some(took.as_seconds_f64()));
    assert!(time(&line["timestamp"]) >= time(&summary["finished_at"]));

    let (metric, of) = (&metrics[0], |status: &str| summary["rows"][status].as_u64().unwrap());
    assert_eq!(metric["_aws"]["CloudWatchMetrics"].as_array().unwrap().len(), 1);
    let directive = &metric["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        (&directive["Namespace"], &directive["Dimensions"]),
        (&json!("ConnectBulkImport"), &json!([["service"]]))
    );
    assert_eq!(metric["service"], "imports");
    assert_eq!(metric["_aws"]["Timestamp"].as_i64(), Some(time(&line["timestamp"]).timestamp_millis()));
    for described in directive["Metrics"].as_array().unwrap() {
        assert!(metric[described["Name"].as_str().unwrap()].is_number(), "{described}");
    }
    let calls = |what: &str| summary["calls"].as_object().unwrap().values().map(|of| of[what].as_u64().unwrap()).sum();
    for (name, value) in [
        ("Imports", 1),
        ("ImportsWithProblems", u64::from(summary["status"] != "succeeded")),
        ("RowsTotal", of("total")),
        ("RowsChanged", of("added") + of("updated") + of("removed")),
        ("RowsUnchanged", of("unchanged")),
        ("RowsInvalid", of("invalid")),
        ("RowsFailed", of("failed")),
        ("RowsKept", 0),
        ("RowsPending", of("pending")),
        ("Users", summary["users"]["total"].as_u64().unwrap()),
        ("Calls", calls("attempts")),
        ("ThrottledCalls", calls("throttled")),
        ("Deliveries", summary["deliveries"].as_u64().unwrap()),
    ] {
        assert_eq!(metric[name].as_u64(), Some(value), "{name}");
    }
    for member in ["import_id", "status", "kind", "mode", "dry_run"] {
        assert_eq!(metric[member], summary[member], "{member}");
    }

    let event = &events[0];
    assert_eq!(event["EventBusName"], "centre");
    assert_eq!((&event["Source"], &event["DetailType"]), (&json!("connect-bulk-import"), &json!("Import Finished")));
    let mut detail: Value = serde_json::from_str(event["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail.as_object_mut().unwrap().remove("report"), Some(json!(report)));
    assert_eq!(&detail, summary);

    assert_is_as_published(&detail);

    assert_eq!(notices[0].topic, TOPIC);
    notices[0].clone()
}

/// The sample and the schema of the event have the members that the event has. (The test of the deployment validates it.)
fn assert_is_as_published(detail: &Value) {
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let sample: Value = serde_json::from_str(include_str!("../../events/import-finished.json")).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../events/import-finished.schema.json")).unwrap();
    let schema = &schema["$defs"]["detail"];
    let mut sent = members(detail);
    // Said of what was understood only.
    sent.insert("columns".to_owned());
    sent.insert("report".to_owned());
    assert_eq!(members(&sample["detail"]), sent);
    // Said of exports only.
    sent.insert("export".to_owned());
    assert_eq!(members(&schema["properties"]), sent);
    assert_eq!(members(&schema["properties"]["rows"]["properties"]), members(&detail["rows"]));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_import_that_succeeded_is_told() {
    let world = world();
    let _log = world.told.log("info");
    let report = world.drop_file("incoming/team/agents.csv", rows(3)).await;
    let notice = assert_told(&world, &report.summary, &report.folder, "INFO");
    assert_eq!(notice.subject, "agents.csv: succeeded");
    let expected = format!(
        "The import of s3://imports/incoming/team/agents.csv: succeeded.\n3 rows: 3 added.\n\nThe report: \
         s3://imports/{}\n\nWhat to do next: There is nothing to do. To undo what was done, upload undo.csv to s3://imports/incoming/.\n",
        report.folder
    );
    assert_eq!(notice.text, expected);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_import_with_errors_is_told_with_its_three_commonest_causes() {
    let world = world();
    let _log = world.told.log("info");
    let mut csv = rows(20);
    for n in 0..4 {
        csv += &format!("agent{n:03},Language,Germann,3\nnobody{n},Language,German,3\n");
    }
    csv += "agent030,Language,French,3\nagent030,Language,French,4\nagent031,,French,4\nagent031,Sight,French,4\n";
    let report = world.drop_file("incoming/dry-run=true/Köln.csv", csv).await;
    let notice = assert_told(&world, &report.summary, &report.folder, "WARN");
    assert_eq!(notice.subject, "Koln.csv: completed with errors, 12 of 32 rows to mend");
    expect![[r#"
        The import of s3://imports/incoming/dry-run=true/Köln.csv: completed with errors.
        It was a dry run: nothing was written.
        32 rows: 12 invalid, 20 would add.

        Why rows were not applied:
        - 4 rows (lines 22, 24, 26, ...): The attribute 'Language' has no value 'Germann'; did you mean 'German'?
        - 4 rows (lines 23, 25, 27, ...): There is no user 'nobody0'. There is no user 'nobody1'. There is no user 'nobody2'. retry.csv has the others.
        - 2 rows (lines 30, 31): Contradicts another line: same user, attribute and value, another level. None of them was done: keep one.
        - 2 rows: for other reasons, which summary.json tells.

        The report: ...

        What to do next: Correct the rows in your file, and upload it to s3://imports/incoming/dry-run=true/. Or upload plan.csv to s3://imports/incoming/: it does what can be done.
    "#]]
    .assert_eq(&notice.text.replace(&format!("s3://imports/{}", report.folder), "..."));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_import_that_was_rejected_is_told() {
    let world = world();
    let _log = world.told.log("info");
    let report = world.drop_file("incoming/mode=replcae/a.csv", rows(3)).await;
    let notice = assert_told(&world, &report.summary, &report.folder, "WARN");
    assert_eq!(notice.subject, "a.csv: rejected, 3 of 3 rows to mend");
    assert!(notice.text.contains("'replcae' is neither 'merge' nor 'replace'"), "{}", notice.text);

    world.told.forget();
    let request = json!({
        "source": "s3://imports/hr/", "import_id": "hr-sync-2026-11-22T02:00:00Z", "mode": "replace", "dry_run": true
    });
    let report = world.import(request).await;
    assert_eq!((&report.summary["mode"], &report.summary["dry_run"]), (&json!("replace"), &json!(true)));
    let notice = assert_told(&world, &report.summary, &report.folder, "WARN");
    assert_eq!((notice.subject.as_str(), report.summary["code"].as_str()), ("hr: rejected", Some("no_source")));
    assert_eq!(world.told.metrics()[0]["ScheduledImportsDone"], 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_import_that_failed_is_told() {
    let world = world();
    let _log = world.told.log("info");
    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUserProficiencies)));
    let report = world.drop_file("incoming/a.csv", rows(3)).await;
    let notice = assert_told(&world, &report.summary, &report.folder, "ERROR");
    assert_eq!(notice.subject, "a.csv: failed, 3 of 3 rows to mend");
    assert!(
        notice.text.contains(
            "What to do next: Ask whoever runs this function to give it the permission, then upload retry.csv to s3://imports/incoming/."
        ),
        "{}",
        notice.text
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_import_that_was_cancelled_is_told() {
    let quotas = Quotas::all(2.0, 5);
    let world = World::built(Emulator::builder(instance(40)).quotas(quotas), &SETTINGS[1..]);
    let _log = world.told.log("info");
    let event = world.dropped("incoming/a.csv", rows(40));
    let cancel = async {
        sleep(Duration::from_secs(5)).await;
        let summary = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
        world.s3.put(BUCKET, &summary.replace("summary.json", "cancel"), "");
    };
    let (answer, ()) = tokio::join!(world.invoke(event), cancel);
    let report = world.report(&answer.unwrap()["imports"][0]);
    let notice = assert_told(&world, &report.summary, &report.folder, "WARN");
    assert!(notice.subject.starts_with("a.csv: cancelled, "), "{}", notice.subject);
    assert!(notice.text.contains(": The import was cancelled before these rows had their turn."), "{}", notice.text);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_import_that_is_done_counts_as_one() {
    let world = world();
    world.s3.put(BUCKET, "hr/a.csv", rows(3));
    let request = json!({"source": "s3://imports/hr/", "import_id": "hr-sync-2026-11-22T02:00:00Z"});
    world.import(request.clone()).await;
    assert_eq!(world.told.metrics()[0]["ScheduledImportsDone"], 1);
    world.import(request).await;
    assert_eq!((world.told.metrics().len(), world.told.events().len()), (1, 1), "it is told once");
    world.import(json!({"source": "s3://imports/hr/a.csv", "import_id": "by hand"})).await;
    assert_eq!(world.told.metrics()[1]["ScheduledImportsDone"], 0);
}

#[tokio::test(start_paused = true)]
async fn people_may_want_to_hear_of_problems_only() {
    let world = world_with(&[("NOTICES", "problems")]);
    world.drop_file("incoming/a.csv", rows(3)).await;
    assert_eq!((world.told.notices().len(), world.told.events().len()), (0, 1));
    world.drop_file("incoming/b.csv", proficiencies("agent000,Language,Germann,3\n")).await;
    assert_eq!((world.told.notices().len(), world.told.events().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn whoever_hears_nothing_changes_nothing() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let world = world();
        let _log = world.told.log("warn");
        world.told.set_moods(mood, mood);
        let event = world.dropped("incoming/a.csv", rows(3));
        let message = || batch(&[in_a_message("m1", 1, &event)]);
        assert_eq!(world.invoke(message()).await.unwrap(), json!({"batchItemFailures": []}), "{mood:?}");
        let lines = world.told.lines();
        let warned: Vec<_> =
            lines.iter().filter(|line| line["level"] == "WARN").map(|line| line["message"].as_str()).collect();
        assert_eq!(warned.len(), 2, "{mood:?}: {warned:?}");
        assert!(warned[0].unwrap().starts_with("the event of the import's end could not be sent: "), "{warned:?}");
        assert!(warned[1].unwrap().starts_with("the notice of the import's end could not be sent: "), "{warned:?}");
        world.told.set_moods(Mood::Answers, Mood::Answers);
        world.invoke(message()).await.unwrap();
        assert_eq!((world.told.events(), world.told.notices(), world.told.metrics().len()), (vec![], vec![], 1));
    }
}

/// A delivery may die between the end of its import and the telling.
#[tokio::test(start_paused = true)]
async fn an_end_that_a_killed_delivery_did_not_tell_is_told_by_the_next() {
    let mut world = world();
    let event = world.dropped("incoming/a.csv", rows(3));
    world.told.set_moods(Mood::Answers, Mood::Hangs);
    assert!(timeout(Duration::from_secs(1), world.invoke(event.clone())).await.is_err());
    world.restart();
    world.told.set_moods(Mood::Answers, Mood::Answers);
    world.told.forget();
    world.s3.clear_calls();
    let _log = world.told.log("info");
    let report = world.import(event.clone()).await;
    assert_told(&world, &report.summary, &report.folder, "INFO");
    assert_eq!(report.summary["deliveries"], 1, "it was only told");
    assert!(world.s3.keys(BUCKET, "state/").iter().all(|key| !key.contains("/journal/")), "what died is cleared away");
    world.told.forget();
    world.import(event).await;
    assert_eq!((world.told.events(), world.told.notices()), (vec![], vec![]), "and once only");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_there_is_no_time_to_tell_is_told_by_the_next_delivery() {
    let world = world();
    let event = world.dropped("incoming/a.csv", rows(3));
    world.told.set_moods(Mood::Hangs, Mood::Hangs);
    let message = |receives| batch(&[in_a_message("m1", receives, &event)]);
    let again = world.invoke_for(message(1), Duration::from_secs(4)).await.unwrap();
    assert_eq!(again, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    assert_eq!(world.held(0), ["Language=German:3"]);
    world.told.set_moods(Mood::Answers, Mood::Answers);
    assert_eq!(world.invoke(message(2)).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!((world.told.events().len(), world.told.notices().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn of_an_object_that_is_gone_the_log_and_the_bus_hear() {
    let world = world();
    let _log = world.told.log("info");
    let event = world.dropped(DRY_RUN, rows(3));
    world.s3.delete_version(BUCKET, DRY_RUN, event["detail"]["object"]["version-id"].as_str().unwrap());
    let answer = world.invoke(event).await.unwrap();
    assert_eq!(answer["imports"][0]["code"], "object_gone");
    let (ends, events) = (world.told.ends(), world.told.events());
    assert_eq!((ends.len(), events.len(), world.told.notices().len(), world.told.metrics().len()), (1, 1, 0, 0));
    assert_eq!((ends[0]["level"].as_str(), ends[0]["code"].as_str()), (Some("ERROR"), Some("object_gone")));
    let detail: Value = serde_json::from_str(events[0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        (detail["status"].as_str(), detail["source"].as_str()),
        (Some("failed"), Some("s3://imports/incoming/dry-run=true/a.csv"))
    );
    assert_eq!(detail["dry_run"], true);
    assert_eq!((&detail["report"], &detail["import_id"]), (&Value::Null, &answer["imports"][0]["import_id"]));
}

#[tokio::test(start_paused = true)]
async fn every_line_about_an_import_has_its_id_a_time_and_a_level() {
    for (filter, is_told) in
        [("debug", true), ("warn", false), ("error", false), ("info,h2=debug", true), ("inof", true), ("a=b=c", true)]
    {
        let world = world();
        let _log = world.told.log(filter);
        let event = world.dropped("incoming/a.csv", rows(3));
        world.s3.fail_always("PutObject", Some("summary.json"), import_testkit::S3Fault::Internal500);
        world.invoke(event.clone()).await.unwrap_err();
        world.s3.heal();
        let report = world.import(event).await;
        let lines: Vec<_> = world.told.lines().into_iter().filter(|line| line.get("_aws").is_none()).collect();
        for line in &lines {
            let target = line["target"].as_str().unwrap_or("connect_bulk_import");
            assert!(chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).is_ok(), "{line}");
            assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
            if target.starts_with("connect_bulk_import") {
                assert_eq!(line["import_id"], report.summary["import_id"], "{line}");
            }
        }
        assert_eq!(world.told.ends().len(), usize::from(is_told), "{filter}");
        let warned = lines.iter().filter(|line| line["level"] == "WARN").count();
        assert_eq!(warned > 0, filter != "error", "{filter}: {lines:#?}");
        assert_eq!(world.told.metrics().len(), 1, "no level drops the metrics");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_says_why_a_message_comes_again_or_is_given_up_has_the_imports_id() {
    let world = world();
    let _log = world.told.log("info");
    let event = world.dropped("incoming/a.csv", rows(3));
    world.s3.fail_always("PutObject", Some("results.csv"), import_testkit::S3Fault::AccessDenied403);
    for receives in 1..=7 {
        world.invoke(batch(&[in_a_message("m1", receives, &event)])).await.unwrap();
    }
    let lines = world.told.lines();
    let begins = lines.iter().find(|line| line["message"] == "import begins").unwrap();
    for (start, level) in [("to be tried again: ", "WARN"), ("a message is given up: ", "ERROR")] {
        let is_wanted = |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with(start));
        let line = lines.iter().find(is_wanted).unwrap_or_else(|| panic!("no '{start}' in {lines:#?}"));
        assert_eq!((&line["level"], &line["message_id"]), (&json!(level), &json!("m1")));
        assert_eq!(line["import_id"], begins["import_id"]);
    }
}

/// Another version of the function may have written it.
#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_read_any_more_is_a_warning_and_the_answer_stays() {
    let mut world = world();
    let event = world.dropped("incoming/a.csv", rows(3));
    world.told.set_moods(Mood::Answers, Mood::Hangs);
    assert!(timeout(Duration::from_secs(1), world.invoke(event.clone())).await.is_err());
    world.restart();
    let key = world.s3.keys(BUCKET, "state/").into_iter().find(|key| key.ends_with("/import.json")).unwrap();
    let mut record: Value = serde_json::from_slice(&world.s3.get(BUCKET, &key).unwrap()).unwrap();
    record["untold"] = json!({"of": "another version"});
    world.s3.put(BUCKET, &key, record.to_string());
    let _log = world.told.log("info");
    let answer = world.invoke(event.clone()).await.unwrap();
    assert_eq!(answer["imports"][0]["status"], "succeeded");
    assert!(world.told.lines().iter().any(|line| line["level"] == "WARN"), "{:?}", world.told.lines());
    world.told.forget();
    assert_eq!(world.invoke(event).await.unwrap(), answer);
    assert_eq!(world.told.lines(), Vec::<Value>::new(), "said once");
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_telling_cannot_be_noted_is_told_again() {
    let world = world();
    let event = world.dropped("incoming/a.csv", rows(3));
    world.told.set_latency(Duration::from_secs(1));
    let fails = async {
        sleep(Duration::from_millis(1500)).await;
        world.s3.fail_always("PutObject", Some("import.json"), import_testkit::S3Fault::Internal500);
    };
    let (answer, ()) = tokio::join!(world.invoke(event.clone()), fails);
    assert_eq!(answer.unwrap()["imports"][0]["status"], "succeeded");
    world.s3.heal();
    world.invoke(event).await.unwrap();
    assert_eq!((world.told.events().len(), world.told.notices().len()), (2, 2));
}
