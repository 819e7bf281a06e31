//! One user on the way to the settings that its rows name.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::FoundOtherwise;
use super::effects::{CurrentConfig, RowChanges, SettingChange, UserConfigEffects};
use super::plan::{UnmetDependency, UserConfigItem, UserConfigPlan, full_lists, minimal_change, plan};
use crate::connect::{Channel, ChannelSetting, Connect, ConnectError, ErrorKind, Operation, UserConfig, UserId, Value};
use crate::kind::rows::{ReconcileOptions, Target};
use crate::outcome::{Line, Preview};

/// Writes of one user that may meet a conflict before it counts as a refusal. The documents say only that a "dependent
/// condition failed"; if that is somebody else's write, it is enough to read again.
const MAX_CONFLICTS: u32 = 4;

/// The outcome of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum UserConfigOutcome {
    /// All that it says is in place, and none of what was changed for it was there before.
    Added,
    /// All that it says is in place, and something was changed for it.
    Updated,
    /// All that it says was in place already.
    Unchanged,
    /// The row on that line, and perhaps others, say all of it already.
    Duplicate(Line),
    /// What the user had is not as its conditions say.
    Kept(FoundOtherwise),
    /// One of its settings needs another one.
    Unmet(UnmetDependency),
    /// The service refused one of its settings.
    Failed(ConnectError),
    /// Something was not tried, because the import stopped.
    Pending,
}

/// One call.
#[derive(Debug)]
pub struct ConfigCall {
    /// The settings that it changes, each with its new value.
    changes: UserConfig,
    /// All that it sends.
    lists: UserConfig,
}

/// One user on the way. Its items do not contradict each other (see [`compare`](super::compare::compare)).
#[derive(Debug)]
pub struct UserConfigTarget {
    /// The items that are to be done.
    items: Vec<UserConfigItem>,
    /// Of all items, in their order: why one is not done.
    kept: Vec<Option<FoundOtherwise>>,
    /// What was there before.
    before: UserConfig,
    /// What is there as far as we know.
    now: UserConfig,
    /// Changes that succeeded. A later read may not show them yet.
    done: UserConfig,
    /// For each item whether it lacks something.
    unmet: Vec<Option<UnmetDependency>>,
    /// Settings that are given up, each with the last word of the service.
    refused: BTreeMap<ChannelSetting, ConnectError>,
    /// Settings of a call whose effect is not known.
    unseen: BTreeSet<ChannelSetting>,
    /// Whether a call with several settings was refused: now each goes alone.
    is_one_by_one: bool,
    /// Writes that met a conflict.
    n_conflicts: u32,
}

impl Target for UserConfigTarget {
    const READ: Operation = Operation::DescribeUser;
    type Item = UserConfigItem;
    type Current = CurrentConfig;
    type Call = ConfigCall;
    type ItemOutcome = UserConfigOutcome;
    type Effects = UserConfigEffects;

    async fn read(connect: &Connect, user: &UserId) -> Result<CurrentConfig, ConnectError> {
        connect.describe_user(user).await.map(CurrentConfig)
    }

    async fn send(connect: &Connect, user: &UserId, call: &ConfigCall) -> Result<(), ConnectError> {
        connect.update_user_config(user, &call.lists).await
    }

