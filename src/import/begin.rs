//! How an import begins: which object is meant, whether a newer one of its name has overtaken it, and that this state of it
//! can be read until the end.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::config::Settings;
use crate::event::{self, Identity, Object, Request};
use crate::outcome::Counts;
use crate::report::ImportStatus;
use crate::state::{Answer, Asked, Begun, Refused, Source};
use crate::store::{Head, Location, Store};

/// What an import begins with.
pub(crate) struct Begin<'b> {
    pub(crate) store: &'b Store,
    pub(crate) settings: &'b Settings,
    pub(crate) asked: &'b Asked,
    pub(crate) import_id: &'b str,
    /// The folder of its state.
    pub(crate) folder: &'b Location,
    pub(crate) now: DateTime<Utc>,
    pub(crate) delivery: u64,
}

impl Begin<'_> {
    /// Finds the object, and makes sure that this version of it can be read until the end.
    pub(crate) async fn begin(&self) -> anyhow::Result<Result<Begun, Answer>> {
        let Self { store, settings, import_id, .. } = *self;
        let (found, object, request) = match &self.asked.source {
            Source::Object(object) => (find_object(store, object).await?, Some(object), None),
            Source::Request(request) => (find_requested(store, request).await?, None, Some(request)),
        };
        let Some((mut source, head)) = found else {
            return Ok(Err(self.over(ImportStatus::Failed, "the object is gone: nothing was imported")));
        };
        let (version, read_from) = if let Some(version_id) = head.version_id {
            source.version_id = Some(version_id.clone());
            (version_id, source.clone())
        } else {
            // An event says which state of the object is meant; of a request it is the one that was found, and another
            // delivery may find another.
            let pinned = object.and_then(|object| object.etag.as_deref());
            let etag = pinned.unwrap_or_else(|| head.etag.trim_matches('"'));
            let name = if pinned.is_some() { "source".to_owned() } else { format!("source-{etag}") };
            let copy = Location::new(&self.folder.bucket, format!("{}{name}", self.folder.key));
            match store.copy(&source, &format!("\"{etag}\""), &copy).await {
                Ok(()) => (etag.to_owned(), copy),
                Err(error) if error.is_precondition() => {
                    let why = "superseded: the object was overwritten, and the newer one is announced by its own event";
                    return Ok(Err(self.over(ImportStatus::Rejected, why)));
                }
                Err(error) => return Err(error.into()),
            }
        };
        let superseded = match object {
            Some(object) => superseded(store, settings, &self.folder.bucket, object).await?,
            None => None,
        };
        let options = event::options(&settings.options, &source.key, request);
        let below = source.key.strip_prefix(&settings.prefixes.import).unwrap_or(&source.key);
        let report = Location::new(&self.folder.bucket, format!("{}{below}/{import_id}/", settings.prefixes.report));
        info!(import_id, report = %report, "import begins");
        Ok(Ok(Begun {
            import_id: import_id.to_owned(),
            source,
            version,
            read_from,
            options: *options.as_ref().unwrap_or(&settings.options),
            refused: options.err().map(|message| Refused { code: "invalid_option".to_owned(), message }).or(superseded),
            report,
            started_at: self.now,
            delivery: self.delivery,
            answer: None,
        }))
    }

    fn over(&self, status: ImportStatus, why: &str) -> Answer {
        warn!(import_id = self.import_id, "{why}");
        Answer { import_id: self.import_id.to_owned(), status, report: None, rows: Counts::default() }
    }
}

/// What is known of a key: the last of its events whose import has begun.
#[derive(Debug, Serialize, Deserialize)]
struct BegunOfKey {
    sequencer: String,
}

/// Whether a newer object of the same key was begun before; else this one is the newest from now on.
async fn superseded(
    store: &Store,
    settings: &Settings,
    bucket: &str,
    object: &Object,
) -> anyhow::Result<Option<Refused>> {
    let Some(sequencer) = &object.sequencer else { return Ok(None) };
    let at =
        Location::new(bucket, format!("{}keys/{}.json", settings.prefixes.state, Identity::of_key(object).as_str()));
    loop {
        let found = store.get(&at).await?;
        if let Some((bytes, _)) = &found {
            let newest: BegunOfKey = serde_json::from_slice(bytes).with_context(|| format!("{at} cannot be read"))?;
            if event::is_earlier(sequencer, &newest.sequencer) {
                let message =
                    "A newer object of the same name was imported before this one. Drop it again if it is meant.";
                return Ok(Some(Refused { code: "superseded".to_owned(), message: message.to_owned() }));
            }
        }
        let newest = serde_json::to_vec(&BegunOfKey { sequencer: sequencer.clone() })?.into();
        let written = match found {
            None => store.create(&at, newest).await,
            Some((_, etag)) => store.write(&at, newest, Some(&etag)).await,
        };
        match written {
            Ok(_) => return Ok(None),
            Err(error) if error.is_precondition() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

type Found = Option<(Location, Head)>;

async fn find_object(store: &Store, object: &Object) -> anyhow::Result<Found> {
    for key in std::iter::once(&object.key).chain(&object.key_decoded) {
        let at = Location { version_id: object.version_id.clone(), ..Location::new(&object.bucket, key) };
        if let Some(head) = store.head(&at).await? {
            return Ok(Some((at, head)));
        }
    }
    Ok(None)
}

async fn find_requested(store: &Store, request: &Request) -> anyhow::Result<Found> {
    let (bucket, key) = request.location()?;
    let key = if key.ends_with('/') { store.newest(bucket, key).await? } else { Some(key.to_owned()) };
    let Some(key) = key else { return Ok(None) };
    let at = Location::new(bucket, key);
    Ok(store.head(&at).await?.map(|head| (at, head)))
}
