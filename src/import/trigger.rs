//! Why an import is asked for: an object that was created, or a [request](super::request); and what asks for an export. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::request::{ExportRequest, ObjectRef, Request};
use crate::options::{Options, Prefixes};
use crate::outcome::Problem;

/// What asks for an import, and the key by which all deliveries of it are one import.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The same for every delivery.
    pub key: IdempotencyKey,
    /// What came in.
    pub source: Source,
    /// Whether it is a request that has only its message to name it. A message that is redriven has another id, so such a
    /// request joins an import of the same source, version and options that is under way.
    pub joins: bool,
}

/// What came in.
#[derive(Clone, Debug)]
pub enum Source {
    /// An object that was created.
    Object(Object),
    /// A request.
    Request(Request),
    /// A request for a file of what users have.
    Export(ExportRequest),
}

impl From<Request> for Source {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<ExportRequest> for Source {
    fn from(request: ExportRequest) -> Self {
        Self::Export(request)
    }
}

impl Source {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Object(_) => None,
            Self::Request(request) => request.import_id.as_deref(),
            Self::Export(request) => request.import_id.as_deref(),
        }
    }
}

impl Trigger {
    /// An object that was created.
    pub fn object(object: Object) -> Self {
        Self { key: IdempotencyKey::of_object(&object), source: Source::Object(object), joins: false }
    }

    /// A request, for an import or an export, that was invoked under this id.
    pub fn invoked(request: impl Into<Source>, request_id: &str) -> Self {
        let source = request.into();
        Self { key: IdempotencyKey::of_request(source.name(), request_id), source, joins: false }
    }

    /// The same in a message of this id.
    pub fn queued(request: impl Into<Source>, message_id: &str) -> Self {
        let trigger = Self::invoked(request, message_id);
        Self { joins: trigger.name().is_none(), ..trigger }
    }

    /// The bucket of what is asked for; none where a request names its import alone, and of an export.
    pub fn bucket(&self) -> Option<&str> {
        match &self.source {
            Source::Object(object) => Some(&object.bucket),
            Source::Request(request) => request.source.as_ref().map(|source| source.bucket.as_str()),
            Source::Export(_) => None,
        }
    }

    /// The request for an import, if it is one.
    pub fn request(&self) -> Option<&Request> {
        match &self.source {
            Source::Request(request) => Some(request),
            Source::Object(_) | Source::Export(_) => None,
        }
    }

    /// The name that a request gives.
    pub fn name(&self) -> Option<&str> {
        self.source.name()
    }

    /// The import that is meant, if the request names it by the id that an answer gave.
    pub fn answered_key(&self) -> Option<IdempotencyKey> {
        IdempotencyKey::from_import_id(self.name()?)
    }

    /// The request as it is kept, without its name; nothing for an object.
    pub fn terms(&self) -> Option<Value> {
        match &self.source {
            Source::Object(_) => None,
            Source::Request(request) => Some(to_json(&request.terms())),
            Source::Export(request) => Some(to_json(&request.terms())),
        }
    }

    /// The options of an import of this key: a request's over the key's over the settings'.
    pub fn options(&self, settings: Options, key: &str) -> Result<Options, Problem> {
        let mut options = settings.at_key(key)?;
        if let Some(request) = self.request() {
            options.mode = request.mode.unwrap_or(options.mode);
            options.mode_is_explicit |= request.mode.is_some();
            options.dry_run = request.dry_run.unwrap_or(options.dry_run);
            options.max_invalid_percent = request.max_invalid_percent.unwrap_or(options.max_invalid_percent);
            options.max_removals_percent = request.max_removals_percent.unwrap_or(options.max_removals_percent);
            options.unassigned_rows = request.unassigned_rows.unwrap_or(options.unassigned_rows);
            options.recheck_days = request.recheck_days.unwrap_or(options.recheck_days);
        }
        Ok(options)
    }
}

/// An object that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// A second reading of the key, where it is not sure how the event encodes it.
    pub key_decoded: Option<String>,
    /// The version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// The `ETag`, without quotes.
    pub etag: Option<String>,
    /// Orders the events of one key.
    pub sequencer: Option<String>,
}

fn to_json(request: &impl Serialize) -> Value {
    serde_json::to_value(request).expect("a request has no map keys")
}

/// Whether an object is to be imported: in the import folder, not one of our own, and not a folder's placeholder.
pub fn is_importable(key: &str, prefixes: &Prefixes) -> bool {
    key.starts_with(&prefixes.import)
        && !key.starts_with(&prefixes.report)
        && !key.starts_with(&prefixes.state)
        && !key.ends_with('/')
}

/// Whether one event of a key came before another. The shorter sequencer is padded with zeros on the left (S3's user guide,
/// "Event message structure").
pub fn is_earlier(sequencer: &str, other: &str) -> bool {
    let width = sequencer.len().max(other.len());
    format!("{sequencer:0>width$}").to_uppercase() < format!("{other:0>width$}").to_uppercase()
}

