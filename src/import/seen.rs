//! Users that need no read: their rows are as they were when the function last saw them right, and since then no import has
//! written to them.
//!
//! Which those are is asked before the first user is looked at ([`find_recorded`]), and they are done once nothing stands in
//! the way of a first write ([`Recorded::settle`]). Before it, all others are taken out of the record ([`Run::take_out`]); and
//! when a delivery ends, it puts in those that it has seen right ([`Run::put_in`]).

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::run::{Run, best_effort};
use crate::connect::UserId;
use crate::input::Header;
use crate::kind::{Rows, UserBatch};
use crate::options::Mode;
use crate::outcome::Status;
use crate::resolve::Users;
use crate::state::{Fingerprint, ImportRecord, SeenUser, SeenUsers, Writer};
use crate::store::Location;

/// How long a delivery may write that has no deadline. No front end that we know lets one live so long.
const WITHOUT_DEADLINE: TimeDelta = TimeDelta::days(1);
/// Clocks differ a little.
const MARGIN: TimeDelta = TimeDelta::minutes(1);

/// Users that need not be read.
#[derive(Debug, Default)]
pub(super) struct Recorded(Vec<(UserBatch, SeenUser)>);

impl Recorded {
    /// How many things they hold.
    pub(super) fn n_held(&self) -> u64 {
        self.0.iter().map(|(_, seen)| u64::from(seen.n_held)).sum()
    }

    /// The users.
    pub(super) fn batches(&self) -> impl Iterator<Item = &UserBatch> {
        self.0.iter().map(|(batch, _)| batch)
    }

    /// Nothing stands in the way of a first write: these users are done.
    pub(super) fn settle<R: Rows>(&self, run: &Run<'_>, rows: &mut R) {
        for (batch, seen) in &self.0 {
            rows.record_as_recorded(*batch, seen.at);
        }
        run.history.borrow_mut().n_users_completed += self.0.len();
    }
}

/// Tells the users that need not be read from the others. Those with whom an earlier delivery began are read, and in a dry run,
/// which tells how things are, everybody is.
pub(super) async fn find_recorded<R: Rows>(
    run: &Run<'_>,
    rows: &R,
    users: &Users,
    header: &Header,
    batches: Vec<UserBatch>,
    has_begun: impl Fn(&UserId) -> bool,
) -> anyhow::Result<(Recorded, Vec<UserBatch>)> {
    let days = run.record().options.recheck_days.get();
    if !run.remembers::<R>(header) {
        return Ok((Recorded::default(), batches));
    }
    let now = run.seconds();
    let record = run.seen_users::<R>().read(now).await?;
    let is_recorded = |batch: UserBatch| {
        let user = users.id(batch.user);
        let seen = record.right(user.as_str()).filter(|seen| !seen.is_due(user.as_str(), now, days))?;
        let is_same = !has_begun(&user) && fingerprint(run, rows, batch) == Some(seen.fingerprint);
        is_same.then_some((batch, seen))
    };
    let (mut recorded, mut others) = (Vec::new(), Vec::new());
    for batch in batches {
        match is_recorded(batch) {
            Some(user) => recorded.push(user),
            None => others.push(batch),
        }
    }
    Ok((Recorded(recorded), others))
}

/// What the rows of a user want. Where the file is the whole truth for its users, this must be all of it.
fn fingerprint<R: Rows>(run: &Run<'_>, rows: &R, batch: UserBatch) -> Option<Fingerprint> {
    let is_truth = run.mode.get() == Mode::Replace;
    let wants = rows.wants(batch).filter(|_| batch.is_complete || !is_truth)?;
    Some(Fingerprint::of(&format!("{}\n{wants}", if is_truth { "replace" } else { "merge" })))
}

impl Run<'_> {
    /// Whether this import remembers whom it sees right.
    fn remembers<R: Rows>(&self, header: &Header) -> bool {
        let options = &self.record().options;
        options.recheck_days.get() > 0 && !options.dry_run && !R::has_conditions(header)
    }

    /// The record of this kind of file.
    fn seen_users<R: Rows>(&self) -> &SeenUsers {
        self.seen.get_or_init(|| {
            let (settings, ImportRecord { import_id, deliveries, .. }) = (&self.importer.settings, self.record());
            let import = import_id.rsplit_once('-').map_or(import_id.as_str(), |(_, key)| key).into();
            let writer = Writer { import, delivery: *deliveries };
            let state = Location::new(&self.lease.folder().bucket, &settings.prefixes.state);
            SeenUsers::new(&self.importer.store, &state, R::NAME, &settings.instance_id, writer)
        })
    }

    /// Takes the users out of the record that may be written to from now on.
    pub(super) async fn take_out<R: Rows>(&self, users: &Users, batches: &[UserBatch]) -> anyhow::Result<()> {
        if self.record().options.dry_run || batches.is_empty() {
            return Ok(());
        }
        let ids: Vec<UserId> = batches.iter().map(|batch| users.id(batch.user)).collect();
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        let left = self.deadlines.end.map(|end| TimeDelta::from_std(end.duration_since(Instant::now())));
        let until = self.deadlines.wall_clock() + left.transpose()?.unwrap_or(WITHOUT_DEADLINE) + MARGIN;
        Ok(self.seen_users::<R>().take_out(&ids, self.seconds(), seconds(until)).await?)
    }

    /// Whether a user that was looked at before others were taken out of the record may be put in: if no other import began to
    /// write between.
    pub(super) fn may_remember_previews(&self) -> bool {
        self.seen.get().is_some_and(SeenUsers::is_undisturbed)
    }

    /// Remembers that a user has all that its rows say, if it has, and where the file is the whole truth nothing else.
    pub(super) fn saw<R: Rows>(&self, rows: &R, user: &UserId, batch: UserBatch, header: &Header, n_held: usize) {
        if !self.remembers::<R>(header) {
            return;
        }
        let of_batch = rows.ledger().rows(batch);
        let mut statuses = of_batch.iter().filter_map(|row| rows.ledger().outcome(*row)).map(|outcome| outcome.status);
        let is_right = statuses
            .all(|status| matches!(status, Status::Added | Status::Updated | Status::Unchanged | Status::Duplicate));
        let has_more = self.mode.get() == Mode::Replace && n_held != of_batch.len();
        if let Some(fingerprint) = fingerprint(self, rows, batch).filter(|_| is_right && !has_more) {
            let n_held = u32::try_from(n_held).unwrap_or(u32::MAX);
            let seen = SeenUser { fingerprint, n_held, at: self.seconds() };
            self.seen_users::<R>().saw(user.as_str(), seen);
        }
    }

    /// The delivery writes to nobody any more: the users that it has seen right need not be read by the next import. What cannot
    /// be remembered is read again, and so is whom a delivery saw that was killed.
    pub(super) async fn put_in(&self) {
        let Some(seen_users) = self.seen.get() else { return };
        let put_in =
            async { seen_users.put_in(self.seconds()).await.context("users that are right will be read again") };
        best_effort(self.deadlines.end, Box::pin(put_in)).await;
    }

    fn seconds(&self) -> u32 {
        seconds(self.deadlines.wall_clock())
    }
}

/// Seconds since 1970.
fn seconds(time: DateTime<Utc>) -> u32 {
    u32::try_from(time.timestamp()).unwrap_or_default()
}
