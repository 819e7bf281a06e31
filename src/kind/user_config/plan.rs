//! From what a user has to what it should have, in one call. Pure.

use std::fmt;

use super::cells::{Cells, DESK_PHONE};
use super::conditions::{Conditions, FoundOtherwise};
use crate::connect::{ChannelSetting, List, Setting, UserConfig, Value};
use crate::outcome::{Line, RowId};

/// What one row of the file says of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserConfigItem {
    /// The row.
    pub row: RowId,
    /// Its line, by which other rows' messages name it.
    pub line: Line,
    /// What it says.
    pub cells: Cells,
    /// What the user must have for it to be done.
    pub conditions: Conditions,
    /// If earlier rows say all of it: the line of one of them.
    pub repeats: Option<Line>,
}

impl UserConfigItem {
    /// What the user shall have.
    pub fn wants(&self) -> impl Iterator<Item = (ChannelSetting, Value)> + '_ {
        let channel = self.cells.channel();
        self.cells.settings().map(move |(setting, value)| (ChannelSetting::of(&channel, setting), value))
    }

    /// What the row's conditions say otherwise (see [`Conditions::failing`]); nothing if the user had already what the row wants.
    pub fn changed_since(&self, before: &UserConfig, now: &UserConfig, wanted: &UserConfig) -> Option<FoundOtherwise> {
        let is_right = self.wants().all(|(key, value)| before.get(&key) == Some(&value));
        self.conditions.failing(&self.cells.channel(), before, now, wanted).filter(|_| !is_right)
    }
}

/// A setting that cannot be set, because another one that it needs is neither in the file nor there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetDependency {
    /// The setting that the row gives.
    pub given: ChannelSetting,
    /// The setting that is missing.
    pub missing: Setting,
}

impl fmt::Display for UnmetDependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given: ChannelSetting { channel, setting }, missing } = self;
        let why = match setting {
            Setting::PhoneType => "`phone_type` DESK_PHONE needs a `phone_number`".to_owned(),
            _ => format!("`{setting}` cannot be without `{missing}`"),
        };
        write!(f, "{why}, and the user has none for {channel}. Give it in this row, too.")
    }
}

/// The changes of one user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserConfigPlan {
    /// The settings that change, each with its new value; none if the user is right already.
    pub changes: UserConfig,
    /// For each item whether it lacks something; then nothing of it is in the changes.
    pub unmet: Vec<Option<UnmetDependency>>,
}

/// Plans the changes from `now` to what the items say, which must not contradict each other; what they do not name stays.
///
/// A setting may need another one: from any of the items, or from what is there. An item with a setting that lacks what it
/// needs is left out as a whole, and so is what depends on it then. Settings that are given up are not wanted any more.
pub fn plan(
    now: &UserConfig,
    items: &[UserConfigItem],
    is_given_up: impl Fn(&ChannelSetting) -> bool,
) -> UserConfigPlan {
    let mut plan = UserConfigPlan { changes: UserConfig::new(), unmet: vec![None; items.len()] };
    loop {
        let fitting = items.iter().zip(&plan.unmet).filter(|(_, unmet)| unmet.is_none()).map(|(item, _)| item);
        let wanted = fitting.flat_map(UserConfigItem::wants).filter(|(key, _)| !is_given_up(key));
        plan.changes = wanted.filter(|(key, value)| now.get(key) != Some(value)).collect();
        let then = merged(now, &plan.changes);
        let mut is_stable = true;
        for (item, unmet) in items.iter().zip(&mut plan.unmet).filter(|(_, unmet)| unmet.is_none()) {
            let mut changed = item.wants().filter(|(key, _)| plan.changes.contains_key(key));
            *unmet = changed.find_map(|(key, value)| unmet_dependency(&then, key, &value));
            is_stable &= unmet.is_none();
        }
        if is_stable {
            return plan;
        }
    }
}

/// All that one call must send to make these changes: of each list that they touch also what is there and must stay.
///
/// The documents do not say whether the service keeps the channels that a list does not name, or the members that an item
/// leaves out; a list that names all is right either way. A list that is not touched is left out.
pub fn full_lists(now: &UserConfig, changes: &UserConfig) -> UserConfig {
    let is_touched = |list: List| changes.keys().any(|key| key.setting.list() == list);
    let mut lists = merged(now, changes);
    lists.retain(|key, _| is_touched(key.setting.list()));
    lists
}

