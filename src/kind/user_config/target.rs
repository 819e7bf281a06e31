//! Brings one user to what the file says: read, plan, write, and read again where a write did not succeed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::connect::{Channel, ChannelSetting, Connect, ConnectError, ErrorKind, Setting, UserConfig, Value};

use crate::kind::{Brought, Only, Terms};

use super::plan::{Item, Needs, Plan, lists, plan, smallest};
use super::rows::{Aside, Rows};

/// Writes of one user that may meet a conflict before it counts as a refusal. The documents say of it only that a
/// "dependent condition failed"; if it is somebody else's write, reading again is all that it takes.
const CONFLICTS: u32 = 4;

/// What a user has, as a journal can keep it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Channel, Setting, Value)>", into = "Vec<(Channel, Setting, Value)>")]
pub struct Held(pub UserConfig);

impl From<Vec<(Channel, Setting, Value)>> for Held {
    fn from(held: Vec<(Channel, Setting, Value)>) -> Self {
        Self(held.into_iter().map(|(channel, setting, value)| (ChannelSetting { channel, setting }, value)).collect())
    }
}

impl From<Held> for Vec<(Channel, Setting, Value)> {
    fn from(Held(held): Held) -> Self {
        held.into_iter().map(|(key, value)| (key.channel, key.setting, value)).collect()
    }
}

/// What a setting was before, or nothing if it was not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before(pub Channel, pub Setting, pub Option<Value>);

/// A setting that this import changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which setting of the row's channel.
    pub setting: Setting,
    /// What it was before; nothing if it was not there. Connect has no call that takes a setting away.
    pub from: Option<Value>,
    /// What it is now.
    pub to: Value,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// How it ended.
    pub end: End,
    /// What this import changed for it, also where it did not end well. A setting that several rows name is in one's only.
    pub changes: Vec<Change>,
}

/// How a row ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// All that it says is in place.
    Done,
    /// The same, but the row on that line and perhaps others say all of it already.
    Duplicate(u32),
    /// A setting needs another one.
    Needs(Needs),
    /// The service refused a setting of it.
    Failed(ConnectError),
    /// Not all of it was tried, for the import stopped.
    Pending,
}

/// See [`Kind::bring`](crate::kind::Kind::bring). The items do not contradict each other (see [`super::compare`]).
///
/// All that is to be changed goes in one call. After a write that failed otherwise than by throttling the user is read again
/// and planned anew; after a refusal the settings go one by one, so that only the guilty ones fail. What is in place in the
/// end was done by this import, whatever the calls answered.
pub async fn bring(
    connect: &Connect,
    user_id: &str,
    items: &[Item],
    terms: Terms<'_, Held>,
    plan_is_made: impl AsyncFnOnce(&Held),
) -> Brought<Rows> {
    let before = terms.before.map(|Held(held)| held);
    let now = match connect.describe_user(user_id).await {
        Ok(now) => now,
        Err(error) => return unread(items, before, error),
    };
    let mut user = User {
        items,
        held: before.unwrap_or(&now).clone(),
        now,
        done: UserConfig::new(),
        needs: vec![None; items.len()],
        refused: BTreeMap::new(),
        unseen: BTreeSet::new(),
        is_one_by_one: false,
        conflicts: 0,
    };
    let stop = match terms.only {
        Only::Look => None,
        Only::Plan => {
            let changes = user.plan();
            user.now.extend(changes);
            None
        }
        Only::Nothing => {
            if before.is_none() && !user.plan().is_empty() {
                plan_is_made(&Held(user.held.clone())).await;
            }
            user.write(connect, user_id).await
        }
    };
    let fates = user.fates();
    let is_done = fates.iter().all(|fate| fate.end != End::Pending);
    Brought { fates, aside: aside(user.unseen()), is_done, stop: stop.filter(|error| error.stops_import) }
}

fn aside(unseen: Vec<Before>) -> Option<Aside> {
    (!unseen.is_empty()).then(|| Aside { changes: Vec::new(), unseen })
}

/// What an earlier delivery may have changed for a user that is not looked at any more, or cannot be: all that the items
/// want and that was otherwise before.
fn unseen(items: &[Item], before: &UserConfig) -> Vec<Before> {
    let wanted: UserConfig = items.iter().flat_map(Item::wants).collect();
    let changed = wanted.into_iter().filter(|(key, value)| before.get(key) != Some(value));
    changed.map(|(key, _)| was(before, key)).collect()
}

fn was(before: &UserConfig, key: ChannelSetting) -> Before {
    let from = before.get(&key).cloned();
    Before(key.channel, key.setting, from)
}

/// One user on the way.
struct User<'i> {
    items: &'i [Item],
    /// What was there before.
    held: UserConfig,
    /// What is there as far as we know.
    now: UserConfig,
    /// Changes that succeeded. A later read may not show them yet.
    done: UserConfig,
    /// For each item whether it is against a rule.
    needs: Vec<Option<Needs>>,
    /// Settings that are given up, each with the last word of the service.
    refused: BTreeMap<ChannelSetting, ConnectError>,
    /// Settings of a call of which it is not known what it did.
    unseen: BTreeSet<ChannelSetting>,
    /// Whether a call with several settings was refused: now each goes alone.
    is_one_by_one: bool,
    /// Writes that met a conflict.
    conflicts: u32,
}

