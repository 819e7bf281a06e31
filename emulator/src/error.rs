//! The errors that the service answers with.

use std::borrow::Cow;

/// An error answer: what becomes the status line, `x-amzn-errortype` and the `Message` of the body.
///
/// The codes that the operations here may answer with are `InvalidRequestException` 400,
/// `InvalidParameterException` 400, `ResourceNotFoundException` 404, `ThrottlingException` 429 and
/// `InternalServiceException` 500, and of `UpdateUserConfig` `ConditionalOperationFailedException` 409, which comes by
/// script only (service model); `AccessDeniedException` 403 comes from IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The name of the exception.
    pub code: Cow<'static, str>,
    /// Free text, nothing for a program to read.
    pub message: String,
}

impl ApiError {
    /// Any error at all.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequestException", message)
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFoundException", message)
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            500,
            "InternalServiceException",
            "Request processing failed because of an error or failure with the service.",
        )
    }

    pub(crate) fn access_denied(operation: &str) -> Self {
        let message = format!(
            "User: arn:aws:sts::123456789012:assumed-role/emulated/caller is not authorized to \
             perform: connect:{operation}"
        );
        Self::new(403, "AccessDeniedException", message)
    }
}
