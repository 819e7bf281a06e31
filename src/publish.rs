//! The report as objects: the file is read a second time, and beside each row is written what became of it.

use std::time::Duration;

use bytes::Bytes;
use tracing::warn;

use crate::input::{Header, Reader, Record, Schema, Unreadable};
use crate::kind::proficiency::Words;
use crate::report::{Summary, Table, object};
use crate::store::{Location, Store, StoreError, Upload};

/// How often `summary.json` is renewed while an import runs.
pub const RENEWED_EVERY: Duration = Duration::from_secs(30);
/// Rows are written to the upload in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;

/// Reads an object piece by piece through a [`Reader`]. What cannot be read as a table is the inner error.
pub async fn read_rows(
    store: &Store,
    from: &Location,
    schema: Schema,
    mut visit: impl FnMut(&Header, Record<'_>),
) -> Result<Result<Header, (Option<Header>, Unreadable)>, StoreError> {
    let mut body = store.read(from).await?.ok_or_else(|| StoreError::Gone(from.to_string()))?;
    let mut reader = Reader::new(schema);
    let mut visit = |header: &Header, record: Record<'_>| {
        visit(header, record);
        Ok(())
    };
    while let Some(piece) = body.next().await? {
        if let Err(unreadable) = reader.push(&piece, &mut visit) {
            return Ok(Err((reader.header().cloned(), unreadable)));
        }
        // One thread serves all: a large file must not keep the others from their turn.
        tokio::task::yield_now().await;
    }
    let finished = reader.finish(&mut visit);
    let header = reader.header().cloned();
    Ok(match (finished, header) {
        (Ok(()), Some(header)) => Ok(header),
        (Ok(()), None) => Err((None, Unreadable { code: "empty_file", message: "The file is empty.".to_owned() })),
        (Err(unreadable), header) => Err((header, unreadable)),
    })
}

/// Writes `results.csv`, and `retry.csv` if there is something to retry. `words` says what became of the row at a place.
pub async fn tables(
    store: &Store,
    folder: &Location,
    source: &Location,
    header: &Header,
    schema: Schema,
    words: impl Fn(usize, &Header, &Record<'_>) -> Words,
) -> Result<(), StoreError> {
    let mut results = Sheet::new(store, folder, object::RESULTS, header);
    let mut retry = Sheet::new(store, folder, object::RETRY, header);
    let written = write_rows(store, source, schema, &words, &mut results, &mut retry).await;
    if let Err(error) = written {
        for sheet in [results, retry] {
            if let Err(also) = sheet.upload.abort().await {
                warn!("an unfinished upload is left to the bucket's lifecycle: {also}");
            }
        }
        return Err(error);
    }
    if retry.n_rows > 0 {
        retry.finish(header).await?;
    }
    results.finish(header).await
}

async fn write_rows(
    store: &Store,
    source: &Location,
    schema: Schema,
    words: &impl Fn(usize, &Header, &Record<'_>) -> Words,
    results: &mut Sheet,
    retry: &mut Sheet,
) -> Result<(), StoreError> {
    let mut body = store.read(source).await?.ok_or_else(|| StoreError::Gone(source.to_string()))?;
    let mut reader = Reader::new(schema);
    let mut place = 0;
    let mut is_over = false;
    while !is_over {
        let piece = body.next().await?;
        is_over = piece.is_none();
        for bytes in piece.iter().flat_map(|piece| piece.chunks(PIECE_BYTES)).chain(is_over.then_some(&[][..])) {
            let mut visit = |header: &Header, record: Record<'_>| {
                let words = words(place, header, &record);
                place += 1;
                results.push(header, &record, &words);
                if words.status.is_to_retry() {
                    retry.push(header, &record, &words);
                }
                Ok(())
            };
            let read = if is_over { reader.finish(&mut visit) } else { reader.push(bytes, &mut visit) };
            // The same bytes were unreadable at the same place before: the import was rejected for it.
            is_over |= read.is_err();
            results.flush(reader.header()).await?;
            retry.flush(reader.header()).await?;
        }
    }
    Ok(())
}

/// One table on its way to the bucket.
struct Sheet {
    table: Table,
    upload: Upload,
    n_rows: u64,
}

impl Sheet {
    fn new(store: &Store, folder: &Location, name: &str, header: &Header) -> Self {
        let to = Location::new(&folder.bucket, format!("{}{name}", folder.key));
        Self { table: Table::new(header), upload: store.upload(to), n_rows: 0 }
    }

    fn push(&mut self, header: &Header, record: &Record<'_>, words: &Words) {
        self.table.push(header, record, words.status, &words.code, &words.message);
        self.n_rows += 1;
    }

    async fn flush(&mut self, header: Option<&Header>) -> Result<(), StoreError> {
        match header {
            Some(header) if self.n_rows > 0 => self.upload.push(&self.table.take(header)).await,
            _ => Ok(()),
        }
    }

    async fn finish(mut self, header: &Header) -> Result<(), StoreError> {
        let rest = self.table.take(header);
        self.upload.push(&rest).await?;
        self.upload.finish().await
    }
}

/// `summary.json` of one delivery: it replaces what this delivery wrote before, and never what a newer one wrote.
#[derive(Debug)]
pub struct SummaryObject {
    at: Location,
    etag: Option<String>,
}

impl SummaryObject {
    /// The summary in a report's folder. A delivery that begins writes over what an earlier one left.
    pub fn new(folder: &Location) -> Self {
        Self { at: Location::new(&folder.bucket, format!("{}{}", folder.key, object::SUMMARY)), etag: None }
    }

    /// Writes it, in place of the one that was written last.
    pub async fn write(&mut self, store: &Store, summary: &Summary) -> Result<(), StoreError> {
        let bytes = Bytes::from(summary.to_json());
        self.etag = Some(store.write(&self.at, bytes, self.etag.as_deref()).await?);
        Ok(())
    }
}
