//! The record of users that were seen right, one object for each instance and kind of file. An import need not read them
//! again for a while, unless something was written to them since.
//!
//! Before an import writes to users it takes them out, and after it has seen them right it puts them in. Who changes the record
//! meanwhile is noticed (`If-Match`): then it is read and changed again. Whom a delivery saw that was killed is not put in, and so is
//! read again.

mod record;

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use record::SeenRecord;
pub(crate) use record::{Fingerprint, SeenUser, Writer};

use crate::store::{Location, Store, StoreError};

/// How often the record may be changed by others while one import changes it.
const MAX_RACES: u32 = 20;

/// The record as one delivery of an import sees it, and the users that it has seen right.
#[derive(Debug)]
pub(crate) struct SeenUsers {
    store: Store,
    at: Location,
    writer: Writer,
    right: RefCell<Vec<(Box<str>, SeenUser)>>,
    /// The `ETag` of what was read; nothing if there was none, or if none was read.
    read: RefCell<Option<String>>,
    /// Whether another import may have been writing then.
    has_other_writers: Cell<bool>,
    /// Whether no other import may have written between the look at the record and the time when users were taken out: nobody was
    /// writing then, and the record is the same.
    is_undisturbed: Cell<bool>,
    /// Whether the record is to be written when the delivery ends.
    is_open: Cell<bool>,
}

/// What lies where the record should be.
enum FoundRecord {
    Nothing,
    /// It is not whole, or of another version of this function: nothing is known, and nobody must believe it later.
    Unreadable(String),
    Whole(SeenRecord, String),
}

impl SeenUsers {
    /// The record of an instance and a kind, below the folder of the state.
    pub(crate) fn new(store: &Store, state: &Location, kind: &str, instance_id: &str, writer: Writer) -> Self {
        Self {
            store: store.clone(),
            at: Location::new(&state.bucket, format!("{}seen/{kind}-{instance_id}.txt", state.key)),
            writer,
            right: RefCell::default(),
            read: RefCell::default(),
            has_other_writers: Cell::default(),
            is_undisturbed: Cell::default(),
            is_open: Cell::default(),
        }
    }

    /// What is known; nothing where that cannot be read whole.
    pub(crate) async fn read(&self, now: u32) -> Result<SeenRecord, StoreError> {
        let (record, etag) = match self.find().await? {
            FoundRecord::Whole(record, etag) => (record, Some(etag)),
            FoundRecord::Unreadable(etag) => (SeenRecord::default(), Some(etag)),
            FoundRecord::Nothing => (SeenRecord::default(), None),
        };
        self.read.replace(etag);
        self.has_other_writers.set(record.has_other_writers(&self.writer, now));
        self.is_open.set(record.is_stale(now));
        Ok(record)
    }

    /// Takes users out before they are written to, which may be until that time.
    pub(crate) async fn take_out(&self, users: &[&str], now: u32, until: u32) -> Result<(), StoreError> {
        let take_out = |record: &mut SeenRecord| record.take_out(users.iter().copied(), &self.writer, now, until);
        let before = self.change(now, take_out).await?;
        self.is_undisturbed.set(before == *self.read.borrow() && !self.has_other_writers.get());
        self.is_open.set(true);
        Ok(())
    }

    /// Whether no other import may have written between the look at the record and the time when users were taken out.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.is_undisturbed.get()
    }

    /// A user was seen right.
    pub(crate) fn saw(&self, user: &str, seen: SeenUser) {
        self.right.borrow_mut().push((user.into(), seen));
    }

    /// Puts in the users that were seen right: the delivery writes to nobody any more.
    pub(crate) async fn put_in(&self, now: u32) -> Result<(), StoreError> {
        if !self.is_open.get() {
            return Ok(());
        }
        let right = self.right.borrow().clone();
        let put_in =
            |record: &mut SeenRecord| record.put_in(right.iter().map(|(id, seen)| (&**id, *seen)), &self.writer);
        self.change(now, put_in).await?;
        self.is_open.set(false);
        Ok(())
    }

    /// Changes the record, and returns the `ETag` of the one before.
    async fn change(&self, now: u32, change: impl Fn(&mut SeenRecord)) -> Result<Option<String>, StoreError> {
        for _ in 0..MAX_RACES {
            let (mut record, etag) = match self.find().await? {
                FoundRecord::Nothing => (SeenRecord::default(), None),
                FoundRecord::Unreadable(etag) => (SeenRecord::default(), Some(etag)),
                FoundRecord::Whole(record, etag) => (record, Some(etag)),
            };
            change(&mut record);
            record.written_at = now;
            let bytes = Bytes::from(record.to_bytes());
            let written = match &etag {
                Some(etag) => self.store.write(&self.at, bytes, Some(etag)).await,
                None => self.store.create(&self.at, bytes).await,
            };
            match written {
                Ok(_) => return Ok(etag),
                // Somebody else was faster, or deleted it.
                Err(error) if error.is_precondition() || error.is_gone() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Precondition(format!("PutObject {}, {MAX_RACES} times", self.at)))
    }

    async fn find(&self) -> Result<FoundRecord, StoreError> {
        let Some((bytes, etag)) = self.store.get(&self.at).await? else { return Ok(FoundRecord::Nothing) };
        Ok(match SeenRecord::parse(&bytes) {
            Some(record) => FoundRecord::Whole(record, etag),
            None => FoundRecord::Unreadable(etag),
        })
    }
}
