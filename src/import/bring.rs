//! From the object to users who are as it says.

use std::collections::BTreeMap;

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::config::Mode;
use crate::connect::{ConnectError, Operation};
use crate::input::Refusal;
use crate::journal::{Done, Planned, Replay};
use crate::kind::{Kind, Only, Survey, Terms, Work};
use crate::outcome::{Outcome, Status};
use crate::publish;
use crate::state::Begun;
use crate::store::{Location, StoreError};
use crate::users::Users;

use super::{End, Importer, Progress, Run, guard};

/// So many users are under way at once, so that reads run ahead of writes by no more. With more than 25 reads a second it
/// is two seconds' worth of them, for calls may be slow; but never so many that they fill the memory.
const USERS_UNDER_WAY: usize = 50;
const MOST_USERS_UNDER_WAY: usize = 1000;
/// Deliveries that died, one after another, before the import is given up.
const MAX_DEATHS: u32 = 20;
/// Deliveries after those that may die of the attempt to say so.
const MORE_DEATHS: u32 = 3;
/// An import that has changed users ends only with a report that says so.
const CANNOT_END: &str =
    "the import has begun and cannot go on; without the instance's users and attributes it cannot end";

impl Importer {
    /// Reads the file, checks it, and brings each user to what it says.
    pub(super) async fn bring_all<K: Kind>(&self, run: &Run, mut replay: Replay) -> anyhow::Result<End<K>> {
        let Begun { options, .. } = &run.begun;
        if run.past.deaths >= MAX_DEATHS + MORE_DEATHS {
            // Even the attempt to write its report was deadly. What the journal says stays where it is.
            return Ok(End { failed: Some(died_too_often(run.past.deaths)), ..End::default() });
        }
        let mut end = match self.read::<K>(&run.begun.read_from).await {
            Ok(end) => end,
            Err(error) if error.is_gone() && !run.past.has_begun_users => {
                return Ok(End { failed: Some(gone(&run.begun)), ..End::default() });
            }
            Err(error) => return Err(error).context("the object could not be read"),
        };
        end.rejected = end.unreadable.clone();
        if let Some(header) = &end.header {
            run.kind.set(Some(K::NAME));
            match guard::mode::<K>(options, header) {
                Ok(mode) => run.mode.set(mode),
                Err(why) => end.rejected = end.rejected.or(Some(why)),
            }
        }
        let rows = end.rows.ledger();
        end.rejected = end.rejected.or_else(|| rows.is_empty().then(no_rows)).or_else(|| guard::refused(&run.begun));
        if !rows.has_pending() {
            end.rejected = end.rejected.or_else(|| guard::mostly_invalid(options, rows.counts()));
        }
        if end.rejected.is_some() || !rows.has_pending() {
            return Ok(end);
        }

        let replaces = run.mode.get() == Mode::Replace;
        let (wanted, meant) = (rows.wanted_users(replaces), rows.users_meant(&replay));
        let found = Users::find(&self.connect, &self.settings.instance_id, &wanted, &meant).await;
        let users = match found {
            Ok(users) => end.users.insert(users),
            Err(error) if run.past.has_begun_users => return Err(error).context(CANNOT_END),
            Err(error) => return Ok(End { failed: Some(refusal(&error)), ..end }),
        };
        let known = match end.rows.ask(&self.connect).await {
            Ok(known) => end.known.insert(known),
            Err(error) if run.past.has_begun_users => return Err(error).context(CANNOT_END),
            Err(error) => return Ok(End { failed: Some(refusal(&error)), ..end }),
        };
        let work = end.rows.settle(users, known);
        // A guard that was passed is not asked again.
        if !run.past.has_begun_users {
            end.rejected = guard::mostly_invalid(options, end.rows.ledger().counts());
        }
        let held = restore(&mut end.rows, &mut replay).context("the journal cannot be read")?;
        let work = end.rows.ledger_mut().leave(work);
        if run.past.deaths >= MAX_DEATHS {
            end.failed = Some(died_too_often(run.past.deaths));
            let known = Known { held: &held, surveyed: &replay.surveyed };
            self.apply(run, &mut end.rows, users, known, work, true).await;
        } else if end.rejected.is_none() {
            let mut stopped = None;
            if replaces && !run.past.has_begun_users && !replay.is_guard_passed {
                stopped = self.survey(run, &end.rows, users, &mut replay, &work).await;
                if stopped.is_none() && !run.journal.is_cancelled() {
                    end.rejected = passed(run, users, &replay, &work).await;
                }
            }
            if end.rejected.is_none() && (stopped.is_none() || run.past.has_begun_users) {
                let known = Known { held: &held, surveyed: &replay.surveyed };
                stopped = self.apply(run, &mut end.rows, users, known, work, false).await;
            }
            end.failed = stopped.or_else(|| self.connect.lanes().denied()).as_ref().map(refusal);
            end.is_cancelled = run.journal.is_cancelled() && end.rows.ledger().has_pending();
        }
        Ok(end)
    }

