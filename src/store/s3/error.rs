//! What an error of the SDK means to us, and how long a request may take.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::error::display::DisplayErrorContext;

use crate::store::location::StoreError;

/// A copy of 5 GB, and an upload of thousands of parts, take S3 minutes.
const UNHURRIED: Duration = Duration::from_secs(300);

/// For requests that S3 answers when the work is done.
pub(super) fn unhurried() -> Builder {
    Builder::new().timeout_config(TimeoutConfig::builder().operation_attempt_timeout(UNHURRIED).build())
}

pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

/// What an error of the SDK means to us.
pub(super) fn store_error<E>(request: &'static str, at: &impl fmt::Display) -> impl Fn(SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let what = format!("{request} {at}");
    move |error| match (status(&error), error.code()) {
        (Some(412), _) => StoreError::Precondition(what.clone()),
        // 405 is S3's answer to a read of a delete marker by its version.
        (Some(404 | 405), None | Some("NoSuchKey" | "NoSuchVersion" | "NotFound" | "MethodNotAllowed")) => {
            StoreError::Gone(what.clone())
        }
        (status, code) => StoreError::Other {
            what: what.clone(),
            status,
            code: code
                .map_or_else(|| status.map_or("NoAnswer".to_owned(), |status| format!("Http{status}")), str::to_owned),
            message: DisplayErrorContext(&error).to_string(),
        },
    }
}
