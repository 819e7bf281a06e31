//! The other way round: what all users have becomes a file that can be dropped. It is journaled as an import is, so that an
//! export goes on over deliveries and deaths; and the file is complete, or it is not there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use tracing::warn;

use super::finish::Finished;
use super::progress::{History, Progress};
use super::request::ExportRequest;
use super::run::{Run, Verdict};
use crate::connect::{ConnectError, ErrorKind, NOT_FOUND, UserId};
use crate::kind::{Export, FileKind, ProficiencyRows, Target, UserConfigRows};
use crate::outcome::{Counts, Problem, Status, UserCounts};
use crate::report::{Details, PlainSheet, counted, cut, delete_stale, first_line, grouped};
use crate::resolve::{ListedUser, list_users};
use crate::state::{Completed, LeaseError, Replay};

/// So many users are named in a sentence.
const MAX_NAMED: usize = 10;
/// The letters of a name, and of what it has, in a sentence.
const MAX_LETTERS: usize = 120;

/// What is known of a user: its name when it was read, and what it had, in its kind's form; nothing if it was gone.
type ReadUser = (String, Option<Box<RawValue>>);

/// What an export found.
#[derive(Debug, Default)]
pub(super) struct ExportOutcome {
    /// Rows of the table.
    n_rows: u64,
    /// Users that the table tells all of.
    n_told: u64,
    /// Users of whom it does not say all, by name, with what that is.
    left_out: Vec<(String, String)>,
    /// Names of users who were deleted meanwhile.
    gone: Vec<String>,
}

impl ExportOutcome {
    /// Rows by status: what a row says is what its user has.
    pub(super) fn rows(&self) -> Counts {
        let mut rows = Counts::default();
        (0..self.n_rows).for_each(|_| rows.add(Status::Unchanged));
        rows
    }

    /// Users by what the table says of them.
    pub(super) fn users(&self) -> UserCounts {
        let with_errors = self.left_out.len() as u64;
        UserCounts { total: self.n_told + with_errors, changed: 0, unchanged: self.n_told, with_errors }
    }

    /// Whether it tells all that users have.
    pub(super) fn is_whole(&self) -> bool {
        self.left_out.is_empty()
    }

