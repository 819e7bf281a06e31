//! The predefined attributes of an instance.

use std::collections::BTreeMap;

use crate::{
    error::ApiError,
    switches::{AttributeCase, Switches, UnknownAttribute},
};

/// What the names and values of the system's own attributes begin with.
const SYSTEM_PREFIX: &str = "connect:";

/// Some of the values that `connect:Language` has in every instance.
const LANGUAGES: [&str; 12] = [
    "Arabic",
    "Chinese",
    "Dutch",
    "English",
    "French",
    "German",
    "Hindi",
    "Italian",
    "Japanese",
    "Korean",
    "Portuguese",
    "Spanish",
];

/// Some of the values that `connect:Subtype` has in every instance.
const SUBTYPES: [&str; 4] = ["Chat", "Email", "SMS", "Telephony"];

/// A predefined attribute: the values that a proficiency of this name may have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PredefinedAttribute {
    /// The values, in the order in which they were added.
    pub values: Vec<String>,
}

/// The attributes of an instance, by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attributes(BTreeMap<String, PredefinedAttribute>);

impl Attributes {
    /// The attributes that every instance has.
    pub(super) fn system() -> Self {
        let attribute = |name: &str, values: &[&str]| {
            let values = values.iter().map(|value| format!("{SYSTEM_PREFIX}{value}"));
            let attribute = PredefinedAttribute { values: values.collect() };
            (format!("{SYSTEM_PREFIX}{name}"), attribute)
        };
        Self(BTreeMap::from([attribute("Language", &LANGUAGES), attribute("Subtype", &SUBTYPES)]))
    }

    /// Adds an attribute, or values to one that is there.
    pub(super) fn add(&mut self, name: String, values: impl Iterator<Item = String>) {
        self.0.entry(name).or_default().values.extend(values);
    }

    /// Takes away an attribute, if it is there.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// One attribute by its exact name.
    pub(super) fn get(&self, name: &str) -> Result<&PredefinedAttribute, ApiError> {
        let attribute = self.0.get(name);
        attribute.ok_or_else(|| ApiError::not_found(format!("Predefined attribute not found. Name: {name}")))
    }

    /// The attributes that a search can find: not the system's own, and not those that lag behind.
    pub(super) fn searchable<'a>(
        &'a self,
        switches: &'a Switches,
    ) -> impl Iterator<Item = (&'a String, &'a PredefinedAttribute)> {
        self.0.iter().filter(|(name, _)| !name.starts_with(SYSTEM_PREFIX) && !switches.search_lag.contains(name))
    }

    /// The instance's own spelling of a pair, or the refusal of a pair that it does not have.
    pub(super) fn spelling(&self, name: &str, value: &str, switches: &Switches) -> Result<(String, String), ApiError> {
        let same = |ours: &str, theirs: &str| match switches.attribute_case {
            AttributeCase::Sensitive => ours == theirs,
            AttributeCase::Insensitive => equal_without_case(ours, theirs),
        };
        let mut attributes = self.0.iter();
        let Some((our_name, attribute)) = attributes.find(|(ours, _)| same(ours, name)) else {
            let message = format!("Predefined attribute '{name}' does not exist.");
            return Err(unknown(switches, message));
        };
        let Some(our_value) = attribute.values.iter().find(|ours| same(ours, value)) else {
            let message = format!("Predefined attribute '{name}' has no value '{value}'.");
            return Err(unknown(switches, message));
        };
        Ok((our_name.clone(), our_value.clone()))
    }
}

fn unknown(switches: &Switches, message: String) -> ApiError {
    match switches.unknown_attribute {
        UnknownAttribute::InvalidParameter => ApiError::invalid_parameter(message),
        UnknownAttribute::ResourceNotFound => ApiError::not_found(message),
    }
}

fn equal_without_case(one: &str, other: &str) -> bool {
    let lower = |text: &str| text.to_lowercase();
    one.eq_ignore_ascii_case(other) || lower(one) == lower(other)
}
