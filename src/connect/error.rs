//! Calls that fail: what happened, and what follows from it.

use std::fmt;

use super::operation::Operation;

/// What a failed call means for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The quota is used up. The call is sent again, and the row never fails for it.
    Throttled,
    /// A 5xx, a timeout or a broken connection: the work may have been done or not. The call is sent again, within bounds.
    Unavailable,
    /// The caller may not do this at all: no permission, bad credentials, no such instance.
    Denied,
    /// The service understood and refused. Sent again, the call would be refused again.
    Refused,
    /// The call was never sent, for the import had stopped.
    NotSent,
}

/// A call that did not succeed, with Connect's own code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct ConnectError {
    /// The operation that was called.
    pub operation: Operation,
    /// What the failure means.
    pub kind: ErrorKind,
    /// Connect's own error code, or one of ours in the same style (`Timeout`, `ConnectionFailed`).
    pub code: String,
    /// Connect's message.
    pub message: String,
    /// The service's request id, for a support case.
    pub request_id: Option<String>,
    /// Whether the whole import has to stop: every user would be refused alike.
    pub stops_import: bool,
}

/// Codes that mean "too fast". `LimitExceededException`, which also comes as a 429, is not among them: for Connect it is
/// a resource quota (`StartChatContact`'s text in the service model says so), and waiting does not help.
const THROTTLED: [&str; 10] = [
    "ThrottlingException",
    "TooManyRequestsException",
    "Throttling",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
];

/// Codes of a resource quota, whatever the status they come with.
const QUOTAS: [&str; 2] = ["LimitExceededException", "ServiceQuotaExceededException"];