/// The first of the changes alone, with those that it needs. A desk phone goes with its new number: with the old one, calls
/// would ring there.
pub fn minimal_change(now: &UserConfig, changes: &UserConfig) -> UserConfig {
    let mut part: UserConfig = changes.iter().take(1).map(|(key, value)| (key.clone(), value.clone())).collect();
    let desk_phone = part.iter().find(|(key, value)| sets_desk_phone(key, value)).map(|(key, _)| key.channel.clone());
    if let Some(channel) = desk_phone
        && let Some((key, value)) = changes.get_key_value(&ChannelSetting::of(&channel, Setting::PhoneNumber))
    {
        part.insert(key.clone(), value.clone());
    }
    loop {
        let then = merged(now, &part);
        let needed = part.iter().find_map(|(key, value)| unmet_dependency(&then, key.clone(), value));
        let Some(UnmetDependency { given, missing }) = needed else { return part };
        let Some((key, value)) = changes.get_key_value(&ChannelSetting { setting: missing, ..given }) else {
            return part;
        };
        part.insert(key.clone(), value.clone());
    }
}

/// What is there once the changes are made.
fn merged(now: &UserConfig, changes: &UserConfig) -> UserConfig {
    let mut merged = now.clone();
    merged.extend(changes.iter().map(|(key, value)| (key.clone(), value.clone())));
    merged
}

/// What a setting needs and the user would not have.
fn unmet_dependency(then: &UserConfig, key: ChannelSetting, value: &Value) -> Option<UnmetDependency> {
    let number = sets_desk_phone(&key, value).then_some(Setting::PhoneNumber);
    let needed = key.setting.needs().or(number)?;
    let is_there = then.contains_key(&ChannelSetting::of(&key.channel, needed));
    (!is_there).then_some(UnmetDependency { given: key, missing: needed })
}

fn sets_desk_phone(key: &ChannelSetting, value: &Value) -> bool {
    key.setting == Setting::PhoneType && is_desk_phone(value)
}

