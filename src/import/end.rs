//! How an import ended, and who hears of it.

use std::fmt;

use chrono::{DateTime, Utc};
use futures::future::LocalBoxFuture;

use crate::report::Summary;
use crate::state::{Answer, ImportRecord};

/// An import that is over.
#[derive(Clone, Debug)]
pub struct ImportEnd {
    /// Its last summary.
    pub summary: Summary,
    /// Its report's folder (`s3://bucket/prefix/`); none if it could not even begin.
    pub report: Option<String>,
    /// The name that its request gave it.
    pub name: Option<String>,
    /// When this is told.
    pub told_at: DateTime<Utc>,
}

impl ImportEnd {
    /// The end of an import whose last summary this is.
    pub(super) fn new(record: &ImportRecord, summary: Summary, told_at: DateTime<Utc>) -> Self {
        Self { summary, report: Some(record.report.to_string()), name: record.name.clone(), told_at }
    }

    /// How long the import took, waits between deliveries among it.
    pub fn duration_seconds(&self) -> f64 {
        let Summary { started_at, finished_at, .. } = &self.summary;
        finished_at.map_or(0.0, |finished_at| (finished_at - started_at).as_seconds_f64())
    }

    /// What whoever delivered is answered.
    pub(super) fn answer(&self) -> Answer {
        let Summary { import_id, status, code, message, rows, .. } = &self.summary;
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
