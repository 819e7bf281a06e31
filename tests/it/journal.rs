//! Killed at any instant, an import goes on where it was: same end state, same report, same undo.

use std::time::Duration;

use connect_emulator::{Builder, Emulator, Operation, Quotas, Switches};
use import_testkit::{MemoryS3, S3Fault, Versioning};
use proptest::prelude::*;
use tokio::time::Instant;

use crate::world::{BUCKET, Report, World, batch, in_a_message, instance, run, user_id};

const SETTINGS: [(&str, &str); 2] = [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "5")];
const HALF: Duration = Duration::from_millis(40);

/// Additions, changes, removals, users who are right, duplicates and rows that are refused.
fn centre(n_users: usize) -> (Builder, String) {
    let mut centre = instance(0);
    let mut csv = "user,attribute,value,level,action\n".to_owned();
    for n in 0..n_users {
        let held = match n % 4 {
            0 => vec![("Language", "German", 1.0), ("Language", "French", 2.0)],
            1 => vec![("Language", "German", 3.0), ("Product", "P01", 4.0)],
            _ => vec![],
        };
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
        csv.push_str(&format!("agent{n:03},Language,German,3,\nagent{n:03},Product,P01,4,\n"));
        match n % 5 {
            0 => csv.push_str(&format!("agent{n:03},Language,French,,remove\n")),
            1 => csv.push_str(&format!("agent{n:03},connect:Language,connect:Klingon,1,\n")),
            2 => csv.push_str(&format!("agent{n:03},Language,German,3,\n")),
            3 => csv.push_str(&format!("agent{n:03},Language,Germn,3,\n")),
            _ => {}
        }
    }
    (Emulator::builder(centre).latency(2 * HALF).quotas(Quotas::all(20.0, 5)), csv)
}

/// A refusal is read again by itself: less those rows, each user is read once.
fn without_refusals(csv: &str) -> String {
    csv.lines().filter(|line| !line.contains("Klingon")).map(|line| format!("{line}\n")).collect()
}

fn world(n_users: usize, switches: Switches) -> (World, String) {
    let (emulator, csv) = centre(n_users);
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    s3.set_latency(Duration::from_millis(30));
    (World::over(emulator.switches(switches), &s3, &SETTINGS), csv)
}

fn held(world: &World, n_users: usize) -> Vec<Vec<String>> {
    (0..n_users).map(|n| world.held(n)).collect()
}

async fn killed(world: &mut World, csv: &str, lives: &[Duration]) -> Report {
    let event = world.dropped("incoming/a.csv", csv);
    world.import_killed(event, lives).await
}

async fn check(n_users: usize, switches: Switches, lives: &[Duration]) {
    let (mut whole, csv) = world(n_users, switches.clone());
    let before = held(&whole, n_users);
    let expected = killed(&mut whole, &csv, &[]).await;
    let state = whole.s3.keys(BUCKET, "state/");
    assert!(!state.iter().any(|key| key.contains("/journal/")), "{state:?}");
    let (mut cut, _) = world(n_users, switches);
    let report = killed(&mut cut, &csv, lives).await;
    assert_eq!(report.results, expected.results, "{lives:?}");
    assert_eq!(report.retry, expected.retry, "{lives:?}");
    assert_eq!(report.undo, expected.undo, "{lives:?}");
    assert_eq!(held(&cut, n_users), held(&whole, n_users), "{lives:?}");
    report.counts();

    cut.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(held(&cut, n_users), before, "{lives:?}");
}

proptest! {
    #![proptest_config(crate::world::cases(48))]
    #[test]
    fn killed_at_any_instant_nothing_changes_but_the_time(lives in prop::collection::vec(1_u64..2500, 1..6)) {
        let lives: Vec<_> = lives.into_iter().map(Duration::from_millis).collect();
        run(check(20, Switches::default(), &lives));
    }
}

