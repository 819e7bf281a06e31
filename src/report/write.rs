//! The report as objects: the file is read a second time, and beside each row is written what became of it.

use std::time::Duration;

use bytes::Bytes;
use tracing::warn;

use super::object;
use super::plain::PlainTable;
use super::summary::Summary;
use super::table::Table;
use crate::input::{Header, Reader, Record, Schema};
use crate::outcome::{Problem, RowReport};
use crate::store::{Location, Store, StoreError, Upload};

/// How often `summary.json` is renewed while an import runs.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// Rows of a table of our own are handed to its upload so many at a time.
const PIECE_ROWS: usize = 1000;

/// Reads an object piece by piece through a [`Reader`]. What cannot be read as a table is the inner error.
pub async fn read_rows(
    store: &Store,
    from: &Location,
    schemas: &'static [Schema],
    mut visit: impl FnMut(&Header, Record<'_>),
) -> Result<Result<Header, (Option<Header>, Problem)>, StoreError> {
    let mut body = store.read(from).await?.ok_or_else(|| StoreError::Gone(from.to_string()))?;
    let mut reader = Reader::new(schemas);
    let mut visit = |header: &Header, record: Record<'_>| {
        visit(header, record);
        Ok(())
    };
    while let Some(piece) = body.next().await? {
        let mut bytes = &piece[..];
        while !bytes.is_empty() {
            match reader.step(bytes, &mut visit) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(unreadable) => return Ok(Err((reader.header().cloned(), unreadable))),
            }
            // One thread serves all: a large file must not keep the others from their turn.
            tokio::task::yield_now().await;
        }
    }
    let finished = reader.finish(&mut visit);
    let header = reader.header().cloned();
    Ok(match (finished, header) {
        (Ok(()), Some(header)) => Ok(header),
        (Ok(()), None) => Err((None, Problem::new("empty_file", "The file is empty."))),
        (Err(unreadable), header) => Err((header, unreadable)),
    })
}

/// What the first reading of a file found: the second must find the same.
#[derive(Clone, Copy, Debug)]
pub struct FirstPass<'r> {
    /// Where the file is.
    pub source: &'r Location,
    /// Its header.
    pub header: &'r Header,
    /// How many rows were read.
    pub n_rows: usize,
    /// Where reading had to end before the file did.
    pub unreadable: Option<&'r Problem>,
}

/// Writes `results.csv`, and `retry.csv` if there is something to retry. `words` says what became of the row at a place.
pub async fn tables(
    store: &Store,
    folder: &Location,
    file: FirstPass<'_>,
    schemas: &'static [Schema],
    words: impl Fn(usize, &Header, &Record<'_>) -> RowReport,
) -> Result<(), StoreError> {
    let header = file.header;
    let mut results = RowSheet::new(store, folder, object::RESULTS, header);
    let mut retry = RowSheet::new(store, folder, object::RETRY, header);
    let written = write_rows(store, file, schemas, &words, &mut results, &mut retry).await;
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
    } else {
        delete_stale(store, folder, object::RETRY).await?;
    }
    results.finish(header).await
}

