//! How fast: near the floor that the quotas set, and fair where the quota is less than was thought.

use std::time::Duration;

use connect_emulator::{Builder, Emulator, Operation, Quotas};
use tokio::time::Instant;

use crate::world::{Report, World, instance, user_id};

/// So many users: each needs a read; half of them an Associate, a quarter an Update, the others are right already.
fn mixed(n_users: usize) -> (Builder, String) {
    let mut centre = instance(0);
    let mut csv = "user,attribute,value,level\n".to_owned();
    for n in 0..n_users {
        let held = match n % 4 {
            0 => vec![("Language", "German", 3.0), ("Language", "French", 3.0)],
            1 => vec![("Language", "German", 1.0), ("Language", "French", 1.0)],
            _ => vec![],
        };
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
        csv.push_str(&format!("agent{n:03},Language,German,3\nagent{n:03},Language,French,3\n"));
    }
    (Emulator::builder(centre).latency(Duration::from_millis(80)), csv)
}

const SETTINGS: [(&str, &str); 2] = [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "50")];

/// Wall time over the floor, and the share of calls that were throttled.
async fn measured(world: &World, csv: &str, rate: f64, burst: f64) -> (Report, f64, f64) {
    let began = Instant::now();
    let report = world.drop_file("incoming/pace.csv", csv).await;
    let wall = began.elapsed().as_secs_f64();
    let stats = world.emulator.stats();
    let reads = stats.of(Operation::ListUserProficiencies);
    let throttled = stats.total().throttled as f64 / stats.total().calls as f64;
    let floor = ((reads.calls - reads.throttled) as f64 - burst) / rate;
    (report, wall / floor, throttled)
}

#[tokio::test(start_paused = true)]
async fn an_import_takes_no_longer_than_its_quotas_make_it() {
    for (n_users, most) in [(500, 1.03), (2000, 1.01)] {
        let (emulator, csv) = mixed(n_users);
        let world = World::built(emulator.quotas(Quotas::all(20.0, 50)), &SETTINGS);
        let (report, over_floor, throttled) = measured(&world, &csv, 20.0, 50.0).await;
        assert_eq!(report.status(), "succeeded");
        assert!(over_floor <= most, "{n_users} users: {over_floor}");
        assert!(throttled == 0.0, "in virtual time the two buckets agree to the token: {throttled}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_the_rate_is_found_out_and_kept() {
    let (emulator, csv) = mixed(500);
    let world = World::built(emulator.quotas(Quotas::all(10.0, 50)), &SETTINGS);
    let (report, over_floor, throttled) = measured(&world, &csv, 10.0, 50.0).await;
    assert_eq!(report.status(), "succeeded");
    assert!(over_floor <= 1.3, "{over_floor}");
    assert!(throttled <= 0.15, "{throttled}");
}

#[tokio::test(start_paused = true)]
async fn half_of_the_default_rate_is_found_out_and_kept() {
    let (emulator, csv) = mixed(300);
    let world = World::built(emulator.quotas(Quotas::all(1.0, 5)), &[("REQUESTS_PER_SECOND", "2")]);
    let (report, over_floor, throttled) = measured(&world, &csv, 1.0, 5.0).await;
    assert_eq!(report.status(), "succeeded");
    assert!(over_floor <= 1.3, "{over_floor}");
    assert!(throttled <= 0.15, "{throttled}");
}

#[tokio::test(start_paused = true)]
async fn one_more_bucket_holds_over_all_operations() {
    let (emulator, csv) = mixed(100);
    let settings = [SETTINGS[0], SETTINGS[1], ("TOTAL_REQUESTS_PER_SECOND", "5")];
    let world = World::built(emulator.quotas(Quotas::unlimited()), &settings);
    world.drop_file("incoming/a.csv", &csv).await;
    let sent: Vec<_> = world.emulator.calls().iter().map(|call| call.at).collect();
    assert!(sent.len() > 150);
    for (nth, at) in sent.iter().enumerate() {
        let within = sent[..nth].iter().filter(|earlier| **earlier + Duration::from_secs(10) > *at).count();
        assert!(within <= 5 + 50, "{within} calls in the ten seconds before {at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reads_run_ahead_of_writes_by_some_fifty_users() {
    let (emulator, csv) = mixed(400);
    let quotas = Quotas::unlimited().with(Operation::AssociateUserProficiencies, 2.0, 5);
    let rates = r#"{"AssociateUserProficiencies":{"rate":2,"burst":5}}"#;
    let world = World::built(emulator.quotas(quotas), &[SETTINGS[0], SETTINGS[1], ("REQUEST_RATES", rates)]);
    let report = world.drop_file("incoming/a.csv", &csv).await;
    assert_eq!(report.status(), "succeeded");
    let (mut read, mut written, mut most_ahead) = (0_usize, 0_usize, 0_usize);
    for call in world.emulator.calls() {
        let nth = call.user.as_deref().and_then(|id| id.rsplit('-').next()?.parse::<usize>().ok()).unwrap_or(0);
        match call.operation {
            Operation::ListUserProficiencies if nth % 4 >= 2 => read += 1,
            Operation::AssociateUserProficiencies => written += 1,
            _ => {}
        }
        most_ahead = most_ahead.max(read - written);
    }
    assert!((40..=50).contains(&most_ahead), "{most_ahead}");
}