    fn new(
        items: &[UserConfigItem],
        CurrentConfig(before): CurrentConfig,
        CurrentConfig(now): CurrentConfig,
        _: &ReconcileOptions<'_>,
    ) -> Self {
        let wanted: UserConfig = items.iter().flat_map(UserConfigItem::wants).collect();
        let kept: Vec<_> = items.iter().map(|item| item.changed_since(&before, &now, &wanted)).collect();
        let done = items.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(item, _)| item.clone());
        let items: Vec<_> = done.collect();
        Self {
            unmet: vec![None; items.len()],
            items,
            kept,
            before,
            now,
            done: UserConfig::new(),
            refused: BTreeMap::new(),
            unseen: BTreeSet::new(),
            is_one_by_one: false,
            n_conflicts: 0,
        }
    }

    fn preview(&self) -> Preview {
        let held = u32::try_from(self.before.len()).unwrap_or(u32::MAX);
        let is_kept = self.kept.iter().any(Option::is_some);
        let is_right = !is_kept && self.items.iter().all(|item| self.missing(item).is_empty());
        Preview { held, implied: 0, named: 0, is_right, is_whole: true }
    }

    /// All changes go in one call, or setting by setting after a refusal.
    fn next_call(&mut self) -> Option<ConfigCall> {
        let UserConfigPlan { changes, unmet } = plan(&self.now, &self.items, |key| self.refused.contains_key(key));
        self.unmet = unmet;
        let changes = if self.is_one_by_one { minimal_change(&self.now, &changes) } else { changes };
        let lists = full_lists(&self.now, &changes);
        (!changes.is_empty()).then_some(ConfigCall { changes, lists })
    }

    fn succeeded(&mut self, call: ConfigCall) {
        self.now.extend(call.changes.clone());
        self.done.extend(call.changes);
    }

    fn refresh(&mut self, CurrentConfig(now): CurrentConfig) {
        self.now = now;
        self.now.extend(self.done.clone());
    }

    /// A conflict is tried again as it is, a few times. What was refused goes setting by setting, so that only the guilty
    /// rows fail.
    fn failed(&mut self, call: &ConfigCall, error: &ConnectError) {
        if error.is_conflict() && self.n_conflicts < MAX_CONFLICTS {
            self.n_conflicts += 1;
        } else if error.kind == ErrorKind::Refused && call.changes.len() > 1 && !self.is_one_by_one {
            self.is_one_by_one = true;
        } else {
            self.give_up(call, error);
        }
    }

    fn give_up(&mut self, call: &ConfigCall, error: &ConnectError) {
        self.refused.extend(call.changes.keys().map(|key| (key.clone(), error.clone())));
    }

    fn lost_sight(&mut self, call: &ConfigCall, error: &ConnectError, unread: &ConnectError) {
        self.unseen.extend(call.changes.keys().cloned());
        self.give_up(call, error);
        if unread.kind != ErrorKind::NotSent {
            for (key, _) in self.items.iter().flat_map(UserConfigItem::wants) {
                self.refused.entry(key).or_insert_with(|| unread.clone());
            }
        }
    }

    fn is_untried(&self) -> bool {
        self.outcomes().contains(&UserConfigOutcome::Pending)
    }

    fn outcomes(&self) -> Vec<UserConfigOutcome> {
        let mut done = self.outcomes_of_done().into_iter();
        let mut outcome = |kept: &Option<FoundOtherwise>| match kept {
            Some(found) => UserConfigOutcome::Kept(found.clone()),
            None => done.next().expect("each item is kept or done"),
        };
        self.kept.iter().map(&mut outcome).collect()
    }

    fn n_held(&self) -> usize {
        self.now.len()
    }

    fn unread(items: &[UserConfigItem], failed: Option<&ConnectError>) -> Vec<UserConfigOutcome> {
        let outcome = failed.map_or(UserConfigOutcome::Pending, |error| UserConfigOutcome::Failed(error.clone()));
        vec![outcome; items.len()]
    }

    fn effects(&self) -> UserConfigEffects {
        let changes = self.items.iter().zip(self.changes(&self.outcomes_without_changes()));
        let changes = changes.filter(|(_, changes)| !changes.is_empty());
        UserConfigEffects {
            changed: changes.map(|(item, changes)| RowChanges(item.row, item.cells.channel(), changes)).collect(),
            unseen: self.by_channel(self.unseen.iter()),
        }
    }

    fn distrust(&mut self) {
        let in_place = |key: &ChannelSetting, value: &Value| self.now.get(key) == Some(value);
        let wanted = self.wanted_otherwise().filter(|(key, value)| !in_place(key, value));
        let unseen: Vec<_> = wanted.map(|(key, _)| key).collect();
        self.unseen.extend(unseen);
    }

    fn possible_effects(&self) -> UserConfigEffects {
        let keys: BTreeSet<ChannelSetting> = self.wanted_otherwise().map(|(key, _)| key).collect();
        UserConfigEffects { unseen: self.by_channel(keys.iter()), ..UserConfigEffects::default() }
    }
}

