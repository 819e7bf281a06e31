//! `SearchPredefinedAttributes` and `DescribePredefinedAttribute`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    clock::Clock,
    page::Page,
    request::{Received, check_length, invalid_member, required},
};
use crate::{
    error::ApiError,
    operation::Operation,
    state::{Instance, PredefinedAttribute},
    switches::Switches,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SearchBody {
    instance_id: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    search_criteria: Option<Criteria>,
}

/// What a search looks for. All that is given must hold; the model gives the lists no largest length.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Criteria {
    or_conditions: Option<Vec<Criteria>>,
    and_conditions: Option<Vec<Criteria>>,
    string_condition: Option<StringCondition>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StringCondition {
    field_name: Option<String>,
    value: Option<String>,
    comparison_type: Option<String>,
}

pub(super) fn search(
    received: &Received,
    instance: &Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let body: SearchBody = received.body()?;
    let instance_id = required(body.instance_id, "InstanceId")?;
    check_length(&instance_id, "instanceId", 1..=100)?;
    if let Some(token) = &body.next_token {
        check_length(token, "nextToken", 1..=2500)?;
    }
    let page =
        Page::new(Operation::SearchPredefinedAttributes, body.max_results, body.next_token.as_deref(), switches)?;
    let criteria = body.search_criteria.unwrap_or_default();
    criteria.check()?;
    instance.check_id(&instance_id)?;

    let found: Vec<_> = instance
        .searchable_attributes(switches)
        .filter(|(name, attribute)| criteria.hold(name, &attribute.values))
        .collect();
    let n_found = found.len();
    let after = found.into_iter().filter(|(name, _)| **name > page.after).map(|(name, attribute)| {
        let shown = shown(name, attribute, instance, clock);
        (name.clone(), shown)
    });
    let rest = json!({ "ApproximateTotalCount": n_found });
    Ok(page.fill(after).into_body("PredefinedAttributes", rest))
}

pub(super) fn describe(received: &Received, instance: &Instance, clock: Clock) -> Result<Value, ApiError> {
    let instance_id = received.instance_id()?;
    let name = received.label("Name", Some(1..=100))?;
    instance.check_id(instance_id)?;
    let attribute = instance.attribute(name)?;
    Ok(json!({
        "PredefinedAttribute": shown(name, attribute, instance, clock),
    }))
}

/// An attribute as answers show it. Nothing changes one while the emulator runs, so it is as old as that.
fn shown(name: &str, attribute: &PredefinedAttribute, instance: &Instance, clock: Clock) -> Value {
    json!({
        "Name": name,
        "Values": { "StringList": attribute.values },
        "LastModifiedTime": clock.timestamp(Duration::ZERO),
        "LastModifiedRegion": instance.region(),
    })
}

impl Criteria {
    /// Checks every condition, so that a wrong one is refused though nothing hangs on it.
    fn check(&self) -> Result<(), ApiError> {
        let lists = [&self.or_conditions, &self.and_conditions];
        for criteria in lists.into_iter().flatten().flatten() {
            criteria.check()?;
        }
        match &self.string_condition {
            Some(condition) => condition.check(),
            None => Ok(()),
        }
    }

    fn hold(&self, name: &str, values: &[String]) -> bool {
        let hold = |criteria: &Criteria| criteria.hold(name, values);
        let one = self.or_conditions.as_ref();
        let all = self.and_conditions.as_ref();
        let this = self.string_condition.as_ref();
        one.is_none_or(|conditions| conditions.iter().any(hold))
            && all.is_none_or(|conditions| conditions.iter().all(hold))
            && this.is_none_or(|condition| condition.holds(name, values))
    }
}

impl StringCondition {
    /// The comparison is an enum of the model; the fields are the two texts that an attribute has.
    fn check(&self) -> Result<(), ApiError> {
        let comparison = self.comparison_type.as_deref().unwrap_or("EXACT");
        if !["STARTS_WITH", "CONTAINS", "EXACT"].contains(&comparison) {
            let rule = "Member must satisfy enum value set: [STARTS_WITH, CONTAINS, EXACT]";
            let path = "searchCriteria.stringCondition.comparisonType";
            return Err(invalid_member(path, comparison, rule));
        }
        let field = self.field_name.as_deref().unwrap_or_default();
        if !["name", "value"].contains(&field) {
            let rule = "Member must be one of: [name, value]";
            let path = "searchCriteria.stringCondition.fieldName";
            return Err(invalid_member(path, field, rule));
        }
        Ok(())
    }

    /// Without regard to case, which the documents do not say.
    fn holds(&self, name: &str, values: &[String]) -> bool {
        let wanted = self.value.as_deref().unwrap_or_default().to_lowercase();
        let is_match = |text: &str| {
            let text = text.to_lowercase();
            match self.comparison_type.as_deref() {
                Some("STARTS_WITH") => text.starts_with(&wanted),
                Some("CONTAINS") => text.contains(&wanted),
                _ => text == wanted,
            }
        };
        if self.field_name.as_deref() == Some("value") {
            return values.iter().any(|value| is_match(value));
        }
        is_match(name)
    }
}
