//! For any centre, however odd its names: what an export says is what users have, and dropped back it finds all as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Instance, Quotas, Rule, Switches};
use proptest::prelude::*;
use serde_json::json;

use crate::export::table;
use crate::world::{BUCKET, INSTANCE, Report, World, cases, run, user_id};

const ATTRIBUTES: [&str; 17] = [
    "Language",
    "language level",
    "A",
    "A: B",
    "Say \"hi\"",
    "=Formula",
    "Tab\tbed",
    " Spaced ",
    "Semi;colon|pipe",
    "connect:Kind",
    "import_of",
    "Zoe\u{308}",
    "level",
    "-",
    "Comma, and more",
    "\u{200b}hidden",
    "user",
];
const VALUES: [&str; 14] = [
    "German",
    "B: C",
    "C",
    "-",
    "=1+1",
    "+49 30 1",
    "0",
    "  x",
    "'t Hooft",
    "line\nbreak",
    "5",
    "value; other",
    "'=y",
    "connect:v",
];
const NAMES: [&str; 12] = [
    "jdoe",
    "JDoe",
    "Zo\u{eb}",
    "Zoe\u{308}",
    "=cmd|' /C calc'!A0",
    "'=jdoe",
    " blank",
    "tab\tbed",
    "a;b,c|d\"e\"",
    "12345",
    "@home",
    "arn:aws:connect:eu-central-1:111122223333:instance/elsewhere/agent/x",
];

type Pair = (usize, usize);

#[derive(Clone, Debug)]
struct Centre {
    /// Pairs that the instance knows.
    known: BTreeSet<Pair>,
    /// Of each user what it has.
    held: Vec<BTreeMap<Pair, f32>>,
    is_wide: bool,
    switches: Switches,
    seed: u64,
    fault: f64,
    lives: Vec<Duration>,
}

fn centre() -> impl Strategy<Value = Centre> {
    let pair = || (0..ATTRIBUTES.len(), 0..VALUES.len());
    let level = prop_oneof![20 => (1..=5_u8).prop_map(f32::from), 1 => Just(2.5), 1 => Just(0.5)];
    let pairs = prop::collection::vec((pair(), level), 1..16);
    let picks = prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..5), 1..NAMES.len());
    let forgotten = prop::collection::vec(any::<prop::sample::Index>(), 0..2);
    let how = (any::<bool>(), prop::sample::select(Switches::matrix()), any::<u64>(), 0.0..0.05_f64);
    let lives = prop::collection::vec((1_u64..900).prop_map(Duration::from_millis), 0..3);
    (pairs, picks, forgotten, how, lives).prop_map(
        |(pairs, picks, forgotten, (is_wide, (_, switches), seed, fault), lives)| {
            let held =
                picks.iter().map(|picks| picks.iter().map(|pick| pairs[pick.index(pairs.len())]).collect()).collect();
            let mut known: BTreeSet<Pair> = pairs.iter().map(|(pair, _)| *pair).collect();
            for pick in forgotten {
                known.remove(&pairs[pick.index(pairs.len())].0);
            }
            Centre { known, held, is_wide, switches, seed, fault, lives }
        },
    )
}

impl Centre {
    /// Whether a file of the form can say that somebody has this.
    fn is_sayable(&self, pair: Pair, level: f32) -> bool {
        let (attribute, value) = (ATTRIBUTES[pair.0], VALUES[pair.1]);
        let is_seen = |name: &str| !name.contains(['\t', '\n']) && !name.starts_with('\u{200b}');
        let is_system = |name: &str| name.starts_with("connect:");
        // What is the system's is not looked up, so nobody knows which spaces are its own.
        let is_known = if is_system(attribute) {
            value.trim() == value
        } else {
            self.known.contains(&pair) || (is_system(value) && self.known.iter().any(|(known, _)| *known == pair.0))
        };
        let is_level = (1.0..=5.0).contains(&level) && (level.fract() == 0.0 || !self.is_wide);
        is_seen(attribute) && is_seen(value) && is_known && is_level
    }

