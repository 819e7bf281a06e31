//! The story of one import, from the object to the report:
//!
//! find or begin it ([`State`]) → read the rows → whose they are ([`Users`]) → which attributes they mean ([`Catalog`]) →
//! what is left to do ([`Rows::settle`], less what the [`Journal`] says is done) → bring each user to it, many at once
//! ([`bring`]) → report → answer.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::attributes::Catalog;
use crate::config::{Mode, Settings};
use crate::connect::{Connect, ConnectError, Operation};
use crate::input::{Header, Record, Refusal};
use crate::journal::{Journal, Replay};
use crate::kind::proficiency::{Fate, Known, Rows, SCHEMA, Terms, Work, bring};
use crate::outcome::{Counts, Status, UserCounts};
use crate::publish::{self, AsRead, RENEWED_EVERY, SummaryObject};
use crate::report::{ImportStatus, Summary};
use crate::state::{Answer, Asked, Begun, ImportError, Refused, Standing, State};
use crate::store::{Location, Store, StoreError};
use crate::users::Users;

/// The kind of import, as the summary names it.
const KIND: &str = "proficiencies";
/// So many users are under way at once, so that reads run ahead of writes by no more. With more than 25 reads a second it
/// is two seconds' worth of them, for calls may be slow; but never so many that they fill the memory.
const USERS_UNDER_WAY: usize = 50;
const MOST_USERS_UNDER_WAY: usize = 1000;
/// Deliveries that died, one after another, before the import is given up.
const MAX_DEATHS: u32 = 20;
/// An import that has changed users ends only with a report that says so.
const CANNOT_END: &str =
    "the import has begun and cannot go on; without the instance's users and attributes it cannot end";
/// A guard speaks only of files with at least so many rows.
const GUARDED_ROWS: u64 = 10;

/// What an import works with: built once at start.
#[derive(Debug)]
pub struct Importer {
    /// The settings.
    pub settings: Settings,
    /// The instance.
    pub connect: Connect,
    /// Object storage.
    pub store: Store,
    /// How far the import under way is, for whoever wants to see it.
    pub progress: watch::Sender<Progress>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows by status.
    pub rows: Counts,
    /// Users with rows to be tried.
    pub n_users: usize,
    /// Users that are done.
    pub n_users_done: usize,
    /// Those of them that earlier deliveries did.
    pub n_users_before: usize,
}

/// One delivery: when it began, and when it must be over.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// The wall clock at its beginning.
    pub began: DateTime<Utc>,
    /// tokio's clock then.
    pub began_at: Instant,
    /// When nothing new is begun any more.
    pub deadline: Option<Instant>,
}

impl Delivery {
    fn now(&self) -> DateTime<Utc> {
        self.began + self.began_at.elapsed()
    }
}

/// How the work of an import ended.
#[derive(Default)]
struct End {
    /// Where reading had to end before the file did.
    unreadable: Option<Refusal>,
    rejected: Option<Refusal>,
    failed: Option<Refusal>,
    is_cancelled: bool,
    header: Option<Header>,
    rows: Rows,
    users: Option<Users>,
    catalog: Option<Catalog>,
}

/// One delivery of an import that has begun.
struct Run {
    begun: Begun,
    delivery: Delivery,
    journal: Journal,
    replay: Replay,
}

/// How one delivery ended.
enum Ended {
    Over(Box<End>),
    Deadline,
    TakenOver,
}

impl Ended {
    /// The journal stops a delivery when it cannot be kept.
    fn by(stopped: Result<Infallible, StoreError>) -> Result<Self, StoreError> {
        match stopped {
            Err(error) if error.is_precondition() => Ok(Self::TakenOver),
            Err(error) => Err(error),
        }
    }
}

impl Importer {
    /// Serves one delivery of an import: begins it, or goes on with it, or gives the answer that it had.
    pub async fn run(&self, asked: &Asked, delivery: &Delivery) -> Result<Answer, ImportError> {
        // Boxed: the futures of the SDK's calls, one in another, are too deep for the compiler otherwise.
        let standing = Box::pin(State::open(&self.store, &self.settings, asked, delivery.now())).await;
        match standing? {
            Standing::Over(answer) => {
                info!(import_id = answer.import_id, status = ?answer.status, "nothing to do any more");
                Ok(answer)
            }
            Standing::Open(state) => Box::pin(self.go_on(*state, delivery)).await.map_err(ImportError::Underway),
        }
    }

