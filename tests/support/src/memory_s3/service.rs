//! The operations, between the wire (`s3s`'s affair) and the state.

use http::HeaderMap;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, ETag,
    ETagCondition, EventBridgeConfiguration, GetBucketNotificationConfigurationInput,
    GetBucketNotificationConfigurationOutput, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, MetadataDirective, Object, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use crate::memory_s3::fault::internal_error;
use crate::memory_s3::state::{Content, State, WriteCondition};
use crate::memory_s3::{MemoryS3, S3Fault, body};

#[async_trait::async_trait]
impl S3 for MemoryS3 {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let fault = self.begin("PutObject", &input.key).await?;
        let bytes = body::receive(input.body).await?;
        let content = Content::new(bytes, input.content_type, input.metadata.unwrap_or_default());
        check_crc32(&content, input.checksum_crc32, req.trailing_headers.as_ref())?;
        let condition = WriteCondition { if_match: input.if_match, if_none_match: input.if_none_match };
        let crc32 = content.crc32.clone();
        let stored = {
            let mut state = self.lock();
            state.check(&input.bucket, &input.key, &condition)?;
            state.write(&input.bucket, &input.key, content, None)?
        };
        finish(
            fault,
            PutObjectOutput {
                e_tag: Some(ETag::Strong(stored.e_tag)),
                version_id: stored.version_id,
                checksum_crc32: crc32,
                ..PutObjectOutput::default()
            },
        )
    }

    async fn get_bucket_notification_configuration(
        &self,
        req: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        let fault = self.begin("GetBucketNotificationConfiguration", "").await?;
        let tells = self.lock().tells_event_bridge(&req.input.bucket)?;
        let event_bridge_configuration = tells.then(EventBridgeConfiguration::default);
        finish(
            fault,
            GetBucketNotificationConfigurationOutput {
                event_bridge_configuration,
                ..GetBucketNotificationConfigurationOutput::default()
            },
        )
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        refuse_if("If-None-Match", input.if_none_match.is_some())?;
        refuse_if("If-Modified-Since", input.if_modified_since.is_some())?;
        refuse_if("If-Unmodified-Since", input.if_unmodified_since.is_some())?;
        refuse_if("partNumber", input.part_number.is_some())?;
        let fault = self.begin("GetObject", &input.key).await?;
        let cut = match fault {
            Some(S3Fault::CutBody { after }) => Some(after),
            _ => None,
        };
        let output = {
            let state = self.lock();
            let (version, content) = state.find(&input.bucket, &input.key, input.version_id.as_deref())?;
            if let Some(condition) = &input.if_match {
                content.check_match(condition)?;
            }
            let n_bytes = content.bytes.len();
            let span = match input.range {
                Some(range) => {
                    let span = range
                        .check(n_bytes as u64)
                        .map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?;
                    to_usize(span.start)?..to_usize(span.end)?
                }
                None => 0..n_bytes,
            };
            let is_whole = input.range.is_none();
            GetObjectOutput {
                accept_ranges: Some("bytes".to_owned()),
                content_length: Some(to_i64(span.len())?),
                content_range: (!is_whole)
                    .then(|| format!("bytes {}-{}/{n_bytes}", span.start, span.end.saturating_sub(1))),
                content_type: Some(content_type(content)),
                checksum_crc32: content.crc32.clone().filter(|_| is_whole && input.checksum_mode.is_some()),
                e_tag: Some(ETag::Strong(content.e_tag.clone())),
                last_modified: Some(version.at.into()),
                metadata: Some(content.metadata.clone()),
                version_id: state.shown_id(&input.bucket, version),
                body: Some(body::send(content.bytes.slice(span), state.chunk_size, cut)),
                ..GetObjectOutput::default()
            }
        };
        finish(fault, output)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        refuse_if("If-None-Match", input.if_none_match.is_some())?;
        refuse_if("If-Modified-Since", input.if_modified_since.is_some())?;
        refuse_if("If-Unmodified-Since", input.if_unmodified_since.is_some())?;
        refuse_if("Range", input.range.is_some())?;
        refuse_if("partNumber", input.part_number.is_some())?;
        let fault = self.begin("HeadObject", &input.key).await?;
        let output = {
            let state = self.lock();
            let (version, content) = state.find(&input.bucket, &input.key, input.version_id.as_deref())?;
            if let Some(condition) = &input.if_match {
                content.check_match(condition)?;
            }
            HeadObjectOutput {
                accept_ranges: Some("bytes".to_owned()),
                content_length: Some(to_i64(content.bytes.len())?),
                content_type: Some(content_type(content)),
                checksum_crc32: content.crc32.clone().filter(|_| input.checksum_mode.is_some()),
                e_tag: Some(ETag::Strong(content.e_tag.clone())),
                last_modified: Some(version.at.into()),
                metadata: Some(content.metadata.clone()),
                version_id: state.shown_id(&input.bucket, version),
                ..HeadObjectOutput::default()
            }
        };
        finish(fault, output)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        refuse_if("encoding-type", input.encoding_type.is_some())?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let fault = self.begin("ListObjectsV2", prefix).await?;
        let output = list(&self.lock(), input)?;
        finish(fault, output)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        refuse_if("x-amz-copy-source-if-none-match", input.copy_source_if_none_match.is_some())?;
        refuse_if("x-amz-copy-source-if-modified-since", input.copy_source_if_modified_since.is_some())?;
        refuse_if("x-amz-copy-source-if-unmodified-since", input.copy_source_if_unmodified_since.is_some())?;
        let condition = WriteCondition {
            if_match: condition_of(&req.headers, "if-match")?,
            if_none_match: condition_of(&req.headers, "if-none-match")?,
        };
        let CopySource::Bucket { bucket: from_bucket, key: from_key, version_id: from_version } = input.copy_source
        else {
            return Err(s3_error!(NotImplemented, "Copies are made from buckets only."));
        };
        let fault = self.begin("CopyObject", &input.key).await?;
        let output = {
            let mut state = self.lock();
            let (version, source) = state.find(&from_bucket, &from_key, from_version.as_deref())?;
            if let Some(condition) = &input.copy_source_if_match {
                source.check_match(condition)?;
            }
            let is_replaced =
                input.metadata_directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
            let (content_type, metadata) = if is_replaced {
                (input.content_type, input.metadata.unwrap_or_default())
            } else {
                (source.mime_type.clone(), source.metadata.clone())
            };
            // A copy is one piece again, whatever its source was put together of, and has its own ETag.
            let content = Content::new(source.bytes.clone(), content_type, metadata);
            let copy_source_version_id = state.shown_id(&from_bucket, version);
            state.check(&input.bucket, &input.key, &condition)?;
            let stored = state.write(&input.bucket, &input.key, content, None)?;
            let (copy, _) = state.find(&input.bucket, &input.key, None)?;
            CopyObjectOutput {
                copy_object_result: Some(CopyObjectResult {
                    e_tag: Some(ETag::Strong(stored.e_tag)),
                    last_modified: Some(copy.at.into()),
                    ..CopyObjectResult::default()
                }),
                copy_source_version_id,
                version_id: stored.version_id,
                ..CopyObjectOutput::default()
            }
        };
        finish(fault, output)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        let fault = self.begin("DeleteObject", &input.key).await?;
        let deleted = self.lock().delete(&input.bucket, &input.key, input.version_id.as_deref(), input.if_match)?;
        finish(
            fault,
            DeleteObjectOutput {
                delete_marker: deleted.is_marker.then_some(true),
                version_id: deleted.version_id,
                ..DeleteObjectOutput::default()
            },
        )
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let fault = self.begin("CreateMultipartUpload", &input.key).await?;
        let upload_id = self.lock().begin_upload(
            &input.bucket,
            &input.key,
            input.content_type,
            input.metadata.unwrap_or_default(),
        )?;
        finish(
            fault,
            CreateMultipartUploadOutput {
                bucket: Some(input.bucket),
                key: Some(input.key),
                upload_id: Some(upload_id),
                checksum_algorithm: input.checksum_algorithm,
                checksum_type: input.checksum_type,
                ..CreateMultipartUploadOutput::default()
            },
        )
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        let fault = self.begin("UploadPart", &input.key).await?;
        let bytes = body::receive(input.body).await?;
        let content = Content::new(bytes, None, s3s::dto::Metadata::default());
        check_crc32(&content, input.checksum_crc32, req.trailing_headers.as_ref())?;
        let e_tag =
            self.lock().put_part(&input.bucket, &input.key, &input.upload_id, input.part_number, content.bytes)?;
        finish(
            fault,
            UploadPartOutput {
                e_tag: Some(ETag::Strong(e_tag)),
                checksum_crc32: content.crc32,
                ..UploadPartOutput::default()
            },
        )
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let fault = self.begin("CompleteMultipartUpload", &input.key).await?;
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let condition = WriteCondition { if_match: input.if_match, if_none_match: input.if_none_match };
        let stored = self.lock().complete_upload(&input.bucket, &input.key, &input.upload_id, &wanted, &condition)?;
        finish(
            fault,
            CompleteMultipartUploadOutput {
                bucket: Some(input.bucket),
                key: Some(input.key),
                e_tag: Some(ETag::Strong(stored.e_tag)),
                version_id: stored.version_id,
                ..CompleteMultipartUploadOutput::default()
            },
        )
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        let fault = self.begin("AbortMultipartUpload", &input.key).await?;
        self.lock().abort_upload(&input.bucket, &input.key, &input.upload_id)?;
        finish(fault, AbortMultipartUploadOutput::default())
    }
}