/// What names an import: the same for every delivery of the same event. 16 hexadecimal digits of a SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    const DIGITS: usize = 16;

    /// Of an object that was created.
    pub fn of_object(object: &Object) -> Self {
        let version = object.version_id.as_deref().or(object.etag.as_deref()).unwrap_or_default();
        let sequencer = object.sequencer.as_deref().unwrap_or_default();
        Self::hashed(&["object", &object.bucket, &object.key, version, sequencer])
    }

    /// Of a request: by the id that an answer gave, by its name, else by the message or invocation that it came with.
    pub fn of_request(name: Option<&str>, delivered_as: &str) -> Self {
        match name {
            Some(name) => Self::from_import_id(name).unwrap_or_else(|| Self::hashed(&["request", name])),
            None => Self::hashed(&["delivery", delivered_as]),
        }
    }

    /// Of a key, for what all imports of it have in common.
    pub fn of_key(bucket: &str, key: &str) -> Self {
        Self::hashed(&["key", bucket, key])
    }

    /// Of what a request asks for, whatever message brought it.
    pub fn of_terms(source: &ObjectRef, version: &str, request: &Request) -> Self {
        let terms = Request { source: Some(source.clone()), ..request.terms() };
        let terms = serde_json::to_string(&terms).expect("a request has no map keys");
        Self::hashed(&["terms", version, &terms])
    }

    /// The same of a request for an export.
    pub fn of_export_terms(request: &ExportRequest) -> Self {
        Self::hashed(&["export", &to_json(&request.terms()).to_string()])
    }

    /// Of a source key whose report's folder must be shorter than the key is.
    pub fn of_long_key(key: &str) -> Self {
        Self::hashed(&["report", key])
    }

    /// The id of an import that begins now: `20261121T230905Z-1a2b3c4d5e6f7a8b`.
    pub fn import_id(&self, now: chrono::DateTime<chrono::Utc>) -> String {
        format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), self.0)
    }

    /// The key that ends an import's id; none if it is no id that an answer gave.
    pub fn from_import_id(import_id: &str) -> Option<Self> {
        let (time, key) = import_id.rsplit_once('-')?;
        let is_hex = key.len() == Self::DIGITS && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (time.len() == 16 && time.ends_with('Z') && is_hex).then(|| Self(key.to_owned()))
    }

    /// One that was stored.
    pub(super) fn from_stored(digits: String) -> Self {
        Self(digits)
    }

    fn hashed(parts: &[&str]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part.as_bytes());
        }
        let first_eight = sha.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Self(format!("{first_eight:016x}"))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Mode, Percent, RecheckDays, UnassignedRows};

    fn object(sequencer: &str) -> Object {
        Object {
            bucket: "b".into(),
            key: "incoming/a.csv".into(),
            key_decoded: None,
            version_id: Some("v1".into()),
            etag: None,
            sequencer: Some(sequencer.into()),
        }
    }

    #[test]
    fn a_key_names_one_event_and_ends_the_import_id() {
        let key = IdempotencyKey::of_object(&object("01"));
        assert_ne!(key, IdempotencyKey::of_object(&object("02")));
        assert_eq!(key.as_str().len(), 16);
        let import_id = key.import_id(chrono::DateTime::UNIX_EPOCH);
        assert_eq!(import_id, format!("19700101T000000Z-{}", key.as_str()));
        assert_eq!(IdempotencyKey::from_import_id(&import_id), Some(key));
        for name in ["november", "a-b", "hr-sync-20261101T000000Z", "19700101T000000Z-1a2b3c4d", ""] {
            assert_eq!(IdempotencyKey::from_import_id(name), None, "{name}");
        }
    }

    #[test]
    fn sequencers_are_compared_as_padded_numbers() {
        for (earlier, later) in [("01", "02"), ("FF", "0100"), ("0a", "0B"), ("9", "10")] {
            assert!(is_earlier(earlier, later) && !is_earlier(later, earlier), "{earlier} {later}");
        }
        assert!(!is_earlier("01", "1"));
    }

    #[test]
    fn members_of_the_request_win_over_folders_of_the_key() {
        let settings = Options {
            mode_is_explicit: false,
            mode: Mode::Merge,
            dry_run: false,
            max_invalid_percent: Percent::try_from(50.0).unwrap(),
            max_removals_percent: Percent::try_from(20.0).unwrap(),
            max_proficiencies_per_user: 10,
            unassigned_rows: UnassignedRows::Protect,
            recheck_days: RecheckDays::default(),
        };
        let request = Request { dry_run: Some(false), mode: Some(Mode::Merge), ..Request::default() };
        let of = |trigger: &Trigger, key: &str| {
            trigger.options(settings, key).map(|of| (of.mode, of.dry_run, of.mode_is_explicit))
        };
        let asked = Trigger::invoked(request, "r");
        assert_eq!(of(&asked, "incoming/mode=replace/dry-run=true/a.csv"), Ok((Mode::Merge, false, true)));
        let dropped = Trigger::object(object("01"));
        assert_eq!(of(&dropped, "incoming/mode=replace/dry-run=true/a.csv"), Ok((Mode::Replace, true, true)));
        assert_eq!(of(&dropped, "incoming/a.csv"), Ok((Mode::Merge, false, false)));
    }

    #[test]
    fn only_files_in_the_import_folder_are_imported() {
        let prefixes = Prefixes { import: String::new(), report: "reports/".into(), state: "state/".into() };
        for (key, expected) in [("a.csv", true), ("reports/a.csv", false), ("state/x/source", false), ("in/", false)] {
            assert_eq!(is_importable(key, &prefixes), expected, "{key}");
        }
        let prefixes = Prefixes { import: "incoming/".into(), ..prefixes };
        assert!(!is_importable("a.csv", &prefixes) && is_importable("incoming/a.csv", &prefixes));
    }
}
