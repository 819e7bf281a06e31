//! The Lambda function: settings, clients, and the runtime that hands it events.

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use connect_bulk_import::lambda::{EventBus, Handler, Notifier, Queue, Topic, log};
use connect_bulk_import::{Importer, Settings, aws, settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

/// One thread: an import waits far more than it computes.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log::init(&settings::log_filter_from_env());
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the function ends: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let config = &aws_config::load_defaults(BehaviorVersion::latest()).await;
    let queue = Queue::new(aws::sqs(config.into()), settings.dead_letter_queue_url.clone());
    let bus = settings.event_bus_name.clone().map(|name| EventBus::new(aws::event_bridge(config.into()), name));
    let topic = settings.notice_topic_arn.clone().map(|arn| Topic::new(aws::sns(config.into()), arn));
    let notifier = Notifier::new(&settings, log::Lines::new(std::io::stdout), bus, topic);
    let connect = aws::connect(config.into(), config.into(), &settings, fastrand::u64(..));
    let importer = Importer::new(settings, connect, aws::store(config.into())).with_listener(notifier);
    let handler = Handler::new(importer, queue);
    run(service_fn(|event: LambdaEvent<_>| handler.handle(event))).await
}
