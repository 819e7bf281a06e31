//! The rows that cannot be assigned to a user, and what they protect. Pure.

use std::collections::{HashMap, HashSet};

use super::rows::ProficiencyRows;
use super::torn::MovedPairs;
use crate::kind::rows::Rows as _;
use crate::kind::unassigned::{Protected, Unassigned};
use crate::options::UnassignedRows;
use crate::outcome::{Code, RowId};
use crate::resolve::{Catalog, Users};

impl ProficiencyRows {
    /// The rows that cannot be assigned to a user, and what they protect.
    pub(super) fn find_unassigned(&self, users: &Users, catalog: &Catalog, rows: UnassignedRows) -> Unassigned {
        let (ledger, mut unassigned) = (self.ledger(), Unassigned::default());
        let (mut seen, mut nobodys) = (HashSet::new(), HashMap::new());
        for row in (0..).map(RowId).take(ledger.len()) {
            if ledger.known_user(row, users).is_some() && !self.torn.contains(row) {
                continue;
            }
            // What is wrong with it is that nobody is called so, and nothing else.
            let is_whole = ledger.outcome(row).is_some_and(|outcome| outcome.code == Code::UnknownUser);
            let (cell, name) = ledger.user(row);
            let is_nobodys = is_whole && *nobodys.entry(cell).or_insert_with(|| !users.is_near_somebody(name));
            if is_nobodys && rows == UnassignedRows::Ignore {
                continue;
            }
            unassigned.push(ledger.line(row));
            let symbols = self.symbols(row);
            if seen.insert((symbols, is_nobodys)) {
                let (attribute, value) = self.texts(symbols);
                // A pair that the instance does not have is misspelled.
                let protected = protected(catalog, [(attribute, value)].into_iter(), true);
                unassigned.protect(protected, is_nobodys);
            }
        }
        for MovedPairs { pairs, is_joined } in self.torn.moved() {
            let pairs = pairs.iter().map(|(attribute, value)| (attribute.as_str(), value.as_str()));
            unassigned.protect(protected(catalog, pairs, *is_joined), false);
        }
        if self.torn.has_too_many() {
            unassigned.protect(Protected::Everything, false);
        }
        unassigned
    }
}

/// Those of the pairs that the instance has. If it has none of them, and one must be the row's own: everything.
fn protected<'p>(catalog: &Catalog, pairs: impl Iterator<Item = (&'p str, &'p str)>, must_be_one: bool) -> Protected {
    let mut protected = Protected::default();
    for (attribute, value) in pairs.filter_map(|(attribute, value)| catalog.listed(attribute, value)) {
        protected.add(attribute, value);
    }
    if must_be_one && protected == Protected::Nothing { Protected::Everything } else { protected }
}
