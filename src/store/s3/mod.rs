//! The adapter to `aws_sdk_s3`. The SDK's own retries are on: S3's quotas are not what an import is paced by.
#![expect(clippy::disallowed_types, reason = "this is the adapter")]

mod body;
mod error;
mod upload;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Object, TaggingDirective};
use bytes::Bytes;
use chrono::DateTime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) use body::Body;
pub(crate) use upload::Upload;

use super::location::{Head, Location, StoreError};
use error::{status, store_error, unhurried};

/// What stays as it is in `x-amz-copy-source`.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// A conditional write that meets a delete of the same key is answered 409 and may be sent again; the SDK does not.
const CONFLICTS: u32 = 5;
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

/// Object storage.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
}

impl Store {
    /// S3 behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// What S3 knows of an object, if it is there.
    pub async fn head(&self, at: &Location) -> Result<Option<Head>, StoreError> {
        let call = self.client.head_object().bucket(&at.bucket).key(&at.key).set_version_id(at.version_id.clone());
        match Box::pin(call.send()).await.map_err(store_error("HeadObject", at)) {
            // Of a bucket whose versioning was suspended, the version is called "null" and is overwritten in place.
            Ok(head) => Ok(Some(Head {
                version_id: head.version_id.filter(|version| version != "null"),
                etag: head.e_tag.unwrap_or_default(),
                last_modified: head
                    .last_modified
                    .and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos())),
            })),
            Err(StoreError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object's bytes as a stream, if it is there.
    pub async fn read(&self, at: &Location) -> Result<Option<Body>, StoreError> {
        match Body::open(self.client.clone(), at).await {
            Ok(body) => Ok(Some(body)),
            Err(StoreError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A small object whole, with its `ETag`, if it is there.
    pub async fn get(&self, at: &Location) -> Result<Option<(Bytes, String)>, StoreError> {
        let Some(mut body) = self.read(at).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(Some((bytes.into(), body.etag().to_owned())))
    }

    /// Creates an object, or fails with [`StoreError::Precondition`] if there is one. Returns its `ETag`.
    pub async fn create(&self, at: &Location, bytes: Bytes) -> Result<String, StoreError> {
        self.put(at, bytes, None, true).await
    }

    /// Writes an object, if `etag` is given only in place of that one. Returns its `ETag`.
    pub async fn write(&self, at: &Location, bytes: Bytes, etag: Option<&str>) -> Result<String, StoreError> {
        self.put(at, bytes, etag, false).await
    }

    /// A request whose answer was lost is sent again by the SDK, and then fails for what it did itself. So a condition
    /// that does not hold is no failure where what is there is what was to be written.
    async fn put(&self, at: &Location, bytes: Bytes, etag: Option<&str>, is_new: bool) -> Result<String, StoreError> {
        match self.put_once(at, &bytes, etag, is_new).await {
            Err(error) if error.is_precondition() => match self.get(at).await {
                Ok(Some((found, etag))) if found == bytes => Ok(etag),
                Err(unread) if !unread.is_refusal() => Err(unread),
                _ => Err(error),
            },
            done => done,
        }
    }

    async fn put_once(
        &self,
        at: &Location,
        bytes: &Bytes,
        etag: Option<&str>,
        is_new: bool,
    ) -> Result<String, StoreError> {
        let mut conflicts = 0;
        loop {
            let call = self.client.put_object().bucket(&at.bucket).key(&at.key).content_type(at.media_type());
            let call = call.set_if_match(etag.map(str::to_owned)).set_if_none_match(is_new.then(|| "*".to_owned()));
            match Box::pin(call.body(ByteStream::from(bytes.clone())).send()).await {
                Ok(put) => return Ok(put.e_tag.unwrap_or_default()),
                Err(error) if status(&error) == Some(409) && conflicts < CONFLICTS => {
                    conflicts += 1;
                    tokio::time::sleep(AFTER_CONFLICT).await;
                }
                Err(error) => return Err(store_error("PutObject", at)(error)),
            }
        }
    }

    /// Copies an object as it was when it had this `ETag`, else [`StoreError::Precondition`].
    pub async fn copy(&self, from: &Location, etag: &str, to: &Location) -> Result<(), StoreError> {
        let source = format!("{}/{}", from.bucket, utf8_percent_encode(&from.key, COPY_SOURCE));
        let call = self.client.copy_object().copy_source(source).copy_source_if_match(etag);
        // Tags would be copied, too, and reading and writing them are permissions of their own.
        let call = call.tagging_directive(TaggingDirective::Replace);
        let call = call.bucket(&to.bucket).key(&to.key).customize().config_override(unhurried());
        Box::pin(call.send()).await.map_err(store_error("CopyObject", from)).map(drop)
    }

    /// The key of the newest object directly in a folder that is not empty and whose key passes, if there is one.
    pub async fn newest(&self, folder: &Location, passes: fn(&str) -> bool) -> Result<Option<String>, StoreError> {
        let mut newest = None;
        let visit = |object: Object| {
            let file = object.last_modified.zip(object.key).filter(|(_, key)| passes(key));
            newest = newest.take().max(file.filter(|_| object.size != Some(0)));
        };
        self.list(folder, Some("/"), visit).await?;
        Ok(newest.map(|(_, key)| key))
    }

    /// The keys under a prefix.
    pub async fn keys(&self, prefix: &Location) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        self.list(prefix, None, |object| keys.extend(object.key)).await?;
        Ok(keys)
    }

    /// Visits the objects under a prefix; with a delimiter only those that have none behind the prefix.
    async fn list(&self, at: &Location, delimiter: Option<&str>, visit: impl FnMut(Object)) -> Result<(), StoreError> {
        let mut visit = visit;
        let call = self.client.list_objects_v2().bucket(&at.bucket).prefix(&at.key);
        let mut pages = call.set_delimiter(delimiter.map(str::to_owned)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let objects = page.map_err(store_error("ListObjectsV2", at))?.contents.unwrap_or_default();
            objects.into_iter().for_each(&mut visit);
        }
        Ok(())
    }

    /// Whether a bucket tells `EventBridge` of its objects.
    pub async fn tells_event_bridge(&self, bucket: &str) -> Result<bool, StoreError> {
        let (at, call) =
            (Location::new(bucket, ""), self.client.get_bucket_notification_configuration().bucket(bucket));
        let told = Box::pin(call.send()).await.map_err(store_error("GetBucketNotificationConfiguration", &at))?;
        Ok(told.event_bridge_configuration.is_some())
    }

    /// Deletes an object; none is no error.
    pub async fn delete(&self, at: &Location) -> Result<(), StoreError> {
        let call = self.client.delete_object().bucket(&at.bucket).key(&at.key);
        Box::pin(call.send()).await.map_err(store_error("DeleteObject", at)).map(drop)
    }

    /// Begins an object that is written piece by piece.
    pub fn upload(&self, to: Location) -> Upload {
        Upload::new(self.client.clone(), to)
    }
}
