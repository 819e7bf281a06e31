//! Buckets, versions and uploads. Each method is one step that nothing can come between.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Md5};
use s3s::dto::{CompletedPart, ETag, ETagCondition, Metadata};
use s3s::{S3Error, S3Result, s3_error};

use crate::memory_s3::clock::Clock;
use crate::memory_s3::fault::Faults;
use crate::memory_s3::{Stored, Versioning};

/// Every part of a multipart upload but the last is at least so large.
const MIN_PART_SIZE: usize = 5 * 1024 * 1024;

/// The longest key, in bytes of UTF-8. What comes over the wire is measured by `s3s` already.
const MAX_KEY_LENGTH: usize = 1024;

/// The version id of an object in a bucket that keeps no versions.
const NULL_VERSION: &str = "null";

#[derive(Debug)]
pub(super) struct State {
    pub(super) chunk_size: usize,
    pub(super) latency: Duration,
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) calls: Vec<(String, String)>,
    buckets: BTreeMap<String, Bucket>,
    uploads: BTreeMap<String, Upload>,
    n_ids: usize,
}

#[derive(Debug)]
struct Bucket {
    versioning: Versioning,
    /// Whether it tells `EventBridge` of its objects.
    tells_event_bridge: bool,
    /// The versions of each key, the newest last.
    objects: BTreeMap<String, Vec<Version>>,
}

/// One version of an object, or a delete marker.
#[derive(Debug)]
pub(super) struct Version {
    id: String,
    pub(super) at: SystemTime,
    /// Absent in a delete marker.
    content: Option<Content>,
}

/// What is in an object.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) bytes: Bytes,
    pub(super) e_tag: String,
    /// Absent for an object put together of parts, whose checksum would be one of checksums.
    pub(super) crc32: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) metadata: Metadata,
}

#[derive(Debug)]
struct Upload {
    bucket: String,
    key: String,
    mime_type: Option<String>,
    metadata: Metadata,
    parts: BTreeMap<i32, Part>,
}

#[derive(Debug)]
struct Part {
    bytes: Bytes,
    md5: [u8; 16],
}

/// What must be so for a write to be done.
#[derive(Debug, Default)]
pub(super) struct WriteCondition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

