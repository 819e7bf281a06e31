//! `DescribeUser` and `UpdateUserConfig`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    clock::Clock,
    request::{Received, check_range, invalid_member, required},
};
use crate::{
    error::ApiError,
    state::{
        AfterContactWorkConfig, AfterContactWorkConfigPerChannel, AutoAcceptConfig, Channel, ConfigUpdate, Instance,
        MissingLimit, PersistentConnectionConfig, PhoneNumberConfig, PhoneType, VoiceEnhancementConfig,
        VoiceEnhancementMode,
    },
    switches::Switches,
};

/// The longest after contact work, in seconds: the model says it in words.
const MAX_SECONDS: i64 = 2_000_000;

/// The model's pattern of a phone number.
const PHONE_NUMBER: &str = r"\+[1-9]\d{1,14}$";

const CHANNELS: [(&str, Channel); 4] =
    [("VOICE", Channel::Voice), ("CHAT", Channel::Chat), ("TASK", Channel::Task), ("EMAIL", Channel::Email)];
const PHONE_TYPES: [(&str, PhoneType); 2] =
    [("SOFT_PHONE", PhoneType::SoftPhone), ("DESK_PHONE", PhoneType::DeskPhone)];
const VOICE_ENHANCEMENT_MODES: [(&str, VoiceEnhancementMode); 3] = [
    ("VOICE_ISOLATION", VoiceEnhancementMode::VoiceIsolation),
    ("NOISE_SUPPRESSION", VoiceEnhancementMode::NoiseSuppression),
    ("NONE", VoiceEnhancementMode::None),
];

