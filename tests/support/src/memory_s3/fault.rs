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
    /// 500 `InternalError`, with nothing done.
    Internal500,
    /// 503 `SlowDown`, with nothing done.
    SlowDown503,
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
            Self::Internal500 => return Some(internal_error()),
            Self::SlowDown503 => (S3ErrorCode::SlowDown, "Please reduce your request rate."),
            Self::DoneThen500 | Self::Slow(_) | Self::CutBody { .. } => return None,
        };
        Some(S3Error::with_message(code, message))
    }
}

pub(super) fn internal_error() -> S3Error {
    S3Error::with_message(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
}

/// The faults that were ordered and have not happened yet.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Order>);

#[derive(Debug)]
struct Order {
    op: String,
    key_part: Option<String>,
    fault: S3Fault,
}

impl Faults {
    pub(super) fn order(&mut self, op: &str, key_part: Option<&str>, fault: S3Fault) {
        assert!(
            op == "GetObject" || !matches!(fault, S3Fault::CutBody { .. }),
            "only GetObject has a body that can be cut"
        );
        self.0.push(Order { op: op.to_owned(), key_part: key_part.map(str::to_owned), fault });
    }

    pub(super) fn take(&mut self, op: &str, key: &str) -> Option<S3Fault> {
        let is_meant =
            |order: &Order| order.op == op && order.key_part.as_deref().is_none_or(|part| key.contains(part));
        let at = self.0.iter().position(is_meant)?;
        Some(self.0.remove(at).fault)
    }
}
