//! What the examples stand on: the real handler between an S3 in this process and the emulator.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use connect_bulk_import::config::{CONNECT_INSTANCE_ID, Settings};
use connect_bulk_import::connect::{Connect, Lanes};
use connect_bulk_import::handler::Handler;
use connect_bulk_import::import::Importer;
use connect_bulk_import::queue::Queue;
use connect_bulk_import::store::Store;
use connect_emulator::Emulator;
use import_testkit::{clients, connect_client};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

/// The bucket of the examples.
pub(crate) const BUCKET: &str = "imports";

/// The function, as `main` wires it, but for its clients.
pub(crate) fn handler(
    emulator: &Emulator,
    s3: aws_sdk_s3::Client,
    settings: &[(&str, &str)],
) -> anyhow::Result<Handler> {
    let instance_id = emulator.instance(|instance| instance.id().to_owned());
    let given = |name: &str| settings.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_lookup(|name| {
        given(name).or_else(|| (name == CONNECT_INSTANCE_ID).then(|| instance_id.clone()))
    })?;
    let lanes = Lanes::new(&settings.rates, 1);
    let no_queue = clients::http_client(|_| async { Ok(http::Response::new(bytes::Bytes::new())) });
    let sqs = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::from_static(clients::REGION))
        .http_client(no_queue);
    Ok(Handler {
        importer: Importer {
            connect: Connect::new(connect_client(emulator), &settings.instance_id, lanes),
            store: Store::new(s3),
            progress: tokio::sync::watch::Sender::default(),
            settings,
        },
        queue: Queue::new(aws_sdk_sqs::Client::from_conf(sqs.build())),
    })
}

/// Delivers the event of an object that was dropped, with Lambda's fifteen minutes, and returns the import's answer.
#[expect(clippy::disallowed_methods, reason = "Lambda's deadline is by the wall clock")]
pub(crate) async fn deliver(handler: &Handler, key: &str) -> anyhow::Result<Value> {
    let event = json!({
        "source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "sequencer": "01"}},
    });
    let deadline = SystemTime::now() + Duration::from_secs(15 * 60);
    let mut context = Context::default();
    context.deadline = u64::try_from(deadline.duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?;
    let mut answer = handler.handle(LambdaEvent::new(event, context)).await?;
    let import = answer["imports"].as_array_mut().and_then(Vec::pop);
    import.context("the event was passed over")
}
