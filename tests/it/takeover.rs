//! Two deliveries of one import at once, and what changes between two deliveries of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule};
use import_testkit::{MemoryS3, S3Fault, Versioning};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::world::{BUCKET, World, batch, in_a_message, instance, user_id};

const SETTINGS: [(&str, &str); 2] = [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "5")];

fn rows(n_users: usize) -> String {
    let rows: String =
        (0..n_users).map(|n| format!("agent{n:03},Language,German,3\nagent{n:03},Product,P01,4\n")).collect();
    format!("user,attribute,value,level\n{rows}")
}

fn world(n_users: usize) -> World {
    let emulator = Emulator::builder(instance(n_users)).latency(Duration::from_millis(80)).quotas(Quotas::all(20.0, 5));
    World::built(emulator, &SETTINGS)
}

/// Every object of the bucket, but not those that were dropped.
fn objects(s3: &MemoryS3) -> BTreeMap<String, Bytes> {
    let keys = ["reports/", "state/"].iter().flat_map(|prefix| s3.keys(BUCKET, prefix)).collect::<Vec<_>>();
    keys.into_iter().map(|key| (key.clone(), s3.get(BUCKET, &key).unwrap())).collect()
}

/// An older delivery waits for S3 in a request of this kind; meanwhile a newer one goes through. When the older one is
/// answered, it changes nothing any more.
async fn stalled(operation: &'static str, key_part: &'static str, after: Duration) {
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    s3.set_latency(Duration::from_millis(20));
    let emulator = Emulator::builder(instance(40)).latency(Duration::from_millis(80)).quotas(Quotas::all(20.0, 5));
    let emulator = emulator.build();
    let older = World::beside(&emulator, &s3, &SETTINGS);
    let newer = World::beside(&emulator, &s3, &SETTINGS);
    let event = older.dropped("incoming/a.csv", rows(40));
    let later = async {
        sleep(after).await;
        s3.fail_next(operation, Some(key_part), S3Fault::Slow(Duration::from_secs(60)));
        sleep(Duration::from_millis(1200)).await;
        let answer = newer.invoke(event.clone()).await.unwrap();
        (answer, objects(&s3))
    };
    let (first, (second, end)) = tokio::join!(older.invoke(event.clone()), later);
    let what = format!("{operation} {key_part}");
    let error = lambda_runtime::Diagnostic::from(first.expect_err(&what));
    assert_eq!(error.error_type, "ImportInProgress", "{what}");
    let report = newer.report(&second["imports"][0]);
    assert_eq!((report.status(), &report.summary["deliveries"]), ("succeeded", &2.into()), "{what}");
    assert_eq!(report.counts()["added"], 80, "{what}");
    assert_eq!(objects(&s3), end, "{what}: the older delivery changed something after the end");
    let is_shared = |key: &String| key.contains("/keys/") || key.contains("/seen/");
    let state: Vec<_> = end.keys().filter(|key| key.starts_with("state/") && !is_shared(key)).collect();
    assert!(state.len() == 1 && state[0].ends_with("/import.json"), "{what}: {state:?}");
    assert_eq!(older.invoke(event).await.unwrap(), second, "{what}");
}

