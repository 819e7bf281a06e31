//! `import.json`: everything that decides an import, fixed when it begins, so that a changed setting or a newer object never
//! changes it half-way. At the end it holds the answer.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::options::Options;
use crate::outcome::{Counts, ImportStatus, Problem};
use crate::store::Location;

/// An import that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ImportRecord {
    /// `20261121T230905Z-1a2b3c4d5e6f7a8b`: when it began, and its idempotency key.
    pub import_id: String,
    /// The object that was dropped, in the version that was found.
    pub source: Location,
    /// Its version, or its `ETag` where the bucket keeps none.
    pub version: String,
    /// Where it is read from: itself, or a copy where the bucket keeps no versions.
    pub read_from: Location,
    /// The name that the request gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The request that began it, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// Orders the events of one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// Everything that decides.
    pub options: Options,
    /// How it ends, if that was clear from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// The report's folder.
    pub report: Location,
    /// When the first delivery began.
    pub started_at: DateTime<Utc>,
    /// Which delivery has the import: a number unlike any other's. Whoever has lost it stops.
    pub owner: u64,
    /// How often it was begun or resumed, this time included.
    pub deliveries: u32,
    /// Deliveries in a row that died, or that an error ended, without progress. The one under way counts until it ends in
    /// order, for a delivery that dies writes nothing.
    pub crashes: u32,
    /// The error that ended the last delivery, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The answer, once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Its last summary, once it is over and until its end is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<Box<RawValue>>,
    /// Whether its journal knows what no report tells.
    #[serde(default)]
    pub keeps_journal: bool,
}

impl ImportRecord {
    /// Whether an earlier delivery began it.
    pub(crate) fn is_resumed(&self) -> bool {
        self.deliveries > 1
    }
}

/// How an import ends that is not gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// `rejected` or `failed`.
    pub status: ImportStatus,
    /// Why.
    pub problem: Problem,
}

/// The answer to whoever delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Names the import.
    pub import_id: String,
    /// How it ended.
    pub status: ImportStatus,
    /// Why, where it could not even begin: those imports have no report that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The report's folder; none if the import could not even begin.
    pub report: Option<String>,
    /// Rows by status.
    pub rows: Counts,
}

/// A value of ours as an object.
pub(super) fn to_json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec_pretty(value).expect("a record has no map keys that are not texts").into()
}
