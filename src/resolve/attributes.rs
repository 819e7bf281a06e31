//! The instance's predefined attributes: the file's spelling to the instance's own. Complete, or an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::suggest::{Suggester, did_you_mean};
use crate::connect::{Connect, ConnectError, ErrorKind, PredefinedAttribute};
use crate::input::folded;

/// Names and values that begin so are the system's. The search does not list them; the service judges them.
const SYSTEM: &str = "connect:";
/// Attributes that the search does not show are asked for one by one, up to this many. Beyond that the search's word counts.
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

/// The predefined attributes of an instance.
#[derive(Debug, Default)]
pub struct Catalog {
    attributes: Spellings<Attribute>,
    /// Names that the search does not show and that could not be asked for, folded and without the spaces around.
    unread: BTreeMap<String, (String, String)>,
    suggester: Suggester,
}

#[derive(Debug)]
struct Attribute {
    values: Spellings<()>,
    suggester: Suggester,
}

impl Catalog {
    /// Reads the catalogue, and asks by name for what the file names and the search, which lags, does not show.
    pub async fn read(connect: &Connect, wanted: &[(&str, &str)]) -> Result<Self, ConnectError> {
        let mut catalog = Self::search(connect).await?;
        let missed =
            wanted.iter().filter(|(attribute, value)| !matches!(catalog.find(attribute, value), Match::Known { .. }));
        let names: BTreeSet<String> = missed.map(|(attribute, _)| catalog.spelling(attribute)).collect();
        catalog.ask(connect, names).await?;
        Ok(catalog)
    }

    /// Reads what the search shows.
    pub(super) async fn search(connect: &Connect) -> Result<Self, ConnectError> {
        let mut catalog = Self::default();
        connect.search_predefined_attributes().await?.into_iter().for_each(|attribute| catalog.add(attribute));
        catalog.suggester = Suggester::new(catalog.attributes.names().map(ToString::to_string));
        Ok(catalog)
    }

    /// Asks for attributes by their names.
    pub(super) async fn ask(&mut self, connect: &Connect, names: BTreeSet<String>) -> Result<(), ConnectError> {
        for name in names.into_iter().take(MAX_ASKED) {
            match connect.describe_predefined_attribute(&name).await {
                Ok(Some(attribute)) => {
                    self.attributes.respell(&name, &attribute.name);
                    self.add(attribute);
                }
                Ok(None) => {}
                Err(error) if error.stops_import || error.kind == ErrorKind::NotSent => return Err(error),
                // The other names are known or not all the same: only rows of this one have to fail.
                Err(error) => _ = self.unread.insert(folded(&name), (error.code.clone(), error.user_message())),
            }
        }
        self.suggester = Suggester::new(self.attributes.names().map(ToString::to_string));
        Ok(())
    }

    pub(super) fn add(&mut self, PredefinedAttribute { name, values }: PredefinedAttribute) {
        let mut known = Attribute { values: Spellings::default(), suggester: Suggester::default() };
        for value in &values {
            known.values.insert(value, ());
        }
        known.suggester = Suggester::new(values);
        self.attributes.insert(&name, known);
    }

    /// What the instance knows of a pair in the file's spelling.
    pub fn find(&self, attribute: &str, value: &str) -> Match {
        if is_system(attribute) {
            return Match::Known { attribute: attribute.trim().into(), value: value.trim().into() };
        }
        let unread = self.unread.get(folded(attribute).trim());
        let missing = |how| unread.map_or(how, |(code, sentence)| Match::Unread(code.clone(), sentence.clone()));
        let Some((name, known)) = self.attributes.find(attribute) else { return missing(Match::UnknownAttribute) };
        let value = match known.values.find(value) {
            Some((value, ())) => value.clone(),
            None if is_system(value) => value.trim().into(),
            None => return missing(Match::UnknownValue),
        };
        Match::Known { attribute: name.clone(), value }
    }

    /// The pair in the instance's spelling, if the instance is seen to have it.
    pub fn listed(&self, attribute: &str, value: &str) -> Option<(&str, &str)> {
        let (name, known) = self.attributes.find(attribute)?;
        Some((name, known.values.find(value)?.0))
    }

