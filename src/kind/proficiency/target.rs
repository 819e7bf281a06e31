//! One user on the way to the proficiencies that its rows name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::effects::{CurrentProficiencies, ProficiencyChange, ProficiencyEffects};
use super::plan::{Condition, KeptReason, ProficiencyItem, Step, Want, in_held_spelling, in_item_spelling, kept, plan};
use crate::connect::{Connect, ConnectError, ErrorKind, Level, Operation, Proficiencies, ProficiencyKey, UserId};
use crate::kind::rows::{ReconcileOptions, Target};
use crate::outcome::Preview;

/// The outcome of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum ProficiencyOutcome {
    /// The user did not have it and has it now.
    Added,
    /// The user had it at another level.
    Updated {
        /// The level before.
        from: Level,
    },
    /// The user had it and has it no more.
    Removed {
        /// The level before.
        from: Level,
    },
    /// It was so already.
    Unchanged,
    /// What the user had is not as its condition says.
    Kept {
        /// What it had; nothing if it did not have it.
        found: Option<Level>,
    },
    /// There is no room for what is added, so it was not done either.
    WithoutRoom,
    /// The user would have more proficiencies than are allowed: this many.
    TooMany(usize),
    /// The service refused it.
    Failed(ConnectError),
    /// It was not tried, because the import stopped.
    Pending,
}

impl ProficiencyOutcome {
    fn is_right(&self) -> bool {
        matches!(self, Self::Added | Self::Updated { .. } | Self::Removed { .. } | Self::Unchanged)
    }
}

/// One user on the way.
#[derive(Debug)]
pub struct ProficiencyTarget {
    items: Vec<ProficiencyItem>,
    /// The largest set that the user may have; one who has more proves that more is allowed.
    limit: usize,
    /// What was there before.
    before: Proficiencies,
    /// What is there as far as we know.
    now: Proficiencies,
    /// What was there before and the file does not name, where the file is the whole truth.
    implied: Proficiencies,
    /// The same, where a row that cannot be assigned to a user may name it.
    withheld: Proficiencies,
    /// Items whose conditions did not hold, and what must stay because of them.
    kept: BTreeMap<ProficiencyKey, KeptReason>,
    /// Calls of the last plan that were not made yet.
    queue: VecDeque<Step>,
    /// Calls that succeeded. A later read may not show them yet.
    done: Vec<Step>,
    /// Items that cannot be added, each with the size that the set would have.
    too_many: BTreeMap<ProficiencyKey, usize>,
    /// Items that are given up, each with the last word of the service.
    refused: BTreeMap<ProficiencyKey, ConnectError>,
    /// Items of calls that were refused: they are sent alone.
    one_by_one: BTreeSet<(Operation, ProficiencyKey)>,
    /// Items of a call whose effect is not known.
    unseen: BTreeSet<ProficiencyKey>,
}

impl Target for ProficiencyTarget {
    const READ: Operation = Operation::ListUserProficiencies;
    type Item = ProficiencyItem;
    type Current = CurrentProficiencies;
    type Call = Step;
    type ItemOutcome = ProficiencyOutcome;
    type Effects = ProficiencyEffects;

    async fn read(connect: &Connect, user: &UserId) -> Result<CurrentProficiencies, ConnectError> {
        connect.list_user_proficiencies(user).await.map(CurrentProficiencies)
    }

    async fn send(connect: &Connect, user: &UserId, call: &Step) -> Result<(), ConnectError> {
        match call {
            Step::Update(items) => connect.update(user, items).await,
            Step::Associate(items) => connect.associate(user, items).await,
            Step::Disassociate(pairs) => connect.disassociate(user, pairs).await,
        }
    }

