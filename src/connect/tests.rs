//! What the service does to calls: outages, poisoned users, refused page tokens. The emulator answers, in virtual time.

use std::num::NonZeroU32;
use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Instance, Operation as Asked, Quotas, Rule};
use futures::future::join_all;
use import_testkit::{connect_client, quotas_client};
use tokio::time::Instant;

use super::*;

const INSTANCE: &str = "an-instance";

/// Attributes, and users `u0`, `u1`, ... who have nothing.
fn instance(n_users: usize) -> Instance {
    let mut instance = Instance::new(INSTANCE).with_attribute("Language", ["German", "French"]);
    for n in 0..n_users {
        instance.add_user(format!("u{n}"), format!("agent{n}"), Vec::<(String, String, f32)>::new());
    }
    instance
}

fn emulator(n_users: usize, faults: Faults) -> Emulator {
    let builder = Emulator::builder(instance(n_users)).quotas(Quotas::unlimited());
    builder.latency(Duration::from_millis(80)).faults(faults).build()
}

fn connect(emulator: &Emulator) -> Connect {
    let rate = Rate { per_second: 20.0, burst: NonZeroU32::new(50).unwrap() };
    let lanes = Lanes::new(RateSettings::fixed(rate).rates(&AccountQuotas::default()), 7);
    Connect::new(connect_client(emulator), quotas_client(emulator), INSTANCE, lanes)
}

fn user(n: usize) -> UserId {
    UserId::new(format!("u{n}"))
}

fn german() -> [Proficiency; 1] {
    let pair = ProficiencyKey { attribute: "Language".into(), value: "German".into() };
    [Proficiency { pair, level: Level::whole(3) }]
}

fn calls(emulator: &Emulator, operation: Asked) -> u64 {
    emulator.stats().of(operation).calls
}

fn down(operation: Asked, from: u64, to: u64) -> Rule {
    Rule::new(Fault::InternalError).on(operation).between(Duration::from_secs(from), Duration::from_secs(to))
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_down_for_four_minutes_fails_no_call() {
    for n_users in [1, 3] {
        for (operation, from) in [
            (Asked::ListUserProficiencies, 0),
            (Asked::ListUserProficiencies, 10),
            (Asked::AssociateUserProficiencies, 0),
        ] {
            let emulator = emulator(n_users, Faults::none().rule(down(operation, from, from + 240)));
            let connect = connect(&emulator);
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(from + 1) {
                connect.list_users().await.unwrap();
                if from > 0 {
                    connect.list_user_proficiencies(&user(0)).await.unwrap();
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let one = async |n| {
                connect.list_user_proficiencies(&user(n)).await?;
                connect.associate(&user(n), &german()).await
            };
            for answer in join_all((0..n_users).map(one)).await {
                answer.unwrap_or_else(|error| panic!("{n_users} users, {operation} down from {from} s: {error}"));
            }
            assert!(began.elapsed() >= Duration::from_secs(from + 240));
            assert!(began.elapsed() < Duration::from_secs(from + 240 + 60), "{:?}", began.elapsed());
            assert!(calls(&emulator, operation) < 60, "{} calls of {operation}", calls(&emulator, operation));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attribute_is_waited_for_while_its_operation_is_down() {
    let emulator = emulator(1, Faults::none().rule(down(Asked::DescribePredefinedAttribute, 0, 214)));
    let connect = connect(&emulator);
    connect.search_predefined_attributes().await.unwrap();
    let found = connect.describe_predefined_attribute("Language").await.unwrap();
    assert_eq!(found.map(|attribute| attribute.name).as_deref(), Some("Language"));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_always_fails_ends_where_another_user_is_answered() {
    let poison = Rule::new(Fault::InternalError).of_user("u2");
    let emulator = emulator(3, Faults::none().rule(poison));
    let connect = connect(&emulator);
    let began = Instant::now();
    let answers = join_all([0, 1, 2].map(|n| {
        let connect = &connect;
        async move { connect.list_user_proficiencies(&user(n)).await }
    }));
    let answers = answers.await;
    assert!(answers[0].is_ok() && answers[1].is_ok());
    assert_eq!(answers[2].as_ref().unwrap_err().code, "InternalServiceException");
    assert!(began.elapsed() < Duration::from_secs(180), "{:?}", began.elapsed());
    let of_poisoned = emulator.calls().iter().filter(|call| call.user.as_deref() == Some("u2")).count();
    assert!((8..=16).contains(&of_poisoned), "{of_poisoned} attempts");
    assert_eq!(calls(&emulator, Asked::SearchPredefinedAttributes), 0, "another operation proves nothing");
}

#[tokio::test(start_paused = true)]
async fn a_page_token_that_is_refused_lists_anew() {
    let refusal = |code: &str| Fault::Custom {
        status: 400,
        code: code.into(),
        message: "The NextToken is not valid.".into(),
        work_done: false,
    };
    for code in ["InvalidParameterException", "InvalidRequestException", "InvalidToken"] {
        let rule = Rule::new(refusal(code)).on(Asked::ListUsers);
        let once = emulator(1001, Faults::none().rule(rule.clone().nth(2)));
        let connected = connect(&once);
        assert_eq!(connected.list_users().await.map(|users| users.len()), Ok(1001), "{code}");
        assert_eq!(calls(&once, Asked::ListUsers), 4, "{code}");
        assert!(connected.search_predefined_attributes().await.is_ok(), "the import goes on");

        // Every second page is refused: there is an end.
        let rules = [2, 4, 6, 8, 10].into_iter().map(|n| rule.clone().nth(n));
        let always = emulator(1001, rules.fold(Faults::none(), Faults::rule));
        let error = connect(&always).list_users().await.unwrap_err();
        assert_eq!((error.code.as_str(), error.stops_import), (code, true));
        assert_eq!(calls(&always, Asked::ListUsers), 8, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_services_own_no_means_that_there_is_no_such_attribute() {
    let custom =
        |status, code: &str| Fault::Custom { status, code: code.into(), message: String::new(), work_done: false };
    let ask = async |fault: Fault| {
        let rule = Rule::new(fault).on(Asked::DescribePredefinedAttribute);
        let emulator = emulator(1, Faults::none().rule(rule));
        connect(&emulator).describe_predefined_attribute("Sprache").await
    };
    for (status, code) in
        [(404, "ResourceNotFoundException"), (400, "InvalidParameterException"), (400, "InvalidRequestException")]
    {
        assert_eq!(ask(custom(status, code)).await, Ok(None), "{code}");
    }
    for (status, code) in [
        (429, "LimitExceededException"),
        (402, "ServiceQuotaExceededException"),
        (409, "ConditionalOperationFailedException"),
        (404, "UnknownOperationException"),
        (400, "InvalidActiveRegionException"),
    ] {
        assert_eq!(ask(custom(status, code)).await.unwrap_err().code, code);
    }
    let incomplete = ask(custom(200, "")).await;
    assert_eq!(incomplete.unwrap_err().code, "IncompleteAnswer");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_not_found_is_named() {
    let elsewhere = Emulator::builder(Instance::new("another-instance")).build();
    let connect = connect(&elsewhere);
    let error = connect.list_users().await.unwrap_err();
    assert_eq!((error.code.as_str(), error.stops_import), ("ResourceNotFoundException", true));
    assert!(error.message.contains("instance an-instance "), "{}", error.message);
    let not_sent = connect.search_predefined_attributes().await.unwrap_err();
    assert_eq!(not_sent.kind, ErrorKind::NotSent);
    assert!(not_sent.message.contains("instance an-instance "), "{}", not_sent.message);
}
