//! Throttles, outages, refusals: what the service does to an import, and what of it the report shows.

use std::time::Duration;

use connect_emulator::{Builder, Emulator, Fault, Faults, Instance, Operation, Quotas, Rule, Switches};
use tokio::time::{Instant, timeout};

use crate::world::{INSTANCE, Report, World, instance, user_id};

const SETTINGS: [(&str, &str); 3] =
    [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "50"), ("MAX_PROFICIENCIES_PER_USER", "40")];

/// Users of every sort: additions, changes, removals, some of each, and rows that the service refuses.
fn centre(n_users: usize) -> (Instance, String) {
    let mut centre = instance(0).with_max_proficiencies(30);
    let mut csv = "user,attribute,value,level,action\n".to_owned();
    for n in 0..n_users {
        let held = match n % 3 {
            0 => vec![("Language", "German", 1.0), ("Language", "French", 2.0), ("Product", "P00", 3.0)],
            1 => vec![("Language", "German", 3.0)],
            _ => vec![],
        };
        centre.add_user(user_id(n), format!("agent{n:03}"), held);
        csv.push_str(&format!("agent{n:03},Language,German,3,\nagent{n:03},Language,French,,remove\n"));
        csv.push_str(&format!("agent{n:03},Product,P0{},4,\nagent{n:03},Language,English,2,\n", n % 10));
        if n % 7 == 0 {
            csv.push_str(&format!("agent{n:03},connect:Language,connect:Klingon,2,\n"));
        }
    }
    (centre, csv)
}

fn emulator(n_users: usize) -> (Builder, String) {
    let (centre, csv) = centre(n_users);
    (Emulator::builder(centre).latency(Duration::from_millis(80)).quotas(Quotas::all(20.0, 50)), csv)
}

/// One more user, who gets more than a call takes, and two more than the service lets anyone have.
fn with_a_large_set(n_users: usize) -> (Builder, String) {
    let (mut centre, mut csv) = centre(n_users);
    centre.add_user(user_id(n_users), "large", Vec::<(String, String, f32)>::new());
    csv.push_str(&(0..32).map(|n| format!("large,Site,S{n:02},3,\n")).collect::<String>());
    (Emulator::builder(centre).latency(Duration::from_millis(80)).quotas(Quotas::all(20.0, 50)), csv)
}

/// What everybody has in the end.
fn end_state(world: &World, n_users: usize) -> Vec<Vec<String>> {
    (0..n_users).map(|n| world.held(n)).collect()
}

/// Drops a file and delivers it until the import is over: the report, and how many deliveries did not end it.
async fn until_over(world: &World, csv: &str) -> (Report, u32) {
    let event = world.dropped("incoming/a.csv", csv);
    for unfinished in 0..12 {
        if let Ok(answer) = world.invoke(event.clone()).await {
            return (world.report(&answer["imports"][0]), unfinished);
        }
    }
    panic!("the import does not end");
}

fn noise(seed: u64) -> Faults {
    let fault = |fault| Rule::new(fault).randomly(0.05);
    let faults = [Fault::Throttle, Fault::InternalError, Fault::Bare503, Fault::CutBefore, Fault::CutAfter];
    faults.into_iter().fold(Faults::seeded(seed), |faults, kind| faults.rule(fault(kind)))
}

