//! Brings the users to what their rows say, many at once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::preview::Previews;
use super::progress::Progress;
use super::run::Run;
use crate::connect::{ConnectError, UserId};
use crate::input::Header;
use crate::kind::{
    Describe, Prior, Protected, ReconcileOptions, Reconciled, Target, UserBatch, UserEffects, Writes, reconcile,
};
use crate::options::Mode;
use crate::outcome::RowId;
use crate::resolve::Users;
use crate::state::Intent;

/// What an import applies.
pub(super) struct Apply<'a, R: Describe> {
    pub(super) run: &'a Run<'a>,
    pub(super) users: &'a Users,
    /// What is removed from nobody by implication.
    pub(super) protected: &'a Protected,
    pub(super) previews: &'a Previews,
    pub(super) header: &'a Header,
    /// Users whose writes an earlier delivery may have started.
    pub(super) priors: &'a BTreeMap<UserId, Prior<R::Target>>,
    /// Whether the import ends: users that were begun with are looked at, so that what was done for them is told, and no
    /// other.
    pub(super) is_ending: bool,
    /// What may come of the users whose writes this delivery may have started, and the first of their rows.
    pub(super) intended: RefCell<BTreeMap<UserId, (RowId, Box<RawValue>)>>,
}

impl<'a, R: Describe> Apply<'a, R> {
    /// Brings the users to what their rows say, until all are done, or a refusal or a person stops the import. Users that
    /// an earlier delivery began with come first.
    pub(super) async fn apply(&self, rows: &mut R, mut batches: Vec<UserBatch>) -> Option<ConnectError> {
        batches.sort_by_key(|batch| !self.has_begun(*batch));
        let mut progress = self.progress(rows, batches.len());
        let mut waiting = batches.into_iter().peekable();
        let mut under_way = FuturesUnordered::new();
        let mut stopped = None;
        loop {
            while under_way.len() < self.run.users_under_way(R::Target::READ) {
                let is_ending = self.is_ending || self.run.is_cancelled() || stopped.is_some();
                let Some(batch) = waiting.next_if(|batch| !is_ending || self.has_begun(*batch)) else { break };
                if self.skip_right(rows, batch) {
                    progress.n_users_before += 1;
                    self.advance(rows, &mut progress);
                } else {
                    under_way.push(self.bring(rows, batch, is_ending));
                }
            }
            if waiting.peek().is_none() {
                self.run.journal.hurry();
            }
            let next = self.run.unless_abandoned(under_way.next()).await;
            let Some(Some((batch, mut reconciled))) = next else { break };
            stopped = stopped.or(reconciled.stop.take());
            self.record(rows, batch, reconciled);
            self.advance(rows, &mut progress);
        }
        drop(under_way);
        self.assume_unseen(rows, waiting);
        stopped
    }

    fn has_begun(&self, batch: UserBatch) -> bool {
        self.priors.contains_key(&self.users.id(batch.user))
    }

    fn progress(&self, rows: &R, n_left: usize) -> Progress {
        let n_before = self.run.history.borrow().n_users_completed;
        let progress = Progress {
            rows: rows.ledger().counts(),
            n_users: n_before + n_left,
            n_users_done: n_before,
            n_users_before: n_before,
            n_users_after: 0,
            is_preview: false,
            since: Some(Instant::now()),
            reads_per_second: self.run.lanes().rates().per_second(R::Target::READ),
        };
        self.run.show(progress);
        progress
    }

    fn advance(&self, rows: &R, progress: &mut Progress) {
        progress.rows = rows.ledger().counts();
        progress.n_users_done += 1;
        self.run.show(*progress);
    }

    fn replaces(&self) -> bool {
        self.run.mode.get() == Mode::Replace
    }

    /// A user that this delivery has just seen to be right needs no second look.
    fn skip_right(&self, rows: &mut R, batch: UserBatch) -> bool {
        let user = self.users.id(batch.user);
        let is_right = !self.has_begun(batch) && self.previews.is_right(&user);
        if is_right {
            rows.record_right(batch);
            if self.run.may_remember_previews() {
                self.run.saw(rows, &user, batch, self.header, self.previews.n_held(&user));
            }
            self.run.complete(rows, self.users, batch, None);
        }
        is_right
    }

    /// Brings one user to what its rows say.
    fn bring<'f>(
        &'f self,
        rows: &R,
        batch: UserBatch,
        is_ending: bool,
    ) -> impl Future<Output = (UserBatch, Reconciled<R::Target>)> + use<'f, 'a, R> {
        let options = &self.run.record().options;
        let (user, items) = (self.users.id(batch.user), rows.items(batch));
        let prior = self.priors.get(&user);
        let writes = match (is_ending, options.dry_run) {
            (true, _) => Writes::Observe,
            (false, true) => Writes::Plan,
            (false, false) => Writes::Apply,
        };
        let is_counted = prior.is_some() || self.previews.is_counted(&user);
        let replaces = self.replaces() && batch.is_complete && is_counted;
        let (limit, protected) = (options.max_proficiencies_per_user, self.protected);
        let options = ReconcileOptions { limit, replaces, protected, writes };
        let of_batch = rows.ledger().rows(batch).to_vec();
        if let (Some(prior), Some(first)) = (prior, of_batch.first()) {
            self.intended.borrow_mut().insert(user.clone(), (*first, prior.possible().to_owned()));
        }
        async move {
            let before_first_write = async |before: Box<RawValue>, possible: Box<RawValue>| {
                // Resumed, nothing may be removed of the user that no guard has counted.
                let (rows, is_complete) = (of_batch.clone(), replaces);
                let intent = Intent { user: user.clone(), rows, is_complete, before, possible: possible.clone() };
                self.run.journal.intend(intent).await;
                if let Some(first) = of_batch.first() {
                    self.intended.borrow_mut().insert(user.clone(), (*first, possible));
                }
            };
            let connect = &self.run.importer.connect;
            (batch, reconcile::<R::Target>(connect, &user, &items, options, prior, before_first_write).await)
        }
    }

    fn record(&self, rows: &mut R, batch: UserBatch, reconciled: Reconciled<R::Target>) {
        let user = self.users.id(batch.user);
        self.intended.borrow_mut().remove(&user);
        rows.record(batch, reconciled.outcomes);
        if let (Some(first), Some(json)) = (rows.ledger().rows(batch).first().copied(), reconciled.effects.clone()) {
            rows.ledger_mut().set_effects(first, &UserEffects { user: user.clone(), json });
        }
        if reconciled.is_done && !self.is_ending {
            self.run.saw(rows, &user, batch, self.header, reconciled.n_held);
        }
        if self.run.record().options.dry_run {
            rows.ledger_mut().set_would(batch);
        }
        if reconciled.is_done {
            self.run.complete(rows, self.users, batch, reconciled.effects);
        }
    }

    /// The import ends, and these users cannot be waited for: of those whose writes may have started it is told what may
    /// have been done.
    fn assume_unseen(&self, rows: &mut R, waiting: impl Iterator<Item = UserBatch>) {
        for (user, (first, json)) in self.intended.take() {
            rows.ledger_mut().set_effects(first, &UserEffects { user, json });
        }
        for batch in waiting {
            let user = self.users.id(batch.user);
            let first = rows.ledger().rows(batch).first().copied();
            if let (Some(first), Some(prior)) = (first, self.priors.get(&user)) {
                rows.ledger_mut().set_effects(first, &UserEffects { user, json: prior.possible().to_owned() });
            }
        }
    }
}
