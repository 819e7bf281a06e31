//! Each text once: usernames, attributes and values repeat on many rows, and a million rows must fit in little memory.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::marker::PhantomData;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A text in an [`Interner`] of the same kind `K`, by its number. Symbols of different kinds cannot be mixed up.
pub struct Symbol<K> {
    index: u32,
    kind: PhantomData<K>,
}

// Derived, these would hold for some kinds only.
impl<K> Clone for Symbol<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Symbol<K> {}

impl<K> PartialEq for Symbol<K> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<K> Eq for Symbol<K> {}

impl<K> PartialOrd for Symbol<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Symbol<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.index.cmp(&other.index)
    }
}

impl<K> Hash for Symbol<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}

impl<K> fmt::Debug for Symbol<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Symbol").field(&self.index).finish()
    }
}

impl<K> Symbol<K> {
    /// The empty text, which every [`Interner`] holds.
    pub const EMPTY: Self = Self::new(0);

    const fn new(index: u32) -> Self {
        Self { index, kind: PhantomData }
    }

    /// Its number, from 0 on, in the order of first use.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// A set of texts of one kind `K`, end to end in one piece of memory: each takes its own bytes and some ten more.
pub struct Interner<K> {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    kind: PhantomData<K>,
}

impl<K> Default for Interner<K> {
    fn default() -> Self {
        let mut interner = Self {
            text: String::new(),
            ends: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            kind: PhantomData,
        };
        interner.intern("");
        interner
    }
}

impl<K> fmt::Debug for Interner<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<K> Interner<K> {
    /// The symbol of a text. A new text is kept.
    ///
    /// # Panics
    /// When the texts exceed 4 GiB together; a reader stops long before.
    pub fn intern(&mut self, text: &str) -> Symbol<K> {
        let hash = self.hasher.hash_one(text);
        if let Some(&found) = self.table.find(hash, |&index| at(&self.text, &self.ends, index) == text) {
            return Symbol::new(found);
        }
        let index = u32::try_from(self.ends.len()).expect("a file has fewer texts than 4 billion");
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("the texts of a file are less than 4 GiB"));
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, index, |&other| hasher.hash_one(at(text, ends, other)));
        Symbol::new(index)
    }

    /// The text of a symbol.
    pub fn resolve(&self, symbol: Symbol<K>) -> &str {
        at(&self.text, &self.ends, symbol.index)
    }

    /// All symbols with their texts, in the order of first use.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol<K>, &str)> {
        (0..).zip(&self.ends).map(|(index, _)| (Symbol::new(index), at(&self.text, &self.ends, index)))
    }

    /// How many texts there are, the empty one among them.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Always false: the empty text is always there.
    pub fn is_empty(&self) -> bool {
        false
    }
}

fn at<'t>(text: &'t str, ends: &[u32], index: u32) -> &'t str {
    let start = index.checked_sub(1).map_or(0, |before| ends[before as usize]);
    &text[start as usize..ends[index as usize] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_symbol() {
        let mut interner = Interner::<()>::default();
        let (jdoe, empty, other) = (interner.intern("jdoe"), interner.intern(""), interner.intern("JDoe"));
        assert_eq!(interner.intern("jdoe"), jdoe);
        assert_eq!((interner.resolve(jdoe), interner.resolve(empty), interner.resolve(other)), ("jdoe", "", "JDoe"));
        assert_eq!((empty, interner.len()), (Symbol::EMPTY, 3));
    }
}
