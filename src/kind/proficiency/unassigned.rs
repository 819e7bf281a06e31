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
                let protected = protected(catalog, self.texts(symbols));
                if !is_nobodys {
                    unassigned.without_nobodys.absorb(protected.clone());
                }
                unassigned.protected.absorb(protected);
            }
        }
        let moved = self.torn.moved().iter().map(|moved| protected_where_moved(catalog, moved));
        for protected in moved.chain(self.torn.has_too_many().then_some(Protected::Everything)) {
            unassigned.without_nobodys.absorb(protected.clone());
            unassigned.protected.absorb(protected);
        }
        unassigned
    }
}

/// What a row may name where its cells have moved.
fn protected_where_moved(catalog: &Catalog, MovedPairs { pairs, is_joined }: &MovedPairs) -> Protected {
    let mut protected = Protected::default();
    for (attribute, value) in pairs.iter().filter_map(|(attribute, value)| catalog.listed(attribute, value)) {
        protected.add(attribute, value);
    }
    if *is_joined && protected == Protected::Nothing { Protected::Everything } else { protected }
}

/// The pair itself if the instance has it; all if it does not, for then it is misspelled.
fn protected(catalog: &Catalog, (attribute, value): (&str, &str)) -> Protected {
    catalog.listed(attribute, value).map_or(Protected::Everything, |(attribute, value)| {
        let mut protected = Protected::default();
        protected.add(attribute, value);
        protected
    })
}
