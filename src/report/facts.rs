//! What the page tells of the import itself: options, quotas, times, object and version. Pure.

use super::summary::Summary;
use super::text::{counted, cut, grouped, lasted, time};
use crate::connect::{Operation, Quota, Rates};
use crate::options::{Mode, Options, UnassignedRows};

/// Letters of what is told in one piece.
pub(super) const MAX_LETTERS: usize = 2000;

/// Options, quotas, times, object and version.
pub(super) fn facts(summary: &Summary, options: &Options, rates: &Rates) -> Vec<(&'static str, String)> {
    let kind = match summary.kind.as_deref() {
        Some("proficiencies") => "proficiencies",
        Some("user_config") => "settings per channel",
        _ => "not known: the header was not understood",
    };
    let (what, of) = if summary.export { ("Export", "Table") } else { ("Import", "File") };
    let mut facts = vec![
        (what, summary.import_id.clone()),
        (of, cut(&summary.source, MAX_LETTERS)),
        ("Version", cut(&summary.version, MAX_LETTERS)),
        ("Contents", kind.to_owned()),
    ];
    if !summary.export {
        facts.extend(facts_of_import(summary, options));
    }
    for (operation, quota) in called_quotas(summary) {
        facts.push((operation, quota_in_words(quota)));
    }
    if let Some(total) = rates.total() {
        facts.push(("All operations together", format!("at most {} calls a second", total.per_second)));
    }
    if !summary.export {
        facts.push(("Users in the file", users(summary)));
    }
    facts.push(("Began", time(summary.started_at)));
    if let Some(finished) = summary.finished_at {
        facts.push(("Ended", format!("{}, after {}", time(finished), lasted(finished - summary.started_at))));
    }
    facts.push(("Times delivered", grouped(u64::from(summary.deliveries))));
    facts.retain(|(_, fact)| !fact.is_empty());
    facts
}

/// What only an import has: its file's columns and its options.
fn facts_of_import(summary: &Summary, options: &Options) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(columns) = &summary.columns {
        let carried = match columns.carried.len() as u64 {
            0 => String::new(),
            n => format!("; {} copied to results.csv", counted(n, "column")),
        };
        facts.push(("Columns used", format!("{}{carried}", cut(&columns.used.join(", "), MAX_LETTERS))));
    }
    let mode = match summary.mode {
        Mode::Merge => "merge: what the file does not name is left alone",
        Mode::Replace => "replace: users end with just what the file names",
    };
    facts.push(("Mode", mode.to_owned()));
    facts.push(("Dry run", if summary.dry_run { "yes" } else { "no" }.to_owned()));
    facts.push(("Rejected if more rows are invalid than", format!("{} %", options.max_invalid_percent)));
    if summary.mode == Mode::Replace {
        facts.push(("Rejected if more is removed than", format!("{} %", options.max_removals_percent)));
        let unassigned = match options.unassigned_rows {
            UnassignedRows::Protect => "protect what they may name",
            UnassignedRows::Ignore => "protect what they may name, unless the instance has nobody of such a name",
        };
        facts.push(("Rows that cannot be assigned to a user", unassigned.to_owned()));
    }
    if summary.kind.as_deref() != Some("user_config") {
        facts.push(("Proficiencies per user", format!("at most {}", options.max_proficiencies_per_user)));
    }
    if options.recheck_days.get() > 0 {
        let days = counted(u64::from(options.recheck_days.get()), "day");
        facts.push(("Users whose rows are as they were", format!("need not be read again for {days}")));
    }
    facts
}

fn users(summary: &Summary) -> String {
    let users = &summary.users;
    if users.total == 0 {
        return String::new();
    }
    let changed = if summary.dry_run { "would change" } else { "changed" };
    format!(
        "{}: {} {changed}, {} were right already, {} have an invalid, failed or kept row (some of them changed, too)",
        grouped(users.total),
        grouped(users.changed),
        grouped(users.unchanged),
        grouped(users.with_errors)
    )
}

/// The quotas of operations that were called.
fn called_quotas(summary: &Summary) -> impl Iterator<Item = (&'static str, Quota)> {
    let quota = |operation: Operation| {
        let name = operation.name();
        summary.calls.get(name).and_then(|_| summary.quotas.get(name)).map(|quota| (name, *quota))
    };
    Operation::ALL.into_iter().filter_map(quota)
}

/// `at most 9 calls a second, 5 at once (a share of the account's quota)`
fn quota_in_words(quota: Quota) -> String {
    let Quota { rate, burst, from } = quota;
    format!("at most {rate} calls a second, {burst} at once ({})", from.in_words())
}