    async fn go_on(&self, state: State, delivery: &Delivery) -> anyhow::Result<Answer> {
        let nonce = fastrand::u64(..);
        let (journal, replay) = Journal::take_over(&self.store, &state.folder(), &state.begun.report, nonce).await?;
        let run = &Run {
            begun: state.begun.clone(),
            delivery: Delivery { began: delivery.now(), began_at: Instant::now(), ..*delivery },
            journal,
            replay,
        };
        self.connect.lanes().begin(run.replay.deliveries > 1);
        self.progress.send_replace(Progress { rows: run.replay.counts(), ..Progress::default() });
        let answer = Box::pin(self.go_through(state, run)).await;
        if let Err(why) = &answer
            && let Err(also) = run.journal.close().await
        {
            warn!("the delivery ends without order, for {why:#}: {also}");
        }
        answer
    }

    async fn go_through(&self, state: State, run: &Run) -> anyhow::Result<Answer> {
        let mut summary = SummaryObject::new(&run.begun.report);
        summary.write(&self.store, &self.unfinished(run)).await?;

        let work = Box::pin(self.work(run));
        let ended = tokio::select! {
            end = work => Ended::Over(Box::new(end?)),
            stopped = run.journal.keep() => Ended::by(stopped)?,
            () = self.renew(&mut summary, run) => Ended::TakenOver,
            () = until(run.delivery.deadline) => Ended::Deadline,
        };
        let end = match ended {
            Ended::Over(end) => end,
            Ended::Deadline => {
                // The work is dropped: users under way are read again by the next delivery.
                run.journal.close().await?;
                let unfinished = self.unfinished(run);
                summary.write(&self.store, &unfinished).await?;
                info!(import_id = run.begun.import_id, "deadline: the next delivery goes on");
                return Ok(answer(&run.begun, ImportStatus::InProgress, unfinished.rows));
            }
            Ended::TakenOver => {
                warn!(import_id = run.begun.import_id, "another delivery has taken the import over: this one stops");
                return Ok(answer(&run.begun, ImportStatus::InProgress, self.progress.borrow().rows));
            }
        };

        let finished = self.finished(run, &end);
        let answer = answer(&run.begun, finished.status, finished.rows);
        summary.write(&self.store, &finished).await?;
        state.close(&self.store, &answer).await?;
        let is_told = end.header.is_some() || !run.replay.has_begun_users();
        if is_told && let Err(error) = run.journal.clear().await {
            warn!(import_id = answer.import_id, "the journal is left to the bucket's lifecycle: {error}");
        }
        info!(import_id = answer.import_id, status = ?answer.status, rows = answer.rows.total(), "import is over");
        Ok(answer)
    }

    /// From the object to the report's tables.
    async fn work(&self, run: &Run) -> anyhow::Result<End> {
        let begun = &run.begun;
        let end = self.bring_all(run).await?;
        if let Some(header) = &end.header {
            let max_proficiencies = begun.options.max_proficiencies_per_user;
            let known = Known { users: end.users.as_ref(), catalog: end.catalog.as_ref(), max_proficiencies };
            let words = |place, header: &Header, record: &Record<'_>| end.rows.words(place, header, record, &known);
            let (source, unreadable) = (&begun.read_from, end.unreadable.as_ref());
            let file = AsRead { source, header, n_rows: end.rows.len(), unreadable };
            publish::tables(&self.store, &begun.report, file, SCHEMA, words)
                .await
                .context("the report could not be written")?;
        }
        if let Some(users) = &end.users {
            publish::undo(&self.store, &begun.report, end.rows.undo(users)).await?;
        }
        Ok(end)
    }

