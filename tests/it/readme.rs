//! The README's story of the first day, as it is written there.

use connect_emulator::{Emulator, Instance, Quotas};
use serde_json::{Value, json};

use crate::export::{SETTINGS, table};
use crate::world::{INSTANCE, World, batch, in_a_message, user_id};

const README: &str = include_str!("../../README.md");

/// The part of the README below a heading, up to the next of its kind.
fn section(heading: &str) -> &'static str {
    let (_, below) = README.split_once(&format!("\n## {heading}\n")).unwrap();
    below.split("\n## ").next().unwrap()
}

/// Its blocks in this language.
fn blocks(section: &'static str, language: &str) -> Vec<&'static str> {
    let begins = format!("```{language}\n");
    section.split(begins.as_str()).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// What the commands invoke the function with.
fn payloads(section: &'static str) -> Vec<Value> {
    let given = section.split("--payload '").skip(1).map(|rest| rest.split('\'').next().unwrap());
    given.map(|payload| serde_json::from_str(payload).unwrap()).collect()
}

fn centre() -> Instance {
    let mut centre = Instance::new(INSTANCE)
        .with_attribute("Language", ["French", "German"])
        .with_attribute("Product", ["Billing", "Mobile"]);
    centre.add_user(user_id(0), "jdoe", [("Language", "German", 4.0), ("Product", "Billing", 2.0)]);
    centre.add_user(user_id(1), "asmith", [("Language", "French", 1.0), ("Language", "German", 2.0)]);
    centre
}

#[tokio::test(start_paused = true)]
async fn the_first_day_is_as_the_readme_tells_it() {
    let story = section("Start");
    let [check, export, go_on] = <[Value; 3]>::try_from(payloads(story)).unwrap();
    let [exported, edited, results] = <[&str; 3]>::try_from(blocks(story, "csv")).unwrap();
    let world = World::built(Emulator::builder(centre()).quotas(Quotas::of_an_account()), &SETTINGS[..1]);

    let answer = world.invoke(check).await.unwrap();
    assert_eq!(answer["check"]["ok"], true);
    let shown = blocks(story, "json")[0];
    for member in ["users", "attributes"] {
        assert!(shown.contains(&format!("\"{member}\":{}", answer["check"][member])), "{shown}");
    }
    let findings = answer["check"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| shown.contains(&finding.to_string())), "{shown}");

    let report = world.import(export).await;
    assert_eq!(table(&world, &report).unwrap(), exported);
    let id = &report.summary["import_id"];
    let again = go_on.to_string().replace("\"<import id>\"", &id.to_string());
    let answer = world.invoke(serde_json::from_str(&again).unwrap()).await.unwrap();
    assert_eq!((&answer["imports"][0]["import_id"], &answer["imports"][0]["status"]), (id, &json!("succeeded")));
    assert!(
        story.contains("reports/export/<import id>/proficiencies.csv") && report.folder.starts_with("reports/export/")
    );

    let planned = world.drop_file("incoming/dry-run=true/proficiencies.csv", edited).await;
    assert_eq!(planned.statuses(), ["would_update", "would_remove", "unchanged", "would_update", "invalid"]);
    let report = world.drop_file("incoming/proficiencies.csv", edited).await;
    assert_eq!(report.results.as_deref().unwrap().trim_start_matches('\u{feff}'), results);
    assert!(report.folder.starts_with("reports/proficiencies.csv/"));
    world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
    let report = world.import(json!({"export": "proficiencies", "form": "wide", "import_id": "after"})).await;
    assert_eq!(table(&world, &report).unwrap(), exported, "all of it is taken back");
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_backup_every_night_asks_for_an_export() {
    let line = blocks(section("Export"), "sh")[0];
    let target = line.split('\'').find(|part| part.starts_with("{\"Arn\"")).unwrap();
    let target: Value = serde_json::from_str(target).unwrap();
    let input: Value = serde_json::from_str(target["Input"].as_str().unwrap()).unwrap();
    let world = World::built(Emulator::builder(centre()).quotas(Quotas::of_an_account()), &SETTINGS[..1]);
    for night in ["2026-11-30T01:00:00Z", "2026-12-01T01:00:00Z", "2026-12-01T01:00:00Z"] {
        let filled = input.to_string().replace("<aws.scheduler.scheduled-time>", night);
        let body: Value = serde_json::from_str(&filled).unwrap();
        let answer = world.invoke(batch(&[in_a_message(night, 1, &body)])).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    let keys = world.s3.keys(crate::world::BUCKET, "reports/export/");
    assert_eq!(keys.iter().filter(|key| key.ends_with("/proficiencies.csv")).count(), 2, "one a night");
}
