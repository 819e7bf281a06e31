//! Which delivery has an import. Whoever takes it writes its number into the record; whoever finds another number there, or
//! an answer, is fenced and stops.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::record::{Answer, ImportRecord, to_json};
use super::segment::Segments;
use crate::store::{Location, Store, StoreError};

/// The import is this delivery's, or it is over.
#[derive(Debug)]
pub(crate) enum Acquired {
    /// It is to be done, or to be gone on with.
    Lease(Box<Lease>),
    /// It is over.
    Finished(Box<FinishedImport>),
}

/// Another delivery has the import, or it is over: this one must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another delivery has taken the import over")]
pub(crate) struct Fenced;

/// Why a lease cannot be confirmed or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// It is lost.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// S3 did not answer as it should.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What lies at an import's key.
#[derive(Debug)]
pub(crate) enum Found {
    /// Its record.
    Record(Box<ImportRecord>, Version),
    /// A request that joined another import: the key of that one.
    Joined(String),
}

/// A state of the record, to be replaced.
#[derive(Clone, Debug)]
pub(crate) struct Version(String);

/// What a request leaves that joined another import.
#[derive(Debug, Serialize, Deserialize)]
struct Joined {
    joined: String,
}

/// A delivery's hold on an import.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Store,
    at: Location,
    etag: RefCell<String>,
    record: ImportRecord,
    /// The error that ended the delivery before this one, if one did.
    previous_error: Option<String>,
}

impl Lease {
    /// Where the record of an import lies; `folder` is that of its state.
    pub(crate) fn location(folder: &Location) -> Location {
        Location::new(&folder.bucket, format!("{}import.json", folder.key))
    }

    /// Looks for an import.
    pub(crate) async fn find(store: &Store, folder: &Location) -> Result<Option<Found>, StoreError> {
        let at = Self::location(folder);
        let Some((bytes, etag)) = store.get(&at).await? else { return Ok(None) };
        if let Ok(Joined { joined }) = serde_json::from_slice(&bytes) {
            return Ok(Some(Found::Joined(joined)));
        }
        let record = serde_json::from_slice(&bytes).map_err(|error| StoreError::Other {
            what: at.to_string(),
            status: None,
            code: "NotTheRecordOfAnImport".to_owned(),
            message: error.to_string(),
        })?;
        Ok(Some(Found::Record(Box::new(record), Version(etag))))
    }

