//! The record of users that were seen right, one object for each instance and kind of file. An import need not read them
//! again for a while, unless something was written to them since.
//!
//! Before an import writes to users it takes them out, and after it has seen them right it puts them in. Who changes the record
//! meanwhile is noticed (`If-Match`): then it is read and changed again.

mod record;

use bytes::Bytes;

use record::SeenRecord;
pub(crate) use record::{Fingerprint, SeenUser};

use crate::store::{Location, Store, StoreError};

/// How often the record may be changed by others while one import changes it.
const MAX_RACES: u32 = 20;

/// The record, as one import sees it.
#[derive(Debug)]
pub(crate) struct SeenUsers<'s> {
    store: &'s Store,
    at: Location,
    /// Unlike that of any other import.
    import: &'s str,
}

/// What lies where the record should be.
enum Found {
    Nothing,
    /// It is not whole, or of another version of this function: nothing is known, and nobody must believe it later.
    Unreadable(String),
    Record(SeenRecord, String),
}

impl<'s> SeenUsers<'s> {
    /// The record of an instance and a kind, below the folder of the state.
    pub(crate) fn new(store: &'s Store, state: &Location, kind: &str, instance_id: &str, import: &'s str) -> Self {
        let at = Location::new(&state.bucket, format!("{}seen/{kind}-{instance_id}.txt", state.key));
        Self { store, at, import }
    }

    /// What is known; nothing where that cannot be read whole.
    pub(crate) async fn read(&self) -> Result<SeenRecord, StoreError> {
        Ok(match self.find().await? {
            Found::Record(record, _) => record,
            Found::Nothing | Found::Unreadable(_) => SeenRecord::default(),
        })
    }

    /// Takes users out before they are written to. `begins` says whether there is to be a record where there is none.
    pub(crate) async fn take_out(&self, users: &[&str], now: u32, begins: bool) -> Result<(), StoreError> {
        let take_out = |record: &mut SeenRecord| record.take_out(users.iter().copied(), self.import, now);
        self.change(now, begins, take_out).await
    }

    /// Puts in the users that were seen right, and notes that this delivery writes to none any more.
    pub(crate) async fn put_in(&self, right: &[(Box<str>, SeenUser)], now: u32) -> Result<(), StoreError> {
        let put_in =
            |record: &mut SeenRecord| record.put_in(right.iter().map(|(id, seen)| (&**id, *seen)), self.import);
        self.change(now, false, put_in).await
    }

    async fn change(&self, now: u32, begins: bool, change: impl Fn(&mut SeenRecord)) -> Result<(), StoreError> {
        for _ in 0..MAX_RACES {
            let (mut record, etag) = match self.find().await? {
                Found::Nothing if !begins => return Ok(()),
                Found::Nothing => (SeenRecord::default(), None),
                Found::Unreadable(etag) => (SeenRecord::default(), Some(etag)),
                Found::Record(record, etag) => (record, Some(etag)),
            };
            change(&mut record);
            record.written_at = now;
            let bytes = Bytes::from(record.to_bytes());
            let written = match etag {
                Some(etag) => self.store.write(&self.at, bytes, Some(&etag)).await,
                None => self.store.create(&self.at, bytes).await,
            };
            match written {
                // Somebody else was faster, or deleted it.
                Err(error) if error.is_precondition() || error.is_gone() => {}
                written => return written.map(drop),
            }
        }
        Err(StoreError::Precondition(format!("PutObject {}, {MAX_RACES} times", self.at)))
    }

    async fn find(&self) -> Result<Found, StoreError> {
        let Some((bytes, etag)) = self.store.get(&self.at).await? else { return Ok(Found::Nothing) };
        Ok(match SeenRecord::parse(&bytes) {
            Some(record) => Found::Record(record, etag),
            None => Found::Unreadable(etag),
        })
    }
}
