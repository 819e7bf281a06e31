//! The services' adapters out of the SDK's configuration: every client that the function uses is built here, with its
//! retries and timeouts, so that tests run with those of production.
#![expect(clippy::disallowed_types, reason = "clients are built here and handed to their adapters")]

use std::time::Duration;

use aws_sdk_connect::config::retry::RetryConfig;
use aws_sdk_connect::config::timeout::{TimeoutConfig, TimeoutConfigBuilder};

use crate::connect::{AccountQuotas, Connect, Lanes};
use crate::settings::Settings;
use crate::store::Store;

/// How long a connection may take, one attempt of a call, and one attempt to send a part of a report.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const PART_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to tell the end of an import, retries and all: it is done, whoever hears of it.
#[cfg(feature = "lambda")]
const TELLING_TIMEOUT: Duration = Duration::from_secs(5);

fn timeouts() -> TimeoutConfigBuilder {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT)
}

/// The instance of the settings, and what its account may. The lanes retry, and the list of quotas is soon given up: the SDK's own
/// retries would go past them.
pub fn connect(
    config: aws_sdk_connect::config::Builder,
    service_quotas: aws_sdk_servicequotas::config::Builder,
    settings: &Settings,
    seed: u64,
) -> Connect {
    let timeouts = timeouts().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts.clone());
    let client = aws_sdk_connect::Client::from_conf(config.build());
    let service_quotas = service_quotas.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    let service_quotas = aws_sdk_servicequotas::Client::from_conf(service_quotas.build());
    let lanes = Lanes::new(settings.rates.rates(&AccountQuotas::default()), seed);
    Connect::new(client, service_quotas, &settings.instance_id, lanes)
}

/// Object storage, with the SDK's own retries.
pub fn store(config: aws_sdk_s3::config::Builder) -> Store {
    let timeouts = timeouts().operation_attempt_timeout(PART_TIMEOUT).build();
    Store::new(aws_sdk_s3::Client::from_conf(config.timeout_config(timeouts).build()))
}

/// The client of the queue that delivers.
#[cfg(feature = "lambda")]
pub fn sqs(config: aws_sdk_sqs::config::Builder) -> aws_sdk_sqs::Client {
    let timeouts = timeouts().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    aws_sdk_sqs::Client::from_conf(config.timeout_config(timeouts).build())
}

/// The client of the event bus on which the ends of imports are told.
#[cfg(feature = "lambda")]
pub fn event_bridge(config: aws_sdk_eventbridge::config::Builder) -> aws_sdk_eventbridge::Client {
    let timeouts = timeouts().operation_timeout(TELLING_TIMEOUT).build();
    aws_sdk_eventbridge::Client::from_conf(config.timeout_config(timeouts).build())
}

/// The client of the topic by which people hear of them.
#[cfg(feature = "lambda")]
pub fn sns(config: aws_sdk_sns::config::Builder) -> aws_sdk_sns::Client {
    let timeouts = timeouts().operation_timeout(TELLING_TIMEOUT).build();
    aws_sdk_sns::Client::from_conf(config.timeout_config(timeouts).build())
}
