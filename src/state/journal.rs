//! The write-ahead log of an import.
//!
//! A user's writes start only once what it had before is in a stored segment, and this delivery is seen to have the import
//! still; what became of its rows follows within seconds. So after a crash the next delivery reads again only the users that
//! were under way, and knows what they had before.
//!
//! Entries go together (group commit): an intent is stored at once, with all that waits; outcomes wait for the next intent,
//! or some seconds.
//!
//! Dropping a future of [`Journal::flush`] half-way loses nothing: the segment stays in flight, under its number, until S3
//! has said that it is stored, and the next flush sends the same bytes again.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::entry::{CallsByName, Completed, Entry, Intent, LanesByName, Started};
use super::lease::{Fenced, LeaseError};
use super::replay::Replay;
use super::segment::Segments;
use crate::connect::{Timeline, UserId};
use crate::outcome::Preview;
use crate::store::{Location, Store, StoreError};

/// At most four segments a second; towards the end, when each user is waited for, at most twenty.
const MIN_INTERVAL: Duration = Duration::from_millis(250);
const MIN_INTERVAL_AT_THE_END: Duration = Duration::from_millis(50);
/// An outcome is stored within this time.
const MAX_INTERVAL: Duration = Duration::from_secs(4);

/// The journal of one delivery.
#[derive(Debug)]
pub(crate) struct Journal {
    segments: Segments,
    delivery: u32,
    next: Cell<u32>,
    waiting: RefCell<Vec<u8>>,
    /// When the first entry that waits was appended.
    waiting_since: Cell<Option<Instant>>,
    called: RefCell<Option<Entry>>,
    in_flight: RefCell<Option<(Bytes, u64)>>,
    n_appended: Cell<u64>,
    n_durable: watch::Sender<u64>,
    appended: Notify,
    is_urgent: Cell<bool>,
    is_ending: Cell<bool>,
    ending: Notify,
}

impl Journal {
    /// Whether a delivery left something in the journal of this import.
    pub(crate) async fn has_progressed(store: &Store, state: &Location, delivery: u32) -> Result<bool, StoreError> {
        Ok(Segments::new(store, state).list().await?.has_segment_of(delivery))
    }

    /// The journal of this delivery of an import.
    pub(crate) fn new(store: &Store, state: &Location, delivery: u32) -> Self {
        Self {
            segments: Segments::new(store, state),
            delivery,
            next: Cell::new(1),
            waiting: RefCell::default(),
            waiting_since: Cell::default(),
            called: RefCell::default(),
            in_flight: RefCell::default(),
            n_appended: Cell::default(),
            n_durable: watch::Sender::default(),
            appended: Notify::new(),
            is_urgent: Cell::default(),
            is_ending: Cell::default(),
            ending: Notify::new(),
        }
    }

    /// What the file is, if an earlier delivery compared it with the instance.
    pub(crate) async fn find_started(&self) -> Result<Option<Started>, StoreError> {
        loop {
            let (listing, mut started) = (self.segments.list().await?, None);
            let read = self.segments.read(&listing, async |_, entry, _| {
                if let Entry::Started(found) = entry {
                    started = Some(found);
                }
                Ok(())
            });
            if read.await? {
                return Ok(started);
            }
        }
    }