    /// What the table does not tell.
    pub(super) fn message(&self) -> Option<String> {
        let names = |names: &mut dyn Iterator<Item = String>, n: usize| {
            let mut named: Vec<String> = names.take(MAX_NAMED).collect();
            if n > named.len() {
                named.push(format!("and {} more", grouped((n - named.len()) as u64)));
            }
            named.join(", ")
        };
        let users = |n: usize, one: &str, more: &str| {
            format!("{} {}", counted(n as u64, "user"), if n == 1 { one } else { more })
        };
        let left_out = (!self.left_out.is_empty()).then(|| {
            let n = self.left_out.len();
            let mut each = self
                .left_out
                .iter()
                .map(|(name, what)| format!("{} ({})", cut(name, MAX_LETTERS), cut(what, MAX_LETTERS)));
            let users = users(n, "has", "have");
            format!("{users} what this form of a file cannot say, and that is left out: {}.", names(&mut each, n))
        });
        let gone = (!self.gone.is_empty()).then(|| {
            let n = self.gone.len();
            let mut each = self.gone.iter().map(|name| cut(name, MAX_LETTERS));
            let users =
                users(n, "was deleted while the export ran, and is", "were deleted while the export ran, and are");
            format!("{users} left out: {}.", names(&mut each, n))
        });
        let sentences: Vec<String> = left_out.into_iter().chain(gone).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// Does all that is left of an export.
pub(super) async fn export(
    run: &Run<'_>,
    request: &ExportRequest,
    foregone: Option<Verdict>,
) -> anyhow::Result<Finished> {
    match request.export {
        FileKind::Proficiencies => export_kind::<ProficiencyRows>(run, request, foregone).await,
        FileKind::UserConfig => export_kind::<UserConfigRows>(run, request, foregone).await,
    }
}

async fn export_kind<R: Export>(
    run: &Run<'_>,
    request: &ExportRequest,
    foregone: Option<Verdict>,
) -> anyhow::Result<Finished> {
    let mut directory = Directory::resume::<R>(run).await?;
    let read = match foregone {
        Some(verdict) => Err(verdict),
        None => directory.read_all::<R>(run).await?,
    };
    // What is told is stored, so that whoever comes after this delivery tells the same.
    run.note_calls();
    run.journal.sync().await;
    run.confirm().await?;
    let written = match read {
        Ok(users) => {
            Box::pin(directory.write::<R>(run, request, &users)).await.context("the table could not be written")?
        }
        Err(verdict) => Err(verdict),
    };
    let (store, folder) = (&run.importer.store, &run.record().report);
    let (exported, verdict, objects) = match written {
        Ok(exported) => (exported, Verdict::Completed, vec![R::TABLE.into()]),
        Err(verdict) => {
            delete_stale(store, folder, R::TABLE).await?;
            (ExportOutcome::default(), verdict, Vec::new())
        }
    };
    let details = Details { objects, ..Details::default() };
    Ok(Finished::of_export(run.exported(&exported, &verdict), details))
}

/// The users of the instance, as far as they were read.
#[derive(Debug, Default)]
struct Directory {
    read: BTreeMap<UserId, ReadUser>,
    /// Those that could not be read: the service refused it.
    refused: BTreeMap<UserId, ConnectError>,
    /// The names of all that were listed.
    names: BTreeMap<UserId, String>,
}

impl Directory {
    /// What earlier deliveries read.
    async fn resume<R: Export>(run: &Run<'_>) -> anyhow::Result<Self> {
        let (mut directory, mut unreadable) = (Self::default(), Ok(()));
        let replay = if run.record().is_resumed() {
            let visit = |Completed { user, effects, .. }: Completed| match parse::<R>(effects.as_deref()) {
                Ok(read) => _ = directory.read.insert(user, read),
                Err(error) => unreadable = Err(error),
            };
            let replayed = run.journal.replay(async || run.confirm().await, visit).await;
            let replay = replayed.context("the journal cannot be read")?;
            unreadable.context("the journal cannot be read")?;
            replay
        } else {
            Replay::default()
        };
        run.begin_lanes(&replay.lanes);
        run.history.replace(History::of(&replay));
        run.show_resumed(Counts::default());
        Ok(directory)
    }

    /// Reads each user that was not read yet, and lists them again until there is none: whoever was made meanwhile is read, too,
    /// and whoever is not listed any more was deleted.
    async fn read_all<R: Export>(&mut self, run: &Run<'_>) -> anyhow::Result<Result<Vec<ListedUser>, Verdict>> {
        loop {
            let settings = &run.importer.settings;
            let listed = run.unless_abandoned(list_users(&run.importer.connect, &settings.instance_id)).await;
            let users = match listed {
                None => return Ok(Err(Verdict::Cancelled)),
                Some(Err(error)) => return Ok(Err(Verdict::unasked(&error))),
                Some(Ok(users)) => users,
            };
            self.names.extend(users.iter().map(|user| (user.id.clone(), user.username.clone())));
            let is_unread =
                |user: &&ListedUser| !(self.read.contains_key(&user.id) || self.refused.contains_key(&user.id));
            let unread: Vec<&ListedUser> = users.iter().filter(is_unread).collect();
            if unread.is_empty() {
                let refusal = users.iter().find_map(|user| Some((user, self.refused.get(&user.id)?)));
                return Ok(match refusal {
                    Some((user, error)) => Err(unreadable(user, error)),
                    None => Ok(users),
                });
            }
            if let Err(verdict) = self.read_each::<R>(run, &unread).await? {
                return Ok(Err(verdict));
            }
        }
    }

    /// Reads these users, many at once.
    async fn read_each<R: Export>(
        &mut self,
        run: &Run<'_>,
        users: &[&ListedUser],
    ) -> anyhow::Result<Result<(), Verdict>> {
        let (connect, n_before) = (&run.importer.connect, self.read.len());
        let mut progress = Progress {
            n_users: n_before + users.len(),
            n_users_done: n_before,
            n_users_before: n_before,
            since: Some(Instant::now()),
            reads_per_second: run.lanes().rates().per_second(R::Target::READ),
            ..Progress::default()
        };
        run.show(progress);
        let (mut waiting, mut under_way) = (users.iter(), FuturesUnordered::new());
        loop {
            while under_way.len() < run.users_under_way(R::Target::READ) && !run.is_cancelled() {
                let Some(user) = waiting.next() else { break };
                under_way.push(async { (*user, R::Target::read(connect, &user.id).await) });
            }
            if waiting.len() == 0 {
                run.journal.hurry();
            }
            let Some(read) = run.unless_abandoned(under_way.next()).await else { return Ok(Err(Verdict::Cancelled)) };
            let Some((user, read)) = read else { break };
            match read {
                Ok(held) => self.keep(run, user, Some(to_raw_value(&held).context("what a user has is no JSON")?))?,
                Err(error) if error.stops_import || error.kind == ErrorKind::NotSent => {
                    return Ok(Err(Verdict::unasked(&error)));
                }
                Err(error) if error.code == NOT_FOUND => self.keep(run, user, None)?,
                Err(error) => {
                    warn!(user = user.id.as_str(), "a user could not be read: {error}");
                    self.refused.insert(user.id.clone(), error);
                }
            }
            progress.n_users_done += 1;
            run.show(progress);
        }
        Ok(if run.is_cancelled() { Err(Verdict::Cancelled) } else { Ok(()) })
    }

    /// Keeps what a user has, in the journal too.
    fn keep(&mut self, run: &Run<'_>, user: &ListedUser, held: Option<Box<RawValue>>) -> anyhow::Result<()> {
        let read: ReadUser = (user.username.clone(), held);
        let effects = Some(to_raw_value(&read).context("what a user has is no JSON")?);
        run.note_calls();
        run.journal.complete(Completed { user: user.id.clone(), rows: Vec::new(), effects });
        self.read.insert(user.id.clone(), read);
        Ok(())
    }

    /// What a user has, unless it was gone when it was read.
    fn held<T: DeserializeOwned>(&self, user: &ListedUser) -> Option<T> {
        let (_, held) = self.read.get(&user.id)?;
        // Our own text; what a journal had was checked when it was read.
        held.as_ref().and_then(|held| serde_json::from_str(held.get()).ok())
    }

    /// Writes the table of all users.
    async fn write<R: Export>(
        &self,
        run: &Run<'_>,
        request: &ExportRequest,
        users: &[ListedUser],
    ) -> Result<Result<ExportOutcome, Verdict>, LeaseError> {
        let mut exported = ExportOutcome::default();
        let mut named = Vec::new();
        for user in users.iter().filter(|user| self.read.get(&user.id).is_some_and(|(_, held)| held.is_some())) {
            match &user.cell {
                Some(cell) => named.push((user, cell)),
                None => exported
                    .left_out
                    .push((user.username.clone(), format!("neither its name nor its id {} can be written", user.id))),
            }
        }
        let held = named.iter().filter_map(|(user, _)| self.held(user));
        let layout = R::layout(&run.importer.connect, request.form.unwrap_or_default(), held);
        let layout = match run.unless_abandoned(layout).await {
            None => return Ok(Err(Verdict::Cancelled)),
            Some(Err(error)) => return Ok(Err(Verdict::unasked(&error))),
            Some(Ok(Err(problem))) => return Ok(Err(Verdict::Rejected(problem))),
            Some(Ok(Ok(layout))) => layout,
        };
        let header = R::header(&layout);
        if let Err(problem) = R::check_header(&layout, &first_line(&header)) {
            return Ok(Err(Verdict::Rejected(problem)));
        }
        let mut table = PlainSheet::of_export(&run.importer.store, &run.record().report, R::TABLE, &header);
        for (user, cell) in named {
            let Some(held) = self.held(user) else { continue };
            let of_user = R::export(&layout, cell, &held);
            for line in &of_user.lines {
                table.push(line).await?;
            }
            exported.n_rows += of_user.n_rows;
            match of_user.left_out.as_slice() {
                [] => exported.n_told += 1,
                left_out => exported.left_out.push((user.username.clone(), left_out.join(", "))),
            }
        }
        // The table takes the place of what an earlier delivery left: not if a newer one has the export.
        if let Err(error) = run.confirm().await {
            table.abort().await;
            return Err(error);
        }
        table.finish().await?;
        exported.gone = self.gone(users);
        Ok(Ok(exported))
    }

    /// The names of those who were deleted since they were listed first.
    fn gone(&self, users: &[ListedUser]) -> Vec<String> {
        let listed: BTreeSet<&UserId> = users.iter().map(|user| &user.id).collect();
        let read = self.read.iter().map(|(id, (name, held))| (id, name, held.is_some()));
        let others = self.names.iter().filter(|(id, _)| !self.read.contains_key(id)).map(|(id, name)| (id, name, true));
        let gone = read.chain(others).filter(|(id, _, is_there)| !(*is_there && listed.contains(id)));
        let mut names: Vec<String> = gone.map(|(_, name, _)| name.clone()).collect();
        names.sort();
        names
    }
}

/// What a journal has of a user. What cannot be read must not pass for nothing when the table is written.
fn parse<R: Export>(effects: Option<&RawValue>) -> serde_json::Result<ReadUser> {
    let read: ReadUser = serde_json::from_str(effects.map_or("null", RawValue::get))?;
    if let (_, Some(held)) = &read {
        serde_json::from_str::<<R::Target as Target>::Current>(held.get())?;
    }
    Ok(read)
}

/// A user that is there and cannot be read: without it the table would not be complete.
fn unreadable(user: &ListedUser, error: &ConnectError) -> Verdict {
    let name = cut(&user.username, MAX_LETTERS);
    let message = format!(
        "What {name} has could not be read, so there is no table. {} Ask for the export again.",
        error.user_message()
    );
    Verdict::Failed(Problem::new(error.code.clone(), message))
}
