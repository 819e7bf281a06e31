//! What an import must remember from one delivery to the next: `state/<hash>/import.json`, created before anything else.
//! It decides everything for every later delivery, so that a changed setting or a newer object never changes an import
//! half-way; at the end it holds the answer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::begin::Begin;
use crate::config::{Options, Settings};
use crate::event::{Identity, Object, Request};
use crate::outcome::Counts;
use crate::report::ImportStatus;
use crate::store::{Location, Store, StoreError};

/// Deliveries of one import that may begin at the same instant.
const MAX_RACES: u32 = 5;

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
    /// Interner the import.
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
    /// Which delivery has the import: a number unlike any other's. Whoever has lost it stops.
    pub delivery: u64,
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

/// How an import stands when a delivery comes.
#[derive(Debug)]
pub enum Standing {
    /// It is to be done, or to be gone on with.
    Open(Box<State>),
    /// There is nothing to do any more.
    Over(Answer),
}

/// Why the first steps of a delivery failed: whether the import may be half-way decides whether it may be given up.
fn before_it_began(error: impl Into<anyhow::Error>) -> ImportError {
    ImportError::BeforeItBegan(error.into())
}

fn underway(error: impl Into<anyhow::Error>) -> ImportError {
    ImportError::Underway(error.into())
}

impl State {
    /// Finds the import and takes it over for this delivery, or begins it.
    ///
    /// A record that could not be read for a moment may be that of an import half-way. So may one that may not be read at
    /// all: whether there is one is then seen in another way.
    pub async fn open(
        store: &Store,
        settings: &Settings,
        asked: &Asked,
        now: DateTime<Utc>,
        delivery: u64,
    ) -> Result<Standing, ImportError> {
        let bucket = settings.report_bucket.as_deref().unwrap_or(bucket_of(&asked.source));
        let named = named_by_import_id(store, settings, bucket, asked).await.map_err(underway)?;
        let identity = named.unwrap_or_else(|| asked.identity.clone());
        let folder = Location::new(bucket, format!("{}{}/", settings.prefixes.state, identity.as_str()));
        let at = Location::new(bucket, format!("{}import.json", folder.key));
        let import_id = format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), identity.short());
        // Whoever creates the record first has begun the import; the others find it.
        for _ in 0..MAX_RACES {
            match Self::read(store, &at).await {
                Ok(Some(found)) => match found.taken_over(store, delivery).await {
                    Ok(standing) => return Ok(standing),
                    Err(error) if error.is_precondition() => continue,
                    Err(error) => return Err(underway(error)),
                },
                Ok(None) => {}
                Err(error) if error.is_denied() && !is_there(store, &at).await => return Err(before_it_began(error)),
                Err(error) => return Err(underway(error)),
            }
            let begin = Begin { store, settings, asked, import_id: &import_id, folder: &folder, now, delivery };
            let begun = match begin.begin().await.map_err(before_it_began)? {
                Ok(begun) => begun,
                Err(answer) => return Ok(Standing::Over(answer)),
            };
            match store.create(&at, to_json(&begun)).await {
                Ok(etag) => return Ok(Standing::Open(Box::new(Self { at, etag, begun }))),
                Err(error) if error.is_precondition() => {}
                Err(error) => return Err(before_it_began(error)),
            }
        }
        Err(underway(anyhow::anyhow!("{at} changes all the time: many deliveries begin at once")))
    }

    async fn read(store: &Store, at: &Location) -> Result<Option<Self>, StoreError> {
        let Some((bytes, etag)) = store.get(at).await? else { return Ok(None) };
        if bytes.is_empty() {
            // What `is_there` may leave.
            store.delete(at).await?;
            return Ok(None);
        }
        let begun = serde_json::from_slice(&bytes).map_err(|error| StoreError::Other {
            what: at.to_string(),
            code: "NotTheRecordOfAnImport".to_owned(),
            message: error.to_string(),
        })?;
        Ok(Some(Self { at: at.clone(), etag, begun }))
    }

    /// From now on this delivery has the import, unless it is over.
    async fn taken_over(mut self, store: &Store, delivery: u64) -> Result<Standing, StoreError> {
        if let Some(answer) = self.begun.answer {
            return Ok(Standing::Over(answer));
        }
        self.begun.delivery = delivery;
        self.etag = store.write(&self.at, to_json(&self.begun), Some(&self.etag)).await?;
        Ok(Standing::Open(Box::new(self)))
    }

    /// What tells this delivery whether it still has the import.
    pub fn hold(&self, store: &Store) -> Hold {
        Hold { store: store.clone(), at: self.at.clone(), delivery: self.begun.delivery }
    }

    /// The folder of the import's state.
    pub fn folder(&self) -> Location {
        let folder = self.at.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        Location::new(&self.at.bucket, format!("{folder}/"))
    }

    /// The import is over: from now on its answer is all that a delivery gets. [`StoreError::Precondition`] where another
    /// delivery has taken it over.
    pub async fn close(&mut self, store: &Store, answer: &Answer) -> Result<(), StoreError> {
        self.begun.answer = Some(answer.clone());
        self.etag = store.write(&self.at, to_json(&self.begun), Some(&self.etag)).await?;
        Ok(())
    }

    /// Clears away the copy of the object, if there is one: nothing is read any more.
    pub async fn clear(&self, store: &Store) -> Result<(), StoreError> {
        if self.begun.read_from == self.begun.source { Ok(()) } else { store.delete(&self.begun.read_from).await }
    }
}

/// Whether a delivery still has its import.
#[derive(Clone, Debug)]
pub struct Hold {
    store: Store,
    at: Location,
    delivery: u64,
}

/// Who has an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The delivery that asks.
    Us,
    /// A newer one.
    Another,
    /// Nobody: it is over.
    Nobody,
}

impl Hold {
    /// Asks who has the import now.
    pub async fn holder(&self) -> Result<Holder, StoreError> {
        Ok(match State::read(&self.store, &self.at).await? {
            Some(State { begun: Begun { answer: None, delivery, .. }, .. }) if delivery == self.delivery => Holder::Us,
            Some(State { begun: Begun { answer: None, .. }, .. }) => Holder::Another,
            _ => Holder::Nobody,
        })
    }
}

/// Whether there is a record that may not be read: then another cannot be created.
async fn is_there(store: &Store, at: &Location) -> bool {
    match store.create(at, bytes::Bytes::new()).await {
        Ok(_) => store.delete(at).await.is_err(),
        Err(error) => error.is_precondition(),
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
) -> Result<Option<Identity>, StoreError> {
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
