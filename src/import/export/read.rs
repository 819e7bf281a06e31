//! Lists all users and reads each, over deliveries and deaths.
//!
//! Lists and reads do not show the same instant, and a list in pages may show a user twice, or not at all, if others come and go
//! meanwhile. So they are listed again until the list and what was read agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::{Instant, sleep};

use super::no_table::NoTable;
use super::told::MAX_LETTERS;
use crate::connect::{ConnectError, ErrorKind, NOT_FOUND, UserId};
use crate::import::progress::{History, Progress};
use crate::import::run::{Run, Verdict};
use crate::kind::{Export, Target};
use crate::outcome::{Counts, Problem};
use crate::report::cut;
use crate::resolve::{ListedUser, list_users};
use crate::state::{Completed, Replay};

/// What was read longer ago than this is read again: an export may lie for days before somebody goes on with it.
const MAX_AGE: TimeDelta = TimeDelta::days(1);
/// Lists that do not agree with what is read, before it is told so. Between them some seconds pass.
const MAX_DOUBTS: u32 = 5;

/// What is known of a user, for the journal: its name, what it had in its kind's form (nothing if it was not found), and when.
#[derive(Debug, Serialize, Deserialize)]
struct ReadUser(String, Option<Box<RawValue>>, i64);

impl ReadUser {
    /// What a journal has. What cannot be read must not pass for nothing when the table is written.
    fn parse<R: Export>(effects: Option<&RawValue>) -> serde_json::Result<Self> {
        let read: Self = serde_json::from_str(effects.map_or("null", RawValue::get))?;
        if let Some(held) = &read.1 {
            serde_json::from_str::<<R::Target as Target>::Current>(held.get())?;
        }
        Ok(read)
    }
}

/// The users of the instance, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct ReadUsers {
    /// What each has. Text, for they are many.
    held: BTreeMap<UserId, Box<RawValue>>,
    /// The names of all that were ever listed or read.
    names: BTreeMap<UserId, String>,
    /// Users who were listed and not found, or found and not listed, when last read.
    doubts: BTreeSet<UserId>,
    /// The first that could not be read although it may be there: without it the table would not be complete.
    refused: Option<(UserId, ConnectError)>,
}

impl ReadUsers {
    /// What earlier deliveries read.
    pub(super) async fn resume<R: Export>(run: &Run<'_>) -> anyhow::Result<Self> {
        let (mut users, mut unreadable) = (Self::default(), Ok(()));
        let since = (run.deadlines.wall_clock() - MAX_AGE).timestamp();
        let replay = if run.record().is_resumed() {
            let visit = |Completed { user, effects, .. }: Completed| match ReadUser::parse::<R>(effects.as_deref()) {
                Ok(ReadUser(name, held, read_at)) => {
                    users.names.insert(user.clone(), name);
                    match held.filter(|_| read_at >= since) {
                        Some(held) => _ = users.held.insert(user, held),
                        None => _ = users.held.remove(&user),
                    }
                }
                Err(error) => unreadable = Err(error),
            };
            let replay = run.journal.replay(async || run.confirm().await, visit).await;
            let replay = replay.context("the journal cannot be read")?;
            unreadable.context("the journal cannot be read")?;
            replay
        } else {
            Replay::default()
        };
        run.begin_lanes(&replay.lanes);
        run.history.replace(History { n_users_completed: users.held.len(), ..History::of(&replay) });
        run.show_resumed(Counts::default());
        Ok(users)
    }

    /// Reads each user that was not read yet, and lists them again until there is none. Returns the last list.
    pub(super) async fn read_all<R: Export>(&mut self, run: &Run<'_>) -> Result<Vec<ListedUser>, NoTable> {
        let mut n_doubts = 0;
        loop {
            let instance_id = &run.importer.settings.instance_id;
            let listed = run.unless_abandoned(list_users(&run.importer.connect, instance_id)).await;
            let listed = listed.ok_or(Verdict::Cancelled)?.map_err(|error| Verdict::unasked(&error))?;
            let ids: BTreeSet<&UserId> = listed.iter().map(|user| &user.id).collect();
            if let Some((id, error)) = self.refused.take().filter(|(id, _)| ids.contains(id)) {
                return Err(self.unreadable(&id, &error).into());
            }
            self.names.extend(listed.iter().map(|user| (user.id.clone(), user.username.clone())));
            let unread = listed.iter().map(|user| &user.id).filter(|id| !self.held.contains_key(id));
            let unlisted = self.held.keys().filter(|id| !ids.contains(id));
            let left: Vec<UserId> = unread.chain(unlisted).cloned().collect();
            if left.is_empty() {
                return Ok(listed);
            }
            if left.iter().all(|id| self.doubts.contains(id)) {
                n_doubts += 1;
                if n_doubts == MAX_DOUBTS {
                    return Ok(listed);
                }
                let pause = sleep(Duration::from_secs(u64::from(n_doubts)));
                run.unless_abandoned(pause).await.ok_or(Verdict::Cancelled)?;
            }
            self.read_each::<R>(run, &left, &listed).await?;
        }
    }

