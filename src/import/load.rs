//! The file's rows, read from the object: once to plan, and once more to write the report beside them.

use bytes::{Buf as _, Bytes};

use crate::input::{Header, Reader, Record, Visit};
use crate::kind::{AnyRows, FileKind, SCHEMAS};
use crate::outcome::Problem;
use crate::state::ImportRecord;
use crate::store::{Body, Location, Store, StoreError};

/// A file as far as it could be read.
#[derive(Debug)]
pub(super) struct File {
    /// Its rows; none where not even the header was understood.
    pub(super) rows: Option<AnyRows>,
    /// Its header.
    pub(super) header: Option<Header>,
    /// Where reading had to end before the file did.
    pub(super) unreadable: Option<Problem>,
}

/// Reads an object's rows.
pub(super) async fn load(store: &Store, from: &Location) -> Result<File, StoreError> {
    let mut rows = None;
    let mut visit = |header: &Header, record: Record<'_>| {
        rows.get_or_insert_with(|| AnyRows::new(FileKind::of(header))).push(header, &record);
        Ok(())
    };
    let mut reader = RowReader::open(store, from).await?;
    let read = loop {
        if let ReadStep::End(read) = reader.step(&mut visit).await? {
            break read;
        }
    };
    let header = reader.header().cloned();
    let unreadable = match (read, &header) {
        (Err(problem), _) => Some(problem),
        (Ok(()), None) => Some(Problem::new("empty_file", "The file is empty.")),
        (Ok(()), Some(_)) => None,
    };
    let rows = rows.or_else(|| header.as_ref().map(|header| AnyRows::new(FileKind::of(header))));
    Ok(File { rows, header, unreadable })
}

/// Why an import's object can never be read any more, with what to do; nothing for an error that may pass.
pub(super) fn unreadable(record: &ImportRecord, error: &StoreError) -> Option<Problem> {
    if error.is_gone() {
        let message =
            format!("{} is gone: it was deleted after the import had begun. Drop the file again.", record.source);
        return Some(Problem::new("object_gone", message));
    }
    error.unreadable(&record.source)
}

/// An object on its way through a [`Reader`].
#[derive(Debug)]
pub(super) struct RowReader {
    body: Body,
    reader: Reader,
    piece: Bytes,
}

/// How far a [`RowReader`] is.
#[derive(Debug)]
pub(super) enum ReadStep {
    /// There may be more.
    More,
    /// The file is read to its end, or cannot be read any further.
    End(Result<(), Problem>),
}

impl RowReader {
    /// Begins to read an object.
    pub(super) async fn open(store: &Store, from: &Location) -> Result<Self, StoreError> {
        let body = store.read(from).await?.ok_or_else(|| StoreError::Gone(from.to_string()))?;
        Ok(Self { body, reader: Reader::new(SCHEMAS), piece: Bytes::new() })
    }

    /// The header, once it was read.
    pub(super) fn header(&self) -> Option<&Header> {
        self.reader.header()
    }

    /// Reads 64 KiB of text at most, and visits the rows in it.
    pub(super) async fn step(&mut self, visit: &mut Visit<'_>) -> Result<ReadStep, StoreError> {
        if self.piece.is_empty() {
            match self.body.next().await? {
                Some(piece) => self.piece = piece,
                None => return Ok(ReadStep::End(self.reader.finish(visit))),
            }
        } else {
            // One thread serves all: a large file must not keep the others from their turn.
            tokio::task::yield_now().await;
        }
        match self.reader.step(&self.piece, visit) {
            Ok(taken) => {
                self.piece.advance(taken);
                Ok(ReadStep::More)
            }
            Err(problem) => Ok(ReadStep::End(Err(problem))),
        }
    }
}
