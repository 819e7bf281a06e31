//! The write that changes a user's settings per channel.

use std::time::Duration;

use super::{
    instance::{Instance, no_user},
    user_config::{
        AfterContactWorkConfigPerChannel, AutoAcceptConfig, Channel, PersistentConnectionConfig, PhoneNumberConfig,
        PhoneType, VoiceEnhancementConfig,
    },
};
use crate::{
    error::ApiError,
    switches::{ConfigLists, EmptyCall, MissingTimeLimit, Switches},
};

/// One write: the lists that it sends. What a list that is not sent holds stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ConfigUpdate {
    pub(crate) auto_accept: Option<Vec<AutoAcceptConfig>>,
    pub(crate) after_contact_work: Option<Vec<AfterContactWorkConfigPerChannel>>,
    /// The limits of `after_contact_work` that were sent without their number; it has 0 in their place.
    pub(crate) missing_limits: Vec<MissingLimit>,
    pub(crate) phone_number: Option<Vec<PhoneNumberConfig>>,
    pub(crate) persistent_connection: Option<Vec<PersistentConnectionConfig>>,
    pub(crate) voice_enhancement: Option<Vec<VoiceEnhancementConfig>>,
}

/// A time limit that was sent without its number, on this channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingLimit {
    /// The channel's own.
    Own(Channel),
    /// The one for callbacks that ring the agent first.
    AgentFirst(Channel),
}

impl Instance {
    /// Changes settings of a user: all that is sent, or nothing if any of it is against a rule.
    pub(crate) fn update_config(
        &mut self,
        user_id: &str,
        update: ConfigUpdate,
        switches: &Switches,
        now: Duration,
    ) -> Result<(), ApiError> {
        let user = self.users.get_mut(user_id).ok_or_else(|| no_user(user_id))?;
        update.check(switches)?;
        let (before, how) = (user.config.clone(), switches.config_lists);
        let config = &mut user.config;
        put(&mut config.auto_accept_configs, update.auto_accept, how);
        put(&mut config.after_contact_work_configs, update.after_contact_work, how);
        if switches.missing_time_limit == MissingTimeLimit::Unset {
            let unset = |limit: MissingLimit| limit.unset(&mut config.after_contact_work_configs);
            update.missing_limits.into_iter().for_each(unset);
        }
        put(&mut config.phone_number_configs, update.phone_number, how);
        put(&mut config.persistent_connection_configs, update.persistent_connection, how);
        put(&mut config.voice_enhancement_configs, update.voice_enhancement, how);
        if user.config != before {
            user.config_modified = now;
        }
        Ok(())
    }
}

impl ConfigUpdate {
    /// The rules that the model says in words: what is for VOICE only, and that a desk phone has a number.
    fn check(&self, switches: &Switches) -> Result<(), ApiError> {
        if *self == Self::default() && switches.empty_call == EmptyCall::Error {
            return Err(switches.refuse("No settings are given."));
        }
        if !self.missing_limits.is_empty() && switches.missing_time_limit == MissingTimeLimit::Refused {
            return Err(ApiError::invalid_parameter("AfterContactWorkTimeLimit is missing."));
        }
        let complaints = [
            channel_twice(self.auto_accept.as_deref()),
            channel_twice(self.after_contact_work.as_deref()),
            not_voice(self.phone_number.as_deref()).or_else(|| channel_twice(self.phone_number.as_deref())),
            not_voice(self.persistent_connection.as_deref())
                .or_else(|| channel_twice(self.persistent_connection.as_deref())),
            not_voice(self.voice_enhancement.as_deref()).or_else(|| channel_twice(self.voice_enhancement.as_deref())),
            self.auto_accept.iter().flatten().find_map(AutoAcceptConfig::complaint),
            self.after_contact_work.iter().flatten().find_map(AfterContactWorkConfigPerChannel::complaint),
            self.phone_number.iter().flatten().find_map(PhoneNumberConfig::complaint),
        ];
        match complaints.into_iter().flatten().next() {
            Some(complaint) => Err(switches.refuse(complaint)),
            None => Ok(()),
        }
    }
}