    /// Reads these users, many at once.
    async fn read_each<R: Export>(
        &mut self,
        run: &Run<'_>,
        left: &[UserId],
        listed: &[ListedUser],
    ) -> Result<(), NoTable> {
        let listed: BTreeSet<&UserId> = listed.iter().map(|user| &user.id).collect();
        let (connect, n_before) = (&run.importer.connect, self.held.len());
        let mut progress = Progress {
            n_users: n_before.max(listed.len()),
            n_users_done: n_before,
            n_users_before: n_before,
            since: Some(Instant::now()),
            reads_per_second: run.lanes().rates().per_second(R::Target::READ),
            ..Progress::default()
        };
        let (mut waiting, mut under_way) = (left.iter(), FuturesUnordered::new());
        loop {
            while under_way.len() < run.users_under_way(R::Target::READ)
                && !run.is_cancelled()
                && self.refused.is_none()
            {
                let Some(id) = waiting.next() else { break };
                under_way.push(async move { (id, R::Target::read(connect, id).await) });
            }
            let read = run.unless_abandoned(under_way.next()).await.ok_or(Verdict::Cancelled)?;
            let Some((id, read)) = read else { break };
            match read {
                Ok(held) => {
                    if !listed.contains(id) {
                        self.doubts.insert(id.clone());
                    }
                    self.keep::<R>(run, id, Some(to_raw_value(&held).context("what a user has is no JSON")?))?;
                }
                Err(error) if error.stops_import || error.kind == ErrorKind::NotSent => {
                    return Err(Verdict::unasked(&error).into());
                }
                Err(error) if error.code == NOT_FOUND => {
                    self.doubts.insert(id.clone());
                    self.keep::<R>(run, id, None)?;
                }
                // Whether it is there at all the next list says.
                Err(error) => _ = self.refused.get_or_insert((id.clone(), error)),
            }
            progress.n_users_done = self.held.len();
            run.show(progress);
        }
        if run.is_cancelled() { Err(Verdict::Cancelled.into()) } else { Ok(()) }
    }

    /// Keeps what a user has, in the journal too.
    fn keep<R: Export>(&mut self, run: &Run<'_>, id: &UserId, held: Option<Box<RawValue>>) -> anyhow::Result<()> {
        let name = self.names.get(id).cloned().unwrap_or_default();
        let read = ReadUser(name, held, run.deadlines.wall_clock().timestamp());
        let effects = to_raw_value(&read).context("what a user has is no JSON")?;
        let ReadUser(_, held, _) =
            ReadUser::parse::<R>(Some(&effects)).context("what a user has does not read back")?;
        run.note_calls();
        run.journal.complete(Completed { user: id.clone(), rows: Vec::new(), effects: Some(effects) });
        match held {
            Some(held) => _ = self.held.insert(id.clone(), held),
            None => _ = self.held.remove(id),
        }
        Ok(())
    }

    /// Whether it is known what a user has.
    pub(super) fn is_read(&self, id: &UserId) -> bool {
        self.held.contains_key(id)
    }

    /// What a user has.
    pub(super) fn held<R: Export>(&self, id: &UserId) -> Option<<R::Target as Target>::Current> {
        let held = self.held.get(id)?;
        Some(serde_json::from_str(held.get()).expect("it was read back when it was kept"))
    }

    /// The names of users who were deleted since they were listed first.
    pub(super) fn gone(&self, listed: &[ListedUser]) -> Vec<String> {
        self.names_of(listed, |is_listed, is_read| !is_listed && !is_read)
    }

    /// The names of users who are listed and not found, or found and not listed, however often they are asked for.
    pub(super) fn doubtful(&self, listed: &[ListedUser]) -> Vec<String> {
        self.names_of(listed, |is_listed, is_read| is_listed != is_read)
    }

    fn names_of(&self, listed: &[ListedUser], is_wanted: impl Fn(bool, bool) -> bool) -> Vec<String> {
        let listed: BTreeSet<&UserId> = listed.iter().map(|user| &user.id).collect();
        let wanted = self.names.iter().filter(|(id, _)| is_wanted(listed.contains(id), self.held.contains_key(id)));
        let mut names: Vec<String> = wanted.map(|(_, name)| name.clone()).collect();
        names.sort();
        names
    }

    fn unreadable(&self, id: &UserId, error: &ConnectError) -> Verdict {
        let name = cut(self.names.get(id).map_or("", String::as_str), MAX_LETTERS);
        let said = error.user_message();
        let message =
            format!("What {name} has could not be read, so there is no table. {said} Ask for the export again.");
        Verdict::Failed(Problem::new(error.code.clone(), message))
    }
}
