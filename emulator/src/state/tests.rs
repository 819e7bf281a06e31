//! The rules of the writes, under each switch.

use std::time::Duration;

use super::{instance::Instance, proficiencies::Proficiency};
use crate::{
    error::ApiError,
    switches::{
        AssociateExisting, AttributeCase, Batch, DisassociateMissing, DuplicateInCall, EmptyCall, FractionalLevels,
        OverLimit, Refusal, Switches, UnknownAttribute, UpdateMissing, UpdateSameLevel,
    },
};

const NOW: Duration = Duration::from_secs(7);

/// A user `u` who has `Product: Phone` at 3, in an instance with `Product` and a quota of 2.
fn instance() -> Instance {
    Instance::new("i").with_max_proficiencies(2).with_attribute("Product", ["Phone", "Tablet", "Watch"]).with_user(
        "u",
        "jdoe",
        [("Product", "Phone", 3.0)],
    )
}

fn items<const N: usize>(items: [(&str, &str, f32); N]) -> Vec<Proficiency> {
    let item =
        |(name, value, level): (&str, &str, f32)| Proficiency { name: name.to_owned(), value: value.to_owned(), level };
    items.map(item).into()
}

/// The set of `u` as text, and the code of the error if there was one.
fn shown(instance: &Instance, outcome: &Result<(), ApiError>) -> String {
    let set = instance.proficiencies("u").into_iter();
    let set: Vec<_> = set.map(|((_, value), level)| format!("{value} {level}")).collect();
    let code = outcome.as_ref().map_or_else(|error| &*error.code, |()| "");
    format!("{} {code}", set.join(", ")).trim_end().to_owned()
}

fn associate<const N: usize>(switches: &Switches, given: [(&str, &str, f32); N]) -> String {
    let mut instance = instance();
    let outcome = instance.associate("u", &items(given), switches, NOW);
    shown(&instance, &outcome)
}

fn update<const N: usize>(switches: &Switches, given: [(&str, &str, f32); N]) -> String {
    let mut instance = instance();
    let outcome = instance.update("u", &items(given), switches, NOW);
    shown(&instance, &outcome)
}

fn disassociate<const N: usize>(switches: &Switches, given: [(&str, &str); N]) -> String {
    let mut instance = instance();
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let outcome = instance.disassociate("u", &given, switches, NOW);
    shown(&instance, &outcome)
}

fn with(change: impl FnOnce(&mut Switches)) -> Switches {
    let mut switches = Switches::default();
    change(&mut switches);
    switches
}

#[test]
fn writes_do_what_they_are_for() {
    let plain = Switches::default();
    assert_eq!(associate(&plain, [("Product", "Tablet", 5.0)]), "Phone 3, Tablet 5");
    assert_eq!(update(&plain, [("Product", "Phone", 4.0)]), "Phone 4");
    assert_eq!(disassociate(&plain, [("Product", "Phone")]), "");
    let french = [("connect:Language", "connect:French", 1.0)];
    assert_eq!(associate(&plain, french), "Phone 3, connect:French 1");
}

#[test]
fn associate_of_an_existing_pair() {
    let again = |value| {
        let switches = with(|s| s.associate_existing = value);
        associate(&switches, [("Product", "Phone", 5.0)])
    };
    let refused = "Phone 3 InvalidParameterException";
    assert_eq!(again(AssociateExisting::Error), refused);
    assert_eq!(again(AssociateExisting::Overwrite), "Phone 5");
    assert_eq!(again(AssociateExisting::NoOp), "Phone 3");
}

#[test]
fn update_of_a_missing_pair() {
    let missing = |value| {
        let switches = with(|s| s.update_missing = value);
        update(&switches, [("Product", "Tablet", 5.0)])
    };
    let refused = "Phone 3 InvalidParameterException";
    assert_eq!(missing(UpdateMissing::Error), refused);
    assert_eq!(missing(UpdateMissing::Upsert), "Phone 3, Tablet 5");
    assert_eq!(missing(UpdateMissing::NoOp), "Phone 3");
}

#[test]
fn update_to_the_same_level() {
    let same = |value| {
        let switches = with(|s| s.update_same_level = value);
        update(&switches, [("Product", "Phone", 3.0)])
    };
    assert_eq!(same(UpdateSameLevel::NoOp), "Phone 3");
    let refused = "Phone 3 InvalidParameterException";
    assert_eq!(same(UpdateSameLevel::Error), refused);
}

#[test]
fn disassociate_of_a_missing_pair_under_each_name_of_a_refusal() {
    let missing = |value, refusal| {
        let switches = with(|s| (s.disassociate_missing, s.refusal) = (value, refusal));
        disassociate(&switches, [("Product", "Tablet")])
    };
    let error = |refusal| missing(DisassociateMissing::Error, refusal);
    assert_eq!(error(Refusal::InvalidParameter), "Phone 3 InvalidParameterException");
    assert_eq!(error(Refusal::InvalidRequest), "Phone 3 InvalidRequestException");
    assert_eq!(error(Refusal::ResourceNotFound), "Phone 3 ResourceNotFoundException");
    let passed_over = missing(DisassociateMissing::NoOp, Refusal::default());
    assert_eq!(passed_over, "Phone 3");
}

