//! How an import ended, and who hears of it.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::report::Summary;
use crate::state::{Answer, ImportRecord};

/// An import that is over.
#[derive(Clone, Debug)]
pub struct ImportEnd {
    /// What is told.
    pub telling: Telling,
    /// Its report's folder (`s3://bucket/prefix/`); none if it could not even begin.
    pub report: Option<String>,
    /// The name that its request gave it.
    pub name: Option<String>,
    /// When this is told.
    pub told_at: DateTime<Utc>,
}

/// What is told of the end of an import: what the next delivery must know if this one dies before it can tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Telling {
    /// Its last summary.
    pub summary: Summary,
    /// The names of the report's tables.
    pub objects: Vec<Cow<'static, str>>,
    /// The folder (`s3://bucket/prefix/`) to which files are uploaded; of an export, of which the bucket is not known, `prefix/`.
    pub folder: String,
}

impl Telling {
    pub(super) fn to_json(&self) -> Box<RawValue> {
        to_raw_value(self).expect("a summary has no map keys that are not texts")
    }
}

impl ImportEnd {
    /// The end of an import.
    pub(super) fn new(record: &ImportRecord, telling: Telling, told_at: DateTime<Utc>) -> Self {
        Self { telling, report: Some(record.report.to_string()), name: record.name.clone(), told_at }
    }

    /// Its last summary.
    pub fn summary(&self) -> &Summary {
        &self.telling.summary
    }

    /// What to do next: one thing.
    pub fn next_step(&self) -> String {
        self.summary().next_step(&self.telling.objects, &self.telling.folder)
    }

    /// How long the import took, waits between deliveries among it.
    pub fn duration_seconds(&self) -> f64 {
        let Summary { started_at, finished_at, .. } = self.summary();
        finished_at.map_or(0.0, |finished_at| (finished_at - started_at).as_seconds_f64())
    }

    /// What whoever delivered is answered.
    pub(super) fn answer(&self) -> Answer {
        let Summary { import_id, status, code, message, rows, .. } = self.summary();
        // Where there is a report, it says why.
        let (code, message) = if self.report.is_some() { (None, None) } else { (code.clone(), message.clone()) };
        let (import_id, report) = (import_id.clone(), self.report.clone());
        Answer { import_id, status: *status, code, message, report, rows: *rows }
    }
}

/// Hears of the end of every import, at least once: if the process dies between the end and the telling, or the time is up, the
/// next delivery tells it.
pub trait Listener: fmt::Debug {
    /// An import is over, and its answer is stored. What cannot be told is the listener's to log: it changes nothing.
    fn import_finished<'e>(&'e self, end: &'e ImportEnd) -> LocalBoxFuture<'e, ()>;
}