    fn new(
        items: &[ProficiencyItem],
        CurrentProficiencies(before): CurrentProficiencies,
        CurrentProficiencies(now): CurrentProficiencies,
        options: &ReconcileOptions<'_>,
    ) -> Self {
        let items = in_held_spelling(items, &before);
        let named: BTreeSet<&ProficiencyKey> = items.iter().map(|item| &item.pair).collect();
        let implied = before.iter().filter(|(pair, _)| options.replaces && !named.contains(pair));
        let implied = implied.map(|(pair, level)| (pair.clone(), *level));
        let now = in_item_spelling(now, &items);
        // What an earlier delivery has removed is not withheld any more.
        let is_withheld = |pair: &ProficiencyKey| options.protected.covers(pair) && now.contains_key(pair);
        let (withheld, implied) = implied.partition(|(pair, _)| is_withheld(pair));
        Self {
            limit: options.limit.max(before.len()).max(now.len()),
            kept: kept(&before, &now, &items, options.limit),
            implied,
            withheld,
            now,
            items,
            before,
            queue: VecDeque::new(),
            done: Vec::new(),
            too_many: BTreeMap::new(),
            refused: BTreeMap::new(),
            one_by_one: BTreeSet::new(),
            unseen: BTreeSet::new(),
        }
    }

    fn preview(&self) -> Preview {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let is_whole = self.implied.is_empty() && self.withheld.is_empty();
        let is_right = is_whole && self.outcomes().iter().all(|it| *it == ProficiencyOutcome::Unchanged);
        let is_named = |item: &&ProficiencyItem| item.want == Want::Absent && self.before.contains_key(&item.pair);
        let named = count(self.items.iter().filter(is_named).count());
        Preview { held: count(self.before.len()), implied: count(self.implied.len()), named, is_right, is_whole: true }
    }

    /// The calls of a plan are made to its end, or to the first that fails.
    fn next_call(&mut self) -> Option<Step> {
        if self.queue.is_empty() {
            let steps = self.plan();
            self.queue = steps.into_iter().flat_map(|step| self.split(step)).collect();
        }
        self.queue.pop_front()
    }

    fn succeeded(&mut self, call: Step) {
        call.apply_to(&mut self.now);
        self.done.push(call);
    }

    fn refresh(&mut self, CurrentProficiencies(now): CurrentProficiencies) {
        self.queue.clear();
        self.now = in_item_spelling(now, &self.items);
        for step in &self.done {
            step.apply_to(&mut self.now);
        }
    }

    /// What was refused goes under a lower limit if that helps, else one by one, so that only the guilty items fail.
    fn failed(&mut self, call: &Step, error: &ConnectError) {
        let is_refused = error.kind == ErrorKind::Refused;
        if is_refused && self.lower_limit(call) {
            return;
        }
        if is_refused && call.len() > 1 {
            let operation = operation_of(call);
            self.one_by_one.extend(call.pairs().map(|pair| (operation, pair.clone())));
        } else {
            self.give_up(call, error);
        }
    }

    fn give_up(&mut self, call: &Step, error: &ConnectError) {
        self.refused.extend(call.pairs().map(|pair| (pair.clone(), error.clone())));
    }

    fn lost_sight(&mut self, call: &Step, error: &ConnectError, unread: &ConnectError) {
        self.unseen.extend(call.pairs().cloned());
        self.give_up(call, error);
        if unread.kind != ErrorKind::NotSent {
            for item in &self.items {
                self.refused.entry(item.pair.clone()).or_insert_with(|| unread.clone());
            }
        }
    }

    fn is_untried(&self) -> bool {
        let mut remaining = self.remaining().into_iter();
        self.outcomes().contains(&ProficiencyOutcome::Pending) || remaining.any(|pair| !self.refused.contains_key(pair))
    }

    fn outcomes(&self) -> Vec<ProficiencyOutcome> {
        self.items.iter().map(|item| self.outcome(item)).collect()
    }

    fn n_held(&self) -> usize {
        self.now.len()
    }

    fn unread(items: &[ProficiencyItem], failed: Option<&ConnectError>) -> Vec<ProficiencyOutcome> {
        let outcome = failed.map_or(ProficiencyOutcome::Pending, |error| ProficiencyOutcome::Failed(error.clone()));
        vec![outcome; items.len()]
    }

    fn effects(&self) -> ProficiencyEffects {
        let is_right = |item: &&ProficiencyItem| self.outcome(item).is_right();
        let right: Vec<&ProficiencyKey> = self.items.iter().filter(is_right).map(|item| &item.pair).collect();
        let changed = right.iter().filter(|pair| self.before.get(**pair) != self.now.get(**pair));
        let removed: Vec<&ProficiencyKey> = self.implied.keys().filter(|pair| !self.now.contains_key(pair)).collect();
        let unseen = self.unseen.iter().filter(|pair| !right.contains(pair) && !removed.contains(pair));
        let remaining = self.remaining();
        let remaining_reason =
            remaining.iter().find_map(|pair| self.refused.get(*pair)).map(ConnectError::user_message);
        let is_withheld = self.is_all_right() || self.lacks_only_what_is_withheld();
        let withheld = self.withheld.keys().filter(|_| is_withheld);
        ProficiencyEffects {
            changed: self.changes(changed.copied()),
            removed: self.changes(removed.iter().copied()),
            unseen: self.changes(unseen),
            remaining: self.changes(remaining.iter().copied()),
            remaining_reason,
            withheld: self.changes(withheld),
        }
    }

