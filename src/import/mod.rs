//! The story of one import, from the trigger to the report:
//!
//! [`open`] finds or begins it and takes its lease → [`load`] reads the rows (of a sheet, once its [`headings`] are
//! explained) → [`resume`] says what earlier deliveries did →
//! the instance is asked whose the rows are and what they name → users that were [`seen`] right need no read → [`guard`]s →
//! [`preview`] (where the file is the whole truth for its users) → [`apply`] brings each user to it, many at once → [`finish`] writes the report → the answer → its end is told.
//!
//! What users have becomes such a file by an [`export`], which is found, journaled, ended and told in the same way.
//!
//! A delivery ends in one of four ways: with a verdict, at its deadline (the next one goes on), fenced (another one has the
//! import), or with an error (the next one tries again).

mod apply;
mod begin;
mod end;
mod error;
mod export;
mod finish;
mod guard;
mod headings;
mod imported;
mod importer;
mod load;
mod open;
mod preview;
mod progress;
pub mod request;
mod resume;
mod run;
mod seen;
mod steps;
mod summarize;
mod tell;
pub mod trigger;

use std::convert::Infallible;

use tracing::{Instrument as _, Span, error_span, info, warn};

use crate::outcome::ImportStatus;
use crate::state::{Acquired, Answer, Lease, LeaseError};

pub use end::{ImportEnd, Listener, Telling};
pub use error::{ImportError, ImportErrorKind};
pub use importer::Importer;
pub use progress::Progress;
pub use run::Deadlines;

use finish::Finished;
use open::Opened;
use run::{Run, best_effort, by_deadline, reached};
use trigger::Trigger;

/// How one delivery ended.
enum Ended {
    /// The import is over, but for its answer.
    Finished(Box<Finished>),
    Deadline,
    Fenced,
}

impl Importer {
    /// Serves one delivery of an import: begins it, or goes on with it, or gives the answer that it had.
    pub async fn run(&self, trigger: &Trigger, deadlines: &Deadlines) -> Result<Answer, ImportError> {
        let owner = fastrand::u64(..);
        let acquire = open::acquire(&self.store, &self.settings, trigger, deadlines.wall_clock(), owner);
        match by_deadline(deadlines.deadline, acquire).await?? {
            Opened::Acquired(Acquired::Lease(lease)) => {
                let span = import_span(&lease.record().import_id);
                Box::pin(self.resume(*lease, deadlines)).instrument(span).await
            }
            Opened::Acquired(Acquired::Finished(finished)) => {
                let span = import_span(&finished.record().import_id);
                Box::pin(self.answer(*finished, deadlines)).instrument(span).await
            }
            Opened::Over(end) => {
                let span = import_span(&end.summary().import_id);
                self.tell(&end, deadlines).instrument(span).await?;
                Ok(end.answer())
            }
        }
    }

    /// Goes on with an import for as long as this delivery may.
    async fn resume(&self, lease: Lease, deadlines: &Deadlines) -> Result<Answer, ImportError> {
        let run = &Run::new(self, lease, deadlines)?;
        let closed = match run_until_deadline(run).await {
            Ok(Ended::Finished(finished)) => {
                by_deadline(deadlines.end, finished.close(run)).await.and_then(|closed| closed)
            }
            Ok(Ended::Deadline) => {
                info!("deadline: the next delivery goes on");
                best_effort(deadlines.end, async { Ok(run.release().await?) }).await;
                run.put_in().await;
                Ok(None)
            }
            Ok(Ended::Fenced) => Ok(None),
            Err(error) => Err(error),
        };
        match closed {
            Ok(Some(closed)) => self.conclude(closed, deadlines).await,
            Ok(None) => Ok(run.answer(ImportStatus::InProgress, self.progress.borrow().rows)),
            Err(error) => {
                warn!("the delivery ends with an error: {error:#}");
                best_effort(deadlines.end, run.note_error(&error)).await;
                let (import_id, crashes) = (&run.record().import_id, run.lease.crashes_before());
                Err(ImportError::under_way(import_id, error, crashes, run.is_last_try()))
            }
        }
    }
}

/// All lines of the log that are about an import have its id, whatever level is logged.
fn import_span(import_id: &str) -> Span {
    error_span!("import", import_id)
}

/// All that happens at once while an import runs: the work itself, its journal, its summary, and the watch over the lease and
/// the clock. At the deadline the work is dropped: users under way are read again by the next delivery.
async fn run_until_deadline(run: &Run<'_>) -> anyhow::Result<Ended> {
    tokio::select! {
        finished = Box::pin(steps::import(run)) => fenced_or(finished.map(|done| Ended::Finished(Box::new(done)))),
        lost = run.keep_journal() => lost_lease(lost),
        lost = run.watch() => lost_lease(lost),
        lost = run.renew_overview() => lost_lease(lost),
        () = reached(run.deadlines.deadline) => Ok(Ended::Deadline),
    }
}

fn lost_lease(Err(error): Result<Infallible, LeaseError>) -> anyhow::Result<Ended> {
    fenced_or(Err(error.into()))
}

/// A delivery that another one has fenced ends without an error.
fn fenced_or(ended: anyhow::Result<Ended>) -> anyhow::Result<Ended> {
    match ended {
        Err(error) if matches!(error.downcast_ref(), Some(LeaseError::Fenced(_))) => {
            warn!("another delivery has taken the import over: this one stops");
            Ok(Ended::Fenced)
        }
        ended => ended,
    }
}
