//! The instance's predefined attributes: the file's spelling to the instance's own. Complete, or an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::connect::{Connect, ConnectError, ErrorKind, PredefinedAttribute};
use super::suggest::{Suggester, did_you_mean};

/// Names and values with this beginning are the system's. The search does not list them; the service judges them.
const SYSTEM: &str = "connect:";
/// So many attributes that the search does not show are asked for one by one; past that the search's word counts.
const MAX_ASKED: usize = 100;

/// What the instance knows of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Both, in the instance's spelling.
    Known {
        /// The attribute's name.
        attribute: Arc<str>,
        /// The value.
        value: Arc<str>,
    },
    /// There is no such attribute.
    UnknownAttribute,
    /// The attribute has no such value.
    UnknownValue,
    /// The service did not say: its code and a sentence.
    Unread(String, String),
}

/// The predefined attributes, by name and value without regard to case: names are unique so in an instance.
#[derive(Debug, Default)]
pub struct Catalog {
    attributes: BTreeMap<String, Attribute>,
    /// Names that the search does not show and that could not be asked for.
    unread: BTreeMap<String, (String, String)>,
    suggester: Suggester,
}

#[derive(Debug)]
struct Attribute {
    name: Arc<str>,
    values: BTreeMap<String, Arc<str>>,
    suggester: Suggester,
}

impl Catalog {
    /// Reads the catalogue, and asks by name for what the file names and the search, which lags, does not show.
    pub async fn read(connect: &Connect, wanted: &[(&str, &str)]) -> Result<Self, ConnectError> {
        let mut catalog = Self::default();
        connect.search_predefined_attributes().await?.into_iter().for_each(|attribute| catalog.add(attribute));
        let missed =
            wanted.iter().filter(|(attribute, value)| !matches!(catalog.find(attribute, value), Match::Known { .. }));
        let names: BTreeSet<String> = missed.map(|(attribute, _)| catalog.spelling(attribute)).collect();
        for name in names.into_iter().take(MAX_ASKED) {
            match connect.describe_predefined_attribute(&name).await {
                Ok(Some(attribute)) => catalog.add(attribute),
                Ok(None) => {}
                Err(error) if error.stops_import || error.kind == ErrorKind::NotSent => return Err(error),
                // That it is there or not is known of the others: only rows of this name have to fail.
                Err(error) => _ = catalog.unread.insert(name.to_lowercase(), (error.code.clone(), error.user_message())),
            }
        }
        catalog.suggester = Suggester::new(catalog.attributes.values().map(|attribute| attribute.name.to_string()));
        Ok(catalog)
    }

    fn add(&mut self, attribute: PredefinedAttribute) {
        let values = attribute.values.iter().map(|value| (value.to_lowercase(), value.as_str().into())).collect();
        let suggester = Suggester::new(attribute.values);
        let known = Attribute { name: attribute.name.as_str().into(), values, suggester };
        self.attributes.insert(attribute.name.to_lowercase(), known);
    }

    /// What the instance knows of a pair in the file's spelling.
    pub fn find(&self, attribute: &str, value: &str) -> Match {
        let known = self.attributes.get(&attribute.to_lowercase());
        let unread = self.unread.get(&attribute.to_lowercase());
        let missing = |how| unread.map_or(how, |(code, sentence)| Match::Unread(code.clone(), sentence.clone()));
        match known {
            _ if is_system(attribute) => Match::Known { attribute: attribute.into(), value: value.into() },
            None => missing(Match::UnknownAttribute),
            Some(known) if is_system(value) => Match::Known { attribute: known.name.clone(), value: value.into() },
            Some(known) => match known.values.get(&value.to_lowercase()) {
                Some(value) => Match::Known { attribute: known.name.clone(), value: value.clone() },
                None => missing(Match::UnknownValue),
            },
        }
    }

    fn spelling(&self, attribute: &str) -> String {
        let known = self.attributes.get(&attribute.to_lowercase());
        known.map_or_else(|| attribute.to_owned(), |known| known.name.to_string())
    }

    /// Why the instance does not know a pair.
    pub fn why(&self, attribute: &str, value: &str) -> String {
        let Some(known) = self.attributes.get(&attribute.to_lowercase()) else {
            return match did_you_mean(self.suggester.best(attribute)).as_str() {
                "" => format!("There is no predefined attribute '{attribute}' in this instance."),
                near => format!("There is no predefined attribute '{attribute}'{near}?"),
            };
        };
        match did_you_mean(known.suggester.best(value)).as_str() {
            "" => format!("The attribute '{}' has no value '{value}'.", known.name),
            near => format!("The attribute '{}' has no value '{value}'{near}?", known.name),
        }
    }
}

fn is_system(text: &str) -> bool {
    text.get(..SYSTEM.len()).is_some_and(|start| start.eq_ignore_ascii_case(SYSTEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_take_the_instances_spelling() {
        let mut catalog = Catalog::default();
        catalog.add(PredefinedAttribute { name: "Language".into(), values: vec!["German".into(), "French".into()] });
        let known = |attribute: &str, value: &str| Match::Known { attribute: attribute.into(), value: value.into() };
        assert_eq!(catalog.find("language", "GERMAN"), known("Language", "German"));
        assert_eq!(catalog.find("language", "Greek"), Match::UnknownValue);
        assert_eq!(catalog.find("Sprache", "German"), Match::UnknownAttribute);
        assert_eq!(catalog.find("connect:Language", "connect:French"), known("connect:Language", "connect:French"));
        assert_eq!(catalog.find("LANGUAGE", "connect:French"), known("Language", "connect:French"));
        assert_eq!(
            catalog.why("language", "Germn"),
            "The attribute 'Language' has no value 'Germn'; did you mean 'German'?"
        );
        assert_eq!(catalog.why("Sprache", "x"), "There is no predefined attribute 'Sprache' in this instance.");
    }
}
