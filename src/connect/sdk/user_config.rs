//! Settings per channel, to and from the lists of the SDK.

use std::collections::BTreeSet;

use aws_sdk_connect::types::{
    AfterContactWorkConfig, AfterContactWorkConfigPerChannel, AutoAcceptConfig, PersistentConnectionConfig,
    PhoneNumberConfig, User, VoiceEnhancementConfig,
};
use aws_smithy_types::error::operation::BuildError;

use crate::connect::error::ConnectError;
use crate::connect::operation::Operation;
use crate::connect::user_config::{Channel, ChannelSetting, List, Setting, UserConfig, Value};

/// The settings of a user, complete or an error. An empty phone number is none.
pub(super) fn from_wire(user: User) -> Result<UserConfig, ConnectError> {
    let mut held = UserConfig::new();
    for item in user.auto_accept_configs.unwrap_or_default() {
        let channel = channel(item.channel.as_str())?;
        put(&mut held, &channel, Setting::AutoAccept, Some(Value::Switch(item.auto_accept)));
        let agent_first = item.agent_first_callback_auto_accept.map(Value::Switch);
        put(&mut held, &channel, Setting::AgentFirstCallbackAutoAccept, agent_first);
    }
    for item in user.after_contact_work_configs.unwrap_or_default() {
        let channel = channel(item.channel.as_str())?;
        let limit = item.after_contact_work_config.as_ref().map(seconds).transpose()?;
        put(&mut held, &channel, Setting::AfterContactWorkSeconds, limit);
        let agent_first = item.agent_first_callback_after_contact_work_config.as_ref().map(seconds).transpose()?;
        put(&mut held, &channel, Setting::AgentFirstCallbackAfterContactWorkSeconds, agent_first);
    }
    for item in user.phone_number_configs.unwrap_or_default() {
        let channel = channel(item.channel.as_str())?;
        put(&mut held, &channel, Setting::PhoneType, Some(Value::text(word(item.phone_type.as_str())?)));
        let number = item.phone_number.filter(|number| !number.is_empty());
        put(&mut held, &channel, Setting::PhoneNumber, number.map(|number| Value::text(&number)));
    }
    for item in user.persistent_connection_configs.unwrap_or_default() {
        let channel = channel(item.channel.as_str())?;
        put(&mut held, &channel, Setting::PersistentConnection, Some(Value::Switch(item.persistent_connection)));
    }
    for item in user.voice_enhancement_configs.unwrap_or_default() {
        let channel = channel(item.channel.as_str())?;
        let mode = Value::text(word(item.voice_enhancement_mode.as_str())?);
        put(&mut held, &channel, Setting::VoiceEnhancementMode, Some(mode));
    }
    Ok(held)
}

fn put(held: &mut UserConfig, channel: &Channel, setting: Setting, value: Option<Value>) {
    if let Some(value) = value {
        held.insert(ChannelSetting::of(channel, setting), value);
    }
}

fn channel(name: &str) -> Result<Channel, ConnectError> {
    word(name).map(|name| Channel::from(name.to_owned()))
}

/// One of Connect's words, known to us or not.
fn word(word: &str) -> Result<&str, ConnectError> {
    // Where a member is missing, the SDK puts "no value was set".
    let is_word = !word.is_empty() && !word.contains(' ');
    if is_word { Ok(word) } else { Err(incomplete(&format!("settings in which '{word}' stands for a word"))) }
}

fn seconds(limit: &AfterContactWorkConfig) -> Result<Value, ConnectError> {
    let seconds = u32::try_from(limit.after_contact_work_time_limit);
    seconds.map(Value::Seconds).map_err(|_| incomplete("a negative time of after contact work"))
}

fn incomplete(what: &str) -> ConnectError {
    ConnectError::incomplete(Operation::DescribeUser, what)
}

/// The lists of one write. A list without a setting is left out.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) auto_accept: Option<Vec<AutoAcceptConfig>>,
    pub(super) after_contact_work: Option<Vec<AfterContactWorkConfigPerChannel>>,
    pub(super) phone_number: Option<Vec<PhoneNumberConfig>>,
    pub(super) persistent_connection: Option<Vec<PersistentConnectionConfig>>,
    pub(super) voice_enhancement: Option<Vec<VoiceEnhancementConfig>>,
}

