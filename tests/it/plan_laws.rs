//! A plan does what the run itself would do; an undo spares what others did; a spoilt row loses nothing: for any centre and any
//! file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_emulator::{Faults, Switches};
use proptest::prelude::*;
use serde_json::json;

use crate::laws::{Dropped, N_PRODUCTS, N_USERS, Sets, dropped, product, sets};
use crate::sheet_laws::dropped_sheet;
use crate::world::{BUCKET, Report, World, run, user_id};

fn any_file() -> impl Strategy<Value = Dropped> {
    prop_oneof![2 => dropped(), 1 => dropped_sheet()]
}

fn lives() -> impl Strategy<Value = Vec<Duration>> {
    prop::collection::vec((1_u64..1500).prop_map(Duration::from_millis), 0..3)
}

/// A dry run, and then its plan dropped, is the run itself.
async fn check_plan(case: Dropped, lives: Vec<Duration>) {
    let (itself, done) = case.import().await;
    let (mut world, planned) = case.import_as(true).await;
    assert_eq!(sets(&world), case.held, "a dry run writes nothing");
    let would: Vec<_> = done.statuses_or_none().iter().map(|status| would(status)).collect();
    assert_eq!(planned.statuses_or_none(), would, "what would be done is what is done");
    assert_eq!((&planned.removed, &planned.withheld), (&done.removed, &done.withheld));
    if let Some(plan) = &planned.plan {
        let event = world.dropped("incoming/plan.csv", plan);
        let report = world.import_killed(event, &lives).await;
        assert_eq!(report.status(), "succeeded", "{}", report.summary);
        let n_rows = plan.lines().count() as u64 - 1;
        let counts = report.counts();
        let n_done: u64 = ["added", "updated", "removed"].iter().filter_map(|status| counts.get(*status)).sum();
        assert_eq!(n_done, n_rows, "each row does something: {counts:?}");
    }
    assert_eq!(sets(&world), sets(&itself), "{:?}", planned.plan);
}

fn would(status: &str) -> String {
    match status {
        "added" => "would_add",
        "updated" => "would_update",
        "removed" => "would_remove",
        other => other,
    }
    .to_owned()
}

impl Report {
    fn statuses_or_none(&self) -> Vec<String> {
        if self.results.is_some() { self.statuses() } else { Vec::new() }
    }
}

/// What others change: of which user which product, and to which level.
type Change = (usize, usize, Option<u8>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0..N_USERS, 0..N_PRODUCTS, prop::option::weighted(0.7, 1..=5_u8)), 0..12)
}

/// An import, then whatever others do, then its undo: what others changed stays as they left it, and all else is as before.
///
/// Where there is not room for all, nobody loses anything without getting all that there was.
async fn check_undo(mut case: Dropped, changes: Vec<Change>, has_room: bool, lives: Vec<Duration>) {
    case.limit = if has_room { 20 } else { 10 };
    let (mut world, report) = case.import().await;
    let imported = sets(&world);
    for (n, of, level) in &changes {
        let level = level.map(f32::from);
        world.emulator.instance(|centre| centre.set_level(&user_id(*n), "Product", &product(*of), level));
    }
    let changed = sets(&world);
    let Some(undo) = report.undo else {
        assert_eq!(imported, case.held);
        return;
    };
    let event = world.dropped("incoming/undo.csv", undo);
    let undone = world.import_killed(event, &lives).await;
    let now = sets(&world);
    for n in 0..N_USERS {
        let mut lacks = Vec::new();
        for of in (0..N_PRODUCTS).map(product) {
            let level = |sets: &Sets| sets[n].get(&of).copied();
            let is_theirs = level(&changed) != level(&imported);
            let expected = if is_theirs { level(&changed) } else { level(&case.held) };
            assert!(
                !is_theirs || level(&now) == expected,
                "agent{n:03} {of} was changed by others: {}",
                undone.summary
            );
            if level(&now) != expected {
                lacks.push(of);
            }
        }
        assert!(lacks.is_empty() || !has_room, "agent{n:03} lacks {lacks:?}: {}", undone.summary);
        let has_lost = changed[n].keys().any(|of| !now[n].contains_key(of));
        assert!(
            lacks.is_empty() || !has_lost,
            "agent{n:03} has lost something, and lacks {lacks:?}: {:?}",
            undone.rows()
        );
    }
    let is_right = |status: &String| ["added", "updated", "removed", "unchanged", "kept"].contains(&status.as_str());
    assert!(!has_room || undone.statuses().iter().all(is_right), "{:?}", undone.counts());
}

/// Names that are far from each other, though some differ by their case only.
const NAMES: [&str; N_USERS] = ["amy", "AMY", "000123", "j.doe@example.com", "M\u{fc}ller-L\u{fc}denscheidt"];
const COLUMNS: [&str; 5] = ["user", "attribute", "value", "level", "note"];

