//! What the journal says when a delivery begins. Users that are done are handed on one by one, for they are many; what is
//! kept here is what is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::entry::{CallsByName, Completed, Entry, Intent, LanesByName, Started};
use crate::connect::{Timeline, UserId};
use crate::outcome::{Preview, RowId};

/// The journal so far, less the users that are done.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// What the file is, once it was compared with the instance.
    pub started: Option<Started>,
    /// Users whose writes may have started and who are not done.
    pub intents: BTreeMap<UserId, Intent>,
    /// What replacing users' sets would do.
    pub previews: BTreeMap<UserId, Preview>,
    /// Whether the guard against a mass removal was passed.
    pub is_guard_passed: bool,
    /// What earlier deliveries called.
    pub calls: CallsByName,
    /// What they called when.
    pub timeline: Timeline,
    /// What they knew of each operation.
    pub lanes: LanesByName,
    completed: HashSet<UserId>,
    /// The last that the delivery said whose entries are being read.
    called_last: CallsByName,
    timeline_last: Timeline,
    delivery: u32,
}

impl Replay {
    /// Takes the next entry, and hands on the user that it says is done.
    pub(super) fn apply(&mut self, delivery: u32, entry: Entry) -> Option<Completed> {
        if delivery != self.delivery {
            self.delivery = delivery;
            self.fold_calls();
        }
        match entry {
            Entry::Started(started) => self.started = Some(started),
            Entry::Preview { user, preview } => _ = self.previews.insert(user, preview),
            Entry::GuardPassed => self.is_guard_passed = true,
            // The first is the truth: a later one saw what this import had done.
            Entry::Intent(intent) => _ = self.intents.entry(intent.user.clone()).or_insert(intent),
            Entry::Completed(completed) => {
                self.intents.remove(&completed.user);
                self.completed.insert(completed.user.clone());
                return Some(completed);
            }
            // Of what one delivery says, the most is the last.
            Entry::Called { calls, lanes } if attempts(&calls) >= attempts(&self.called_last) => {
                (self.called_last, self.lanes) = (calls, lanes);
            }
            Entry::Called { .. } => {}
            Entry::Timeline(timeline) => self.timeline_last = timeline,
        }
        None
    }

    /// The journal is read to its end.
    pub(super) fn fold_calls(&mut self) {
        for (operation, calls) in std::mem::take(&mut self.called_last) {
            self.calls.entry(operation).or_default().add(&calls);
        }
        self.timeline.absorb(&std::mem::take(&mut self.timeline_last));
    }

    /// What a checkpoint must say beside the users that are done: less than was read, and the same when it is read again.
    pub(super) fn checkpoint(&self) -> Vec<Entry> {
        let started = self.started.iter().cloned().map(Entry::Started);
        let previews = self.previews.iter();
        let previews = previews.map(|(user, preview)| Entry::Preview { user: user.clone(), preview: *preview });
        let guard = self.is_guard_passed.then_some(Entry::GuardPassed);
        let intents = self.intents.values().cloned().map(Entry::Intent);
        let called = Entry::Called { calls: self.calls.clone(), lanes: self.lanes.clone() };
        let timeline = Entry::Timeline(self.timeline.clone());
        started.chain(previews).chain(guard).chain(intents).chain([called, timeline]).collect()
    }

    /// How many users are done.
    pub(crate) fn n_users_completed(&self) -> usize {
        self.completed.len()
    }

    /// Rows of users whose writes may have started.
    pub(crate) fn rows_under_way(&self) -> BTreeSet<RowId> {
        self.intents.values().flat_map(|intent| intent.rows.iter().copied()).collect()
    }

    /// Whether some earlier delivery came as far as to begin with users.
    pub(crate) fn has_begun_users(&self) -> bool {
        !(self.intents.is_empty() && self.completed.is_empty())
    }
}

fn attempts(calls: &CallsByName) -> u64 {
    calls.values().map(|calls| calls.attempts).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::options::Mode;

    fn intent(user: &str, row: u32) -> Entry {
        Entry::Intent(Intent {
            user: UserId::new(user),
            rows: vec![RowId(row)],
            is_complete: true,
            before: to_raw_value(&[("A", "v", 3.0)]).unwrap(),
            possible: to_raw_value(&()).unwrap(),
        })
    }

    fn completed(user: &str, row: u32) -> Entry {
        let added = serde_json::from_str(r#"{"status":"added"}"#).unwrap();
        Entry::Completed(Completed { user: UserId::new(user), rows: vec![(RowId(row), added)], effects: None })
    }

    fn called(attempts: u64) -> Entry {
        let calls = crate::connect::Calls { attempts, ..Default::default() };
        Entry::Called { calls: [("ListUsers".to_owned(), calls)].into(), lanes: LanesByName::new() }
    }

    /// Calls in these seconds.
    fn timeline(seconds: &[u64]) -> Timeline {
        let mut timeline = Timeline::default();
        for second in seconds {
            timeline.record("ListUsers", std::time::Duration::from_secs(*second));
        }
        timeline
    }

    #[test]
    fn a_checkpoint_says_the_same() {
        let unassigned = to_raw_value(&["everything"]).unwrap();
        let preview = Preview { held: 3, implied: 1, named: 0, is_right: false, is_whole: true };
        let entries = [
            (1, Entry::Started(Started { kind: "proficiencies".to_owned(), mode: Mode::Replace, unassigned })),
            (1, Entry::Preview { user: UserId::new("done"), preview }),
            (1, Entry::GuardPassed),
            (1, intent("done", 0)),
            (1, intent("done and begun again", 1)),
            (1, called(2)),
            (1, completed("done", 0)),
            (1, completed("done and begun again", 1)),
            (1, called(5)),
            (1, Entry::Timeline(timeline(&[0, 3]))),
            (1, Entry::Timeline(timeline(&[0, 3, 4]))),
            (2, intent("done and begun again", 2)),
            (2, intent("under way", 3)),
            (2, intent("under way", 4)),
            (2, called(3)),
            (2, Entry::Timeline(timeline(&[500]))),
        ];
        let (mut whole, mut lines) = (Replay::default(), Vec::new());
        for (delivery, entry) in entries {
            let line = entry.to_line();
            if whole.apply(delivery, entry).is_some() {
                lines.push(line);
            }
        }
        whole.fold_calls();
        lines.extend(whole.checkpoint().iter().map(Entry::to_line));
        let mut again = Replay::default();
        for line in lines {
            again.apply(0, serde_json::from_slice(&line).unwrap());
        }
        again.fold_calls();
        assert_eq!(
            format!("{:?}", (&again.started, &again.intents, &again.previews)),
            format!("{:?}", (&whole.started, &whole.intents, &whole.previews))
        );
        assert_eq!(whole.intents[&UserId::new("under way")].rows, [RowId(3)], "the first is the truth");
        assert_eq!((&again.calls, again.is_guard_passed), (&whole.calls, true));
        assert_eq!(whole.calls["ListUsers"].attempts, 8, "the last word of each delivery");
        assert_eq!((&again.timeline, &whole.timeline), (&whole.timeline, &timeline(&[0, 3, 4, 500])));
        assert_eq!(again.n_users_completed(), 2);
    }
}
