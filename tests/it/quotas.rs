//! How fast an import may be, as the account has it.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule, Switches};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{Report, World, instance, proficiencies};

const N_USERS: usize = 60;

/// Everybody has German at 3 already.
fn centre() -> connect_emulator::Instance {
    let mut centre = instance(N_USERS);
    for n in 0..N_USERS {
        centre.set_level(&crate::world::user_id(n), "Language", "German", Some(3.0));
    }
    centre
}

fn file(level: u8) -> String {
    proficiencies((0..N_USERS).map(|n| format!("agent{n:03},Language,German,{level}\n")).collect::<String>())
}

async fn timed(world: &World, key: &str) -> (Report, Duration) {
    let began = Instant::now();
    let report = world.drop_file(key, file(3)).await;
    (report, began.elapsed())
}

fn quota(report: &Report, operation: &str) -> Value {
    report.summary["quotas"][operation].clone()
}

#[tokio::test(start_paused = true)]
async fn an_import_goes_at_nine_tenths_of_what_the_account_may() {
    let world = World::built(Emulator::builder(centre()).quotas(Quotas::of_an_account()), &[]);
    let (report, took) = timed(&world, "incoming/a.csv").await;
    assert_eq!(report.status(), "succeeded");
    let listed = |rate: f64| json!({"rate": rate, "burst": 5, "from": "service-quotas"});
    for (operation, expected) in [
        ("ListUserProficiencies", listed(9.0)),
        ("ListUsers", listed(9.0)),
        ("DescribeUser", listed(9.0)),
        ("DescribePredefinedAttribute", listed(9.0)),
        ("SearchPredefinedAttributes", listed(1.8)),
        ("AssociateUserProficiencies", listed(1.8)),
        ("UpdateUserProficiencies", listed(1.8)),
        ("DisassociateUserProficiencies", listed(1.8)),
        ("UpdateUserConfig", json!({"rate": 2.0, "burst": 5, "from": "default"})),
    ] {
        assert_eq!(quota(&report, operation), expected, "{operation}");
    }
    assert_eq!(world.emulator.stats().total().throttled, 0);
    assert_eq!(world.calls()["ListServiceQuotas"], 1);

    let (_, at_the_default) = timed(&World::built(Emulator::builder(centre()), &[]), "incoming/a.csv").await;
    assert!(took * 4 <= at_the_default, "{took:?} and {at_the_default:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_set_wins_and_the_share_is_settable() {
    let rates = r#"{"ListUserProficiencies":{"rate":7},"ListUsers":{"burst":2}}"#;
    let settings = [("QUOTA_SHARE_PERCENT", "45"), ("REQUEST_RATES", rates), ("REQUEST_BURST", "3")];
    let world = World::built(Emulator::builder(centre()).quotas(Quotas::of_an_account()), &settings);
    let (report, _) = timed(&world, "incoming/a.csv").await;
    let expected = json!({"rate": 7.0, "burst": 3, "from": "setting"});
    assert_eq!(quota(&report, "ListUserProficiencies"), expected);
    assert_eq!(quota(&report, "ListUsers"), json!({"rate": 4.5, "burst": 2, "from": "service-quotas"}));
    assert_eq!(quota(&report, "UpdateUserProficiencies"), json!({"rate": 0.9, "burst": 3, "from": "service-quotas"}));

    let world = World::built(Emulator::builder(centre()), &[("REQUESTS_PER_SECOND", "2")]);
    let (report, _) = timed(&world, "incoming/a.csv").await;
    assert_eq!(quota(&report, "ListUsers"), json!({"rate": 2.0, "burst": 5, "from": "setting"}));
    assert_eq!(world.calls().get("ListServiceQuotas"), None, "nobody is asked for what is set");
}

#[tokio::test(start_paused = true)]
async fn all_pages_are_read_once_a_delivery() {
    let switches = Switches { page_size_cap: Some(3), empty_first_page: true, ..Switches::default() };
    let quotas = Quotas::of_an_account().with(Operation::ListServiceQuotas, 10.0, 10);
    let emulator = Emulator::builder(centre()).quotas(quotas).switches(switches);
    let mut world = World::built(emulator, &[]);
    let event = world.dropped("incoming/a.csv", file(3));
    let report = world.import_killed(event.clone(), &[Duration::from_secs(2)]).await;
    assert_eq!(quota(&report, "ListUserProficiencies")["rate"], 9.0);
    let n_pages = 1 + 15_usize.div_ceil(3);
    assert_eq!(world.calls()["ListServiceQuotas"], 2 * n_pages, "two deliveries");
    assert_eq!(world.emulator.stats().total().throttled, 0, "a resumed import has no burst to spend");
    world.import(event).await;
    assert_eq!(world.calls()["ListServiceQuotas"], 2 * n_pages, "what is over needs no pace");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_throttled_is_read_all_the_same() {
    let switches = Switches { page_size_cap: Some(2), ..Switches::default() };
    let emulator = Emulator::builder(centre()).quotas(Quotas::of_an_account()).switches(switches);
    let world = World::built(emulator, &[]);
    let (report, _) = timed(&world, "incoming/a.csv").await;
    assert_eq!(quota(&report, "ListUserProficiencies")["rate"], 9.0);
    assert!(world.emulator.stats().of(Operation::ListServiceQuotas).throttled > 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_the_default_and_a_warning() {
    let on = |fault| Faults::none().rule(Rule::new(fault).on(Operation::ListServiceQuotas));
    let of_last_page = |fault| Faults::none().rule(Rule::new(fault).on(Operation::ListServiceQuotas).with_token());
    let of_account = Quotas::of_an_account;
    let listed = |rate| of_account().listed_as(Operation::ListUserProficiencies, Some(rate));
    let cases: [(&str, Faults, Quotas, &str); 11] = [
        ("denied", on(Fault::AccessDenied), of_account(), "AccessDeniedException"),
        ("slow", on(Fault::Slow(Duration::from_secs(6))), of_account(), "no answer within 5 seconds"),
        ("dead", on(Fault::Slow(Duration::from_secs(3600))), of_account(), "no answer within 5 seconds"),
        ("down", on(Fault::InternalError), of_account(), ""),
        ("cut", on(Fault::CutBefore), of_account(), ""),
        ("half a list", of_last_page(Fault::AccessDenied), of_account(), "AccessDeniedException"),
        ("nothing", Faults::none(), Quotas::unlimited(), "lists no quota"),
        ("none", Faults::none(), listed(0.0), "ListUserProficiencies 0 a second"),
        ("too little", Faults::none(), listed(0.09), "ListUserProficiencies 0.09 a second"),
        ("too much", Faults::none(), listed(1e9), "ListUserProficiencies 1000000000 a second"),
        ("less than none", Faults::none(), listed(-1.0), "ListUserProficiencies -1 a second"),
    ];
    for (name, faults, quotas, why) in cases {
        let switches = Switches { page_size_cap: Some(10), ..Switches::default() };
        let emulator = Emulator::builder(centre()).quotas(quotas).switches(switches).faults(faults);
        let world = World::built(emulator, &[]);
        let _log = world.told.log("warn");
        let (report, took) = timed(&world, "incoming/a.csv").await;
        let default = json!({"rate": 2.0, "burst": 5, "from": "default"});
        assert_eq!((report.status(), quota(&report, "ListUserProficiencies")), ("succeeded", default), "{name}");
        assert!(took < Duration::from_secs(28 + 6), "{name}: {took:?}");
        let warned: Vec<_> = world.told.lines().into_iter().filter(|line| line["level"] == "WARN").collect();
        assert!(name != "cut" || took < Duration::from_secs(29), "where there is no way to it, nobody waits: {took:?}");
        assert_eq!(warned.len(), 1, "{name}: {warned:?}");
        let message = warned[0]["message"].as_str().unwrap();
        assert!(
            message.starts_with("not all that the account may is known") && message.contains(why),
            "{name}: {message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_quota_that_cannot_be_meant_leaves_the_others() {
    let quotas =
        Quotas::of_an_account().listed_as(Operation::ListUsers, Some(1e9)).listed_as(Operation::DescribeUser, None);
    let world = World::built(Emulator::builder(centre()).quotas(quotas), &[]);
    let (report, _) = timed(&world, "incoming/a.csv").await;
    let from = |operation| quota(&report, operation)["from"].clone();
    assert_eq!((from("ListUsers"), from("DescribeUser")), (json!("default"), json!("default")));
    assert_eq!(from("ListUserProficiencies"), json!("service-quotas"));
}

#[tokio::test(start_paused = true)]
async fn a_warm_process_goes_at_the_pace_of_today() {
    let emulator = Emulator::builder(centre()).quotas(Quotas::of_an_account());
    let world = World::built(emulator, &[]);
    let (_, fast) = timed(&world, "incoming/a.csv").await;
    let denied = Rule::new(Fault::AccessDenied).on(Operation::ListServiceQuotas);
    world.emulator.set_faults(Faults::none().rule(denied));
    let (report, slow) = timed(&world, "incoming/b.csv").await;
    assert_eq!(quota(&report, "ListUserProficiencies")["from"], "default");
    assert!(fast * 4 <= slow, "{fast:?} and {slow:?}");
    world.emulator.set_faults(Faults::none());
    let (_, fast_again) = timed(&world, "incoming/c.csv").await;
    assert!(fast_again <= fast + Duration::from_secs(1), "{fast_again:?} and {fast:?}");
}
