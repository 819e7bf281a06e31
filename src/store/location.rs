//! Where an object is, what is known of it, and what can go wrong with it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::outcome::Problem;

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The bucket's name.
    pub bucket: String,
    /// The key, as it is (not as an event encodes it).
    pub key: String,
    /// Which version; the newest if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

impl Location {
    /// The newest version of an object.
    pub fn new(bucket: &str, key: impl Into<String>) -> Self {
        Self { bucket: bucket.to_owned(), key: key.into(), version_id: None }
    }
}

impl Location {
    /// The media type of what we write there, by the ending of its key: a browser shows a page and opens a table only if it
    /// is told that it is one.
    pub(super) fn media_type(&self) -> &'static str {
        match self.key.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "csv" => "text/csv; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "json" => "application/json",
            _ => "application/octet-stream",
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// What S3 knows of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// Its `ETag`, in quotes as S3 gives it.
    pub etag: String,
    /// When it was last written.
    pub last_modified: Option<DateTime<Utc>>,
}

/// A request to S3 that did not succeed, after the SDK's own retries.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A condition (`If-Match`, `If-None-Match`) did not hold.
    #[error("{0}: precondition failed (412)")]
    Precondition(String),
    /// There is no such object any more.
    #[error("{0}: no such object")]
    Gone(String),
    /// Anything else.
    #[error("{what}: {code}: {message}")]
    Other {
        /// The request and its object.
        what: String,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// S3's code.
        code: String,
        /// S3's message with its causes.
        message: String,
    },
}

impl StoreError {
    /// Whether another try would be refused as well: what is wrong is the request, the permission or the bucket, and not the
    /// moment.
    pub fn is_refusal(&self) -> bool {
        const PASSING: [&str; 7] = [
            "RequestTimeout",
            "RequestTimeTooSkewed",
            "ExpiredToken",
            "SlowDown",
            "ConditionalRequestConflict",
            "OperationAborted",
            "NoSuchUpload",
        ];
        match self {
            Self::Precondition(_) => false,
            Self::Gone(_) => true,
            Self::Other { code, .. } if PASSING.contains(&code.as_str()) => false,
            Self::Other { status, .. } => {
                matches!(status, Some(300..=499) if *status != Some(408) && *status != Some(429))
            }
        }
    }

    /// Why an object that is there can never be read, with what to do; nothing for an error that may pass.
    pub fn unreadable(&self, source: &Location) -> Option<Problem> {
        let Self::Other { code, message, .. } = self else { return None };
        if !self.is_refusal() {
            return None;
        }
        let sentence = match code.as_str() {
            "InvalidObjectState" | "ObjectNotInActiveTierError" => {
                format!("{source} is archived. Restore it, or store it in another storage class, and drop it again.")
            }
            "PermanentRedirect" | "Http301" => {
                format!("The bucket of {source} is in another Region. Drop the file into one in the function's own.")
            }
            "AccessDenied" | "AllAccessDisabled" | "Http403" => format!(
                "The function may not read {source}. Its role needs s3:GetObject and s3:GetObjectVersion there, and \
                 kms:Decrypt for the key that the object is encrypted with. Then drop the file again."
            ),
            _ => format!("{source} cannot be read: {message}"),
        };
        Some(Problem::new(code.clone(), sentence))
    }

    /// Whether the object is not there.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// Whether a condition did not hold.
    pub fn is_precondition(&self) -> bool {
        matches!(self, Self::Precondition(_))
    }
}