    /// All attributes, each with its values, in the instance's order.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = &Arc<str>>)> {
        self.attributes.things.iter().map(|(name, attribute)| (name, attribute.values.names()))
    }

    /// The attribute of a name in the file's spelling, and its values.
    pub(super) fn attribute(&self, name: &str) -> Option<(&Arc<str>, impl Iterator<Item = &Arc<str>>)> {
        self.attributes.find(name).map(|(name, attribute)| (name, attribute.values.names()))
    }

    /// All pairs with this value, in the instance's spelling.
    pub(super) fn pairs_with<'c>(&'c self, value: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
        let all = self.attributes.things.iter();
        all.filter_map(move |(name, attribute)| Some((&**name, &**attribute.values.find(value)?.0)))
    }

    /// Why an attribute that the search does not show could not be asked for: a code and a sentence.
    pub(super) fn unread(&self, name: &str) -> Option<&(String, String)> {
        self.unread.get(folded(name).trim())
    }

    /// The name to ask for.
    fn spelling(&self, attribute: &str) -> String {
        let known = self.attributes.find(attribute);
        known.map_or_else(|| attribute.trim().to_owned(), |(name, _)| name.to_string())
    }

    /// Why the instance does not know a pair.
    pub fn why(&self, attribute: &str, value: &str) -> String {
        let Some((name, known)) = self.attributes.find(attribute) else {
            return match did_you_mean(self.suggester.best(attribute)).as_str() {
                "" => format!("There is no predefined attribute '{attribute}' in this instance."),
                near => format!("There is no predefined attribute '{attribute}'{near}?"),
            };
        };
        match did_you_mean(known.suggester.best(value)).as_str() {
            "" => format!("The attribute '{name}' has no value '{value}'."),
            near => format!("The attribute '{name}' has no value '{value}'{near}?"),
        }
    }
}

pub(super) fn is_system(text: &str) -> bool {
    text.trim_start().get(..SYSTEM.len()).is_some_and(|start| start.eq_ignore_ascii_case(SYSTEM))
}

/// Things by their names, which the instance spells its own way.
#[derive(Debug)]
struct Spellings<T> {
    things: Vec<(Arc<str>, T)>,
    /// Places among the things, by the folded name.
    by_fold: BTreeMap<String, Vec<usize>>,
    /// The same without the spaces around.
    by_trimmed_fold: BTreeMap<String, Vec<usize>>,
}

impl<T> Default for Spellings<T> {
    fn default() -> Self {
        Self { things: Vec::new(), by_fold: BTreeMap::new(), by_trimmed_fold: BTreeMap::new() }
    }
}

impl<T> Spellings<T> {
    /// Puts a thing in, in the place of one of just this name.
    fn insert(&mut self, name: &str, thing: T) {
        if let Some((_, old)) = self.things.iter_mut().find(|(old, _)| **old == *name) {
            *old = thing;
            return;
        }
        let folded = folded(name);
        self.by_trimmed_fold.entry(folded.trim().to_owned()).or_default().push(self.things.len());
        self.by_fold.entry(folded).or_default().push(self.things.len());
        self.things.push((name.into(), thing));
    }

    /// Takes another spelling for a thing that is in it.
    fn respell(&mut self, old: &str, new: &str) {
        let thing = self.things.iter_mut().find(|(name, _)| **name == *old);
        if let Some((name, _)) = thing.filter(|_| folded(old) == folded(new)) {
            *name = new.into();
        }
    }

    /// The thing of a name: exactly as it stands, or but for case and Unicode form, or but for the spaces around too.
    fn find(&self, name: &str) -> Option<(&Arc<str>, &T)> {
        let folded = folded(name);
        let trimmed = folded.trim();
        let places = self.by_fold.get(&folded).or_else(|| self.by_fold.get(trimmed));
        let places = places.or_else(|| self.by_trimmed_fold.get(trimmed))?;
        let exact = places.iter().find(|&&place| *self.things[place].0 == *name);
        let (name, thing) = &self.things[*exact.or(places.first())?];
        Some((name, thing))
    }

