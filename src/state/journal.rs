//! What an import is about to do and what it did, in numbered parts beside its record: a write-ahead log.
//!
//! A user's writes start only once what it held before is in a stored part; what became of its rows follows when it is
//! done. So after a crash the next delivery reads again only the users that were under way, and knows what they had before.
//! Each part is created and none is overwritten: a delivery that finds its next number taken knows that a newer one has
//! taken over, and stops. The numbers are free again once the import is over; so a part counts only if its delivery is seen
//! to have the import still ([`Hold`]).
//!
//! Records go together: a part is put as soon as there are records and none is being put, at most four a second.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::connect::{Calls, Operation};
use crate::kind::Preview;
use crate::outcome::{Counts, StoredOutcome};
use crate::state::{Hold, Holder};
use crate::store::{Location, Store, StoreError};

/// At most four parts a second.
const BETWEEN_PARTS: Duration = Duration::from_millis(250);
/// More parts than this are merged when a delivery begins, so that a long import does not read them all each time.
const MERGED_FROM: usize = 50;
/// Parts that are read or deleted at once.
const AT_ONCE: usize = 16;

/// Calls by the operation's name.
pub type CallsByName = BTreeMap<String, Calls>;

/// One line of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    /// A delivery begins. The nonce makes this part unlike any other delivery's.
    Begun { nonce: u64 },
    /// What the parts before this one said of the import as a whole.
    Merged { deliveries: u32, deaths: u32, calls: CallsByName },
    /// What replacing a user's set would do.
    Surveyed { user: String, survey: Preview },
    /// The guard against a mass removal was passed.
    GuardPassed,
    /// A user's first write is about to be made.
    Plan(Planned),
    /// What became of a user.
    Done(Done),
    /// What this delivery has called so far.
    Called { calls: CallsByName },
    /// The delivery ends in order.
    Ended,
}

/// A user whose writes may have started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Its id.
    pub user: String,
    /// Its rows, by their place in the file: so the names that the file has for the user keep meaning this one.
    pub places: Vec<u32>,
    /// Whether these are all that the file says of it.
    pub is_whole: bool,
    /// What it held before this import's first write for it, in its kind's form.
    pub held: Value,
}

/// A user that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Its id.
    pub user: String,
    /// What became of its rows, by their place in the file.
    pub rows: Vec<(u32, StoredOutcome)>,
    /// What came of it besides, in its kind's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Value>,
}

/// What the journal says when a delivery begins.
#[derive(Debug, Default)]
pub struct Replay {
    /// Users whose writes may have started and who are not done, by id.
    pub under_way: BTreeMap<String, Planned>,
    /// What became of users. One may be there twice: rows that could not be tried the first time may be later.
    pub done: Vec<Done>,
    /// What replacing users' sets would do, by id.
    pub surveyed: BTreeMap<String, Preview>,
    /// Whether the guard against a mass removal was passed.
    pub is_guard_passed: bool,
    /// What earlier deliveries called.
    pub calls: CallsByName,
    /// Deliveries so far, this one among them.
    pub deliveries: u32,
    /// How many of those before this one died, one after another.
    pub deaths: u32,
    called_last: CallsByName,
}

impl Replay {
    fn take(&mut self, record: Record) {
        match record {
            Record::Begun { .. } => {
                self.deliveries += 1;
                self.deaths += 1;
                self.settle_calls();
            }
            Record::Merged { deliveries, deaths, calls } => {
                (self.deliveries, self.deaths, self.calls) = (deliveries, deaths, calls);
            }
            Record::Surveyed { user, survey } => _ = self.surveyed.insert(user, survey),
            Record::GuardPassed => self.is_guard_passed = true,
            // The first is the truth: a later one saw what this import had done.
            Record::Plan(planned) => _ = self.under_way.entry(planned.user.clone()).or_insert(planned),
            Record::Done(done) => {
                self.under_way.remove(&done.user);
                self.done.push(done);
            }
            Record::Called { calls } => self.called_last = calls,
            Record::Ended => self.deaths = 0,
        }
    }

    fn settle_calls(&mut self) {
        for (operation, calls) in std::mem::take(&mut self.called_last) {
            self.calls.entry(operation).or_default().add(&calls);
        }
    }

    /// The same in as few records as will do.
    fn merged(&self) -> Vec<Record> {
        let whole = Record::Merged { deliveries: self.deliveries, deaths: self.deaths, calls: self.calls.clone() };
        let surveyed = self.surveyed.iter();
        let surveyed = surveyed.map(|(user, survey)| Record::Surveyed { user: user.clone(), survey: *survey });
        let guard = self.is_guard_passed.then_some(Record::GuardPassed);
        let under_way = self.under_way.values().cloned().map(Record::Plan);
        let done = self.done.iter().cloned().map(Record::Done);
        std::iter::once(whole).chain(surveyed).chain(guard).chain(done).chain(under_way).collect()
    }