async fn write_rows(
    store: &Store,
    file: FirstPass<'_>,
    schemas: &'static [Schema],
    words: &impl Fn(usize, &Header, &Record<'_>) -> RowReport,
    results: &mut RowSheet,
    retry: &mut RowSheet,
) -> Result<(), StoreError> {
    let FirstPass { source, n_rows, unreadable, .. } = file;
    let mut body = store.read(source).await?.ok_or_else(|| StoreError::Gone(source.to_string()))?;
    let mut reader = Reader::new(schemas);
    let mut place = 0;
    let mut is_over = false;
    let mut stopped_by = None;
    while !is_over {
        let piece = body.next().await?;
        let mut bytes = piece.as_deref().unwrap_or_default();
        while !is_over && (piece.is_none() || !bytes.is_empty()) {
            let mut visit = |header: &Header, record: Record<'_>| {
                let words = words(place, header, &record);
                place += 1;
                results.push(header, &record, &words);
                // A file that ends before its end must be mended itself: what was read of it is no file to drop.
                if words.needs_retry && unreadable.is_none() {
                    retry.push(header, &record, &words);
                }
                Ok(())
            };
            let read = match &piece {
                Some(_) => reader.step(bytes, &mut visit),
                None => reader.finish(&mut visit).map(|()| 0),
            };
            is_over = piece.is_none() || read.is_err();
            match read {
                Ok(taken) => bytes = &bytes[taken..],
                Err(refusal) => stopped_by = Some(refusal),
            }
            results.flush(reader.header()).await?;
            retry.flush(reader.header()).await?;
        }
    }
    if (place, stopped_by.as_ref()) == (n_rows, unreadable) {
        return Ok(());
    }
    Err(StoreError::Other {
        what: format!("GetObject {source}"),
        code: "ReadDifferently".to_owned(),
        message: format!("{place} rows were read for the report, and {n_rows} rows before"),
    })
}

/// Takes away what an earlier delivery, that could not end the import, left of a file that there is none of now.
async fn delete_stale(store: &Store, folder: &Location, name: &str) -> Result<(), StoreError> {
    let at = Location::new(&folder.bucket, format!("{}{name}", folder.key));
    match store.head(&at).await? {
        Some(_) => store.delete(&at).await,
        None => Ok(()),
    }
}

/// Writes a table of our own, if it has rows.
pub async fn plain(
    store: &Store,
    folder: &Location,
    name: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), StoreError> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return delete_stale(store, folder, name).await;
    }
    let mut upload = store.upload(Location::new(&folder.bucket, format!("{}{name}", folder.key)));
    let mut table = PlainTable::new(header);
    while let Some(row) = rows.next() {
        table.push(&row);
        if table.n_rows() >= PIECE_ROWS || rows.peek().is_none() {
            upload.push(&table.take()).await?;
        }
    }
    upload.finish().await
}

/// One table on its way to the bucket.
struct RowSheet {
    table: Table,
    upload: Upload,
    n_rows: u64,
}

impl RowSheet {
    fn new(store: &Store, folder: &Location, name: &str, header: &Header) -> Self {
        let to = Location::new(&folder.bucket, format!("{}{name}", folder.key));
        Self { table: Table::new(header), upload: store.upload(to), n_rows: 0 }
    }

    fn push(&mut self, header: &Header, record: &Record<'_>, words: &RowReport) {
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
    ///
    /// That may be one whose answer never came, for this was dropped while it waited. So if another is found, it is only
    /// respected if a newer delivery wrote it; that is [`StoreError::Precondition`].
    pub async fn write(&mut self, store: &Store, summary: &Summary) -> Result<(), StoreError> {
        let bytes = Bytes::from(summary.to_json());
        if self.etag.is_none()
            && let Some((found, etag)) = store.get(&self.at).await?
        {
            if deliveries(&found) > summary.deliveries {
                return Err(StoreError::Precondition(self.at.to_string()));
            }
            self.etag = Some(etag);
        }
        loop {
            match store.write(&self.at, bytes.clone(), self.etag.as_deref()).await {
                Ok(etag) => {
                    self.etag = Some(etag);
                    return Ok(());
                }
                Err(error) if error.is_precondition() => match store.get(&self.at).await? {
                    Some((found, _)) if deliveries(&found) > summary.deliveries => return Err(error),
                    found => self.etag = found.map(|(_, etag)| etag),
                },
                Err(error) => return Err(error),
            }
        }
    }
}

/// Which delivery wrote a summary.
fn deliveries(summary: &[u8]) -> u32 {
    let summary: Option<serde_json::Value> = serde_json::from_slice(summary).ok();
    summary.and_then(|summary| summary["deliveries"].as_u64()?.try_into().ok()).unwrap_or(0)
}