    /// Begins an import; nothing if another delivery was first.
    pub(crate) async fn create(
        store: &Store,
        folder: &Location,
        record: ImportRecord,
    ) -> Result<Option<Self>, StoreError> {
        let at = Self::location(folder);
        match store.create(&at, to_json(&record)).await {
            Ok(etag) => {
                Ok(Some(Self { store: store.clone(), at, etag: RefCell::new(etag), record, previous_error: None }))
            }
            Err(error) if error.is_precondition() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes that a request joined another import; false if something was there already.
    pub(crate) async fn join(store: &Store, folder: &Location, key: &str) -> Result<bool, StoreError> {
        let joined = Joined { joined: key.to_owned() };
        match store.create(&Self::location(folder), to_json(&joined)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_precondition() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes an import over; nothing if another delivery was faster. `has_progressed` says whether the delivery before left
    /// something in the journal: else it counts as a crash, until it is seen to have ended in order.
    pub(crate) async fn take_over(
        store: &Store,
        folder: &Location,
        (mut record, version): (ImportRecord, Version),
        owner: u64,
        has_progressed: bool,
    ) -> Result<Option<Acquired>, StoreError> {
        let at = Self::location(folder);
        if record.answer.is_some() {
            let finished = FinishedImport { store: store.clone(), at, etag: version.0, record };
            return Ok(Some(Acquired::Finished(Box::new(finished))));
        }
        record.owner = owner;
        record.deliveries += 1;
        record.crashes = if has_progressed { 1 } else { record.crashes + 1 };
        let previous_error = record.last_error.take();
        match store.write(&at, to_json(&record), Some(&version.0)).await {
            Ok(etag) => {
                let lease = Self { store: store.clone(), at, etag: RefCell::new(etag), record, previous_error };
                Ok(Some(Acquired::Lease(Box::new(lease))))
            }
            Err(error) if error.is_precondition() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What decides the import.
    pub(crate) fn record(&self) -> &ImportRecord {
        &self.record
    }

    /// Crashes before this delivery, in a row.
    pub(crate) fn crashes_before(&self) -> u32 {
        self.record.crashes.saturating_sub(1)
    }

    /// The error that ended the delivery before this one, if one did.
    pub(crate) fn previous_error(&self) -> Option<&str> {
        self.previous_error.as_deref()
    }

    /// The folder of the import's state.
    pub(crate) fn folder(&self) -> Location {
        folder_of(&self.at)
    }

    /// Confirms that this delivery still has the import.
    pub(crate) async fn check(&self) -> Result<(), LeaseError> {
        match Self::find(&self.store, &self.folder()).await? {
            Some(Found::Record(record, _)) if record.answer.is_none() && record.owner == self.record.owner => Ok(()),
            _ => Err(Fenced.into()),
        }
    }

    /// The delivery ends in order, and another one goes on: it was no crash.
    pub(crate) async fn release(&self) -> Result<(), LeaseError> {
        self.write(ImportRecord { crashes: 0, last_error: None, ..self.record.clone() }).await
    }

    /// An error ended the delivery. It stays a crash, unless it made progress.
    pub(crate) async fn note_error(&self, error: String) -> Result<(), LeaseError> {
        self.write(ImportRecord { last_error: Some(error), ..self.record.clone() }).await
    }

    /// The import is over: from now on its answer is all that a delivery gets. `untold` is its last summary, as long as its
    /// end is still to be told; `keeps_journal` says that the journal knows what no report tells.
    pub(crate) async fn finish(
        &self,
        answer: Answer,
        untold: Option<Box<RawValue>>,
        keeps_journal: bool,
    ) -> Result<FinishedImport, LeaseError> {
        let record = ImportRecord { answer: Some(answer), untold, keeps_journal, ..self.record.clone() };
        self.write(record.clone()).await?;
        let (store, at, etag) = (self.store.clone(), self.at.clone(), self.etag.borrow().clone());
        Ok(FinishedImport { store, at, etag, record })
    }

    async fn write(&self, record: ImportRecord) -> Result<(), LeaseError> {
        let etag = self.etag.borrow().clone();
        match self.store.write(&self.at, to_json(&record), Some(&etag)).await {
            Ok(etag) => {
                self.etag.replace(etag);
                Ok(())
            }
            Err(error) if error.is_precondition() => Err(Fenced.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An import that is over: nobody has it any more.
#[derive(Debug)]
pub(crate) struct FinishedImport {
    store: Store,
    at: Location,
    etag: String,
    record: ImportRecord,
}

impl FinishedImport {
    /// Its record, with the answer.
    pub(crate) fn record(&self) -> &ImportRecord {
        &self.record
    }

    /// Notes that its end is told.
    pub(crate) async fn note_told(&self) -> Result<(), StoreError> {
        let record = ImportRecord { untold: None, ..self.record.clone() };
        self.store.write(&self.at, to_json(&record), Some(&self.etag)).await.map(drop)
    }

    /// Deletes what only the import needed: the copy of the object, if there is one, and the journal, unless it knows what no
    /// report tells.
    pub(crate) async fn clean_up(&self) -> Result<(), StoreError> {
        let ImportRecord { source, read_from, keeps_journal, .. } = &self.record;
        if read_from != source {
            self.store.delete(read_from).await?;
        }
        if *keeps_journal {
            return Ok(());
        }
        Segments::new(&self.store, &folder_of(&self.at)).delete_all().await
    }
}

/// The folder of the state of the import whose record lies there.
fn folder_of(record: &Location) -> Location {
    let folder = record.key.rsplit_once('/').map_or("", |(folder, _)| folder);
    Location::new(&record.bucket, format!("{folder}/"))
}
