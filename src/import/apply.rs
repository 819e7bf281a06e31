//! From the object to users who are as it says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::config::Mode;
use crate::connect::{ConnectError, Operation};
use crate::input::{Header, Record, Refusal};
use crate::journal::{Done, Planned, Replay};
use crate::kind::{AnyRows, Kind, Only, SCHEMAS, Preview, Terms, Work, proficiency};
use crate::outcome::{Outcome, Status};
use crate::publish;
use crate::state::Begun;
use crate::users::Users;

use super::{End, File, Importer, Progress, Run, guard};

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
    /// Reads the file's rows.
    pub(super) async fn read(&self, run: &Run) -> anyhow::Result<File> {
        let nothing = |failed| {
            let rows = AnyRows::Proficiencies(proficiency::Rows::default());
            File { rows, header: None, unreadable: None, failed }
        };
        if run.past.deaths >= MAX_DEATHS + MORE_DEATHS {
            // Even the attempt to write its report was deadly. What the journal says stays where it is.
            return Ok(nothing(Some(died_too_often(run.past.deaths))));
        }
        let mut rows = None;
        let push = |header: &Header, record: Record<'_>| {
            rows.get_or_insert_with(|| AnyRows::of(header)).push(header, &record);
        };
        let (header, unreadable) = match publish::read_rows(&self.store, &run.begun.read_from, SCHEMAS, push).await {
            Ok(Ok(header)) => (Some(header), None),
            Ok(Err((header, unreadable))) => (header, Some(unreadable)),
            Err(error) if error.is_gone() && !run.past.has_begun_users => return Ok(nothing(Some(gone(&run.begun)))),
            Err(error) => return Err(error).context("the object could not be read"),
        };
        let empty = nothing(None);
        let rows = rows.or_else(|| header.as_ref().map(AnyRows::of)).unwrap_or(empty.rows);
        Ok(File { rows, header, unreadable, failed: None })
    }

    /// Checks the rows of a file, and brings each user to what they say.
    pub(super) async fn bring_all<K: Kind>(
        &self,
        run: &Run,
        mut replay: Replay,
        mut end: End<K>,
    ) -> anyhow::Result<End<K>> {
        let Begun { options, .. } = &run.begun;
        if end.failed.is_some() {
            return Ok(end);
        }
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
        let (wanted, meant) = (rows.wanted_users(replaces), rows.recorded_users(&replay));
        let found = Users::find(&self.connect, &self.settings.instance_id, &wanted, &meant, replaces).await;
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
        let work = end.rows.settle(users, known, &replay.places_under_way());
        // A guard that was passed is not asked again.
        if !run.past.has_begun_users {
            end.rejected = guard::mostly_invalid(options, end.rows.ledger().counts());
        }
        let mut before = restore(&mut end.rows, &mut replay).context("the journal cannot be read")?;
        let work = left(&mut end.rows, users, &before, work);
        if run.past.deaths >= MAX_DEATHS {
            end.failed = Some(died_too_often(run.past.deaths));
            self.apply(run, &mut end.rows, users, &before, work, true).await;
        } else if end.rejected.is_none() {
            let mut stopped = None;
            // A dry run goes on although the guard speaks; so it is asked again.
            if replaces && !before.is_guard_passed && (options.dry_run || !run.past.has_begun_users) {
                stopped = self.survey(run, &end.rows, users, &mut before, &work).await;
                if stopped.is_none() && !run.journal.is_cancelled() {
                    end.rejected = passed(run, &before).await;
                }
            }
            // What a dry run would do is told, also where it would not be done.
            let is_to_go_on = end.rejected.is_none() || options.dry_run;
            if is_to_go_on && (stopped.is_none() || run.past.has_begun_users) {
                stopped = self.apply(run, &mut end.rows, users, &before, work, false).await;
            }
            end.failed = stopped.or_else(|| self.connect.lanes().denied()).as_ref().map(refusal);
            end.is_cancelled = run.journal.is_cancelled() && end.rows.ledger().has_pending();
        }
        Ok(end)
    }

    /// Asks of each user what replacing its set would do, and keeps it: an import of many users is surveyed in several
    /// deliveries.
    async fn survey<K: Kind>(
        &self,
        run: &Run,
        rows: &K,
        users: &Users,
        before: &mut Before<K>,
        work: &[Work],
    ) -> Option<ConnectError> {
        let mut progress = Progress { rows: rows.ledger().counts(), n_users: work.len(), ..Progress::default() };
        self.progress.send_replace(progress);
        let is_left = |work: &&Work| !before.surveyed.contains_key(users.id(work.user));
        let left: Vec<Work> = work.iter().filter(is_left).copied().collect();
        progress.n_users_before = work.len() - left.len();
        progress.n_users_done = progress.n_users_before;
        let mut waiting = left.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.users_under_way(K::READ) && !run.journal.is_cancelled() {
                let Some(work) = waiting.next() else { break };
                let (id, items) = (users.id(work.user), rows.items(work));
                under_way.push(async move { (id, work, K::survey(&self.connect, id, &items).await) });
            }
            match under_way.next().await {
                None => return None,
                Some((id, work, Ok(survey))) => {
                    let implied = if work.is_whole { survey.implied } else { 0 };
                    let survey = Preview { implied, is_whole: work.is_whole, ..survey };
                    run.journal.surveyed(id, survey, self.connect.lanes().calls());
                    before.surveyed.insert(id.to_owned(), survey);
                    before.just_surveyed.insert(id.to_owned());
                }
                Some((_, _, Err(error))) if error.stops_import => return Some(error),
                Some((id, _, Err(error))) => _ = before.unread.insert(id.to_owned(), error),
            }
            progress.n_users_done += 1;
            self.progress.send_replace(progress);
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
        before: &Before<K>,
        mut work: Vec<Work>,
        is_to_end: bool,
    ) -> Option<ConnectError> {
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
        let has_begun = |work: &Work| before.held.contains_key(users.id(work.user));
        work.sort_by_key(|work| !has_begun(work));
        let mut waiting = work.into_iter().peekable();
        let mut under_way = FuturesUnordered::new();
        let mut stopped = None;
        loop {
            while under_way.len() < self.users_under_way(K::READ) {
                let is_ending = is_to_end || journal.is_cancelled() || stopped.is_some();
                let Some(work) = waiting.next_if(|work| !is_ending || has_begun(work)) else { break };
                let (id, items, held) = (users.id(work.user), rows.items(work), before.held.get(users.id(work.user)));
                if let Some(known) = before.known(id, replaces && held.is_none()) {
                    let outcome = match known {
                        Surveyed::Right => Outcome::plain(Status::Unchanged),
                        Surveyed::Unread(code, why) => Outcome::failed(rows.ledger_mut().texts.keep(code, &why)),
                    };
                    rows.ledger_mut().set_all(work, outcome);
                    journal.done(done(rows, id, work, None), self.connect.lanes().calls());
                    progress.rows = rows.ledger().counts();
                    progress.n_users_done += 1;
                    progress.n_users_before += 1;
                    self.progress.send_replace(progress);
                    continue;
                }
                let only = match (is_ending, options.dry_run) {
                    (true, _) => Only::Look,
                    (false, true) => Only::Plan,
                    (false, false) => Only::Nothing,
                };
                let is_counted = held.is_some() || before.surveyed.get(id).is_some_and(|survey| survey.is_whole);
                let replaces = replaces && work.is_whole && is_counted;
                let terms = Terms { limit, replaces, only, before: held };
                let places = rows.ledger().places(work).to_vec();
                under_way.push(async move {
                    let plan_is_made = async |held: &K::Held| {
                        let held = serde_json::to_value(held).expect("what a user holds has no map keys but texts");
                        journal.plan(Planned { user: id.to_owned(), places, is_whole: work.is_whole, held }).await;
                    };
                    (K::bring(&self.connect, id, &items, terms, plan_is_made).await, work)
                });
            }
            let Some((mut brought, work)) = under_way.next().await else { return stopped };
            stopped = stopped.or(brought.stop.take());
            let is_done = brought.is_done;
            let aside = rows.record(work, brought).map(serde_json::to_value);
            let aside = aside.transpose().expect("what came of a user has no map keys but texts");
            if options.dry_run {
                rows.ledger_mut().set_would(work);
            }
            if is_done {
                journal.done(done(rows, users.id(work.user), work, aside), self.connect.lanes().calls());
            }
            progress.rows = rows.ledger().counts();
            progress.n_users_done += 1;
            self.progress.send_replace(progress);
        }
    }

    fn users_under_way(&self, read: Operation) -> usize {
        let reads = self.settings.rates.of(read).per_second;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is at most 100,000")]
        let in_two_seconds = (reads * 2.0) as usize;
        in_two_seconds.clamp(USERS_UNDER_WAY, MOST_USERS_UNDER_WAY)
    }
}

