//! After the end of an import: what only it needed is deleted, and whoever listens is told, at least once.

use anyhow::Context as _;
use tracing::warn;

use super::end::ImportEnd;
use super::error::ImportError;
use super::finish::Closed;
use super::importer::Importer;
use super::run::{Deadlines, best_effort, by_deadline};
use crate::state::{Answer, FinishedImport};

impl Importer {
    /// Gives the answer of an import that is over. If the delivery that ended it died before it could tell, this one tells.
    pub(super) async fn answer(&self, finished: FinishedImport, deadlines: &Deadlines) -> Result<Answer, ImportError> {
        let record = finished.record();
        let answer = record.answer.clone().context("an import that is over has an answer")?;
        let Some(untold) = &record.untold else { return Ok(answer) };
        match serde_json::from_str(untold.get()) {
            Ok(telling) => {
                let end = ImportEnd::new(record, telling, deadlines.wall_clock());
                self.conclude(Closed { finished, end }, deadlines).await
            }
            // Another version of this function wrote it.
            Err(error) => {
                warn!("the end of the import cannot be told, for its summary cannot be read: {error}");
                note_told(&finished, deadlines).await;
                Ok(answer)
            }
        }
    }

    /// Deletes what only the import needed, tells its end, and notes that it is told. What is not told in time is told by the
    /// next delivery.
    pub(super) async fn conclude(&self, closed: Closed, deadlines: &Deadlines) -> Result<Answer, ImportError> {
        let Closed { finished, end } = closed;
        let cleaned = async {
            if let Err(error) = finished.clean_up().await {
                warn!("the state is left to the bucket's lifecycle: {error}");
            }
            Ok(())
        };
        best_effort(deadlines.end, cleaned).await;
        self.tell(&end, deadlines).await?;
        if finished.record().untold.is_some() {
            note_told(&finished, deadlines).await;
        }
        Ok(end.answer())
    }

    /// Tells the end of an import.
    pub(super) async fn tell(&self, end: &ImportEnd, deadlines: &Deadlines) -> Result<(), ImportError> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let told = by_deadline(deadlines.end, listener.import_finished(end)).await;
        told.context("the import is over, but its end is not told")
            .map_err(|error| ImportError::untold(&end.summary().import_id, error))
    }
}

async fn note_told(finished: &FinishedImport, deadlines: &Deadlines) {
    best_effort(deadlines.end, async { Ok(finished.note_told().await?) }).await;
}
