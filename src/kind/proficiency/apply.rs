//! Brings one user to what the file says: read, plan, write, and read again where a write did not succeed.

use std::collections::BTreeMap;

use crate::connect::{Connect, ConnectError, ErrorKind, Level, Operation, Pair, Proficiencies};

use super::plan::{Item, Step, Want, in_held_spelling, plan};

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
    Removed,
    /// It was so already.
    Unchanged,
    /// The user would have more proficiencies than are allowed: so many.
    TooMany(usize),
    /// The service refused it.
    Failed(ConnectError),
    /// It was not tried, for the import stopped.
    Pending,
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
pub async fn bring(connect: &Connect, user_id: &str, items: &[Item], limit: usize, is_dry_run: bool) -> Brought {
    let held = match connect.list_user_proficiencies(user_id).await {
        Ok(held) => held,
        Err(error) => return unread(items, error),
    };
    let mut user = User {
        items: in_held_spelling(items, &held),
        now: held.clone(),
        held,
        refused: BTreeMap::new(),
        one_by_one: Vec::new(),
    };
    let first = plan(&user.held, &user.items, limit);
    let is_over = first.too_many.is_some();
    let mut stop = None;
    if is_dry_run {
        first.steps.iter().for_each(|step| step.apply_to(&mut user.now));
    } else {
        stop = user.write(connect, user_id, limit, is_over).await;
    }
    let fates = user.items.iter().map(|item| match first.too_many {
        Some(size) if is_addition(item, &user.held) => Fate::TooMany(size),
        _ => user.fate(item),
    });
    Brought { fates: fates.collect(), stop: stop.filter(|error| error.is_systemic) }
}

/// One user on the way.
struct User {
    items: Vec<Item>,
    /// What was there before.
    held: Proficiencies,
    /// What is there as far as we know.
    now: Proficiencies,
    /// Items that are given up, each with the last word of the service.
    refused: BTreeMap<Pair, ConnectError>,
    /// Items of calls that were refused: they are sent alone.
    one_by_one: Vec<(Operation, Pair)>,
}

impl User {
    /// Writes until nothing is wanted any more, or the import stops. Each round ends, or gives an item up, or sends it
    /// alone for the first time; so there is a last one.
    async fn write(&mut self, connect: &Connect, user_id: &str, limit: usize, is_over: bool) -> Option<ConnectError> {
        loop {
            let Err((step, error)) = self.write_once(connect, user_id, limit, is_over).await else { return None };
            if matches!(error.kind, ErrorKind::Stopped) {
                return Some(error);
            }
            if error.is_systemic {
                self.give_up(&step, &error);
                return Some(error);
            }
            self.now = match connect.list_user_proficiencies(user_id).await {
                Ok(now) => now,
                Err(unread) => {
                    // What this call did is not known and cannot be asked: it did not succeed.
                    self.give_up(&step, &error);
                    if unread.kind != ErrorKind::Stopped {
                        self.give_up_the_rest(&unread);
                    }
                    return Some(unread);
                }
            };
            if error.kind == ErrorKind::Refused && step.len() > 1 {
                let operation = operation_of(&step);
                self.one_by_one.extend(step.pairs().map(|pair| (operation, pair.clone())));
            } else {
                self.give_up(&step, &error);
            }
        }
    }

    /// Plans from what is there now and makes the calls, up to the first that fails.
    async fn write_once(
        &mut self,
        connect: &Connect,
        user_id: &str,
        limit: usize,
        is_over: bool,
    ) -> Result<(), (Step, ConnectError)> {
        let wanted =
            |item: &&Item| !(self.refused.contains_key(&item.pair) || (is_over && is_addition(item, &self.held)));
        let items: Vec<Item> = self.items.iter().filter(wanted).cloned().collect();
        for step in plan(&self.now, &items, limit).steps {
            for call in self.split(step) {
                let answer = match &call {
                    Step::Update(items) => connect.update(user_id, items).await,
                    Step::Associate(items) => connect.associate(user_id, items).await,
                    Step::Disassociate(pairs) => connect.disassociate(user_id, pairs).await,
                };
                match answer {
                    Ok(()) => call.apply_to(&mut self.now),
                    Err(error) => return Err((call, error)),
                }
            }
        }
        Ok(())
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
            (true, Some(_)) => Fate::Removed,
            (false, _) => self.refused.get(&item.pair).cloned().map_or(Fate::Pending, Fate::Failed),
        }
    }
}

/// A user that could not be read: nothing was tried.
fn unread(items: &[Item], error: ConnectError) -> Brought {
    let fate = match error.kind {
        ErrorKind::Stopped => Fate::Pending,
        _ => Fate::Failed(error.clone()),
    };
    Brought { fates: vec![fate; items.len()], stop: error.is_systemic.then_some(error) }
}

fn is_addition(item: &Item, held: &Proficiencies) -> bool {
    matches!(item.want, Want::Level(_)) && !held.contains_key(&item.pair)
}

fn operation_of(step: &Step) -> Operation {
    match step {
        Step::Update(_) => Operation::UpdateUserProficiencies,
        Step::Associate(_) => Operation::AssociateUserProficiencies,
        Step::Disassociate(_) => Operation::DisassociateUserProficiencies,
    }
}
