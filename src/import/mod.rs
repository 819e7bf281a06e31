//! The story of one import, from the object to the report:
//!
//! find or begin it ([`State`]) → read the rows → whose they are → what the instance knows of them → what is left to do, less
//! what the [`Journal`] says is done → bring each user to it, many at once ([`bring`]) → report → answer ([`telling`]).
//!
//! On the way the [`guard`]s are asked, before the first write.

mod bring;
mod guard;
mod telling;

use std::cell::Cell;
use std::convert::Infallible;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::config::{Mode, Settings};
use crate::connect::Connect;
use crate::input::{Header, Record, Refusal};
use crate::journal::{Journal, Replay};
use crate::kind::{AnyRows, Heard, Kind, SCHEMAS, proficiency};
use crate::publish::{self, FirstPass, SummaryObject};
use crate::report::{ImportStatus, Summary, object};
use crate::state::{Answer, Asked, Begun, ImportError, Standing, State};
use crate::store::{Store, StoreError};
use crate::users::Users;

pub use telling::Progress;
use telling::{Past, answer};

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

/// One delivery: when it began, and when it must be over.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// The wall clock at its beginning.
    pub began: DateTime<Utc>,
    /// tokio's clock then.
    pub began_at: Instant,
    /// When nothing new is begun any more.
    pub deadline: Option<Instant>,
    /// When all must be over.
    pub end: Option<Instant>,
}

impl Delivery {
    fn now(&self) -> DateTime<Utc> {
        self.began + self.began_at.elapsed()
    }
}

/// A file that was read.
struct File {
    rows: AnyRows,
    header: Option<Header>,
    /// Where reading had to end before the file did.
    unreadable: Option<Refusal>,
    /// Why it was not read at all.
    failed: Option<Refusal>,
}

/// How the work of an import ended.
struct End<K: Kind> {
    header: Option<Header>,
    unreadable: Option<Refusal>,
    rejected: Option<Refusal>,
    failed: Option<Refusal>,
    is_cancelled: bool,
    rows: K,
    users: Option<Users>,
    known: Option<K::Known>,
}

impl<K: Kind> End<K> {
    fn of(rows: K, header: Option<Header>, unreadable: Option<Refusal>, failed: Option<Refusal>) -> Self {
        let rejected = unreadable.clone();
        Self { header, unreadable, rejected, failed, is_cancelled: false, rows, users: None, known: None }
    }
}

/// One delivery of an import that has begun.
struct Run {
    begun: Begun,
    delivery: Delivery,
    journal: Journal,
    /// What earlier deliveries did.
    past: Past,
    /// What the file is, once its header was read.
    kind: Cell<Option<&'static str>>,
    mode: Cell<Mode>,
}

/// How one delivery ended.
enum Ended {
    Over(Box<Over>),
    Deadline,
    TakenOver,
}

