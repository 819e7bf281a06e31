//! A user's settings per channel.

use serde::{Deserialize, Serialize};

/// The channels of the service model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Channel {
    /// Calls.
    Voice,
    /// Chats.
    Chat,
    /// Tasks.
    Task,
    /// E-mails.
    Email,
}

/// What kind of phone an agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhoneType {
    /// In the browser.
    SoftPhone,
    /// On the desk; it has a number.
    DeskPhone,
}

/// What is done to an agent's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VoiceEnhancementMode {
    /// Other voices are taken out.
    VoiceIsolation,
    /// Noise is taken out.
    NoiseSuppression,
    /// Nothing.
    None,
}

/// Whether contacts of a channel are accepted by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AutoAcceptConfig {
    /// The channel.
    pub channel: Channel,
    /// Whether they are.
    pub auto_accept: bool,
    /// The same for callbacks that ring the agent first; VOICE only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_first_callback_auto_accept: Option<bool>,
}

/// How long after contact work may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AfterContactWorkConfig {
    /// Seconds; 0 is for ever.
    pub after_contact_work_time_limit: u32,
}

/// How long after contact work may take on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AfterContactWorkConfigPerChannel {
    /// The channel.
    pub channel: Channel,
    /// How long.
    pub after_contact_work_config: AfterContactWorkConfig,
    /// The same for callbacks that ring the agent first; VOICE only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_first_callback_after_contact_work_config: Option<AfterContactWorkConfig>,
}

/// Which phone an agent has; VOICE only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PhoneNumberConfig {
    /// The channel.
    pub channel: Channel,
    /// The kind of phone.
    pub phone_type: PhoneType,
    /// The number, in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
}

/// Whether the connection stays open between calls; VOICE only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PersistentConnectionConfig {
    /// The channel.
    pub channel: Channel,
    /// Whether it does.
    pub persistent_connection: bool,
}

/// What is done to an agent's voice; VOICE only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct VoiceEnhancementConfig {
    /// The channel.
    pub channel: Channel,
    /// What.
    pub voice_enhancement_mode: VoiceEnhancementMode,
}

/// All settings of a user, in Connect's own form: a list for each kind of setting, an item for each channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct UserConfig {
    /// See [`AutoAcceptConfig`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auto_accept_configs: Vec<AutoAcceptConfig>,
    /// See [`AfterContactWorkConfigPerChannel`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after_contact_work_configs: Vec<AfterContactWorkConfigPerChannel>,
    /// See [`PhoneNumberConfig`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phone_number_configs: Vec<PhoneNumberConfig>,
    /// See [`PersistentConnectionConfig`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub persistent_connection_configs: Vec<PersistentConnectionConfig>,
    /// See [`VoiceEnhancementConfig`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub voice_enhancement_configs: Vec<VoiceEnhancementConfig>,
}
