use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_connect::Client;
use aws_sdk_connect::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_connect::operation::list_users::ListUsersError;
use bytes::Bytes;
use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Rule};
use tokio::time::{Instant, sleep};

use crate::clients::{Answer, connect_client, connect_config_to, with_limits};

/// The id of the emulator's sample instance.
const INSTANCE: &str = "a1b2c3d4-0000-4000-8000-00000000c0de";

fn client_of(answer: impl Answer) -> Client {
    Client::from_conf(with_limits(connect_config_to(answer)).build())
}

async fn list_users(client: &Client) -> Result<Vec<String>, SdkError<ListUsersError>> {
    let answer = client.list_users().instance_id(INSTANCE).send().await?;
    let users = answer.user_summary_list().iter();
    Ok(users.filter_map(|user| user.username().map(str::to_owned)).collect())
}

fn emulator_with(fault: Fault) -> Emulator {
    let faults = Faults::none().rule(Rule::new(fault).on(Operation::ListUsers));
    Emulator::builder(Instance::sample(2)).faults(faults).build()
}

#[tokio::test(start_paused = true)]
async fn the_emulator_answers_the_real_client() {
    let emulator = Emulator::new(Instance::sample(2));
    let client = connect_client(&emulator);
    assert_eq!(list_users(&client).await.expect("answered"), ["agent-00001", "agent-00002"]);
    assert_eq!(emulator.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_sixty_seconds_times_out_after_ten() {
    let client = connect_client(&emulator_with(Fault::Slow(Duration::from_secs(60))));
    let began = Instant::now();
    let err = list_users(&client).await.expect_err("too slow");
    assert!(matches!(err, SdkError::TimeoutError(_)), "{err:?}");
    let took = began.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_millis(10_010)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_is_waited_for() {
    let client = client_of(|request: http::Request<Bytes>| async move {
        assert_eq!(request.uri().path(), format!("/users-summary/{INSTANCE}"));
        sleep(Duration::from_secs(9)).await;
        Ok(http::Response::new(Bytes::from_static(br#"{"UserSummaryList":[{"Username":"jdoe"}]}"#)))
    });
    assert_eq!(list_users(&client).await.expect("in time"), ["jdoe"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_by_the_emulator_is_an_io_error() {
    let client = connect_client(&emulator_with(Fault::CutAfter));
    match list_users(&client).await.expect_err("cut") {
        SdkError::DispatchFailure(failure) => assert!(failure.is_io(), "{failure:?}"),
        err => panic!("{err:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_not_tried_again() {
    let n_calls = Arc::new(AtomicUsize::new(0));
    let counter = n_calls.clone();
    let client = client_of(move |_: http::Request<Bytes>| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Err(io::Error::from(io::ErrorKind::ConnectionReset).into()) }
    });
    list_users(&client).await.expect_err("cut");
    assert_eq!(n_calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_seen_by_its_code_and_not_tried_again() {
    let emulator = emulator_with(Fault::Throttle);
    match list_users(&connect_client(&emulator)).await.expect_err("throttled") {
        SdkError::ServiceError(err) => {
            assert_eq!(err.raw().status().as_u16(), 429);
            assert!(err.err().code().is_some(), "{err:?}");
        }
        err => panic!("{err:?}"),
    }
    assert_eq!(emulator.calls().len(), 1);
}