/// Codes with which AWS refuses the caller, whatever the request.
const DENIED: [&str; 17] = [
    "AccessDenied",
    "AccessDeniedException",
    "CredentialsNotLoaded",
    "ExpiredToken",
    "ExpiredTokenException",
    "Forbidden",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// The code of a write that met another one, it seems: the service model says only that a "dependent condition failed".
const CONFLICT: &str = "ConditionalOperationFailedException";

/// The code for what is not there: a user, an attribute, or the instance.
pub(crate) const NOT_FOUND: &str = "ResourceNotFoundException";

/// The answers to a name that nobody has. The documents do not say whether a name that is unknown, or is not even a name, is
/// a 404 or a 400.
const NO_SUCH_NAME: [&str; 3] = [NOT_FOUND, "InvalidParameterException", "InvalidRequestException"];

/// Our own code for an answer that lacks what the service model promises.
const INCOMPLETE: &str = "IncompleteAnswer";

/// Our own code for a request that cannot be built.
const NOT_BUILT: &str = "InvalidRequest";

/// Codes of a service in trouble that may come with a status below 500.
const UNAVAILABLE: [&str; 5] =
    ["InternalServiceException", "InternalServerException", "InternalFailure", "ServiceUnavailable", "RequestTimeout"];

impl ErrorKind {
    /// The one table: what an answer with this status and code means.
    pub fn of_answer(status: u16, code: Option<&str>) -> Self {
        match (status, code) {
            (_, Some(code)) if QUOTAS.contains(&code) => Self::Refused,
            (_, Some(code)) if THROTTLED.contains(&code) => Self::Throttled,
            (_, Some(code)) if DENIED.contains(&code) => Self::Denied,
            (_, Some(code)) if UNAVAILABLE.contains(&code) => Self::Unavailable,
            (429, _) => Self::Throttled,
            (401 | 403, _) => Self::Denied,
            // The status is no error, and yet the answer could not be read: it was cut or garbled on the way.
            (0..=399 | 408 | 500.., _) => Self::Unavailable,
            _ => Self::Refused,
        }
    }
}

impl ConnectError {
    /// An answer that is an error.
    pub fn answered(
        operation: Operation,
        status: u16,
        code: Option<&str>,
        message: Option<&str>,
        request_id: Option<&str>,
    ) -> Self {
        Self {
            operation,
            kind: ErrorKind::of_answer(status, code),
            code: code.map_or_else(|| format!("Http{status}"), str::to_owned),
            message: message.unwrap_or("the service gave no message").to_owned(),
            request_id: request_id.map(str::to_owned),
            stops_import: false,
        }
    }

    /// An answer that lacks what the service model promises. It is an error, never "there is nothing there", and would be
    /// the same if the call were sent again.
    pub(super) fn incomplete(operation: Operation, what: impl fmt::Display) -> Self {
        let message = format!("the service gave {what}");
        Self::answered(operation, 400, Some(INCOMPLETE), Some(&message), None)
    }

    /// A request that could not be built: it would fail again however often it is tried.
    pub(super) fn not_built(operation: Operation, why: impl fmt::Display) -> Self {
        let message = format!("the request cannot be built: {why}");
        Self::answered(operation, 400, Some(NOT_BUILT), Some(&message), None)
    }

    /// Whether the service itself refused the request: neither an answer of which a part is missing, nor a request that was
    /// never sent.
    pub(super) fn is_refusal(&self) -> bool {
        self.kind == ErrorKind::Refused && ![INCOMPLETE, NOT_BUILT].contains(&self.code.as_str())
    }

    /// Whether the service says that nothing has the name that was asked for.
    pub(super) fn means_no_such_name(&self) -> bool {
        self.is_refusal() && NO_SUCH_NAME.contains(&self.code.as_str())
    }

    /// Whether the user had changed meanwhile: after another read the write may succeed.
    pub fn is_conflict(&self) -> bool {
        self.code == CONFLICT
    }

    /// The failure in a sentence, for the report.
    pub fn user_message(&self) -> String {
        match self.kind {
            ErrorKind::Throttled | ErrorKind::Unavailable => {
                format!("Amazon Connect did not do this: {}", self.message)
            }
            ErrorKind::NotSent => format!("This was not sent to Amazon Connect: {}", self.message),
            ErrorKind::Denied | ErrorKind::Refused => format!("Amazon Connect refused this: {}", self.message),
        }
    }

    /// A call that was never sent, for `cause` had stopped the import.
    pub(super) fn not_sent(operation: Operation, cause: &Self) -> Self {
        Self { operation, kind: ErrorKind::NotSent, ..cause.clone() }
    }

    /// A call that was never sent, for somebody had cancelled the import.
    pub(super) fn cancelled(operation: Operation) -> Self {
        Self {
            operation,
            kind: ErrorKind::NotSent,
            code: "Cancelled".to_owned(),
            message: "the import was cancelled".to_owned(),
            request_id: None,
            stops_import: false,
        }
    }

    /// A call that got no whole answer.
    pub fn unanswered(operation: Operation, code: &str, message: impl fmt::Display) -> Self {
        Self {
            operation,
            kind: if DENIED.contains(&code) { ErrorKind::Denied } else { ErrorKind::Unavailable },
            code: code.to_owned(),
            message: message.to_string(),
            request_id: None,
            stops_import: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_a_status() {
        for (status, code, kind) in [
            (429, Some("ThrottlingException"), ErrorKind::Throttled),
            (429, Some("TooManyRequestsException"), ErrorKind::Throttled),
            (429, None, ErrorKind::Throttled),
            (429, Some("LimitExceededException"), ErrorKind::Refused),
            (402, Some("ServiceQuotaExceededException"), ErrorKind::Refused),
            (400, Some("ThrottlingException"), ErrorKind::Throttled),
            (403, Some("AccessDeniedException"), ErrorKind::Denied),
            (403, None, ErrorKind::Denied),
            (400, Some("UnrecognizedClientException"), ErrorKind::Denied),
            (500, Some("InternalServiceException"), ErrorKind::Unavailable),
            (503, None, ErrorKind::Unavailable),
            (200, None, ErrorKind::Unavailable),
            (400, Some("InvalidParameterException"), ErrorKind::Refused),
            (404, Some("ResourceNotFoundException"), ErrorKind::Refused),
            (409, Some("ConditionalOperationFailedException"), ErrorKind::Refused),
        ] {
            assert_eq!(ErrorKind::of_answer(status, code), kind, "{status} {code:?}");
        }
    }
}