#[test]
fn unknown_names_and_values() {
    for pair in [("Product", "Radio"), ("Colour", "Phone")] {
        let unknown = |value| {
            let switches = with(|s| s.unknown_attribute = value);
            associate(&switches, [(pair.0, pair.1, 1.0)])
        };
        assert_eq!(unknown(UnknownAttribute::InvalidParameter), "Phone 3 InvalidParameterException");
        assert_eq!(unknown(UnknownAttribute::ResourceNotFound), "Phone 3 ResourceNotFoundException");
    }
}

#[test]
fn a_pair_of_an_attribute_that_is_gone_can_still_be_removed() {
    let mut instance = instance();
    instance.remove_attribute("Product");
    let pair = [("Product".to_owned(), "Phone".to_owned())];
    let outcome = instance.disassociate("u", &pair, &Switches::default(), NOW);
    assert_eq!(shown(&instance, &outcome), "");
}

#[test]
fn a_batch_with_a_guilty_item() {
    let mixed = [("Product", "Tablet", 1.0), ("Product", "Radio", 1.0)];
    let batch = |value| associate(&with(|s| s.batch = value), mixed);
    assert_eq!(batch(Batch::Atomic), "Phone 3 InvalidParameterException");
    assert_eq!(batch(Batch::Partial), "Phone 3, Tablet 1 InvalidParameterException");
}

#[test]
fn more_than_the_quota_allows() {
    let over = |value| {
        let switches = with(|s| s.over_limit = value);
        let two_more = [("Product", "Tablet", 1.0), ("Product", "Watch", 1.0)];
        associate(&switches, two_more)
    };
    assert_eq!(over(OverLimit::InvalidParameter), "Phone 3 InvalidParameterException");
    assert_eq!(over(OverLimit::LimitExceeded), "Phone 3 LimitExceededException");
    assert_eq!(over(OverLimit::ServiceQuotaExceeded), "Phone 3 ServiceQuotaExceededException");
}

#[test]
fn names_in_another_case() {
    let other_case = |value| {
        let switches = with(|s| s.attribute_case = value);
        associate(&switches, [("PRODUCT", "tablet", 1.0)])
    };
    assert_eq!(other_case(AttributeCase::Sensitive), "Phone 3 InvalidParameterException");
    assert_eq!(other_case(AttributeCase::Insensitive), "Phone 3, Tablet 1");

    let insensitive = with(|s| s.attribute_case = AttributeCase::Insensitive);
    assert_eq!(disassociate(&insensitive, [("product", "PHONE")]), "");
}

#[test]
fn the_same_pair_twice() {
    let twice = [("Product", "Tablet", 1.0), ("Product", "Tablet", 2.0)];
    let given = |value| associate(&with(|s| s.duplicate_in_call = value), twice);
    assert_eq!(given(DuplicateInCall::Error), "Phone 3 InvalidParameterException");
    assert_eq!(given(DuplicateInCall::LastWins), "Phone 3, Tablet 2");
}

#[test]
fn the_length_of_a_call() {
    let empty = |value| update(&with(|s| s.empty_call = value), []);
    let refused = "Phone 3 InvalidParameterException";
    assert_eq!(empty(EmptyCall::Error), refused);
    assert_eq!(empty(EmptyCall::NoOp), "Phone 3");

    let one_at_most = with(|s| s.max_items_per_call = Some(1));
    let two = [("Product", "Phone"), ("Product", "Tablet")];
    assert_eq!(disassociate(&one_at_most, two), refused);
    assert_eq!(disassociate(&one_at_most, [two[0]]), "");
}

#[test]
fn levels_that_are_not_whole() {
    let half = |value| {
        let switches = with(|s| s.fractional_levels = value);
        update(&switches, [("Product", "Phone", 2.5)])
    };
    let refused = "Phone 3 InvalidParameterException";
    assert_eq!(half(FractionalLevels::Refused), refused);
    assert_eq!(half(FractionalLevels::Accepted), "Phone 2.5");
}

#[test]
fn a_user_who_is_not_there() {
    let tablet = items([("Product", "Tablet", 1.0)]);
    let outcome = instance().update("nobody", &tablet, &Switches::default(), NOW);
    let error = outcome.expect_err("no such user");
    assert_eq!(error.code, "ResourceNotFoundException");
}

#[test]
fn the_smallest_set_is_remembered() {
    let plain = Switches::default();
    let mut instance = instance();
    assert_eq!(instance.smallest_set("u"), 1);
    let tablet = items([("Product", "Tablet", 1.0)]);
    instance.associate("u", &tablet, &plain, NOW).expect("added");
    assert_eq!(instance.smallest_set("u"), 2);
    for value in ["Tablet", "Phone"] {
        let pair = [("Product".to_owned(), value.to_owned())];
        instance.disassociate("u", &pair, &plain, NOW).expect("removed");
    }
    instance.associate("u", &tablet, &plain, NOW).expect("added");
    assert_eq!(instance.smallest_set("u"), 0);
}

#[test]
fn users_and_instance_go_by_id_or_arn() {
    let instance = instance();
    assert_eq!(instance.check_id("i"), Ok(()));
    assert_eq!(instance.check_id(&instance.arn()), Ok(()));
    let other = instance.check_id("j").expect_err("another instance");
    assert_eq!(other.status, 404);
    assert_eq!(instance.plain_user_id(&instance.user_arn("u")), "u");
    assert_eq!(instance.plain_user_id("u"), "u");
}