    /// How many users are done.
    pub fn n_users_done(&self) -> usize {
        self.done.iter().map(|done| &done.user).collect::<BTreeSet<_>>().len()
    }

    /// Rows that are done, by status.
    pub fn counts(&self) -> Counts {
        let last: BTreeMap<u32, &StoredOutcome> = self.rows_done().collect();
        let mut counts = Counts::default();
        for told in last.values() {
            counts.add(told.status());
        }
        counts
    }

    /// Rows that are done, by their place in the file; of a row that was done twice, the last word comes last.
    pub fn rows_done(&self) -> impl Iterator<Item = (u32, &StoredOutcome)> {
        self.done.iter().flat_map(|done| &done.rows).map(|(place, told)| (*place, told))
    }

    /// Whom rows of the file meant when their users were begun with: a name may mean somebody else by now, or nobody.
    pub fn recorded_users(&self) -> impl Iterator<Item = (u32, &str)> {
        let under_way = self.under_way.values().flat_map(|plan| plan.places.iter().map(|&place| (place, &*plan.user)));
        let done = self.done.iter().flat_map(|done| done.rows.iter().map(|(place, _)| (*place, &*done.user)));
        under_way.chain(done)
    }

    /// Rows of users whose writes may have started.
    pub fn places_under_way(&self) -> BTreeSet<u32> {
        self.under_way.values().flat_map(|plan| plan.places.iter().copied()).collect()
    }

    /// Whether some earlier delivery came as far as to begin with users.
    pub fn has_begun_users(&self) -> bool {
        !(self.under_way.is_empty() && self.done.is_empty())
    }
}

/// The journal of one delivery.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    /// Whether this delivery still has the import.
    hold: Hold,
    /// The folder of the parts.
    folder: Location,
    /// An object that asks for the import to be stopped.
    cancel: Location,
    next: Cell<u32>,
    waiting: RefCell<Vec<Record>>,
    calls: RefCell<CallsByName>,
    /// A part on its way. It stays here until S3 has said that it is stored, for the request may be dropped half-way.
    on_its_way: RefCell<Option<(Bytes, u64)>>,
    n_added: Cell<u64>,
    n_stored: watch::Sender<u64>,
    added: Notify,
    is_cancelled: Cell<bool>,
}

impl Journal {
    /// Takes the import over: reads what is there, and begins a part of its own. Whoever had the import before finds its
    /// next number taken.
    pub async fn take_over(
        store: &Store,
        hold: Hold,
        state: &Location,
        report: &Location,
        nonce: u64,
    ) -> Result<(Self, Replay), StoreError> {
        let folder = Location::new(&state.bucket, format!("{}journal/", state.key));
        let begun = Record::Begun { nonce };
        let (mut replay, last, parts) = loop {
            let Some((replay, last, parts)) = read(store, &folder).await? else { continue };
            match store.create(&part(&folder, last + 1), lines(std::slice::from_ref(&begun))).await {
                Ok(_) => break (replay, last, parts),
                Err(error) if error.is_precondition() => {}
                Err(error) => return Err(error),
            }
        };
        replay.settle_calls();
        let journal = Self {
            store: store.clone(),
            hold,
            folder,
            cancel: Location::new(&report.bucket, format!("{}cancel", report.key)),
            next: Cell::new(last + 2),
            waiting: RefCell::default(),
            calls: RefCell::default(),
            on_its_way: RefCell::default(),
            n_added: Cell::default(),
            n_stored: watch::Sender::default(),
            added: Notify::new(),
            is_cancelled: Cell::default(),
        };
        let merged = async {
            if parts.len() > MERGED_FROM {
                merge(store, &journal.folder, &replay, last, parts).await?;
            }
            journal.is_cancelled.set(store.head(&journal.cancel).await?.is_some());
            Ok(())
        };
        if let Err(error) = merged.await {
            journal.end_after(&error).await;
            return Err(error);
        }
        let deaths = replay.deaths;
        replay.take(begun);
        replay.deaths = deaths;
        Ok((journal, replay))
    }

    /// Keeps what a user held before the import's first write for it, and waits until it is stored.
    pub async fn plan(&self, plan: Planned) {
        self.store_now(Record::Plan(plan)).await;
    }

    /// Keeps what became of a user, and what was called so far.
    pub fn done(&self, done: Done, calls: impl Iterator<Item = (Operation, Calls)>) {
        self.called(calls);
        self.add(Record::Done(done));
    }