#[tokio::test(start_paused = true)]
async fn an_older_delivery_that_was_held_up_changes_nothing_any_more() {
    stalled("PutObject", "/journal/", Duration::from_millis(700)).await;
    stalled("GetObject", "/import.json", Duration::from_millis(700)).await;
    stalled("PutObject", "/results.csv", Duration::from_millis(700)).await;
    stalled("PutObject", "/summary.json", Duration::from_millis(700)).await;
    stalled("GetObject", "incoming/a.csv", Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_answer_does_not_hold_a_delivery_beyond_its_time() {
    for (operation, key_part) in
        [("GetObject", "import.json"), ("PutObject", "journal/"), ("PutObject", "summary.json")]
    {
        let world = world(10);
        let event = world.dropped("incoming/a.csv", rows(10));
        for _ in 0..20 {
            world.s3.fail_next(operation, Some(key_part), S3Fault::Slow(Duration::from_secs(3600)));
        }
        let began = Instant::now();
        let time = Duration::from_secs(60);
        world.invoke_for(event, time).await.unwrap_err();
        assert!(began.elapsed() < time, "{operation} {key_part}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_renamed_meanwhile_is_still_the_same() {
    let mut world = world(60);
    let event = world.dropped("incoming/a.csv", rows(60));
    let expected = world_without_change(60).await;
    assert!(timeout(Duration::from_millis(2100), world.invoke(event.clone())).await.is_err());
    world.restart();
    world.emulator.instance(|centre| {
        for n in 0..60 {
            let held = centre.proficiencies(&user_id(n));
            // Whoever has something was begun with.
            if !held.is_empty() {
                let held = held.into_iter().map(|((name, value), level)| (name, value, level));
                centre.add_user(user_id(n), format!("renamed{n:03}"), held);
            }
        }
    });
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!((report.results, report.undo), expected);
}

async fn world_without_change(n_users: usize) -> (Option<String>, Option<String>) {
    let report = world(n_users).drop_file("incoming/a.csv", rows(n_users)).await;
    (report.results, report.undo)
}

#[tokio::test(start_paused = true)]
async fn what_was_written_for_a_user_that_cannot_be_read_any_more_is_in_the_undo() {
    let mut world = world(60);
    let event = world.dropped("incoming/a.csv", rows(60));
    assert!(timeout(Duration::from_millis(2100), world.invoke(event.clone())).await.is_err());
    world.restart();
    let touched: Vec<usize> = (0..60).filter(|&n| !world.held(n).is_empty()).collect();
    let journal = journal(&world);
    let under_way: Vec<usize> = touched.into_iter().filter(|&n| !journal.contains(&done(n))).collect();
    assert!(!under_way.is_empty(), "somebody was under way");
    for &n in &under_way {
        world.emulator.instance(|centre| centre.remove_user(&user_id(n)));
    }
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    let undo = report.undo.as_ref().unwrap();
    for n in under_way {
        for (pair, level) in [("Language,German", 3), ("Product,P01", 4)] {
            assert!(undo.contains(&format!("{},{pair},,remove,{level}\n", user_id(n))), "{n}: {undo}");
        }
    }
    assert!(report.counts()["failed"] > 0);
}

/// The journal's parts, one after another.
fn journal(world: &World) -> String {
    let parts = world.s3.keys(BUCKET, "state/").into_iter().filter(|key| key.contains("/journal/"));
    parts.map(|key| String::from_utf8(world.s3.get(BUCKET, &key).unwrap().to_vec()).unwrap()).collect()
}

fn done(n: usize) -> String {
    format!("{{\"completed\":{{\"user\":\"{}\"", user_id(n))
}

#[tokio::test(start_paused = true)]
async fn cancelled_it_still_tells_what_was_done_for_users_who_were_under_way() {
    let mut world = world(60);
    let event = world.dropped("incoming/a.csv", rows(60));
    assert!(timeout(Duration::from_millis(2100), world.invoke(event.clone())).await.is_err());
    world.restart();
    let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
    world.s3.put(BUCKET, &key.replace("summary.json", "cancel"), "");
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!(report.status(), "cancelled");
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert!((0..60).all(|n| world.held(n).is_empty()), "the undo file takes back all of it");
}

#[tokio::test(start_paused = true)]
async fn refused_half_way_it_tells_what_may_have_been_done_for_users_who_were_under_way() {
    let mut world = world(60);
    let event = world.dropped("incoming/a.csv", rows(60));
    assert!(timeout(Duration::from_millis(2100), world.invoke(event.clone())).await.is_err());
    world.restart();
    world.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUserProficiencies)));
    let answer = world.invoke(event).await.unwrap();
    world.emulator.set_faults(Faults::none());
    let report = world.report(&answer["imports"][0]);
    assert_eq!(report.status(), "failed");
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert!((0..60).all(|n| world.held(n).is_empty()), "the undo file takes back all of it");
}

#[tokio::test(start_paused = true)]
async fn an_import_whose_record_may_not_be_read_is_given_up_and_goes_on_when_it_is_redriven() {
    let settings = [SETTINGS[0], SETTINGS[1], ("DEAD_LETTER_QUEUE_URL", "https://sqs.example.com/1/dead.fifo")];
    let emulator = Emulator::builder(instance(60)).latency(Duration::from_millis(80)).quotas(Quotas::all(20.0, 5));
    let world = World::built(emulator, &settings);
    let event = world.dropped("incoming/a.csv", rows(60));
    world.invoke_for(event.clone(), Duration::from_millis(2500)).await.unwrap_err();
    world.s3.fail_always("GetObject", Some("import.json"), S3Fault::AccessDenied403);
    for receives in 1..=4 {
        let answer = world.invoke(batch(&[in_a_message("m1", receives, &event)])).await.unwrap();
        assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m1", "received {receives} times");
    }
    let answer = world.invoke(batch(&[in_a_message("m1", 5, &event)])).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}), "it holds up nobody else");
    let letters = world.sqs.dead_letters();
    assert_eq!((letters.len(), letters[0]["MessageBody"].as_str()), (1, Some(event.to_string().as_str())));

    world.s3.heal();
    let redriven = batch(&[in_a_message("m2", 1, &event)]);
    assert_eq!(world.invoke(redriven).await.unwrap(), json!({"batchItemFailures": []}));
    assert!((0..60).all(|n| world.held(n).len() == 2));
}

