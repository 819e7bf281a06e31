//! Each text once: usernames, attributes and values repeat on many rows, and a million rows must fit in little memory.

use std::fmt;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A text in a [`Names`]: its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u32);

impl Name {
    /// The empty text, which every [`Names`] holds.
    pub const EMPTY: Self = Self(0);

    /// Its place, from 0 on, in the order of first use.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of texts, end to end in one piece of memory: a text's own bytes and some ten more.
pub struct Names {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self {
            text: String::new(),
            ends: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        };
        names.intern("");
        names
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Names {
    /// The name of a text, which is kept if it is new.
    ///
    /// # Panics
    /// When the texts exceed 4 GiB together; a reader stops long before.
    pub fn intern(&mut self, text: &str) -> Name {
        let hash = self.hasher.hash_one(text);
        if let Some(&found) = self.table.find(hash, |&name| at(&self.text, &self.ends, name) == text) {
            return Name(found);
        }
        let name = u32::try_from(self.ends.len()).expect("a file has fewer names than 4 billion");
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("the names of a file are less than 4 GiB"));
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, name, |&other| hasher.hash_one(at(text, ends, other)));
        Name(name)
    }

    /// The text of a name.
    pub fn text(&self, name: Name) -> &str {
        at(&self.text, &self.ends, name.0)
    }

    /// All names, in the order of first use.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &str)> {
        (0..).zip(&self.ends).map(|(name, _)| (Name(name), at(&self.text, &self.ends, name)))
    }

    /// How many texts there are, the empty one among them.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Never: the empty text is always there.
    pub fn is_empty(&self) -> bool {
        false
    }
}

fn at<'t>(text: &'t str, ends: &[u32], name: u32) -> &'t str {
    let start = name.checked_sub(1).map_or(0, |before| ends[before as usize]);
    &text[start as usize..ends[name as usize] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_name() {
        let mut names = Names::default();
        let (jdoe, empty, other) = (names.intern("jdoe"), names.intern(""), names.intern("JDoe"));
        assert_eq!(names.intern("jdoe"), jdoe);
        assert_eq!((names.text(jdoe), names.text(empty), names.text(other)), ("jdoe", "", "JDoe"));
        assert_eq!((empty, names.len()), (Name::EMPTY, 3));
    }
}