/// How a row is spoilt.
#[derive(Clone, Debug)]
enum Spoiling {
    /// Letters of its line are taken out, put in or replaced.
    Edit(Edit),
    /// Two such edits of the name.
    Name(Edit, Edit),
    /// The name is written another way.
    Wrapped(usize),
    /// The line is cut off.
    Cut(usize),
    /// The line ends in the middle.
    Broken(usize),
    /// The line does not end.
    Joined,
    /// All is in quotes.
    Quoted,
    /// Other delimiters.
    Delimited(char),
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Without(usize),
    With(usize, char),
    Instead(usize, char),
    Swapped(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let letters = "abzAZ019,,,;;\t|\"\" '.-_@\u{a0}\u{200b}\u{202e}\u{ff41}\u{e9}\u{0}\u{1b}";
    let letter = || prop::sample::select(letters.chars().collect::<Vec<_>>());
    let at = || 0..60_usize;
    prop_oneof![
        at().prop_map(Edit::Without),
        (at(), letter()).prop_map(|(at, letter)| Edit::With(at, letter)),
        (at(), letter()).prop_map(|(at, letter)| Edit::Instead(at, letter)),
        at().prop_map(Edit::Swapped),
    ]
}

fn spoiling() -> impl Strategy<Value = Spoiling> {
    prop_oneof![
        6 => edit().prop_map(Spoiling::Edit),
        3 => (edit(), edit()).prop_map(|(one, other)| Spoiling::Name(one, other)),
        4 => (0..8_usize).prop_map(Spoiling::Wrapped),
        1 => (0..60_usize).prop_map(Spoiling::Cut),
        1 => (0..60_usize).prop_map(Spoiling::Broken),
        1 => Just(Spoiling::Joined),
        1 => Just(Spoiling::Quoted),
        1 => prop::sample::select(vec![';', '\t', '|', ' ']).prop_map(Spoiling::Delimited),
    ]
}

impl Edit {
    fn of(self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        let n = letters.len().max(1);
        match self {
            Self::Without(at) => _ = letters.remove(at % n),
            Self::With(at, letter) => letters.insert(at % (n + 1), letter),
            Self::Instead(at, letter) => letters[at % n] = letter,
            Self::Swapped(at) if n > 1 => letters.swap(at % (n - 1), at % (n - 1) + 1),
            Self::Swapped(_) => {}
        }
        letters.into_iter().collect()
    }
}

/// A name as people, directories and spreadsheets write it.
fn wrapped(name: &str, how: usize) -> String {
    let first: String = name.chars().take(1).collect();
    let rest: String = name.chars().skip(1).collect();
    let wide = |letter: char| {
        char::from_u32(u32::from(letter) + 0xfee0).filter(|_| letter.is_ascii_graphic()).unwrap_or(letter)
    };
    match how {
        0 => format!("CORP\\{name}"),
        1 => format!("\"\"\"{name}\"\"\""),
        2 => name.chars().map(wide).collect(),
        3 => name.trim_start_matches('0').to_owned(),
        4 => {
            format!("{}{rest}", if first == first.to_uppercase() { first.to_lowercase() } else { first.to_uppercase() })
        }
        5 => format!("{name}."),
        6 => format!("{name} <{name}@example.com>"),
        _ => String::new(),
    }
}

#[derive(Clone, Debug)]
struct SpoiltCase {
    held: Sets,
    /// Of each user and product the level.
    rows: BTreeMap<(usize, usize), u8>,
    order: Vec<usize>,
    columns: Vec<&'static str>,
    spoilt: usize,
    spoiling: Spoiling,
}

fn spoilt_case() -> impl Strategy<Value = SpoiltCase> {
    let set = prop::collection::btree_map((0..N_PRODUCTS).prop_map(product), 1..=5_u8, 0..=8);
    let rows = prop::collection::btree_map((0..N_USERS, 0..N_PRODUCTS), 1..=5_u8, 1..25);
    let columns = prop_oneof![Just(COLUMNS.to_vec()), Just(COLUMNS.to_vec()).prop_shuffle()];
    let order = rows.prop_flat_map(|rows| {
        let order = Just((0..rows.len()).collect::<Vec<_>>()).prop_shuffle();
        (Just(rows), order)
    });
    (prop::collection::vec(set, N_USERS), order, columns, any::<prop::sample::Index>(), spoiling()).prop_map(
        |(held, (rows, order), columns, spoilt, spoiling)| {
            let spoilt = spoilt.index(order.len());
            SpoiltCase { held, rows, order, columns, spoilt, spoiling }
        },
    )
}

impl SpoiltCase {
    fn line(&self, row: usize, name: &str) -> String {
        let ((_, of), level) = self.rows.iter().nth(self.order[row]).unwrap();
        let cell = |column: &&str| match *column {
            "user" => name.to_owned(),
            "attribute" => "Product".to_owned(),
            "value" => product(*of),
            "level" => level.to_string(),
            _ => "of the north".to_owned(),
        };
        self.columns.iter().map(cell).collect::<Vec<_>>().join(",")
    }

