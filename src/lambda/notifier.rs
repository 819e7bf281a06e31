//! Tells the end of an import: a line of the log, metrics, an event for machines, a notice for people, in this order.

use std::fmt;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use serde_json::json;
use tracing::{Level, enabled, warn};

use super::event_bus::EventBus;
use super::log::Lines;
use super::metrics::metric_line;
use super::topic::Topic;
use crate::import::{ImportEnd, Listener};
use crate::outcome::ImportStatus;
use crate::settings::{Notices, Settings};

/// Where the ends of imports are told.
#[derive(Debug)]
pub struct Notifier {
    lines: Lines,
    service: String,
    bus: Option<EventBus>,
    topic: Option<Topic>,
    notices: Notices,
}

impl Notifier {
    /// A notifier of these settings, that prints into these lines.
    pub fn new(settings: &Settings, lines: Lines, bus: Option<EventBus>, topic: Option<Topic>) -> Self {
        Self { lines, service: settings.function_name.clone(), bus, topic, notices: settings.notices }
    }

    async fn tell(&self, end: &ImportEnd) {
        if is_logged(end.summary().status) {
            self.lines.print(&log_line(end));
        }
        // An import that never began is no import: the log and the bus hear of it, and nobody is woken.
        let has_begun = end.report.is_some();
        if has_begun {
            self.lines.print(&metric_line(end, &self.service));
        }
        if let Some(bus) = &self.bus {
            warn_of("event", bus.put(end).await);
        }
        let is_of_all = self.notices == Notices::All && !end.summary().export;
        let is_wanted = has_begun && (is_of_all || end.summary().status != ImportStatus::Succeeded);
        if let Some(topic) = self.topic.as_ref().filter(|_| is_wanted) {
            warn_of("notice", topic.publish(end).await);
        }
    }
}

impl Listener for Notifier {
    fn import_finished<'e>(&'e self, end: &'e ImportEnd) -> LocalBoxFuture<'e, ()> {
        self.tell(end).boxed_local()
    }
}

/// The import is done, whoever hears of it.
fn warn_of(what: impl fmt::Display, told: anyhow::Result<()>) {
    if let Err(error) = told {
        warn!("the {what} of the import's end could not be sent: {error:#}");
    }
}

/// The level of the line that tells an end.
fn level(status: ImportStatus) -> Level {
    match status {
        ImportStatus::Succeeded | ImportStatus::InProgress => Level::INFO,
        ImportStatus::CompletedWithErrors | ImportStatus::Rejected | ImportStatus::Cancelled => Level::WARN,
        ImportStatus::Failed => Level::ERROR,
    }
}

fn is_logged(status: ImportStatus) -> bool {
    match level(status) {
        Level::ERROR => enabled!(Level::ERROR),
        Level::WARN => enabled!(Level::WARN),
        _ => enabled!(Level::INFO),
    }
}

/// The line of the log. It is made here and not by `tracing`, whose members are never objects, as `rows` is.
fn log_line(end: &ImportEnd) -> String {
    let summary = end.summary();
    let mut line = json!({
        "timestamp": end.told_at,
        "level": level(summary.status).as_str(),
        "message": "import finished",
        "import_id": summary.import_id,
        "status": summary.status,
        "code": summary.code,
        "reason": summary.message,
        "source": summary.source,
        "report": end.report,
        "rows": summary.rows,
        "deliveries": summary.deliveries,
        "duration_seconds": end.duration_seconds(),
    });
    if summary.export {
        line["export"] = true.into();
    }
    line.to_string()
}
