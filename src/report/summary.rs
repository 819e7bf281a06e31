//! `summary.json`: the import in numbers, while it runs and when it is over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::causes::Cause;
use crate::connect::{Calls, Quota};
use crate::input::Header;
use crate::options::Mode;
use crate::outcome::{Counts, ImportStatus, UserCounts};

/// The import in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Names the report's folder.
    pub import_id: String,
    /// `s3://bucket/key`: the object; of an export, the table that it writes.
    pub source: String,
    /// The object's version, or its `ETag` where the bucket keeps none.
    pub version: String,
    /// `proficiencies` or `user_config`; nothing before the header was read.
    pub kind: Option<Cow<'static, str>>,
    /// Whether it is no import but an export, of which alone it is said: its rows are those of the table that it writes, and what they say is what users have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub export: bool,
    /// Which columns of the file mean something, and which are only carried through; nothing before the header was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// `merge` or `replace`.
    pub mode: Mode,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// How it ended.
    pub status: ImportStatus,
    /// Why it was rejected or failed, for machines.
    pub code: Option<String>,
    /// Why it was rejected or failed, or what was withheld, and what to do.
    pub message: Option<String>,
    /// Rows by status.
    pub rows: Counts,
    /// Removals that the file asked for without a row that says so.
    pub implied_removals: u64,
    /// Removals that were not made, because rows that cannot be assigned to a user protect them.
    #[serde(default)]
    pub removals_withheld: u64,
    /// Users by what became of them.
    pub users: UserCounts,
    /// What each operation was called.
    pub calls: BTreeMap<String, Calls>,
    /// How often each operation was allowed to be called, and who says so.
    #[serde(default)]
    pub quotas: BTreeMap<String, Quota>,
    /// When the first delivery began.
    pub started_at: DateTime<Utc>,
    /// When the last one was done.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it will probably be over, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<DateTime<Utc>>,
    /// How often it was begun or resumed.
    pub deliveries: u32,
    /// Why rows are not as the file says, once it is over: their rows are those that are invalid, failed, kept or pending.
    pub causes: Vec<Cause>,
}

/// The columns of a file, as it names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Those that mean something.
    pub used: Vec<String>,
    /// Those that are only carried through to the report.
    pub carried: Vec<String>,
}

impl Columns {
    /// The columns of a header.
    pub(crate) fn of(header: &Header) -> Self {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Self { used: owned(header.used()), carried: owned(header.carried_names()) }
    }
}

impl Summary {
    /// The summary of an import of which nothing more is known yet.
    pub(crate) fn begun(
        import_id: String,
        source: String,
        mode: Mode,
        dry_run: bool,
        started_at: DateTime<Utc>,
    ) -> Self {
        Self {
            import_id,
            source,
            version: String::new(),
            kind: None,
            export: false,
            columns: None,
            mode,
            dry_run,
            status: ImportStatus::InProgress,
            code: None,
            message: None,
            rows: Counts::default(),
            implied_removals: 0,
            removals_withheld: 0,
            users: UserCounts::default(),
            calls: BTreeMap::new(),
            quotas: BTreeMap::new(),
            started_at,
            finished_at: None,
            expected_at: None,
            deliveries: 1,
            causes: Vec::new(),
        }
    }

    /// The object's bytes.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("a summary has no map keys that are not texts");
        json.push(b'\n');
        json
    }
}
