//! From what a user has to what it should have, in the least calls. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::connect::{Level, MAX_ITEMS_PER_CALL, Proficiencies, Proficiency, ProficiencyKey};
use crate::input::folded;

/// What the file says of one proficiency of one user.
#[derive(Clone, Debug, PartialEq)]
pub struct ProficiencyItem {
    /// Which attribute and value.
    pub pair: ProficiencyKey,
    /// What the file wants.
    pub want: Want,
    /// What the user must have for it to be done.
    pub condition: Condition,
}

/// What a user must have, before the import's first write for it, for a row to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Whatever it is.
    Always,
    /// It has it at this level.
    Level(Level),
    /// It does not have it.
    Absent,
}

impl Condition {
    /// Whether it holds of a user who had it at this level, or did not have it.
    pub fn holds(self, before: Option<Level>) -> bool {
        match self {
            Self::Always => true,
            Self::Level(level) => before == Some(level),
            Self::Absent => before.is_none(),
        }
    }
}

/// What is wanted of a proficiency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Want {
    /// The user has it at this level.
    Level(Level),
    /// The user does not have it.
    Absent,
}

impl Want {
    /// Whether a user who has it at this level, or does not have it, is as is wanted.
    pub fn is_met_by(self, now: Option<Level>) -> bool {
        match self {
            Self::Level(level) => now == Some(level),
            Self::Absent => now.is_none(),
        }
    }

    /// The level that is wanted; nothing where the user shall not have it.
    pub fn level(self) -> Option<Level> {
        match self {
            Self::Level(level) => Some(level),
            Self::Absent => None,
        }
    }
}

/// Why an item is not done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeptReason {
    /// Its condition does not hold: the user has it at this level, or does not have it.
    Found(Option<Level>),
    /// There is no room for what is added.
    NoRoom,
}

/// The items that are not done, because what the user had before the import's first write is not as their conditions say, or
/// somebody has changed it since an earlier delivery saw it: then it is neither as it was nor as it is wanted.
///
/// Nobody loses what is taken away to make room, and gets nothing for it. So where removals are kept, and there is no room for
/// what is added, nothing is done at all; and where there is none anyway, removals that have conditions are not done, for
/// they were planned for another set.
pub fn kept(
    before: &Proficiencies,
    now: &Proficiencies,
    items: &[ProficiencyItem],
    limit: usize,
) -> BTreeMap<ProficiencyKey, KeptReason> {
    let level = |set: &Proficiencies, item: &ProficiencyItem| set.get(&item.pair).copied();
    let found = |item: &ProficiencyItem| {
        let (then, now) = (level(before, item), level(now, item));
        let is_others = now != then && !item.want.is_met_by(now) && item.condition != Condition::Always;
        if is_others { Some(now) } else { (!item.condition.holds(then)).then_some(then) }
    };
    let (mut kept, mut others, mut keeps_removals) = (BTreeMap::new(), Vec::new(), false);
    for item in items.iter().filter(|item| !item.want.is_met_by(level(before, item))) {
        match found(item) {
            Some(found) => {
                kept.insert(item.pair.clone(), KeptReason::Found(found));
                keeps_removals |= item.want == Want::Absent;
            }
            None => others.push(item.clone()),
        }
    }
    if plan(before, &others, limit).too_many.is_some() {
        let is_planned = |item: &ProficiencyItem| item.want == Want::Absent && item.condition != Condition::Always;
        let is_undone = |item: &ProficiencyItem| !item.want.is_met_by(level(now, item));
        let left = others.into_iter().filter(|item| is_undone(item) && (keeps_removals || is_planned(item)));
        kept.extend(left.map(|item| (item.pair, KeptReason::NoRoom)));
    }
    kept
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Changes levels.
    Update(Vec<Proficiency>),
    /// Gives what the user does not have yet.
    Associate(Vec<Proficiency>),
    /// Takes away what the user has.
    Disassociate(Vec<ProficiencyKey>),
}

impl Step {
    /// The proficiencies that the call is about.
    pub fn pairs(&self) -> impl Iterator<Item = &ProficiencyKey> {
        let (levels, pairs): (&[Proficiency], &[ProficiencyKey]) = match self {
            Self::Update(items) | Self::Associate(items) => (items, &[]),
            Self::Disassociate(pairs) => (&[], pairs),
        };
        levels.iter().map(|item| &item.pair).chain(pairs)
    }

    /// How many items the call has.
    pub fn len(&self) -> usize {
        self.pairs().count()
    }

