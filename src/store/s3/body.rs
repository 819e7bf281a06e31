//! An object's bytes as they come. A connection that breaks half-way is taken up again where it broke; an object that
//! ends before its size is an error.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::error::store_error;
use crate::store::location::{Location, StoreError};

/// A stream that broke so often without a byte in between is not tried again.
const MAX_BREAKS: u32 = 5;

/// A stream of an object's bytes.
#[derive(Debug)]
pub struct Body {
    client: Client,
    at: Location,
    etag: String,
    stream: ByteStream,
    size: u64,
    read: u64,
    breaks: u32,
}

impl Body {
    pub(super) async fn open(client: Client, at: &Location) -> Result<Self, StoreError> {
        let call = client.get_object().bucket(&at.bucket).key(&at.key).set_version_id(at.version_id.clone());
        let object = Box::pin(call.send()).await.map_err(store_error("GetObject", at))?;
        let size = object.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        let etag = object.e_tag.unwrap_or_default();
        Ok(Self { client, at: at.clone(), etag, stream: object.body, size, read: 0, breaks: 0 })
    }

    /// The object's `ETag`.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The next bytes, or nothing at the end of the object.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            match self.stream.next().await {
                Some(Ok(bytes)) => {
                    self.read += bytes.len() as u64;
                    self.breaks = 0;
                    return Ok(Some(bytes));
                }
                None if self.read >= self.size => return Ok(None),
                broken => self.resume(broken.and_then(Result::err).map(|error| error.to_string())).await?,
            }
        }
    }

    async fn resume(&mut self, cause: Option<String>) -> Result<(), StoreError> {
        self.breaks += 1;
        if self.breaks > MAX_BREAKS {
            return Err(StoreError::Other {
                what: format!("GetObject {}", self.at),
                status: None,
                code: "IncompleteBody".to_owned(),
                message: format!(
                    "the connection broke after {} of {} bytes: {}",
                    self.read,
                    self.size,
                    cause.unwrap_or_else(|| "the stream ended".to_owned())
                ),
            });
        }
        let call = self.client.get_object().bucket(&self.at.bucket).key(&self.at.key);
        let call = call.set_version_id(self.at.version_id.clone()).if_match(&self.etag);
        let call = call.range(format!("bytes={}-", self.read));
        self.stream = Box::pin(call.send()).await.map_err(store_error("GetObject", &self.at))?.body;
        Ok(())
    }
}
