//! `ListUserProficiencies` and the three writes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    clock::Clock,
    page::Page,
    request::{Received, check_length, check_range, required},
};
use crate::{
    error::ApiError,
    operation::Operation,
    state::{Instance, Proficiency},
    switches::Switches,
};

/// The body of a write.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WriteBody {
    user_proficiencies: Option<Vec<Item>>,
}

/// One item of a write, unchecked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    attribute_name: Option<String>,
    attribute_value: Option<String>,
    level: Option<f32>,
}

pub(super) fn list(
    received: &Received,
    instance: &Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let instance_id = received.instance_id()?;
    let user_id = received.required_user_id(instance)?;
    let page = Page::new(Operation::ListUserProficiencies, received.max_results()?, received.next_token(), switches)?;
    instance.check_id(instance_id)?;
    let user = instance.user(user_id)?;
    let proficiencies = user.proficiencies.iter().map(|((name, value), level)| {
        let proficiency = json!({
            "AttributeName": name,
            "AttributeValue": value,
            "Level": level,
        });
        (place(name, value), proficiency)
    });
    let results = page.fill(proficiencies.filter(|(place, _)| *place > page.after));
    let rest = json!({
        "LastModifiedTime": clock.timestamp(user.last_modified),
        "LastModifiedRegion": instance.region(),
    });
    Ok(results.into_body("UserProficiencyList", rest))
}

pub(super) fn associate(
    received: &Received,
    instance: &mut Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let items = levelled_items(received)?;
    let user_id = received.addressed_user(instance)?;
    instance.associate(user_id, &items, switches, clock.since_start)?;
    Ok(json!({}))
}

pub(super) fn update(
    received: &Received,
    instance: &mut Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let items = levelled_items(received)?;
    let user_id = received.addressed_user(instance)?;
    instance.update(user_id, &items, switches, clock.since_start)?;
    Ok(json!({}))
}

pub(super) fn disassociate(
    received: &Received,
    instance: &mut Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    let items: Result<Vec<_>, _> = (1..).zip(items(received)?).map(pair).collect();
    let items = items?;
    let user_id = received.addressed_user(instance)?;
    instance.disassociate(user_id, &items, switches, clock.since_start)?;
    Ok(json!({}))
}

fn items(received: &Received) -> Result<Vec<Item>, ApiError> {
    let body: WriteBody = received.body()?;
    required(body.user_proficiencies, "UserProficiencies")
}

fn levelled_items(received: &Received) -> Result<Vec<Proficiency>, ApiError> {
    let proficiency = |(n, item): (usize, Item)| {
        let level = required(item.level, &member(n, "level"))?;
        check_range(&level, &member(n, "level"), &(1.0..=5.0))?;
        let (name, value) = pair((n, item))?;
        Ok(Proficiency { name, value, level })
    };
    (1..).zip(items(received)?).map(proficiency).collect()
}

/// The attribute's name and value in the n-th item.
fn pair((n, item): (usize, Item)) -> Result<(String, String), ApiError> {
    let text = |text: Option<String>, name: &str| {
        let path = member(n, name);
        let text = required(text, &path)?;
        check_length(&text, &path, 1..=100)?;
        Ok(text)
    };
    let name = text(item.attribute_name, "attributeName")?;
    let value = text(item.attribute_value, "attributeValue")?;
    Ok((name, value))
}

fn member(n: usize, name: &str) -> String {
    format!("userProficiencies.{n}.member.{name}")
}

/// Where a pair stands in the listing. The separator sorts before all that a name may contain, so
/// places sort as pairs do.
fn place(name: &str, value: &str) -> String {
    format!("{name}\0{value}")
}
