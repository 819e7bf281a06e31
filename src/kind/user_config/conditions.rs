//! What a user must have for a row to be done. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::connect::{Channel, ChannelSetting, Setting, UserConfig, Value};

/// What a condition says where the user must not have the setting.
pub(super) const UNSET: &str = "unset";

/// What a user must have for a row to be done: of settings of the row's channel a value, or none. All must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conditions(pub Vec<(Setting, Option<Value>)>);

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundOtherwise {
    key: ChannelSetting,
    found: Option<Value>,
    expected: Option<Value>,
}

impl Conditions {
    /// The first that does not hold of what a user had before the import's first write, or of what somebody has changed since an
    /// earlier delivery saw it: then it is neither as it was nor as it is `wanted`.
    pub fn failing(
        &self,
        channel: &Channel,
        before: &UserConfig,
        now: &UserConfig,
        wanted: &UserConfig,
    ) -> Option<FoundOtherwise> {
        self.0.iter().find_map(|(setting, expected)| {
            let key = ChannelSetting::of(channel, *setting);
            let (then, now) = (before.get(&key), now.get(&key));
            let is_others = now != then && now != wanted.get(&key);
            let found = if is_others { now } else { then };
            (is_others || then != expected.as_ref()).then(|| FoundOtherwise {
                found: found.cloned(),
                expected: expected.clone(),
                key,
            })
        })
    }

    /// As text, short enough to be held for each row: most rows have the same.
    pub(super) fn to_text(&self) -> String {
        if self.0.is_empty() { String::new() } else { serde_json::to_string(self).expect("a list is no map") }
    }

    /// From [`Conditions::to_text`].
    pub(super) fn from_text(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { serde_json::from_str(text).expect("it is our own text") }
    }
}

impl fmt::Display for FoundOtherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: ChannelSetting { channel, setting }, found, expected } = self;
        let (found, expected) = (value_or_unset(found.as_ref()), value_or_unset(expected.as_ref()));
        write!(f, "`{setting}` of {channel} is now {found}, not {expected}: it was changed since. Left as it is.")
    }
}

/// A value, or that there is none: as a condition says it.
pub(super) fn value_or_unset(value: Option<&Value>) -> String {
    value.map_or_else(|| UNSET.to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_must_hold_and_the_first_that_does_not_is_told() {
        let key = |setting| ChannelSetting::of(&Channel::Voice, setting);
        let before = UserConfig::from([
            (key(Setting::AutoAccept), Value::Switch(true)),
            (key(Setting::PhoneType), Value::text("SOFT_PHONE")),
        ]);
        let failing = |conditions: &[(Setting, Option<Value>)], channel| {
            let conditions = Conditions(conditions.to_vec());
            assert_eq!(Conditions::from_text(&conditions.to_text()), conditions);
            conditions.failing(channel, &before, &before, &UserConfig::new()).map(|found| found.to_string())
        };
        let accepts = (Setting::AutoAccept, Some(Value::Switch(true)));
        let unset = (Setting::AfterContactWorkSeconds, None);
        let desk = (Setting::PhoneType, Some(Value::text("DESK_PHONE")));
        assert_eq!(failing(&[], &Channel::Voice), None);
        assert_eq!(failing(&[accepts.clone(), unset.clone()], &Channel::Voice), None);
        let told = "`phone_type` of VOICE is now SOFT_PHONE, not DESK_PHONE: it was changed since. Left as it is.";
        assert_eq!(failing(&[accepts.clone(), desk, unset], &Channel::Voice).unwrap(), told);
        let told = "`auto_accept` of CHAT is now unset, not yes: it was changed since. Left as it is.";
        assert_eq!(failing(std::slice::from_ref(&accepts), &Channel::Chat).unwrap(), told);

        // What an earlier delivery wrote is its own work, and what somebody wrote after it is not.
        let set = |value| UserConfig::from([(key(Setting::AutoAccept), Value::Switch(value))]);
        let accepts = Conditions(vec![accepts]);
        assert_eq!(accepts.failing(&Channel::Voice, &before, &set(false), &set(false)), None);
        let found = accepts.failing(&Channel::Voice, &before, &UserConfig::new(), &set(false)).unwrap();
        assert!(found.to_string().starts_with("`auto_accept` of VOICE is now unset, not yes"), "{found}");
    }
}
