//! What an import must remember from one delivery to the next: `state/<hash>/import.json`, created before anything else.
//! It decides everything for every later delivery, so that a changed setting or a newer object never changes an import
//! half-way; at the end it holds the answer.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::config::{Options, Settings};
use crate::event::{self, Identity, Object, Request};
use crate::outcome::Counts;
use crate::report::ImportStatus;
use crate::store::{Location, Store, StoreError};

/// What is to be imported, and what names the import.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The same for every delivery.
    pub identity: Identity,
    /// What came in.
    pub source: Source,
}

/// What came in.
#[derive(Clone, Debug)]
pub enum Source {
    /// An object that was created.
    Object(Object),
    /// A request.
    Request(Request),
}

/// The answer to whoever delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Names the import.
    pub import_id: String,
    /// What became of it.
    pub status: ImportStatus,
    /// The report's folder; none if the import could not even begin.
    pub report: Option<String>,
    /// Rows by status.
    pub rows: Counts,
}

/// An import that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begun {
    /// `20261121T230905Z-1a2b3c4d`.
    pub import_id: String,
    /// The object that was dropped, in the version that was found.
    pub source: Location,
    /// Its version, or its `ETag` where the bucket keeps none.
    pub version: String,
    /// Where it is read from: itself, or a copy where the bucket keeps no versions.
    pub read_from: Location,
    /// Everything that decides.
    pub options: Options,
    /// Why it is not imported, if that was clear from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// Where the report goes.
    pub report: Location,
    /// When the first delivery began.
    pub started_at: DateTime<Utc>,
    /// The answer, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// Why an import was refused from the beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// `invalid_option` or `superseded`.
    pub code: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// An import's record in the bucket.
#[derive(Debug)]
pub struct State {
    at: Location,
    etag: String,
    /// What it says.
    pub begun: Begun,
}

/// Why a delivery of an import could not be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing is known of the import yet.
    #[error("{0:#}")]
    BeforeItBegan(anyhow::Error),
    /// The import has begun, or may have: the next delivery goes on.
    #[error("{0:#}")]
    Underway(anyhow::Error),
}

/// The record of an import could not be read.
#[derive(Debug, thiserror::Error)]
#[error("whether the import has begun cannot be read: {0}")]
struct Unread(StoreError);

/// How an import stands when a delivery comes.
#[derive(Debug)]
pub enum Standing {
    /// It is to be done, or to be gone on with.
    Open(Box<State>),
    /// There is nothing to do any more.
    Over(Answer),
}

impl State {
    /// Finds the import, or begins it.
    ///
    /// A record that could not be read for a moment may be that of an import half-way: only where there is none, or where
    /// it may not be read at all, an error is one from before the beginning.
    pub async fn open(
        store: &Store,
        settings: &Settings,
        asked: &Asked,
        now: DateTime<Utc>,
    ) -> Result<Standing, ImportError> {
        Self::find_or_begin(store, settings, asked, now).await.map_err(|error| {
            let may_have_begun = error.downcast_ref::<Unread>().is_some_and(|Unread(cause)| !cause.is_denied());
            if may_have_begun { ImportError::Underway(error) } else { ImportError::BeforeItBegan(error) }
        })
    }

    async fn find_or_begin(
        store: &Store,
        settings: &Settings,
        asked: &Asked,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Standing> {
        let bucket = settings.report_bucket.as_deref().unwrap_or(bucket_of(&asked.source));
        let identity =
            named_by_import_id(store, settings, bucket, asked).await?.unwrap_or_else(|| asked.identity.clone());
        let folder = format!("{}{}/", settings.prefixes.state, identity.as_str());
        let at = Location::new(bucket, format!("{folder}import.json"));
        // Whoever creates the record first has begun the import; the others find it.
        for _ in 0..3 {
            if let Some(found) = Self::read(store, &at).await? {
                return Ok(found.standing());
            }
            let copy = Location::new(bucket, format!("{folder}source"));
            let import_id = format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), identity.short());
            let begun = match begin(store, settings, asked, import_id, copy, bucket, now).await? {
                Ok(begun) => begun,
                Err(answer) => return Ok(Standing::Over(answer)),
            };
            match store.create(&at, to_json(&begun)).await {
                Ok(etag) => return Ok(Standing::Open(Box::new(Self { at, etag, begun }))),
                Err(error) if error.is_precondition() => {}
                Err(error) => return Err(error.into()),
            }
        }
        anyhow::bail!("{at} appears and disappears")
    }

    async fn read(store: &Store, at: &Location) -> anyhow::Result<Option<Self>> {
        let Some((bytes, etag)) = store.get(at).await.map_err(Unread)? else { return Ok(None) };
        let begun = serde_json::from_slice(&bytes).with_context(|| format!("{at} is not the record of an import"))?;
        Ok(Some(Self { at: at.clone(), etag, begun }))
    }

    fn standing(mut self) -> Standing {
        match self.begun.answer.take() {
            Some(answer) => Standing::Over(answer),
            None => Standing::Open(Box::new(self)),
        }
    }

    /// The folder of the import's state.
    pub fn folder(&self) -> Location {
        let folder = self.at.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        Location::new(&self.at.bucket, format!("{folder}/"))
    }

    /// The import is over: from now on its answer is all that a delivery gets.
    pub async fn close(mut self, store: &Store, answer: &Answer) -> anyhow::Result<()> {
        self.begun.answer = Some(answer.clone());
        store.write(&self.at, to_json(&self.begun), Some(&self.etag)).await?;
        if self.begun.read_from != self.begun.source {
            store.delete(&self.begun.read_from).await?;
        }
        Ok(())
    }
}