    /// Reads what earlier deliveries wrote, and hands on each user that is done. A checkpoint takes its place: the lines are
    /// copied as they are. So what this delivery relies on is its own, and what an older one still writes, or takes back, is
    /// passed over from now on.
    ///
    /// A user may be handed on twice, also one that was before; what is said last holds.
    pub(crate) async fn replay(
        &self,
        confirm: impl AsyncFn() -> Result<(), LeaseError>,
        mut visit: impl FnMut(Completed),
    ) -> Result<Replay, LeaseError> {
        loop {
            let listing = self.segments.list().await?;
            let mut replay = Replay::default();
            let mut upload =
                (!listing.is_empty()).then(|| self.segments.store.upload(self.segments.checkpoint(self.delivery)));
            let read = self.segments.read(&listing, async |delivery, entry, line| {
                if let Some(completed) = replay.apply(delivery, entry) {
                    visit(completed);
                    if let Some(upload) = &mut upload {
                        upload.push(line).await?;
                        upload.push(b"\n").await?;
                    }
                }
                Ok(())
            });
            if !read.await? {
                if let Some(upload) = upload {
                    upload.abort().await?;
                }
                continue;
            }
            replay.fold_calls();
            if let Some(mut upload) = upload {
                for entry in replay.checkpoint() {
                    upload.push(&entry.to_line()).await?;
                }
                confirm().await?;
                upload.finish().await?;
                confirm().await?;
                self.segments.delete_listed(listing, self.delivery).await?;
            }
            return Ok(replay);
        }
    }

    /// Keeps what the file is.
    pub(crate) fn started(&self, started: Started) {
        self.append(&Entry::Started(started));
    }

    /// Keeps what a user had before the import's first write for it, and waits until it is stored.
    pub(crate) async fn intend(&self, intent: Intent) {
        self.append_durable(&Entry::Intent(intent)).await;
    }

    /// Keeps what became of a user.
    pub(crate) fn complete(&self, completed: Completed) {
        self.append(&Entry::Completed(completed));
    }

    /// Keeps what replacing a user's set would do.
    pub(crate) fn preview(&self, user: &UserId, preview: Preview) {
        self.append(&Entry::Preview { user: user.clone(), preview });
    }

    /// Keeps that the guard against a mass removal was passed, and waits until it is stored.
    pub(crate) async fn guard_passed(&self) {
        self.append_durable(&Entry::GuardPassed).await;
    }

    /// Keeps what this delivery has called so far, with the next segment.
    pub(crate) fn called(&self, calls: CallsByName, lanes: LanesByName) {
        self.called.replace(Some(Entry::Called { calls, lanes }));
    }

    /// Stores what was called so far, where nothing else is stored: an outage that lasts must be known to the next delivery.
    pub(crate) async fn store_calls(&self, timeline: Timeline) -> Result<(), StoreError> {
        let called = self.called.take();
        match called {
            Some(called) => {
                let lines = [called.to_line(), Entry::Timeline(timeline).to_line()].concat();
                self.segments.put_calls(self.delivery, lines.into()).await
            }
            None => Ok(()),
        }
    }

    /// Waits until all that was appended is stored: what is reported from here on, any later delivery would report the same.
    /// Nothing is stored where nothing waits, for a segment counts as progress.
    pub(crate) async fn sync(&self) {
        if *self.n_durable.borrow() < self.n_appended.get() {
            self.ending.notify_one();
            self.durable().await;
        }
    }

    /// The last users are under way: what they wait for is stored sooner.
    pub(crate) fn hurry(&self) {
        if !self.is_ending.replace(true) {
            self.ending.notify_one();
        }
    }

    /// Stores all that waits, if something does.
    pub(crate) async fn drain(&self, confirm: impl AsyncFn() -> Result<(), LeaseError>) -> Result<(), LeaseError> {
        while self.in_flight.borrow().is_some() || !self.waiting.borrow().is_empty() {
            self.flush(&confirm).await?;
        }
        Ok(())
    }

    async fn append_durable(&self, entry: &Entry) {
        self.append(entry);
        self.durable().await;
    }

    /// Has stored what was appended so far.
    async fn durable(&self) {
        let n = self.n_appended.get();
        self.is_urgent.set(true);
        self.appended.notify_one();
        let mut durable = self.n_durable.subscribe();
        // The sender is here, so this waits; and where segments cannot be stored, the whole delivery ends.
        let _ = durable.wait_for(|durable| *durable >= n).await;
    }

    fn append(&self, entry: &Entry) {
        self.waiting.borrow_mut().extend_from_slice(&entry.to_line());
        self.n_appended.set(self.n_appended.get() + 1);
        if self.waiting_since.get().is_none() {
            self.waiting_since.set(Some(Instant::now()));
            self.appended.notify_one();
        }
    }

