//! An instance as a JSON file, for the binary.

use serde::Deserialize;

use super::{
    instance::{DEFAULT_MAX_PROFICIENCIES, Instance},
    user_config::UserConfig,
};

/// An instance as written in a file:
///
/// ```json
/// {
///   "id": "11111111-2222-3333-4444-555555555555",
///   "attributes": [{"name": "Product", "values": ["Phone", "Tablet"]}],
///   "users": [{"id": "user-1", "username": "jdoe", "proficiencies": [["Product", "Phone", 3]],
///              "config": {"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": true}]}}]
/// }
/// ```
///
/// A user's `config` is in the form in which `DescribeUser` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceFile {
    id: String,
    #[serde(default = "default_max_proficiencies")]
    max_proficiencies: usize,
    #[serde(default)]
    attributes: Vec<AttributeEntry>,
    #[serde(default)]
    users: Vec<UserEntry>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeEntry {
    name: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    id: String,
    username: String,
    #[serde(default)]
    proficiencies: Vec<(String, String, f32)>,
    #[serde(default)]
    config: UserConfig,
}

impl From<InstanceFile> for Instance {
    fn from(file: InstanceFile) -> Self {
        let mut instance = Self::new(file.id).with_max_proficiencies(file.max_proficiencies);
        for attribute in file.attributes {
            instance.add_attribute(attribute.name, attribute.values);
        }
        for user in file.users {
            instance.add_user(&user.id, user.username, user.proficiencies);
            instance.set_config(&user.id, user.config);
        }
        instance
    }
}

fn default_max_proficiencies() -> usize {
    DEFAULT_MAX_PROFICIENCIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::user_config::{AutoAcceptConfig, Channel};

    #[test]
    fn a_file_becomes_an_instance() {
        let text = r#"{
            "id": "i",
            "max_proficiencies": 3,
            "attributes": [{"name": "Product", "values": ["Phone", "Tablet"]}],
            "users": [{"id": "u", "username": "jdoe", "proficiencies": [["Product", "Phone", 3]],
                       "config": {"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": true}]}}]
        }"#;
        let file: InstanceFile = serde_json::from_str(text).expect("an instance");
        let chat =
            AutoAcceptConfig { channel: Channel::Chat, auto_accept: true, agent_first_callback_auto_accept: None };
        let expected = Instance::new("i")
            .with_max_proficiencies(3)
            .with_attribute("Product", ["Phone", "Tablet"])
            .with_user("u", "jdoe", [("Product", "Phone", 3.0)])
            .with_config("u", UserConfig { auto_accept_configs: vec![chat], ..UserConfig::default() });
        assert_eq!(Instance::from(file), expected);
    }
}
