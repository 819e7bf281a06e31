//! The function on this machine: no AWS account, nothing else to install.
//!
//! An S3 in a folder, Amazon Connect in an emulator at the documented quotas, and between them the function's own engine.
//! It imports `examples/data/team.csv`, good rows and bad, into the centre of `examples/data/instance.json`; with
//! `--kind user-config` it is `examples/data/channels.csv`, settings per channel; with `--file` any file, such as the skills
//! matrix `examples/data/skills.xlsx`. With `--kill` the function is killed twice on the way, and its next delivery goes on.
#![expect(clippy::print_stdout, reason = "this is what the demonstration shows")]
#![allow(clippy::disallowed_types, reason = "the demonstration drops its file with a client of its own")]

mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use connect_bulk_import::import::Progress;
use connect_bulk_import::outcome::{Counts, Status};
use connect_emulator::{Emulator, Instance, InstanceFile};
use import_testkit::clients::s3_config_to;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

/// A file to be dropped, and when the function is killed if it is to be.
struct Show {
    file: PathBuf,
    kills: [Duration; 2],
}

/// A file of the examples.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)
}

fn team() -> Show {
    Show { file: example("team.csv"), kills: [Duration::from_secs(7), Duration::from_secs(9)] }
}

fn channels() -> Show {
    Show { file: example("channels.csv"), kills: [Duration::from_millis(1000), Duration::from_millis(1500)] }
}

/// How long the emulator takes for a call, as the real service may.
const LATENCY: Duration = Duration::from_millis(80);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("target/demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("the last demonstration's folder cannot be cleared away")?;
    }
    std::fs::create_dir_all(folder.join(stage::BUCKET))?;
    let s3 = s3s_fs::FileSystem::new(&folder)
        .map_err(|error| anyhow::anyhow!("no S3 in {}: {error:?}", folder.display()))?;
    let config = s3_config_to(s3);
    let s3 = aws_sdk_s3::Client::from_conf(config.clone().build());

    let centre: InstanceFile =
        serde_json::from_str(&std::fs::read_to_string(here.join("examples/data/instance.json"))?)?;
    let emulator = Emulator::builder(Instance::from(centre)).latency(LATENCY).build();
    let n_users = emulator.instance(|instance| instance.users().count());
    let (show, is_killed) = wanted(std::env::args().skip(1))?;
    let kills = if is_killed { &show.kills[..] } else { &[] };
    let name = show.file.file_name().and_then(|name| name.to_str()).context("the file has no name")?;
    let key = format!("incoming/{name}");
    let bytes = std::fs::read(&show.file).with_context(|| format!("{} cannot be read", show.file.display()))?;
    println!(
        "Amazon Connect  an emulator with {n_users} users; each operation may be called twice a second, five at once"
    );
    println!("Amazon S3       {}", shown(&folder));
    println!("The file        {}, dropped as s3://{}/{key}\n", shown(&show.file), stage::BUCKET);
    s3.put_object().bucket(stage::BUCKET).key(&key).body(bytes.into()).send().await?;

    let began = Instant::now();
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} users  {msg}  {elapsed_precise}, about {eta} to go",
    )?);
    let mut lives = kills.iter();
    let answer = loop {
        // A new process, with nothing but what lies in S3.
        let importer = stage::importer(&emulator, config.clone(), &[])?;
        let life = lives.next();
        tokio::select! {
            answer = stage::import(&importer, &key) => break answer?,
            () = watched(&bar, importer.progress()) => {}
            () = killed_after(life) => {}
        }
        let Progress { rows, n_users, n_users_done, .. } = *importer.progress().borrow();
        let so_far = format!("{n_users_done} of {n_users} users done, {} rows changed", changed(&rows));
        bar.suspend(|| {
            println!("  killed after {:.1} s, with {so_far}; delivered again", began.elapsed().as_secs_f64());
        });
    };
    bar.finish_and_clear();
    let took = began.elapsed().as_secs_f64();

    let report = answer.report.as_deref().and_then(|report| report.strip_prefix("s3://")).context("no report")?;
    let report = folder.join(report);
    let summary: Value = serde_json::from_slice(&std::fs::read(report.join("summary.json"))?)?;
    println!("The import {} after {took:.1} s.\n", said(&summary));
    println!("{}\n", rows(&summary)?);
    println!("{}\n", calls(&summary));
    if let Some(message) = summary["message"].as_str() {
        println!("{message}\n");
    }
    if report.join("retry.csv").exists() {
        println!("{}\n", to_mend(&report)?);
    }
    println!("The report for people: {}\n", shown(&report.join("report.html")));
    println!("Beside it lie, in {}:", shown(&report));
    for (name, what) in [
        ("results.csv", "every row of the file and what became of it"),
        ("retry.csv", "the rows to mend and drop again"),
        ("undo.csv", "what takes it all back: drop it to try"),
        ("summary.json", "the import in numbers"),
    ] {
        if report.join(name).exists() {
            println!("  {name:13} {what}");
        }
    }
    Ok(())
}

