//! The real SDK clients, wired to what answers in this process.

mod in_process;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use connect_emulator::Emulator;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

use crate::clients::in_process::BareHeads;
pub use crate::clients::in_process::{Answer, http_client};
use crate::memory_s3::MemoryS3;

/// The Region of both clients.
pub const REGION: &str = "eu-central-1";

const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_ACCESS_KEY: &str = "a secret for tests";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// An S3 client with the SDK's defaults, its checksums and retries among them.
pub fn s3_client(s3: &MemoryS3) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config(s3).build())
}

/// What [`s3_client`] is built from, for who wants to finish it otherwise.
pub fn s3_config(s3: &MemoryS3) -> aws_sdk_s3::config::Builder {
    s3_config_to(s3.clone())
}

/// As [`s3_config`], with another S3 in process.
pub fn s3_config_to(s3: impl s3s::S3) -> aws_sdk_s3::config::Builder {
    let mut service = S3ServiceBuilder::new(s3);
    // Without this s3s refuses every request that is signed.
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
    let credentials =
        aws_sdk_s3::config::Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "import-testkit");
    aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new(REGION))
        .credentials_provider(credentials)
        .sleep_impl(TokioSleep::new())
        .http_client(BareHeads::new(s3s_aws::Client::from(service.build())))
        .force_path_style(true)
}

/// A Connect client that retries nothing and gives every attempt 10 seconds of tokio's time.
pub fn connect_client(emulator: &Emulator) -> aws_sdk_connect::Client {
    aws_sdk_connect::Client::from_conf(with_limits(connect_config(emulator)).build())
}

/// A Connect client's wiring to the emulator; retries and timeouts are still to be chosen.
pub fn connect_config(emulator: &Emulator) -> aws_sdk_connect::config::Builder {
    connect_config_to(of_emulator(emulator))
}

/// As [`connect_config`], with a function in the emulator's place.
pub fn connect_config_to(answer: impl Answer) -> aws_sdk_connect::config::Builder {
    let credentials =
        aws_sdk_connect::config::Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "import-testkit");
    aws_sdk_connect::Config::builder()
        .behavior_version(aws_sdk_connect::config::BehaviorVersion::latest())
        .region(aws_sdk_connect::config::Region::new(REGION))
        .credentials_provider(credentials)
        .sleep_impl(TokioSleep::new())
        .http_client(http_client(answer))
}

/// A Service Quotas client with the SDK's defaults.
pub fn quotas_client(emulator: &Emulator) -> aws_sdk_servicequotas::Client {
    aws_sdk_servicequotas::Client::from_conf(quotas_config(emulator).build())
}

/// A Service Quotas client's wiring to the emulator.
pub fn quotas_config(emulator: &Emulator) -> aws_sdk_servicequotas::config::Builder {
    let credentials =
        aws_sdk_servicequotas::config::Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "import-testkit");
    aws_sdk_servicequotas::Config::builder()
        .behavior_version(aws_sdk_servicequotas::config::BehaviorVersion::latest())
        .region(aws_sdk_servicequotas::config::Region::new(REGION))
        .credentials_provider(credentials)
        .sleep_impl(TokioSleep::new())
        .http_client(http_client(of_emulator(emulator)))
}

/// What the emulator answers.
fn of_emulator(emulator: &Emulator) -> impl Answer {
    let emulator = emulator.clone();
    move |request| {
        let emulator = emulator.clone();
        async move { Ok(emulator.answer(request).await?) }
    }
}

fn with_limits(config: aws_sdk_connect::config::Builder) -> aws_sdk_connect::config::Builder {
    config.retry_config(RetryConfig::disabled()).timeout_config(
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build(),
    )
}