/// The body of a write, unchecked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    auto_accept_configs: Option<Vec<AutoAccept>>,
    after_contact_work_configs: Option<Vec<AfterContactWork>>,
    phone_number_configs: Option<Vec<PhoneNumber>>,
    persistent_connection_configs: Option<Vec<PersistentConnection>>,
    voice_enhancement_configs: Option<Vec<VoiceEnhancement>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AutoAccept {
    channel: Option<String>,
    auto_accept: Option<bool>,
    agent_first_callback_auto_accept: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AfterContactWork {
    channel: Option<String>,
    after_contact_work_config: Option<Limit>,
    agent_first_callback_after_contact_work_config: Option<Limit>,
}

/// The one member is not required by the model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Limit {
    after_contact_work_time_limit: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PhoneNumber {
    channel: Option<String>,
    phone_type: Option<String>,
    phone_number: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PersistentConnection {
    channel: Option<String>,
    persistent_connection: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VoiceEnhancement {
    channel: Option<String>,
    voice_enhancement_mode: Option<String>,
}

/// The user as far as it is known here: who it is, and its settings. Lists that hold nothing are left out.
pub(super) fn describe(received: &Received, instance: &Instance, clock: Clock) -> Result<Value, ApiError> {
    let user_id = received.addressed_user(instance)?;
    let user = instance.user(user_id)?;
    let mut shown = json!({
        "Id": user_id,
        "Arn": instance.user_arn(user_id),
        "Username": user.username,
        "LastModifiedTime": clock.timestamp(user.last_modified.max(user.config_modified)),
        "LastModifiedRegion": instance.region(),
    });
    if let (Some(shown), Ok(Value::Object(lists))) = (shown.as_object_mut(), serde_json::to_value(&user.config)) {
        shown.extend(lists);
    }
    Ok(json!({ "User": shown }))
}

pub(super) fn update(
    received: &Received,
    instance: &mut Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let body: Body = received.body()?;
    let mut missing_limits = Vec::new();
    let update = ConfigUpdate {
        auto_accept: checked(body.auto_accept_configs, "autoAcceptConfigs", AutoAccept::check)?,
        after_contact_work: checked(body.after_contact_work_configs, "afterContactWorkConfigs", |item, path| {
            item.check(path, &mut missing_limits)
        })?,
        missing_limits,
        phone_number: checked(body.phone_number_configs, "phoneNumberConfigs", PhoneNumber::check)?,
        persistent_connection: checked(
            body.persistent_connection_configs,
            "persistentConnectionConfigs",
            PersistentConnection::check,
        )?,
        voice_enhancement: checked(body.voice_enhancement_configs, "voiceEnhancementConfigs", VoiceEnhancement::check)?,
    };
    let user_id = received.addressed_user(instance)?;
    instance.update_config(user_id, update, switches, clock.since_start)?;
    Ok(json!({}))
}

/// The items of one list, each checked; `path` is where an item stands in complaints.
fn checked<T, C>(
    list: Option<Vec<T>>,
    name: &str,
    mut check: impl FnMut(T, &str) -> Result<C, ApiError>,
) -> Result<Option<Vec<C>>, ApiError> {
    let check_nth = |(n, item): (usize, T)| check(item, &format!("{name}.{n}.member"));
    list.map(|items| (1..).zip(items).map(check_nth).collect()).transpose()
}

impl AutoAccept {
    fn check(self, path: &str) -> Result<AutoAcceptConfig, ApiError> {
        Ok(AutoAcceptConfig {
            channel: channel(self.channel, path)?,
            auto_accept: required(self.auto_accept, &format!("{path}.autoAccept"))?,
            agent_first_callback_auto_accept: self.agent_first_callback_auto_accept,
        })
    }
}

impl AfterContactWork {
    /// The limits that lack their number are added to `missing_limits`.
    fn check(
        self,
        path: &str,
        missing_limits: &mut Vec<MissingLimit>,
    ) -> Result<AfterContactWorkConfigPerChannel, ApiError> {
        let channel = channel(self.channel, path)?;
        let own = format!("{path}.afterContactWorkConfig");
        let own_limit = required(self.after_contact_work_config, &own)?;
        let agent_first = format!("{path}.agentFirstCallbackAfterContactWorkConfig");
        let agent_first_limit = self.agent_first_callback_after_contact_work_config;
        if own_limit.is_missing() {
            missing_limits.push(MissingLimit::Own(channel));
        }
        if agent_first_limit.as_ref().is_some_and(Limit::is_missing) {
            missing_limits.push(MissingLimit::AgentFirst(channel));
        }
        Ok(AfterContactWorkConfigPerChannel {
            channel,
            after_contact_work_config: own_limit.check(&own)?,
            agent_first_callback_after_contact_work_config: agent_first_limit
                .map(|limit| limit.check(&agent_first))
                .transpose()?,
        })
    }
}

impl Limit {
    fn is_missing(&self) -> bool {
        self.after_contact_work_time_limit.is_none()
    }

    /// A number that is missing is 0 here.
    fn check(&self, path: &str) -> Result<AfterContactWorkConfig, ApiError> {
        let seconds = self.after_contact_work_time_limit.unwrap_or_default();
        check_range(&seconds, &format!("{path}.afterContactWorkTimeLimit"), &(0..=MAX_SECONDS))?;
        let after_contact_work_time_limit = u32::try_from(seconds).unwrap_or_default();
        Ok(AfterContactWorkConfig { after_contact_work_time_limit })
    }
}

impl PhoneNumber {
    fn check(self, path: &str) -> Result<PhoneNumberConfig, ApiError> {
        if let Some(number) = self.phone_number.as_deref().filter(|number| !is_e164(number)) {
            let rule = format!("Member must satisfy regular expression pattern: {PHONE_NUMBER}");
            return Err(invalid_member(&format!("{path}.phoneNumber"), number, &rule));
        }
        Ok(PhoneNumberConfig {
            channel: channel(self.channel, path)?,
            phone_type: word(self.phone_type, &format!("{path}.phoneType"), &PHONE_TYPES)?,
            phone_number: self.phone_number,
        })
    }
}

impl PersistentConnection {
    fn check(self, path: &str) -> Result<PersistentConnectionConfig, ApiError> {
        Ok(PersistentConnectionConfig {
            channel: channel(self.channel, path)?,
            persistent_connection: required(self.persistent_connection, &format!("{path}.persistentConnection"))?,
        })
    }
}

impl VoiceEnhancement {
    fn check(self, path: &str) -> Result<VoiceEnhancementConfig, ApiError> {
        let mode = format!("{path}.voiceEnhancementMode");
        Ok(VoiceEnhancementConfig {
            channel: channel(self.channel, path)?,
            voice_enhancement_mode: word(self.voice_enhancement_mode, &mode, &VOICE_ENHANCEMENT_MODES)?,
        })
    }
}

/// Whether a number is as [`PHONE_NUMBER`] says.
fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

fn channel(given: Option<String>, path: &str) -> Result<Channel, ApiError> {
    word(given, &format!("{path}.channel"), &CHANNELS)
}

/// A required member that is one of an enum's words.
fn word<T: Copy>(given: Option<String>, path: &str, words: &[(&str, T)]) -> Result<T, ApiError> {
    let given = required(given, path)?;
    let found = words.iter().find(|(word, _)| *word == given);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        invalid_member(path, &given, &format!("Member must satisfy enum value set: [{}]", names.join(", ")))
    })
}