    async fn read<K: Kind>(&self, from: &Location) -> Result<End<K>, StoreError> {
        let mut end = End::<K>::default();
        let read = publish::read_rows(&self.store, from, K::SCHEMA, |header, record| end.rows.push(header, &record));
        match read.await? {
            Ok(header) => end.header = Some(header),
            Err((header, unreadable)) => {
                end.header = header;
                end.unreadable = Some(unreadable);
            }
        }
        Ok(end)
    }

    /// Asks of each user what replacing its set would do, and keeps it: an import of many users is surveyed in several
    /// deliveries. A user that cannot be read is read again when its turn comes.
    async fn survey<K: Kind>(
        &self,
        run: &Run,
        rows: &K,
        users: &Users,
        replay: &mut Replay,
        work: &[Work],
    ) -> Option<ConnectError> {
        let is_left = |work: &&Work| !replay.surveyed.contains_key(users.id(work.user));
        let left: Vec<Work> = work.iter().filter(is_left).copied().collect();
        let mut waiting = left.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.users_under_way() && !run.journal.is_cancelled() {
                let Some(work) = waiting.next() else { break };
                let (id, items) = (users.id(work.user), rows.items(work));
                under_way.push(async move { (id, K::survey(&self.connect, id, &items).await) });
            }
            match under_way.next().await {
                None => return None,
                Some((id, Ok(survey))) => {
                    run.journal.surveyed(id, survey, self.connect.lanes().calls());
                    replay.surveyed.insert(id.to_owned(), survey);
                }
                Some((_, Err(error))) if error.is_systemic => return Some(error),
                Some((_, Err(_))) => {}
            }
        }
    }

    /// Brings the users to what their rows say, some at once, until all are done or a refusal stops the import. Users whose
    /// writes an earlier delivery may have started come first; if the import is to end, they are looked at all the same, so
    /// that what was done for them is told.
    async fn apply<K: Kind>(
        &self,
        run: &Run,
        rows: &mut K,
        users: &Users,
        known: Known<'_, K>,
        mut work: Vec<Work>,
        is_to_end: bool,
    ) -> Option<ConnectError> {
        let Known { held, surveyed } = known;
        let Run { begun: Begun { options, .. }, journal, past, .. } = run;
        let replaces = run.mode.get() == Mode::Replace;
        let limit = options.max_proficiencies_per_user;
        let mut progress = Progress {
            rows: rows.ledger().counts(),
            n_users: past.n_users_done + work.len(),
            n_users_done: past.n_users_done,
            n_users_before: past.n_users_done,
        };
        self.progress.send_replace(progress);
        work.sort_by_key(|work| !held.contains_key(users.id(work.user)));
        let mut waiting = work.into_iter().peekable();
        let mut under_way = FuturesUnordered::new();
        let mut stopped = None;
        loop {
            while under_way.len() < self.users_under_way() {
                let is_ending = is_to_end || journal.is_cancelled() || stopped.is_some();
                let Some(work) = waiting.next_if(|work| !is_ending || held.contains_key(users.id(work.user))) else {
                    break;
                };
                let (id, items, before) = (users.id(work.user), rows.items(work), held.get(users.id(work.user)));
                let survey = surveyed.get(id).filter(|survey| survey.is_right && before.is_none());
                if survey.is_some() {
                    rows.ledger_mut().set_all(work, Outcome::plain(Status::Unchanged));
                    journal.done(done(rows, id, work, None), self.connect.lanes().calls());
                    progress.n_users_done += 1;
                    continue;
                }
                let only = match (is_ending, options.dry_run) {
                    (true, _) => Only::Look,
                    (false, true) => Only::Plan,
                    (false, false) => Only::Nothing,
                };
                let terms = Terms { limit, replaces: replaces && work.is_whole, only, before };
                let places = rows.ledger().places(work).to_vec();
                under_way.push(async move {
                    let plan_is_made = async |held: &K::Held| {
                        let held = serde_json::to_value(held).expect("what a user holds has no map keys but texts");
                        journal.plan(Planned { user: id.to_owned(), places, held }).await;
                    };
                    (K::bring(&self.connect, id, &items, terms, plan_is_made).await, work)
                });
            }
            let Some((mut brought, work)) = under_way.next().await else { return stopped };
            stopped = stopped.or(brought.stop.take());
            let is_done = !brought.fates.iter().any(K::is_pending);
            let aside = brought.aside.as_ref().map(serde_json::to_value);
            let aside = aside.transpose().expect("what came of a user has no map keys but texts");
            rows.record(work, brought, options.dry_run);
            if is_done {
                journal.done(done(rows, users.id(work.user), work, aside), self.connect.lanes().calls());
            }
            progress.rows = rows.ledger().counts();
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
}

/// What earlier deliveries knew of users, by id.
struct Known<'k, K: Kind> {
    /// What they held before the first write.
    held: &'k BTreeMap<String, K::Held>,
    /// What replacing their sets would do.
    surveyed: &'k BTreeMap<String, Survey>,
}

