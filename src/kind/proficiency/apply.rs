//! Brings one user to what the file says: read, plan, write, and read again where a write did not succeed.

use std::collections::BTreeMap;

use crate::connect::{Connect, ConnectError, ErrorKind, Level, Operation, Pair, Proficiencies};

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

/// What holds for bringing one user to what the file says.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// The largest set that a user may have, unless it holds more.
    pub limit: usize,
    /// Whether nothing is written, and what would be is told.
    pub is_dry_run: bool,
    /// Whether nothing is written, and what was done before is told.
    pub is_only_seen: bool,
    /// What the user held before this import's first write for it, if there was one.
    pub before: Option<&'t Proficiencies>,
}

/// What became of one user.
#[derive(Debug, Default)]
pub struct Brought {
    /// What became of each item, in the order of the items.
    pub fates: Vec<Fate>,
    /// The refusal that stops the whole import, if there was one.
    pub stop: Option<ConnectError>,
}

/// Brings a user to what the items say, or, in a dry run, says what that would do.
///
/// After a write that failed otherwise than by throttling the user is read again and planned anew. Items that are still
/// wanted after a refusal are sent one by one, so that only the guilty ones fail. What is in place in the end was done by
/// this import, whatever the calls answered.
///
/// `before` is what the user held before this import's first write for it, if an earlier delivery made one: what is in
/// place since then was done by this import. Else what is read now is handed to `plan_is_made` before the first write.
pub async fn bring(
    connect: &Connect,
    user_id: &str,
    items: &[Item],
    Terms { limit, is_dry_run, is_only_seen, before }: Terms<'_>,
    plan_is_made: impl AsyncFnOnce(&Proficiencies),
) -> Brought {
    let now = match connect.list_user_proficiencies(user_id).await {
        Ok(now) => now,
        Err(error) => return unread(items, &error),
    };
    let held = before.unwrap_or(&now).clone();
    let items = in_held_spelling(items, &held);
    let mut user = User {
        limit: limit.max(held.len()).max(now.len()),
        now: in_item_spelling(now, &items),
        items,
        held,
        done: Vec::new(),
        too_many: BTreeMap::new(),
        refused: BTreeMap::new(),
        one_by_one: Vec::new(),
    };
    let mut stop = None;
    if is_dry_run {
        for step in user.plan() {
            step.apply_to(&mut user.now);
        }
    } else if !is_only_seen {
        if before.is_none() && !user.plan().is_empty() {
            plan_is_made(&user.held).await;
        }
        stop = user.write(connect, user_id).await;
    }
    let fates = user.items.iter().map(|item| user.fate(item)).collect();
    Brought { fates, stop: stop.filter(|error| error.is_systemic) }
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
    too_many: BTreeMap<Pair, usize>,
    /// Items that are given up, each with the last word of the service.
    refused: BTreeMap<Pair, ConnectError>,
    /// Items of calls that were refused: they are sent alone.
    one_by_one: Vec<(Operation, Pair)>,
}

impl User {
    /// Writes until nothing is wanted any more, or the import stops. Each round ends, or gives an item up, or sends it
    /// alone for the first time; so there is a last one.
    async fn write(&mut self, connect: &Connect, user_id: &str) -> Option<ConnectError> {
        loop {
            let Err((step, error)) = self.write_once(connect, user_id).await else { return None };
            if error.kind == ErrorKind::Stopped {
                return Some(error);
            }
            if error.is_systemic {
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
                    self.give_up(&step, &error);
                    if unread.kind != ErrorKind::Stopped {
                        self.give_up_the_rest(&unread);
                    }
                    return Some(unread);
                }
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

    /// The calls that are still to be made, less what is given up.
    fn plan(&mut self) -> Vec<Step> {
        let is_wanted =
            |item: &&Item| !(self.refused.contains_key(&item.pair) || self.too_many.contains_key(&item.pair));
        let items: Vec<Item> = self.items.iter().filter(is_wanted).cloned().collect();
        let plan = plan(&self.now, &items, self.limit);
        if let Some(size) = plan.too_many {
            let added = items
                .into_iter()
                .filter(|item| matches!(item.want, Want::Level(_)) && !self.now.contains_key(&item.pair));
            self.too_many.extend(added.map(|item| (item.pair, size)));
        }
        plan.steps
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

    /// What is in place in the end was done by this import, whatever the calls answered.
    fn fate(&self, item: &Item) -> Fate {
        let (before, now) = (self.held.get(&item.pair).copied(), self.now.get(&item.pair).copied());
        let is_right = match item.want {
            Want::Level(level) => now == Some(level),
            Want::Absent => now.is_none(),
        };
        match (is_right, before) {
            (true, _) if before == now => Fate::Unchanged,
            (true, None) => Fate::Added,
            (true, Some(from)) if now.is_some() => Fate::Updated { from },
            (true, Some(from)) => Fate::Removed { from },
            (false, _) => match (self.too_many.get(&item.pair), self.refused.get(&item.pair)) {
                (Some(&size), _) => Fate::TooMany(size),
                (_, Some(error)) => Fate::Failed(error.clone()),
                (None, None) => Fate::Pending,
            },
        }
    }
}

/// A user that could not be read: nothing was tried.
fn unread(items: &[Item], error: &ConnectError) -> Brought {
    let fate = match error.kind {
        ErrorKind::Stopped => Fate::Pending,
        _ => Fate::Failed(error.clone()),
    };
    Brought { fates: vec![fate; items.len()], stop: error.is_systemic.then(|| error.clone()) }
}

fn operation_of(step: &Step) -> Operation {
    match step {
        Step::Update(_) => Operation::UpdateUserProficiencies,
        Step::Associate(_) => Operation::AssociateUserProficiencies,
        Step::Disassociate(_) => Operation::DisassociateUserProficiencies,
    }
}
