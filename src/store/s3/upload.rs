//! An object written piece by piece: in one request if it is small, else in parts, of which one is held at a time.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use super::error::{store_error, unhurried};
use crate::store::location::{Location, StoreError};

/// S3 takes parts of 5 MiB at least and 10,000 parts at most: with these, an object may have 80 GB.
const PART_BYTES: usize = 8 << 20;

/// An object that is being written. It appears with [`Upload::finish`], and not before.
#[derive(Debug)]
pub struct Upload {
    client: Client,
    to: Location,
    buffer: Vec<u8>,
    upload_id: Option<String>,
    parts: Vec<CompletedPart>,
}

impl Upload {
    pub(super) fn new(client: Client, to: Location) -> Self {
        Self { client, to, buffer: Vec::new(), upload_id: None, parts: Vec::new() }
    }

    /// Adds bytes, and sends a part once there is one.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART_BYTES {
            let part = std::mem::take(&mut self.buffer);
            self.send_part(part.into()).await?;
        }
        Ok(())
    }

    /// The object is whole.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        let rest = std::mem::take(&mut self.buffer);
        if self.upload_id.is_none() {
            let call = self.client.put_object().bucket(&self.to.bucket).key(&self.to.key);
            let call = call.content_type(self.to.media_type()).body(ByteStream::from(rest));
            return Box::pin(call.send()).await.map_err(store_error("PutObject", &self.to)).map(drop);
        }
        if !rest.is_empty() {
            self.send_part(rest.into()).await?;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let call = self.client.complete_multipart_upload().bucket(&self.to.bucket).key(&self.to.key);
        let call = call.set_upload_id(self.upload_id.clone()).multipart_upload(parts);
        let call = call.customize().config_override(unhurried());
        Box::pin(call.send()).await.map_err(store_error("CompleteMultipartUpload", &self.to)).map(drop)
    }

    /// Gives it up: what was sent is not kept.
    pub async fn abort(self) -> Result<(), StoreError> {
        let Some(upload_id) = self.upload_id else { return Ok(()) };
        let call = self.client.abort_multipart_upload().bucket(&self.to.bucket).key(&self.to.key);
        Box::pin(call.upload_id(upload_id).send())
            .await
            .map_err(store_error("AbortMultipartUpload", &self.to))
            .map(drop)
    }

    async fn send_part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.upload_id.is_none() {
            let call = self.client.create_multipart_upload().bucket(&self.to.bucket).key(&self.to.key);
            let begun = Box::pin(call.content_type(self.to.media_type()).send())
                .await
                .map_err(store_error("CreateMultipartUpload", &self.to))?;
            self.upload_id = begun.upload_id;
        }
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let call = self.client.upload_part().bucket(&self.to.bucket).key(&self.to.key);
        let call = call.set_upload_id(self.upload_id.clone()).part_number(number).body(ByteStream::from(bytes));
        let sent = Box::pin(call.send()).await.map_err(store_error("UploadPart", &self.to))?;
        self.parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
        Ok(())
    }
}
