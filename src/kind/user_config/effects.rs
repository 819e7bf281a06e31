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

/// A setting before this import, for the journal: its place in [`Setting::ALL`] and its value, `null` if it was not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(u8, Option<Value>)", into = "(u8, Option<Value>)")]
pub struct SettingBefore {
    /// The setting.
    pub setting: Setting,
    /// Its value before the import. Connect has no call that takes a setting away.
    pub value: Option<Value>,
}

impl TryFrom<(u8, Option<Value>)> for SettingBefore {
    type Error = String;

    fn try_from((setting, value): (u8, Option<Value>)) -> Result<Self, String> {
        let setting =
            *Setting::ALL.get(usize::from(setting)).ok_or_else(|| format!("there is no setting {setting}"))?;
        Ok(Self { setting, value })
    }
}

impl From<SettingBefore> for (u8, Option<Value>) {
    fn from(SettingBefore { setting, value }: SettingBefore) -> Self {
        (setting as u8, value)
    }
}

/// What one row changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowChanges(pub RowId, pub Channel, pub Vec<SettingBefore>);

/// What an import did to a user. This is held in memory for every user that changed: so its names are short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserConfigEffects {
    /// What rows changed, also those that did not end well. A setting that several rows name is in one's only.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<RowChanges>,
    /// What may have been changed, and cannot be seen; each channel once.
    #[serde(rename = "u", skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<(Channel, Vec<SettingBefore>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_short_and_read_back() {
        let before = |setting, value| SettingBefore { setting, value };
        let changed = vec![
            before(Setting::AutoAccept, Some(Value::Switch(false))),
            before(Setting::AfterContactWorkSeconds, Some(Value::Seconds(30))),
            before(Setting::PhoneNumber, None),
        ];
        let effects = UserConfigEffects {
            changed: vec![RowChanges(RowId(7), Channel::Voice, changed)],
            unseen: vec![(Channel::Chat, vec![before(Setting::PhoneType, Some(Value::text("SOFT_PHONE")))])],
        };
        let json = serde_json::to_string(&effects).unwrap();
        let expected = r#"{"c":[[7,"VOICE",[[0,false],[2,30],[5,null]]]],"u":[["CHAT",[[4,"SOFT_PHONE"]]]]}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<UserConfigEffects>(&json).unwrap(), effects);
        assert_eq!(serde_json::to_string(&UserConfigEffects::default()).unwrap(), "{}");
        assert!(serde_json::from_str::<SettingBefore>("[8,true]").is_err());
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
