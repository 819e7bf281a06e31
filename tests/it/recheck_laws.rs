//! Whether users are read again or not, they end as they would: for any sequence of imports, undos and deaths.

use std::collections::BTreeMap;
use std::time::Duration;

use connect_emulator::Switches;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::laws::{Dropped, N_PRODUCTS, N_USERS, Sets, product, sets};
use crate::world::{BUCKET, Report, World, cases, proficiencies, run, user_id};

/// Of each user and product the level.
type Rows = BTreeMap<(usize, usize), u8>;

/// One night: which of the files is imported, what is changed in it for good before, and how.
#[derive(Clone, Debug)]
struct Night {
    file: usize,
    edits: Vec<((usize, usize), Option<u8>)>,
    replaces: bool,
    recheck_days: u8,
    lives: Vec<Duration>,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Import(Night),
    /// An import that is killed, and is not delivered again for now.
    Abandon(Night, Duration),
    /// The import that was abandoned first comes again.
    Resume,
    /// The undo of an import, counted from the last.
    Undo(usize, Vec<Duration>),
}

#[derive(Clone, Debug)]
struct Story {
    held: Sets,
    files: Vec<Rows>,
    steps: Vec<Step>,
    switches: Switches,
    seed: u64,
    fault: f64,
}

fn pair() -> impl Strategy<Value = (usize, usize)> {
    (0..N_USERS, 0..N_PRODUCTS)
}

fn lives() -> impl Strategy<Value = Vec<Duration>> {
    prop::collection::vec((1_u64..1500).prop_map(Duration::from_millis), 0..3)
}

fn night() -> impl Strategy<Value = Night> {
    let edits = prop::collection::vec((pair(), prop::option::weighted(0.7, 1..=5_u8)), 0..3);
    let recheck_days = prop_oneof![4 => Just(28_u8), 1 => Just(0)];
    (0..2_usize, edits, prop::bool::weighted(0.4), recheck_days, lives())
        .prop_map(|(file, edits, replaces, recheck_days, lives)| Night { file, edits, replaces, recheck_days, lives })
}

fn step(abandons: bool) -> impl Strategy<Value = Step> {
    let abandoned = if abandons { 2 } else { 0 };
    prop_oneof![
        6 => night().prop_map(Step::Import),
        2 => (0..3_usize, lives()).prop_map(|(nth, lives)| Step::Undo(nth, lives)),
        abandoned => (night(), 50_u64..1500).prop_map(|(night, life)| Step::Abandon(night, Duration::from_millis(life))),
        abandoned => Just(Step::Resume),
    ]
}

fn story(abandons: bool) -> impl Strategy<Value = Story> {
    let set = prop::collection::btree_map((0..N_PRODUCTS).prop_map(product), 1..=5_u8, 0..=8);
    let rows = prop::collection::btree_map(pair(), 1..=5_u8, 1..20);
    let (held, files) = (prop::collection::vec(set, N_USERS), prop::collection::vec(rows, 2));
    let steps = prop::collection::vec(step(abandons), 2..9);
    let switches = prop::sample::select(Switches::matrix());
    (held, files, steps, switches, any::<u64>(), 0.0..0.04_f64).prop_map(
        |(held, files, steps, (_, switches), seed, fault)| Story { held, files, steps, switches, seed, fault },
    )
}

/// A centre in which a story goes on.
struct Stage {
    world: World,
    files: Vec<Rows>,
    /// Undos of imports, the last one at the end.
    undos: Vec<String>,
    abandoned: Vec<Value>,
    n_imports: usize,
    /// Whether what a night says of rechecks counts.
    rechecks: bool,
}

impl Stage {
    fn new(story: &Story, rechecks: bool) -> Self {
        let centre = Dropped {
            held: story.held.clone(),
            limit: 20,
            replaces: false,
            switches: story.switches.clone(),
            seed: story.seed,
            fault: story.fault,
            lives: Vec::new(),
            bytes: Vec::new(),
            newer: Vec::new(),
            n_rows: 0,
        };
        let world = centre.world(20, 5, centre.faults());
        let files = story.files.clone();
        Self { world, files, undos: Vec::new(), abandoned: Vec::new(), n_imports: 0, rechecks }
    }