    /// Reads the file, checks it, and brings each user to what it says.
    async fn bring_all(&self, run: &Run) -> anyhow::Result<End> {
        let begun = &run.begun;
        if run.replay.deaths >= MAX_DEATHS + 3 {
            // Even the attempt to write its report was deadly. What the journal says stays where it is.
            return Ok(End { failed: Some(died_too_often(run.replay.deaths)), ..End::default() });
        }
        let mut end = match self.read(&begun.read_from).await {
            Ok(end) => end,
            Err(error) if error.is_gone() && !run.replay.has_begun_users() => {
                return Ok(End { failed: Some(gone(begun)), ..End::default() });
            }
            Err(error) => return Err(error).context("the object could not be read"),
        };
        end.rejected = end.unreadable.clone().or_else(|| end.rows.is_empty().then(no_rows)).or_else(|| refused(begun));
        if !end.rows.has_pending() {
            end.rejected = end.rejected.or_else(|| mostly_invalid(begun, end.rows.counts()));
            return Ok(end);
        }
        if end.rejected.is_some() {
            return Ok(end);
        }
        let instance_id = &self.settings.instance_id;
        let users = match Users::find(&self.connect, instance_id, &end.rows.wanted_users()).await {
            Ok(users) => end.users.insert(users),
            Err(error) if run.replay.has_begun_users() => return Err(error).context(CANNOT_END),
            Err(error) => return Ok(End { failed: Some(refusal(&error)), ..end }),
        };
        let catalog = match Catalog::read(&self.connect, &end.rows.wanted_pairs()).await {
            Ok(catalog) => end.catalog.insert(catalog),
            Err(error) if run.replay.has_begun_users() => return Err(error).context(CANNOT_END),
            Err(error) => return Ok(End { failed: Some(refusal(&error)), ..end }),
        };
        let work = end.rows.settle(users, catalog);
        // A guard that was passed is not asked again.
        if !run.replay.has_begun_users() {
            end.rejected = mostly_invalid(begun, end.rows.counts());
        }
        let work = end.rows.restore(&run.replay.done, work);
        if run.replay.deaths >= MAX_DEATHS {
            // Of users whose writes may have started, what was done is seen and told, so that it can be taken back.
            let started = work.into_iter().filter(|work| run.replay.held.contains_key(users.id(work.user)));
            self.apply(run, &mut end.rows, users, started.collect()).await;
            end.failed = Some(died_too_often(run.replay.deaths));
        } else if end.rejected.is_none() {
            let stopped = self.apply(run, &mut end.rows, users, work).await;
            end.failed = stopped.or_else(|| self.connect.lanes().denied()).as_ref().map(refusal);
            end.is_cancelled = run.journal.is_cancelled() && end.rows.has_pending();
        }
        Ok(end)
    }

    async fn read(&self, from: &Location) -> Result<End, StoreError> {
        let mut end = End::default();
        match publish::read_rows(&self.store, from, SCHEMA, |header, record| end.rows.push(header, &record)).await? {
            Ok(header) => end.header = Some(header),
            Err((header, unreadable)) => {
                end.header = header;
                end.unreadable = Some(unreadable);
            }
        }
        Ok(end)
    }

    /// Brings the users to what their rows say, some at once, until all are done or a refusal stops the import.
    async fn apply(&self, run: &Run, rows: &mut Rows, users: &Users, work: Vec<Work>) -> Option<ConnectError> {
        let Run { begun: Begun { options, .. }, journal, replay, .. } = run;
        let n_users_before = replay.n_users_done();
        let mut progress = Progress {
            rows: rows.counts(),
            n_users: n_users_before + work.len(),
            n_users_done: n_users_before,
            n_users_before,
        };
        self.progress.send_replace(progress);
        let mut waiting = work.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut stopped = None;
        loop {
            while under_way.len() < self.users_under_way() && stopped.is_none() && !journal.is_cancelled() {
                let Some(work) = waiting.next() else { break };
                let (id, items) = (users.id(work.user), rows.items(work));
                let limit = options.max_proficiencies_per_user;
                let (is_dry_run, is_only_seen) = (options.dry_run, replay.deaths >= MAX_DEATHS);
                let terms = Terms { limit, is_dry_run, is_only_seen, before: replay.held.get(id) };
                under_way.push(async move {
                    let plan_is_made = async |held: &_| journal.plan(id, held).await;
                    (bring(&self.connect, id, &items, terms, plan_is_made).await, work)
                });
            }
            let Some((brought, work)) = under_way.next().await else { return stopped };
            rows.record(work, &brought.fates, options.dry_run);
            if !brought.fates.contains(&Fate::Pending) {
                journal.done(users.id(work.user), rows.told(work), self.connect.lanes().calls());
            }
            stopped = stopped.or(brought.stop);
            progress.rows = rows.counts();
            progress.n_users_done += 1;
            self.progress.send_replace(progress);
        }
    }

    fn users_under_way(&self) -> usize {
        let reads = self.settings.rates.of(Operation::ListUserProficiencies).per_second;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is at most 100,000")]
        let in_two_seconds = (reads * 2.0) as usize;
        in_two_seconds.clamp(USERS_UNDER_WAY, MOST_USERS_UNDER_WAY)
    }