impl User<'_> {
    /// Writes until nothing is wanted any more, or the import stops. Each round succeeds, or gives a setting up, or is one of
    /// a few conflicts, or the one after which settings go alone; so there is a last one.
    async fn write(&mut self, connect: &Connect, user_id: &str) -> Option<ConnectError> {
        loop {
            let call = self.next_call();
            if call.is_empty() {
                return None;
            }
            let Err(error) = connect.update_user_config(user_id, &lists(&self.now, &call)).await else {
                self.now.extend(call.clone());
                self.done.extend(call);
                continue;
            };
            if error.kind == ErrorKind::NotSent {
                return Some(error);
            }
            if error.stops_import {
                self.give_up(&call, &error);
                return Some(error);
            }
            match connect.describe_user(user_id).await {
                Ok(now) => {
                    self.now = now;
                    self.now.extend(self.done.clone());
                }
                Err(unread) => {
                    // What this call did is not known and cannot be asked: it did not succeed.
                    self.unseen.extend(call.keys().cloned());
                    self.give_up(&call, &error);
                    if unread.kind != ErrorKind::NotSent {
                        self.give_up_the_rest(&unread);
                    }
                    return Some(unread);
                }
            }
            if error.is_conflict() && self.conflicts < CONFLICTS {
                self.conflicts += 1;
            } else if error.kind == ErrorKind::Refused && call.len() > 1 && !self.is_one_by_one {
                self.is_one_by_one = true;
            } else {
                self.give_up(&call, &error);
            }
        }
    }

    /// The changes that the next call is to make; none if nothing is left to be done.
    fn next_call(&mut self) -> UserConfig {
        let changes = self.plan();
        if self.is_one_by_one { smallest(&self.now, &changes) } else { changes }
    }

    /// The changes that are still to be made, less what is given up.
    fn plan(&mut self) -> UserConfig {
        let Plan { changes, needs } = plan(&self.now, self.items, |key| self.refused.contains_key(key));
        self.needs = needs;
        changes
    }

    fn give_up(&mut self, call: &UserConfig, error: &ConnectError) {
        self.refused.extend(call.keys().map(|key| (key.clone(), error.clone())));
    }

    fn give_up_the_rest(&mut self, error: &ConnectError) {
        for (key, _) in self.items.iter().flat_map(Item::wants) {
            self.refused.entry(key).or_insert_with(|| error.clone());
        }
    }

    /// What became of each item. A change is told of the first item that names it, but rather of one that is not against a
    /// rule. An item that repeats others is a duplicate only if nothing is left to be told of it.
    fn fates(&self) -> Vec<Fate> {
        let ends: Vec<End> =
            self.items.iter().zip(&self.needs).map(|(item, needs)| self.end(item, needs.as_ref())).collect();
        let mut fates: Vec<Fate> = ends.into_iter().map(|end| Fate { end, changes: Vec::new() }).collect();
        let mut told = BTreeSet::new();
        for is_against_a_rule in [false, true] {
            for (item, fate) in self.items.iter().zip(&mut fates) {
                if matches!(fate.end, End::Needs(_)) == is_against_a_rule {
                    fate.changes =
                        self.changes(item).filter(|(key, _)| told.insert(key.clone())).map(|it| it.1).collect();
                }
            }
        }
        for (item, fate) in self.items.iter().zip(&mut fates) {
            if let (Some(line), End::Done, []) = (item.repeats, &fate.end, &*fate.changes) {
                fate.end = End::Duplicate(line);
            }
        }
        fates
    }

    fn unseen(&self) -> Vec<Before> {
        self.unseen.iter().map(|key| was(&self.held, key.clone())).collect()
    }

    fn end(&self, item: &Item, needs: Option<&Needs>) -> End {
        let missing: Vec<_> = item.wants().filter(|(key, value)| self.now.get(key) != Some(value)).collect();
        let refusal = missing.iter().find_map(|(key, _)| self.refused.get(key));
        match (missing.is_empty(), refusal, needs) {
            (true, ..) => End::Done,
            (_, Some(error), _) => End::Failed(error.clone()),
            // What it needs may have been in the file, and refused by the service.
            (_, _, Some(needs)) => {
                let missing = ChannelSetting::of(&needs.given.channel, needs.missing);
                let refusal = self.refused.get(&missing).cloned();
                refusal.map_or_else(|| End::Needs(needs.clone()), End::Failed)
            }
            (_, None, None) => End::Pending,
        }
    }

    /// What is as the item wants it, and was not so before.
    fn changes<'u>(&'u self, item: &'u Item) -> impl Iterator<Item = (ChannelSetting, Change)> + 'u {
        item.wants().filter(|(key, to)| self.now.get(key) == Some(to)).filter_map(|(key, to)| {
            let from = self.held.get(&key).cloned();
            let change = Change { setting: key.setting, from, to };
            (change.from.as_ref() != Some(&change.to)).then_some((key, change))
        })
    }
}

/// A user that could not be read: nothing was tried by this delivery.
fn unread(items: &[Item], before: Option<&UserConfig>, error: ConnectError) -> Brought<Rows> {
    let is_untried = error.kind == ErrorKind::NotSent || error.stops_import;
    let end = if is_untried { End::Pending } else { End::Failed(error.clone()) };
    let unseen = before.map_or_else(Vec::new, |before| unseen(items, before));
    let fates = vec![Fate { end, changes: Vec::new() }; items.len()];
    Brought { fates, aside: aside(unseen), is_done: !is_untried, stop: error.stops_import.then_some(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_has_is_written_down_and_reads_back() {
        let held = Held::from(vec![
            (Channel::Voice, Setting::AutoAccept, Value::Switch(true)),
            (Channel::Other("FAX".into()), Setting::AfterContactWorkSeconds, Value::Seconds(30)),
        ]);
        let json = serde_json::to_string(&held).unwrap();
        assert_eq!(json, r#"[["VOICE","auto_accept",true],["FAX","after_contact_work_seconds",30]]"#);
        assert_eq!(serde_json::from_str::<Held>(&json).unwrap(), held);
    }
}