    fn distrust(&mut self) {
        let wanted: Vec<_> = self.wanted_otherwise().cloned().collect();
        self.unseen.extend(wanted);
    }

    fn possible_effects(&self) -> ProficiencyEffects {
        ProficiencyEffects { unseen: self.changes(self.wanted_otherwise()), ..ProficiencyEffects::default() }
    }
}

impl ProficiencyTarget {
    /// The calls that are still to be made, less what is given up.
    fn plan(&mut self) -> Vec<Step> {
        let is_wanted = |item: &&ProficiencyItem| !self.is_given_up(&item.pair);
        let mut items: Vec<ProficiencyItem> = self.items.iter().filter(is_wanted).cloned().collect();
        items.extend(self.implied_items(&items));
        let plan = plan(&self.now, &items, self.limit);
        let Some(size) = plan.too_many else { return plan.steps };
        let added = items.into_iter().filter(|item| self.is_addition(item));
        let added: Vec<_> = added.map(|item| (item.pair, size)).collect();
        self.too_many.extend(added);
        // Without additions the set is not too large; and nothing is removed any more that no row says.
        self.plan()
    }

    /// What the file does not name is removed, but only while every row can be followed. Else what was already removed to
    /// make room is added again, as far as there is room.
    fn implied_items(&self, items: &[ProficiencyItem]) -> Vec<ProficiencyItem> {
        // A call may be refused for what its first attempt has done, whose answer was lost: then it is in place.
        let is_wrong = |item: &ProficiencyItem| self.is_given_up(&item.pair) && !self.is_in_place(item);
        let implied = self.implied.iter().filter(|(pair, _)| !self.is_given_up(pair));
        if !self.items.iter().any(is_wrong) {
            return implied.map(|(pair, _)| implied_item(pair, Want::Absent)).collect();
        }
        let n_additions = items.iter().filter(|item| self.is_addition(item)).count();
        let room = self.limit.saturating_sub(self.now.len() + n_additions);
        let lost = implied.filter(|(pair, _)| !self.now.contains_key(pair)).take(room);
        lost.map(|(pair, level)| implied_item(pair, Want::Level(*level))).collect()
    }

    /// Items that were in a refused call go alone, the others together.
    fn split(&self, step: Step) -> Vec<Step> {
        let operation = operation_of(&step);
        let is_suspect = step.pairs().any(|pair| self.one_by_one.contains(&(operation, pair.clone())));
        if is_suspect { step.one_by_one() } else { vec![step] }
    }

    /// The service's limit may be lower than ours. So after a refused addition the removals that rows ask for come first,
    /// if there are any; returns whether there are. Removals that no row asks for wait until all additions have
    /// succeeded.
    fn lower_limit(&mut self, refused: &Step) -> bool {
        let Step::Associate(_) = refused else { return false };
        let (mut additions, mut removals) = (0, 0);
        for item in self.items.iter().filter(|item| !self.is_refused_or_kept(&item.pair)) {
            match (item.want, self.now.contains_key(&item.pair)) {
                (Want::Level(_), false) => additions += 1,
                (Want::Absent, true) => removals += 1,
                (Want::Level(_), true) | (Want::Absent, false) => {}
            }
        }
        let lower = self.now.len().max((self.now.len() + additions).saturating_sub(removals));
        let is_lower = self.implied.is_empty() && removals > 0 && lower < self.limit;
        if is_lower {
            self.limit = lower;
        }
        is_lower
    }

    fn is_given_up(&self, pair: &ProficiencyKey) -> bool {
        self.is_refused_or_kept(pair) || self.too_many.contains_key(pair)
    }

    fn is_refused_or_kept(&self, pair: &ProficiencyKey) -> bool {
        self.refused.contains_key(pair) || self.kept.contains_key(pair)
    }

