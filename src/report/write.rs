//! The report's objects in the bucket.

use std::time::Duration;

use bytes::Bytes;
use tracing::warn;

use super::page::ReportPage;
use super::plain::PlainTable;
use super::table::Table;
use super::{PAGE, ROW_OBJECTS, RowObject, SUMMARY};
use crate::input::{Header, Record};
use crate::outcome::RowReport;
use crate::state::{Fenced, LeaseError};
use crate::store::{Location, Store, StoreError, Upload};

/// How often `summary.json` and `report.html` are renewed while an import runs.
pub(crate) const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// Rows of a plain table are handed to its upload in pieces of this size.
const PIECE_ROWS: usize = 1000;

/// The tables with a line for each row of the file, on their way to the bucket.
#[derive(Debug)]
pub(crate) struct RowSheets {
    store: Store,
    folder: Location,
    sheets: [RowSheet; ROW_OBJECTS.len()],
}

impl RowSheets {
    /// Begins all of them. `columns` are the indices of the file's own columns that an object has.
    pub(crate) fn new(
        store: &Store,
        folder: &Location,
        header: &Header,
        columns: impl Fn(&RowObject) -> Vec<usize>,
    ) -> Self {
        let sheet = |object: RowObject| {
            let columns = columns(&object);
            RowSheet::new(store, folder, object, Table::with_columns(header, columns))
        };
        Self { store: store.clone(), folder: folder.clone(), sheets: ROW_OBJECTS.map(sheet) }
    }

    /// Takes the next row of the file.
    pub(crate) fn push(&mut self, header: &Header, record: &Record<'_>, row: &RowReport) {
        for sheet in self.sheets.iter_mut().filter(|sheet| (sheet.object.wants)(row)) {
            sheet.table.push(header, record, row);
            sheet.n_rows += 1;
        }
    }

    /// Hands on what was pushed.
    pub(crate) async fn flush(&mut self, header: &Header) -> Result<(), StoreError> {
        for sheet in self.sheets.iter_mut().filter(|sheet| sheet.n_rows > 0) {
            sheet.upload.push(&sheet.table.take(header)).await?;
        }
        Ok(())
    }

    /// The file is read to its end. Returns the names of the objects that there are.
    pub(crate) async fn finish(self, header: &Header) -> Result<Vec<&'static str>, StoreError> {
        let mut written = Vec::new();
        // The one that is always there comes last: where it is, all are.
        for mut sheet in self.sheets.into_iter().rev() {
            if sheet.n_rows > 0 || sheet.object.is_always_there {
                sheet.upload.push(&sheet.table.take(header)).await?;
                sheet.upload.finish().await?;
                written.push(sheet.object.name);
            } else {
                delete_stale(&self.store, &self.folder, sheet.object.name).await?;
            }
        }
        Ok(written)
    }

    /// Gives them up.
    pub(crate) async fn abort(self) {
        for sheet in self.sheets {
            abort(sheet.upload).await;
        }
    }
}

async fn abort(upload: Upload) {
    if let Err(error) = upload.abort().await {
        warn!("an unfinished upload is left to the bucket's lifecycle: {error}");
    }
}

/// One table on its way to the bucket.
#[derive(Debug)]
struct RowSheet {
    object: RowObject,
    table: Table,
    upload: Upload,
    n_rows: u64,
}

impl RowSheet {
    fn new(store: &Store, folder: &Location, object: RowObject, table: Table) -> Self {
        let upload = store.upload(at(folder, object.name));
        Self { object, table, upload, n_rows: 0 }
    }
}

/// Writes a table of our own, if it has rows; says whether it has.
pub(crate) async fn write_table(
    store: &Store,
    folder: &Location,
    name: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<bool, StoreError> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        delete_stale(store, folder, name).await?;
        return Ok(false);
    }
    let mut sheet = PlainSheet::new(store, folder, name, PlainTable::new(header));
    for row in rows {
        sheet.push(&row).await?;
    }
    sheet.finish().await?;
    Ok(true)
}

/// A table of our own on its way to the bucket: it is there once it is finished.
#[derive(Debug)]
pub(crate) struct PlainSheet {
    table: PlainTable,
    upload: Upload,
}

impl PlainSheet {
    fn new(store: &Store, folder: &Location, name: &str, table: PlainTable) -> Self {
        Self { table, upload: store.upload(at(folder, name)) }
    }

    /// The table that an export writes.
    pub(crate) fn of_export(store: &Store, folder: &Location, name: &str, header: &[String]) -> Self {
        Self::new(store, folder, name, PlainTable::for_people(header))
    }

    /// One row.
    pub(crate) async fn push(&mut self, row: &[String]) -> Result<(), StoreError> {
        self.table.push(row);
        if self.table.n_rows() >= PIECE_ROWS {
            self.upload.push(&self.table.take()).await?;
        }
        Ok(())
    }

    /// All rows were pushed.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        self.upload.push(&self.table.take()).await?;
        self.upload.finish().await
    }

    /// Gives it up.
    pub(crate) async fn abort(self) {
        abort(self.upload).await;
    }
}

