//! What holds for any centre, any file, any fault and any kill.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule, Switches};
use import_testkit::{MemoryS3, Versioning};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::world::{BUCKET, Report, World, instance, run, user_id};

pub const N_USERS: usize = 5;
pub const N_PRODUCTS: usize = 12;

/// Ends are told, and that takes as long as some calls do: so kills fall into it.
const TOLD: [(&str, &str); 2] =
    [("EVENT_BUS_NAME", "law"), ("NOTICE_TOPIC_ARN", "arn:aws:sns:eu-central-1:111122223333:law")];
const TOLD_LATENCY: Duration = Duration::from_millis(200);

pub type Sets = Vec<BTreeMap<String, u8>>;

/// A row as the file has it; some are wrong.
#[derive(Clone, Debug)]
struct Row {
    user: String,
    product: String,
    level: String,
    action: &'static str,
    if_level: &'static str,
}

#[derive(Clone, Debug)]
struct Case {
    held: Sets,
    rows: Vec<Row>,
    has_actions: bool,
    has_conditions: bool,
    replaces: bool,
    switches: Switches,
    seed: u64,
    fault: f64,
    lives: Vec<Duration>,
}

pub fn product(n: usize) -> String {
    format!("P{n:02}")
}

fn row() -> impl Strategy<Value = Row> {
    let user = prop_oneof![
        12 => (0..N_USERS).prop_map(|n| format!("agent{n:03}")),
        4 => (0..N_USERS).prop_map(user_id),
        1 => Just("nobody".to_owned()),
        1 => Just(String::new()),
    ];
    let product = prop_oneof![14 => (0..N_PRODUCTS).prop_map(product), 1 => Just("P99".to_owned())];
    let level = prop_oneof![14 => (1..=5_u8).prop_map(|level| level.to_string()), 1 => Just("six".to_owned())];
    let action = prop_oneof![4 => Just(""), 1 => Just("remove")];
    let if_level = prop_oneof![4 => Just(""), 2 => Just("none"), 2 => Just("3"), 1 => Just("4")];
    (user, product, level, action, if_level).prop_map(|(user, product, level, action, if_level)| Row {
        user,
        product,
        level,
        action,
        if_level,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let set = prop::collection::btree_map((0..N_PRODUCTS).prop_map(product), 1..=5_u8, 0..=10);
    let forms = (any::<bool>(), any::<bool>(), any::<bool>());
    let how = (forms, prop::sample::select(Switches::matrix()), any::<u64>(), 0.0..0.08_f64);
    let lives = prop::collection::vec((1_u64..1500).prop_map(Duration::from_millis), 0..4);
    (prop::collection::vec(set, N_USERS), prop::collection::vec(row(), 1..30), how, lives).prop_map(
        |(held, rows, ((has_actions, has_conditions, replaces), (_, switches), seed, fault), lives)| {
            // A file with actions or conditions is never the whole truth.
            let (has_actions, has_conditions) = (has_actions && !replaces, has_conditions && !replaces);
            Case { held, rows, has_actions, has_conditions, replaces, switches, seed, fault, lives }
        },
    )
}

pub fn sets(world: &World) -> Sets {
    let of_user = |n| {
        let held = world.emulator.instance(|centre| centre.proficiencies(&user_id(n)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
        let pairs = held.into_iter().map(|((_, value), level)| (value, level as u8));
        pairs.collect()
    };
    (0..N_USERS).map(of_user).collect()
}

/// A file of some kind, the centre that it is dropped into, and what befalls its import.
#[derive(Clone, Debug)]
pub struct Dropped {
    pub held: Sets,
    /// What a user may have.
    pub limit: usize,
    pub replaces: bool,
    pub switches: Switches,
    pub seed: u64,
    pub fault: f64,
    pub lives: Vec<Duration>,
    pub bytes: Vec<u8>,
    /// The file that overtakes it, if one does.
    pub newer: Vec<u8>,
    pub n_rows: usize,
}

impl Dropped {
    fn of(case: &Case) -> Self {
        let optional = |has: bool, cell: &str| if has { format!(",{cell}") } else { String::new() };
        let (action, if_level) = (optional(case.has_actions, "action"), optional(case.has_conditions, "if_level"));
        let mut csv = format!("user,attribute,value,level{action}{if_level}\n");
        for Row { user, product, level, action, if_level } in &case.rows {
            let (action, if_level) = (optional(case.has_actions, action), optional(case.has_conditions, if_level));
            csv.push_str(&format!("{user},Product,{product},{level}{action}{if_level}\n"));
        }
        Self {
            held: case.held.clone(),
            limit: 10,
            replaces: case.replaces,
            switches: case.switches.clone(),
            seed: case.seed,
            fault: case.fault,
            lives: case.lives.clone(),
            newer: csv.replace(",1\n", ",2\n").replace(",5\n", ",4\n").into_bytes(),
            bytes: csv.into_bytes(),
            n_rows: case.rows.len(),
        }
    }

    /// The centre and the bucket, at so many requests a second.
    pub fn world(&self, rate: u32, burst: u32, faults: Faults) -> World {
        let mut centre = instance(0).with_max_proficiencies(self.limit);
        for (n, held) in self.held.iter().enumerate() {
            let held = held.iter().map(|(value, level)| ("Product", value.clone(), f32::from(*level)));
            centre.add_user(user_id(n), format!("agent{n:03}"), held);
        }
        let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
        s3.set_latency(Duration::from_millis(15));
        let (limit, rate_text, burst_text) = (self.limit.to_string(), rate.to_string(), burst.to_string());
        let settings = [
            ("REQUESTS_PER_SECOND", rate_text.as_str()),
            ("REQUEST_BURST", burst_text.as_str()),
            ("MAX_PROFICIENCIES_PER_USER", limit.as_str()),
            ("MAX_REMOVALS_PERCENT", "100"),
        ];
        let emulator = Emulator::builder(centre).switches(self.switches.clone()).faults(faults);
        let emulator = emulator.latency(Duration::from_millis(40)).quotas(Quotas::all(f64::from(rate), burst));
        let world = World::over(emulator, &s3, &[&settings, &TOLD[..]].concat());
        world.told.set_latency(TOLD_LATENCY);
        world
    }

    /// What fails at random.
    pub fn faults(&self) -> Faults {
        let fault = |fault| Rule::new(fault).randomly(self.fault / 4.0);
        let faults = [Fault::Throttle, Fault::InternalError, Fault::CutBefore, Fault::CutAfter];
        faults.map(fault).into_iter().fold(Faults::seeded(self.seed), Faults::rule)
    }

    /// Imports it under faults, and killed after each of its lives.
    pub async fn import(&self) -> (World, Report) {
        self.import_as(false).await
    }

    /// The same, or a dry run of it.
    pub async fn import_as(&self, dry_run: bool) -> (World, Report) {
        let mut world = self.world(20, 5, self.faults());
        world.s3.put(BUCKET, "lists/a.csv", self.bytes.clone());
        let request = json!({
            "source": "s3://imports/lists/a.csv", "import_id": "law", "dry_run": dry_run,
            "mode": if self.replaces { "replace" } else { "merge" },
            "max_removals_percent": 100, "max_invalid_percent": 100,
        });
        let report = world.import_killed(request, &self.lives).await;
        (world, report)
    }
}

/// Any file of the long form, any centre, and whatever befalls the import.
pub fn dropped() -> impl Strategy<Value = Dropped> {
    case().prop_map(|case| Dropped::of(&case))
}

/// What withheld.csv names of a user.
pub fn withheld(report: &Report, n: usize) -> BTreeSet<String> {
    let rows = report.withheld.as_deref().unwrap_or_default().lines().skip(1);
    let of_user = rows.filter(|row| row.starts_with(&user_id(n)));
    of_user.map(|row| row.split(',').nth(2).unwrap().to_owned()).collect()
}

/// Whether the end of an import is told as its summary tells it: by metrics, by an event and by a notice.
pub fn is_told(world: &World, report: &Report) -> bool {
    let is_event = |event: &Value| {
        let mut detail: Value = serde_json::from_str(event["Detail"].as_str().unwrap()).unwrap();
        detail.as_object_mut().unwrap().remove("report");
        detail == report.summary
    };
    let import_id = report.summary["import_id"].as_str().unwrap();
    world.told.metrics().iter().any(|line| line["import_id"] == import_id)
        && world.told.events().iter().any(is_event)
        && world.told.notices().iter().any(|notice| notice.text.contains(import_id))
}

async fn check(case: Case) {
    let (world, report) = Dropped::of(&case).import().await;
    let after = sets(&world);
    report.counts();
    let rows = report.rows();
    assert_eq!(rows.len(), case.rows.len(), "each row is told once");
    assert!(is_told(&world, &report), "the end is told: {}", report.summary);

    let mut named = vec![BTreeSet::new(); N_USERS];
    let mut has_errors = [false; N_USERS];
    for (row, [_, status, code, message]) in case.rows.iter().zip(&rows) {
        let of = |n: &usize| row.user == user_id(*n) || row.user == format!("agent{n:03}");
        let Some(n) = (0..N_USERS).find(of) else {
            assert_eq!(status, "invalid", "{row:?}");
            continue;
        };
        let (before, now) = (case.held[n].get(&row.product), after[n].get(&row.product).copied());
        let wanted = row.level.parse().ok().filter(|_| !(case.has_actions && row.action == "remove"));
        match status.as_str() {
            "added" => assert!(before.is_none() && now == wanted && now.is_some(), "{row:?}: {before:?} -> {now:?}"),
            "updated" => assert!(before.is_some() && now == wanted && now.is_some(), "{row:?}: {before:?} -> {now:?}"),
            "removed" => assert!(before.is_some() && now.is_none() && wanted.is_none(), "{row:?}"),
            "kept" => {
                let condition = if row.if_level == "none" { None } else { Some(row.if_level.parse().unwrap()) };
                let holds = !case.has_conditions || row.if_level.is_empty() || condition == before.copied();
                assert!(now == before.copied() && now != wanted && (!holds || message.contains("room")), "{row:?}");
            }
            "unchanged" => assert!(now == before.copied() && now == wanted, "{row:?}: {before:?} -> {now:?}"),
            // Like the row that it repeats, which may not have gone well.
            "duplicate" => assert!(now == wanted || has_errors[n], "{row:?}: {before:?} -> {now:?}"),
            "invalid" => has_errors[n] = true,
            other => panic!("{row:?} is {other} ({code}): {message}"),
        }
        if status != "invalid" {
            named[n].insert(row.product.clone());
        }
    }
    let removed: BTreeSet<&str> = report.removed.as_deref().unwrap_or_default().lines().skip(1).collect();
    for n in 0..N_USERS {
        for (product, level) in &case.held[n] {
            let is_told = removed.iter().any(|row| {
                row.ends_with(&format!(",Product,{product},{level}"))
                    && (row.starts_with(&user_id(n)) || row.starts_with(&format!("agent{n:03}")))
            });
            if named[n].contains(product) {
                assert!(!is_told, "agent{n:03} {product}");
            } else if is_told {
                assert!(case.replaces && !after[n].contains_key(product), "agent{n:03} {product}");
            } else {
                assert_eq!(after[n].get(product), Some(level), "agent{n:03} {product} is not named, nor told");
            }
        }
        assert!(after[n].keys().all(|product| case.held[n].contains_key(product) || named[n].contains(product)));
        if case.replaces && !named[n].is_empty() && !has_errors[n] && !rows.iter().any(|row| row[2] == "missing_field")
        {
            let withheld = withheld(&report, n);
            let left: BTreeSet<&String> = named[n].iter().chain(&withheld).collect();
            assert_eq!(after[n].keys().collect::<BTreeSet<_>>(), left, "agent{n:03}");
            assert_eq!(named[n].intersection(&withheld).count(), 0, "agent{n:03}");
        }
        let smallest = world.emulator.instance(|centre| centre.smallest_set(&user_id(n)));
        let is_on_the_way = !case.held[n].is_empty() && !after[n].is_empty();
        assert!(smallest > 0 || !is_on_the_way, "agent{n:03} had nothing on the way");
    }
    if let Some(undo) = report.undo {
        world.emulator.set_faults(Faults::none());
        world.drop_file("incoming/undo.csv", undo).await;
    }
    assert_eq!(sets(&world), case.held, "undo.csv takes back all of it");
}

proptest! {
    #![proptest_config(crate::world::cases(128))]
    #[test]
    fn whatever_happens_the_report_tells_what_is(case in case()) {
        run(check(case));
    }
}

/// What befalls an import for good, some time after it began.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The permission for an operation is taken away.
    Denied(Operation),
    /// A person cancels it.
    Cancelled,
    /// An operation answers nothing but failures for so many seconds.
    Down(Operation, u64),
    /// The object is deleted for good.
    Deleted,
    /// A newer object of the same name is imported meanwhile.
    Overtaken,
}

pub fn trouble() -> impl Strategy<Value = (Duration, Trouble)> {
    let operations = [
        Operation::ListUsers,
        Operation::SearchPredefinedAttributes,
        Operation::ListUserProficiencies,
        Operation::AssociateUserProficiencies,
        Operation::UpdateUserProficiencies,
        Operation::DisassociateUserProficiencies,
    ];
    let operation = || prop::sample::select(operations.to_vec());
    let trouble = prop_oneof![
        2 => operation().prop_map(Trouble::Denied),
        2 => Just(Trouble::Cancelled),
        2 => (operation(), 1_u64..240).prop_map(|(operation, seconds)| Trouble::Down(operation, seconds)),
        1 => Just(Trouble::Deleted),
        1 => Just(Trouble::Overtaken),
    ];
    ((1_u64..2500).prop_map(Duration::from_millis), trouble)
}

/// Whatever stops an import, it ends; each row is told once and as it is; and undo.csv takes back all of it.
pub async fn check_in_trouble(case: Dropped, (after, trouble): (Duration, Trouble)) {
    let mut world = case.world(5, 3, Faults::none());
    let key = if case.replaces { "incoming/mode=replace/a.csv" } else { "incoming/a.csv" };
    let event = world.dropped(key, &case.bytes);
    let newer = matches!(trouble, Trouble::Overtaken)
        .then(|| (World::beside(&world.emulator, &world.s3, &world.settings()), world.dropped(key, &case.newer)));
    let (emulator, s3) = (world.emulator.clone(), world.s3.clone());
    let version = event["detail"]["object"]["version-id"].as_str().unwrap().to_owned();
    let befalls = async {
        tokio::time::sleep(after).await;
        match &trouble {
            Trouble::Denied(operation) => {
                emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(*operation)));
            }
            Trouble::Cancelled => {
                let summary = s3.keys(BUCKET, "reports/").into_iter().find(|key| key.ends_with("/summary.json"));
                summary.map(|key| s3.put(BUCKET, &key.replace("summary.json", "cancel"), ""));
            }
            Trouble::Down(operation, seconds) => {
                emulator.set_faults(Faults::none().rule(Rule::new(Fault::InternalError).on(*operation)));
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                emulator.set_faults(Faults::none());
            }
            Trouble::Deleted => {
                // Not before the import has begun: then there is none, and no report.
                tokio::time::sleep(Duration::from_millis(150)).await;
                s3.delete_version(BUCKET, key, &version);
            }
            Trouble::Overtaken => {}
        }
        // The newer one has its turn when the older has not: they are of one group.
        std::future::pending::<()>().await;
    };
    let imported = async {
        if let Some((other, newer)) = &newer {
            let _ = timeout(after, world.invoke(event.clone())).await;
            world.restart();
            let newer = other.import(newer.clone()).await;
            return (world.import(event).await, Some(newer));
        }
        (world.import_killed(event, &case.lives).await, None)
    };
    let (report, newer) = tokio::select! {
        reports = imported => reports,
        () = befalls => unreachable!("it does not end"),
    };

    assert!(is_told(&world, &report), "the end is told: {}", report.summary);
    let total: u64 = report.summary["rows"]["total"].as_u64().unwrap();
    // Of a file that is gone an earlier delivery may have written the rows; the summary has what the journal knows.
    if report.results.is_some() && report.summary["code"] != "object_gone" {
        report.counts();
        assert_eq!(total, case.n_rows as u64, "each row is told once");
    }
    let statuses = ["succeeded", "completed_with_errors", "failed", "cancelled", "rejected"];
    assert!(statuses.contains(&report.status()), "{}", report.summary);
    if matches!(trouble, Trouble::Down(..)) {
        assert_eq!(report.summary["rows"]["failed"], 0, "an outage fails no row: {}", report.summary);
    }
    world.emulator.set_faults(Faults::none());
    for (n, undo) in [newer.and_then(|newer| newer.undo), report.undo].into_iter().flatten().enumerate() {
        world.drop_file(&format!("incoming/undo-{n}.csv"), undo).await;
    }
    assert_eq!(sets(&world), case.held, "undo.csv takes back all of it: {}", report.summary);
}

proptest! {
    #![proptest_config(crate::world::cases(96))]
    #[test]
    fn whatever_stops_it_the_undo_takes_back_all_of_it(case in case(), trouble in trouble()) {
        run(check_in_trouble(Dropped::of(&case), trouble));
    }
}
