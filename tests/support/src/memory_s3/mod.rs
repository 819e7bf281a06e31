//! An S3 in memory, strongly consistent as the real one is.
//!
//! What it does not know it refuses with `NotImplemented` rather than passing over it: a condition that is ignored
//! would make a test green for the wrong reason.

mod body;
mod clock;
mod fault;
mod service;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use s3s::S3ErrorCode;
use s3s::dto::Metadata;

use crate::memory_s3::fault::HowOften;
pub use crate::memory_s3::fault::S3Fault;
use crate::memory_s3::state::{Content, State};

/// Whether a bucket keeps the versions of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// Every write adds a version, and a delete puts a marker on top.
    Enabled,
    /// A write replaces the object. Answers name no version.
    Off,
}

/// What a write left behind, as an event about it would name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The `ETag` without its quotes, as events have it. The SDK has it in quotes.
    pub e_tag: String,
    /// The version, in a bucket that keeps them.
    pub version_id: Option<String>,
}

/// The S3. A clone is another handle to the same objects.
#[derive(Clone)]
pub struct MemoryS3 {
    state: Arc<Mutex<State>>,
}

impl Default for MemoryS3 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryS3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryS3").finish_non_exhaustive()
    }
}

impl MemoryS3 {
    /// An S3 without buckets.
    pub fn new() -> Self {
        Self { state: Arc::new(Mutex::new(State::new())) }
    }

    /// The same S3 with one more bucket.
    #[must_use]
    pub fn with_bucket(self, name: &str, versioning: Versioning) -> Self {
        self.lock().create_bucket(name, versioning);
        self
    }

    /// The size of the pieces in which `GetObject` sends its body (64 KiB unless set).
    ///
    /// An odd, small number lets the borders of the pieces fall anywhere.
    pub fn set_chunk_size(&self, n_bytes: usize) {
        assert!(n_bytes > 0, "a body cannot be sent in pieces of nothing");
        self.lock().chunk_size = n_bytes;
    }

    /// How long every answer takes, in tokio's time (nothing unless set).
    pub fn set_latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// Whether a bucket tells `EventBridge` of its objects. It does, unless this says otherwise.
    pub fn set_event_bridge(&self, bucket: &str, tells: bool) {
        self.lock().set_event_bridge(bucket, tells);
    }

    /// Lets the next call of `op` (`"PutObject"`, ...) whose key contains `key_part` fail.
    ///
    /// Each order is good for one attempt, and the SDK's own retries are attempts too: order as many as the SDK makes
    /// (three with its defaults) to see the error. Orders are served in the order given. The key of `ListObjectsV2`
    /// is its prefix.
    pub fn fail_next(&self, op: &str, key_part: Option<&str>, fault: S3Fault) {
        self.lock().faults.order(op, key_part, fault, HowOften::Once);
    }

    /// Lets every call of `op` whose key contains `key_part` fail, until [`heal`](Self::heal).
    ///
    /// What [`fail_next`](Self::fail_next) orders for the same calls happens first. Of several orders of this
    /// kind the one given first counts.
    pub fn fail_always(&self, op: &str, key_part: Option<&str>, fault: S3Fault) {
        self.lock().faults.order(op, key_part, fault, HowOften::Always);
    }

    /// Takes back every order to fail, those of [`fail_next`](Self::fail_next) that have not happened yet too.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Every attempt so far, in order: the operation and the key (of `ListObjectsV2`, the prefix).
    ///
    /// A request that is malformed, or whose key is too long, is refused ahead of this log.
    pub fn calls(&self) -> Vec<(String, String)> {
        self.lock().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.lock().calls.clear();
    }

    /// Puts an object, over the one that is there if there is one. Not in the log of calls.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> Stored {
        let content = Content::new(bytes.into(), None, Metadata::default());
        self.lock().write(bucket, key, content, None).unwrap_or_else(|err| panic!("put {bucket}/{key}: {err}"))
    }

    /// As [`put`](Self::put), last modified at this time.
    pub fn put_at(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>, at: SystemTime) -> Stored {
        let content = Content::new(bytes.into(), None, Metadata::default());
        self.lock().write(bucket, key, content, Some(at)).unwrap_or_else(|err| panic!("put {bucket}/{key}: {err}"))
    }

    /// The object as it is now. Not in the log of calls.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let state = self.lock();
        let (_, content) = state.find(bucket, key, None).ok()?;
        Some(content.bytes.clone())
    }

    /// The media type of the object as it is now, if it was given one.
    pub fn media_type(&self, bucket: &str, key: &str) -> Option<String> {
        let state = self.lock();
        let (_, content) = state.find(bucket, key, None).ok()?;
        content.mime_type.clone()
    }

    /// The keys that are there now and begin so, in S3's order. Not in the log of calls.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.lock().keys(bucket, prefix)
    }

    /// Deletes an object: gone without versions, under a delete marker with them. Not in the log of calls.
    pub fn delete(&self, bucket: &str, key: &str) {
        if let Err(err) = self.lock().delete(bucket, key, None, None) {
            panic!("delete {bucket}/{key}: {err}");
        }
    }

    /// Deletes one version, be it an object or a delete marker, for good. Not in the log of calls.
    ///
    /// It panics if there is no such version.
    pub fn delete_version(&self, bucket: &str, key: &str, version_id: &str) {
        let mut state = self.lock();
        // A delete marker cannot be found either, but is there.
        let not_found = state.find(bucket, key, Some(version_id)).err();
        let missing = not_found.filter(|err| *err.code() == S3ErrorCode::NoSuchVersion);
        if let Some(err) = missing.or_else(|| state.delete(bucket, key, Some(version_id), None).err()) {
            panic!("delete {bucket}/{key} {version_id}: {err}");
        }
    }

    /// The keys of the multipart uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self, bucket: &str) -> Vec<String> {
        self.lock().open_uploads(bucket)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