    /// What is wanted otherwise than it was: all that may be written.
    fn wanted_otherwise(&self) -> impl Iterator<Item = &ProficiencyKey> {
        let is_kept = |item: &&ProficiencyItem| self.kept.contains_key(&item.pair);
        let wrong = self.items.iter().filter(|item| !item.want.is_met_by(self.before.get(&item.pair).copied()));
        wrong.filter(move |item| !is_kept(item)).map(|item| &item.pair).chain(self.implied.keys())
    }

    fn is_addition(&self, item: &ProficiencyItem) -> bool {
        matches!(item.want, Want::Level(_)) && !self.now.contains_key(&item.pair)
    }

    fn is_in_place(&self, item: &ProficiencyItem) -> bool {
        item.want.is_met_by(self.now.get(&item.pair).copied())
    }

    /// What is in place in the end was done by this import, whatever the calls answered.
    fn outcome(&self, item: &ProficiencyItem) -> ProficiencyOutcome {
        match self.kept.get(&item.pair) {
            Some(KeptReason::Found(found)) => return ProficiencyOutcome::Kept { found: *found },
            Some(KeptReason::NoRoom) => return ProficiencyOutcome::WithoutRoom,
            None => {}
        }
        let (before, now) = (self.before.get(&item.pair).copied(), self.now.get(&item.pair).copied());
        match (self.is_in_place(item), before) {
            (true, _) if before == now => ProficiencyOutcome::Unchanged,
            (true, None) => ProficiencyOutcome::Added,
            (true, Some(from)) if now.is_some() => ProficiencyOutcome::Updated { from },
            (true, Some(from)) => ProficiencyOutcome::Removed { from },
            (false, _) => match (self.too_many.get(&item.pair), self.refused.get(&item.pair)) {
                // There may be no room because the service would not remove what the file does not name.
                (Some(&size), _) => {
                    let refused = self.implied.keys().find_map(|pair| self.refused.get(pair));
                    refused.cloned().map_or(ProficiencyOutcome::TooMany(size), ProficiencyOutcome::Failed)
                }
                (None, Some(error)) => ProficiencyOutcome::Failed(error.clone()),
                (None, None) => ProficiencyOutcome::Pending,
            },
        }
    }

    /// What should have been removed and is still there. If a row is not right, nothing should have been.
    fn remaining(&self) -> Vec<&ProficiencyKey> {
        if self.is_all_right() {
            self.implied.keys().filter(|pair| self.now.contains_key(pair)).collect()
        } else {
            Vec::new()
        }
    }

    fn is_all_right(&self) -> bool {
        self.outcomes().iter().all(ProficiencyOutcome::is_right)
    }

    /// Whether all would be right if what is withheld had made room.
    fn lacks_only_what_is_withheld(&self) -> bool {
        let would_fit = self.too_many.values().all(|size| size.saturating_sub(self.withheld.len()) <= self.limit);
        let is_right =
            |outcome: &ProficiencyOutcome| outcome.is_right() || matches!(outcome, ProficiencyOutcome::TooMany(_));
        would_fit && self.outcomes().iter().all(is_right)
    }

    /// From what was to what is wanted: where no item names a pair, the user shall not have it.
    fn changes<'k>(&self, pairs: impl Iterator<Item = &'k ProficiencyKey>) -> Vec<ProficiencyChange> {
        let wanted: BTreeMap<_, _> = self.items.iter().map(|item| (&item.pair, item.want)).collect();
        let change = |pair: &ProficiencyKey| ProficiencyChange {
            pair: pair.clone(),
            before: self.before.get(pair).copied(),
            after: wanted.get(pair).and_then(|want| want.level()),
        };
        pairs.map(change).collect()
    }
}

/// What is wanted of a pair that no row names.
fn implied_item(pair: &ProficiencyKey, want: Want) -> ProficiencyItem {
    ProficiencyItem { pair: pair.clone(), want, condition: Condition::Always }
}

fn operation_of(step: &Step) -> Operation {
    match step {
        Step::Update(_) => Operation::UpdateUserProficiencies,
        Step::Associate(_) => Operation::AssociateUserProficiencies,
        Step::Disassociate(_) => Operation::DisassociateUserProficiencies,
    }
}
