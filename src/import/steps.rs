//! From the object to users who are as it says, step by step.

use std::cell::RefCell;

use anyhow::Context as _;
use futures::future::join;
use serde_json::value::to_raw_value;

use super::apply::Apply;
use super::begin::is_overtaken;
use super::export::export;
use super::finish::{Finished, finish};
use super::guard;
use super::imported::Imported;
use super::load::{File, LoadError, load, unreadable};
use super::preview::{Previews, look_through};
use super::resume::{Resumed, resume};
use super::run::{Run, Verdict};
use super::seen::{Recorded, find_recorded};
use crate::connect::{ConnectError, ErrorKind, UserId};
use crate::input::Header;
use crate::kind::{AnyRows, Describe, FileKind, ProficiencyRows, Rows, UserBatch, UserConfigRows};
use crate::options::Mode;
use crate::outcome::{Counts, ImportStatus, Problem};
use crate::report::Columns;
use crate::resolve::Users;
use crate::state::{Ending, Started};

/// Crashes in a row after which an import is given up.
const MAX_CRASHES: u32 = 20;
/// Deliveries after those that may crash of the attempt to say so.
const MORE_CRASHES: u32 = 3;

impl Run<'_> {
    /// Whether the import is given up, and this delivery only has to say so.
    pub(super) fn is_last_try(&self) -> bool {
        self.lease.crashes_before() >= MAX_CRASHES
    }

    /// Whether even the attempt to write the report was deadly. What the journal says stays where it is.
    fn is_hopeless(&self) -> bool {
        self.lease.crashes_before() >= MAX_CRASHES + MORE_CRASHES
    }

    /// What to do where deliveries do not get on.
    fn way_on(&self) -> &'static str {
        match self.export {
            Some(_) => "Ask for the export again.",
            None => "What is pending was not tried; drop retry.csv again.",
        }
    }

    /// Why the import is not gone on with, as far as that is known before anything large is read.
    async fn foregone(&self) -> anyhow::Result<Option<Verdict>> {
        let crashes = self.lease.crashes_before();
        if self.is_last_try() {
            let problem = match self.lease.previous_error() {
                Some(error) => Problem::new(
                    "no_progress",
                    format!(
                        "{crashes} deliveries ended one after another without progress, the last one with: {error}. {}",
                        self.way_on()
                    ),
                ),
                None => Problem::new(
                    "died_too_often",
                    format!("{crashes} deliveries died one after another. {}", self.way_on()),
                ),
            };
            return Ok(Some(Verdict::Failed(problem)));
        }
        if self.record().is_resumed() {
            self.look_for_cancel().await;
            if self.is_cancelled() {
                return Ok(Some(Verdict::Cancelled));
            }
        }
        let is_overtaken = is_overtaken(&self.importer.store, &self.importer.settings, self.record()).await?;
        Ok((is_overtaken && self.record().ending.is_none()).then(|| {
            let message = "A newer object of the same name was imported meanwhile, so the rest of this one was not.";
            Verdict::Failed(Problem::new("superseded", message))
        }))
    }
}

/// Does all that is left of an import, and writes its report.
pub(super) async fn import(run: &Run<'_>) -> anyhow::Result<Finished> {
    let (foregone, ()) = join(run.foregone(), run.set_pace()).await;
    let foregone = foregone?;
    if !run.record().is_resumed() {
        run.write_progress().await?;
    }
    if let Some(verdict) = foregone.clone().filter(|_| run.is_hopeless()) {
        return Ok(Finished::without_report(run, verdict));
    }
    if let Some(request) = &run.export {
        return Box::pin(export(run, request, foregone)).await;
    }
    if let Some(Ending { status, problem }) = &run.record().ending {
        match status {
            ImportStatus::Failed => return without_file(run, Verdict::Failed(problem.clone())).await,
            _ if run.record().version.is_empty() => return without_file(run, Verdict::Rejected(problem.clone())).await,
            _ => {}
        }
    }
    let record = run.record();
    let File { rows, header, unreadable } = match load(run).await {
        Ok(file) => file,
        Err(LoadError::Ended(verdict)) => return without_file(run, verdict).await,
        Err(LoadError::Other(error)) => return Err(error),
        Err(LoadError::Store(error)) => match unreadable(record, &error) {
            Some(problem) => return without_file(run, Verdict::Failed(problem)).await,
            None => return Err(error).context("the object could not be read"),
        },
    };
    match rows.unwrap_or_else(|| AnyRows::new(FileKind::Proficiencies)) {
        AnyRows::Proficiencies(rows) => import_rows(run, Imported::new(rows, header, unreadable), foregone).await,
        AnyRows::UserConfig(rows) => import_rows(run, Imported::new(rows, header, unreadable), foregone).await,
    }
}

