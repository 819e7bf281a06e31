//! What an import does to a user's settings, as the journal keeps it.

use serde::{Deserialize, Serialize};

use crate::connect::{Channel, ChannelSetting, Setting, UserConfig, Value};
use crate::outcome::RowId;

/// All that a user has, for the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Channel, Setting, Value)>", into = "Vec<(Channel, Setting, Value)>")]
pub struct CurrentConfig(pub UserConfig);

impl From<Vec<(Channel, Setting, Value)>> for CurrentConfig {
    fn from(settings: Vec<(Channel, Setting, Value)>) -> Self {
        let keyed = |(channel, setting, value)| (ChannelSetting { channel, setting }, value);
        Self(settings.into_iter().map(keyed).collect())
    }
}

impl From<CurrentConfig> for Vec<(Channel, Setting, Value)> {
    fn from(CurrentConfig(config): CurrentConfig) -> Self {
        config.into_iter().map(|(key, value)| (key.channel, key.setting, value)).collect()
    }
}

/// A change of a setting, for the journal: its place in [`Setting::ALL`], its value before, `null` if it was not there, and its
/// value after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(u8, Option<Value>, Value)", into = "(u8, Option<Value>, Value)")]
pub struct SettingChange {
    /// The setting.
    pub setting: Setting,
    /// Its value before the import.
    pub before: Option<Value>,
    /// Its value after it. Connect has no call that takes a setting away.
    pub after: Value,
}

impl TryFrom<(u8, Option<Value>, Value)> for SettingChange {
    type Error = String;

    fn try_from((setting, before, after): (u8, Option<Value>, Value)) -> Result<Self, String> {
        let setting =
            *Setting::ALL.get(usize::from(setting)).ok_or_else(|| format!("there is no setting {setting}"))?;
        Ok(Self { setting, before, after })
    }
}

impl From<SettingChange> for (u8, Option<Value>, Value) {
    fn from(SettingChange { setting, before, after }: SettingChange) -> Self {
        (setting as u8, before, after)
    }
}

/// What one row changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowChanges(pub RowId, pub Channel, pub Vec<SettingChange>);

/// What an import did to a user. This is held in memory for every user that changed: so its names are short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserConfigEffects {
    /// What rows changed, also those that did not end well. A setting that several rows name is in one's only.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<RowChanges>,
    /// What may have been changed, and cannot be seen; each channel once.
    #[serde(rename = "u", skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<(Channel, Vec<SettingChange>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_short_and_read_back() {
        let change = |setting, before, after| SettingChange { setting, before, after };
        let changed = vec![
            change(Setting::AutoAccept, Some(Value::Switch(false)), Value::Switch(true)),
            change(Setting::AfterContactWorkSeconds, Some(Value::Seconds(30)), Value::Seconds(0)),
            change(Setting::PhoneNumber, None, Value::text("+491")),
        ];
        let unseen = change(Setting::PhoneType, Some(Value::text("SOFT_PHONE")), Value::text("DESK_PHONE"));
        let effects = UserConfigEffects {
            changed: vec![RowChanges(RowId(7), Channel::Voice, changed)],
            unseen: vec![(Channel::Chat, vec![unseen])],
        };
        let json = serde_json::to_string(&effects).unwrap();
        let expected = r#"{"c":[[7,"VOICE",[[0,false,true],[2,30,0],[5,null,"+491"]]]],"u":[["CHAT",[[4,"SOFT_PHONE","DESK_PHONE"]]]]}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<UserConfigEffects>(&json).unwrap(), effects);
        assert_eq!(serde_json::to_string(&UserConfigEffects::default()).unwrap(), "{}");
        assert!(serde_json::from_str::<SettingChange>("[8,true,false]").is_err());
    }

    #[test]
    fn what_a_user_has_reads_back() {
        let current = CurrentConfig::from(vec![
            (Channel::Voice, Setting::AutoAccept, Value::Switch(true)),
            (Channel::Other("FAX".into()), Setting::AfterContactWorkSeconds, Value::Seconds(30)),
        ]);
        let json = serde_json::to_string(&current).unwrap();
        assert_eq!(json, r#"[["VOICE","auto_accept",true],["FAX","after_contact_work_seconds",30]]"#);
        assert_eq!(serde_json::from_str::<CurrentConfig>(&json).unwrap(), current);
    }
}