/// What a delete did.
#[derive(Debug)]
pub(super) struct Deleted {
    pub(super) version_id: Option<String>,
    pub(super) is_marker: bool,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            chunk_size: 64 * 1024,
            latency: Duration::ZERO,
            clock: Clock::new(),
            faults: Faults::default(),
            calls: Vec::new(),
            buckets: BTreeMap::new(),
            uploads: BTreeMap::new(),
            n_ids: 0,
        }
    }

    pub(super) fn create_bucket(&mut self, name: &str, versioning: Versioning) {
        let bucket = Bucket { versioning, tells_event_bridge: true, objects: BTreeMap::new() };
        let before = self.buckets.insert(name.to_owned(), bucket);
        assert!(before.is_none(), "there is a bucket {name} already");
    }

    pub(super) fn set_event_bridge(&mut self, name: &str, tells: bool) {
        if let Some(bucket) = self.buckets.get_mut(name) {
            bucket.tells_event_bridge = tells;
        }
    }

    pub(super) fn tells_event_bridge(&self, name: &str) -> S3Result<bool> {
        self.bucket(name).map(|bucket| bucket.tells_event_bridge)
    }

    /// The version asked for, or the newest, if it is an object.
    pub(super) fn find(&self, bucket: &str, key: &str, version_id: Option<&str>) -> S3Result<(&Version, &Content)> {
        let versions = self.bucket(bucket)?.objects.get(key);
        let Some(version_id) = version_id else {
            let newest = versions.and_then(|versions| versions.last());
            return newest.and_then(|version| Some((version, version.content.as_ref()?))).ok_or_else(no_such_key);
        };
        let version = versions
            .into_iter()
            .flatten()
            .find(|version| version.id == version_id)
            .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?;
        match &version.content {
            Some(content) => Ok((version, content)),
            None => Err(s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.")),
        }
    }

    /// The version id of an answer: a bucket that keeps no versions names none.
    pub(super) fn shown_id(&self, bucket: &str, version: &Version) -> Option<String> {
        match self.buckets.get(bucket)?.versioning {
            Versioning::Enabled => Some(version.id.clone()),
            Versioning::Off => None,
        }
    }

    /// The objects of a bucket whose keys begin so, in S3's order.
    pub(super) fn objects(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> S3Result<impl Iterator<Item = (&str, &Version, &Content)>> {
        let objects = &self.bucket(bucket)?.objects;
        let of_prefix = objects.range(prefix.to_owned()..).take_while(move |(key, _)| key.starts_with(prefix));
        Ok(of_prefix.filter_map(|(key, versions)| {
            let newest = versions.last()?;
            Some((key.as_str(), newest, newest.content.as_ref()?))
        }))
    }

    pub(super) fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let objects = self.objects(bucket, prefix).into_iter().flatten();
        objects.map(|(key, _, _)| key.to_owned()).collect()
    }

    pub(super) fn check(&self, bucket: &str, key: &str, condition: &WriteCondition) -> S3Result<()> {
        self.bucket(bucket)?;
        let current = self.find(bucket, key, None).ok().map(|(_, content)| content);
        if let Some(condition) = &condition.if_match {
            current.ok_or_else(no_such_key)?.check_match(condition)?;
        }
        match &condition.if_none_match {
            Some(ETagCondition::Any) if current.is_some() => Err(precondition_failed()),
            Some(ETagCondition::ETag(_)) => {
                Err(s3_error!(NotImplemented, "A write can have no other If-None-Match than *."))
            }
            _ => Ok(()),
        }
    }

    /// Writes an object, on top of the versions before it or in place of the one before it.
    pub(super) fn write(
        &mut self,
        bucket: &str,
        key: &str,
        content: Content,
        at: Option<SystemTime>,
    ) -> S3Result<Stored> {
        let e_tag = content.e_tag.clone();
        let version_id = self.add(bucket, key, Some(content), at)?;
        Ok(Stored { e_tag, version_id })
    }

    pub(super) fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        if_match: Option<ETagCondition>,
    ) -> S3Result<Deleted> {
        self.check(bucket, key, &WriteCondition { if_match, if_none_match: None })?;
        let is_versioned = self.bucket(bucket)?.versioning == Versioning::Enabled;
        if is_versioned && version_id.is_none() {
            let version_id = self.add(bucket, key, None, None)?;
            return Ok(Deleted { version_id, is_marker: true });
        }
        let doomed = version_id.unwrap_or(NULL_VERSION);
        let mut is_marker = false;
        let objects = &mut self.bucket_mut(bucket)?.objects;
        if let Some(versions) = objects.get_mut(key) {
            is_marker = versions.iter().any(|version| version.id == doomed && version.content.is_none());
            versions.retain(|version| version.id != doomed);
            if versions.is_empty() {
                objects.remove(key);
            }
        }
        Ok(Deleted { version_id: version_id.map(str::to_owned), is_marker })
    }

    pub(super) fn begin_upload(
        &mut self,
        bucket: &str,
        key: &str,
        mime_type: Option<String>,
        metadata: Metadata,
    ) -> S3Result<String> {
        self.bucket(bucket)?;
        let id = self.new_id("upload");
        let upload =
            Upload { bucket: bucket.to_owned(), key: key.to_owned(), mime_type, metadata, parts: BTreeMap::new() };
        self.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    pub(super) fn put_part(
        &mut self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        part_number: i32,
        bytes: Bytes,
    ) -> S3Result<String> {
        if !(1..=10_000).contains(&part_number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
        }
        self.upload(bucket, key, upload_id)?;
        let md5 = Md5::checksum(&bytes);
        if let Some(upload) = self.uploads.get_mut(upload_id) {
            upload.parts.insert(part_number, Part { bytes, md5 });
        }
        Ok(hex(&md5))
    }

    /// Puts an object together of its parts. The upload stays open if that fails, as it does in S3.
    pub(super) fn complete_upload(
        &mut self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        wanted: &[CompletedPart],
        condition: &WriteCondition,
    ) -> S3Result<Stored> {
        let upload = self.upload(bucket, key, upload_id)?;
        let content = upload.put_together(wanted)?;
        self.check(bucket, key, condition)?;
        self.uploads.remove(upload_id);
        self.write(bucket, key, content, None)
    }

    pub(super) fn abort_upload(&mut self, bucket: &str, key: &str, upload_id: &str) -> S3Result<()> {
        self.upload(bucket, key, upload_id)?;
        self.uploads.remove(upload_id);
        Ok(())
    }

    pub(super) fn open_uploads(&self, bucket: &str) -> Vec<String> {
        let of_bucket = self.uploads.values().filter(|upload| upload.bucket == bucket);
        of_bucket.map(|upload| upload.key.clone()).collect()
    }

    fn add(
        &mut self,
        bucket: &str,
        key: &str,
        content: Option<Content>,
        at: Option<SystemTime>,
    ) -> S3Result<Option<String>> {
        if key.len() > MAX_KEY_LENGTH {
            return Err(s3_error!(KeyTooLongError, "Your key is too long"));
        }
        let versioning = self.bucket(bucket)?.versioning;
        let at = at.unwrap_or_else(|| self.clock.tick());
        let id = match versioning {
            Versioning::Enabled => self.new_id("version"),
            Versioning::Off => NULL_VERSION.to_owned(),
        };
        let shown_id = (versioning == Versioning::Enabled).then(|| id.clone());
        let versions = self.bucket_mut(bucket)?.objects.entry(key.to_owned()).or_default();
        if versioning == Versioning::Off {
            versions.clear();
        }
        versions.push(Version { id, at, content });
        Ok(shown_id)
    }

    fn bucket(&self, name: &str) -> S3Result<&Bucket> {
        self.buckets.get(name).ok_or_else(no_such_bucket)
    }

    fn bucket_mut(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(no_such_bucket)
    }

    fn upload(&self, bucket: &str, key: &str, upload_id: &str) -> S3Result<&Upload> {
        self.bucket(bucket)?;
        let upload = self.uploads.get(upload_id);
        upload.filter(|upload| upload.bucket == bucket && upload.key == key).ok_or_else(|| {
            s3_error!(
                NoSuchUpload,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                     aborted or completed."
            )
        })
    }

    fn new_id(&mut self, kind: &str) -> String {
        self.n_ids += 1;
        format!("{kind}-{:06}", self.n_ids)
    }
}

