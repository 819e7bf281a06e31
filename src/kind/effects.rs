//! What an import did to users, for the report. Hundreds of thousands of users may have changed, and most are never asked
//! for again: so each costs its id, its effects as text and some 30 bytes.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::connect::UserId;
use crate::outcome::RowId;

/// What an import did to one user.
#[derive(Clone, Debug)]
pub struct UserEffects {
    /// The user.
    pub user: UserId,
    /// Its kind's effects in JSON.
    pub json: Box<RawValue>,
}

/// The same as [`UserEffects`], as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptEffects<'e> {
    /// The id of the user.
    pub user: &'e str,
    /// Its kind's effects in JSON.
    pub json: &'e str,
}

/// The effects on users, by the first row of their batch.
#[derive(Default)]
pub(super) struct EffectsStore {
    /// Of one user after another: the id and the effects.
    text: String,
    spans: BTreeMap<RowId, Span>,
}

/// Where the text has the id, and behind it the effects.
#[derive(Clone, Copy)]
struct Span {
    id: u32,
    json: u32,
    end: u32,
}

impl EffectsStore {
    /// # Panics
    /// When the effects exceed 4 GiB together; the memory of a Lambda function ends before that.
    pub(super) fn insert(&mut self, row: RowId, effects: &UserEffects) {
        let id = self.end();
        self.text.push_str(effects.user.as_str());
        let json = self.end();
        self.text.push_str(effects.json.get());
        self.spans.insert(row, Span { id, json, end: self.end() });
    }

    fn end(&self) -> u32 {
        u32::try_from(self.text.len()).expect("the effects of an import are less than 4 GiB")
    }

    pub(super) fn get(&self, row: RowId) -> Option<KeptEffects<'_>> {
        self.spans.get(&row).map(|span| self.at(*span))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RowId, KeptEffects<'_>)> {
        self.spans.iter().map(|(row, span)| (*row, self.at(*span)))
    }

    fn at(&self, Span { id, json, end }: Span) -> KeptEffects<'_> {
        KeptEffects { user: &self.text[id as usize..json as usize], json: &self.text[json as usize..end as usize] }
    }
}

impl std::fmt::Debug for EffectsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EffectsStore").field("len", &self.spans.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_come_in_the_order_of_the_file_and_the_last_ones_count() {
        let mut store = EffectsStore::default();
        for (row, user, json) in [(7, "b", r#"{"c":1}"#), (2, "a", "{}"), (7, "b", r#"{"c":2}"#)] {
            let json = RawValue::from_string(json.to_owned()).unwrap();
            store.insert(RowId(row), &UserEffects { user: UserId::new(user), json });
        }
        let (a, b) = (KeptEffects { user: "a", json: "{}" }, KeptEffects { user: "b", json: r#"{"c":2}"# });
        assert_eq!(store.iter().collect::<Vec<_>>(), [(RowId(2), a), (RowId(7), b)]);
        assert_eq!((store.get(RowId(7)), store.get(RowId(3))), (Some(b), None));
    }
}
