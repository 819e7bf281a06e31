//! EventBridge, in our words: the end of an import as an event for machines. The only file that knows `aws_sdk_eventbridge`.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

use anyhow::{Context as _, bail};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde::Serialize;

use crate::import::ImportEnd;
use crate::report::Summary;

const SOURCE: &str = "connect-bulk-import";
const DETAIL_TYPE: &str = "Import Finished";
/// EventBridge takes events of 256 KiB, their envelope and their encoding among them.
const MAX_DETAIL_BYTES: usize = 200 * 1024;

/// A bus that hears of the end of each import.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    /// Its name or ARN.
    name: String,
}

impl EventBus {
    /// The bus of this name behind this client.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Puts the end of an import on the bus.
    pub(super) async fn put(&self, end: &ImportEnd) -> anyhow::Result<()> {
        let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(DETAIL_TYPE).detail(detail(end)?);
        let call = self.client.put_events().entries(entry.event_bus_name(&self.name).build());
        let put = Box::pin(call.send()).await?;
        // The call succeeds, also where its only event was refused.
        if let Some(refused) = put.entries.unwrap_or_default().into_iter().find_map(|entry| entry.error_code) {
            bail!("EventBridge refused the event: {refused}");
        }
        Ok(())
    }
}

/// What an event says: the members of `summary.json`, and where the report is.
#[derive(Debug, Serialize)]
struct EndDetail<'e> {
    #[serde(flatten)]
    summary: &'e Summary,
    report: Option<&'e str>,
}

/// The event's detail. What is too long for an event stays in `summary.json`: causes are cut first, then the columns.
fn detail(end: &ImportEnd) -> anyhow::Result<String> {
    let mut summary = end.summary().clone();
    loop {
        let detail = serde_json::to_string(&EndDetail { summary: &summary, report: end.report.as_deref() })?;
        if detail.len() <= MAX_DETAIL_BYTES {
            return Ok(detail);
        }
        if summary.causes.pop().is_none() {
            summary.columns.take().context("the event is too long")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::import::Telling;
    use crate::options::Mode;
    use crate::report::{Cause, Columns};

    #[test]
    fn an_event_that_would_be_too_long_loses_causes_first() {
        let begun = Summary::begun("an-id".to_owned(), String::new(), Mode::Merge, false, DateTime::UNIX_EPOCH);
        let cause = Cause { code: "other".to_owned(), message: "x".repeat(10_000), rows: 1, lines: Vec::new() };
        let columns = |bytes| Some(Columns { used: Vec::new(), carried: vec!["x".repeat(bytes)] });
        let cut = |columns| {
            let summary = Summary { causes: vec![cause.clone(); 30], columns, ..begun.clone() };
            let end = ImportEnd {
                telling: Telling { summary, objects: Vec::new(), folder: String::new() },
                report: None,
                name: None,
                told_at: DateTime::UNIX_EPOCH,
            };
            let detail = detail(&end).unwrap();
            assert!(detail.len() <= MAX_DETAIL_BYTES, "{}", detail.len());
            let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
            (detail["causes"].as_array().unwrap().len(), detail.get("columns").is_some())
        };
        assert_eq!(cut(columns(10)), (20, true));
        assert_eq!(cut(columns(150_000)), (5, true));
        assert_eq!(cut(columns(300_000)), (0, false));
    }
}
