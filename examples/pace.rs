//! How near an import comes to the floor that the quotas set.
//!
//! `cargo run --release --example pace -- --users 500 --rate 20 --burst 50`: the emulator takes 80 ms a call and grants
//! what the function believes it may use; `--granted 0.5` grants half of it. `--account true` grants what a listing of a real account
//! shows (reads 10, writes 2, five at once), and the function finds that out.
#![expect(clippy::print_stdout, reason = "this is what the benchmark shows")]

mod stage;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use connect_emulator::{Emulator, Instance, Operation, Quota, Quotas};
use import_testkit::clients::s3_config;
use import_testkit::{MemoryS3, Versioning};
use tokio::time::Instant;

#[derive(Debug)]
struct Arguments {
    n_users: usize,
    rate: f64,
    burst: u32,
    granted: f64,
    latency: Duration,
    of_account: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { n_users, rate, burst, granted, latency, of_account } = arguments()?;
    let (centre, csv) = centre(n_users);
    let quotas = if of_account { Quotas::of_an_account() } else { Quotas::all(rate * granted, burst) };
    let emulator = Emulator::builder(centre).quotas(quotas.clone()).latency(latency).build();
    let s3 = MemoryS3::new().with_bucket(stage::BUCKET, Versioning::Enabled);
    s3.put(stage::BUCKET, "incoming/pace.csv", csv);
    let (rate_setting, burst_setting) = (rate.to_string(), burst.to_string());
    let settings = [("REQUESTS_PER_SECOND", rate_setting.as_str()), ("REQUEST_BURST", burst_setting.as_str())];
    let settings = if of_account { &[][..] } else { &settings };
    let importer = stage::importer(&emulator, s3_config(&s3), settings)?;

    let began = Instant::now();
    let answer = stage::import(&importer, "incoming/pace.csv").await?;
    let wall = began.elapsed().as_secs_f64();

    let stats = emulator.stats();
    let (slowest, floor) = floor(n_users, &quotas, if of_account { 0.9 } else { 1.0 });
    println!("{n_users} users, {} rows: {:?}", answer.rows.total(), answer.status);
    println!("wall  {wall:8.2} s");
    println!("floor {floor:8.2} s   (the calls of {slowest}, less a burst, at the quota's rate)");
    println!("ratio {:8.3}", wall / floor);
    println!("\n{:32} {:>6} {:>10}", "operation", "calls", "throttled");
    for operation in Operation::ALL {
        let of = stats.of(operation);
        if of.calls > 0 {
            println!("{:32} {:>6} {:>10}", operation.name(), of.calls, of.throttled);
        }
    }
    let total = stats.total();
    #[expect(clippy::cast_precision_loss, reason = "a benchmark has fewer than 2^53 calls")]
    let share = 100.0 * total.throttled as f64 / total.calls as f64;
    println!("{:32} {:>6} {:>10}   ({share:.2} %)", "all", total.calls, total.throttled);
    Ok(())
}

/// The operation that takes longest, and how long: a read for each user, an addition for half of them, a change for a quarter. No
/// plan can do with less.
#[expect(clippy::cast_precision_loss, reason = "a benchmark has fewer than 2^53 users")]
fn floor(n_users: usize, quotas: &Quotas, share: f64) -> (Operation, f64) {
    let calls = [
        (Operation::ListUserProficiencies, n_users),
        (Operation::AssociateUserProficiencies, n_users / 2),
        (Operation::UpdateUserProficiencies, n_users / 4),
    ];
    let took = calls.map(|(operation, n)| {
        let seconds = |quota: Quota| (n as f64 - f64::from(quota.burst)) / (quota.rate * share);
        (operation, quotas.of(operation).map_or(0.0, seconds).max(0.0))
    });
    took.into_iter().fold((Operation::ListUserProficiencies, 0.0), |most, one| if one.1 > most.1 { one } else { most })
}

/// A quarter of the users are right already, a quarter have other levels, half have nothing.
fn centre(n_users: usize) -> (Instance, String) {
    let mut centre =
        Instance::new("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee").with_attribute("Language", ["German", "French"]);
    let mut csv = "user,attribute,value,level\n".to_owned();
    for n in 0..n_users {
        let held = match n % 4 {
            0 => vec![("Language", "German", 3.0), ("Language", "French", 3.0)],
            1 => vec![("Language", "German", 1.0), ("Language", "French", 1.0)],
            _ => vec![],
        };
        centre.add_user(Instance::sample_user_id(n), format!("agent{n}"), held);
        let _ = write!(csv, "agent{n},Language,German,3\nagent{n},Language,French,3\n");
    }
    (centre, csv)
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut arguments = Arguments {
        n_users: 500,
        rate: 20.0,
        burst: 50,
        granted: 1.0,
        latency: Duration::from_millis(80),
        of_account: false,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().with_context(|| format!("{name} what?"))?;
        match name.as_str() {
            "--users" => arguments.n_users = value.parse()?,
            "--rate" => arguments.rate = value.parse()?,
            "--burst" => arguments.burst = value.parse()?,
            "--granted" => arguments.granted = value.parse()?,
            "--account" => arguments.of_account = value.parse()?,
            "--latency-ms" => arguments.latency = Duration::from_millis(value.parse()?),
            _ => anyhow::bail!("there is no {name}: use --users --rate --burst --granted --account --latency-ms"),
        }
    }
    Ok(arguments)
}