/// Deletes an object that an earlier delivery left, which could not end the import, and that there is no reason for now.
pub(crate) async fn delete_stale(store: &Store, folder: &Location, name: &str) -> Result<(), StoreError> {
    let at = at(folder, name);
    match store.head(&at).await? {
        Some(_) => store.delete(&at).await,
        None => Ok(()),
    }
}

fn at(folder: &Location, name: &str) -> Location {
    Location::new(&folder.bucket, format!("{}{name}", folder.key))
}

/// What is renewed while an import runs, of one delivery: `summary.json` and `report.html`.
#[derive(Debug)]
pub(crate) struct Overview {
    summary: Renewed,
    page: Renewed,
}

impl Overview {
    /// The overview in a report's folder.
    pub(crate) fn new(folder: &Location) -> Self {
        let renewed = |name, deliveries| Renewed { at: at(folder, name), etag: None, deliveries };
        Self { summary: renewed(SUMMARY, deliveries_of_summary), page: renewed(PAGE, deliveries_of_page) }
    }

    /// Writes both. A page that cannot be written is a warning: the import is what matters.
    pub(crate) async fn write(&mut self, store: &Store, page: &ReportPage<'_>) -> Result<(), LeaseError> {
        let summary = page.summary;
        self.summary.write(store, summary.to_json().into(), summary.deliveries).await?;
        match self.page.write(store, page.render().into(), summary.deliveries).await {
            Err(LeaseError::Store(error)) => warn!("the page of the report could not be written: {error}"),
            written => written?,
        }
        Ok(())
    }
}

/// An object of one delivery: it replaces what this delivery wrote before, and never what a newer one wrote.
#[derive(Debug)]
struct Renewed {
    at: Location,
    etag: Option<String>,
    /// Which delivery wrote such an object.
    deliveries: fn(&[u8]) -> Option<u32>,
}

impl Renewed {
    /// Writes it, in place of the one that was written last, or anew where somebody has deleted that.
    ///
    /// The last may be one whose answer never came, for this was dropped while it waited. So if another is found, it is only
    /// respected if a newer delivery wrote it: then this one is [`Fenced`].
    async fn write(&mut self, store: &Store, bytes: Bytes, deliveries: u32) -> Result<(), LeaseError> {
        let mut is_known = self.etag.is_some();
        loop {
            if !is_known {
                let found = store.get(&self.at).await?;
                if found.as_ref().is_some_and(|(found, _)| (self.deliveries)(found).unwrap_or(0) > deliveries) {
                    return Err(Fenced.into());
                }
                self.etag = found.map(|(_, etag)| etag);
            }
            let written = match &self.etag {
                Some(etag) => store.write(&self.at, bytes.clone(), Some(etag)).await,
                None => store.create(&self.at, bytes.clone()).await,
            };
            match written {
                Ok(etag) => {
                    self.etag = Some(etag);
                    return Ok(());
                }
                Err(error) if error.is_precondition() || error.is_gone() => is_known = false,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn deliveries_of_summary(summary: &[u8]) -> Option<u32> {
    let summary: serde_json::Value = serde_json::from_slice(summary).ok()?;
    summary["deliveries"].as_u64()?.try_into().ok()
}

fn deliveries_of_page(page: &[u8]) -> Option<u32> {
    const MARK: &str = "<meta name=\"deliveries\" content=\"";
    let (_, after) = str::from_utf8(page).ok()?.split_once(MARK)?;
    after.split_once('"')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use import_testkit::{MemoryS3, Versioning, s3_client};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_newer_delivery_wrote_stays() {
        let store = Store::new(s3_client(&MemoryS3::new().with_bucket("reports", Versioning::Off)));
        let of = |name: &str, deliveries| Renewed { at: Location::new("reports", name), etag: None, deliveries };
        let summary = |n: u32| Bytes::from(format!("{{\"deliveries\": {n}}}"));
        let page = |n: u32| Bytes::from(format!("<meta name=\"deliveries\" content=\"{n}\">"));
        for (name, deliveries, bytes) in [
            ("summary.json", deliveries_of_summary as fn(&[u8]) -> Option<u32>, summary as fn(u32) -> Bytes),
            ("report.html", deliveries_of_page, page),
        ] {
            let (mut old, mut new) = (of(name, deliveries), of(name, deliveries));
            old.write(&store, bytes(1), 1).await.unwrap();
            old.write(&store, bytes(1), 1).await.unwrap();
            new.write(&store, bytes(2), 2).await.unwrap();
            for late in [&mut old, &mut of(name, deliveries)] {
                assert!(matches!(late.write(&store, bytes(1), 1).await, Err(LeaseError::Fenced(_))), "{name}");
            }
            new.write(&store, bytes(2), 2).await.unwrap();
            assert_eq!(store.get(&new.at).await.unwrap().unwrap().0, bytes(2));
        }
    }
}