/// An import whose file cannot be read any more ends with what its journal knows.
async fn without_file(run: &Run<'_>, verdict: Verdict) -> anyhow::Result<Finished> {
    async fn end<R: Describe>(run: &Run<'_>, rows: R, verdict: Verdict) -> anyhow::Result<Finished> {
        let mut import = Imported::new(rows, None, None);
        let resumed = resume(run, &mut import.rows).await?;
        resumed.assume_intents(import.rows.ledger_mut());
        import.unassigned = resumed.unassigned()?;
        import.outcomes_without_file = Some(resumed.outcomes());
        import.verdict = verdict;
        finish(run, import).await
    }
    match started_kind(run).await? {
        FileKind::Proficiencies => end(run, ProficiencyRows::default(), verdict).await,
        FileKind::UserConfig => end(run, UserConfigRows::default(), verdict).await,
    }
}

/// The kind of a file that cannot be read any more: the journal knows it, if an earlier delivery read the file.
async fn started_kind(run: &Run<'_>) -> anyhow::Result<FileKind> {
    let started = run.journal.find_started().await.context("the journal cannot be read")?;
    let Some(Started { kind, mode, .. }) = started else { return Ok(FileKind::Proficiencies) };
    run.mode.set(mode);
    let kind = FileKind::ALL
        .into_iter()
        .find(|known| known.name() == kind)
        .context("the journal is of a kind of file that this version does not know")?;
    run.kind.set(Some(kind));
    Ok(kind)
}

/// From the rows to the report.
async fn import_rows<R: Describe>(
    run: &Run<'_>,
    mut import: Imported<R>,
    foregone: Option<Verdict>,
) -> anyhow::Result<Finished> {
    let mut resumed = resume(run, &mut import.rows).await?;
    import.unassigned = resumed.unassigned()?;
    if run.record().is_resumed() {
        run.show_resumed(Counts::of_all(&resumed.outcomes()));
        run.write_progress().await?;
    }
    import.verdict = match decided_by_file(run, &mut import) {
        Some(verdict) => verdict,
        None => match (foregone, resumed.replay.has_begun_users()) {
            (Some(Verdict::Failed(problem)), false) if problem.code == "superseded" => Verdict::Rejected(problem),
            (Some(verdict), false) => verdict,
            (foregone, _) => apply_rows(run, &mut import, &mut resumed, foregone).await?,
        },
    };
    finish(run, import).await
}

/// What the file alone decides: that it is rejected, or that there is nothing to try.
fn decided_by_file<R: Describe>(run: &Run<'_>, import: &mut Imported<R>) -> Option<Verdict> {
    let mut problem = import.unreadable.clone();
    if let Some(header) = &import.header {
        match set_kind_and_mode::<R>(run, header) {
            Ok(()) => {}
            Err(why) => problem = problem.or(Some(why)),
        }
    }
    let rows = import.rows.ledger();
    let ending = || run.record().ending.as_ref().map(|ending| ending.problem.clone());
    problem = problem.or_else(|| guard::no_rows(rows.counts())).or_else(ending);
    if !rows.has_pending() {
        problem = problem.or_else(|| guard::mostly_invalid(&run.record().options, rows.counts()));
        return Some(problem.map_or(Verdict::Completed, Verdict::Rejected));
    }
    problem.map(Verdict::Rejected)
}

fn set_kind_and_mode<R: Rows>(run: &Run<'_>, header: &Header) -> Result<(), Problem> {
    run.kind.set(Some(FileKind::of(header)));
    run.columns.replace(Some(Columns::of(header)));
    run.mode.set(guard::mode::<R>(&run.record().options, header)?);
    Ok(())
}

