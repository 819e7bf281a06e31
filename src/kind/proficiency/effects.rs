//! What an import does to a user's proficiencies, as the journal keeps it.

use serde::{Deserialize, Serialize};

use crate::connect::{Level, Proficiencies, ProficiencyKey};

/// A change of a proficiency, for the journal: `["Language","German",3,5]`, with `null` for a level that is not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    from = "(String, String, Option<f32>, Option<f32>)",
    into = "(String, String, Option<ShortLevel>, Option<ShortLevel>)"
)]
pub struct ProficiencyChange {
    /// The proficiency.
    pub pair: ProficiencyKey,
    /// Its level before the import; nothing if the user did not have it.
    pub before: Option<Level>,
    /// Its level after it; nothing if the user does not have it any more.
    pub after: Option<Level>,
}

impl From<(String, String, Option<f32>, Option<f32>)> for ProficiencyChange {
    fn from((attribute, value, before, after): (String, String, Option<f32>, Option<f32>)) -> Self {
        let pair = ProficiencyKey { attribute: attribute.into(), value: value.into() };
        Self { pair, before: before.map(Level::from_wire), after: after.map(Level::from_wire) }
    }
}

impl From<ProficiencyChange> for (String, String, Option<ShortLevel>, Option<ShortLevel>) {
    fn from(ProficiencyChange { pair, before, after }: ProficiencyChange) -> Self {
        let (attribute, value) = (pair.attribute.to_string(), pair.value.to_string());
        (attribute, value, before.map(ShortLevel::from), after.map(ShortLevel::from))
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

/// All that a user has, for the journal: `[["Language","German",3]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, String, f32)>", into = "Vec<(String, String, ShortLevel)>")]
pub struct CurrentProficiencies(pub Proficiencies);

impl From<Vec<(String, String, f32)>> for CurrentProficiencies {
    fn from(held: Vec<(String, String, f32)>) -> Self {
        let keyed = |(attribute, value, level): (String, String, f32)| {
            (ProficiencyKey { attribute: attribute.into(), value: value.into() }, Level::from_wire(level))
        };
        Self(held.into_iter().map(keyed).collect())
    }
}

impl From<CurrentProficiencies> for Vec<(String, String, ShortLevel)> {
    fn from(CurrentProficiencies(held): CurrentProficiencies) -> Self {
        held.into_iter()
            .map(|(pair, level)| (pair.attribute.to_string(), pair.value.to_string(), level.into()))
            .collect()
    }
}

/// What an import did to a user. This is held in memory for every user that changed: so its names are short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProficiencyEffects {
    /// What rows changed, in the order of the rows.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<ProficiencyChange>,
    /// What was removed because the file does not name it.
    #[serde(rename = "r", skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<ProficiencyChange>,
    /// What may have been written, and cannot be seen.
    #[serde(rename = "u", skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<ProficiencyChange>,
    /// What should have been removed because the file does not name it, and is still there.
    #[serde(rename = "k", skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<ProficiencyChange>,
    /// Why it is still there: what the service said last. Nothing where removing it was not tried.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub remaining_reason: Option<String>,
    /// What would have been removed because the file does not name it, if a row that cannot be assigned to a user did not
    /// protect it.
    #[serde(rename = "h", skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<ProficiencyChange>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(value: &str, before: Option<f32>, after: Option<f32>) -> ProficiencyChange {
        ProficiencyChange::from(("Language".to_owned(), value.to_owned(), before, after))
    }

    #[test]
    fn effects_are_short_and_read_back() {
        let effects = ProficiencyEffects {
            changed: vec![change("German", Some(3.0), Some(5.0)), change("French", None, Some(1.0))],
            removed: vec![change("Greek", Some(2.55), None)],
            remaining_reason: Some("No.".to_owned()),
            ..ProficiencyEffects::default()
        };
        let json = serde_json::to_string(&effects).unwrap();
        let expected = r#"{"c":[["Language","German",3,5],["Language","French",null,1]],"r":[["Language","Greek",2.55,null]],"w":"No."}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<ProficiencyEffects>(&json).unwrap(), effects);
        assert_eq!(serde_json::to_string(&ProficiencyEffects::default()).unwrap(), "{}");
    }

    #[test]
    fn what_a_user_has_reads_back() {
        let pair = |value: &str, level| ("Language".to_owned(), value.to_owned(), level);
        let current = CurrentProficiencies::from(vec![pair("German", 3.0), pair("French", 1.5)]);
        let json = serde_json::to_string(&current).unwrap();
        assert_eq!(json, r#"[["Language","French",1.5],["Language","German",3]]"#);
        assert_eq!(serde_json::from_str::<CurrentProficiencies>(&json).unwrap(), current);
    }
}