/// Takes over what earlier deliveries did. What users held before the import is returned, of those whose writes may have
/// started.
fn restore<K: Kind>(rows: &mut K, replay: &mut Replay) -> serde_json::Result<BTreeMap<String, K::Held>> {
    rows.ledger_mut().restore(replay);
    for Done { rows: of_user, aside, .. } in std::mem::take(&mut replay.done) {
        if let (Some((first, _)), Some(aside)) = (of_user.first(), aside) {
            rows.recall(*first, serde_json::from_value(aside)?);
        }
    }
    let under_way = std::mem::take(&mut replay.under_way).into_values();
    under_way.map(|planned| Ok((planned.user, serde_json::from_value(planned.held)?))).collect()
}

fn done<K: Kind>(rows: &K, id: &str, work: Work, aside: Option<serde_json::Value>) -> Done {
    Done { user: id.to_owned(), rows: rows.ledger().told(work), aside }
}

/// Asks the guard against a mass removal. That it was passed is stored, and it is not asked again.
async fn passed(run: &Run, users: &Users, replay: &Replay, work: &[Work]) -> Option<Refusal> {
    let (mut implied, mut held) = (0, 0);
    for work in work {
        let Survey { held: of_user, implied: of_whole, .. } =
            replay.surveyed.get(users.id(work.user)).copied().unwrap_or_default();
        held += u64::from(of_user);
        implied += if work.is_whole { u64::from(of_whole) } else { 0 };
    }
    let refusal = guard::mass_removal(&run.begun.options, implied, held);
    if refusal.is_none() {
        run.journal.guard_passed().await;
    }
    refusal
}

fn no_rows() -> Refusal {
    Refusal::new("no_rows", "The file has a header and no rows below it.")
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
