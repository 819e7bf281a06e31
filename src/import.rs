//! The story of one import, from the object to the report:
//!
//! find or begin it ([`State`]) → read the rows → whose they are ([`Users`]) → which attributes they mean ([`Catalog`]) →
//! what is left to do ([`Rows::settle`]) → bring each user to it, many at once ([`bring`]) → report → answer.

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
use crate::kind::proficiency::{Known, Rows, SCHEMA, Work, bring};
use crate::outcome::{Counts, Status, UserCounts};
use crate::publish::{self, AsRead, RENEWED_EVERY, SummaryObject};
use crate::report::{ImportStatus, Summary};
use crate::state::{Answer, Asked, Begun, ImportError, Standing, State};
use crate::store::{Location, Store, StoreError};
use crate::users::Users;

/// The kind of import, as the summary names it.
const KIND: &str = "proficiencies";
/// So many users are under way at once, so that reads run ahead of writes by no more. With more than 25 reads a second it
/// is two seconds' worth of them, for calls may be slow; but never so many that they fill the memory.
const USERS_UNDER_WAY: usize = 50;
const MOST_USERS_UNDER_WAY: usize = 1000;
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
    /// Users that are to be read.
    pub n_users: usize,
    /// Users that are done.
    pub n_users_done: usize,
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
    header: Option<Header>,
    rows: Rows,
    users: Option<Users>,
    catalog: Option<Catalog>,
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
        let begun = state.begun.clone();
        let delivery = &Delivery { began: delivery.now(), began_at: Instant::now(), ..*delivery };
        self.connect.lanes().begin(state.is_resumed());
        self.progress.send_replace(Progress::default());
        let mut summary = SummaryObject::new(&begun.report);
        summary.write(&self.store, &self.unfinished(&begun, delivery)).await?;

        let work = Box::pin(self.work(&begun));
        let ended = tokio::select! {
            end = work => Some(end?),
            () = self.renew(&mut summary, &begun, delivery) => None,
            () = until(delivery.deadline) => None,
        };
        let Some(end) = ended else {
            let unfinished = self.unfinished(&begun, delivery);
            summary.write(&self.store, &unfinished).await?;
            info!(import_id = begun.import_id, "deadline: the next delivery goes on");
            return Ok(answer(&begun, ImportStatus::InProgress, unfinished.rows));
        };

        let finished = self.finished(&begun, delivery, &end);
        let answer = answer(&begun, finished.status, finished.rows);
        summary.write(&self.store, &finished).await?;
        state.close(&self.store, &answer).await?;
        info!(import_id = begun.import_id, status = ?answer.status, rows = answer.rows.total(), "import is over");
        Ok(answer)
    }

    /// From the object to the report's tables.
    async fn work(&self, begun: &Begun) -> anyhow::Result<End> {
        let end = self.bring_all(begun).await?;
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
        Ok(end)
    }

    /// Reads the file, checks it, and brings each user to what it says.
    async fn bring_all(&self, begun: &Begun) -> anyhow::Result<End> {
        let mut end = match self.read(&begun.read_from).await {
            Ok(end) => end,
            Err(error) if error.is_gone() => return Ok(End { failed: Some(gone(begun)), ..End::default() }),
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
            Err(error) => return Ok(End { failed: Some(refusal(&error)), ..end }),
        };
        let catalog = match Catalog::read(&self.connect, &end.rows.wanted_pairs()).await {
            Ok(catalog) => end.catalog.insert(catalog),
            Err(error) => return Ok(End { failed: Some(refusal(&error)), ..end }),
        };
        let work = end.rows.settle(users, catalog);
        end.rejected = mostly_invalid(begun, end.rows.counts());
        if end.rejected.is_none() {
            let stopped = self.apply(begun, &mut end.rows, users, work).await;
            end.failed = stopped.or_else(|| self.connect.lanes().denied()).as_ref().map(refusal);
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
    async fn apply(&self, begun: &Begun, rows: &mut Rows, users: &Users, work: Vec<Work>) -> Option<ConnectError> {
        let options = &begun.options;
        let mut progress = Progress { rows: rows.counts(), n_users: work.len(), n_users_done: 0 };
        self.progress.send_replace(progress);
        let mut waiting = work.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut stopped = None;
        loop {
            while under_way.len() < self.users_under_way() && stopped.is_none() {
                let Some(work) = waiting.next() else { break };
                let items = rows.items(work);
                under_way.push(async move {
                    let limit = options.max_proficiencies_per_user;
                    (bring(&self.connect, users.id(work.user), &items, limit, options.dry_run).await, work)
                });
            }
            let Some((brought, work)) = under_way.next().await else { return stopped };
            rows.record(work, &brought.fates, options.dry_run);
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
    async fn renew(&self, summary: &mut SummaryObject, begun: &Begun, delivery: &Delivery) {
        loop {
            sleep(RENEWED_EVERY).await;
            match summary.write(&self.store, &self.unfinished(begun, delivery)).await {
                Err(error) if error.is_precondition() => {
                    warn!(
                        import_id = begun.import_id,
                        "another delivery of the same import is at work: this one stops"
                    );
                    return;
                }
                Err(error) => warn!(import_id = begun.import_id, "the summary could not be renewed: {error}"),
                Ok(()) => {}
            }
        }
    }

    fn unfinished(&self, begun: &Begun, delivery: &Delivery) -> Summary {
        let progress = *self.progress.borrow();
        let now = delivery.now();
        let elapsed = (now - delivery.began).as_seconds_f64();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let share_done = progress.n_users_done as f64 / progress.n_users as f64;
        let left = Duration::try_from_secs_f64(elapsed * (1.0 - share_done) / share_done).ok();
        let expected_at = left.filter(|_| share_done > 0.0).map(|left| now + left);
        Summary { rows: progress.rows, expected_at, ..self.summary(begun) }
    }

    fn finished(&self, begun: &Begun, delivery: &Delivery, end: &End) -> Summary {
        let rows = end.rows.counts();
        let said = |why: &Refusal| (Some(why.code.clone().into_owned()), Some(why.message.clone()));
        let (status, (code, message)) = match (&end.failed, &end.rejected) {
            (Some(why), _) => (ImportStatus::Failed, said(why)),
            (_, Some(why)) => (ImportStatus::Rejected, said(why)),
            (None, None) if rows.to_retry() > 0 => (ImportStatus::CompletedWithErrors, (None, None)),
            (None, None) => (ImportStatus::Succeeded, (None, None)),
        };
        let finished_at = Some(delivery.now());
        Summary { status, code, message, rows, users: end.rows.users(), finished_at, ..self.summary(begun) }
    }

    fn summary(&self, begun: &Begun) -> Summary {
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
            calls: self.connect.lanes().calls().map(|(operation, calls)| (operation.name(), calls)).collect(),
            started_at: begun.started_at,
            finished_at: None,
            expected_at: None,
            deliveries: begun.deliveries,
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
    if let Some(message) = &begun.bad_options {
        return Some(Refusal::new("invalid_option", message.clone()));
    }
    let replace = "mode=replace is not there yet. Use mode=merge, with `remove` in a column `action`.";
    (begun.options.mode == Mode::Replace).then(|| Refusal::new("unsupported_mode", replace))
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