    /// All names, in the instance's order.
    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.things.iter().map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(attributes: &[(&str, &[&str])]) -> Catalog {
        let mut catalog = Catalog::default();
        for (name, values) in attributes {
            let values = values.iter().map(ToString::to_string).collect();
            catalog.add(PredefinedAttribute { name: name.to_string(), values });
        }
        catalog
    }

    fn known(attribute: &str, value: &str) -> Match {
        Match::Known { attribute: attribute.into(), value: value.into() }
    }

    #[test]
    fn pairs_take_the_instances_spelling() {
        let catalog = catalog(&[("Language", &["German", "French"])]);
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

    #[test]
    fn letters_are_the_same_in_every_unicode_form() {
        let (composed, decomposed) = ("Caf\u{e9}", "Cafe\u{301}");
        for (instance, file) in [(composed, decomposed), (decomposed, composed)] {
            let catalog = catalog(&[(instance, &["Zu\u{308}rich", "\u{2126}", "\u{130}zmir"])]);
            for attribute in [instance, file, &file.to_uppercase(), &format!(" {file}\u{a0}")] {
                assert_eq!(catalog.find(attribute, "Z\u{dc}RICH"), known(instance, "Zu\u{308}rich"), "{attribute:?}");
            }
            assert_eq!(catalog.find(file, "\u{3c9}"), known(instance, "\u{2126}"));
            assert_eq!(catalog.find(file, "I\u{307}zmir"), known(instance, "\u{130}zmir"));
        }
    }

    #[test]
    fn spaces_around_count_only_where_a_name_has_them() {
        let catalog = catalog(&[
            ("Language ", &["German", " German", "French "]),
            (" Product", &["Phone"]),
            ("Product", &["Tablet"]),
        ]);
        for (value, spelling) in [
            ("german", "German"),
            (" german", " German"),
            ("german ", "German"),
            ("  german", "German"),
            ("french", "French "),
            ("french ", "French "),
            (" french", "French "),
        ] {
            assert_eq!(catalog.find("language", value), known("Language ", spelling), "{value:?}");
        }
        assert_eq!(catalog.find(" product", "phone"), known(" Product", "Phone"));
        assert_eq!(catalog.find("product", "tablet"), known("Product", "Tablet"));
        assert_eq!(catalog.find("product ", "tablet"), known("Product", "Tablet"));
        assert_eq!(catalog.find("product", "phone"), Match::UnknownValue);
        assert_eq!(catalog.find(" connect:Language ", "connect:French "), known("connect:Language", "connect:French"));
        assert_eq!(catalog.spelling(" Sprache "), "Sprache");
    }

    #[test]
    fn of_names_that_differ_in_form_only_the_exact_one_is_meant() {
        let catalog = catalog(&[("Caf\u{e9}", &["a"]), ("Cafe\u{301}", &["b"]), ("Level", &["High", "HIGH"])]);
        assert_eq!(catalog.find("Cafe\u{301}", "b"), known("Cafe\u{301}", "b"));
        assert_eq!(catalog.find("Caf\u{e9}", "a"), known("Caf\u{e9}", "a"));
        assert_eq!(catalog.find("CAF\u{c9}", "a"), known("Caf\u{e9}", "a"));
        assert_eq!(catalog.find("Level", "HIGH"), known("Level", "HIGH"));
        assert_eq!(catalog.find("Level", "high"), known("Level", "High"));
    }

    #[test]
    fn an_attribute_that_was_respelled_is_still_one() {
        let mut catalog = catalog(&[("language", &["German"])]);
        catalog.attributes.respell("language", "Language");
        catalog.add(PredefinedAttribute { name: "Language".into(), values: vec!["French".into()] });
        assert_eq!(catalog.find("language", "french"), known("Language", "French"));
        assert_eq!(catalog.attributes.names().count(), 1);
    }

    #[test]
    fn a_name_that_could_not_be_asked_for_is_unread_in_every_spelling() {
        let mut catalog = catalog(&[]);
        catalog.unread.insert(folded("Sprache"), ("Timeout".into(), "No answer.".into()));
        let unread = Match::Unread("Timeout".into(), "No answer.".into());
        assert_eq!(catalog.find(" SPRACHE ", "Deutsch"), unread);
    }
}