#[tokio::test(start_paused = true)]
async fn under_every_switch_noise_changes_nothing_but_the_time() {
    const USERS: usize = 60;
    for (seed, (switch, switches)) in (1..).zip(Switches::matrix()) {
        let (quiet, csv) = with_a_large_set(USERS);
        let quiet = World::built(quiet.switches(switches.clone()), &SETTINGS);
        let expected = quiet.drop_file("incoming/a.csv", &csv).await;
        let (noisy, _) = with_a_large_set(USERS);
        let noisy = World::built(noisy.switches(switches).faults(noise(seed)), &SETTINGS);
        let report = noisy.drop_file("incoming/a.csv", &csv).await;
        assert_eq!(report.statuses(), expected.statuses(), "{switch}, seed {seed}");
        assert_eq!(end_state(&noisy, USERS + 1), end_state(&quiet, USERS + 1), "{switch}, seed {seed}");
        assert_eq!(quiet.held(USERS).len(), 30, "{switch}");
        let counts = expected.counts();
        assert_eq!(counts["failed"], 9 + 2, "{switch}: only what the service refuses");
        assert_eq!(counts.get("pending"), None, "{switch}");
        assert!(counts["added"] > 90 && counts["updated"] >= 20 && counts["removed"] == 20, "{switch}: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_half_a_minute_fails_no_row() {
    let (down, csv) = emulator(200);
    let outage = Rule::new(Fault::InternalError).between(Duration::from_secs(5), Duration::from_secs(35));
    let world = World::built(down.faults(Faults::none().rule(outage)), &SETTINGS);
    let began = Instant::now();
    let report = world.drop_file("incoming/a.csv", &csv).await;
    assert_eq!(report.counts()["failed"], 29, "only what the service refuses");
    let during = world.emulator.calls().iter().filter(|call| (5..35).contains(&call.at.as_secs())).count();
    assert!(during < 100, "{during} calls while the service was down");
    assert!(began.elapsed() < Duration::from_secs(75), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_operation_that_is_down_for_four_minutes_fails_no_row() {
    let down = [
        (Operation::ListUsers, 240),
        (Operation::SearchPredefinedAttributes, 240),
        (Operation::DescribePredefinedAttribute, 214),
        (Operation::ListUserProficiencies, 240),
        (Operation::AssociateUserProficiencies, 240),
        (Operation::UpdateUserProficiencies, 240),
        (Operation::DisassociateUserProficiencies, 240),
    ];
    for n_users in [1, 3] {
        let (quiet, csv) = emulator(n_users);
        // The search does not show this one: it is asked for.
        let csv = format!("{csv}agent000,Sprache,Deutsch,3,\n");
        let expected = World::built(quiet, &SETTINGS).drop_file("incoming/a.csv", &csv).await;
        for (operation, seconds) in down {
            let rule = Rule::new(Fault::InternalError).on(operation);
            let rule = rule.between(Duration::ZERO, Duration::from_secs(seconds));
            let world = World::built(emulator(n_users).0.faults(Faults::none().rule(rule)), &SETTINGS);
            let began = Instant::now();
            let report = world.drop_file("incoming/a.csv", &csv).await;
            assert_eq!(report.results, expected.results, "{n_users} users, {operation}");
            let called = world.emulator.stats().of(operation).calls > 0;
            assert_eq!(began.elapsed() > Duration::from_secs(seconds), called, "{n_users} users, {operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_whose_calls_always_fail_fails_alone() {
    for poisoned in [3, 39] {
        let (poison, csv) = emulator(40);
        let rule = Rule::new(Fault::InternalError).of_user(user_id(poisoned));
        let world = World::built(poison.faults(Faults::none().rule(rule)), &SETTINGS);
        let began = Instant::now();
        let report = world.drop_file("incoming/a.csv", &csv).await;
        let of_user =
            |code: &str| report.rows().iter().filter(|[_, status, c, _]| status == "failed" && c == code).count();
        assert_eq!(of_user("InternalServiceException"), 4, "user {poisoned}");
        assert_eq!(report.counts().get("pending"), None);
        // Another user's answer is the proof, never another operation's.
        assert_eq!(world.emulator.stats().of(Operation::SearchPredefinedAttributes).calls, 1, "user {poisoned}");
        assert!(began.elapsed() < Duration::from_secs(180), "user {poisoned}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_always_fails_ends_after_half_an_hour_if_no_other_proves_anything() {
    let (poison, csv) = emulator(40);
    let rule = Rule::new(Fault::InternalError).on(Operation::AssociateUserProficiencies).of_user(user_id(39));
    let world = World::built(poison.faults(Faults::none().rule(rule)), &SETTINGS);
    let began = Instant::now();
    let (report, unfinished) = until_over(&world, &csv).await;
    assert_eq!(report.status(), "completed_with_errors");
    assert_eq!(report.counts()["failed"], 6 + 2, "what the service refuses, and two additions of the last user");
    let sentence = "AssociateUserProficiencies has answered nothing but failures for 30 minutes";
    let given_up = report.rows().into_iter().filter(|[.., message]| message.contains(sentence));
    assert_eq!(
        given_up.filter(|[_, status, code, _]| status == "failed" && code == "InternalServiceException").count(),
        2
    );
    assert_eq!(world.held(39), ["Language=German:3", "Product=P00:3"], "its other rows are done");
    assert!(unfinished >= 2, "half an hour is longer than two deliveries");
    let minutes = began.elapsed().as_secs() / 60;
    assert!((30..45).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn killed_after_a_success_a_refusal_for_one_user_is_still_that_users_own() {
    let rules = |faults: Faults| {
        let slow = Rule::new(Fault::Slow(Duration::from_secs(60))).of_user(user_id(2)).nth(1);
        faults.rule(slow).rule(Rule::new(Fault::AccessDenied).of_user(user_id(2)))
    };
    let csv = "user,attribute,value,level\nagent000,Language,German,3\nagent001,Language,German,3\n\
               agent002,Language,German,3\n";
    for life in [None, Some(Duration::from_secs(9))] {
        let emulator = Emulator::builder(instance(3)).quotas(Quotas::unlimited()).faults(rules(Faults::none()));
        let mut world = World::built(emulator, &SETTINGS);
        let event = world.dropped("incoming/a.csv", csv);
        if let Some(life) = life {
            assert!(
                timeout(life, world.invoke(event.clone())).await.is_err(),
                "killed while the last user is asked for"
            );
            assert_eq!(world.held(1), ["Language=German:3"]);
            world.restart();
        }
        let answer = world.invoke(event).await.unwrap();
        let report = world.report(&answer["imports"][0]);
        assert_eq!(report.statuses(), ["added", "added", "failed"], "{life:?}");
        assert_eq!(report.status(), "completed_with_errors", "{life:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_token_that_is_refused_once_ends_no_import() {
    let rule = Rule::token_refused("InvalidParameterException").on(Operation::ListUsers).nth(1);
    let emulator = Emulator::builder(instance(1001)).quotas(Quotas::unlimited()).faults(Faults::none().rule(rule));
    let world = World::built(emulator, &SETTINGS);
    let csv = "user,attribute,value,level\nagent000,Language,German,3\nagent1000,Language,German,3\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.status(), report.statuses()), ("succeeded", vec!["added".to_owned(); 2]));
    assert_eq!(world.emulator.stats().of(Operation::ListUsers).calls, 4);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_fails_its_guilty_rows_only() {
    for (switch, switches) in Switches::matrix() {
        let emulator = Emulator::builder(instance(1)).quotas(Quotas::unlimited()).switches(switches);
        let world = World::built(emulator, &SETTINGS);
        let csv = "user,attribute,value,level\nagent000,Language,German,3\nagent000,connect:Language,connect:Klingon,2\n\
                   agent000,Product,P01,3\nagent000,connect:Shoe,connect:Size,1\nagent000,Product,P02,3\n";
        let report = world.drop_file("incoming/a.csv", csv).await;
        assert_eq!(report.statuses(), ["added", "failed", "added", "failed", "added"], "{switch}");
        let rows = report.rows();
        assert!(rows[1][2].ends_with("Exception"), "{switch}: {rows:?}");
        assert!(rows[1][3].starts_with("Amazon Connect refused this: ") && rows[1][3].len() > 40, "{switch}: {rows:?}");
        assert_eq!(world.held(0).len(), 3, "{switch}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_permission_stops_the_import_within_a_few_calls() {
    for operation in [
        Operation::ListUsers,
        Operation::SearchPredefinedAttributes,
        Operation::ListUserProficiencies,
        Operation::AssociateUserProficiencies,
        Operation::UpdateUserProficiencies,
    ] {
        let (denied, csv) = emulator(60);
        let rule = Rule::new(Fault::AccessDenied).on(operation);
        let world = World::built(denied.faults(Faults::none().rule(rule)), &SETTINGS);
        let report = world.drop_file("incoming/a.csv", &csv).await;
        assert_eq!(
            (report.status(), report.summary["code"].as_str()),
            ("failed", Some("AccessDeniedException")),
            "{operation}"
        );
        assert!(report.summary["message"].as_str().unwrap().contains(operation.name()));
        let refused = world.emulator.stats().of(operation).calls;
        assert!(refused <= 3, "{refused} calls of {operation}");
        let denied = report.rows().iter().filter(|[.., code, _]| code == "AccessDeniedException").count();
        let counts = report.counts();
        assert!(denied <= 13 && counts["pending"] > 50, "{operation}: {denied} denied of {counts:?}");
        for (n, row) in report.rows().iter().enumerate() {
            assert!(row[1] != "pending" || row[2].is_empty(), "row {n}: {row:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_one_user_is_that_users_own() {
    let (denied, csv) = emulator(40);
    let rule = Rule::new(Fault::AccessDenied).of_user(user_id(20));
    let world = World::built(denied.faults(Faults::none().rule(rule)), &SETTINGS);
    let report = world.drop_file("incoming/a.csv", &csv).await;
    assert_eq!(report.status(), "completed_with_errors");
    let denied = report.rows().iter().filter(|[.., code, _]| code == "AccessDeniedException").count();
    assert_eq!(denied, 4);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_instance_stops_the_import() {
    let centre = Instance::new("another-instance");
    let world = World::built(Emulator::builder(centre), &[]);
    let csv = format!("user,attribute,value,level\n{},Language,German,3\n", user_id(0));
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("failed", Some("ResourceNotFoundException")));
    assert!(
        report.summary["message"].as_str().unwrap().contains(&format!("instance {INSTANCE} ")),
        "{}",
        report.summary
    );
    assert_eq!(report.statuses(), ["pending"]);
}

#[tokio::test(start_paused = true)]
async fn a_user_id_that_is_none_fails_its_rows() {
    let world = World::new(instance(1));
    let csv = format!("user,attribute,value,level\n{},Language,German,3\nagent000,Language,German,3\n", user_id(77));
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["failed", "added"]);
    assert_eq!(report.rows()[0][2], "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_given_up_and_asked_again() {
    let slow = Rule::new(Fault::Slow(Duration::from_secs(60))).on(Operation::AssociateUserProficiencies).nth(1);
    let emulator = Emulator::builder(instance(3)).quotas(Quotas::unlimited()).faults(Faults::none().rule(slow));
    let world = World::built(emulator, &SETTINGS);
    let rows: String = (0..3).map(|n| format!("agent{n:03},Language,German,3\n")).collect();
    let began = Instant::now();
    let report = world.drop_file("incoming/a.csv", format!("user,attribute,value,level\n{rows}")).await;
    assert_eq!(report.statuses(), ["added", "added", "added"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_be_seen_stops_nobody_else() {
    let (denied, csv) = emulator(40);
    let rule = Rule::new(Fault::AccessDenied).of_user(user_id(0));
    let world = World::built(denied.faults(Faults::none().rule(rule)), &SETTINGS);
    let report = world.drop_file("incoming/a.csv", &csv).await;
    assert_eq!(report.status(), "completed_with_errors", "the first of the file, and no call succeeded before");
    assert_eq!(report.rows().iter().filter(|[.., code, _]| code == "AccessDeniedException").count(), 5);
    assert_eq!(report.counts().get("pending"), None);

    let alone = "user,attribute,value,level\nagent000,Product,P09,3\n";
    let report = world.drop_file("incoming/alone.csv", alone).await;
    assert_eq!((report.status(), report.statuses()), ("failed", vec!["failed".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_addition_takes_no_other_with_it_at_the_limit() {
    let mut centre = instance(0).with_max_proficiencies(12);
    let held: Vec<_> = (0..12).map(|n| ("Product".to_owned(), format!("P{n:02}"), 1.0)).collect();
    centre.add_user(user_id(0), "full", held);
    let world = World::built(Emulator::builder(centre).quotas(Quotas::unlimited()), &SETTINGS[..2]);
    let csv = "user,attribute,value,level,action\nfull,Product,P00,,remove\nfull,Product,P01,,remove\n\
               full,Language,German,3,\nfull,connect:Language,connect:Klingon,3,\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["removed", "removed", "added", "failed"]);
    assert_eq!(world.held(0).len(), 11);
}

#[tokio::test(start_paused = true)]
async fn an_attribute_that_cannot_be_asked_for_fails_its_own_rows_only() {
    let rule = Rule::new(Fault::InternalError).on(Operation::DescribePredefinedAttribute);
    let emulator = Emulator::builder(instance(2)).quotas(Quotas::unlimited()).faults(Faults::none().rule(rule));
    let world = World::built(emulator, &SETTINGS);
    let csv = "user,attribute,value,level\nagent000,Language,German,3\nagent001,Sprache,Deutsch,3\n";
    let (report, unfinished) = until_over(&world, csv).await;
    assert_eq!(report.statuses(), ["added", "failed"]);
    assert_eq!(report.rows()[1][2], "InternalServiceException");
    assert!(report.rows()[1][3].contains("nothing but failures for 30 minutes"), "{:?}", report.rows());
    assert!(unfinished >= 2, "half an hour is longer than two deliveries");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_the_attribute_does_not_say_that_there_is_none() {
    let empty = Fault::Custom { status: 200, code: String::new(), message: String::new(), work_done: false };
    let rule = Rule::new(empty).on(Operation::DescribePredefinedAttribute);
    let emulator = Emulator::builder(instance(2)).quotas(Quotas::unlimited()).faults(Faults::none().rule(rule));
    let world = World::built(emulator, &SETTINGS);
    let csv = "user,attribute,value,level\nagent000,Language,German,3\nagent001,Sprache,Deutsch,3\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["added", "failed"]);
    assert_eq!(report.rows()[1][2], "IncompleteAnswer");
}

#[tokio::test(start_paused = true)]
async fn the_systems_own_pairs_are_one_in_every_case() {
    for (switch, switches) in Switches::matrix() {
        let mut centre = instance(1);
        centre.add_user(user_id(1), "held", [("connect:Language", "connect:French", 1.0)]);
        let emulator = Emulator::builder(centre).quotas(Quotas::unlimited()).switches(switches);
        let world = World::built(emulator, &SETTINGS);
        let csv = "user,attribute,value,level,action\n\
                   held,connect:language,connect:french,4,\nheld,connect:Language,connect:French,4,\n\
                   agent000,connect:Language,connect:French,2,\nagent000,CONNECT:language,connect:french,3,\n";
        let report = world.drop_file("incoming/a.csv", csv).await;
        assert_eq!(report.statuses(), ["updated", "duplicate", "invalid", "invalid"], "{switch}");
        assert_eq!(world.held(1), ["connect:Language=connect:French:4"], "{switch}");
    }
}