/// An import that is over.
struct Over {
    summary: Summary,
    /// Whether the report tells all that the journal knows.
    is_told: bool,
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
        let nonce = fastrand::u64(..);
        // Boxed: the futures of the SDK's calls, one in another, are too deep for the compiler otherwise.
        let open = Box::pin(State::open(&self.store, &self.settings, asked, delivery.now(), nonce));
        let standing = before(delivery.deadline, open).await.map_err(ImportError::Underway)?;
        match standing? {
            Standing::Over(answer) => {
                info!(import_id = answer.import_id, status = ?answer.status, "nothing to do any more");
                Ok(answer)
            }
            Standing::Open(state) => Box::pin(self.go_on(*state, delivery, nonce)).await.map_err(ImportError::Underway),
        }
    }

    async fn go_on(&self, state: State, delivery: &Delivery, nonce: u64) -> anyhow::Result<Answer> {
        let (hold, folder) = (state.hold(&self.store), state.folder());
        let taken = Journal::take_over(&self.store, hold, &folder, &state.begun.report, nonce);
        let (journal, replay) = before(delivery.deadline, taken).await??;
        let run = &Run {
            begun: state.begun.clone(),
            delivery: Delivery { began: delivery.now(), began_at: Instant::now(), ..*delivery },
            journal,
            past: Past::of(&replay),
            kind: Cell::default(),
            mode: Cell::new(state.begun.options.mode),
        };
        self.connect.lanes().begin(run.past.deliveries > 1);
        self.progress.send_replace(Progress { rows: run.past.rows, ..Progress::default() });
        let answer = Box::pin(self.go_through(state, run, replay)).await;
        if let Err(why) = &answer {
            in_time(delivery, run.journal.end_after(why)).await;
        }
        answer
    }

    async fn go_through(&self, mut state: State, run: &Run, replay: Replay) -> anyhow::Result<Answer> {
        let mut summary = SummaryObject::new(&run.begun.report);
        let work = Box::pin(async {
            summary.write(&self.store, &self.unfinished(run)).await?;
            Box::pin(self.work(run, replay, &mut summary)).await
        });
        let ended = tokio::select! {
            ended = work => ended?,
            stopped = run.journal.keep() => Ended::by(stopped)?,
            () = until(run.delivery.deadline) => Ended::Deadline,
        };
        let Over { summary: finished, is_told } = match ended {
            Ended::Over(over) => *over,
            Ended::Deadline => {
                // The work is dropped: users under way are read again by the next delivery.
                info!(import_id = run.begun.import_id, "deadline: the next delivery goes on");
                let unfinished = self.unfinished(run);
                in_time(&run.delivery, async {
                    let closed = run.journal.close(self.connect.lanes().calls()).await;
                    let told = summary.write(&self.store, &unfinished).await;
                    if let Err(error) = closed.and(told) {
                        warn!(import_id = run.begun.import_id, "the delivery ends without order: {error}");
                    }
                })
                .await;
                return Ok(answer(&run.begun, ImportStatus::InProgress, unfinished.rows));
            }
            Ended::TakenOver => return Ok(self.taken_over(run)),
        };

        let answer = answer(&run.begun, finished.status, finished.rows);
        let closed = async {
            summary.write(&self.store, &finished).await?;
            state.close(&self.store, &answer).await
        };
        match before(run.delivery.end, closed).await? {
            Err(error) if error.is_precondition() => return Ok(self.taken_over(run)),
            closed => closed?,
        }
        info!(import_id = answer.import_id, status = ?answer.status, rows = answer.rows.total(), "import is over");
        in_time(&run.delivery, async {
            let cleared = state.clear(&self.store).await;
            let cleared = cleared.and(if is_told { run.journal.clear().await } else { Ok(()) });
            if let Err(error) = cleared {
                warn!(import_id = answer.import_id, "the state is left to the bucket's lifecycle: {error}");
            }
        })
        .await;
        Ok(answer)
    }

    fn taken_over(&self, run: &Run) -> Answer {
        warn!(import_id = run.begun.import_id, "another delivery has taken the import over: this one stops");
        answer(&run.begun, ImportStatus::InProgress, self.progress.borrow().rows)
    }

    /// From the object to the report's tables, with the summary renewed meanwhile.
    async fn work(&self, run: &Run, replay: Replay, summary: &mut SummaryObject) -> anyhow::Result<Ended> {
        let work = Box::pin(async {
            let File { rows, header, unreadable, failed } = self.read(run).await?;
            match rows {
                AnyRows::Proficiencies(rows) => {
                    self.see_through(run, replay, End::of(rows, header, unreadable, failed)).await
                }
                AnyRows::UserConfig(rows) => {
                    self.see_through(run, replay, End::of(rows, header, unreadable, failed)).await
                }
            }
        });
        tokio::select! {
            over = work => Ok(Ended::Over(Box::new(over?))),
            () = self.renew(summary, run) => Ok(Ended::TakenOver),
        }
    }

    /// From the rows to the report's tables.
    async fn see_through<K: Kind>(&self, run: &Run, replay: Replay, end: End<K>) -> anyhow::Result<Over> {
        let end = Box::pin(self.bring_all(run, replay, end)).await?;
        // What is told is stored, so that whoever comes after this delivery tells the same.
        run.journal.settle(self.connect.lanes().calls()).await;
        Box::pin(self.report(run, &end)).await.context("the report could not be written")?;
        let is_told = end.header.is_some() || !run.past.has_begun_users;
        Ok(Over { summary: self.finished(run, &end), is_told })
    }

    async fn report<K: Kind>(&self, run: &Run, end: &End<K>) -> Result<(), StoreError> {
        let Run { begun: Begun { report, read_from: source, options, .. }, .. } = run;
        let Some(header) = &end.header else { return Ok(()) };
        let ledger = end.rows.ledger();
        let replaces = run.mode.get() == Mode::Replace;
        let users = end.users.as_ref().filter(|_| replaces);
        let of_users = users.map(|users| end.rows.of_users(users));
        let to_retry = users.map(|users| (users, end.rows.users_to_retry(users)));
        let heard = Heard {
            users: end.users.as_ref(),
            known: end.known.as_ref(),
            max_proficiencies: options.max_proficiencies_per_user,
            of_users: of_users.as_deref(),
        };
        let words = |place, header: &Header, record: &Record<'_>| {
            let mut words = end.rows.words(place, header, record, heard);
            // Dropped again, the rows to mend must be the whole truth for their users, too.
            words.needs_retry |= to_retry.as_ref().is_some_and(|(users, these)| ledger.is_one_of(place, users, these));
            words
        };
        let file = FirstPass { source, header, n_rows: ledger.len(), unreadable: end.unreadable.as_ref() };
        publish::tables(&self.store, report, file, SCHEMAS, words).await?;
        publish::plain(&self.store, report, object::REMOVED, proficiency::REMOVED, end.rows.removed()).await?;
        if let Some(users) = end.users.as_ref().filter(|_| !options.dry_run) {
            publish::plain(&self.store, report, object::UNDO, K::UNDO, end.rows.undo(users)).await?;
        }
        Ok(())
    }

    /// Renews the summary for as long as the import runs. It ends where a newer delivery has written its own.
    async fn renew(&self, summary: &mut SummaryObject, run: &Run) {
        loop {
            tokio::time::sleep(publish::REFRESH_INTERVAL).await;
            match summary.write(&self.store, &self.unfinished(run)).await {
                Err(error) if error.is_precondition() => return,
                Err(error) => warn!(import_id = run.begun.import_id, "the summary could not be renewed: {error}"),
                Ok(()) => {}
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What must be answered before a time, if there is one.
fn before<T>(time: Option<Instant>, future: impl Future<Output = T>) -> impl Future<Output = anyhow::Result<T>> {
    let future = Box::pin(future);
    async move {
        tokio::select! {
            done = future => Ok(done),
            () = until(time) => Err(anyhow::anyhow!("S3 did not answer in time")),
        }
    }
}

/// What is done as far as the delivery's time allows.
fn in_time(delivery: &Delivery, future: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let done = before(delivery.end, future);
    async move {
        if let Err(why) = done.await {
            warn!("the delivery does not end as it should: {why}");
        }
    }
}