#[tokio::test(start_paused = true)]
async fn every_call_of_every_delivery_is_counted() {
    let world = world(100);
    let event = world.dropped("incoming/a.csv", rows(100));
    let answer = loop {
        if let Ok(answer) = world.invoke_for(event.clone(), Duration::from_secs(3)).await {
            break answer;
        }
    };
    let report = world.report(&answer["imports"][0]);
    assert!(report.summary["deliveries"].as_u64() > Some(2));
    for (operation, n) in world.calls() {
        // A call that was under way at the deadline may not have reached the service.
        let counted = report.summary["calls"][&operation]["attempts"].as_u64().unwrap();
        assert!(counted >= n as u64, "{operation}: {counted} of {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_versions_two_states_of_an_object_are_two_copies() {
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Off);
    let world = World::over(Emulator::builder(instance(2)).quotas(Quotas::unlimited()), &s3, &SETTINGS);
    let stored = world.s3.put(BUCKET, "hr/a.csv", rows(2));
    world.invoke(json!({"source": "s3://imports/hr/a.csv"})).await.unwrap();
    let etag = stored.e_tag.trim_matches('"').to_owned();
    let is_copy = |(operation, key): &(String, String)| operation == "CopyObject" && key.contains(&etag);
    assert!(world.s3.calls().iter().any(is_copy), "{:?}", world.s3.calls());
}

#[tokio::test(start_paused = true)]
async fn an_attribute_that_is_gone_meanwhile_takes_nothing_out_of_the_undo() {
    let mut world = world(60);
    let event = world.dropped("incoming/a.csv", rows(60));
    assert!(timeout(Duration::from_millis(2100), world.invoke(event.clone())).await.is_err());
    world.restart();
    world.emulator.instance(|centre| centre.remove_attribute("Product"));
    let touched: Vec<usize> = (0..60).filter(|&n| !world.held(n).is_empty()).collect();
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    let undo = report.undo.as_ref().unwrap();
    for n in touched {
        assert!(undo.contains(&format!("{},Product,P01,,remove,4\n", user_id(n))), "{n}: {undo}");
    }
    assert!(report.rows().iter().any(|[_, _, code, _]| code == "unknown_attribute"), "those that were not begun with");
}

#[tokio::test(start_paused = true)]
async fn a_resumed_delivery_begins_without_a_burst() {
    let world = World::built(Emulator::builder(instance(30)).quotas(Quotas::unlimited()), &[]);
    let event = world.dropped("incoming/a.csv", rows(30));
    let first_reads = async || {
        world.emulator.reset_stats();
        let over = world.invoke_for(event.clone(), Duration::from_secs(5)).await;
        let reads =
            world.emulator.calls().into_iter().filter(|call| call.operation == Operation::ListUserProficiencies);
        let at: Vec<Duration> = reads.take(4).map(|call| call.at).collect();
        over.unwrap_err();
        // Long enough for any bucket to be full again.
        sleep(Duration::from_secs(60)).await;
        at[3].checked_sub(at[0]).unwrap()
    };
    assert_eq!(first_reads().await, Duration::ZERO, "a new import begins with a burst");
    assert_eq!(first_reads().await, Duration::from_millis(1500), "a resumed one has two a second from the first on");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_met_a_delete_is_sent_again() {
    let world = world(4);
    world.s3.fail_next("PutObject", Some("import.json"), S3Fault::Conflict409);
    world.s3.fail_next("PutObject", Some("/journal/"), S3Fault::Conflict409);
    world.s3.fail_next("PutObject", Some("/journal/"), S3Fault::Conflict409);
    let report = world.drop_file("incoming/a.csv", rows(4)).await;
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 8));
    assert_eq!(report.summary["deliveries"], 1);
}

/// A process that was frozen for longer than its message is invisible may find its import in other hands: until the lease is
/// confirmed again, it does not write.
#[tokio::test(start_paused = true)]
async fn without_a_confirmed_lease_nothing_is_written() {
    let emulator = Emulator::builder(instance(60)).quotas(Quotas::all(1.0, 1));
    let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1"), ("REQUEST_BURST", "1")]);
    let event = world.dropped("incoming/a.csv", rows(60));
    let silence = async {
        sleep(Duration::from_secs(20)).await;
        world.s3.fail_always("GetObject", Some("import.json"), S3Fault::Internal500);
        sleep(Duration::from_secs(300)).await;
        world.s3.heal();
    };
    let (_, ()) = tokio::join!(world.invoke(event), silence);
    let writes =
        world.emulator.calls().into_iter().filter(|call| call.operation == Operation::AssociateUserProficiencies);
    let at: Vec<u64> = writes.map(|call| call.at.as_secs()).collect();
    assert!(at.iter().any(|at| *at > 10 && *at < 50), "writes before: {at:?}");
    assert!(!at.iter().any(|at| (55..320).contains(at)), "writes without a lease: {at:?}");
}
