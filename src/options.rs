//! What decides an import besides its file. Pure data, fixed when the import begins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What happens to what the file does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It stays.
    #[default]
    Merge,
    /// Each user in the file ends with exactly what the file names for it.
    Replace,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "merge" => Ok(Self::Merge),
            "replace" => Ok(Self::Replace),
            _ => Err(format!("'{text}' is neither 'merge' nor 'replace'")),
        }
    }
}

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Percent(f64);

impl Percent {
    /// Whether `part` of `whole` is more than this share.
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        part as f64 * 100.0 > whole as f64 * self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(percent: f64) -> Result<Self, String> {
        let is_percent = (0.0..=100.0).contains(&percent);
        if is_percent { Ok(Self(percent)) } else { Err(format!("{percent} is not between 0 and 100")) }
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent: f64 = text.trim().parse().map_err(|why| format!("'{text}' is not a number that fits: {why}"))?;
        Self::try_from(percent)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What decides an import besides its file: fixed when it begins, for all its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// What happens to what the file does not name.
    pub mode: Mode,
    /// Whether the mode was asked for, by key or request: then a file that it does not fit is rejected.
    pub mode_is_explicit: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// More invalid rows than this (of at least ten), and nothing is written.
    pub max_invalid_percent: Percent,
    /// More implied removals than this share, and nothing is written.
    pub max_removals_percent: Percent,
    /// The largest final set of a user.
    pub max_proficiencies_per_user: usize,
}

/// Where objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// Where objects are taken from.
    pub import: String,
    /// Where reports are written to.
    pub report: String,
    /// Where an import keeps what it must remember.
    pub state: String,
}
