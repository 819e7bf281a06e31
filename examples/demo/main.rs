//! The function on this machine: no AWS account, nothing else to install.
//!
//! An S3 in a folder, Amazon Connect in an emulator at the documented quotas, and between them the function's own engine.
//! It imports `examples/data/team.csv`, good rows and bad, into the centre of `examples/data/instance.json`; with
//! `--kind user-config` it is `examples/data/channels.csv`, settings per channel; with `--file` any file, such as the skills
//! matrix `examples/data/skills.xlsx`. With `--kill` the function is killed twice on the way, and its next delivery goes on.
//! With `--story` it is the first day with the function: check, export, an edit, and the import of what was edited.
#![expect(clippy::print_stdout, reason = "this is what the demonstration shows")]
#![allow(clippy::disallowed_types, reason = "the demonstration drops its file with a client of its own")]

mod show;
#[path = "../stage/mod.rs"]
mod stage;
mod story;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use connect_bulk_import::Importer;
use connect_bulk_import::import::Progress;
use connect_bulk_import::settings::REPORT_BUCKET;
use connect_emulator::{Emulator, Instance, InstanceFile};
use import_testkit::clients::s3_config_to;
use tokio::time::Instant;

/// What is shown.
enum Wanted {
    Import(Show),
    Story,
}

/// A file to be dropped, and when the function is killed, if it is to be.
struct Show {
    file: PathBuf,
    kills: &'static [Duration],
}

/// A file of the examples.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)
}

const TEAM: (&str, [Duration; 2]) = ("team.csv", [Duration::from_secs(7), Duration::from_secs(9)]);
const CHANNELS: (&str, [Duration; 2]) = ("channels.csv", [Duration::from_secs(1), Duration::from_millis(1500)]);

/// How long the emulator takes for a call, as the real service may.
const LATENCY: Duration = Duration::from_millis(80);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let wanted = wanted(std::env::args().skip(1))?;
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
    println!(
        "Amazon Connect  an emulator with {n_users} users; each operation may be called twice a second, five at once"
    );
    println!("Amazon S3       {}", show::path(&folder));
    // A new process, with nothing but what lies in S3.
    let begin = || stage::importer(&emulator, config.clone(), &[(REPORT_BUCKET, stage::BUCKET)]);
    match wanted {
        Wanted::Story => {
            println!();
            story::tell(&begin()?, &s3, &folder).await
        }
        Wanted::Import(file) => import(begin, &s3, &folder, &file).await,
    }
}

/// Drops a file, and shows how it is imported, whatever befalls the function.
async fn import(
    begin: impl Fn() -> anyhow::Result<Importer>,
    s3: &aws_sdk_s3::Client,
    folder: &Path,
    Show { file, kills }: &Show,
) -> anyhow::Result<()> {
    let name = file.file_name().and_then(|name| name.to_str()).context("the file has no name")?;
    let key = format!("incoming/{name}");
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    println!("The file        {}, dropped as s3://{}/{key}\n", show::path(file), stage::BUCKET);
    s3.put_object().bucket(stage::BUCKET).key(&key).body(bytes.into()).send().await?;

    let began = Instant::now();
    let bar = show::bar()?;
    let mut lives = kills.iter();
    let answer = loop {
        let importer = begin()?;
        let life = lives.next();
        tokio::select! {
            answer = stage::import(&importer, &key) => break answer?,
            () = show::watch(&bar, importer.progress()) => {}
            () = killed_after(life) => {}
        }
        let Progress { rows, n_users, n_users_done, .. } = *importer.progress().borrow();
        let so_far = format!("{n_users_done} of {n_users} users done, {} rows changed", show::changed(&rows));
        bar.suspend(|| {
            println!("  killed after {:.1} s, with {so_far}; delivered again", began.elapsed().as_secs_f64());
        });
    };
    bar.finish_and_clear();
    let (report, summary) = show::report(folder, &answer)?;
    show::import(&report, &summary, began.elapsed().as_secs_f64())
}

/// What the arguments ask for.
fn wanted(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Wanted> {
    let (mut kind, mut is_killed, mut file) = (&TEAM, false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--story" => return Ok(Wanted::Story),
            "--kill" => is_killed = true,
            "--kind" => match arguments.next().as_deref() {
                Some("proficiencies") => kind = &TEAM,
                Some("user-config") => kind = &CHANNELS,
                _ => anyhow::bail!("--kind is proficiencies or user-config"),
            },
            "--file" => file = Some(PathBuf::from(arguments.next().context("--file needs a path")?)),
            other => anyhow::bail!("there is no {other}; there are --story, --file, --kind and --kill"),
        }
    }
    let (name, kills) = kind;
    let kills = if is_killed { &kills[..] } else { &[] };
    Ok(Wanted::Import(Show { file: file.unwrap_or_else(|| example(name)), kills }))
}

async fn killed_after(life: Option<&Duration>) {
    match life {
        Some(life) => tokio::time::sleep(*life).await,
        None => std::future::pending().await,
    }
}