impl MemoryS3 {
    /// Logs the call, waits as long as its answer shall take, and fails it if that was ordered.
    ///
    /// Returned is a fault that happens at the end.
    async fn begin(&self, op: &str, key: &str) -> S3Result<Option<S3Fault>> {
        let (mut wait, fault) = {
            let mut state = self.lock();
            state.calls.push((op.to_owned(), key.to_owned()));
            (state.latency, state.faults.take(op, key))
        };
        if let Some(S3Fault::Slow(more)) = fault {
            wait += more;
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        match fault.and_then(S3Fault::refusal) {
            Some(refusal) => Err(refusal),
            None => Ok(fault),
        }
    }
}

fn finish<T>(fault: Option<S3Fault>, output: T) -> S3Result<S3Response<T>> {
    match fault {
        Some(S3Fault::DoneThen500) => Err(internal_error()),
        _ => Ok(S3Response::new(output)),
    }
}

fn list(state: &State, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let token = input.continuation_token.as_deref().unwrap_or_default();
    let start_after = input.start_after.as_deref().unwrap_or_default();
    let max_keys = input.max_keys.unwrap_or(1000).clamp(0, 1000);

    let mut contents = Vec::new();
    let mut common_prefixes: Vec<CommonPrefix> = Vec::new();
    let mut last = String::new();
    let mut key_count = 0;
    let mut is_truncated = false;
    for (key, version, content) in state.objects(&input.bucket, prefix)? {
        let below = delimiter.and_then(|delimiter| key[prefix.len()..].split_once(delimiter));
        let common = below.map(|(first, rest)| {
            let delimiter_len = key.len() - prefix.len() - first.len() - rest.len();
            &key[..prefix.len() + first.len() + delimiter_len]
        });
        // A page is continued behind its last entry, be that a key or what keys have in common.
        let entry = common.unwrap_or(key);
        if key <= start_after || entry <= token || entry == last {
            continue;
        }
        if key_count == max_keys {
            is_truncated = max_keys > 0;
            break;
        }
        key_count += 1;
        entry.clone_into(&mut last);
        if common.is_some() {
            common_prefixes.push(CommonPrefix { prefix: Some(entry.to_owned()) });
        } else {
            contents.push(Object {
                key: Some(key.to_owned()),
                e_tag: Some(ETag::Strong(content.e_tag.clone())),
                last_modified: Some(version.at.into()),
                size: Some(to_i64(content.bytes.len())?),
                ..Object::default()
            });
        }
    }
    Ok(ListObjectsV2Output {
        is_truncated: Some(is_truncated),
        next_continuation_token: is_truncated.then_some(last),
        key_count: Some(key_count),
        max_keys: Some(max_keys),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        name: Some(input.bucket),
        prefix: input.prefix,
        delimiter: input.delimiter,
        continuation_token: input.continuation_token,
        start_after: input.start_after,
        ..ListObjectsV2Output::default()
    })
}

/// Compares with the checksum that the client sent ahead of the body or behind it.
fn check_crc32(content: &Content, sent: Option<String>, trailers: Option<&TrailingHeaders>) -> S3Result<()> {
    let in_trailer = trailers.and_then(TrailingHeaders::take).and_then(|headers| {
        let value = headers.get("x-amz-checksum-crc32")?;
        value.to_str().ok().map(str::to_owned)
    });
    match sent.or(in_trailer) {
        Some(sent) if content.crc32.as_ref() != Some(&sent) => {
            Err(s3_error!(BadDigest, "The CRC32 you specified did not match the calculated checksum."))
        }
        _ => Ok(()),
    }
}

/// The condition on a copy's target, which `s3s`'s input for it does not have.
fn condition_of(headers: &HeaderMap, name: &str) -> S3Result<Option<ETagCondition>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let condition = ETagCondition::parse_http_header(value.as_bytes())
        .map_err(|err| s3_error!(InvalidArgument, "{name}: {err}"))?;
    Ok(Some(condition))
}

fn refuse_if(name: &str, is_there: bool) -> S3Result<()> {
    if is_there {
        return Err(s3_error!(NotImplemented, "This S3 does not know {name}."));
    }
    Ok(())
}

fn content_type(content: &Content) -> String {
    let unless_set = || "application/octet-stream".to_owned();
    content.mime_type.clone().unwrap_or_else(unless_set)
}

fn to_i64(n: usize) -> S3Result<i64> {
    i64::try_from(n).map_err(S3Error::internal_error)
}

fn to_usize(n: u64) -> S3Result<usize> {
    usize::try_from(n).map_err(S3Error::internal_error)
}