    /// The request of a night, whose file is there now, and the file's rows.
    fn request(&mut self, night: &Night) -> (Value, Rows) {
        let rows = &mut self.files[night.file];
        for (pair, level) in &night.edits {
            match level {
                Some(level) => _ = rows.insert(*pair, *level),
                None => _ = rows.remove(pair),
            }
        }
        let lines = rows.iter().map(|((n, of), level)| format!("agent{n:03},Product,{},{level}\n", product(*of)));
        let csv = proficiencies(lines.collect::<String>());
        self.n_imports += 1;
        let (name, recheck_days) =
            (format!("night {}", self.n_imports), if self.rechecks { night.recheck_days } else { 0 });
        let key = format!("nights/{}.csv", self.n_imports);
        self.world.s3.put(BUCKET, &key, csv);
        let request = json!({
            "source": format!("s3://imports/{key}"), "import_id": name, "recheck_days": recheck_days,
            "mode": if night.replaces { "replace" } else { "merge" }, "max_removals_percent": 100,
        });
        (request, rows.clone())
    }

    async fn import(&mut self, night: &Night) -> (Report, Rows) {
        let (request, rows) = self.request(night);
        let report = self.world.import_killed(request, &night.lives).await;
        self.undos.extend(report.undo.clone());
        (report, rows)
    }

    async fn undo(&mut self, nth: usize, lives: &[Duration]) -> Option<Report> {
        let undo = self.undos.iter().rev().nth(nth)?.clone();
        self.n_imports += 1;
        let event = self.world.dropped(&format!("incoming/undo{}.csv", self.n_imports), undo);
        Some(self.world.import_killed(event, lives).await)
    }
}

/// Night for night, the same story with rechecks and without.
async fn check_alike(story: Story) {
    let (mut with, mut without) = (Stage::new(&story, true), Stage::new(&story, false));
    let mut n_reads = (0, 0);
    for step in &story.steps {
        let (one, other) = match step {
            Step::Import(night) => {
                let ((one, _), (other, _)) = (with.import(night).await, without.import(night).await);
                (Some(one), Some(other))
            }
            Step::Undo(nth, lives) => (with.undo(*nth, lives).await, without.undo(*nth, lives).await),
            Step::Abandon(..) | Step::Resume => (None, None),
        };
        if let (Some(one), Some(other)) = (one, other) {
            assert_eq!(one.results.is_some(), other.results.is_some());
            if one.results.is_some() {
                assert_eq!(one.statuses(), other.statuses(), "{step:?}");
            }
            assert_eq!(
                (one.status(), &one.undo, &one.removed),
                (other.status(), &other.undo, &other.removed),
                "{step:?}"
            );
        }
        assert_eq!(sets(&with.world), sets(&without.world), "{step:?}");
        let reads = |stage: &Stage| stage.world.calls().get("ListUserProficiencies").copied().unwrap_or_default();
        n_reads = (reads(&with), reads(&without));
    }
    // Faults cost reads, too; without them there are never more.
    assert!(story.fault > 0.0 || n_reads.0 <= n_reads.1, "{n_reads:?}");
}

/// Every row that is said to be right is right, whatever was killed before, and whenever it came again.
async fn check_right(story: Story) {
    let mut stage = Stage::new(&story, true);
    let last = (0..2).map(|file| {
        let (edits, lives) = (Vec::new(), Vec::new());
        Step::Import(Night { file, edits, replaces: false, recheck_days: 28, lives })
    });
    for step in story.steps.iter().cloned().chain(last) {
        match &step {
            Step::Import(night) => {
                let (report, rows) = stage.import(night).await;
                assert_right(&stage.world, night, &report, &rows);
            }
            Step::Undo(nth, lives) => _ = stage.undo(*nth, lives).await,
            Step::Abandon(night, life) => {
                let (request, _) = stage.request(night);
                if timeout(*life, stage.world.invoke(request.clone())).await.is_err() {
                    stage.abandoned.push(request);
                }
                stage.world.restart();
            }
            Step::Resume if stage.abandoned.is_empty() => {}
            Step::Resume => {
                let request = stage.abandoned.remove(0);
                let report = stage.world.import(request).await;
                stage.undos.extend(report.undo);
            }
        }
    }
}

fn assert_right(world: &World, night: &Night, report: &Report, rows: &Rows) {
    let sets = sets(world);
    if report.results.is_none() {
        return;
    }
    for (((n, of), level), status) in rows.iter().zip(report.statuses()) {
        let held = sets[*n].get(&product(*of)).copied();
        let is_right = ["added", "updated", "unchanged"].contains(&status.as_str());
        assert!(!is_right || held == Some(*level), "agent{n:03} {}: {status}, and has {held:?}", product(*of));
    }
    if night.replaces && report.status() == "succeeded" {
        for (n, held) in sets.iter().enumerate() {
            let named = rows.iter().filter(|((user, _), _)| *user == n);
            let named: BTreeMap<_, _> = named.map(|((_, of), level)| (product(*of), *level)).collect();
            assert!(named.is_empty() || *held == named, "agent{n:03} has {held:?}, not {named:?}");
        }
    }
}

const CHANNELS: [&str; 3] = ["VOICE", "CHAT", "EMAIL"];