impl Lists {
    /// The settings as lists. If a setting lacks the one that it needs, that is an error; nothing is filled up with a default.
    pub(super) fn of(settings: &UserConfig) -> Result<Self, BuildError> {
        let settings = ChannelSettings(settings);
        Ok(Self {
            auto_accept: settings.list(List::AutoAccept, |channel| {
                let item = AutoAcceptConfig::builder().channel(channel.name().into());
                let agent_first = settings.switch(channel, Setting::AgentFirstCallbackAutoAccept);
                let auto_accept = needed(settings.switch(channel, Setting::AutoAccept), "auto_accept")?;
                item.auto_accept(auto_accept).set_agent_first_callback_auto_accept(agent_first).build()
            })?,
            after_contact_work: settings.list(List::AfterContactWork, |channel| {
                let item = AfterContactWorkConfigPerChannel::builder().channel(channel.name().into());
                let own = needed(settings.limit(channel, Setting::AfterContactWorkSeconds), "after_contact_work")?;
                let agent_first = settings.limit(channel, Setting::AgentFirstCallbackAfterContactWorkSeconds);
                let item = item.after_contact_work_config(own);
                item.set_agent_first_callback_after_contact_work_config(agent_first).build()
            })?,
            phone_number: settings.list(List::PhoneNumber, |channel| {
                let item = PhoneNumberConfig::builder().channel(channel.name().into());
                let phone_type = settings.text(channel, Setting::PhoneType).map(Into::into);
                let number = settings.text(channel, Setting::PhoneNumber).map(str::to_owned);
                item.set_phone_type(phone_type).set_phone_number(number).build()
            })?,
            persistent_connection: settings.list(List::PersistentConnection, |channel| {
                let item = PersistentConnectionConfig::builder().channel(channel.name().into());
                let is_on = settings.switch(channel, Setting::PersistentConnection);
                item.set_persistent_connection(is_on).build()
            })?,
            voice_enhancement: settings.list(List::VoiceEnhancement, |channel| {
                let item = VoiceEnhancementConfig::builder().channel(channel.name().into());
                let mode = settings.text(channel, Setting::VoiceEnhancementMode).map(Into::into);
                item.set_voice_enhancement_mode(mode).build()
            })?,
        })
    }
}

/// The body of a write with the limits that the SDK leaves out: it does not write a time limit that is 0
/// (`ser_after_contact_work_config`), and the documents do not say what the service makes of a configuration without one.
pub(super) fn with_limits_of_zero(body: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut body: serde_json::Value = serde_json::from_slice(body)?;
    let items = body.get_mut("AfterContactWorkConfigs").and_then(serde_json::Value::as_array_mut);
    for item in items.into_iter().flatten() {
        for member in ["AfterContactWorkConfig", "AgentFirstCallbackAfterContactWorkConfig"] {
            if let Some(limit) = item.get_mut(member).and_then(serde_json::Value::as_object_mut) {
                limit.entry("AfterContactWorkTimeLimit").or_insert_with(|| 0.into());
            }
        }
    }
    serde_json::to_vec(&body)
}

fn needed<T>(member: Option<T>, name: &'static str) -> Result<T, BuildError> {
    member.ok_or_else(|| BuildError::missing_field(name, "another setting of the channel needs it"))
}

/// Settings, read by their type.
struct ChannelSettings<'s>(&'s UserConfig);

