//! A user's settings per channel, in our words: one value for each channel and setting that is there.
//!
//! On the wire they are five lists with an item for each channel; [`List`] names the list of each setting.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A channel of contacts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Channel {
    /// Calls.
    Voice,
    /// Chats.
    Chat,
    /// Tasks.
    Task,
    /// E-mails.
    Email,
    /// One that the service has and this program does not know: it is sent back as it came.
    Other(Arc<str>),
}

impl Channel {
    /// The channels of the service model, which a file may name.
    pub const ALL: [Self; 4] = [Self::Voice, Self::Chat, Self::Task, Self::Email];

    /// The name as Connect spells it.
    pub fn name(&self) -> &str {
        match self {
            Self::Voice => "VOICE",
            Self::Chat => "CHAT",
            Self::Task => "TASK",
            Self::Email => "EMAIL",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for Channel {
    fn from(name: String) -> Self {
        let known = Self::ALL.into_iter().find(|channel| channel.name() == name);
        known.unwrap_or_else(|| Self::Other(name.into()))
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> Self {
        channel.name().to_owned()
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A setting that a channel may have; its name is the file's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Setting {
    /// Whether contacts are accepted automatically.
    AutoAccept,
    /// The same for callbacks that ring the agent first.
    AgentFirstCallbackAutoAccept,
    /// How long after contact work may take, in seconds; 0 is without end.
    AfterContactWorkSeconds,
    /// The same for callbacks that ring the agent first.
    AgentFirstCallbackAfterContactWorkSeconds,
    /// `SOFT_PHONE` or `DESK_PHONE`.
    PhoneType,
    /// The desk phone's number, in E.164.
    PhoneNumber,
    /// Whether the connection stays open between calls.
    PersistentConnection,
    /// `VOICE_ISOLATION`, `NOISE_SUPPRESSION` or `NONE`.
    VoiceEnhancementMode,
}

impl Setting {
    /// All settings, in the order of the file's columns.
    pub const ALL: [Self; 8] = [
        Self::AutoAccept,
        Self::AgentFirstCallbackAutoAccept,
        Self::AfterContactWorkSeconds,
        Self::AgentFirstCallbackAfterContactWorkSeconds,
        Self::PhoneType,
        Self::PhoneNumber,
        Self::PersistentConnection,
        Self::VoiceEnhancementMode,
    ];

    /// The name of the file's column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AutoAccept => "auto_accept",
            Self::AgentFirstCallbackAutoAccept => "agent_first_callback_auto_accept",
            Self::AfterContactWorkSeconds => "after_contact_work_seconds",
            Self::AgentFirstCallbackAfterContactWorkSeconds => "agent_first_callback_after_contact_work_seconds",
            Self::PhoneType => "phone_type",
            Self::PhoneNumber => "phone_number",
            Self::PersistentConnection => "persistent_connection",
            Self::VoiceEnhancementMode => "voice_enhancement_mode",
        }
    }

    /// The list on the wire that holds it.
    pub const fn list(self) -> List {
        match self {
            Self::AutoAccept | Self::AgentFirstCallbackAutoAccept => List::AutoAccept,
            Self::AfterContactWorkSeconds | Self::AgentFirstCallbackAfterContactWorkSeconds => List::AfterContactWork,
            Self::PhoneType | Self::PhoneNumber => List::PhoneNumber,
            Self::PersistentConnection => List::PersistentConnection,
            Self::VoiceEnhancementMode => List::VoiceEnhancement,
        }
    }

    /// The setting that a channel with this one must have too. These are the required members of the lists' items in the
    /// service model.
    pub const fn needs(self) -> Option<Self> {
        match self {
            Self::AgentFirstCallbackAutoAccept => Some(Self::AutoAccept),
            Self::AgentFirstCallbackAfterContactWorkSeconds => Some(Self::AfterContactWorkSeconds),
            Self::PhoneNumber => Some(Self::PhoneType),
            _ => None,
        }
    }

    /// Whether the service model allows it for `VOICE` only.
    pub const fn is_voice_only(self) -> bool {
        !matches!(self, Self::AutoAccept | Self::AfterContactWorkSeconds)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A list of `UpdateUserConfig` and `DescribeUser`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    /// `AutoAcceptConfigs`.
    AutoAccept,
    /// `AfterContactWorkConfigs`.
    AfterContactWork,
    /// `PhoneNumberConfigs`.
    PhoneNumber,
    /// `PersistentConnectionConfigs`.
    PersistentConnection,
    /// `VoiceEnhancementConfigs`.
    VoiceEnhancement,
}

/// What a setting is set to. The setting decides which of the three it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A time, in seconds.
    Seconds(u32),
    /// One of Connect's words, or a phone number, as the service spells it.
    Text(Arc<str>),
}

impl Value {
    /// A word, or a phone number.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// As a file has it: `yes`, `30`, `SOFT_PHONE`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(true) => f.write_str("yes"),
            Self::Switch(false) => f.write_str("no"),
            Self::Seconds(seconds) => seconds.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What identifies a setting of a user, who has each at most once for each channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelSetting {
    /// Which channel.
    pub channel: Channel,
    /// Which of its settings.
    pub setting: Setting,
}

impl ChannelSetting {
    /// The setting of that channel.
    pub fn of(channel: &Channel, setting: Setting) -> Self {
        Self { channel: channel.clone(), setting }
    }
}

/// The settings that one user has. Those that it does not have are left out.
pub(crate) type UserConfig = BTreeMap<ChannelSetting, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_reads_back() {
        let said = [
            (Channel::Voice, Setting::AutoAccept, Value::Switch(true)),
            (Channel::Chat, Setting::AfterContactWorkSeconds, Value::Seconds(0)),
            (Channel::Other("FAX".into()), Setting::PhoneNumber, Value::text("+4930901820")),
        ];
        let json = serde_json::to_string(&said).unwrap();
        assert_eq!(
            json,
            r#"[["VOICE","auto_accept",true],["CHAT","after_contact_work_seconds",0],["FAX","phone_number","+4930901820"]]"#
        );
        assert_eq!(serde_json::from_str::<[(Channel, Setting, Value); 3]>(&json).unwrap(), said);
    }

    #[test]
    fn a_setting_is_where_it_stands_among_all() {
        for (place, setting) in Setting::ALL.into_iter().enumerate() {
            assert_eq!(setting as usize, place);
            assert_eq!(serde_json::to_string(&setting).unwrap(), format!("\"{}\"", setting.name()));
            assert_eq!(setting.needs().map_or(setting.list(), Setting::list), setting.list());
        }
    }
}
