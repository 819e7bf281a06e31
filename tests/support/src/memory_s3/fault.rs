//! Failures on order.

use std::time::Duration;

use s3s::{S3Error, S3ErrorCode};

/// A way for a call to fail, or to be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Fault {
    /// 409 `ConditionalRequestConflict`: a conditional write met a delete. The SDK does not retry it.
    Conflict409,
    /// 403 `AccessDenied`.
    AccessDenied403,
    /// 301 `PermanentRedirect`: the bucket is in another Region. The SDK does not follow it.
    PermanentRedirect301,
    /// 400 `InvalidRequest`.
    InvalidRequest400,
    /// 403 `InvalidObjectState`: the object is archived.
    InvalidObjectState403,
    /// 404 `NoSuchBucket`.
    NoSuchBucket404,
    /// 500 `InternalError`, with nothing done.
    Internal500,
    /// 503 `SlowDown`, with nothing done.
    SlowDown503,
    /// 503 `ServiceUnavailable`, with nothing done.
    ServiceUnavailable503,
    /// 500 `InternalError`, with everything done: what a lost answer looks like to the caller.
    DoneThen500,
    /// The answer comes this late, in tokio's time.
    Slow(Duration),
    /// The body of a `GetObject` breaks off with an I/O error after this many bytes.
    CutBody {
        /// The bytes that still arrive.
        after: usize,
    },
}

impl S3Fault {
    /// The error, for a fault that lets nothing be done.
    pub(super) fn refusal(self) -> Option<S3Error> {
        let (code, message) = match self {
            Self::Conflict409 => (
                S3ErrorCode::ConditionalRequestConflict,
                "The conditional request cannot succeed due to a conflicting operation against this resource.",
            ),
            Self::AccessDenied403 => (S3ErrorCode::AccessDenied, "Access Denied"),
            Self::PermanentRedirect301 => (
                S3ErrorCode::PermanentRedirect,
                "The bucket you are attempting to access must be addressed using the specified endpoint. Please send \
                 all future requests to this endpoint.",
            ),
            Self::InvalidRequest400 => (S3ErrorCode::InvalidRequest, "Invalid Request"),
            Self::InvalidObjectState403 => {
                (S3ErrorCode::InvalidObjectState, "The operation is not valid for the object's storage class")
            }
            Self::NoSuchBucket404 => (S3ErrorCode::NoSuchBucket, "The specified bucket does not exist"),
            Self::Internal500 => return Some(internal_error()),
            Self::SlowDown503 => (S3ErrorCode::SlowDown, "Please reduce your request rate."),
            Self::ServiceUnavailable503 => (S3ErrorCode::ServiceUnavailable, "Service is unable to handle request."),
            Self::DoneThen500 | Self::Slow(_) | Self::CutBody { .. } => return None,
        };
        Some(S3Error::with_message(code, message))
    }
}

pub(super) fn internal_error() -> S3Error {
    S3Error::with_message(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
}

/// The faults that were ordered and are still to happen.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Order>);

#[derive(Debug)]
struct Order {
    op: String,
    key_part: Option<String>,
    fault: S3Fault,
    how_often: HowOften,
}

/// How many calls an order is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HowOften {
    Once,
    Always,
}

impl Faults {
    pub(super) fn order(&mut self, op: &str, key_part: Option<&str>, fault: S3Fault, how_often: HowOften) {
        assert!(
            op == "GetObject" || !matches!(fault, S3Fault::CutBody { .. }),
            "only GetObject has a body that can be cut"
        );
        self.0.push(Order { op: op.to_owned(), key_part: key_part.map(str::to_owned), fault, how_often });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to a call. An order for one call goes before those for all.
    pub(super) fn take(&mut self, op: &str, key: &str) -> Option<S3Fault> {
        let is_meant =
            |order: &Order| order.op == op && order.key_part.as_deref().is_none_or(|part| key.contains(part));
        let once = self.0.iter().position(|order| order.how_often == HowOften::Once && is_meant(order));
        match once {
            Some(at) => Some(self.0.remove(at).fault),
            None => self.0.iter().find(|order| is_meant(order)).map(|order| order.fault),
        }
    }
}