impl Content {
    pub(super) fn new(bytes: Bytes, mime_type: Option<String>, metadata: Metadata) -> Self {
        let e_tag = hex(&Md5::checksum(&bytes));
        let mut hasher = ChecksumHasher { crc32: Some(Crc32::new()), ..ChecksumHasher::default() };
        hasher.update(&bytes);
        Self { e_tag, crc32: hasher.finalize().checksum_crc32, bytes, mime_type, metadata }
    }

    /// `PreconditionFailed` unless the object is the one that the condition names.
    pub(super) fn check_match(&self, condition: &ETagCondition) -> S3Result<()> {
        match condition {
            ETagCondition::ETag(e_tag) if e_tag.as_strong() != Some(&self.e_tag) => Err(precondition_failed()),
            _ => Ok(()),
        }
    }
}

impl Upload {
    fn put_together(&self, wanted: &[CompletedPart]) -> S3Result<Content> {
        if wanted.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        let numbers = wanted.iter().map(|part| part.part_number);
        if !numbers.is_sorted_by(|a, b| a < b) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            ));
        }
        let mut bytes = BytesMut::new();
        let mut md5s = Vec::new();
        for (i, wanted_part) in wanted.iter().enumerate() {
            let number = wanted_part.part_number.unwrap_or_default();
            let e_tag = wanted_part.e_tag.as_ref().map(ETag::value);
            let part = self
                .parts
                .get(&number)
                .filter(|part| e_tag == Some(hex(&part.md5).as_str()))
                .ok_or_else(|| s3_error!(InvalidPart, "One or more of the specified parts could not be found."))?;
            if i + 1 < wanted.len() && part.bytes.len() < MIN_PART_SIZE {
                return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
            }
            bytes.extend_from_slice(&part.bytes);
            md5s.extend_from_slice(&part.md5);
        }
        Ok(Content {
            bytes: bytes.freeze(),
            e_tag: format!("{}-{}", hex(&Md5::checksum(&md5s)), wanted.len()),
            crc32: None,
            mime_type: self.mime_type.clone(),
            metadata: self.metadata.clone(),
        })
    }
}

fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
