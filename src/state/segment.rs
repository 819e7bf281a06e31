//! The objects of a journal: segments `journal/<delivery>/<number>`, checkpoints `journal/<delivery>/checkpoint`, each of which
//! says all that the deliveries before it wrote, and `journal/<delivery>/calls`, what was called so far and when, which is
//! overwritten every half minute.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::entry::Entry;
use crate::store::{Location, Store, StoreError};

/// Segments that are read or deleted at once.
const AT_ONCE: usize = 16;
const CHECKPOINT: &str = "checkpoint";
const CALLS: &str = "calls";
/// The number of what is called so: it comes after all segments of its delivery.
const CALLS_NUMBER: u32 = u32::MAX;

/// Where the segments of an import are.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    pub(super) store: Store,
    folder: Location,
}

/// What lies there: the newest checkpoint, and the segments since, in their order.
#[derive(Debug, Default)]
pub(super) struct Listing {
    checkpoint: Option<u32>,
    segments: Vec<(u32, u32)>,
    /// All keys, older ones included.
    keys: Vec<String>,
}

impl Listing {
    /// Whether nothing lies there.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a delivery left a segment. What it called alone is none.
    pub(super) fn has_segment_of(&self, delivery: u32) -> bool {
        self.segments.iter().any(|(of, number)| *of == delivery && *number != CALLS_NUMBER)
    }
}

impl Segments {
    /// The segments below the folder of an import's state.
    pub(super) fn new(store: &Store, state: &Location) -> Self {
        let folder = Location::new(&state.bucket, format!("{}journal/", state.key));
        Self { store: store.clone(), folder }
    }

    /// What lies there now.
    pub(super) async fn list(&self) -> Result<Listing, StoreError> {
        let keys = self.store.keys(&self.folder).await?;
        let names = keys.iter().filter_map(|key| key.strip_prefix(&self.folder.key)?.split_once('/'));
        let (mut checkpoint, mut segments) = (None, Vec::new());
        for (delivery, name) in names {
            let Ok(delivery) = delivery.parse::<u32>() else { continue };
            match name.parse::<u32>() {
                Ok(number) => segments.push((delivery, number)),
                Err(_) if name == CHECKPOINT => checkpoint = checkpoint.max(Some(delivery)),
                Err(_) if name == CALLS => segments.push((delivery, CALLS_NUMBER)),
                Err(_) => {}
            }
        }
        segments.retain(|(delivery, _)| checkpoint.is_none_or(|checkpoint| *delivery >= checkpoint));
        segments.sort_unstable();
        Ok(Listing { checkpoint, segments, keys })
    }

    /// Reads all entries in their order: of each the delivery that wrote it, and its line. False where an object vanished
    /// meanwhile: then another delivery has just put a checkpoint in its place, and all must be read anew.
    pub(super) async fn read(
        &self,
        listing: &Listing,
        mut visit: impl AsyncFnMut(u32, Entry, &[u8]) -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        if let Some(delivery) = listing.checkpoint {
            let at = self.checkpoint(delivery);
            let Some(mut body) = self.store.read(&at).await? else { return Ok(false) };
            let mut rest = Vec::new();
            while let Some(piece) = body.next().await? {
                rest.extend_from_slice(&piece);
                let whole = memchr::memrchr(b'\n', &rest).map_or(0, |end| end + 1);
                for line in lines(&rest[..whole]) {
                    // What a checkpoint says is of all deliveries before its own.
                    visit(0, self.parse(line)?, line).await?;
                }
                rest.drain(..whole);
            }
        }
        let at: Vec<Location> =
            listing.segments.iter().map(|&(delivery, number)| self.segment(delivery, number)).collect();
        let mut found = stream::iter(&at).map(|at| self.store.get(at)).buffered(AT_ONCE);
        for (delivery, _) in &listing.segments {
            let Some(Some((bytes, _))) = found.try_next().await? else { return Ok(false) };
            for line in lines(&bytes) {
                visit(*delivery, self.parse(line)?, line).await?;
            }
        }
        Ok(true)
    }

    fn parse(&self, line: &[u8]) -> Result<Entry, StoreError> {
        serde_json::from_slice(line).map_err(|error| StoreError::Other {
            what: format!("journal {}", self.folder),
            status: None,
            code: "NotAJournal".to_owned(),
            message: error.to_string(),
        })
    }

    /// Where a segment lies.
    pub(super) fn segment(&self, delivery: u32, number: u32) -> Location {
        let name = if number == CALLS_NUMBER { CALLS.to_owned() } else { format!("{number:06}") };
        Location::new(&self.folder.bucket, format!("{}{delivery:06}/{name}", self.folder.key))
    }

    /// Where a checkpoint lies.
    pub(super) fn checkpoint(&self, delivery: u32) -> Location {
        Location::new(&self.folder.bucket, format!("{}{delivery:06}/{CHECKPOINT}", self.folder.key))
    }

    /// Stores a segment. It is this delivery's own, so nobody else writes there.
    pub(super) async fn put(&self, delivery: u32, number: u32, bytes: Bytes) -> Result<(), StoreError> {
        self.store.write(&self.segment(delivery, number), bytes, None).await.map(drop)
    }

    /// Stores what a delivery called so far.
    pub(super) async fn put_calls(&self, delivery: u32, bytes: Bytes) -> Result<(), StoreError> {
        self.put(delivery, CALLS_NUMBER, bytes).await
    }

    /// Deletes what a listing found: the checkpoint of this delivery has taken its place. It is itself in the
    /// listing where a delivery reads its journal twice.
    pub(super) async fn delete_listed(&self, mut listing: Listing, delivery: u32) -> Result<(), StoreError> {
        let checkpoint = self.checkpoint(delivery);
        listing.keys.retain(|key| *key != checkpoint.key);
        self.delete(listing.keys).await
    }

    /// Deletes all: the import is over.
    pub(super) async fn delete_all(&self) -> Result<(), StoreError> {
        self.delete(self.store.keys(&self.folder).await?).await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let at = keys.into_iter().map(|key| Location::new(&self.folder.bucket, key));
        let deleted = stream::iter(at).map(|at| async move { self.store.delete(&at).await });
        deleted.buffer_unordered(AT_ONCE).try_collect().await
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}
