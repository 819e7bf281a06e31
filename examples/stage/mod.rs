//! What the examples stand on: the engine between an S3 in this process and the emulator.

use anyhow::Context as _;
use chrono::Utc;
use connect_bulk_import::import::Deadlines;
use connect_bulk_import::import::trigger::{Object, Trigger};
use connect_bulk_import::settings::CONNECT_INSTANCE_ID;
use connect_bulk_import::{Answer, Importer, Settings, aws};
use connect_emulator::Emulator;
use import_testkit::clients::{connect_config, quotas_config};

/// The bucket of the examples.
pub(crate) const BUCKET: &str = "imports";

/// The engine, with the clients of a front end.
pub(crate) fn importer(
    emulator: &Emulator,
    s3: aws_sdk_s3::config::Builder,
    settings: &[(&str, &str)],
) -> anyhow::Result<Importer> {
    let instance_id = emulator.instance(|instance| instance.id().to_owned());
    let given = |name: &str| settings.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_lookup(|name| {
        given(name).or_else(|| (name == CONNECT_INSTANCE_ID).then(|| instance_id.clone()))
    })?;
    let connect = aws::connect(connect_config(emulator), quotas_config(emulator), &settings, 1);
    Ok(Importer::new(settings, connect, aws::store(s3)))
}

/// Imports an object that was dropped.
#[expect(clippy::disallowed_methods, reason = "the wall clock is read once per delivery")]
pub(crate) async fn import(importer: &Importer, key: &str) -> anyhow::Result<Answer> {
    let trigger = Trigger::object(Object {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        key_decoded: None,
        version_id: None,
        etag: None,
        sequencer: Some("01".to_owned()),
    });
    importer.run(&trigger, &Deadlines::none(Utc::now())).await.context("the import could not go on")
}