    /// Renews the summary for as long as the import runs. It ends where a newer delivery has written its own.
    async fn renew(&self, summary: &mut SummaryObject, run: &Run) {
        loop {
            sleep(RENEWED_EVERY).await;
            match summary.write(&self.store, &self.unfinished(run)).await {
                Err(error) if error.is_precondition() => return,
                Err(error) => warn!(import_id = run.begun.import_id, "the summary could not be renewed: {error}"),
                Ok(()) => {}
            }
        }
    }

    fn unfinished(&self, run: &Run) -> Summary {
        let progress = *self.progress.borrow();
        let now = run.delivery.now();
        let elapsed = (now - run.delivery.began).as_seconds_f64();
        let (left, done_now) =
            (progress.n_users - progress.n_users_done, progress.n_users_done - progress.n_users_before);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let left = Duration::try_from_secs_f64(elapsed * left as f64 / done_now as f64).ok();
        let expected_at = left.filter(|_| done_now > 0).map(|left| now + left);
        Summary { rows: progress.rows, expected_at, ..self.summary(run) }
    }

    fn finished(&self, run: &Run, end: &End) -> Summary {
        let rows = end.rows.counts();
        let said = |why: &Refusal| (Some(why.code.clone().into_owned()), Some(why.message.clone()));
        let (status, (code, message)) = match (&end.failed, &end.rejected) {
            (Some(why), _) => (ImportStatus::Failed, said(why)),
            (_, Some(why)) => (ImportStatus::Rejected, said(why)),
            (None, None) if end.is_cancelled => (ImportStatus::Cancelled, (None, None)),
            (None, None) if rows.to_retry() > 0 => (ImportStatus::CompletedWithErrors, (None, None)),
            (None, None) => (ImportStatus::Succeeded, (None, None)),
        };
        let finished_at = Some(run.delivery.now());
        Summary { status, code, message, rows, users: end.rows.users(), finished_at, ..self.summary(run) }
    }

    fn summary(&self, run: &Run) -> Summary {
        let begun = &run.begun;
        let mut calls = run.replay.calls.clone();
        for (operation, of_now) in self.connect.lanes().calls() {
            calls.entry(operation.name().to_owned()).or_default().add(&of_now);
        }
        Summary {
            import_id: begun.import_id.clone(),
            source: begun.source.to_string(),
            version: begun.version.clone(),
            kind: KIND,
            mode: begun.options.mode,
            dry_run: begun.options.dry_run,
            status: ImportStatus::InProgress,
            code: None,
            message: None,
            rows: Counts::default(),
            implied_removals: 0,
            users: UserCounts::default(),
            calls,
            started_at: begun.started_at,
            finished_at: None,
            expected_at: None,
            deliveries: run.replay.deliveries,
        }
    }
}

fn answer(begun: &Begun, status: ImportStatus, rows: Counts) -> Answer {
    Answer { import_id: begun.import_id.clone(), status, report: Some(begun.report.to_string()), rows }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn no_rows() -> Refusal {
    Refusal::new("no_rows", "The file has a header and no rows below it.")
}

/// Options that cannot be followed.
fn refused(begun: &Begun) -> Option<Refusal> {
    if let Some(Refused { code, message }) = &begun.refused {
        return Some(Refusal::new(code.clone(), message.clone()));
    }
    let replace = "mode=replace is not there yet. Use mode=merge, with `remove` in a column `action`.";
    (begun.options.mode == Mode::Replace).then(|| Refusal::new("unsupported_mode", replace))
}

fn died_too_often(deaths: u32) -> Refusal {
    let message =
        format!("{deaths} deliveries died one after another. What is pending was not tried; drop retry.csv again.");
    Refusal::new("died_too_often", message)
}

/// What stopped an import, in words.
fn refusal(error: &ConnectError) -> Refusal {
    Refusal::new(error.code.clone(), format!("{} ({})", error.sentence(), error.operation))
}

fn gone(begun: &Begun) -> Refusal {
    let message = format!("{} is gone: it was deleted after the import had begun. Drop the file again.", begun.source);
    Refusal::new("object_gone", message)
}

/// The guard against a file that is mostly wrong.
fn mostly_invalid(begun: &Begun, rows: Counts) -> Option<Refusal> {
    let (invalid, total, most) = (rows.of(Status::Invalid), rows.total(), begun.options.max_invalid_percent);
    (total >= GUARDED_ROWS && most.is_exceeded_by(invalid, total)).then(|| {
        let message = format!(
            "{invalid} of {total} rows are invalid, more than {most} percent, so nothing was written. Mend them, or import \
             the others with a request that has \"max_invalid_percent\": 100."
        );
        Refusal::new("too_many_invalid", message)
    })
}