    /// Stores segments for as long as the delivery runs. `confirm` says whether the delivery still has the import.
    pub(crate) async fn run_flusher(
        &self,
        confirm: impl AsyncFn() -> Result<(), LeaseError>,
    ) -> Result<Infallible, LeaseError> {
        loop {
            self.due().await;
            let interval = if self.is_ending.get() { MIN_INTERVAL_AT_THE_END } else { MIN_INTERVAL };
            let next = Instant::now() + interval;
            self.flush(&confirm).await?;
            // Whoever waits for the end of the journal waits no longer than for the store.
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.ending.notified() => {}
            }
        }
    }

    /// Waits until something must be stored now.
    async fn due(&self) {
        loop {
            match self.waiting_since.get() {
                _ if self.is_urgent.get() || self.in_flight.borrow().is_some() => return,
                Some(since) => {
                    if timeout_at(since + MAX_INTERVAL, self.appended.notified()).await.is_err() {
                        return;
                    }
                }
                None => self.appended.notified().await,
            }
        }
    }

    /// Stores what waits as one segment. It counts as stored once this delivery is seen to have the import still; if it has
    /// not, the segment is taken back: no write was made because of it.
    pub(crate) async fn flush(&self, confirm: impl AsyncFn() -> Result<(), LeaseError>) -> Result<(), LeaseError> {
        let in_flight = self.in_flight.borrow().clone();
        let Some((bytes, n)) = in_flight.or_else(|| self.next_segment()) else { return Ok(()) };
        let number = self.next.get();
        self.segments.put(self.delivery, number, bytes).await?;
        if let Err(error) = confirm().await {
            if matches!(error, LeaseError::Fenced(Fenced)) {
                self.segments.store.delete(&self.segments.segment(self.delivery, number)).await?;
            }
            return Err(error);
        }
        self.in_flight.take();
        self.next.set(number + 1);
        self.n_durable.send_replace(n);
        Ok(())
    }

    fn next_segment(&self) -> Option<(Bytes, u64)> {
        let mut lines = self.waiting.take();
        if lines.is_empty() {
            return None;
        }
        if let Some(called) = self.called.take() {
            lines.extend_from_slice(&called.to_line());
        }
        self.waiting_since.take();
        self.is_urgent.set(false);
        let segment = (Bytes::from(lines), self.n_appended.get());
        self.in_flight.replace(Some(segment.clone()));
        Some(segment)
    }
}

#[cfg(test)]
mod tests {
    use import_testkit::{MemoryS3, Versioning, s3_client};
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::options::Mode;
    use crate::outcome::RowId;

    async fn confirmed() -> Result<(), LeaseError> {
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn read_twice_by_one_delivery_it_says_the_same_to_the_next() {
        let s3 = MemoryS3::new().with_bucket("imports", Versioning::Off);
        let (store, state) = (Store::new(s3_client(&s3)), Location::new("imports", "state/a/"));
        let first = Journal::new(&store, &state, 1);
        let unassigned = to_raw_value(&()).unwrap();
        first.started(Started { kind: "proficiencies".to_owned(), mode: Mode::Merge, unassigned });
        first.append(&Entry::Intent(Intent {
            user: UserId::new("under way"),
            rows: vec![RowId(0)],
            is_complete: true,
            before: to_raw_value(&()).unwrap(),
            possible: to_raw_value(&()).unwrap(),
        }));
        first.drain(confirmed).await.unwrap();
        for delivery in [2, 2, 3] {
            let journal = Journal::new(&store, &state, delivery);
            let replay = journal.replay(confirmed, |_| {}).await.unwrap();
            assert_eq!(replay.intents.len(), 1, "delivery {delivery}");
            let started = journal.find_started().await.unwrap().unwrap();
            assert_eq!((started.kind.as_str(), started.mode), ("proficiencies", Mode::Merge));
        }
    }
}
