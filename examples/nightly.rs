//! What a nightly sync costs: the first night, and the second, on which few rows are other ones.
//!
//! `cargo run --release --example nightly -- --users 5000 --changed 1`: the emulator grants the documented quotas and takes 80 ms a
//! call, in virtual time. The second night is shown with users that are not read again, and with one read for everybody.
#![expect(clippy::print_stdout, reason = "this is what the benchmark shows")]

mod stage;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use connect_bulk_import::Importer;
use connect_emulator::{Emulator, Instance, Operation, Quotas};
use import_testkit::clients::s3_config;
use import_testkit::{MemoryS3, Versioning};
use tokio::time::Instant;

/// Connect's documented quota of every operation.
const RATE: f64 = 2.0;
const BURST: u32 = 5;

/// A centre with nobody in it who has a skill, the bucket, and the function between them.
struct Centre {
    emulator: Emulator,
    s3: MemoryS3,
    importer: Importer,
}

/// What a night cost.
struct Cost {
    reads: u64,
    writes: u64,
    others: u64,
    took: Duration,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let (n_users, percent) = arguments()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
    let n_changed = (n_users as f64 * percent / 100.0).round() as usize;
    let (first, second) = (file(n_users, 0), file(n_users, n_changed));
    let (with, without) = (Centre::new(n_users, "28")?, Centre::new(n_users, "0")?);
    without.night("incoming/first.csv", &first).await?;
    let nights = [
        ("the first night".to_owned(), with.night("incoming/first.csv", &first).await?),
        (format!("the second, {n_changed} changed"), with.night("incoming/second.csv", &second).await?),
        ("the same, everybody read".to_owned(), without.night("incoming/second.csv", &second).await?),
    ];
    #[expect(clippy::cast_precision_loss, reason = "a benchmark has fewer than 2^53 users")]
    let floor = Duration::from_secs_f64(((n_users as f64 - f64::from(BURST)) / RATE).max(0.0));

    println!("{n_users} users, {} rows; each operation twice a second, five at once\n", 2 * n_users);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["", "reads", "writes", "other calls", "time", "of the floor"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (name, Cost { reads, writes, others, took }) in nights {
        let of_floor = format!("{:.3}", took.as_secs_f64() / floor.as_secs_f64());
        table.add_row([name, reads.to_string(), writes.to_string(), others.to_string(), clock(took), of_floor]);
    }
    table.add_row(["the floor: one read a user", &n_users.to_string(), "", "", &clock(floor), "1.000"]);
    println!("{table}");
    Ok(())
}

impl Centre {
    fn new(n_users: usize, recheck_days: &str) -> anyhow::Result<Self> {
        let mut centre =
            Instance::new("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee").with_attribute("Language", ["German", "French"]);
        for n in 0..n_users {
            centre.add_user(Instance::sample_user_id(n), format!("agent{n}"), Vec::<(String, String, f32)>::new());
        }
        let emulator = Emulator::builder(centre).quotas(Quotas::all(RATE, BURST));
        let emulator = emulator.latency(Duration::from_millis(80)).record_calls(false).build();
        let s3 = MemoryS3::new().with_bucket(stage::BUCKET, Versioning::Enabled);
        let settings = [("REQUESTS_PER_SECOND", "2"), ("RECHECK_DAYS", recheck_days)];
        let importer = stage::importer(&emulator, s3_config(&s3), &settings)?;
        Ok(Self { emulator, s3, importer })
    }

    async fn night(&self, key: &str, csv: &str) -> anyhow::Result<Cost> {
        self.emulator.reset_stats();
        self.s3.put(stage::BUCKET, key, csv.to_owned());
        let began = Instant::now();
        let answer = stage::import(&self.importer, key).await?;
        let took = began.elapsed();
        anyhow::ensure!(answer.rows.to_retry() == 0, "not every row is right: {:?}", answer.rows);
        let stats = self.emulator.stats();
        let calls = |operation| stats.of(operation).calls;
        let reads = calls(Operation::ListUserProficiencies);
        let writes = calls(Operation::AssociateUserProficiencies) + calls(Operation::UpdateUserProficiencies);
        Ok(Cost { reads, writes, others: stats.total().calls - reads - writes, took })
    }
}

/// Two skills for everybody; the first users have another level in one of them.
fn file(n_users: usize, n_changed: usize) -> String {
    let mut csv = "user,attribute,value,level\n".to_owned();
    for n in 0..n_users {
        let level = if n < n_changed { 5 } else { 3 };
        let _ = write!(csv, "agent{n},Language,German,{level}\nagent{n},Language,French,3\n");
    }
    csv
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// How many users, and how many of a hundred have other rows on the second night.
fn arguments() -> anyhow::Result<(usize, f64)> {
    let (mut n_users, mut percent) = (5000, 1.0);
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().with_context(|| format!("{name} what?"))?;
        match name.as_str() {
            "--users" => n_users = value.parse()?,
            "--changed" => percent = value.parse()?,
            _ => anyhow::bail!("there is no {name}: use --users --changed"),
        }
    }
    Ok((n_users, percent))
}