    fn world(&self) -> World {
        let mut centre = Instance::new(INSTANCE).with_max_proficiencies(20);
        for (attribute, value) in &self.known {
            centre.add_attribute(ATTRIBUTES[*attribute], [VALUES[*value]]);
        }
        for (n, held) in self.held.iter().enumerate() {
            let held = held.iter().map(|((attribute, value), level)| (ATTRIBUTES[*attribute], VALUES[*value], *level));
            centre.add_user(user_id(n), NAMES[n], held);
        }
        let faults = [Fault::InternalError, Fault::Throttle, Fault::CutBefore, Fault::CutAfter];
        let faults = faults
            .into_iter()
            .fold(Faults::seeded(self.seed), |faults, fault| faults.rule(Rule::new(fault).randomly(self.fault)));
        let emulator =
            Emulator::builder(centre).quotas(Quotas::all(20.0, 5)).switches(self.switches.clone()).faults(faults);
        let settings = [
            ("REPORT_BUCKET", BUCKET),
            ("REQUESTS_PER_SECOND", "20"),
            ("REQUEST_BURST", "5"),
            ("MAX_PROFICIENCIES_PER_USER", "20"),
        ];
        World::built(emulator.latency(Duration::from_millis(40)), &settings)
    }
}

/// What all users have, as the emulator knows it.
fn all_held(world: &World) -> Vec<BTreeMap<(String, String), String>> {
    let of = |n| {
        let held = world.emulator.instance(|centre| centre.proficiencies(&user_id(n)));
        held.into_iter().map(|(pair, level)| (pair, level.to_string())).collect()
    };
    (0..NAMES.len()).map(of).collect()
}

fn n_writes(world: &World) -> usize {
    let is_write = |name: &str| name.contains("ssociate") || name.starts_with("Update");
    world.calls().into_iter().filter(|(name, _)| is_write(name)).map(|(_, n)| n).sum()
}

/// Every row of it is as it is, or there was none to look at.
fn assert_unchanged(report: &Report, n_rows: u64) {
    let is_without_rows = matches!(report.summary["code"].as_str(), Some("no_rows" | "missing_column" | "empty_file"));
    if n_rows == 0 && is_without_rows {
        return;
    }
    assert_eq!(report.status(), "succeeded", "{:#} {:?}", report.summary, report.results);
    assert_eq!(report.summary["rows"]["unchanged"], n_rows, "{:#} {:?}", report.summary, report.results);
}

async fn check(case: Centre) {
    let mut world = case.world();
    let before = all_held(&world);
    let form = if case.is_wide { "wide" } else { "long" };
    let request = json!({"export": "proficiencies", "form": form, "import_id": "law"});
    let report = world.import_killed(request, &case.lives).await;
    world.emulator.set_faults(Faults::none());
    let Some(table) = table(&world, &report) else {
        assert_eq!(
            (report.status(), report.summary["code"].as_str()),
            ("rejected", Some("no_sheet")),
            "{:#}",
            report.summary
        );
        assert!(case.is_wide);
        return;
    };
    let n_left_out = report.summary["users"]["with_errors"].as_u64().unwrap();
    let status = if n_left_out > 0 { "completed_with_errors" } else { "succeeded" };
    assert_eq!(report.status(), status, "{:#}", report.summary);
    let n_rows = report.summary["rows"]["unchanged"].as_u64().unwrap();
    let has_actions = table.lines().next().unwrap().ends_with(",action");
    for folder in ["", "mode=replace/"] {
        if has_actions && !folder.is_empty() {
            continue;
        }
        let back = world.drop_file(&format!("incoming/{folder}back.csv"), format!("\u{feff}{table}")).await;
        assert_unchanged(&back, n_rows);
    }
    assert_eq!(n_writes(&world), 0, "nothing is written");
    assert_eq!(all_held(&world), before);
    // It says all that users have, but for those of whom no such file can.
    let (mut n_told, mut n_unsaid) = (0, 0);
    for held in &case.held {
        if held.iter().all(|(pair, level)| case.is_sayable(*pair, *level)) {
            n_told += held.len() as u64;
        } else {
            n_unsaid += 1;
        }
    }
    assert_eq!((n_rows, n_left_out), (n_told, n_unsaid), "{:#}\n{table}", report.summary);
}

proptest! {
    #![proptest_config(cases(96))]
    #[test]
    fn dropped_back_it_finds_all_as_it_is(case in centre()) {
        run(check(case));
    }
}

