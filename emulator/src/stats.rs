//! What the emulator was asked and how it answered.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::operation::Operation;

/// One call, as the emulator saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came in, counted from the emulator's start.
    pub at: Duration,
    /// What was asked for.
    pub operation: Operation,
    /// The id of the user that it was about.
    pub user: Option<String>,
    /// How many proficiencies, or settings of a channel, it was to write; 0 for a read.
    pub n_items: usize,
    /// The body, with the members that were sent and no others; null for a call without one, or with one that is no
    /// JSON.
    pub body: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the work was done and not refused, which an error answer or a broken connection may hide.
    pub work_done: bool,
}

/// How a call ended, as the caller saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 200.
    Ok,
    /// 429, from the bucket or from the fault script.
    Throttled,
    /// Any other error answer.
    Error {
        /// The HTTP status.
        status: u16,
        /// The name of the exception; empty for an answer without one.
        code: Cow<'static, str>,
    },
    /// The connection broke before an answer.
    Cut,
}

impl Outcome {
    /// The name of the exception that was answered, if one was. A throttle is called
    /// `ThrottlingException` here, however it looked on the wire.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Error { code, .. } => Some(code),
            Self::Throttled => Some("ThrottlingException"),
            Self::Ok | Self::Cut => None,
        }
    }
}

/// The calls of one operation, counted by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperationStats {
    /// All calls.
    pub calls: u64,
    /// Answered with 200.
    pub ok: u64,
    /// Throttled.
    pub throttled: u64,
    /// Answered with another 4xx.
    pub refused: u64,
    /// Answered with a 5xx.
    pub failed: u64,
    /// Connections broken.
    pub cut: u64,
}

/// Counts of calls since the start or the last reset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    by_operation: BTreeMap<Operation, OperationStats>,
}

impl Stats {
    /// The counts of one operation.
    pub fn of(&self, operation: Operation) -> OperationStats {
        self.by_operation.get(&operation).copied().unwrap_or_default()
    }

    /// The counts of all operations together.
    pub fn total(&self) -> OperationStats {
        let mut total = OperationStats::default();
        for stats in self.by_operation.values() {
            total.calls += stats.calls;
            total.ok += stats.ok;
            total.throttled += stats.throttled;
            total.refused += stats.refused;
            total.failed += stats.failed;
            total.cut += stats.cut;
        }
        total
    }

    pub(crate) fn count(&mut self, operation: Operation, outcome: &Outcome) {
        let stats = self.by_operation.entry(operation).or_default();
        stats.calls += 1;
        *match outcome {
            Outcome::Ok => &mut stats.ok,
            Outcome::Throttled => &mut stats.throttled,
            Outcome::Error { status, .. } if *status >= 500 => &mut stats.failed,
            Outcome::Error { .. } => &mut stats.refused,
            Outcome::Cut => &mut stats.cut,
        } += 1;
    }
}
