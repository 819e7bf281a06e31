//! The file's rows, read from the object: once to plan, and once more to write the report beside them.

use bytes::{Buf as _, Bytes};

use super::headings::explained;
use super::run::{Run, Verdict};
use crate::input::{Header, Headings, Reader, Record, SheetHeader, Visit};
use crate::kind::{AnyRows, FileKind, SCHEMAS};
use crate::options::Mode;
use crate::outcome::Problem;
use crate::state::ImportRecord;
use crate::store::{Body, StoreError};

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

/// Why there is no file.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The object could not be read.
    Store(StoreError),
    /// The import ends: what the headings of the sheet mean is not known.
    Ended(Verdict),
    /// Whatever else failed.
    Other(anyhow::Error),
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads an object's rows.
pub(super) async fn load(run: &Run<'_>) -> Result<File, LoadError> {
    let mut rows = None;
    let mut visit = |header: &Header, record: Record<'_>| {
        rows.get_or_insert_with(|| AnyRows::new(FileKind::of(header))).push(header, &record);
        Ok(())
    };
    let mut reader = RowReader::open(run).await?;
    let read = loop {
        match reader.step(&mut visit).await? {
            ReadStep::More => {}
            ReadStep::End(read) => break read,
            ReadStep::Sheet(sheet) => match explained(run, &sheet).await.map_err(LoadError::Other)? {
                Ok(headings) => reader.explain(&headings),
                Err(Verdict::Rejected(problem)) => break Err(problem),
                Err(verdict) => return Err(LoadError::Ended(verdict)),
            },
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
    is_read: bool,
}

/// How far a [`RowReader`] is.
#[derive(Debug)]
pub(super) enum ReadStep {
    /// There may be more.
    More,
    /// It is a sheet, and must be told what the headings mean before it goes on.
    Sheet(Box<SheetHeader>),
    /// The file is read to its end, or cannot be read any further.
    End(Result<(), Problem>),
}

impl RowReader {
    /// Begins to read the object of an import.
    pub(super) async fn open(run: &Run<'_>) -> Result<Self, StoreError> {
        let from = &run.record().read_from;
        let body = run.importer.store.read(from).await?.ok_or_else(|| StoreError::Gone(from.to_string()))?;
        // What a sheet says of its users is all of it where the mode says so: such a file can always be replaced.
        let is_whole = run.record().options.mode == Mode::Replace;
        let reader = Reader::with_whole_rows(SCHEMAS, is_whole);
        Ok(Self { body, reader, piece: Bytes::new(), is_read: false })
    }

    /// Says what the headings of the sheet mean.
    pub(super) fn explain(&mut self, headings: &Headings) {
        self.reader.explain(headings);
    }

    /// The header, once it was read.
    pub(super) fn header(&self) -> Option<&Header> {
        self.reader.header()
    }

    /// Reads 64 KiB of text at most, and visits the rows in it.
    pub(super) async fn step(&mut self, visit: &mut Visit<'_>) -> Result<ReadStep, StoreError> {
        if self.piece.is_empty() && !self.is_read {
            match self.body.next().await? {
                Some(piece) => self.piece = piece,
                None => self.is_read = true,
            }
        } else {
            // One thread serves all: a large file must not keep the others from their turn.
            tokio::task::yield_now().await;
        }
        let read = if self.is_read {
            self.reader.finish_step(visit)
        } else {
            self.reader.step(&self.piece, visit).map(|taken| {
                self.piece.advance(taken);
                true
            })
        };
        let sheet = || self.reader.sheet().map(|sheet| ReadStep::Sheet(Box::new(sheet.clone())));
        Ok(match read {
            Ok(true) => sheet().unwrap_or(ReadStep::More),
            Ok(false) => ReadStep::End(Ok(())),
            Err(problem) => ReadStep::End(Err(problem)),
        })
    }
}
