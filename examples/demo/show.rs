//! What the demonstration shows of an import: its progress, and then its report.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use connect_bulk_import::Answer;
use connect_bulk_import::import::Progress;
use connect_bulk_import::outcome::{Counts, Status};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::sync::watch;

/// The objects of a report, in the order in which one would look at them.
const OBJECTS: [(&str, &str); 4] = [
    ("results.csv", "every row of the file and what became of it"),
    ("retry.csv", "the rows to mend and drop again"),
    ("undo.csv", "what takes it all back: drop it to try"),
    ("summary.json", "the import in numbers"),
];

/// The folder of an answer's report, and its summary.
pub(crate) fn report(folder: &Path, answer: &Answer) -> anyhow::Result<(PathBuf, Value)> {
    let report = answer.report.as_deref().and_then(|report| report.strip_prefix("s3://")).context("no report")?;
    let report = folder.join(report);
    let summary = serde_json::from_slice(&std::fs::read(report.join("summary.json"))?)?;
    Ok((report, summary))
}

/// Prints an import that is over: how it ended, its rows and calls, and what lies in its report.
pub(crate) fn import(report: &Path, summary: &Value, took: f64) -> anyhow::Result<()> {
    println!("The import {} after {took:.1} s.\n", said(summary));
    println!("{}\n", rows(summary)?);
    println!("{}\n", calls(summary));
    if let Some(message) = summary["message"].as_str() {
        println!("{message}\n");
    }
    if report.join("retry.csv").exists() {
        println!("{}\n", to_mend(report)?);
    }
    println!("The report for people: {}\n", path(&report.join("report.html")));
    println!("Beside it lie, in {}:", path(report));
    for (name, what) in OBJECTS.into_iter().filter(|(name, _)| report.join(name).exists()) {
        println!("  {name:13} {what}");
    }
    Ok(())
}

/// A bar that is as long as there are users.
pub(crate) fn bar() -> anyhow::Result<ProgressBar> {
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} users  {msg}  {elapsed_precise}, about {eta} to go",
    )?))
}

/// Moves the bar for as long as the import runs.
pub(crate) async fn watch(bar: &ProgressBar, mut progress: watch::Receiver<Progress>) {
    while progress.changed().await.is_ok() {
        let Progress { rows, n_users, n_users_done, .. } = *progress.borrow_and_update();
        bar.set_length(n_users as u64);
        bar.set_position(n_users_done as u64);
        bar.set_message(match rows.to_retry() - rows.of(Status::Pending) {
            0 => String::new(),
            n => format!("{n} rows to mend"),
        });
    }
    std::future::pending::<()>().await;
}

pub(crate) fn changed(rows: &Counts) -> u64 {
    rows.of(Status::Added) + rows.of(Status::Updated) + rows.of(Status::Removed)
}

fn said(summary: &Value) -> &'static str {
    match summary["status"].as_str() {
        Some("succeeded") => "succeeded",
        Some("completed_with_errors") => "is complete, with rows to mend,",
        _ => "did not succeed",
    }
}

/// A table whose columns of these numbers are numbers.
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.to_vec());
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Rows by status.
pub(crate) fn rows(summary: &Value) -> anyhow::Result<Table> {
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
pub(crate) fn path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
