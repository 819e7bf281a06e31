//! Brings one user to what the file says: read, plan, write, and read again where a write did not succeed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::connect::{Connect, ConnectError, ErrorKind, Level, Operation, ProficiencyKey, Proficiencies};
use crate::kind::{Brought, Only, Terms};
use crate::outcome::Preview;

use super::Rows;
use super::plan::{Item, Step, Want, in_held_spelling, in_item_spelling, plan};

/// What became of one item of the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It was not there and is there now.
    Added,
    /// It was there at another level.
    Updated {
        /// The level before.
        from: Level,
    },
    /// It was there and is gone.
    Removed {
        /// The level before.
        from: Level,
    },
    /// It was so already.
    Unchanged,
    /// The user would have more proficiencies than are allowed: so many.
    TooMany(usize),
    /// The service refused it.
    Failed(ConnectError),
    /// It was not tried, for the import stopped.
    Pending,
}

/// What a user has, as the journal keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Before>", into = "Vec<Before>")]
pub struct Held(pub Proficiencies);

impl From<Vec<Before>> for Held {
    fn from(held: Vec<Before>) -> Self {
        let of = |Before(attribute, value, level): Before| {
            Some((ProficiencyKey { attribute: attribute.into(), value: value.into() }, Level::from_wire(level?)))
        };
        Self(held.into_iter().filter_map(of).collect())
    }
}

impl From<Held> for Vec<Before> {
    fn from(Held(held): Held) -> Self {
        held.iter().map(|(pair, level)| Before::new(pair, Some(*level))).collect()
    }
}

/// A pair (attribute and value) and the level that the user had before the import, if it had the pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before(pub String, pub String, pub Option<f32>);

impl Before {
    fn new(pair: &ProficiencyKey, level: Option<Level>) -> Self {
        Self(pair.attribute.to_string(), pair.value.to_string(), level.map(Level::to_wire))
    }
}

/// What came of a user besides what its rows say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Aside {
    /// What was removed because the file does not name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Before>,
    /// What may have been written, and cannot be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Before>,
    /// What should have been removed because the file does not name it, and is still there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Before>,
    /// Why: what the service said last. Nothing where it was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_because: Option<String>,
}

impl Aside {
    /// What is to be set again, or removed again, to take the import back.
    pub fn undone(&self) -> impl Iterator<Item = &Before> {
        self.removed.iter().chain(&self.unseen)
    }

    fn some(self) -> Option<Self> {
        Some(self).filter(|aside| *aside != Self::default())
    }
}

/// What replacing a user's set by these items would do.
pub(super) async fn survey(connect: &Connect, user_id: &str, items: &[Item]) -> Result<Preview, ConnectError> {
    let now = connect.list_user_proficiencies(user_id).await?;
    let user = User::new(items, None, now, usize::MAX, true);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let is_right = user.implied.is_empty() && user.items.iter().all(|item| user.fate(item) == Fate::Unchanged);
    let (held, implied) = (count(user.held.len()), count(user.implied.len()));
    Ok(Preview { held, implied, is_right, is_whole: true })
}

/// See [`Kind::bring`](crate::kind::Kind::bring).
///
/// After a write that failed otherwise than by throttling the user is read again and planned anew. Items that are still
/// wanted after a refusal are sent one by one, so that only the guilty ones fail. What is in place in the end was done by
/// this import, whatever the calls answered.
pub(super) async fn bring(
    connect: &Connect,
    user_id: &str,
    items: &[Item],
    terms: Terms<'_, Held>,
    plan_is_made: impl AsyncFnOnce(&Held),
) -> Brought<Rows> {
    let before = terms.before.map(|Held(held)| held);
    let now = match connect.list_user_proficiencies(user_id).await {
        Ok(now) => now,
        Err(error) => {
            let is_untried = error.kind == ErrorKind::NotSent || error.stops_import;
            let fate = if is_untried { Fate::Pending } else { Fate::Failed(error.clone()) };
            let (fates, aside) = (vec![fate; items.len()], unseen(items, &terms));
            return Brought { fates, aside, is_done: !is_untried, stop: error.stops_import.then_some(error) };
        }
    };
    let mut user = User::new(items, before.cloned(), now, terms.limit, terms.replaces);
    let stop = match terms.only {
        Only::Look => None,
        Only::Plan => {
            for step in user.plan() {
                step.apply_to(&mut user.now);
            }
            None
        }
        Only::Nothing => {
            if before.is_none() && !user.plan().is_empty() {
                plan_is_made(&Held(user.held.clone())).await;
            }
            user.write(connect, user_id).await
        }
    };
    let fates: Vec<Fate> = user.items.iter().map(|item| user.fate(item)).collect();
    let (aside, is_untried) = user.aside();
    let is_done = !is_untried && !fates.contains(&Fate::Pending);
    Brought { fates, aside, is_done, stop: stop.filter(|error| error.stops_import) }
}

