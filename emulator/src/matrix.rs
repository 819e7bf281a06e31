//! Which combinations of switches a test should go through.

use clap::ValueEnum;

use crate::switches::{
    AssociateExisting, AttributeCase, Batch, ConfigLists, DisassociateMissing, DuplicateInCall, EmptyCall,
    FractionalLevels, MissingTimeLimit, OverLimit, Refusal, Switches, ThrottleCode, UnknownAttribute, UpdateMissing,
    UpdateSameLevel,
};

impl Switches {
    /// The defaults, then each other value of each switch by itself, then the hardest of all at once;
    /// each with a label that says what is changed.
    ///
    /// [`Switches::search_lag`] is left empty throughout: it names attributes of one's own instance.
    pub fn matrix() -> Vec<(String, Self)> {
        let mut cases = vec![("defaults".to_owned(), Self::default())];
        each(&mut cases, "associate_existing", |s| &mut s.associate_existing);
        each(&mut cases, "update_missing", |s| &mut s.update_missing);
        each(&mut cases, "disassociate_missing", |s| &mut s.disassociate_missing);
        each(&mut cases, "update_same_level", |s| &mut s.update_same_level);
        each(&mut cases, "unknown_attribute", |s| &mut s.unknown_attribute);
        each(&mut cases, "refusal", |s| &mut s.refusal);
        each(&mut cases, "batch", |s| &mut s.batch);
        each(&mut cases, "over_limit", |s| &mut s.over_limit);
        each(&mut cases, "attribute_case", |s| &mut s.attribute_case);
        each(&mut cases, "duplicate_in_call", |s| &mut s.duplicate_in_call);
        each(&mut cases, "empty_call", |s| &mut s.empty_call);
        each(&mut cases, "fractional_levels", |s| &mut s.fractional_levels);
        each(&mut cases, "config_lists", |s| &mut s.config_lists);
        each(&mut cases, "missing_time_limit", |s| &mut s.missing_time_limit);
        each(&mut cases, "throttle_code", |s| &mut s.throttle_code);
        one(&mut cases, "max_items_per_call=10", |s| s.max_items_per_call = Some(10));
        one(&mut cases, "page_size_cap=1", |s| s.page_size_cap = Some(1));
        one(&mut cases, "empty_first_page", |s| s.empty_first_page = true);
        cases.push(("hardest".to_owned(), Self::hardest()));
        cases
    }

    /// Every switch at the value that forgives least.
    pub fn hardest() -> Self {
        Self {
            associate_existing: AssociateExisting::Error,
            update_missing: UpdateMissing::Error,
            disassociate_missing: DisassociateMissing::Error,
            update_same_level: UpdateSameLevel::Error,
            unknown_attribute: UnknownAttribute::ResourceNotFound,
            refusal: Refusal::ResourceNotFound,
            batch: Batch::Partial,
            over_limit: OverLimit::LimitExceeded,
            max_items_per_call: Some(10),
            attribute_case: AttributeCase::Sensitive,
            duplicate_in_call: DuplicateInCall::Error,
            empty_call: EmptyCall::Error,
            fractional_levels: FractionalLevels::Refused,
            config_lists: ConfigLists::Whole,
            missing_time_limit: MissingTimeLimit::Refused,
            throttle_code: ThrottleCode::TooManyRequestsException,
            search_lag: Vec::new(),
            page_size_cap: Some(1),
            empty_first_page: true,
        }
    }
}

/// Adds a case for each value of one switch but the default.
fn each<V: ValueEnum + Default + PartialEq>(
    cases: &mut Vec<(String, Switches)>,
    name: &str,
    field: impl Fn(&mut Switches) -> &mut V,
) {
    for value in V::value_variants() {
        if *value == V::default() {
            continue;
        }
        let shown = value.to_possible_value();
        let shown = shown.as_ref().map_or("?", |value| value.get_name());
        one(cases, &format!("{name}={shown}"), |switches| {
            *field(switches) = value.clone();
        });
    }
}

/// Adds one case: the defaults with one change.
fn one(cases: &mut Vec<(String, Switches)>, label: &str, change: impl FnOnce(&mut Switches)) {
    let mut switches = Switches::default();
    change(&mut switches);
    cases.push((label.to_owned(), switches));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_of_the_matrix_has_its_own_label_and_its_own_switches() {
        let cases = Switches::matrix();
        assert_eq!(cases.len(), 1 + 22 + 3 + 1);
        for (i, (label, switches)) in cases.iter().enumerate() {
            for (other_label, other) in &cases[..i] {
                assert_ne!(label, other_label);
                assert_ne!(switches, other, "{label} is {other_label}");
            }
        }
    }
}