    /// Keeps what replacing a user's set would do, and what was called so far.
    pub fn surveyed(&self, user: &str, survey: Preview, calls: impl Iterator<Item = (Operation, Calls)>) {
        self.called(calls);
        self.add(Record::Surveyed { user: user.to_owned(), survey });
    }

    /// Keeps that the guard against a mass removal was passed, and waits until it is stored.
    pub async fn guard_passed(&self) {
        self.store_now(Record::GuardPassed).await;
    }

    /// Waits until all that was done is stored, and this delivery is seen to have the import still: what is reported from
    /// here on, any later delivery would report the same.
    pub async fn settle(&self, calls: impl Iterator<Item = (Operation, Calls)>) {
        self.called(calls);
        let calls = self.calls.borrow().clone();
        self.store_now(Record::Called { calls }).await;
    }

    fn called(&self, calls: impl Iterator<Item = (Operation, Calls)>) {
        self.calls.replace(calls.map(|(operation, calls)| (operation.name().to_owned(), calls)).collect());
    }

    async fn store_now(&self, record: Record) {
        let n = self.add(record);
        let mut stored = self.n_stored.subscribe();
        // The sender is here, so this waits; and where parts cannot be put, the whole delivery ends.
        let _ = stored.wait_for(|stored| *stored >= n).await;
    }

    fn add(&self, record: Record) -> u64 {
        self.waiting.borrow_mut().push(record);
        self.n_added.set(self.n_added.get() + 1);
        self.added.notify_one();
        self.n_added.get()
    }

    /// Puts parts for as long as the delivery runs. Ends with [`StoreError::Precondition`] when a newer one has taken over.
    pub async fn keep(&self) -> Result<Infallible, StoreError> {
        loop {
            while self.waiting.borrow().is_empty() {
                self.added.notified().await;
            }
            let next = Instant::now() + BETWEEN_PARTS;
            self.put().await?;
            match self.store.head(&self.cancel).await {
                Ok(found) => self.is_cancelled.set(self.is_cancelled.get() || found.is_some()),
                Err(error) => warn!("whether the import is to be stopped cannot be seen: {error}"),
            }
            sleep_until(next).await;
        }
    }

    /// Whether somebody asked for the import to be stopped.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Ends the delivery in order: what is not stored yet is, and that it did not die.
    pub async fn close(&self, calls: impl Iterator<Item = (Operation, Calls)>) -> Result<(), StoreError> {
        self.called(calls);
        self.end().await
    }

    /// Ends the delivery in order, although it could not go on.
    pub async fn end_after(&self, why: &dyn std::fmt::Display) {
        if let Err(also) = self.end().await {
            warn!("the delivery ends without order, for {why:#}: {also}");
        }
    }

    async fn end(&self) -> Result<(), StoreError> {
        if self.on_its_way.borrow().is_some() {
            self.put().await?;
        }
        self.add(Record::Ended);
        self.put().await
    }

    /// Clears the journal away: the import is over.
    pub async fn clear(&self) -> Result<(), StoreError> {
        let keys = self.store.keys(&self.folder.bucket, &self.folder.key).await?;
        delete(&self.store, &self.folder, keys).await
    }

    /// Puts one part. It counts as stored once this delivery is seen to have the import still: where a newer one has ended
    /// it and cleared the parts away, the number was free again.
    async fn put(&self) -> Result<(), StoreError> {
        let on_its_way = self.on_its_way.borrow().clone();
        let (bytes, n) = on_its_way.unwrap_or_else(|| {
            let mut records = self.waiting.take();
            records.push(Record::Called { calls: self.calls.borrow().clone() });
            let part = (lines(&records), self.n_added.get());
            self.on_its_way.replace(Some(part.clone()));
            part
        });
        let at = part(&self.folder, self.next.get());
        self.store.create(&at, bytes).await?;
        match self.hold.holder().await? {
            Holder::Us => {}
            Holder::Another => return Err(StoreError::Precondition(at.to_string())),
            Holder::Nobody => {
                self.store.delete(&at).await?;
                return Err(StoreError::Precondition(at.to_string()));
            }
        }
        self.on_its_way.take();
        self.next.set(self.next.get() + 1);
        self.n_stored.send_replace(n);
        Ok(())
    }
}

fn part(folder: &Location, number: u32) -> Location {
    Location::new(&folder.bucket, format!("{}{number:08}", folder.key))
}

fn merged_part(folder: &Location, number: u32) -> Location {
    Location::new(&folder.bucket, format!("{}{number:08}-merged", folder.key))
}