/// The settings of one channel: switches, seconds, and what of a phone.
type Settings = (Option<bool>, Option<u32>, Option<&'static str>, Option<&'static str>, Option<bool>);

fn settings() -> impl Strategy<Value = Settings> {
    let phone = prop::option::of(prop::sample::select(vec!["SOFT_PHONE", "DESK_PHONE"]));
    let number = prop::option::of(prop::sample::select(vec!["+4930901820", "030 1", "", "=1"]));
    let seconds = prop::option::of(prop::sample::select(vec![0, 30, 2_000_000]));
    (prop::option::of(any::<bool>()), seconds, phone, number, prop::option::of(any::<bool>()))
}

/// As the service has them, past all checks.
fn lists(channels: &[Settings]) -> serde_json::Value {
    let (mut accepts, mut work, mut phones, mut persistent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (channel, (accept, seconds, phone, number, is_persistent)) in
        ["VOICE", "CHAT", "TASK", "EMAIL"].iter().zip(channels)
    {
        if let Some(accept) = accept {
            accepts.push(json!({"Channel": channel, "AutoAccept": accept}));
        }
        if let Some(seconds) = seconds {
            work.push(json!({"Channel": channel, "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": seconds}}));
        }
        if let Some(phone) = phone {
            let mut item = json!({"Channel": channel, "PhoneType": phone});
            if let Some(number) = number {
                item["PhoneNumber"] = json!(number);
            }
            phones.push(item);
        }
        if let Some(is_persistent) = is_persistent {
            persistent.push(json!({"Channel": channel, "PersistentConnection": is_persistent}));
        }
    }
    json!({"AutoAcceptConfigs": accepts, "AfterContactWorkConfigs": work, "PhoneNumberConfigs": phones, "PersistentConnectionConfigs": persistent})
}

async fn check_settings(users: Vec<Vec<Settings>>, lives: Vec<Duration>, switches: Switches) {
    let mut centre = Instance::new(INSTANCE);
    for (n, channels) in users.iter().enumerate() {
        centre.add_user(user_id(n), NAMES[n], Vec::<(String, String, f32)>::new());
        centre.set_config(&user_id(n), serde_json::from_value(lists(channels)).unwrap());
    }
    let emulator =
        Emulator::builder(centre).quotas(Quotas::all(20.0, 5)).switches(switches).latency(Duration::from_millis(40));
    let mut world =
        World::built(emulator, &[("REPORT_BUCKET", BUCKET), ("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "5")]);
    let report = world.import_killed(json!({"export": "user_config", "import_id": "law"}), &lives).await;
    let n_rows = report.summary["rows"]["unchanged"].as_u64().unwrap();
    let back = world.drop_file("incoming/back.csv", format!("\u{feff}{}", table(&world, &report).unwrap())).await;
    assert_unchanged(&back, n_rows);
    assert_eq!(n_writes(&world), 0);
    // A row for each channel that has something that a row can say.
    let has_row = |(accept, seconds, phone, _, is_persistent): &Settings, n: usize| {
        accept.is_some() || seconds.is_some() || (n == 0 && (phone.is_some() || is_persistent.is_some()))
    };
    let n_expected: usize =
        users.iter().map(|of| of.iter().enumerate().filter(|(n, it)| has_row(it, *n)).count()).sum();
    assert_eq!(n_rows, n_expected as u64, "{:#}", report.summary);
    let is_odd = |(_, _, phone, number, is_persistent): &Settings, n: usize| {
        let is_odd_number = phone.is_some() && !matches!(number, None | Some("" | "+4930901820"));
        is_odd_number || (n > 0 && (phone.is_some() || is_persistent.is_some()))
    };
    let n_odd = users.iter().filter(|channels| channels.iter().enumerate().any(|(n, of)| is_odd(of, n))).count();
    assert_eq!(report.summary["users"]["with_errors"], n_odd, "{:#}", report.summary);
}

proptest! {
    #![proptest_config(cases(48))]
    #[test]
    fn settings_that_are_dropped_back_are_found_as_they_are(
        users in prop::collection::vec(prop::collection::vec(settings(), 0..4), 1..6),
        lives in prop::collection::vec((1_u64..900).prop_map(Duration::from_millis), 0..3),
        switches in prop::sample::select(Switches::matrix()),
    ) {
        run(check_settings(users, lives, switches.1));
    }
}
