//! Where a file may take much away, all its users are looked at before the first write, and a guard is asked.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::guard::{self, Removals};
use super::progress::Progress;
use super::run::Run;
use super::seen::Recorded;
use crate::connect::{ConnectError, ErrorKind, UserId};
use crate::kind::{Describe, Protected, Target, UserBatch, preview};
use crate::options::Mode;
use crate::outcome::{Outcome, Preview, Problem, Status};
use crate::resolve::Users;

/// What bringing the users to their rows would do.
#[derive(Debug, Default)]
pub(super) struct Previews {
    known: BTreeMap<UserId, Preview>,
    /// Users that this delivery looked at: later, others may have changed them.
    fresh: BTreeSet<UserId>,
}

impl Previews {
    /// What earlier deliveries found.
    pub(super) fn resumed(known: BTreeMap<UserId, Preview>) -> Self {
        Self { known, fresh: BTreeSet::new() }
    }

    /// Whether the user needs no second look: it has just what the file says.
    pub(super) fn is_right(&self, user: &UserId) -> bool {
        self.fresh.contains(user) && self.known.get(user).is_some_and(|preview| preview.is_right)
    }

    /// How many things the user had.
    pub(super) fn n_held(&self, user: &UserId) -> usize {
        self.known.get(user).map_or(0, |preview| preview.held as usize)
    }

    /// Whether all of these users were looked at.
    pub(super) fn know_all(&self, users: &Users, batches: &[UserBatch]) -> bool {
        batches.iter().all(|batch| self.known.contains_key(&users.id(batch.user)))
    }

    /// Whether what would be removed of the user was counted before the guard was asked.
    pub(super) fn is_counted(&self, user: &UserId) -> bool {
        self.known.get(user).is_some_and(|preview| preview.is_whole)
    }
}

/// Looks at each user, and asks the guard against a mass removal: the refusal of a service that stops the import, or the
/// guard's. An import of many users is looked through in several deliveries.
pub(super) async fn look_through<R: Describe>(
    run: &Run<'_>,
    rows: &mut R,
    users: &Users,
    protected: &Protected,
    previews: &mut Previews,
    batches: &[UserBatch],
    recorded: &Recorded,
) -> Result<Option<Problem>, ConnectError> {
    let unread = read_all(run, rows, users, protected, previews, batches).await?;
    run.look_for_cancel().await;
    if run.is_cancelled() {
        return Ok(None);
    }
    // Users that need not be read have what they had when they were seen, whatever an earlier delivery saw.
    for batch in recorded.batches() {
        previews.known.remove(&users.id(batch.user));
    }
    let (mut implied, mut named, mut held) = (0, 0, recorded.n_held());
    for preview in previews.known.values() {
        held += u64::from(preview.held);
        implied += u64::from(preview.implied);
        named += u64::from(preview.named);
    }
    let counted = Removals { implied, named: if rows.counts_removals() { named } else { 0 }, held };
    let refused = guard::mass_removal(&run.record().options, counted);
    // What a dry run would do is told, also where it would not be done.
    if refused.is_none() || run.record().options.dry_run {
        for (batch, error) in unread {
            fail_unread(run, rows, users, batch, &error);
        }
    }
    if refused.is_none() {
        // That it was passed is stored, and it is not asked again.
        run.journal.guard_passed().await;
    }
    Ok(refused)
}

/// Looks at each user that no delivery has looked at; returns those that could not be read.
async fn read_all<R: Describe>(
    run: &Run<'_>,
    rows: &R,
    users: &Users,
    protected: &Protected,
    previews: &mut Previews,
    batches: &[UserBatch],
) -> Result<Vec<(UserBatch, ConnectError)>, ConnectError> {
    let (connect, replaces) = (&run.importer.connect, run.mode.get() == Mode::Replace);
    let is_left = |batch: &&UserBatch| !previews.known.contains_key(&users.id(batch.user));
    let mut waiting = batches.iter().filter(is_left).copied().collect::<Vec<_>>().into_iter();
    let n_before = batches.len() - waiting.len();
    let mut progress = Progress {
        rows: rows.ledger().counts(),
        n_users: batches.len(),
        n_users_done: n_before,
        n_users_before: n_before,
        is_preview: true,
        since: Some(Instant::now()),
        reads_per_second: run.lanes().rates().per_second(R::Target::READ),
        ..Progress::default()
    };
    run.show(progress);
    let (mut under_way, mut unread, mut n_to_change) = (FuturesUnordered::new(), Vec::new(), 0);
    loop {
        while under_way.len() < run.users_under_way(R::Target::READ) && !run.is_cancelled() {
            let Some(batch) = waiting.next() else { break };
            let (user, items) = (users.id(batch.user), rows.items(batch));
            under_way.push(async move {
                let previewed = preview::<R::Target>(connect, &user, &items, replaces, protected).await;
                (user, batch, previewed)
            });
        }
        match under_way.next().await {
            None => return Ok(unread),
            Some((user, batch, Ok(found))) => {
                let implied = if batch.is_complete { found.implied } else { 0 };
                let preview = Preview { implied, is_whole: batch.is_complete, ..found };
                run.note_calls();
                run.journal.preview(&user, preview);
                n_to_change += usize::from(!preview.is_right);
                previews.known.insert(user.clone(), preview);
                previews.fresh.insert(user);
            }
            Some((.., Err(error))) if error.stops_import || error.kind == ErrorKind::NotSent => return Err(error),
            Some((_, batch, Err(error))) => unread.push((batch, error)),
        }
        progress.n_users_done += 1;
        // Who is not right yet is read once more: as many of all as of those so far.
        progress.n_users_after = n_to_change * batches.len() / (progress.n_users_done - n_before);
        run.show(progress);
    }
}

/// A user that could not be read before the guard was asked: nothing is done for it.
fn fail_unread<R: Describe>(run: &Run<'_>, rows: &mut R, users: &Users, batch: UserBatch, error: &ConnectError) {
    let said = error.user_message();
    let message = match error.kind {
        // There is no such user: another try would find the same.
        ErrorKind::Refused if error.code == "ResourceNotFoundException" => {
            rows.ledger_mut().messages.intern(&error.code, &said)
        }
        _ => {
            let why = format!(
                "What the user has could not be read before the first write, so nothing was done for it. {said} Drop \
                 retry.csv again."
            );
            rows.ledger_mut().messages.intern("user_not_read", &why)
        }
    };
    rows.ledger_mut().set_all(batch, Outcome::with_message(Status::Failed, message));
    run.complete(rows, users, batch, None);
}