    /// Whether it would do nothing; a plan holds no such step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does to a set what the call does to the user.
    pub fn apply_to(&self, held: &mut Proficiencies) {
        match self {
            Self::Update(items) | Self::Associate(items) => {
                held.extend(items.iter().map(|item| (item.pair.clone(), item.level)));
            }
            Self::Disassociate(pairs) => pairs.iter().for_each(|pair| _ = held.remove(pair)),
        }
    }

    /// The same as calls of one item each.
    pub fn one_by_one(self) -> Vec<Self> {
        match self {
            Self::Update(items) => items.into_iter().map(|item| Self::Update(vec![item])).collect(),
            Self::Associate(items) => items.into_iter().map(|item| Self::Associate(vec![item])).collect(),
            Self::Disassociate(pairs) => pairs.into_iter().map(|pair| Self::Disassociate(vec![pair])).collect(),
        }
    }
}

/// The calls for one user, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProficiencyPlan {
    /// The calls; none if the user is right already.
    pub steps: Vec<Step>,
    /// The size of the final set if that would be larger than is allowed. The steps then add nothing.
    pub too_many: Option<usize>,
}

/// Plans the calls from `held` to what the items say; what they do not name stays.
///
/// The order is: update; of the removals the least that the limit forces, but never the user's last proficiency;
/// associate; the other removals. So the user is never without proficiencies between two sets, save where the limit is one.
/// A user who already holds more than `limit` proves a larger one, which then counts.
pub fn plan(held: &Proficiencies, items: &[ProficiencyItem], limit: usize) -> ProficiencyPlan {
    let mut updates = Vec::new();
    let mut additions = VecDeque::new();
    let mut removals = VecDeque::new();
    for ProficiencyItem { pair, want, .. } in items {
        match (want, held.get(pair)) {
            (Want::Level(level), Some(now)) if now == level => {}
            (Want::Level(level), Some(_)) => updates.push(Proficiency { pair: pair.clone(), level: *level }),
            (Want::Level(level), None) => additions.push_back(Proficiency { pair: pair.clone(), level: *level }),
            (Want::Absent, Some(_)) => removals.push_back(pair.clone()),
            (Want::Absent, None) => {}
        }
    }
    let limit = limit.max(held.len());
    let final_size = (held.len() + additions.len()).saturating_sub(removals.len());
    let too_many = (final_size > limit && !additions.is_empty()).then_some(final_size);
    if too_many.is_some() {
        additions.clear();
    }

    let mut steps: Vec<Step> = updates.chunks(MAX_ITEMS_PER_CALL).map(|items| Step::Update(items.to_vec())).collect();
    let mut size = held.len();
    while !additions.is_empty() {
        let missing_room = additions.len().saturating_sub(limit - size);
        let spare = if size == 1 && limit == 1 { 1 } else { size.saturating_sub(1) };
        let forced = missing_room.min(removals.len()).min(spare);
        steps.extend(take(&mut removals, forced).map(Step::Disassociate));
        size -= forced;
        let fitting = additions.len().min(limit - size);
        steps.extend(take(&mut additions, fitting).map(Step::Associate));
        size += fitting;
    }
    let n_removals = removals.len();
    steps.extend(take(&mut removals, n_removals).map(Step::Disassociate));
    ProficiencyPlan { steps, too_many }
}

/// Takes out the first `n`, in pieces of a call's size.
fn take<T>(queue: &mut VecDeque<T>, n: usize) -> impl Iterator<Item = Vec<T>> + use<T> {
    let mut taken = queue.drain(..n).collect::<VecDeque<_>>();
    std::iter::from_fn(move || {
        let piece: Vec<T> = taken.drain(..taken.len().min(MAX_ITEMS_PER_CALL)).collect();
        (!piece.is_empty()).then_some(piece)
    })
}

/// A key without regard to case and Unicode form: in an instance attributes and values are unique in this form.
pub(super) type FoldedKey = (String, String);

/// A key in that form.
pub(super) fn folded_key(pair: &ProficiencyKey) -> FoldedKey {
    (folded(&pair.attribute), folded(&pair.value))
}

/// The items in the spelling of the user's own set: what begins with `connect:` was not matched to the instance's spelling
/// before.
pub(super) fn in_held_spelling(items: &[ProficiencyItem], held: &Proficiencies) -> Vec<ProficiencyItem> {
    let spelled: BTreeMap<_, _> = held.keys().map(|pair| (folded_key(pair), pair)).collect();
    let respell = |item: &ProficiencyItem| match spelled.get(&folded_key(&item.pair)) {
        Some(&pair) => ProficiencyItem { pair: pair.clone(), ..item.clone() },
        None => item.clone(),
    };
    items.iter().map(respell).collect()
}

