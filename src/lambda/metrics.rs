//! The end of an import as metrics: one line of the log in CloudWatch's embedded metric format. Pure.
//!
//! `metrics_cloudwatch_embedded` writes such lines, too: from counters of the whole process, in which values and properties of
//! the import before would stay. Here one value makes one line.

use serde_json::{Map, Value, json};

use crate::import::ImportEnd;
use crate::outcome::{ImportStatus, Status};

const NAMESPACE: &str = "ConnectBulkImport";
const DIMENSION: &str = "service";
/// How the names of the template's scheduled imports begin.
const SCHEDULED: &str = "hr-sync-";

/// The line, without its end. `service` is the function's name.
///
/// The format: CloudWatch's user guide, "Specification: Embedded metric format". The line has no level, so that no level filter
/// drops it but Lambda's own, which must stand at TRACE.
pub(super) fn metric_line(end: &ImportEnd, service: &str) -> String {
    let metrics = metrics(end);
    let described = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit}));
    let directive = json!({
        "Namespace": NAMESPACE,
        "Dimensions": [[DIMENSION]],
        "Metrics": described.collect::<Vec<_>>(),
    });
    let timestamp = end.told_at.timestamp_millis();
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({"Timestamp": timestamp, "CloudWatchMetrics": [directive]}));
    line.insert(DIMENSION.to_owned(), service.into());
    line.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    let summary = end.summary();
    for (name, value) in [
        ("import_id", json!(summary.import_id)),
        ("status", json!(summary.status)),
        ("kind", json!(summary.kind)),
        ("mode", json!(summary.mode)),
        ("dry_run", json!(summary.dry_run)),
    ] {
        line.insert(name.to_owned(), value);
    }
    if summary.export {
        line.insert("export".to_owned(), true.into());
    }
    Value::Object(line).to_string()
}

/// Name, unit and value of each.
fn metrics(end: &ImportEnd) -> Vec<(&'static str, &'static str, Value)> {
    let summary = end.summary();
    let rows = |statuses: &[Status]| statuses.iter().map(|status| summary.rows.of(*status)).sum::<u64>();
    let is_scheduled = end.name.as_ref().is_some_and(|name| name.starts_with(SCHEDULED));
    let is_done = matches!(summary.status, ImportStatus::Succeeded | ImportStatus::CompletedWithErrors);
    let of_imports = [
        ("Imports", 1),
        ("ScheduledImportsDone", u64::from(is_scheduled && is_done)),
        ("RowsTotal", summary.rows.total()),
        ("RowsChanged", rows(&[Status::Added, Status::Updated, Status::Removed])),
        ("RowsUnchanged", rows(&[Status::Unchanged])),
        ("RowsInvalid", rows(&[Status::Invalid])),
        ("RowsFailed", rows(&[Status::Failed])),
        ("RowsKept", rows(&[Status::Kept])),
        ("RowsPending", rows(&[Status::Pending])),
    ];
    let of_all = [
        ("ImportsWithProblems", u64::from(summary.status != ImportStatus::Succeeded)),
        ("Users", summary.users.total),
        ("Calls", summary.calls.values().map(|calls| calls.attempts).sum()),
        ("ThrottledCalls", summary.calls.values().map(|calls| calls.throttled).sum()),
        ("Deliveries", u64::from(summary.deliveries)),
    ];
    let counts = of_imports.into_iter().filter(|_| !summary.export).chain(of_all);
    let counts = counts.map(|(name, value)| (name, "Count", json!(value)));
    counts.chain([("DurationSeconds", "Seconds", json!(end.duration_seconds()))]).collect()
}
