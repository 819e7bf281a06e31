//! What people and schedules ask for, to the letter: a mistyped member must not become another request. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::{FileKind, Form};
use crate::options::{Mode, Percent, RecheckDays, UnassignedRows};

/// `s3://bucket/key`, or a folder `s3://bucket/folder/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectRef {
    /// The bucket's name.
    pub bucket: String,
    /// The key; of a folder it ends in `/`.
    pub key: String,
}

impl ObjectRef {
    /// Whether it is a folder, of which the newest file is meant.
    pub fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }
}

impl FromStr for ObjectRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix("s3://").and_then(|path| path.split_once('/'));
        let path = path.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
        let (bucket, key) = path.ok_or_else(|| format!("the source '{text}' is not of the form s3://bucket/key"))?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl TryFrom<String> for ObjectRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ObjectRef> for String {
    fn from(source: ObjectRef) -> Self {
        source.to_string()
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// A request. A member that is not known is an error: a mistyped `dryrun` must not become a real run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The object, or a folder of which the newest file is meant. A request may lack it that names an import by the id that
    /// an answer gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ObjectRef>,
    /// Instead of the setting `MODE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Instead of the setting `DRY_RUN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Names the import: the same request again resumes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<String>,
    /// Instead of the setting `MAX_INVALID_PERCENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_invalid_percent: Option<Percent>,
    /// Instead of the setting `MAX_REMOVALS_PERCENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_removals_percent: Option<Percent>,
    /// Instead of the setting `UNASSIGNED_ROWS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unassigned_rows: Option<UnassignedRows>,
    /// Instead of the setting `RECHECK_DAYS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recheck_days: Option<RecheckDays>,
    /// The object is not imported if it is older than this when it is first looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_hours: Option<MaxAgeHours>,
}

/// An age in hours, more than none.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64")]
pub struct MaxAgeHours(f64);

impl MaxAgeHours {
    /// Whether something is older.
    pub fn is_exceeded_by(self, age: TimeDelta) -> bool {
        age.as_seconds_f64() > self.0 * 3600.0
    }
}

impl TryFrom<f64> for MaxAgeHours {
    type Error = String;

    fn try_from(hours: f64) -> Result<Self, String> {
        let is_age = hours > 0.0 && hours.is_finite();
        if is_age { Ok(Self(hours)) } else { Err(format!("{hours} is no age: it must be more than 0 hours")) }
    }
}

impl fmt::Display for MaxAgeHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Request {
    /// The same without its name: what must agree with what the import was given.
    #[must_use]
    pub fn terms(&self) -> Self {
        Self { import_id: None, ..self.clone() }
    }

    /// Whether it names nothing but where the object lies, and perhaps not even that.
    pub fn has_no_options(&self) -> bool {
        self.terms() == Self { source: self.source.clone(), ..Self::default() }
    }
}

/// A request for a file of what users have. A member that is not known is an error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// What of them.
    pub export: FileKind,
    /// How proficiencies are written: a row for each if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// Names the export: the same request again resumes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_id: Option<String>,
}

impl ExportRequest {
    /// The export that a stored request asks for; nothing if it asks for an import.
    pub fn of_stored(request: Option<&Value>) -> serde_json::Result<Option<Self>> {
        let request = request.filter(|request| request.get("export").is_some());
        request.map(Self::deserialize).transpose()
    }

    /// The same without its name, and with the form that is meant where it says none.
    #[must_use]
    pub fn terms(&self) -> Self {
        let form = (self.export == FileKind::Proficiencies).then(|| self.form.unwrap_or_default());
        Self { form, import_id: None, ..self.clone() }
    }
}

/// Which objects of a folder are files, in words.
pub const FILES_IN_WORDS: &str = "what counts lies directly in it, is not empty, and has a name that ends in .csv, .tsv, .txt or .xlsx, or in \
                         one of these and .gz.";

/// Whether a key is that of a file, by its ending and in any case. What else lies in the folder of an export (`_SUCCESS`,
/// `agents.csv.md5`) is a mark of who wrote it.
pub fn is_file_name(key: &str) -> bool {
    let name = key.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".csv", ".tsv", ".txt", ".xlsx"].iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_bucket_and_a_key() {
        let source: ObjectRef = "s3://imports/hr/".parse().unwrap();
        assert_eq!((source.bucket.as_str(), source.key.as_str(), source.is_folder()), ("imports", "hr/", true));
        assert_eq!(source.to_string(), "s3://imports/hr/");
        for text in ["b/k", "s3://b", "s3:///k", "s3://b/", ""] {
            assert!(text.parse::<ObjectRef>().unwrap_err().contains("s3://bucket/key"), "{text}");
        }
    }

    #[test]
    fn a_file_is_known_by_the_ending_of_its_name() {
        for name in ["a.csv", "hr/A.CSV", "a.tsv", "a.txt", "a.xlsx", "a.csv.gz", "a.Tsv.Gz", "a.b.csv"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["hr/", "_SUCCESS", "a.csv.md5", "a.csv.done", "csv", "a.gz", "a.xls", "a.csv.gz.gz", "a.csv/x"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