/// Whether a value of `phone_type` is the phone that has a number.
pub(super) fn is_desk_phone(value: &Value) -> bool {
    matches!(value, Value::Text(text) if **text == *DESK_PHONE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::connect::Channel;
    use crate::kind::user_config::compare::compare;
    use crate::kind::user_config::test_rows::check_rows;
    use proptest::prelude::*;

    const HEADER: &str = "user,channel,auto_accept,agent_first_callback_auto_accept,after_contact_work_seconds,\
                          agent_first_callback_after_contact_work_seconds,phone_type,phone_number,\
                          persistent_connection,voice_enhancement_mode\n";

    /// Items of rows that begin with the channel.
    fn items(rows: &[&str]) -> Vec<UserConfigItem> {
        let rows: Vec<_> = rows.iter().map(|row| format!("u,{row}")).collect();
        let checked = check_rows(&format!("{HEADER}{}", rows.join("\n")));
        let item = |(n, cells)| {
            let (row, line, conditions) = (RowId(n), Line(n + 2), Conditions::default());
            UserConfigItem { row, line, cells, conditions, repeats: None }
        };
        (0..).zip(checked).map(|(n, row)| item((n, row.unwrap().1))).collect()
    }

    /// What a user has, in the words of a file.
    fn held(rows: &[&str]) -> UserConfig {
        items(rows).iter().flat_map(UserConfigItem::wants).collect()
    }

    fn shown(config: &UserConfig) -> String {
        let one = |(key, value): (&ChannelSetting, &Value)| format!("{} {}={value}", key.channel, key.setting);
        config.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn planned(now: &[&str], rows: &[&str]) -> (String, Vec<Option<String>>) {
        let plan = plan(&held(now), &items(rows), |_| false);
        (shown(&plan.changes), plan.unmet.iter().map(|unmet| unmet.as_ref().map(ToString::to_string)).collect())
    }

    #[test]
    fn a_user_who_is_right_needs_no_call() {
        let now = ["CHAT,yes,,30,,,,,", "VOICE,no,,,,,,,"];
        assert_eq!(planned(&now, &["CHAT,yes,,,,,,,", "CHAT,,,30,,,,,"]), (String::new(), vec![None, None]));
    }

    #[test]
    fn a_call_has_the_whole_of_each_list_that_it_touches_and_no_other() {
        let now = held(&["CHAT,yes,,30,,,,,", "VOICE,no,yes,0,,SOFT_PHONE,,yes,NONE", "EMAIL,no,,,,,,,"]);
        let changes = plan(&now, &items(&["CHAT,no,,,,,,,"]), |_| false).changes;
        assert_eq!(shown(&changes), "CHAT auto_accept=no");
        assert_eq!(
            shown(&full_lists(&now, &changes)),
            "VOICE auto_accept=no, VOICE agent_first_callback_auto_accept=yes, CHAT auto_accept=no, EMAIL auto_accept=no"
        );
    }

    #[test]
    fn what_a_setting_needs_may_stand_in_any_row_or_be_there() {
        for (now, rows) in [
            (&[][..], &["VOICE,no,yes,,,,,,"][..]),
            (&[], &["VOICE,,yes,,,,,,", "VOICE,no,,,,,,,"]),
            (&["VOICE,no,,,,,,,"], &["VOICE,,yes,,,,,,"]),
            (&["VOICE,,,5,,,,,"], &["VOICE,,,,10,,,,"]),
            (&["VOICE,,,,,SOFT_PHONE,,,"], &["VOICE,,,,,,+491,,"]),
            (&["VOICE,,,,,SOFT_PHONE,+491,,"], &["VOICE,,,,,DESK_PHONE,,,"]),
            (&[], &["VOICE,,,,,,+491,,", "VOICE,,,,,DESK_PHONE,,,"]),
        ] {
            let (changes, unmet) = planned(now, rows);
            assert!(!changes.is_empty() && unmet.iter().all(Option::is_none), "{rows:?}: {changes}; {unmet:?}");
        }
    }

    #[test]
    fn a_row_that_lacks_what_it_needs_is_out_as_a_whole_and_takes_no_other_with_it() {
        let other_channel = ["CHAT,no,,,,,,,"];
        for (row, sentence) in [
            ("VOICE,,yes,30,,,,,", "`agent_first_callback_auto_accept` cannot be without `auto_accept`"),
            ("VOICE,yes,,,30,,,,", "cannot be without `after_contact_work_seconds`"),
            ("VOICE,yes,,,,,+491,,", "`phone_number` cannot be without `phone_type`"),
            ("VOICE,yes,,,,DESK_PHONE,,,", "`phone_type` DESK_PHONE needs a `phone_number`"),
        ] {
            let (changes, unmet) = planned(&other_channel, &[row, "VOICE,,,,,,,no,NONE"]);
            assert_eq!(changes, "VOICE persistent_connection=no, VOICE voice_enhancement_mode=NONE", "{row}");
            let said = unmet[0].as_ref().unwrap();
            assert!(said.contains(sentence) && said.contains("none for VOICE. Give it"), "{said}");
            assert_eq!(unmet[1], None);
        }
    }

    #[test]
    fn what_hangs_on_a_row_that_is_out_is_out_too() {
        let (changes, unmet) = planned(&[], &["VOICE,yes,,,30,,,,", "VOICE,,no,,,,,,", "CHAT,yes,,,,,,,"]);
        assert_eq!(changes, "CHAT auto_accept=yes");
        assert_eq!(unmet.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn what_is_given_up_is_not_wanted_and_its_row_goes_on() {
        let rows = items(&["CHAT,yes,,30,,,,,"]);
        let plan = plan(&held(&[]), &rows, |key| key.setting == Setting::AutoAccept);
        assert_eq!((shown(&plan.changes).as_str(), plan.unmet), ("CHAT after_contact_work_seconds=30", vec![None]));
    }

    #[test]
    fn settings_that_cannot_be_apart_go_together_and_others_alone() {
        let both = "VOICE phone_type=DESK_PHONE, VOICE phone_number=+491";
        for (now, rows, first) in [
            (&[][..], "VOICE,yes,yes,5,5,,,,", "VOICE auto_accept=yes"),
            (&["VOICE,no,,,,,,,"], "VOICE,,yes,5,,,,,", "VOICE agent_first_callback_auto_accept=yes"),
            (&[], "VOICE,,,,,DESK_PHONE,+491,yes,", both),
            (&["VOICE,,,,,SOFT_PHONE,+492,,"], "VOICE,,,,,DESK_PHONE,+491,,", both),
            (&[], "VOICE,,,,,SOFT_PHONE,+491,,", "VOICE phone_type=SOFT_PHONE"),
        ] {
            let now = held(now);
            let changes = plan(&now, &items(&[rows]), |_| false).changes;
            assert_eq!(shown(&minimal_change(&now, &changes)), first, "{rows}");
        }
    }

    /// What a service does that merges by channel, by member, or takes a list for the whole.
    fn serve(now: &UserConfig, sent: &UserConfig, how: usize) -> UserConfig {
        let touched: BTreeSet<_> = sent.keys().map(|key| key.setting.list()).collect();
        let channels: BTreeSet<_> = sent.keys().map(|key| (&key.channel, key.setting.list())).collect();
        let mut then = now.clone();
        then.retain(|key, _| match how {
            0 => true,
            1 => !channels.contains(&(&key.channel, key.setting.list())),
            _ => !touched.contains(&key.setting.list()),
        });
        merged(&then, sent)
    }

    /// Whether the service model allows it: nothing without what it needs.
    fn is_allowed(config: &UserConfig) -> bool {
        config.iter().all(|(key, value)| unmet_dependency(config, key.clone(), value).is_none())
    }

    fn any_row() -> impl Strategy<Value = String> {
        let switch = || prop_oneof![Just(""), Just("yes"), Just("no")];
        let seconds = || prop_oneof![Just(""), Just("0"), Just("30")];
        let voice = (
            (switch(), switch(), seconds(), seconds()),
            prop_oneof![Just(""), Just("SOFT_PHONE"), Just("DESK_PHONE")],
            prop_oneof![Just(""), Just("+491"), Just("+492")],
            switch(),
            prop_oneof![Just(""), Just("NONE"), Just("VOICE_ISOLATION")],
        )
            .prop_map(|((a, b, c, d), e, f, g, h)| format!("VOICE,{a},{b},{c},{d},{e},{f},{g},{h}"));
        let other = (prop_oneof![Just("CHAT"), Just("TASK"), Just("EMAIL")], switch(), seconds())
            .prop_map(|(channel, a, c)| format!("{channel},{a},,{c},,,,,"));
        prop_oneof![voice, other].prop_filter("a row gives a setting", |row| row.trim_end_matches(',').contains(','))
    }

    /// What a user may have: rows, less what they lack.
    fn any_config() -> impl Strategy<Value = UserConfig> {
        prop::collection::vec(any_row(), 0..5).prop_map(|rows| {
            let rows: Vec<_> = rows.iter().map(String::as_str).collect();
            let mut config = UserConfig::new();
            for (key, value) in items(&rows).iter().flat_map(UserConfigItem::wants) {
                config.entry(key).or_insert(value);
            }
            config.insert(ChannelSetting::of(&Channel::Other("FAX".into()), Setting::AutoAccept), Value::Switch(true));
            while !is_allowed(&config) {
                let all = config.clone();
                config.retain(|key, value| unmet_dependency(&all, key.clone(), value).is_none());
            }
            config
        })
    }

    /// Rows that do not contradict each other.
    fn any_items() -> impl Strategy<Value = Vec<UserConfigItem>> {
        prop::collection::vec(any_row(), 1..6).prop_map(|rows| {
            let rows: Vec<_> = rows.iter().map(String::as_str).collect();
            compare(items(&rows)).into_iter().flatten().collect()
        })
    }

    proptest! {
        #[test]
        fn a_plan_leads_to_what_was_wanted_and_touches_nothing_else(
            (now, items, how) in (any_config(), any_items(), 0..3_usize)
        ) {
            let made = plan(&now, &items, |_| false);
            let sent = full_lists(&now, &made.changes);
            prop_assert!(is_allowed(&sent));
            let then = serve(&now, &sent, how);
            let mut named = BTreeSet::new();
            for (item, unmet) in items.iter().zip(&made.unmet) {
                for (key, value) in item.wants().filter(|_| unmet.is_none()) {
                    prop_assert_eq!(then.get(&key), Some(&value));
                    named.insert(key);
                }
            }
            for (key, value) in &now {
                prop_assert!(named.contains(key) || then.get(key) == Some(value), "{:?} was touched", key);
            }
            prop_assert!(then.keys().all(|key| named.contains(key) || now.contains_key(key)));
            prop_assert!(plan(&then, &items, |_| false).changes.is_empty());
        }

        #[test]
        fn one_by_one_leads_to_the_same((now, items, how) in (any_config(), any_items(), 0..3_usize)) {
            let all = plan(&now, &items, |_| false).changes;
            let (mut then, mut left) = (now.clone(), all.clone());
            while !left.is_empty() {
                let part = minimal_change(&then, &left);
                prop_assert!(!part.is_empty() && part.len() <= 2);
                let sent = full_lists(&then, &part);
                prop_assert!(is_allowed(&sent), "{}", shown(&sent));
                then = serve(&then, &sent, how);
                left.retain(|key, _| !part.contains_key(key));
            }
            prop_assert_eq!(then, merged(&now, &all));
        }
    }
}
