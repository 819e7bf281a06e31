//! Tells the end of an import to whoever listens: after its answer is stored, and at least once.

use anyhow::Context as _;

use super::end::ImportEnd;
use super::error::ImportError;
use super::importer::Importer;
use super::run::{Deadlines, best_effort, by_deadline};
use crate::state::{Answer, Lease};

impl Importer {
    /// Tells the end of an import whose last delivery died before it could.
    pub(super) async fn tell_untold(&self, lease: &Lease, deadlines: &Deadlines) -> Result<Answer, ImportError> {
        let untold = lease.record().untold.as_ref().map_or("null", |summary| summary.get());
        let summary = serde_json::from_str(untold).context("the summary in import.json cannot be read")?;
        let end = ImportEnd::new(lease.record(), summary, deadlines.wall_clock());
        self.tell(lease, &end, deadlines).await?;
        Ok(end.answer())
    }

    /// Tells the end of an import, and notes that it is told. What is not told in time is told by the next delivery.
    pub(super) async fn tell(&self, lease: &Lease, end: &ImportEnd, deadlines: &Deadlines) -> anyhow::Result<()> {
        if self.listener.is_none() {
            return Ok(());
        }
        self.tell_listener(end, deadlines).await?;
        let noted = async { Ok(lease.finish(&end.answer(), None).await?) };
        best_effort(deadlines.end, noted).await;
        Ok(())
    }

    pub(super) async fn tell_listener(&self, end: &ImportEnd, deadlines: &Deadlines) -> anyhow::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let told = by_deadline(deadlines.end, listener.import_finished(end)).await;
        told.context("the import is over, and there was no time left to tell it")
    }
}