fn lines(records: &[Record]) -> Bytes {
    let line = |record: &Record| serde_json::to_string(record).expect("a record has no map keys that are not texts");
    (records.iter().map(line).collect::<Vec<_>>().join("\n") + "\n").into()
}

/// A part that was read: its number, and whether a delivery began with it.
type Read = (u32, bool);

/// Reads the newest merged part and all parts after it. Nothing where a part vanished meanwhile: then somebody else is
/// merging them.
async fn read(store: &Store, folder: &Location) -> Result<Option<(Replay, u32, Vec<Read>)>, StoreError> {
    let keys = store.keys(&folder.bucket, &folder.key).await?;
    let number = |name: &str| name.parse::<u32>().ok();
    let names = || keys.iter().filter_map(|key| key.strip_prefix(&folder.key));
    let merged = names().filter_map(|name| number(name.strip_suffix("-merged")?)).max();
    let mut parts: Vec<u32> = names().filter_map(number).collect();
    parts.sort_unstable();
    let last = parts.last().copied().max(merged).unwrap_or(0);
    parts.retain(|&part| merged.is_none_or(|merged| part > merged));

    let mut replay = Replay::default();
    let at = merged.map(|number| merged_part(folder, number)).into_iter();
    let at: Vec<Location> = at.chain(parts.iter().map(|&number| part(folder, number))).collect();
    let mut bytes = stream::iter(&at).map(|at| store.get(at)).buffered(AT_ONCE);
    let mut numbers = merged.is_some().then_some(None).into_iter().chain(parts.into_iter().map(Some));
    let mut read = Vec::new();
    while let Some(found) = bytes.next().await {
        let Some((bytes, _)) = found? else { return Ok(None) };
        let mut begins = false;
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Record = serde_json::from_slice(line).map_err(|error| StoreError::Other {
                what: format!("journal {folder}"),
                code: "NotAJournal".to_owned(),
                message: error.to_string(),
            })?;
            begins |= matches!(record, Record::Begun { .. });
            replay.take(record);
        }
        read.extend(numbers.next().flatten().map(|number| (number, begins)));
    }
    Ok(Some((replay, last, read)))
}

/// Stores what the parts up to `last` say in one, and deletes them; but not those with which a delivery began: their
/// numbers tell an older delivery that it was taken over.
async fn merge(
    store: &Store,
    folder: &Location,
    replay: &Replay,
    last: u32,
    parts: Vec<Read>,
) -> Result<(), StoreError> {
    store.write(&merged_part(folder, last), lines(&replay.merged()), None).await?;
    let superfluous = parts.into_iter().filter(|(_, begins)| !begins).map(|(number, _)| part(folder, number).key);
    delete(store, folder, superfluous.collect()).await
}

async fn delete(store: &Store, folder: &Location, keys: Vec<String>) -> Result<(), StoreError> {
    let at = keys.into_iter().map(|key| Location::new(&folder.bucket, key));
    let deleted = stream::iter(at).map(|at| async move { store.delete(&at).await });
    deleted.buffer_unordered(AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(records: impl IntoIterator<Item = Record>) -> Replay {
        let mut replay = Replay::default();
        records.into_iter().for_each(|record| replay.take(record));
        replay
    }

    #[test]
    fn what_is_merged_says_the_same() {
        let plan = |user: &str, place| Planned {
            user: user.to_owned(),
            places: vec![place],
            is_whole: true,
            held: serde_json::json!([["A", "v", 3.0]]),
        };
        let done = |user: &str, rows| Record::Done(Done { user: user.to_owned(), rows, aside: None });
        let told: StoredOutcome = serde_json::from_str(r#"{"status":"added"}"#).unwrap();
        let survey = Preview { held: 3, implied: 1, is_right: false, is_whole: true };
        let records = [
            Record::Begun { nonce: 1 },
            Record::Surveyed { user: "done".to_owned(), survey },
            Record::GuardPassed,
            Record::Plan(plan("done", 0)),
            Record::Plan(plan("done and begun again", 1)),
            done("done", vec![(0, told.clone())]),
            done("done and begun again", vec![(1, told)]),
            Record::Begun { nonce: 2 },
            Record::Plan(plan("done and begun again", 2)),
            Record::Plan(plan("under way", 3)),
        ];
        let whole = replayed(records);
        let merged = replayed(whole.merged());
        assert_eq!(whole.under_way.keys().collect::<Vec<_>>(), ["done and begun again", "under way"]);
        assert_eq!((merged.under_way, merged.done), (whole.under_way, whole.done));
        assert_eq!((merged.surveyed, merged.is_guard_passed), (whole.surveyed, true));
        assert_eq!((merged.deliveries, merged.deaths), (2, 2));
    }
}