/// Asks the instance, and brings each user to what its rows say.
async fn apply_rows<R: Describe>(
    run: &Run<'_>,
    import: &mut Imported<R>,
    resumed: &mut Resumed,
    foregone: Option<Verdict>,
) -> anyhow::Result<Verdict> {
    let has_begun = resumed.replay.has_begun_users();
    let batches = match look_up(run, import, resumed).await {
        Ok(batches) => batches,
        Err(verdict) => {
            import
                .users
                .get_or_insert_with(|| Users::recorded(&run.importer.settings.instance_id, &resumed.recorded, 0));
            resumed.restore_outcomes(import.rows.ledger_mut());
            resumed.assume_intents(import.rows.ledger_mut());
            return Ok(foregone.unwrap_or(verdict));
        }
    };
    let options = &run.record().options;
    // A guard that was passed is not asked again. What a dry run would do is told, also where it would not be done.
    let is_asked = !has_begun || options.dry_run;
    let mut rejected = guard::mostly_invalid(options, import.rows.ledger().counts()).filter(|_| is_asked);
    if !options.dry_run
        && let Some(problem) = rejected
    {
        return Ok(Verdict::Rejected(problem));
    }
    run.causes.replace(import.causes_so_far());
    if resumed.replay.started.is_none() {
        let unassigned = to_raw_value(&import.unassigned).context("rows that cannot be assigned are no JSON")?;
        run.journal.started(Started { kind: R::NAME.to_owned(), mode: run.mode.get(), unassigned });
    }
    let Imported { rows, header: Some(header), users: Some(users), unassigned, .. } = import else {
        return Ok(Verdict::Completed);
    };
    let protected = &unassigned.protected;
    resumed.restore_outcomes(rows.ledger_mut());
    let batches = resumed.retain_left(rows.ledger_mut(), users, batches);
    let priors = resumed.priors::<R>()?;
    let mut previews = Previews::resumed(std::mem::take(&mut resumed.replay.previews));
    let is_ending = foregone.is_some();
    let has_begun_with = |user: &UserId| priors.contains_key(user);
    let (recorded, mut batches) = if is_ending && !has_begun {
        (Recorded::default(), batches)
    } else {
        find_recorded(run, rows, users, header, batches, has_begun_with).await?
    };

    let mut stopped = None;
    let is_guarded = run.mode.get() == Mode::Replace || rows.counts_removals();
    // A user that an earlier delivery needed not to read may have to be read now, and was not counted yet.
    let is_guard_passed = resumed.replay.is_guard_passed && previews.know_all(users, &batches);
    if is_guarded && !is_guard_passed && !is_ending {
        match run.unless_abandoned(look_through(run, rows, users, protected, &mut previews, &batches, &recorded)).await
        {
            Some(Ok(problem)) => rejected = rejected.or(problem),
            Some(Err(error)) => stopped = Some(error),
            None => return Ok(Verdict::Cancelled),
        }
        batches = rows.ledger_mut().retain_pending(batches);
    }
    let is_rejected = rejected.is_some() && !options.dry_run;
    if has_begun || !(is_rejected || stopped.is_some()) {
        let is_ending = is_ending || is_rejected || stopped.is_some();
        recorded.settle(run, rows);
        if !is_ending {
            run.take_out::<R>(users, &batches).await?;
        }
        let (previews, priors, intended) = (&previews, &priors, RefCell::default());
        let apply = Apply { run, users, protected, previews, header, priors, is_ending, intended };
        let ended = apply.apply(rows, batches).await;
        stopped = stopped.or(ended);
    }
    let foregone = foregone.filter(|_| import.rows.ledger().has_pending());
    let verdict = foregone.unwrap_or_else(|| verdict(run, import, rejected, stopped));
    Ok(match verdict {
        // Something was written before the guard was asked for users that were not counted then.
        Verdict::Rejected(problem) if has_begun && !run.record().options.dry_run => Verdict::Failed(problem),
        verdict => verdict,
    })
}

/// Of several ways to end the gravest counts.
fn verdict<R: Describe>(
    run: &Run<'_>,
    import: &Imported<R>,
    rejected: Option<Problem>,
    stopped: Option<ConnectError>,
) -> Verdict {
    let is_cancelled = run.is_cancelled() && import.rows.ledger().has_pending();
    let stopped = stopped.filter(|error| error.kind != ErrorKind::NotSent).or_else(|| run.lanes().denied());
    let is_dry_run = run.record().options.dry_run;
    match (stopped, rejected) {
        (Some(error), _) => Verdict::failed(&error),
        // What a dry run would do is told also where it is rejected, unless a person stops that.
        (None, Some(_)) if is_cancelled && is_dry_run => Verdict::Cancelled,
        (None, Some(problem)) => Verdict::Rejected(problem),
        (None, None) if is_cancelled => Verdict::Cancelled,
        (None, None) => Verdict::Completed,
    }
}

/// Asks the instance whose the rows are and what they name. What it does not know is invalid; the rest is the work.
async fn look_up<R: Describe>(
    run: &Run<'_>,
    import: &mut Imported<R>,
    resumed: &Resumed,
) -> Result<Vec<UserBatch>, Verdict> {
    let replaces = run.mode.get() == Mode::Replace;
    let connect = &run.importer.connect;
    let wanted = import.rows.ledger().wanted_users(replaces);
    // That a user is gone would not be noticed if it is not read.
    let lists = replaces || run.record().options.recheck_days.get() > 0;
    let users = Users::find(connect, &run.importer.settings.instance_id, &wanted, &resumed.recorded, lists);
    let asked = run.unless_abandoned(join(users, import.rows.fetch_reference(connect)));
    let (users, reference) = asked.await.ok_or(Verdict::Cancelled)?;
    let users = import.users.insert(users.map_err(|error| Verdict::unasked(&error))?);
    let reference = import.reference.insert(reference.map_err(|error| Verdict::unasked(&error))?);
    let batches = import.rows.resolve(users, reference, &resumed.replay.rows_under_way());
    if replaces {
        import.unassigned.absorb(import.rows.unassigned(users, reference, run.record().options.unassigned_rows));
    }
    Ok(batches)
}