/// Cuts ten milliseconds apart over the first second and a half: no call is shorter, so each is met before, within and
/// after its work.
#[test]
fn cut_at_every_boundary_it_goes_on() {
    for cut in 0..150 {
        run(check(4, Switches::default(), &[Duration::from_millis(cut * 10 + 5)]));
    }
}

#[tokio::test(start_paused = true)]
async fn under_every_switch_it_goes_on() {
    for (_, switches) in Switches::matrix() {
        check(20, switches, &[700, 1900, 1300].map(Duration::from_millis)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn users_are_read_again_only_if_they_were_under_way() {
    let (mut world, csv) = world(250, Switches::default());
    let csv = without_refusals(&csv);
    let lives = [2300, 1100, 3700, 900, 2900, 1700].map(Duration::from_millis);
    let report = killed(&mut world, &csv, &lives).await;
    assert_eq!(report.summary["deliveries"], 7);
    let reads = world.emulator.stats().of(Operation::ListUserProficiencies).ok;
    assert!(reads <= 400, "{reads} reads of 250 users");
    let attempts = report.summary["calls"]["ListUserProficiencies"]["attempts"].as_u64().unwrap();
    assert!(attempts > 200, "calls of earlier deliveries count, too: {attempts}");
}

#[tokio::test(start_paused = true)]
async fn short_deliveries_finish_a_long_import() {
    let (world, csv) = world(600, Switches::default());
    let csv = without_refusals(&csv);
    let event = world.dropped("incoming/a.csv", csv);
    let began = Instant::now();
    let mut deliveries = 0;
    let answer = loop {
        deliveries += 1;
        let started = Instant::now();
        let answer = world.invoke_for(event.clone(), Duration::from_secs(10)).await;
        assert!(started.elapsed() < Duration::from_secs(10), "killed by the clock: {:?}", started.elapsed());
        if let Ok(answer) = answer {
            break answer;
        }
    };
    let report = world.report(&answer["imports"][0]);
    assert!(deliveries >= 3 && report.summary["deliveries"] == deliveries, "{deliveries}");
    let floor = (600.0 - 5.0) / 20.0;
    let over_floor = began.elapsed().as_secs_f64() / floor;
    assert!(over_floor <= 1.35, "{over_floor} in {deliveries} deliveries");
}

#[tokio::test(start_paused = true)]
async fn a_newer_delivery_takes_over_and_the_older_one_stops() {
    let (emulator, csv) = centre(60);
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    let emulator = emulator.build();
    let older = World::beside(&emulator, &s3, &SETTINGS);
    let newer = World::beside(&emulator, &s3, &SETTINGS);
    let event = older.dropped("incoming/a.csv", csv);
    let later = async {
        tokio::time::sleep(Duration::from_millis(1300)).await;
        newer.invoke(event.clone()).await
    };
    let (first, second) = tokio::join!(older.invoke(event.clone()), later);
    let error = lambda_runtime::Diagnostic::from(first.unwrap_err());
    assert_eq!(error.error_type, "ImportInProgress");
    let report = newer.report(&second.unwrap()["imports"][0]);
    assert_eq!((report.status(), &report.summary["deliveries"]), ("completed_with_errors", &2.into()));
    assert!(report.counts()["added"] > 30, "what the older one did is known");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_that_name_cancels_the_import() {
    let (world, csv) = world(200, Switches::default());
    let event = world.dropped("incoming/a.csv", csv);
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let key = world.s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json")).unwrap();
        world.s3.put(BUCKET, &key.replace("summary.json", "cancel"), "");
    };
    let before = held(&world, 200);
    let (answer, ()) = tokio::join!(world.invoke(event), cancel);
    let report = world.report(&answer.unwrap()["imports"][0]);
    assert_eq!(report.status(), "cancelled");
    let counts = report.counts();
    assert!(counts["pending"] > 100 && counts["added"] > 30, "{counts:?}");
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(held(&world, 200), before);
}

/// Long enough to begin with some users, and then too short to come as far as the first read.
fn lives_without_progress() -> Vec<Duration> {
    let mut lives = vec![Duration::from_millis(2100)];
    lives.resize(21, Duration::from_millis(100));
    lives
}

#[tokio::test(start_paused = true)]
async fn twenty_deaths_in_a_row_without_progress_end_it_with_its_report() {
    let (mut world, csv) = world(300, Switches::default());
    let before = held(&world, 300);
    let report = killed(&mut world, &csv, &lives_without_progress()).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("failed", Some("died_too_often")));
    let counts = report.counts();
    assert!(counts["pending"] > 100 && counts["added"] > 20, "{counts:?}");
    assert_eq!(report.summary["deliveries"], 22);
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    assert_eq!(held(&world, 300), before, "also of users who were under way when it died");
}

#[tokio::test(start_paused = true)]
async fn a_last_try_that_its_deadline_ends_is_still_the_last() {
    let (mut world, csv) = world(300, Switches::default());
    let event = world.dropped("incoming/a.csv", csv);
    // Long enough to begin, and then too short to come as far as the first read.
    for life in [250].into_iter().chain([100; 19]).map(Duration::from_millis) {
        assert!(tokio::time::timeout(life, world.invoke(event.clone())).await.is_err());
        world.restart();
    }
    world.s3.fail_always("PutObject", Some("/results.csv"), S3Fault::Slow(Duration::from_secs(3600)));
    let answer = world.invoke_for(batch(&[in_a_message("m1", 21, &event)]), Duration::from_secs(40)).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    world.s3.heal();
    let report = world.import(event).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("failed", Some("died_too_often")));
    assert_eq!(report.summary["deliveries"], 22);
}

#[tokio::test(start_paused = true)]
async fn deaths_between_which_it_gets_on_do_not_end_it() {
    let (mut world, csv) = world(300, Switches::default());
    let report = killed(&mut world, &csv, &[Duration::from_millis(1500); 30]).await;
    assert_eq!(report.status(), "completed_with_errors");
    assert_eq!((report.counts().get("pending"), &report.summary["deliveries"]), (None, &31.into()));
}

#[tokio::test(start_paused = true)]
async fn where_even_its_report_is_deadly_it_ends_without_one() {
    let (mut world, csv) = world(60, Switches::default());
    let mut lives = lives_without_progress();
    lives.resize(24, Duration::from_millis(100));
    let report = killed(&mut world, &csv, &lives).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("failed", Some("died_too_often")));
    assert_eq!((report.results, report.undo), (None, None));
    let journal = world.s3.keys(BUCKET, "state/").into_iter().filter(|key| key.contains("/journal/")).count();
    assert!(journal > 0, "what it knows stays where it is");
}

#[tokio::test(start_paused = true)]
async fn many_parts_are_merged_when_a_delivery_begins() {
    let (mut world, csv) = world(400, Switches::default());
    world.s3.set_latency(Duration::from_millis(1));
    let event = world.dropped("incoming/a.csv", csv);
    let over = tokio::time::timeout(Duration::from_secs(15), world.invoke(event.clone())).await;
    assert!(over.is_err());
    let parts = |world: &World| world.s3.keys(BUCKET, "state/").len();
    assert!(parts(&world) > 50, "{}", parts(&world));
    world.restart();
    let over = tokio::time::timeout(Duration::from_secs(1), world.invoke(event.clone())).await;
    assert!(over.is_err() && parts(&world) < 12, "{}", parts(&world));
    world.restart();
    let answer = world.invoke(event).await.unwrap();
    let report = world.report(&answer["imports"][0]);
    assert_eq!(report.counts().get("pending"), None);
    let (mut whole, csv) = self::world(400, Switches::default());
    assert_eq!(report.results, killed(&mut whole, &csv, &[]).await.results);
}