    fn name(&self, row: usize) -> &'static str {
        NAMES[self.rows.iter().nth(self.order[row]).unwrap().0.0]
    }

    /// The file, with the row spoilt or not.
    fn file(&self, is_spoilt: bool) -> String {
        let mut file = format!("{}\n", self.columns.join(","));
        for row in 0..self.order.len() {
            let (name, line) = (self.name(row), self.line(row, self.name(row)));
            if !is_spoilt || row != self.spoilt {
                file += &format!("{line}\n");
                continue;
            }
            file += &match &self.spoiling {
                Spoiling::Edit(edit) => format!("{}\n", edit.of(&line)),
                Spoiling::Name(one, other) => format!("{}\n", self.line(row, &other.of(&one.of(name)))),
                Spoiling::Wrapped(how) => format!("{}\n", self.line(row, &wrapped(name, *how))),
                Spoiling::Cut(at) => format!("{}\n", line.chars().take(at % line.chars().count()).collect::<String>()),
                Spoiling::Broken(at) => {
                    let at = at % line.chars().count();
                    let (head, tail): (String, String) =
                        (line.chars().take(at).collect(), line.chars().skip(at).collect());
                    format!("{head}\n{tail}\n")
                }
                Spoiling::Joined => line,
                Spoiling::Quoted => format!("\"{line}\"\n"),
                Spoiling::Delimited(delimiter) => format!("{}\n", line.replace(',', &delimiter.to_string())),
            };
        }
        file
    }

    fn world(&self) -> World {
        let dropped = Dropped {
            held: self.held.clone(),
            limit: 20,
            replaces: true,
            switches: Switches::default(),
            seed: 1,
            fault: 0.0,
            lives: Vec::new(),
            bytes: Vec::new(),
            newer: Vec::new(),
            n_rows: 0,
        };
        let world = dropped.world(1000, 1000, Faults::none());
        world.emulator.instance(|centre| {
            for (n, name) in NAMES.into_iter().enumerate() {
                let held = self.held[n].iter().map(|(of, level)| ("Product", of.clone(), f32::from(*level)));
                centre.remove_user(&user_id(n));
                centre.add_user(user_id(n), name, held);
            }
        });
        world
    }

    async fn replaced(&self, is_spoilt: bool) -> (Sets, Report) {
        let world = self.world();
        world.s3.put(BUCKET, "lists/a.csv", self.file(is_spoilt));
        let request = json!({
            "source": "s3://imports/lists/a.csv", "mode": "replace", "max_removals_percent": 100, "max_invalid_percent": 100,
        });
        let report = world.import(request).await;
        (sets(&world), report)
    }
}

/// In replace, whatever is done to one row, nothing is lost that the file as it should be keeps.
async fn check_spoilt(case: SpoiltCase) -> Result<(), TestCaseError> {
    let (whole, right) = case.replaced(false).await;
    let wrong = right.counts();
    prop_assert!(!wrong.contains_key("invalid"), "{wrong:?}");
    let (spoilt, report) = case.replaced(true).await;
    // A row that became another right one cannot be told from one that was meant so, nor one that is gone.
    let n_lines =
        case.file(true).lines().count() - case.file(false).lines().count().min(case.file(true).lines().count());
    let lines: BTreeSet<usize> = (case.spoilt + 2..=case.spoilt + 2 + n_lines).collect();
    let is_invalid = |[line, status, ..]: &[String; 4]| lines.contains(&line.parse().unwrap()) && status == "invalid";
    if report.status() != "rejected" && !report.rows().iter().any(is_invalid) {
        return Err(TestCaseError::reject("the row is right still, or it is gone"));
    }
    for n in 0..N_USERS {
        let kept: BTreeSet<_> = whole[n].keys().filter(|of| case.held[n].contains_key(*of)).collect();
        let lost: Vec<_> = kept.into_iter().filter(|of| !spoilt[n].contains_key(*of)).collect();
        prop_assert!(lost.is_empty(), "{} lost {lost:?}:\n{}\n{:?}", NAMES[n], case.file(true), report.rows());
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::world::cases(96))]
    #[test]
    fn a_dry_run_and_then_its_plan_is_the_run_itself(case in any_file(), lives in lives()) {
        run(check_plan(case, lives));
    }

    #[test]
    fn an_undo_spares_what_others_changed_and_takes_back_all_else(
        case in any_file(), changes in changes(), has_room in any::<bool>(), lives in lives()
    ) {
        run(check_undo(case, changes, has_room, lives));
    }

    #[test]
    fn whatever_is_done_to_a_row_nothing_is_lost_that_the_file_as_it_should_be_keeps(case in spoilt_case()) {
        run(check_spoilt(case))?;
    }
}