impl UserConfigTarget {
    /// What the items want otherwise than it was before.
    fn wanted_otherwise(&self) -> impl Iterator<Item = (ChannelSetting, Value)> + '_ {
        let wanted = self.items.iter().flat_map(UserConfigItem::wants);
        wanted.filter(|(key, value)| self.before.get(key) != Some(value))
    }

    /// The settings that the item wants otherwise than they are.
    fn missing(&self, item: &UserConfigItem) -> Vec<ChannelSetting> {
        item.wants().filter(|(key, value)| self.now.get(key) != Some(value)).map(|(key, _)| key).collect()
    }

    /// A row that repeats others is a duplicate only if it changed nothing and is right.
    fn outcomes_of_done(&self) -> Vec<UserConfigOutcome> {
        let outcomes = self.outcomes_without_changes();
        let changes = self.changes(&outcomes);
        let finished = self.items.iter().zip(outcomes).zip(changes).map(|((item, outcome), changes)| {
            if outcome != UserConfigOutcome::Unchanged {
                outcome
            } else if changes.is_empty() {
                item.repeats.map_or(UserConfigOutcome::Unchanged, UserConfigOutcome::Duplicate)
            } else if changes.iter().all(|change| change.before.is_none()) {
                UserConfigOutcome::Added
            } else {
                UserConfigOutcome::Updated
            }
        });
        finished.collect()
    }

    /// The outcomes as if no item had changed anything: all that is in place is `Unchanged`.
    fn outcomes_without_changes(&self) -> Vec<UserConfigOutcome> {
        let outcome = |(item, unmet): (&UserConfigItem, &Option<UnmetDependency>)| {
            let missing = self.missing(item);
            let refusal = missing.iter().find_map(|key| self.refused.get(key));
            match (missing.is_empty(), refusal, unmet) {
                (true, ..) => UserConfigOutcome::Unchanged,
                (false, Some(error), _) => UserConfigOutcome::Failed(error.clone()),
                // What it needs may have been in the file, and refused by the service.
                (false, None, Some(unmet)) => {
                    let needed = ChannelSetting::of(&unmet.given.channel, unmet.missing);
                    let refusal = self.refused.get(&needed).cloned();
                    refusal.map_or_else(|| UserConfigOutcome::Unmet(unmet.clone()), UserConfigOutcome::Failed)
                }
                (false, None, None) => UserConfigOutcome::Pending,
            }
        };
        self.items.iter().zip(&self.unmet).map(outcome).collect()
    }

    /// What was changed for each item. A change belongs to the first item that names its setting, but rather to one that
    /// lacks nothing.
    fn changes(&self, outcomes: &[UserConfigOutcome]) -> Vec<Vec<SettingChange>> {
        let mut changes = vec![Vec::new(); self.items.len()];
        let mut seen = BTreeSet::new();
        for is_unmet in [false, true] {
            for ((item, outcome), changes) in self.items.iter().zip(outcomes).zip(&mut changes) {
                if matches!(outcome, UserConfigOutcome::Unmet(_)) == is_unmet {
                    let changed = item.wants().filter(|(key, to)| self.is_changed(key, to));
                    let first = changed.filter(|(key, _)| seen.insert(key.clone()));
                    changes.extend(first.map(|(key, to)| self.change(&key, to)));
                }
            }
        }
        changes
    }

    /// Whether a setting is now as it is wanted, and was not so before.
    fn is_changed(&self, key: &ChannelSetting, to: &Value) -> bool {
        self.now.get(key) == Some(to) && self.before.get(key) != Some(to)
    }

    fn change(&self, key: &ChannelSetting, after: Value) -> SettingChange {
        SettingChange { setting: key.setting, before: self.before.get(key).cloned(), after }
    }

    /// From what was to what the items want.
    fn by_channel<'k>(&self, keys: impl Iterator<Item = &'k ChannelSetting>) -> Vec<(Channel, Vec<SettingChange>)> {
        let wanted: UserConfig = self.items.iter().flat_map(UserConfigItem::wants).collect();
        let mut by_channel: BTreeMap<&Channel, Vec<SettingChange>> = BTreeMap::new();
        for (key, after) in keys.filter_map(|key| Some((key, wanted.get(key)?))) {
            by_channel.entry(&key.channel).or_default().push(self.change(key, after.clone()));
        }
        by_channel.into_iter().map(|(channel, changes)| (channel.clone(), changes)).collect()
    }
}
