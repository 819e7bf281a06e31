//! The state of one instance, apart from how it is asked for.
//!
//! Nothing here waits, fails by chance or knows of HTTP. Times are counted from the emulator's start.

mod attributes;
mod config_update;
mod file;
mod instance;
mod proficiencies;
mod sample;
#[cfg(test)]
mod tests;
mod user_config;

pub(crate) use self::config_update::{ConfigUpdate, MissingLimit};
pub use self::{
    attributes::PredefinedAttribute,
    file::InstanceFile,
    instance::{DEFAULT_MAX_PROFICIENCIES, Instance, ProficiencySet},
    proficiencies::Proficiency,
    user_config::{
        AfterContactWorkConfig, AfterContactWorkConfigPerChannel, AutoAcceptConfig, Channel,
        PersistentConnectionConfig, PhoneNumberConfig, PhoneType, UserConfig, VoiceEnhancementConfig,
        VoiceEnhancementMode,
    },
};