fn to_json(begun: &Begun) -> bytes::Bytes {
    serde_json::to_vec_pretty(begun).expect("a record has no map keys that are not texts").into()
}

fn bucket_of(source: &Source) -> &str {
    match source {
        Source::Object(object) => &object.bucket,
        Source::Request(request) => request.location().map_or("", |(bucket, _)| bucket),
    }
}

/// A request may name an import by the id that an earlier answer gave: then that one is meant.
async fn named_by_import_id(
    store: &Store,
    settings: &Settings,
    bucket: &str,
    asked: &Asked,
) -> anyhow::Result<Option<Identity>> {
    let Source::Request(Request { import_id: Some(import_id), .. }) = &asked.source else { return Ok(None) };
    let Some((_, short)) = import_id.rsplit_once('-').filter(|(time, short)| time.len() == 16 && short.len() == 8)
    else {
        return Ok(None);
    };
    let prefix = format!("{}{short}", settings.prefixes.state);
    for key in store.keys(bucket, &prefix).await? {
        let Some(hash) = key.strip_prefix(&settings.prefixes.state).and_then(|key| key.strip_suffix("/import.json"))
        else {
            continue;
        };
        let found = State::read(store, &Location::new(bucket, key.clone())).await?;
        if found.is_some_and(|found| found.begun.import_id == *import_id) {
            return Ok(Some(Identity::known(hash)));
        }
    }
    Ok(None)
}

/// Finds the object, and makes sure that this version of it can be read until the end.
async fn begin(
    store: &Store,
    settings: &Settings,
    asked: &Asked,
    import_id: String,
    copy: Location,
    report_bucket: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Result<Begun, Answer>> {
    let over = |status, why: &str| {
        warn!(import_id, "{why}");
        Ok(Err(Answer { import_id: import_id.clone(), status, report: None, rows: Counts::default() }))
    };
    let found = match &asked.source {
        Source::Object(object) => find_object(store, object).await?,
        Source::Request(request) => find_requested(store, request).await?,
    };
    let Some((mut source, head)) = found else {
        return over(ImportStatus::Failed, "the object is gone: nothing was imported");
    };
    let mut version = head.version_id.clone().unwrap_or_else(|| head.etag.trim_matches('"').to_owned());
    let read_from = if let Some(version_id) = head.version_id {
        source.version_id = Some(version_id);
        source.clone()
    } else {
        let pinned = match &asked.source {
            Source::Object(Object { etag: Some(etag), .. }) => format!("\"{etag}\""),
            _ => head.etag,
        };
        pinned.trim_matches('"').clone_into(&mut version);
        match store.copy(&source, &pinned, &copy).await {
            Ok(()) => copy,
            Err(error) if error.is_precondition() => {
                return over(
                    ImportStatus::Rejected,
                    "superseded: the object was overwritten, and the newer one is announced by its own event",
                );
            }
            Err(error) => return Err(error.into()),
        }
    };
    let request = match &asked.source {
        Source::Request(request) => Some(request),
        Source::Object(_) => None,
    };
    let superseded = match &asked.source {
        Source::Object(object) => superseded(store, settings, report_bucket, object).await?,
        Source::Request(_) => None,
    };
    let options = event::options(&settings.options, &source.key, request);
    let below = source.key.strip_prefix(&settings.prefixes.import).unwrap_or(&source.key);
    let report = Location::new(report_bucket, format!("{}{below}/{import_id}/", settings.prefixes.report));
    info!(import_id, report = %report, "import begins");
    Ok(Ok(Begun {
        import_id,
        source,
        version,
        read_from,
        options: *options.as_ref().unwrap_or(&settings.options),
        refused: options.err().map(|message| Refused { code: "invalid_option".to_owned(), message }).or(superseded),
        report,
        started_at: now,
        answer: None,
    }))
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

type Found = Option<(Location, crate::store::Head)>;

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
