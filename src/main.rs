//! The Lambda function: settings, clients, lanes, and the runtime that hands it events.
#![expect(clippy::disallowed_types, reason = "clients are built here and handed to their adapters")]

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_connect::config::retry::RetryConfig;
use connect_bulk_import::config::Settings;
use connect_bulk_import::connect::{Connect, Lanes};
use connect_bulk_import::handler::Handler;
use connect_bulk_import::import::Importer;
use connect_bulk_import::queue::Queue;
use connect_bulk_import::store::Store;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use tokio::sync::watch;

/// How long a connection may take, one attempt of a call, and one attempt to send a part of a report.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const PART_TIMEOUT: Duration = Duration::from_secs(30);

/// One thread: an import waits far more than it computes.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let settings = Settings::from_env()?;
    let aws = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT);
    let per_attempt = timeouts.clone().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    // The lanes retry: the SDK's own retries would go past them.
    let connect = aws_sdk_connect::config::Builder::from(&aws).retry_config(RetryConfig::disabled());
    let connect = aws_sdk_connect::Client::from_conf(connect.timeout_config(per_attempt.clone()).build());
    let s3 = aws_sdk_s3::config::Builder::from(&aws)
        .timeout_config(timeouts.operation_attempt_timeout(PART_TIMEOUT).build());
    let sqs = aws_sdk_sqs::config::Builder::from(&aws).timeout_config(per_attempt);
    let lanes = Lanes::new(&settings.rates, fastrand::u64(..));
    let handler = Handler {
        queue: Queue::new(aws_sdk_sqs::Client::from_conf(sqs.build())),
        importer: Importer {
            connect: Connect::new(connect, &settings.instance_id, lanes),
            store: Store::new(aws_sdk_s3::Client::from_conf(s3.build())),
            progress: watch::Sender::default(),
            settings,
        },
    };
    run(service_fn(|event: LambdaEvent<_>| handler.handle(event))).await
}
