//! Proficiencies: one user against the emulator, whatever the user has, the file says, the service does and the process
//! survives.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use connect_emulator::{Fault, Faults, Operation, Rule, Switches};
use proptest::prelude::*;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::plan::Condition;
use super::rows::ProficiencyRows;
use super::target::ProficiencyTarget;
use crate::connect::Level;
use crate::kind::test_desk::{APPLY, Desk, DeskResult, LATENCY, instance, user_id};
use crate::kind::{FileKind, Prior, Protected, ReconcileOptions, Writes};

/// What a user has: products and levels.
type Set = BTreeMap<String, u8>;

#[derive(Clone, Copy, Debug)]
struct Row {
    /// A level, or nothing where the row says `remove`.
    wanted: Option<u8>,
    /// What the user must have.
    condition: Condition,
}

#[derive(Clone, Debug)]
struct Case {
    before: Set,
    rows: BTreeMap<String, Row>,
    replaces: bool,
    limit: usize,
    switches: Switches,
    faults: Vec<(Fault, f64)>,
    seed: u64,
    /// When the first delivery dies, and what the second one may do.
    death: Option<(Duration, Writes)>,
}

fn product() -> impl Strategy<Value = String> {
    (0..20_u8).prop_map(|n| format!("P{n:02}"))
}

fn case() -> impl Strategy<Value = Case> {
    let level = || prop_oneof![3 => (1..=5_u8).prop_map(Some), 2 => Just(None)];
    // Few levels are there before, so that conditions hold often.
    let condition = prop_oneof![
        4 => Just(Condition::Always),
        2 => (1..=2_u8).prop_map(|level| Condition::Level(Level::whole(level))),
        1 => Just(Condition::Absent),
    ];
    let row = (level(), condition).prop_map(|(wanted, condition)| Row { wanted, condition });
    let sets = (
        prop::collection::btree_map(product(), prop_oneof![3 => 1..=2_u8, 1 => 3..=5_u8], 0..=10),
        prop::collection::btree_map(product(), row, 1..16),
    );
    let custom = |status, work_done| {
        let (code, message) = ("InvalidParameterException".to_owned(), "Not this.".to_owned());
        Fault::Custom { status, code, message, work_done }
    };
    let faults = [
        Fault::Throttle,
        Fault::InternalError,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::AccessDenied,
        custom(400, false),
        custom(400, true),
    ];
    let faults = prop::sample::subsequence(faults.to_vec(), 0..=7);
    let faults = prop::collection::vec(0.0..0.3_f64, 7).prop_flat_map(move |odds| {
        faults.clone().prop_map(move |faults| faults.into_iter().zip(odds.clone()).collect())
    });
    let how = (any::<bool>(), 6..14_usize, prop::sample::select(Switches::matrix()), any::<u64>());
    let death = (1..200_u64, prop_oneof![2 => Just(Writes::Apply), 1 => Just(Writes::Observe)]);
    let death = prop::option::of(death.prop_map(|(at, writes)| (Duration::from_millis(at), writes)));
    (sets, how, faults, death).prop_map(
        |((before, mut rows), (replaces, limit, (_, switches), seed), faults, death)| {
            if replaces {
                // A file with an action or a condition is never the whole truth.
                for row in rows.values_mut() {
                    *row = Row { wanted: row.wanted.or(Some(2)), condition: Condition::Always };
                }
            }
            Case { before, rows, replaces, limit, switches, faults, seed, death }
        },
    )
}

fn desk(case: &Case) -> Desk {
    let mut centre = instance(0).with_max_proficiencies(10);
    let before = case.before.iter().map(|(product, level)| ("Product", product.clone(), f32::from(*level)));
    centre.add_user(user_id(0), "agent000", before);
    let writes_and_reads = [
        Operation::ListUserProficiencies,
        Operation::AssociateUserProficiencies,
        Operation::UpdateUserProficiencies,
        Operation::DisassociateUserProficiencies,
    ];
    let rules = case.faults.iter().flat_map(|(fault, odds)| {
        writes_and_reads.map(|operation| Rule::new(fault.clone()).on(operation).randomly(*odds))
    });
    Desk::new(centre, case.switches.clone(), rules.fold(Faults::seeded(case.seed), Faults::rule))
}

