//! One delivery of an import: what it has to do, what it may not exceed, and what tells it to stop.

use std::cell::{Cell, OnceCell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::importer::Importer;
use super::progress::{History, Progress};
use super::request::ExportRequest;
use crate::connect::{ConnectError, ErrorKind, Lanes, Operation};
use crate::input::Headings;
use crate::kind::{FileKind, Rows, UserBatch};
use crate::options::Mode;
use crate::outcome::{Counts, ImportStatus, Problem};
use crate::report::{Cause, Columns, Details, Overview, REAL_RUN, REFRESH_INTERVAL, ReportPage, Summary, UsersDone};
use crate::resolve::Users;
use crate::state::{Answer, Completed, ImportRecord, Journal, LanesByName, Lease, LeaseError, SeenUsers};
use crate::store::Location;

/// How often an import looks whether it is cancelled.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Writes may go out so long after the import was last seen to be this delivery's. A process that was frozen for longer looks
/// again before it writes.
const LEASE_TIME: Duration = Duration::from_secs(30);
/// Calls under way when an import is cancelled have this long to end by themselves, and then this long to be told that they
/// must.
const CANCEL_GRACE: Duration = Duration::from_secs(3);
const STOP_GRACE: Duration = Duration::from_secs(2);

/// This many users are under way at once, so that reads run ahead of writes by no more. With more than 25 reads a second it
/// is two seconds' worth of them, for calls may be slow; but never so many that they fill the memory.
const USERS_UNDER_WAY: usize = 50;
const MOST_USERS_UNDER_WAY: usize = 1000;

/// When a delivery began, and when it must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// The wall clock at the beginning.
    pub now: DateTime<Utc>,
    /// tokio's clock then.
    pub started: Instant,
    /// When nothing new is begun any more.
    pub deadline: Option<Instant>,
    /// When all must be over.
    pub end: Option<Instant>,
}

impl Deadlines {
    /// No limit: for a front end that may take its time.
    pub fn none(now: DateTime<Utc>) -> Self {
        Self { now, started: Instant::now(), deadline: None, end: None }
    }

    /// The wall clock now.
    pub fn wall_clock(&self) -> DateTime<Utc> {
        self.now + self.started.elapsed()
    }
}

/// How an import ends. Of several ways the first that was found counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All that could be done was done.
    Completed,
    /// Nothing was written, and why.
    Rejected(Problem),
    /// The system stopped it, and why.
    Failed(Problem),
    /// A person stopped it.
    Cancelled,
}

impl Verdict {
    /// Why rows were not tried, if some were not.
    pub(super) fn stopped(&self) -> Problem {
        match self {
            Self::Rejected(problem) | Self::Failed(problem) => problem.clone(),
            Self::Cancelled => Problem::new("cancelled", "The import was cancelled before these rows had their turn."),
            Self::Completed => Problem::new("not_tried", "These rows were not tried. Drop retry.csv again."),
        }
    }

    /// The instance could not be asked: because a person stopped the import, or because it refused.
    pub(super) fn unasked(error: &ConnectError) -> Self {
        match error.kind {
            ErrorKind::NotSent => Self::Cancelled,
            _ => Self::failed(error),
        }
    }

    /// A refusal of the service stops an import.
    pub(super) fn failed(error: &ConnectError) -> Self {
        Self::Failed(Problem::new(error.code.clone(), format!("{} ({})", error.user_message(), error.operation)))
    }
}

/// One delivery of an import that has begun.
#[derive(Debug)]
pub(super) struct Run<'i> {
    pub(super) importer: &'i Importer,
    pub(super) lease: Lease,
    pub(super) journal: Journal,
    pub(super) deadlines: Deadlines,
    /// What is asked for, if it is no import but an export.
    pub(super) export: Option<ExportRequest>,
    /// What the file is, once its header was read.
    pub(super) kind: Cell<Option<FileKind>>,
    pub(super) mode: Cell<Mode>,
    pub(super) columns: RefCell<Option<Columns>>,
    /// What the headings of a sheet mean, once that is known.
    pub(super) headings: OnceCell<Headings>,
    /// Why rows are known to be wrong, while the import runs.
    pub(super) causes: RefCell<Vec<Cause>>,
    /// What earlier deliveries did, once the journal was read.
    pub(super) history: RefCell<History>,
    /// The record of users that are right, once it is asked.
    pub(super) seen: OnceCell<SeenUsers>,
    /// Since when the import is cancelled.
    cancelled: watch::Sender<Option<Instant>>,
    confirmed: Cell<Instant>,
    /// Whether what earlier deliveries knew of the operations was read.
    knows_lanes: Cell<bool>,
    overview: Mutex<Overview>,
}