/// What the arguments ask for.
fn wanted(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<(Show, bool)> {
    let (mut show, mut is_killed) = (team(), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--kill" => is_killed = true,
            "--kind" => match arguments.next().as_deref() {
                Some("proficiencies") => show = team(),
                Some("user-config") => show = channels(),
                _ => anyhow::bail!("--kind is proficiencies or user-config"),
            },
            "--file" => show.file = arguments.next().context("--file needs a path")?.into(),
            other => anyhow::bail!("there is no {other}; there are --file, --kind and --kill"),
        }
    }
    Ok((show, is_killed))
}

fn changed(rows: &Counts) -> u64 {
    rows.of(Status::Added) + rows.of(Status::Updated) + rows.of(Status::Removed)
}

async fn killed_after(life: Option<&Duration>) {
    match life {
        Some(life) => tokio::time::sleep(*life).await,
        None => std::future::pending().await,
    }
}

async fn watched(bar: &ProgressBar, mut progress: watch::Receiver<Progress>) {
    while progress.changed().await.is_ok() {
        let Progress { rows, n_users, n_users_done, .. } = *progress.borrow_and_update();
        bar.set_length(n_users as u64);
        bar.set_position(n_users_done as u64);
        bar.set_message(format!("{} rows to mend", rows.to_retry() - rows.of(Status::Pending)));
    }
    std::future::pending::<()>().await;
}

fn said(summary: &Value) -> &'static str {
    match summary["status"].as_str() {
        Some("succeeded") => "succeeded",
        Some("completed_with_errors") => "is complete, with rows to mend,",
        _ => "did not succeed",
    }
}

fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.to_vec());
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn rows(summary: &Value) -> anyhow::Result<Table> {
    let counts: Counts = serde_json::from_value(summary["rows"].clone())?;
    let mut table = table(&["rows", ""], &[1]);
    for status in Status::ALL.into_iter().filter(|&status| counts.of(status) > 0) {
        table.add_row([status.name().to_owned(), counts.of(status).to_string()]);
    }
    table.add_row(["all".to_owned(), counts.total().to_string()]);
    Ok(table)
}

fn calls(summary: &Value) -> Table {
    let mut table = table(&["calls", "sent", "throttled", "waited for their turn", "may, a second"], &[1, 2, 3, 4]);
    for (operation, calls) in summary["calls"].as_object().into_iter().flatten() {
        let waited = format!("{:.1} s", calls["waited_seconds"].as_f64().unwrap_or_default());
        let quota = &summary["quotas"][operation];
        let may = format!("{} ({})", quota["rate"], quota["from"].as_str().unwrap_or_default());
        table.add_row([operation.clone(), calls["attempts"].to_string(), calls["throttled"].to_string(), waited, may]);
    }
    table
}

fn to_mend(report: &Path) -> anyhow::Result<Table> {
    let mut table = table(&["line", "column", "why", ""], &[0]);
    let mut retry = csv::Reader::from_path(report.join("retry.csv"))?;
    let header = retry.headers()?.clone();
    let place = |name: &str| header.iter().position(|cell| cell == name).with_context(|| format!("no column {name}"));
    // Only a sheet has columns.
    let places = [
        Some(place("import_line")?),
        place("import_column").ok(),
        Some(place("import_code")?),
        Some(place("import_message")?),
    ];
    for row in retry.records() {
        let row = row?;
        let cell = |place: Option<usize>| place.and_then(|place| row.get(place)).unwrap_or_default().to_owned();
        table.add_row(places.map(cell));
    }
    Ok(table)
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
