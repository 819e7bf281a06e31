//! Serves an emulated Amazon Connect instance to any AWS client.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use connect_emulator::{Emulator, Faults, Instance, InstanceFile, Operation, Quotas, Switches};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;

/// Amazon Connect's operations on user proficiencies and settings, on one's own machine.
#[derive(Debug, Parser)]
struct Options {
    /// The port to listen on; 0 for any that is free
    #[arg(long, default_value_t = 4510)]
    port: u16,
    /// How many users the sample instance has
    #[arg(long, value_name = "N", default_value_t = 20)]
    users: usize,
    /// An instance of one's own in place of the sample
    #[arg(long, value_name = "FILE.json", conflicts_with = "users")]
    instance: Option<PathBuf>,
    /// Requests per second that each operation takes; 0 for no limit
    #[arg(long, value_name = "PER_SECOND", default_value_t = 2.0)]
    rate: f64,
    /// Requests that each operation takes at once
    #[arg(long, value_name = "N", default_value_t = 5)]
    burst: u32,
    /// Another rate of one operation, such as `ListUserProficiencies=10` (may be given several times)
    #[arg(long, value_name = "OPERATION=PER_SECOND", value_parser = rate_of)]
    rate_of: Vec<(Operation, f64)>,
    /// How long each call takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// A script of what goes wrong
    #[arg(long, value_name = "FILE.json")]
    faults: Option<PathBuf>,
    #[command(flatten, next_help_heading = "What the documents of Connect leave open")]
    switches: Switches,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .with_context(|| format!("listening on port {}", options.port))?;
    let address = listener.local_addr().context("finding one's own port")?;
    let emulator = emulator(options)?;
    say(&greeting(&emulator, &format!("http://{address}")));
    tokio::select! {
        served = emulator.clone().serve(listener) => served.context("serving")?,
        stopped = tokio::signal::ctrl_c() => stopped.context("waiting for Ctrl-C")?,
    }
    say(&farewell(&emulator));
    Ok(())
}

fn emulator(options: Options) -> Result<Emulator> {
    let instance = match &options.instance {
        Some(path) => read_json::<InstanceFile>(path)?.into(),
        None => Instance::sample(options.users),
    };
    let faults = match &options.faults {
        Some(path) => read_json(path)?,
        None => Faults::none(),
    };
    let quotas = if options.rate > 0.0 { Quotas::all(options.rate, options.burst) } else { Quotas::unlimited() };
    let with = |quotas: Quotas, (operation, rate)| quotas.with(operation, rate, options.burst);
    let quotas = options.rate_of.iter().copied().fold(quotas, with);
    Ok(Emulator::builder(instance)
        .switches(options.switches)
        .quotas(quotas)
        .faults(faults)
        .latency(Duration::from_millis(options.latency_ms))
        .calendar_start(since_1970()?)
        .record_calls(false)
        .build())
}

fn rate_of(text: &str) -> Result<(Operation, f64), String> {
    let (operation, rate) = text.split_once('=').ok_or("it is not of the form OPERATION=PER_SECOND")?;
    let rate = rate.parse().ok().filter(|rate| *rate > 0.0).ok_or_else(|| format!("'{rate}' is no rate"))?;
    Ok((operation.parse()?, rate))
}

#[expect(clippy::disallowed_methods, reason = "the timestamps that a person sees are those of the wall clock")]
fn since_1970() -> Result<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.context("reading the clock")
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("understanding {}", path.display()))
}

fn greeting(emulator: &Emulator, url: &str) -> String {
    emulator.instance(|instance| {
        let (id, n_users) = (instance.id(), instance.users().count());
        let region = instance.region();
        format!(
            "Amazon Connect, emulated, at {url}\n\
             instance {id}, {n_users} users\n\n\
             export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_REGION={region}\n\
             aws connect list-users --endpoint-url {url} --instance-id {id}\n\n\
             Ctrl-C stops it."
        )
    })
}

fn farewell(emulator: &Emulator) -> String {
    let stats = emulator.stats();
    let lines = Operation::ALL.map(|operation| {
        let of = stats.of(operation);
        format!(
            "\n{operation:<31}{:>7} calls{:>7} ok{:>7} throttled{:>7} refused{:>7} failed{:>7} cut",
            of.calls, of.ok, of.throttled, of.refused, of.failed, of.cut
        )
    });
    lines.concat()
}

#[expect(clippy::print_stdout, reason = "the binary's purpose is to tell a person")]
fn say(text: &str) {
    println!("{text}");
}