/// What an earlier delivery may have written for a user that cannot be read.
fn unseen(items: &[Item], terms: &Terms<'_, Held>) -> Option<Aside> {
    let Held(held) = terms.before?;
    let user = User::new(items, None, held.clone(), terms.limit, terms.replaces);
    let of_items = user.items.iter().map(|item| Before::new(&item.pair, held.get(&item.pair).copied()));
    let implied = user.implied.iter().map(|(pair, level)| Before::new(pair, Some(*level)));
    Aside { unseen: of_items.chain(implied).collect(), ..Aside::default() }.some()
}

/// One user on the way.
struct User {
    items: Vec<Item>,
    /// The largest set that the user may have; one who holds more proves that more is allowed.
    limit: usize,
    /// What was there before.
    held: Proficiencies,
    /// What is there as far as we know.
    now: Proficiencies,
    /// Calls that succeeded. A later read may not show them yet.
    done: Vec<Step>,
    /// Items that cannot be added: the set would have so many.
    too_many: BTreeMap<ProficiencyKey, usize>,
    /// Items that are given up, each with the last word of the service.
    refused: BTreeMap<ProficiencyKey, ConnectError>,
    /// Items of calls that were refused: they are sent alone.
    one_by_one: Vec<(Operation, ProficiencyKey)>,
    /// What was there before and the file does not name, where the file is the whole truth.
    implied: Proficiencies,
    /// Pairs of a call of which it is not known what it did.
    unseen: BTreeSet<ProficiencyKey>,
}