impl MissingLimit {
    /// Takes the setting away.
    fn unset(self, held: &mut Vec<AfterContactWorkConfigPerChannel>) {
        match self {
            Self::Own(channel) => held.retain(|item| item.channel != channel),
            Self::AgentFirst(channel) => {
                for item in held.iter_mut().filter(|item| item.channel == channel) {
                    item.agent_first_callback_after_contact_work_config = None;
                }
            }
        }
    }
}

impl AutoAcceptConfig {
    fn complaint(&self) -> Option<String> {
        let is_wrong = self.agent_first_callback_auto_accept.is_some() && self.channel != Channel::Voice;
        is_wrong.then(|| "AgentFirstCallbackAutoAccept is supported for VOICE only.".to_owned())
    }
}

impl AfterContactWorkConfigPerChannel {
    fn complaint(&self) -> Option<String> {
        let is_wrong = self.agent_first_callback_after_contact_work_config.is_some() && self.channel != Channel::Voice;
        is_wrong.then(|| "AgentFirstCallbackAfterContactWorkConfig is supported for VOICE only.".to_owned())
    }
}

impl PhoneNumberConfig {
    fn complaint(&self) -> Option<String> {
        let is_wrong = self.phone_type == PhoneType::DeskPhone && self.phone_number.is_none();
        is_wrong.then(|| "A desk phone needs a phone number.".to_owned())
    }
}

fn not_voice<T: Item>(list: Option<&[T]>) -> Option<String> {
    let other = list?.iter().find(|item| item.channel() != Channel::Voice)?;
    Some(format!("{} is supported for VOICE only, not for {:?}.", T::NAME, other.channel()))
}

fn channel_twice<T: Item>(list: Option<&[T]>) -> Option<String> {
    let list = list?;
    let is_twice = |(n, item): (usize, &T)| list[..n].iter().any(|other| other.channel() == item.channel());
    list.iter().enumerate().any(is_twice).then(|| format!("{} names a channel twice.", T::NAME))
}

/// An item of a list that has at most one for each channel.
trait Item: Sized {
    const NAME: &'static str;
    fn channel(&self) -> Channel;
    /// Takes over the optional members that this item leaves out.
    fn complete_from(&mut self, _old: &Self) {}
}

impl Item for AutoAcceptConfig {
    const NAME: &'static str = "AutoAcceptConfig";

    fn channel(&self) -> Channel {
        self.channel
    }

    fn complete_from(&mut self, old: &Self) {
        self.agent_first_callback_auto_accept =
            self.agent_first_callback_auto_accept.or(old.agent_first_callback_auto_accept);
    }
}

impl Item for AfterContactWorkConfigPerChannel {
    const NAME: &'static str = "AfterContactWorkConfig";

    fn channel(&self) -> Channel {
        self.channel
    }

    fn complete_from(&mut self, old: &Self) {
        let kept = &mut self.agent_first_callback_after_contact_work_config;
        *kept = kept.take().or_else(|| old.agent_first_callback_after_contact_work_config.clone());
    }
}

impl Item for PhoneNumberConfig {
    const NAME: &'static str = "PhoneNumberConfig";

    fn channel(&self) -> Channel {
        self.channel
    }

    fn complete_from(&mut self, old: &Self) {
        self.phone_number = self.phone_number.take().or_else(|| old.phone_number.clone());
    }
}

impl Item for PersistentConnectionConfig {
    const NAME: &'static str = "PersistentConnectionConfig";

    fn channel(&self) -> Channel {
        self.channel
    }
}

impl Item for VoiceEnhancementConfig {
    const NAME: &'static str = "VoiceEnhancementConfig";

    fn channel(&self) -> Channel {
        self.channel
    }
}

/// Puts what was sent into what is there, as [`ConfigLists`] says.
fn put<T: Item>(held: &mut Vec<T>, sent: Option<Vec<T>>, how: ConfigLists) {
    let Some(sent) = sent else { return };
    if how == ConfigLists::Whole {
        held.clear();
    }
    for mut item in sent {
        match held.iter_mut().find(|old| old.channel() == item.channel()) {
            Some(old) => {
                if how == ConfigLists::ByMember {
                    item.complete_from(old);
                }
                *old = item;
            }
            None => held.push(item),
        }
    }
    held.sort_by_key(T::channel);
}
