//! Users that need no read: their rows are as they were when the function last saw them right, and since then no import has
//! written to them.
//!
//! Which those are is asked before the first user is looked at ([`find_recorded`]), and they are done once nothing stands in
//! the way of a first write ([`settle`]). Before it, all others are taken out of the record ([`Run::take_out`]); and when a
//! delivery ends, it puts in those that it has seen right ([`Run::put_in`]).

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::run::{Run, best_effort};
use crate::connect::UserId;
use crate::input::Header;
use crate::kind::{FileKind, Rows, UserBatch};
use crate::options::Mode;
use crate::outcome::Status;
use crate::resolve::Users;
use crate::state::{Fingerprint, SeenUser, SeenUsers};
use crate::store::Location;

/// A user that need not be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    pub(super) batch: UserBatch,
    pub(super) seen: SeenUser,
}

/// Finds the users that need not be read. Whom an earlier delivery began with is read, and so is everybody in a dry run, which
/// is to tell how things are.
pub(super) async fn find_recorded<R: Rows>(
    run: &Run<'_>,
    rows: &R,
    users: &Users,
    header: &Header,
    batches: &[UserBatch],
    has_begun: impl Fn(&UserId) -> bool,
) -> anyhow::Result<Vec<Recorded>> {
    let options = &run.record().options;
    let days = options.recheck_days.get();
    if days == 0 || options.dry_run || R::has_conditions(header) {
        return Ok(Vec::new());
    }
    // Each delivery of an import judges alike.
    let now = seconds(run.record().started_at);
    let record = run.seen_users().read(now).await?;
    let recorded = |&batch: &UserBatch| {
        let user = users.id(batch.user);
        let seen = record.right(user.as_str()).filter(|seen| !seen.is_due(user.as_str(), now, days))?;
        let is_same = !has_begun(&user) && fingerprint(run, rows, batch) == Some(seen.fingerprint);
        is_same.then_some(Recorded { batch, seen })
    };
    Ok(batches.iter().filter_map(recorded).collect())
}

/// Nothing stands in the way of a first write: users that need not be read are done.
pub(super) fn settle<R: Rows>(run: &Run<'_>, rows: &mut R, recorded: &[Recorded]) {
    for Recorded { batch, seen } in recorded {
        rows.record_as_recorded(*batch, seen.at);
    }
    run.history.borrow_mut().n_users_completed += recorded.len();
}

/// What the rows of a user want. Where the file is the whole truth for its users, this must be all of it.
fn fingerprint<R: Rows>(run: &Run<'_>, rows: &R, batch: UserBatch) -> Option<Fingerprint> {
    let is_truth = run.mode.get() == Mode::Replace;
    let wants = rows.wants(batch).filter(|_| batch.is_complete || !is_truth)?;
    Some(Fingerprint::of(&format!("{}\n{wants}", if is_truth { "replace" } else { "merge" })))
}

impl Run<'_> {
    /// The record of this kind of file.
    fn seen_users(&self) -> &SeenUsers {
        self.seen.get_or_init(|| {
            let (settings, import_id) = (&self.importer.settings, &self.record().import_id);
            let kind = self.kind.get().map_or("unknown", FileKind::name);
            let key = import_id.rsplit_once('-').map_or(import_id.as_str(), |(_, key)| key);
            let state = Location::new(&self.lease.folder().bucket, &settings.prefixes.state);
            SeenUsers::new(&self.importer.store, &state, kind, &settings.instance_id, key)
        })
    }

    /// Takes the users out of the record that may be written to from now on.
    pub(super) async fn take_out(&self, users: &Users, batches: &[UserBatch]) -> anyhow::Result<()> {
        if self.record().options.dry_run || batches.is_empty() {
            return Ok(());
        }
        let ids: Vec<UserId> = batches.iter().map(|batch| users.id(batch.user)).collect();
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        let begins = self.record().options.recheck_days.get() > 0;
        Ok(self.seen_users().take_out(&ids, seconds(self.deadlines.wall_clock()), begins).await?)
    }

    /// Remembers that a user has all that its rows say, if it has, and where the file is the whole truth nothing else.
    pub(super) fn saw<R: Rows>(&self, rows: &R, user: &UserId, batch: UserBatch, header: &Header, n_held: usize) {
        let options = &self.record().options;
        if options.recheck_days.get() == 0 || options.dry_run || R::has_conditions(header) {
            return;
        }
        let of_batch = rows.ledger().rows(batch);
        let mut statuses = of_batch.iter().filter_map(|row| rows.ledger().outcome(*row)).map(|outcome| outcome.status);
        let is_right = statuses
            .all(|status| matches!(status, Status::Added | Status::Updated | Status::Unchanged | Status::Duplicate));
        let has_more = self.mode.get() == Mode::Replace && n_held != of_batch.len();
        if let Some(fingerprint) = fingerprint(self, rows, batch).filter(|_| is_right && !has_more) {
            let n_held = u32::try_from(n_held).unwrap_or(u32::MAX);
            let seen = SeenUser { fingerprint, n_held, at: seconds(self.deadlines.wall_clock()) };
            self.seen_users().saw(user.as_str(), seen);
        }
    }

    /// The delivery writes to nobody any more: the users that it has seen right need not be read by the next import. What cannot
    /// be remembered is read again.
    pub(super) async fn put_in(&self) {
        let Some(seen_users) = self.seen.get() else { return };
        let put_in = async {
            self.confirm().await?;
            let now = seconds(self.deadlines.wall_clock());
            seen_users.put_in(now).await.context("users that are right are read again next time")
        };
        best_effort(self.deadlines.end, Box::pin(put_in)).await;
    }
}

/// Seconds since 1970.
fn seconds(time: DateTime<Utc>) -> u32 {
    u32::try_from(time.timestamp()).unwrap_or_default()
}
