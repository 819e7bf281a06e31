//! Bodies in pieces.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::{TryStreamExt, stream};
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};

/// The bytes in pieces of `chunk_size`, broken off after `cut` bytes if there is a cut.
pub(super) fn send(mut bytes: Bytes, chunk_size: usize, cut: Option<usize>) -> StreamingBlob {
    let mut is_cut = false;
    if let Some(after) = cut {
        bytes.truncate(after);
        is_cut = true;
    }
    let pieces = std::iter::from_fn(move || {
        if !bytes.is_empty() {
            return Some(Ok(bytes.split_to(chunk_size.min(bytes.len()))));
        }
        if is_cut {
            is_cut = false;
            return Some(Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "the connection broke in the middle of the body",
            )));
        }
        None
    });
    StreamingBlob::wrap(stream::iter(pieces))
}

/// All of a request's body.
pub(super) async fn receive(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let whole = body
        .try_fold(BytesMut::new(), |mut whole, piece| async move {
            whole.extend_from_slice(&piece);
            Ok(whole)
        })
        .await
        .map_err(|err| s3_error!(IncompleteBody, "{err}"))?;
    Ok(whole.freeze())
}