impl ChannelSettings<'_> {
    /// An item for each channel that has a setting of the list. No list if no channel has one.
    fn list<T>(
        &self,
        list: List,
        item: impl Fn(&Channel) -> Result<T, BuildError>,
    ) -> Result<Option<Vec<T>>, BuildError> {
        let of_list = self.0.keys().filter(|key| key.setting.list() == list);
        let channels: BTreeSet<_> = of_list.map(|key| &key.channel).collect();
        if channels.is_empty() {
            return Ok(None);
        }
        channels.into_iter().map(item).collect::<Result<_, _>>().map(Some)
    }

    fn get(&self, channel: &Channel, setting: Setting) -> Option<&Value> {
        self.0.get(&ChannelSetting::of(channel, setting))
    }

    fn switch(&self, channel: &Channel, setting: Setting) -> Option<bool> {
        match self.get(channel, setting) {
            Some(Value::Switch(is_on)) => Some(*is_on),
            _ => None,
        }
    }

    fn limit(&self, channel: &Channel, setting: Setting) -> Option<AfterContactWorkConfig> {
        let Some(Value::Seconds(seconds)) = self.get(channel, setting) else { return None };
        let seconds = i32::try_from(*seconds).ok()?;
        Some(AfterContactWorkConfig::builder().after_contact_work_time_limit(seconds).build())
    }

    fn text(&self, channel: &Channel, setting: Setting) -> Option<&str> {
        match self.get(channel, setting) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(lists: Lists) -> User {
        User::builder()
            .set_auto_accept_configs(lists.auto_accept)
            .set_after_contact_work_configs(lists.after_contact_work)
            .set_phone_number_configs(lists.phone_number)
            .set_persistent_connection_configs(lists.persistent_connection)
            .set_voice_enhancement_configs(lists.voice_enhancement)
            .build()
    }

    fn settings(settings: &[(Channel, Setting, Value)]) -> UserConfig {
        let one = |(channel, setting, value): &(Channel, Setting, Value)| {
            (ChannelSetting::of(channel, *setting), value.clone())
        };
        settings.iter().map(one).collect()
    }

    #[test]
    fn settings_go_to_lists_and_come_back() {
        let fax = Channel::Other("FAX".into());
        let whole = settings(&[
            (Channel::Voice, Setting::AutoAccept, Value::Switch(true)),
            (Channel::Voice, Setting::AgentFirstCallbackAutoAccept, Value::Switch(false)),
            (Channel::Chat, Setting::AutoAccept, Value::Switch(false)),
            (fax.clone(), Setting::AutoAccept, Value::Switch(true)),
            (Channel::Email, Setting::AfterContactWorkSeconds, Value::Seconds(0)),
            (Channel::Voice, Setting::AfterContactWorkSeconds, Value::Seconds(30)),
            (Channel::Voice, Setting::AgentFirstCallbackAfterContactWorkSeconds, Value::Seconds(2_000_000)),
            (Channel::Voice, Setting::PhoneType, Value::text("DESK_PHONE")),
            (Channel::Voice, Setting::PhoneNumber, Value::text("+4930901820")),
            (Channel::Voice, Setting::PersistentConnection, Value::Switch(false)),
            (Channel::Voice, Setting::VoiceEnhancementMode, Value::text("A_NEW_MODE")),
        ]);
        assert_eq!(from_wire(user(Lists::of(&whole).unwrap())).unwrap(), whole);
    }

    #[test]
    fn a_list_without_a_setting_is_left_out() {
        let lists = Lists::of(&settings(&[(Channel::Chat, Setting::AutoAccept, Value::Switch(false))])).unwrap();
        assert_eq!(lists.auto_accept.map(|list| list.len()), Some(1));
        assert!(lists.after_contact_work.is_none() && lists.phone_number.is_none());
        assert!(lists.persistent_connection.is_none() && lists.voice_enhancement.is_none());
    }

    #[test]
    fn nothing_is_filled_up_with_a_default() {
        for setting in Setting::ALL.into_iter().filter(|setting| setting.needs().is_some()) {
            let value = match setting {
                Setting::PhoneNumber => Value::text("+4930901820"),
                Setting::AgentFirstCallbackAutoAccept => Value::Switch(true),
                _ => Value::Seconds(30),
            };
            assert!(Lists::of(&settings(&[(Channel::Voice, setting, value)])).is_err(), "{setting}");
        }
    }

    #[test]
    fn an_answer_that_lacks_a_channel_is_an_error() {
        let item = AutoAcceptConfig::builder().channel("no value was set".into()).auto_accept(true).build().unwrap();
        let error = from_wire(User::builder().auto_accept_configs(item).build()).unwrap_err();
        assert_eq!(error.code, "IncompleteAnswer");
    }

    #[test]
    fn an_empty_number_is_none() {
        let item = PhoneNumberConfig::builder().channel("VOICE".into()).phone_type("SOFT_PHONE".into());
        let held = from_wire(User::builder().phone_number_configs(item.phone_number("").build().unwrap()).build());
        assert_eq!(held.unwrap(), settings(&[(Channel::Voice, Setting::PhoneType, Value::text("SOFT_PHONE"))]));
    }
}
