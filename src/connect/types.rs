//! What Amazon Connect keeps of users, in our words.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// The items of one write call. The service model gives the lists no maximum; tools in the field send at most ten.
pub const MAX_ITEMS_PER_CALL: usize = 10;

/// The id of a user of the instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// An id as Connect has it.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// As Connect has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for UserId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a proficiency is known by: one attribute may have several values per user.
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

    /// A level as the service says it.
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
pub type Proficiencies = BTreeMap<ProficiencyKey, Level>;

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