impl<'i> Run<'i> {
    pub(super) fn new(importer: &'i Importer, lease: Lease, deadlines: &Deadlines) -> anyhow::Result<Self> {
        let record = lease.record();
        let export = ExportRequest::of_stored(record.request.as_ref()).context("the request cannot be read")?;
        // What a warm process knows of the import before this one counts no more.
        importer.progress.send_replace(Progress::default());
        importer.connect.lanes().begin(record.is_resumed());
        let age = (deadlines.wall_clock() - record.started_at).to_std().unwrap_or_default();
        importer.connect.lanes().begin_timeline(age);
        Ok(Self {
            importer,
            journal: Journal::new(&importer.store, &lease.folder(), record.deliveries),
            deadlines: *deadlines,
            kind: Cell::new(export.as_ref().map(|export| export.export)),
            export,
            mode: Cell::new(record.options.mode),
            columns: RefCell::default(),
            headings: OnceCell::new(),
            causes: RefCell::default(),
            history: RefCell::default(),
            seen: OnceCell::new(),
            cancelled: watch::Sender::default(),
            confirmed: Cell::new(Instant::now()),
            knows_lanes: Cell::default(),
            overview: Mutex::new(Overview::new(&record.report)),
            lease,
        })
    }

    pub(super) fn record(&self) -> &ImportRecord {
        self.lease.record()
    }

    pub(super) fn lanes(&self) -> &Lanes {
        self.importer.connect.lanes()
    }

    /// Asks how often the account may call each operation, unless the settings say so. Nothing is called before.
    pub(super) async fn set_pace(&self) {
        let (settings, connect) = (&self.importer.settings.rates, &self.importer.connect);
        if let Some(complaint) = connect.set_pace(settings, self.record().is_resumed()).await {
            warn!("not all that the account may is known; for the rest Connect's default is used: {complaint}");
        }
    }

    /// Takes over what earlier deliveries knew of each operation. From now on writes may go out.
    pub(super) fn begin_lanes(&self, known: &LanesByName) {
        self.knows_lanes.set(true);
        self.lanes().restore(known);
        self.lanes().permit_writes_until(Some(self.confirmed.get() + LEASE_TIME));
    }

    /// Keeps in the journal what was called so far.
    pub(super) fn note_calls(&self) {
        if !self.knows_lanes.get() {
            return;
        }
        let calls = self.lanes().calls().map(|(operation, calls)| (operation.name().to_owned(), calls)).collect();
        self.journal.called(calls, self.lanes().memory());
    }

    /// Keeps in the journal what became of a user.
    pub(super) fn complete<R: Rows>(&self, rows: &R, users: &Users, batch: UserBatch, effects: Option<Box<RawValue>>) {
        self.note_calls();
        let completed = Completed { user: users.id(batch.user), rows: rows.ledger().stored(batch), effects };
        self.journal.complete(completed);
    }

    /// How many users are under way at once.
    pub(super) fn users_under_way(&self, read: Operation) -> usize {
        let reads = self.lanes().rates().of(read).per_second;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is at most 100,000")]
        let in_two_seconds = (reads * 2.0) as usize;
        in_two_seconds.clamp(USERS_UNDER_WAY, MOST_USERS_UNDER_WAY)
    }

    /// Stores the journal for as long as the delivery runs.
    pub(super) async fn keep_journal(&self) -> Result<Infallible, LeaseError> {
        self.journal.run_flusher(async || self.confirm().await).await
    }

    /// Asks whether this delivery still has the import: from the answer on, writes may go out for a while.
    pub(super) async fn confirm(&self) -> Result<(), LeaseError> {
        let asked = Instant::now();
        self.lease.check().await?;
        self.confirmed.set(asked);
        self.lanes().permit_writes_until(Some(asked + LEASE_TIME));
        Ok(())
    }

    /// Looks every second whether the import is cancelled, and every few whether it is still this delivery's, whatever the
    /// work waits for.
    pub(super) async fn watch(&self) -> Result<Infallible, LeaseError> {
        loop {
            sleep(WATCH_INTERVAL).await;
            if !self.is_cancelled() {
                self.look_for_cancel().await;
            }
            if self.confirmed.get().elapsed() > LEASE_TIME / 3 {
                match self.confirm().await {
                    Err(LeaseError::Store(error)) => warn!("whose the import is cannot be seen: {error}"),
                    confirmed => confirmed?,
                }
            }
        }
    }

    /// Looks for the object that cancels the import.
    pub(super) async fn look_for_cancel(&self) {
        let report = &self.record().report;
        let at = Location::new(&report.bucket, format!("{}cancel", report.key));
        match self.importer.store.head(&at).await {
            Ok(Some(_)) => {
                info!("the import is cancelled");
                self.cancelled.send_replace(Some(Instant::now()));
            }
            Ok(None) => {}
            Err(error) => warn!("whether the import is cancelled cannot be seen: {error}"),
        }
    }

