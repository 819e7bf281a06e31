//! What Amazon Connect keeps of users, in our words.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A user's id. A clone costs no copy of its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The user of that id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as Connect has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The items of one write call. The service model gives the lists no maximum; tools in the field send at most ten.
pub(crate) const MAX_ITEMS_PER_CALL: usize = 10;

/// What identifies a proficiency of a user, who may have several values of one attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProficiencyKey {
    /// The predefined attribute's name, 1 to 100 characters.
    pub attribute: Arc<str>,
    /// One of the attribute's values, 1 to 100 characters.
    pub value: Arc<str>,
}

impl fmt::Display for ProficiencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.attribute, self.value)
    }
}

/// How well: 1.0 to 5.0 on the wire, of which the documents allow the whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Level(f32);

impl Level {
    /// A level as the file may name it.
    pub fn whole(level: u8) -> Self {
        Self(f32::from(level))
    }

    /// A level as the service has it.
    pub fn from_wire(level: f32) -> Self {
        Self(level)
    }

    /// The number that goes to the service.
    pub fn to_wire(self) -> f32 {
        self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A pair and its level.
#[derive(Clone, Debug, PartialEq)]
pub struct Proficiency {
    /// Which attribute and value.
    pub pair: ProficiencyKey,
    /// How well.
    pub level: Level,
}

/// All that one user has.
pub(crate) type Proficiencies = BTreeMap<ProficiencyKey, Level>;

/// One user of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUser {
    /// The user's id.
    pub id: String,
    /// The login name; case counts.
    pub username: String,
}

/// A predefined attribute and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredefinedAttribute {
    /// The name, unique in the instance whatever the case.
    pub name: String,
    /// The values that a user may have.
    pub values: Vec<String>,
}

/// One page of an answer that comes in pages.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next_token: Option<String>,
}
