//! The Lambda function: settings, clients, and the runtime that hands it events.

use aws_config::BehaviorVersion;
use connect_bulk_import::lambda::{Handler, Queue};
use connect_bulk_import::{Importer, Settings, aws};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

/// One thread: an import waits far more than it computes.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let settings = Settings::from_env()?;
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let connect = aws::connect((&config).into(), &settings, fastrand::u64(..));
    let queue = Queue::new(aws::sqs((&config).into()), settings.dead_letter_queue_url.clone());
    let handler = Handler::new(Importer::new(settings, connect, aws::store((&config).into())), queue);
    run(service_fn(|event: LambdaEvent<_>| handler.handle(event))).await
}