fn set(desk: &Desk) -> Set {
    let held = desk.emulator.instance(|centre| centre.proficiencies(&user_id(0)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
    held.into_iter().map(|((_, product), level)| (product, level as u8)).collect()
}

/// Imports the rows, by one delivery or two.
async fn import(desk: &Desk, case: &Case) -> DeskResult {
    let rows: Vec<String> = case
        .rows
        .iter()
        .map(|(product, Row { wanted, condition })| {
            let condition = match condition {
                _ if case.replaces => String::new(),
                Condition::Always => ",".to_owned(),
                Condition::Level(level) => format!(",{level}"),
                Condition::Absent => ",none".to_owned(),
            };
            match wanted {
                Some(level) if case.replaces => format!("Product,{product},{level}"),
                Some(level) => format!("Product,{product},{level},set{condition}"),
                None => format!("Product,{product},,remove{condition}"),
            }
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let options = ReconcileOptions { limit: case.limit, replaces: case.replaces, ..APPLY };
    let kept: RefCell<Option<Prior<ProficiencyTarget>>> = RefCell::default();
    let keep = |before: &RawValue, possible: &RawValue| {
        kept.replace(Some(Prior::parse(before, possible).unwrap()));
    };
    let kind = FileKind::Proficiencies;
    let first = desk.import::<ProficiencyRows>(kind, 0, &rows, options, None, keep);
    let Some((life, writes)) = case.death else { return first.await };
    if let Ok(imported) = timeout(life, first).await {
        return imported;
    }
    let (options, prior) = (ReconcileOptions { writes, ..options }, kept.take());
    desk.import::<ProficiencyRows>(kind, 0, &rows, options, prior.as_ref(), |_, _| {}).await
}

async fn check(case: Case) {
    let desk = desk(&case);
    let imported = import(&desk, &case).await;
    let after = set(&desk);
    for ((product, Row { wanted, condition }), (status, code, message)) in case.rows.iter().zip(&imported.rows) {
        let (before, now) = (case.before.get(product).copied(), after.get(product).copied());
        let holds = condition.holds(before.map(Level::whole));
        let is_right = match *status {
            "kept" => {
                code == "changed_since" && now == before && now != *wanted && (!holds || message.contains("room"))
            }
            "added" | "updated" | "removed" | "invalid" if !holds => false,
            "added" => before.is_none() && now.is_some() && now == *wanted,
            "updated" => before.is_some() && before != now && now.is_some() && now == *wanted,
            "removed" => before.is_some() && now.is_none() && wanted.is_none(),
            "unchanged" => now == before && now == *wanted,
            "invalid" => code == "too_many_proficiencies" && before.is_none(),
            "failed" | "pending" => true,
            _ => false,
        };
        assert!(is_right, "{product}: {status} ({code}) {message}; {before:?} -> {now:?}");
    }
    let is_wrong = |status: &&str| matches!(*status, "invalid" | "failed" | "pending");
    let has_errors = imported.statuses().iter().any(is_wrong);
    assert!(!imported.is_done || !imported.statuses().contains(&"pending"));
    let is_incomplete = imported.effects.contains("\"k\"");
    if case.replaces && imported.is_done && !has_errors && !is_incomplete {
        assert!(after.keys().eq(case.rows.keys()), "{after:?}");
    }
    if !case.faults.iter().any(|(fault, _)| matches!(fault, Fault::Custom { .. })) {
        let smallest = desk.emulator.instance(|centre| centre.smallest_set(&user_id(0)));
        assert!(smallest > 0 || case.before.is_empty() || after.is_empty(), "the user had nothing on the way");
    }
    let mut undone = after;
    for row in &imported.undo {
        let cells: Vec<&str> = row.split(',').collect();
        match cells[..] {
            ["Product", product, level, action, if_level] => {
                let (now, wanted) = (undone.remove(product), level.parse().ok());
                assert_eq!(action, if wanted.is_some() { "set" } else { "remove" });
                let expected = if if_level == "none" { None } else { Some(if_level.parse().unwrap()) };
                assert!(now == wanted || now == expected, "{row}: {now:?}");
                undone.extend(wanted.map(|level| (product.to_owned(), level)));
            }
            _ => panic!("{row}"),
        }
    }
    assert_eq!(undone, case.before, "the undo file takes back all of it: {:?}", imported.undo);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_report_tells_what_is_and_undo_takes_it_back(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(check(case));
    }
}

fn desk_of_two(faults: Faults) -> Desk {
    let mut centre = instance(0);
    centre.add_user(user_id(0), "agent000", [("Product", "P00", 3.0), ("Product", "P01", 3.0)]);
    Desk::new(centre, Switches::default(), faults)
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_and_cannot_be_seen_is_told() {
    let desk = desk_of_two(Faults::none());
    let (kind, options) = (FileKind::Proficiencies, ReconcileOptions { replaces: true, ..APPLY });
    let rows = ["Product,P02,4", "Product,P01,3"];
    let imported = desk.import::<ProficiencyRows>(kind, 0, &rows, options, None, |_, _| {}).await;
    assert_eq!((imported.statuses(), set(&desk).len()), (vec!["added", "unchanged"], 2));
    assert_eq!(imported.effects, r#"{"c":[["Product","P02",null,4]],"r":[["Product","P00",3,null]]}"#);

    // Another delivery, as if this one had died, cannot read the user any more.
    desk.emulator.set_faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUserProficiencies)));
    let prior = imported.prior();
    let unread = desk.import::<ProficiencyRows>(kind, 0, &rows, options, Some(&prior), |_, _| {}).await;
    assert_eq!((unread.statuses(), unread.is_done), (vec!["failed", "failed"], true));
    assert_eq!(unread.effects, r#"{"u":[["Product","P02",null,4],["Product","P00",3,null]]}"#);
    assert_eq!(unread.undo, ["Product,P02,,remove,4", "Product,P00,3,set,none"]);
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_is_not_sent_again_though_a_read_does_not_show_it() {
    let (code, message) = ("InvalidRequestException".to_owned(), "Not this.".to_owned());
    let refused = Fault::Custom { status: 400, code, message, work_done: false };
    let rule = Rule::new(refused).on(Operation::AssociateUserProficiencies).nth(1);
    let desk = desk_of_two(Faults::none().rule(rule));
    // After the update the service shows what was there before it.
    let forgetting = async {
        while desk.n_writes() < 2 {
            tokio::time::sleep(LATENCY / 10).await;
        }
        desk.emulator.instance(|instance| instance.set_level(&user_id(0), "Product", "P00", Some(3.0)));
    };
    let rows = ["Product,P00,5", "Product,P10,1", "Product,P11,1"];
    let import = desk.import::<ProficiencyRows>(FileKind::Proficiencies, 0, &rows, APPLY, None, |_, _| {});
    let (imported, ()) = tokio::join!(import, forgetting);
    assert_eq!(imported.statuses(), ["updated", "added", "added"]);
    let n_calls =
        [Operation::UpdateUserProficiencies, Operation::AssociateUserProficiencies].map(|it| desk.n_calls(it));
    assert_eq!(n_calls, [1, 1 + 2], "after a refusal the additions go one by one");
}

/// What somebody changes after a delivery has died is theirs: the next one does not take it for its own work.
#[tokio::test(start_paused = true)]
async fn what_others_change_between_two_deliveries_is_kept() {
    let desk = desk_of_two(Faults::none());
    let (kind, rows) = (FileKind::Proficiencies, ["Product,P00,5,set,3", "Product,P01,5,set,3"]);
    let imported = desk.import::<ProficiencyRows>(kind, 0, &rows, APPLY, None, |_, _| {}).await;
    assert_eq!(imported.statuses(), ["updated", "updated"]);
    desk.emulator.instance(|instance| instance.set_level(&user_id(0), "Product", "P00", Some(4.0)));
    let prior = imported.prior();
    let resumed = desk.import::<ProficiencyRows>(kind, 0, &rows, APPLY, Some(&prior), |_, _| {}).await;
    assert_eq!((resumed.statuses(), &resumed.undo), (vec!["kept", "updated"], &vec!["Product,P01,3,set,5".to_owned()]));
    assert_eq!(resumed.messages()[0], "Product=P00 is now 4, not 3: it was changed since. Left as it is.");
}

/// More is protected than when the user was begun with: what was removed then can be brought back.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_delivery_removed_is_told_though_it_is_protected_now() {
    let desk = desk_of_two(Faults::none());
    let (kind, rows) = (FileKind::Proficiencies, ["Product,P01,3"]);
    let options = ReconcileOptions { replaces: true, ..APPLY };
    let imported = desk.import::<ProficiencyRows>(kind, 0, &rows, options, None, |_, _| {}).await;
    let options = ReconcileOptions { protected: &Protected::Everything, ..options };
    let prior = imported.prior();
    let resumed = desk.import::<ProficiencyRows>(kind, 0, &rows, options, Some(&prior), |_, _| {}).await;
    assert_eq!((resumed.undo, resumed.effects), (imported.undo, imported.effects));
}