impl User {
    fn new(items: &[Item], before: Option<Proficiencies>, now: Proficiencies, limit: usize, replaces: bool) -> Self {
        let held = before.unwrap_or_else(|| now.clone());
        let items = in_held_spelling(items, &held);
        let named: BTreeSet<&ProficiencyKey> = items.iter().map(|item| &item.pair).collect();
        let implied = held.iter().filter(|(pair, _)| replaces && !named.contains(pair));
        Self {
            limit: limit.max(held.len()).max(now.len()),
            implied: implied.map(|(pair, level)| (pair.clone(), *level)).collect(),
            now: in_item_spelling(now, &items),
            items,
            held,
            done: Vec::new(),
            too_many: BTreeMap::new(),
            refused: BTreeMap::new(),
            one_by_one: Vec::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// Writes until nothing is wanted any more, or the import stops. Each round ends, or gives an item up, or sends it
    /// alone for the first time; so there is a last one.
    async fn write(&mut self, connect: &Connect, user_id: &str) -> Option<ConnectError> {
        loop {
            let Err((step, error)) = self.write_once(connect, user_id).await else { return None };
            if error.kind == ErrorKind::NotSent {
                return Some(error);
            }
            if error.stops_import {
                self.give_up(&step, &error);
                return Some(error);
            }
            match connect.list_user_proficiencies(user_id).await {
                Ok(now) => {
                    self.now = in_item_spelling(now, &self.items);
                    for step in &self.done {
                        step.apply_to(&mut self.now);
                    }
                }
                Err(unread) => {
                    // What this call did is not known and cannot be asked: it did not succeed.
                    self.unseen.extend(step.pairs().cloned());
                    self.give_up(&step, &error);
                    if unread.kind != ErrorKind::NotSent {
                        self.give_up_the_rest(&unread);
                    }
                    return Some(unread);
                }
            }
            if error.kind == ErrorKind::Refused && self.tighten(&step) {
                continue;
            }
            if error.kind == ErrorKind::Refused && step.len() > 1 {
                let operation = operation_of(&step);
                self.one_by_one.extend(step.pairs().map(|pair| (operation, pair.clone())));
            } else {
                self.give_up(&step, &error);
            }
        }
    }

    /// Plans from what is there now and makes the calls, up to the first that fails.
    async fn write_once(&mut self, connect: &Connect, user_id: &str) -> Result<(), (Step, ConnectError)> {
        for step in self.plan() {
            for call in self.split(step) {
                let answer = match &call {
                    Step::Update(items) => connect.update(user_id, items).await,
                    Step::Associate(items) => connect.associate(user_id, items).await,
                    Step::Disassociate(pairs) => connect.disassociate(user_id, pairs).await,
                };
                match answer {
                    Ok(()) => {
                        call.apply_to(&mut self.now);
                        self.done.push(call);
                    }
                    Err(error) => return Err((call, error)),
                }
            }
        }
        Ok(())
    }

    /// The service's limit may be lower than ours. So where an addition is refused and there are removals to be made, they
    /// come first. Not so removals that nobody asked for: those wait until all additions have succeeded.
    fn tighten(&mut self, step: &Step) -> bool {
        let Step::Associate(_) = step else { return false };
        let is_left = |item: &&Item| !self.refused.contains_key(&item.pair);
        let (mut additions, mut removals) = (0, 0);
        for item in self.items.iter().filter(is_left) {
            match (item.want, self.now.contains_key(&item.pair)) {
                (Want::Level(_), false) => additions += 1,
                (Want::Absent, true) => removals += 1,
                _ => {}
            }
        }
        let tight = self.now.len().max((self.now.len() + additions).saturating_sub(removals));
        let is_tighter = self.implied.is_empty() && removals > 0 && tight < self.limit;
        if is_tighter {
            self.limit = tight;
        }
        is_tighter
    }

    /// The calls that are still to be made, less what is given up.
    fn plan(&mut self) -> Vec<Step> {
        let is_wanted =
            |item: &&Item| !(self.refused.contains_key(&item.pair) || self.too_many.contains_key(&item.pair));
        let mut items: Vec<Item> = self.items.iter().filter(is_wanted).cloned().collect();
        items.extend(self.implied_items(&items));
        let plan = plan(&self.now, &items, self.limit);
        let Some(size) = plan.too_many else { return plan.steps };
        let added =
            items.into_iter().filter(|item| matches!(item.want, Want::Level(_)) && !self.now.contains_key(&item.pair));
        self.too_many.extend(added.map(|item| (item.pair, size)));
        // Without additions it is not too many; and nothing is removed any more that no row says.
        self.plan()
    }

    /// What becomes of what the file does not name: it goes, but only while every row can be followed. Then what had to
    /// make room already comes back, as far as there is room.
    fn implied_items(&self, items: &[Item]) -> Vec<Item> {
        // A call may be refused for what its first attempt has done, whose answer was lost: then it is in place.
        let is_wrong = |item: &Item| {
            let is_given_up = self.refused.contains_key(&item.pair) || self.too_many.contains_key(&item.pair);
            is_given_up && !self.is_in_place(item)
        };
        let implied = self.implied.iter().filter(|(pair, _)| !self.refused.contains_key(pair));
        let implied = implied.filter(|(pair, _)| !self.too_many.contains_key(pair));
        if !self.items.iter().any(is_wrong) {
            return implied.map(|(pair, _)| Item { pair: pair.clone(), want: Want::Absent }).collect();
        }
        let is_addition = |item: &&Item| matches!(item.want, Want::Level(_)) && !self.now.contains_key(&item.pair);
        let room = self.limit.saturating_sub(self.now.len() + items.iter().filter(is_addition).count());
        let lost = implied.filter(|(pair, _)| !self.now.contains_key(pair)).take(room);
        lost.map(|(pair, level)| Item { pair: pair.clone(), want: Want::Level(*level) }).collect()
    }

    /// Items that were in a refused call go alone, the others together.
    fn split(&self, step: Step) -> Vec<Step> {
        let operation = operation_of(&step);
        let is_suspect =
            step.pairs().any(|pair| self.one_by_one.iter().any(|(of, other)| (*of, other) == (operation, pair)));
        if is_suspect { step.one_by_one() } else { vec![step] }
    }

    fn give_up(&mut self, step: &Step, error: &ConnectError) {
        for pair in step.pairs() {
            self.refused.insert(pair.clone(), error.clone());
        }
    }

    fn give_up_the_rest(&mut self, error: &ConnectError) {
        for item in &self.items {
            self.refused.entry(item.pair.clone()).or_insert_with(|| error.clone());
        }
    }

    fn is_in_place(&self, item: &Item) -> bool {
        let now = self.now.get(&item.pair).copied();
        match item.want {
            Want::Level(level) => now == Some(level),
            Want::Absent => now.is_none(),
        }
    }

    /// What is in place in the end was done by this import, whatever the calls answered.
    fn fate(&self, item: &Item) -> Fate {
        let (before, now) = (self.held.get(&item.pair).copied(), self.now.get(&item.pair).copied());
        match (self.is_in_place(item), before) {
            (true, _) if before == now => Fate::Unchanged,
            (true, None) => Fate::Added,
            (true, Some(from)) if now.is_some() => Fate::Updated { from },
            (true, Some(from)) => Fate::Removed { from },
            (false, _) => match (self.too_many.get(&item.pair), self.refused.get(&item.pair)) {
                // Perhaps there is no room for it because the service would not take away what the file does not name.
                (Some(&size), _) => {
                    self.refused_removal().map_or(Fate::TooMany(size), |error| Fate::Failed(error.clone()))
                }
                (_, Some(error)) => Fate::Failed(error.clone()),
                (None, None) => Fate::Pending,
            },
        }
    }

    /// Why something that the file does not name could not be taken away.
    fn refused_removal(&self) -> Option<&ConnectError> {
        self.implied.keys().find_map(|pair| self.refused.get(pair))
    }

    /// What came of the user besides what its rows say, and whether some of it was not even tried.
    fn aside(&self) -> (Option<Aside>, bool) {
        let is_wrong = |item: &Item| matches!(self.fate(item), Fate::Failed(_) | Fate::TooMany(_) | Fate::Pending);
        let told: BTreeSet<&ProficiencyKey> = self.items.iter().filter(|item| !is_wrong(item)).map(|item| &item.pair).collect();
        let (left, gone): (Vec<_>, Vec<_>) = self.implied.iter().partition(|(pair, _)| self.now.contains_key(pair));
        let is_gone = |pair: &ProficiencyKey| gone.iter().any(|(other, _)| *other == pair);
        let unseen = self.unseen.iter().filter(|pair| !told.contains(pair) && !is_gone(pair));
        let unseen = unseen.map(|pair| Before::new(pair, self.held.get(pair).copied())).collect();
        let removed = gone.iter().map(|(pair, level)| Before::new(pair, Some(**level))).collect();
        // Of a user of whom a row is not right, it stays for that.
        let left = if self.items.iter().any(is_wrong) { Vec::new() } else { left };
        let is_untried = left.iter().any(|(pair, _)| !self.refused.contains_key(pair));
        let because = left.iter().find_map(|(pair, _)| self.refused.get(pair)).map(ConnectError::user_message);
        let left = left.into_iter().map(|(pair, level)| Before::new(pair, Some(*level))).collect();
        (Aside { removed, unseen, left, left_because: because }.some(), is_untried)
    }
}

fn operation_of(step: &Step) -> Operation {
    match step {
        Step::Update(_) => Operation::UpdateUserProficiencies,
        Step::Associate(_) => Operation::AssociateUserProficiencies,
        Step::Disassociate(_) => Operation::DisassociateUserProficiencies,
    }
}