/// Of each user and channel: auto accept, and seconds of work after a contact. Nothing is an empty cell.
type ChannelRows = BTreeMap<(usize, usize), (Option<bool>, Option<u32>)>;

/// What happens next to settings: one of the files is imported, or an import is undone.
#[derive(Clone, Debug)]
enum ChannelStep {
    Import(usize, u8, Vec<Duration>),
    Undo(usize, Vec<Duration>),
}

fn channel_rows() -> impl Strategy<Value = ChannelRows> {
    let pair = (0..N_USERS, 0..CHANNELS.len());
    let seconds = prop::option::of(prop::sample::select(vec![0_u32, 30, 60]));
    prop::collection::btree_map(pair, (prop::option::of(any::<bool>()), seconds), 1..8)
}

/// Two files that set the same settings, some of them to other values.
fn channel_files() -> impl Strategy<Value = [ChannelRows; 2]> {
    (channel_rows(), prop::collection::vec(any::<bool>(), 8)).prop_map(|(rows, is_other)| {
        let others = rows.iter().zip(is_other).map(|((pair, (accept, seconds)), is_other)| {
            let changed = (accept.map(|accept| !accept), seconds.map(|seconds| if seconds == 30 { 60 } else { 30 }));
            (*pair, if is_other { changed } else { (*accept, *seconds) })
        });
        [rows.clone(), others.collect()]
    })
}

fn channel_steps() -> impl Strategy<Value = Vec<ChannelStep>> {
    let recheck_days = prop_oneof![4 => Just(28_u8), 1 => Just(0)];
    let import =
        (0..2_usize, recheck_days, lives()).prop_map(|(file, days, lives)| ChannelStep::Import(file, days, lives));
    let undo = (0..3_usize, lives()).prop_map(|(nth, lives)| ChannelStep::Undo(nth, lives));
    prop::collection::vec(prop_oneof![3 => import, 1 => undo], 2..8)
}

fn channel_csv(rows: &ChannelRows) -> String {
    let mut csv = "user,channel,auto_accept,after_contact_work_seconds\n".to_owned();
    for ((n, channel), (accept, seconds)) in rows {
        let accept = accept.map_or("", |accept| if accept { "yes" } else { "no" });
        let seconds = seconds.map_or(String::new(), |seconds| seconds.to_string());
        csv.push_str(&format!("agent{n:03},{},{accept},{seconds}\n", CHANNELS[*channel]));
    }
    csv
}

/// Night for night, settings with rechecks and without.
async fn check_channels_alike(files: [ChannelRows; 2], steps: Vec<ChannelStep>, seed: u64, fault: f64) {
    let (held, switches) = (vec![BTreeMap::new(); N_USERS], Switches::default());
    let story = Story { held, files: Vec::new(), steps: Vec::new(), switches, seed, fault };
    let (mut with, mut without) = (Stage::new(&story, true), Stage::new(&story, false));
    for (n, step) in steps.iter().enumerate() {
        let mut reports = Vec::new();
        for stage in [&mut with, &mut without] {
            let report = match step {
                ChannelStep::Undo(nth, lives) => stage.undo(*nth, lives).await,
                ChannelStep::Import(file, days, lives) => {
                    let key = format!("nights/{n}.csv");
                    stage.world.s3.put(BUCKET, &key, channel_csv(&files[*file]));
                    let recheck_days = if stage.rechecks { *days } else { 0 };
                    let source = format!("s3://imports/{key}");
                    let request = json!({"source": source, "import_id": n.to_string(), "recheck_days": recheck_days});
                    let report = stage.world.import_killed(request, lives).await;
                    stage.undos.extend(report.undo.clone());
                    Some(report)
                }
            };
            let told = report.map(|report| (report.results.is_some().then(|| report.statuses()), report.undo));
            let configs: Vec<_> =
                (0..N_USERS).map(|n| stage.world.emulator.instance(|centre| centre.config(&user_id(n)))).collect();
            reports.push((told, configs));
        }
        assert_eq!(reports[0], reports[1], "{step:?}");
    }
}

proptest! {
    #![proptest_config(cases(48))]
    #[test]
    fn with_rechecks_a_story_ends_as_it_does_without(story in story(false)) {
        run(check_alike(story));
    }

    #[test]
    fn with_rechecks_settings_end_as_they_do_without(
        files in channel_files(), steps in channel_steps(), seed in any::<u64>(), fault in 0.0..0.04_f64
    ) {
        run(check_channels_alike(files, steps, seed, fault));
    }

    #[test]
    fn what_is_said_to_be_right_is_right_whatever_was_killed_before(story in story(true)) {
        run(check_right(story));
    }
}