    /// Whether somebody asked for the import to be stopped.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.borrow().is_some()
    }

    /// What a future answers, unless the import is cancelled and the answer does not come within seconds.
    pub(super) async fn unless_abandoned<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = future => Some(answer),
            () = self.abandoned() => None,
        }
    }

    /// Ends what is under way some seconds after the import was cancelled: first what waits, then what does not answer.
    async fn abandoned(&self) {
        let mut cancelled = self.cancelled.subscribe();
        let since = match cancelled.wait_for(Option::is_some).await {
            Ok(since) => since.unwrap_or_else(Instant::now),
            // The sender is here.
            Err(_) => return std::future::pending().await,
        };
        sleep_until(since + CANCEL_GRACE).await;
        self.lanes().cancel();
        sleep_until(since + CANCEL_GRACE + STOP_GRACE).await;
    }

    /// Renews the summary and the page for as long as the import runs, and what is known of its calls. It ends where a newer delivery has
    /// written its own.
    pub(super) async fn renew_overview(&self) -> Result<Infallible, LeaseError> {
        loop {
            sleep(REFRESH_INTERVAL).await;
            self.note_calls();
            if let Err(error) = self.journal.store_calls(self.lanes().timeline()).await {
                warn!("what was called could not be stored: {error}");
            }
            match self.write_progress().await {
                Err(LeaseError::Store(error)) => {
                    warn!("the summary could not be renewed: {error}");
                }
                written => written?,
            }
        }
    }

    /// Writes the summary and the page of an import that runs.
    pub(super) async fn write_progress(&self) -> Result<(), LeaseError> {
        self.write_overview(&self.unfinished(), &Details::default()).await
    }

    /// The folder to which files are uploaded that are no dry runs.
    pub(super) fn upload_folder(&self) -> String {
        let settings = &self.importer.settings;
        let real_run = if settings.options.dry_run { REAL_RUN } else { "" };
        // Which bucket that is an export does not know.
        if self.export.is_some() {
            return format!("{}{real_run}", settings.prefixes.import);
        }
        format!("s3://{}/{}{real_run}", self.record().source.bucket, settings.prefixes.import)
    }

    /// Writes the summary and the page.
    pub(super) async fn write_overview(&self, summary: &Summary, details: &Details) -> Result<(), LeaseError> {
        let Progress { n_users, n_users_done, is_preview, since, .. } = *self.importer.progress.borrow();
        let mut timeline = self.history.borrow().timeline.clone();
        timeline.absorb(&self.lanes().timeline());
        let page = ReportPage {
            summary,
            details,
            folder: &self.record().report,
            upload_folder: &self.upload_folder(),
            timeline: &timeline,
            users: since.map(|_| UsersDone { done: n_users_done, all: n_users, is_preview }),
            options: &self.record().options,
            rates: &self.lanes().rates(),
            now: self.deadlines.wall_clock(),
        };
        self.overview.lock().await.write(&self.importer.store, &page).await
    }

    /// What the delivery answers.
    pub(super) fn answer(&self, status: ImportStatus, rows: Counts) -> Answer {
        let ImportRecord { import_id, report, .. } = self.record();
        let report = Some(report.to_string());
        Answer { import_id: import_id.clone(), status, code: None, message: None, report, rows }
    }

    /// Shows what earlier deliveries did.
    pub(super) fn show_resumed(&self, rows: Counts) {
        let n_users_done = self.history.borrow().n_users_completed;
        let n_users = n_users_done;
        self.show(Progress { rows, n_users, n_users_done, n_users_before: n_users_done, ..Progress::default() });
    }

    pub(super) fn show(&self, progress: Progress) {
        self.importer.progress.send_replace(progress);
    }

    /// An error ends the delivery: what waits is stored, so that it counts as progress, and the error is noted.
    pub(super) async fn note_error(&self, error: &anyhow::Error) -> anyhow::Result<()> {
        let drained = self.journal.drain(async || self.confirm().await).await;
        self.lease.note_error(format!("{error:#}")).await?;
        Ok(drained?)
    }

    /// The delivery ends and another one goes on: what waits is stored, and that this one did not crash.
    pub(super) async fn release(&self) -> Result<(), LeaseError> {
        self.note_calls();
        self.journal.drain(async || self.confirm().await).await?;
        self.journal.store_calls(self.lanes().timeline()).await?;
        self.write_progress().await?;
        // A delivery that called nothing did not wait for a busy service: its time is too short for the file.
        if self.is_last_try() || self.lanes().calls().next().is_none() {
            return Ok(());
        }
        self.lease.release().await
    }
}

/// Waits for an instant; for ever if there is none.
pub(super) async fn reached(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// What must be answered before an instant, if there is one.
pub(super) async fn by_deadline<T>(instant: Option<Instant>, future: impl Future<Output = T>) -> anyhow::Result<T> {
    match instant {
        None => Ok(future.await),
        Some(instant) => {
            let answered = tokio::time::timeout_at(instant, future).await;
            answered.map_err(|_| anyhow::anyhow!("there was no time left for an answer"))
        }
    }
}

/// What is done as far as the time allows.
pub(super) async fn best_effort(instant: Option<Instant>, future: impl Future<Output = Result<(), anyhow::Error>>) {
    if let Err(why) = by_deadline(instant, future).await.and_then(|done| done) {
        warn!("the delivery does not end as it should: {why:#}");
    }
}