/// What a user has, in the spelling of the items: the service may keep what was added in a spelling of its own.
pub(super) fn in_item_spelling(held: Proficiencies, items: &[ProficiencyItem]) -> Proficiencies {
    let spelled: BTreeMap<_, _> = items.iter().map(|item| (folded_key(&item.pair), &item.pair)).collect();
    held.into_iter()
        .map(|(pair, level)| (spelled.get(&folded_key(&pair)).map_or(pair, |&pair| pair.clone()), level))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(value: u8) -> ProficiencyKey {
        ProficiencyKey { attribute: "A".into(), value: format!("v{value:02}").into() }
    }

    fn held(values: impl IntoIterator<Item = u8>) -> Proficiencies {
        values.into_iter().map(|value| (pair(value), Level::whole(3))).collect()
    }

    fn level(value: u8, level: u8) -> ProficiencyItem {
        item(pair(value), Want::Level(Level::whole(level)))
    }

    fn absent(value: u8) -> ProficiencyItem {
        item(pair(value), Want::Absent)
    }

    fn item(pair: ProficiencyKey, want: Want) -> ProficiencyItem {
        ProficiencyItem { pair, want, condition: Condition::Always }
    }

    /// `u2 d9 a9`: the calls and their sizes.
    fn calls(plan: &ProficiencyPlan) -> String {
        let of = |step: &Step| match step {
            Step::Update(items) => format!("u{}", items.len()),
            Step::Associate(items) => format!("a{}", items.len()),
            Step::Disassociate(pairs) => format!("d{}", pairs.len()),
        };
        plan.steps.iter().map(of).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_user_that_is_right_needs_no_call() {
        assert!(plan(&held([1, 2]), &[level(1, 3), absent(9)], 10).steps.is_empty());
    }

    #[test]
    fn additions_are_one_call_and_changes_are_one() {
        let items = [level(1, 4), level(5, 1), level(2, 5), level(6, 1)];
        assert_eq!(calls(&plan(&held([1, 2, 3]), &items, 10)), "u2 a2");
    }

    #[test]
    fn removals_come_last_unless_the_limit_forces_them() {
        let ten_for_ten: Vec<_> = (10..20).map(|new| level(new, 1)).chain((0..10).map(absent)).collect();
        assert_eq!(calls(&plan(&held(0..10), &ten_for_ten, 10)), "d9 a9 d1 a1");
        assert_eq!(calls(&plan(&held(0..10), &ten_for_ten, 15)), "d5 a10 d5");
        assert_eq!(calls(&plan(&held(0..10), &ten_for_ten, 20)), "a10 d10");
        assert_eq!(calls(&plan(&held([0]), &[level(1, 1), absent(0)], 1)), "d1 a1");
        assert_eq!(calls(&plan(&held(0..25), &(0..25).map(absent).collect::<Vec<_>>(), 10)), "d10 d10 d5");
    }

    #[test]
    fn more_than_the_limit_adds_nothing() {
        let items = [level(1, 4), level(10, 1), level(11, 1), absent(2)];
        let plan = plan(&held(0..10), &items, 10);
        assert_eq!((calls(&plan).as_str(), plan.too_many), ("u1 d1", Some(11)));
    }

    #[test]
    fn a_user_who_holds_more_proves_a_larger_limit() {
        let items = [level(20, 1), absent(0)];
        assert_eq!(calls(&plan(&held(0..12), &items, 10)), "d1 a1");
        assert_eq!(plan(&held(0..12), &[level(20, 1)], 10).too_many, Some(13));
    }

    #[test]
    fn a_pair_is_spelled_as_the_user_has_it() {
        let other_case = ProficiencyKey { attribute: "a".into(), value: "V01".into() };
        let items = in_held_spelling(&[item(other_case, Want::Absent)], &held([1]));
        assert_eq!(items, [absent(1)]);
    }

    fn when(item: ProficiencyItem, if_level: Option<u8>) -> ProficiencyItem {
        let condition = if_level.map_or(Condition::Absent, |level| Condition::Level(Level::whole(level)));
        ProficiencyItem { condition, ..item }
    }

    #[test]
    fn what_is_not_as_its_condition_says_is_kept() {
        let items = [
            when(level(1, 4), Some(3)),
            when(level(2, 4), Some(1)),
            when(level(3, 3), Some(1)),
            when(absent(4), Some(2)),
            when(absent(5), None),
            when(level(20, 1), None),
            when(level(21, 1), Some(1)),
            when(absent(22), Some(1)),
        ];
        let had = Some(Level::whole(3));
        let expected = [
            (pair(2), KeptReason::Found(had)),
            (pair(4), KeptReason::Found(had)),
            (pair(5), KeptReason::Found(had)),
            (pair(21), KeptReason::Found(None)),
        ];
        assert_eq!(kept(&held(1..8), &held(1..8), &items, 10), expected.into());
    }

    #[test]
    fn what_others_changed_since_an_earlier_delivery_is_kept_and_its_own_work_is_not() {
        let items = [when(level(1, 5), Some(3)), when(level(2, 5), Some(3)), level(3, 5), when(absent(4), Some(3))];
        let mut now = held([1, 2, 3, 4]);
        now.insert(pair(1), Level::whole(5));
        now.insert(pair(2), Level::whole(4));
        now.insert(pair(3), Level::whole(4));
        now.remove(&pair(4));
        let expected = [(pair(2), KeptReason::Found(Some(Level::whole(4))))];
        assert_eq!(kept(&held([1, 2, 3, 4]), &now, &items, 10), expected.into());
    }

    #[test]
    fn where_kept_removals_leave_no_room_nothing_is_done() {
        let items = [when(absent(1), Some(2)), absent(2), level(3, 5), level(4, 3), level(20, 1), level(21, 1)];
        let reasons = |now: &Proficiencies, limit| kept(&held(0..10), now, &items, limit);
        let found = (pair(1), KeptReason::Found(Some(Level::whole(3))));
        assert_eq!(reasons(&held(0..10), 11), [found.clone()].into(), "nine and two");
        let no_room = [2, 3, 20, 21].map(|value| (pair(value), KeptReason::NoRoom));
        let expected = no_room.clone().into_iter().chain([found.clone()]).collect();
        assert_eq!(reasons(&held(0..10), 10), expected, "what is as wanted is not among them");
        // What an earlier delivery has done is done.
        let mut now = held(0..10);
        now.remove(&pair(2));
        assert_eq!(reasons(&now, 10), no_room.into_iter().skip(1).chain([found]).collect());
    }

    #[test]
    fn where_there_is_no_room_nothing_is_taken_away_that_was_planned_for_another_set() {
        let items = [when(absent(1), Some(3)), absent(2), level(3, 5), level(20, 1), level(21, 1), level(22, 1)];
        assert_eq!(kept(&held(0..10), &held(0..10), &items, 10), [(pair(1), KeptReason::NoRoom)].into());
        assert_eq!(kept(&held(0..10), &held(0..10), &items, 11), [].into());
    }

    fn any_case() -> impl Strategy<Value = (Proficiencies, Vec<ProficiencyItem>, usize)> {
        let held = prop::collection::btree_map((0..30_u8).prop_map(pair), (1..=5_u8).prop_map(Level::whole), 0..25);
        let wants = prop_oneof![(1..=5_u8).prop_map(|n| Want::Level(Level::whole(n))), Just(Want::Absent)];
        let items = prop::collection::btree_map((0..30_u8).prop_map(pair), wants, 0..25)
            .prop_map(|items| items.into_iter().map(|(pair, want)| item(pair, want)).collect());
        (held, items, 1..25_usize)
    }

    proptest! {
        #[test]
        fn a_plan_leads_to_what_was_wanted_and_never_through_nothing((held, items, limit) in any_case()) {
            let plan_made = plan(&held, &items, limit);
            let limit = limit.max(held.len());
            let mut now = held.clone();
            for step in &plan_made.steps {
                prop_assert!((1..=MAX_ITEMS_PER_CALL).contains(&step.len()));
                match step {
                    Step::Update(_) => prop_assert!(step.pairs().all(|pair| now.contains_key(pair))),
                    Step::Associate(_) => prop_assert!(step.pairs().all(|pair| !now.contains_key(pair))),
                    Step::Disassociate(_) => prop_assert!(step.pairs().all(|pair| now.contains_key(pair))),
                }
                step.apply_to(&mut now);
                prop_assert!(now.len() <= limit);
            }
            let mut smallest = held.len();
            let mut way = held.clone();
            for step in &plan_made.steps {
                step.apply_to(&mut way);
                smallest = smallest.min(way.len());
            }
            prop_assert!(smallest > 0 || limit == 1 || held.is_empty() || now.is_empty());
            for item in &items {
                match item.want {
                    Want::Level(level) => prop_assert!(
                        now.get(&item.pair) == Some(&level) || (plan_made.too_many.is_some() && !held.contains_key(&item.pair))
                    ),
                    Want::Absent => prop_assert!(!now.contains_key(&item.pair)),
                }
            }
            for (pair, level) in &held {
                if items.iter().all(|item| item.pair != *pair) {
                    prop_assert_eq!(now.get(pair), Some(level));
                }
            }
            let again = plan(&now, &items, limit);
            prop_assert!(again.steps.is_empty() || again.too_many.is_some());
        }
    }
}
