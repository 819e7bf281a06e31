//! What earlier deliveries of an import did, out of its journal.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;

use super::progress::History;
use super::run::Run;
use crate::connect::UserId;
use crate::input::Symbol;
use crate::kind::{Ledger, Prior, Rows, Unassigned, UserBatch, UserEffects};
use crate::outcome::{Outcome, RowId};
use crate::resolve::{UserCell, Users};
use crate::state::{Completed, Intent, Replay};

/// What the journal says of the rows of a file.
pub(super) struct Resumed {
    pub(super) replay: Replay,
    /// Outcomes of rows. They take their place only after the rows were compared with each other.
    outcomes: Vec<(RowId, Outcome)>,
    /// Whom names of the file meant when their users were begun with: users may be renamed while an import runs.
    pub(super) recorded: HashMap<Symbol<UserCell>, UserId>,
}

/// Reads the journal. The effects on users go into the ledger as text, at once.
pub(super) async fn resume<R: Rows>(run: &Run<'_>, rows: &mut R) -> anyhow::Result<Resumed> {
    let (mut outcomes, mut recorded, mut unreadable) = (Vec::new(), HashMap::new(), Ok(()));
    let replay = if run.record().is_resumed() {
        let visit = |Completed { user, rows: done, effects }: Completed| {
            if let (Some((first, _)), Some(json)) = (done.first(), effects) {
                let restored = rows.restore_effects(*first, &UserEffects { user: user.clone(), json });
                unreadable = std::mem::replace(&mut unreadable, Ok(())).and(restored);
            }
            for (row, stored) in done {
                let messages = &mut rows.ledger_mut().messages;
                outcomes.push((row, stored.restore(|code, message| messages.intern(code, message))));
                record(rows.ledger(), &mut recorded, row, &user);
            }
        };
        let replay =
            run.journal.replay(async || run.confirm().await, visit).await.context("the journal cannot be read")?;
        unreadable.context("the journal cannot be read")?;
        for Intent { user, rows: begun, .. } in replay.intents.values() {
            for row in begun {
                record(rows.ledger(), &mut recorded, *row, user);
            }
        }
        replay
    } else {
        Replay::default()
    };
    // What is known of each operation is known of it in this import, whatever delivery learned it.
    run.begin_lanes(&replay.lanes);
    run.history.replace(History::of(&replay));
    Ok(Resumed { replay, outcomes, recorded })
}

/// Keeps whom a name of the file meant.
fn record(ledger: &Ledger, recorded: &mut HashMap<Symbol<UserCell>, UserId>, row: RowId, user: &UserId) {
    if row.index() < ledger.len() {
        recorded.insert(ledger.user(row).0, user.clone());
    }
}

impl Resumed {
    /// The outcomes of the rows that were begun with, without the file.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let last: BTreeMap<RowId, Outcome> = self.outcomes.iter().copied().collect();
        let under_way = self.replay.rows_under_way();
        let n_pending = under_way.iter().filter(|row| !last.contains_key(row)).count();
        last.into_values().chain(std::iter::repeat_n(Outcome::PENDING, n_pending)).collect()
    }

    /// Puts the outcomes into their rows.
    pub(super) fn restore_outcomes(&mut self, ledger: &mut Ledger) {
        for (row, outcome) in std::mem::take(&mut self.outcomes) {
            if row.index() < ledger.len() {
                ledger.set(row, outcome);
            }
        }
    }

    /// Of users whose writes may have started and who cannot be looked at any more: what may have been done for them.
    pub(super) fn assume_intents(&self, ledger: &mut Ledger) {
        for Intent { user, rows, possible, .. } in self.replay.intents.values() {
            if let Some(first) = rows.first() {
                ledger.set_effects(*first, &UserEffects { user: user.clone(), json: possible.clone() });
            }
        }
    }

    /// What is left of the work. Whether a user's rows are all that the file says of it was decided when it was begun with.
    pub(super) fn retain_left(&self, ledger: &mut Ledger, users: &Users, batches: Vec<UserBatch>) -> Vec<UserBatch> {
        let mut left = ledger.retain_pending(batches);
        for batch in &mut left {
            if let Some(intent) = self.replay.intents.get(&users.id(batch.user)) {
                batch.is_complete = intent.is_complete;
            }
        }
        left
    }

    /// The rows that an earlier delivery could not assign to a user.
    pub(super) fn unassigned(&self) -> anyhow::Result<Unassigned> {
        let Some(started) = &self.replay.started else { return Ok(Unassigned::default()) };
        serde_json::from_str(started.unassigned.get()).context("the journal cannot be read")
    }

    /// What users had before the import's first write for them, of those whose writes may have started.
    pub(super) fn priors<R: Rows>(&self) -> anyhow::Result<BTreeMap<UserId, Prior<R::Target>>> {
        let intents = self.replay.intents.values();
        let priors = intents.map(|intent| Ok((intent.user.clone(), Prior::parse(&intent.before, &intent.possible)?)));
        priors.collect::<serde_json::Result<_>>().context("the journal cannot be read")
    }
}