/// What was known of users before their turn, by id.
struct Before<K: Kind> {
    /// What they held before the first write, of those whose writes may have started.
    held: BTreeMap<String, K::Held>,
    /// Those of them whose rows were all that the file says of them.
    whole: BTreeSet<String>,
    /// What replacing their sets would do.
    surveyed: BTreeMap<String, Preview>,
    /// Those of them that were surveyed by this delivery: later, others may have changed them.
    just_surveyed: BTreeSet<String>,
    /// Those that could not be surveyed.
    unread: BTreeMap<String, ConnectError>,
    is_guard_passed: bool,
}

/// What is known of a user without looking at it again.
enum Surveyed {
    /// It has just what the file says.
    Right,
    /// It could not be read before the guard was asked: a code and a sentence.
    Unread(&'static str, String),
}

impl<K: Kind> Before<K> {
    /// What the survey says of a user that it spares a second look.
    fn known(&self, id: &str, replaces: bool) -> Option<Surveyed> {
        match self.surveyed.get(id) {
            _ if !replaces => None,
            Some(survey) => (survey.is_right && self.just_surveyed.contains(id)).then_some(Surveyed::Right),
            None => {
                let said = self.unread.get(id).map_or_else(String::new, |error| format!(" {}", error.user_message()));
                let why = format!(
                    "What the user has could not be read before the first write, so nothing was done for it.{said} Drop \
                     retry.csv again."
                );
                Some(Surveyed::Unread("user_not_read", why))
            }
        }
    }
}

/// Takes over what earlier deliveries did.
fn restore<K: Kind>(rows: &mut K, replay: &mut Replay) -> serde_json::Result<Before<K>> {
    rows.ledger_mut().restore(replay);
    for Done { rows: of_user, aside, .. } in std::mem::take(&mut replay.done) {
        if let (Some((first, _)), Some(aside)) = (of_user.first(), aside) {
            rows.recall(*first, serde_json::from_value(aside)?);
        }
    }
    let mut before = Before {
        held: BTreeMap::new(),
        whole: BTreeSet::new(),
        surveyed: std::mem::take(&mut replay.surveyed),
        just_surveyed: BTreeSet::new(),
        unread: BTreeMap::new(),
        is_guard_passed: replay.is_guard_passed,
    };
    for Planned { user, is_whole, held, .. } in std::mem::take(&mut replay.under_way).into_values() {
        if is_whole {
            before.whole.insert(user.clone());
        }
        before.held.insert(user, serde_json::from_value(held)?);
    }
    Ok(before)
}

/// What is left of the work. Whether a user's rows are all that the file says of it was decided when it was begun with.
fn left<K: Kind>(rows: &mut K, users: &Users, before: &Before<K>, work: Vec<Work>) -> Vec<Work> {
    let mut left = rows.ledger_mut().leave(work);
    for work in left.iter_mut().filter(|work| before.held.contains_key(users.id(work.user))) {
        work.is_whole = before.whole.contains(users.id(work.user));
    }
    left
}

fn done<K: Kind>(rows: &K, id: &str, work: Work, aside: Option<serde_json::Value>) -> Done {
    Done { user: id.to_owned(), rows: rows.ledger().told(work), aside }
}

/// Asks the guard against a mass removal. That it was passed is stored, and it is not asked again.
async fn passed<K: Kind>(run: &Run, before: &Before<K>) -> Option<Refusal> {
    let (mut implied, mut held) = (0, 0);
    for survey in before.surveyed.values() {
        held += u64::from(survey.held);
        implied += u64::from(survey.implied);
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
    Refusal::new(error.code.clone(), format!("{} ({})", error.user_message(), error.operation))
}

fn gone(begun: &Begun) -> Refusal {
    let message = format!("{} is gone: it was deleted after the import had begun. Drop the file again.", begun.source);
    Refusal::new("object_gone", message)
}
