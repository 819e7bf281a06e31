//! Where an object is, what is known of it, and what can go wrong with it.

use std::fmt;

use serde::{Deserialize, Serialize};

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
}

/// A request to S3 that did not succeed, after the SDK's own retries.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A condition (`If-Match`, `If-None-Match`) did not hold.
    #[error("{0}: somebody else was first")]
    Precondition(String),
    /// There is no such object any more.
    #[error("{0}: no such object")]
    Gone(String),
    /// Anything else.
    #[error("{what}: {code}: {message}")]
    Other {
        /// The request and its object.
        what: String,
        /// S3's code.
        code: String,
        /// S3's message with its causes.
        message: String,
    },
}

impl StoreError {
    /// Whether the caller may not do this: another try would not help.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Other { code, .. } if matches!(code.as_str(), "AccessDenied" | "AllAccessDisabled" | "Http403"))
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
