//! What an import does to a user's proficiencies, as the journal keeps it.

use serde::{Deserialize, Serialize};

use crate::connect::{Level, Proficiencies, ProficiencyKey};

/// A proficiency before this import, for the journal: `["Language","German",3]`, or `null` for a level that was not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(String, String, Option<f32>)", into = "(String, String, Option<ShortLevel>)")]
pub struct BeforeImage {
    /// The proficiency.
    pub pair: ProficiencyKey,
    /// Its level before the import; nothing if the user did not have it.
    pub level: Option<Level>,
}

impl BeforeImage {
    /// The proficiency as it was in the set before.
    pub(super) fn new(pair: &ProficiencyKey, before: &Proficiencies) -> Self {
        Self { pair: pair.clone(), level: before.get(pair).copied() }
    }
}

impl From<(String, String, Option<f32>)> for BeforeImage {
    fn from((attribute, value, level): (String, String, Option<f32>)) -> Self {
        let pair = ProficiencyKey { attribute: attribute.into(), value: value.into() };
        Self { pair, level: level.map(Level::from_wire) }
    }
}

impl From<BeforeImage> for (String, String, Option<ShortLevel>) {
    fn from(BeforeImage { pair, level }: BeforeImage) -> Self {
        (pair.attribute.to_string(), pair.value.to_string(), level.map(ShortLevel::from))
    }
}

/// A level without `.0`.
#[derive(Serialize)]
#[serde(untagged)]
enum ShortLevel {
    Whole(u8),
    Other(f32),
}

impl From<Level> for ShortLevel {
    fn from(level: Level) -> Self {
        let level = level.to_wire();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is looked at below")]
        let whole = level as u8;
        #[expect(clippy::float_cmp, reason = "only what is exactly whole is written so")]
        if f32::from(whole) == level { Self::Whole(whole) } else { Self::Other(level) }
    }
}

/// All that a user has, for the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<BeforeImage>", into = "Vec<BeforeImage>")]
pub struct CurrentProficiencies(pub Proficiencies);

impl From<Vec<BeforeImage>> for CurrentProficiencies {
    fn from(images: Vec<BeforeImage>) -> Self {
        Self(images.into_iter().filter_map(|image| Some((image.pair, image.level?))).collect())
    }
}

impl From<CurrentProficiencies> for Vec<BeforeImage> {
    fn from(CurrentProficiencies(held): CurrentProficiencies) -> Self {
        held.into_iter().map(|(pair, level)| BeforeImage { pair, level: Some(level) }).collect()
    }
}

/// What an import did to a user. This is held in memory for every user that changed: so its names are short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProficiencyEffects {
    /// What rows changed, in the order of the rows.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<BeforeImage>,
    /// What was removed because the file does not name it.
    #[serde(rename = "r", skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<BeforeImage>,
    /// What may have been written, and cannot be seen.
    #[serde(rename = "u", skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<BeforeImage>,
    /// What should have been removed because the file does not name it, and is still there.
    #[serde(rename = "k", skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<BeforeImage>,
    /// Why it is still there: what the service said last. Nothing where removing it was not tried.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub kept_reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(value: &str, level: Option<f32>) -> BeforeImage {
        BeforeImage::from(("Language".to_owned(), value.to_owned(), level))
    }

    #[test]
    fn effects_are_short_and_read_back() {
        let effects = ProficiencyEffects {
            changed: vec![image("German", Some(3.0)), image("French", None)],
            removed: vec![image("Greek", Some(2.55))],
            kept_reason: Some("No.".to_owned()),
            ..ProficiencyEffects::default()
        };
        let json = serde_json::to_string(&effects).unwrap();
        let expected =
            r#"{"c":[["Language","German",3],["Language","French",null]],"r":[["Language","Greek",2.55]],"w":"No."}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<ProficiencyEffects>(&json).unwrap(), effects);
        assert_eq!(serde_json::to_string(&ProficiencyEffects::default()).unwrap(), "{}");
    }

    #[test]
    fn what_a_user_has_reads_back() {
        let current = CurrentProficiencies::from(vec![image("German", Some(3.0)), image("French", Some(1.5))]);
        let json = serde_json::to_string(&current).unwrap();
        assert_eq!(json, r#"[["Language","French",1.5],["Language","German",3]]"#);
        assert_eq!(serde_json::from_str::<CurrentProficiencies>(&json).unwrap(), current);
    }
}
