//! The emulator as a client meets it: requests in, answers or broken connections out.

use std::time::Duration;

use bytes::Bytes;
use connect_emulator::{
    Emulator, Fault, Faults, Instance, Operation, Outcome, Quotas, Rule, Switches, UserConfig,
    switches::{ConfigLists, MissingTimeLimit, Refusal, ThrottleCode},
};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// A user `u` who has `Product: Phone` at 3, in the instance `i` with `Product` and `Tier`.
fn instance() -> Instance {
    Instance::new("i").with_attribute("Product", ["Phone", "Tablet"]).with_attribute("Tier", ["Gold"]).with_user(
        "u",
        "jdoe",
        [("Product", "Phone", 3.0)],
    )
}

fn unlimited() -> Emulator {
    Emulator::builder(instance()).quotas(Quotas::unlimited()).build()
}

fn failing(rule: Rule) -> Emulator {
    Emulator::builder(instance()).faults(Faults::none().rule(rule)).build()
}

/// An answer, or nothing where the connection broke.
struct Answer {
    status: StatusCode,
    code: Option<String>,
    body: Value,
}

async fn ask(emulator: &Emulator, method: &str, uri: &str, body: Option<Value>) -> Option<Answer> {
    let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
    let request = Request::builder().method(method).uri(uri).body(body);
    let response = emulator.answer(request.expect("a request")).await.ok()?;
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let code = response.headers().get("x-amzn-errortype");
    Some(Answer {
        status: response.status(),
        code: code.map(|code| code.to_str().expect("a name").to_owned()),
        body: serde_json::from_slice(response.body()).unwrap_or_default(),
    })
}

async fn get(emulator: &Emulator, uri: &str) -> Answer {
    let answer = ask(emulator, "GET", uri, None).await;
    answer.expect("an answer")
}

async fn post(emulator: &Emulator, uri: &str, body: Value) -> Answer {
    let answer = ask(emulator, "POST", uri, Some(body)).await;
    answer.expect("an answer")
}

fn tablet(level: f32) -> Value {
    json!({"UserProficiencies": [
        {"AttributeName": "Product", "AttributeValue": "Tablet", "Level": level}
    ]})
}

fn tablet_level(emulator: &Emulator) -> Option<f32> {
    emulator.instance(|instance| instance.level("u", "Product", "Tablet"))
}

const LIST: &str = "/users/i/u/proficiencies";
const ASSOCIATE: &str = "/users/i/u/associate-proficiencies";
const QUOTAS_TARGET: &str = "ServiceQuotasV20190624.ListServiceQuotas";
const DISASSOCIATE: &str = "/users/i/u/disassociate-proficiencies";

#[tokio::test]
async fn the_operations_on_proficiencies() {
    let emulator = unlimited();
    assert_eq!(post(&emulator, ASSOCIATE, tablet(5.0)).await.body, json!({}));
    assert_eq!(post(&emulator, LIST, tablet(2.0)).await.status, 200);
    let list = get(&emulator, LIST).await;
    assert_eq!(
        list.body["UserProficiencyList"],
        json!([
            {"AttributeName": "Product", "AttributeValue": "Phone", "Level": 3.0},
            {"AttributeName": "Product", "AttributeValue": "Tablet", "Level": 2.0},
        ])
    );
    assert_eq!(list.body["LastModifiedRegion"], "eu-central-1");
    assert!(list.body["LastModifiedTime"].is_f64());
    assert!(list.body.get("NextToken").is_none());

    let pair = json!({"UserProficiencies": [
        {"AttributeName": "Product", "AttributeValue": "Tablet"}
    ]});
    assert_eq!(post(&emulator, DISASSOCIATE, pair).await.status, 200);
    assert_eq!(tablet_level(&emulator), None);

    let calls = emulator.calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.operation, call.user.as_deref(), call.n_items)).collect();
    assert_eq!(
        seen,
        [
            (Operation::AssociateUserProficiencies, Some("u"), 1),
            (Operation::UpdateUserProficiencies, Some("u"), 1),
            (Operation::ListUserProficiencies, Some("u"), 0),
            (Operation::DisassociateUserProficiencies, Some("u"), 1),
        ]
    );
}

#[tokio::test]
async fn service_quotas_says_what_is_granted() {
    let quotas = Quotas::of_an_account()
        .with(Operation::UpdateUserConfig, 7.0, 5)
        .listed_as(Operation::ListUsers, Some(0.0))
        .listed_as(Operation::DescribeUser, None);
    let switches = Switches { page_size_cap: Some(6), ..Switches::default() };
    let emulator = Emulator::builder(instance()).quotas(quotas).switches(switches).build();
    let list = async |target: &str, body: Value| {
        let request = Request::post("/").header("x-amz-target", target).body(Bytes::from(body.to_string()));
        let response = emulator.answer(request.expect("a request")).await.expect("an answer");
        (response.status(), serde_json::from_slice::<Value>(response.body()).expect("JSON"))
    };
    let (mut listed, mut token) = (Vec::new(), Value::Null);
    loop {
        let (status, page) = list(QUOTAS_TARGET, json!({"ServiceCode": "connect", "NextToken": token})).await;
        assert_eq!(status, 200);
        listed.extend(page["Quotas"].as_array().expect("a list").clone());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(listed.len(), 14);
    let of = |code: &str| listed.iter().find(|quota| quota["QuotaCode"] == code);
    let reads = of("L-A59C54EE").expect("a quota");
    assert_eq!((&reads["Value"], &reads["Period"]["PeriodUnit"]), (&json!(10.0), &json!("SECOND")));
    assert_eq!(of("L-CCC38177").map(|quota| &quota["Value"]), Some(&json!(0.0)), "another rate than is granted");
    assert_eq!((of("L-EE6F0D82"), of("L-50375162").map(|quota| quota.get("Period"))), (None, Some(None)));

    let (status, refused) = list("ServiceQuotasV20190624.GetServiceQuota", json!({"ServiceCode": "connect"})).await;
    assert_eq!((status, &refused["__type"]), (StatusCode::NOT_FOUND, &json!("UnknownOperationException")));
    assert_eq!(list(QUOTAS_TARGET, json!({})).await.0, 400);
}

#[tokio::test]
async fn arns_stand_for_ids() {
    let emulator = unlimited();
    let arn = emulator.instance(|instance| instance.user_arn("u"));
    let arn = arn.replace(':', "%3A").replace('/', "%2F");
    let (instance_arn, _) = arn.split_once("%2Fagent").expect("two parts");
    let uri = format!("/users/{instance_arn}/{arn}/proficiencies");
    assert_eq!(get(&emulator, &uri).await.status, 200);
    assert_eq!(emulator.calls()[0].user.as_deref(), Some("u"));
}

#[tokio::test]
async fn users_come_in_pages() {
    let emulator = Emulator::builder(Instance::sample(2500)).quotas(Quotas::unlimited()).build();
    let id = emulator.instance(|instance| instance.id().to_owned());
    let mut n_users = Vec::new();
    let mut uri = format!("/users-summary/{id}?maxResults=1000");
    loop {
        let page = get(&emulator, &uri).await.body;
        let users = page["UserSummaryList"].as_array().expect("a list");
        assert!(users.iter().all(|user| user["Username"].is_string()));
        n_users.push(users.len());
        let Some(token) = page["NextToken"].as_str() else {
            break;
        };
        uri = format!("/users-summary/{id}?maxResults=1000&nextToken={token}");
    }
    assert_eq!(n_users, [1000, 1000, 500]);

    let unasked = get(&emulator, &format!("/users-summary/{id}")).await.body;
    assert_eq!(unasked["UserSummaryList"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn many_ask_at_once() {
    let emulator = unlimited();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let emulator = emulator.clone();
        let request = Request::get(LIST).body(Bytes::new()).expect("a request");
        asked.spawn(async move { emulator.answer(request).await });
    }
    let answers = asked.join_all().await;
    let is_ok = |answer: &Result<http::Response<Bytes>, _>| answer.as_ref().is_ok_and(|answer| answer.status() == 200);
    assert!(answers.iter().all(is_ok));
    assert_eq!(emulator.stats().total().ok, 100);
}

#[tokio::test]
async fn attributes_are_searched_and_described() {
    let switches = Switches { search_lag: vec!["Tier".to_owned()], ..Switches::default() };
    let emulator = Emulator::builder(instance()).switches(switches).build();
    let search = async |criteria: Value| {
        let body = json!({"InstanceId": "i", "SearchCriteria": criteria});
        let answer = post(&emulator, "/search-predefined-attributes", body).await;
        answer.body["ApproximateTotalCount"].as_u64()
    };
    assert_eq!(search(Value::Null).await, Some(1));
    let named =
        |value| json!({"StringCondition": {"FieldName": "name", "Value": value, "ComparisonType": "STARTS_WITH"}});
    assert_eq!(search(named("prod")).await, Some(1));
    assert_eq!(search(named("x")).await, Some(0));
    let either = json!({"OrConditions": [named("x"), named("Prod")]});
    assert_eq!(search(either).await, Some(1));

    let lagging = get(&emulator, "/predefined-attributes/i/Tier").await.body;
    let values = &lagging["PredefinedAttribute"]["Values"]["StringList"];
    assert_eq!(*values, json!(["Gold"]));
    let system = get(&emulator, "/predefined-attributes/i/connect%3ALanguage").await;
    assert_eq!(system.status, 200);
    let missing = get(&emulator, "/predefined-attributes/i/Colour").await;
    assert_eq!(missing.code.as_deref(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn requests_are_checked_against_the_model() {
    let emulator = unlimited();
    let long = "x".repeat(101);
    let item = |name: &str, level: Value| {
        json!({"UserProficiencies": [
            {"AttributeName": name, "AttributeValue": "Phone", "Level": level}
        ]})
    };
    let (parameter, request) = ("InvalidParameterException", "InvalidRequestException");
    let cases = [
        (LIST, item("Product", json!(6)), parameter),
        (LIST, item("Product", json!(0.5)), parameter),
        (LIST, item(&long, json!(1)), parameter),
        (LIST, item("", json!(1)), parameter),
        (LIST, item("Product", Value::Null), request),
        (LIST, item("Product", json!("3")), request),
        (LIST, json!({}), request),
        (LIST, json!([1]), request),
        ("/search-predefined-attributes", json!({}), request),
    ];
    for (uri, body, code) in cases {
        let answer = post(&emulator, uri, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.code.as_deref(), Some(code), "{body}");
        assert!(answer.body["Message"].is_string());
    }
    let gets = [
        (format!("{LIST}?maxResults=101"), 400, parameter),
        (format!("{LIST}?maxResults=many"), 400, request),
        (format!("{LIST}?nextToken=ab"), 400, request),
        (format!("/users-summary/{long}"), 400, parameter),
        ("/users-summary/j".to_owned(), 404, "ResourceNotFoundException"),
        ("/users/i/nobody/proficiencies".to_owned(), 404, "ResourceNotFoundException"),
        ("/queues/i/q".to_owned(), 404, "UnknownOperationException"),
        (ASSOCIATE.to_owned(), 404, "UnknownOperationException"),
    ];
    for (uri, status, code) in gets {
        let answer = get(&emulator, &uri).await;
        assert_eq!(answer.status, status, "{uri}");
        assert_eq!(answer.code.as_deref(), Some(code), "{uri}");
    }
    assert_eq!(emulator.stats().total().ok, 0);
}

#[tokio::test(start_paused = true)]
async fn each_operation_is_throttled_by_its_own_bucket() {
    let emulator = Emulator::new(instance());
    for _ in 0..5 {
        assert_eq!(get(&emulator, LIST).await.status, 200);
    }
    let throttled = post(&emulator, ASSOCIATE, tablet(1.0)).await;
    assert_eq!(throttled.status, 200, "another operation");
    let throttled = get(&emulator, LIST).await;
    assert_eq!(throttled.status, 429);
    assert_eq!(throttled.code.as_deref(), Some("ThrottlingException"));
    assert_eq!(throttled.body, json!({"Message": "Rate exceeded"}));

    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(get(&emulator, LIST).await.status, 200);
    let stats = emulator.stats().of(Operation::ListUserProficiencies);
    assert_eq!((stats.calls, stats.ok, stats.throttled), (7, 6, 1));
}

#[tokio::test]
async fn a_throttle_has_the_code_that_was_chosen() {
    let codes =
        [(ThrottleCode::TooManyRequestsException, Some("TooManyRequestsException")), (ThrottleCode::Bare, None)];
    for (throttle_code, shown) in codes {
        let emulator = failing(Rule::new(Fault::Throttle));
        emulator.set_switches(Switches { throttle_code, ..Switches::default() });
        let answer = post(&emulator, ASSOCIATE, tablet(1.0)).await;
        assert_eq!(answer.status, 429);
        assert_eq!(answer.code.as_deref(), shown);
        assert_eq!(tablet_level(&emulator), None, "throttled calls do no work");
        assert_eq!(emulator.calls()[0].outcome, Outcome::Throttled);
    }
}

#[tokio::test]
async fn a_cut_comes_before_or_after_the_work() {
    for (fault, level) in [(Fault::CutBefore, None), (Fault::CutAfter, Some(4.0))] {
        let emulator = failing(Rule::new(fault).nth(1));
        let answer = ask(&emulator, "POST", ASSOCIATE, Some(tablet(4.0))).await;
        assert!(answer.is_none());
        assert_eq!(tablet_level(&emulator), level);
        let call = emulator.calls().remove(0);
        assert_eq!(call.outcome, Outcome::Cut);
        assert_eq!(call.work_done, level.is_some());
    }
}

#[tokio::test]
async fn faults_answer_what_they_are_called() {
    let custom = Fault::Custom {
        status: 409,
        code: "ConditionalOperationFailedException".to_owned(),
        message: "Try again.".to_owned(),
        work_done: true,
    };
    let cases = [
        (Fault::InternalError, 500, Some("InternalServiceException"), false),
        (Fault::Bare503, 503, None, false),
        (Fault::AccessDenied, 403, Some("AccessDeniedException"), false),
        (custom, 409, Some("ConditionalOperationFailedException"), true),
    ];
    for (fault, status, code, is_worked) in cases {
        let emulator = failing(Rule::new(fault));
        let answer = post(&emulator, ASSOCIATE, tablet(4.0)).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.code.as_deref(), code);
        assert_eq!(answer.body.is_null(), code.is_none(), "{}", answer.body);
        assert_eq!(tablet_level(&emulator).is_some(), is_worked);
    }
}

#[tokio::test]
async fn a_token_can_be_refused_once() {
    let code = "InvalidParameterException";
    let search = "/search-predefined-attributes";
    let faults = [Operation::ListUserProficiencies, Operation::SearchPredefinedAttributes]
        .map(|operation| Rule::token_refused(code).on(operation).nth(1))
        .into_iter()
        .fold(Faults::none(), Faults::rule);
    let switches = Switches { empty_first_page: true, ..Switches::default() };
    let emulator = Emulator::builder(instance()).faults(faults).switches(switches).build();

    let first = get(&emulator, LIST).await;
    let next = format!("{LIST}?nextToken={}", first.body["NextToken"].as_str().expect("a token"));
    assert_eq!(get(&emulator, &next).await.code.as_deref(), Some(code));
    assert_eq!(get(&emulator, &next).await.status, 200);

    let first = post(&emulator, search, json!({"InstanceId": "i"})).await;
    let next = json!({"InstanceId": "i", "NextToken": first.body["NextToken"]});
    let refused = post(&emulator, search, next.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.code.as_deref()), (400, Some(code)));
    assert_eq!(post(&emulator, search, next).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn time_passes_on_the_way_and_while_an_answer_is_held_back() {
    let slow = Rule::new(Fault::Slow(Duration::from_secs(10)));
    let emulator =
        Emulator::builder(instance()).latency(Duration::from_millis(80)).faults(Faults::none().rule(slow)).build();
    let start = Instant::now();
    post(&emulator, ASSOCIATE, tablet(4.0)).await;
    assert_eq!(start.elapsed(), Duration::from_millis(10_080));
    assert_eq!(emulator.calls()[0].at, Duration::from_millis(40));

    // Who does not wait for the answer has had the work done all the same.
    let remove = json!({"UserProficiencies": [
        {"AttributeName": "Product", "AttributeValue": "Tablet"}
    ]});
    let impatient = post(&emulator, DISASSOCIATE, remove);
    let waited = tokio::time::timeout(Duration::from_secs(1), impatient).await;
    assert!(waited.is_err());
    assert_eq!(tablet_level(&emulator), None);
}

const USER: &str = "/users/i/u";
const CONFIG: &str = "/users/i/u/config";

fn acw(channel: &str, seconds: u32) -> Value {
    json!({"Channel": channel, "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": seconds}})
}

/// The user `u` with settings in every list.
fn configured() -> Value {
    json!({
        "AutoAcceptConfigs": [
            {"Channel": "VOICE", "AutoAccept": true, "AgentFirstCallbackAutoAccept": false},
            {"Channel": "EMAIL", "AutoAccept": false},
        ],
        "AfterContactWorkConfigs": [acw("VOICE", 30), acw("TASK", 0)],
        "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "DESK_PHONE", "PhoneNumber": "+4930901820"}],
        "PersistentConnectionConfigs": [{"Channel": "VOICE", "PersistentConnection": true}],
        "VoiceEnhancementConfigs": [{"Channel": "VOICE", "VoiceEnhancementMode": "NOISE_SUPPRESSION"}],
    })
}

#[tokio::test]
async fn settings_are_written_and_described() {
    let emulator = unlimited();
    let described = get(&emulator, USER).await.body["User"].clone();
    assert_eq!((&described["Id"], &described["Username"]), (&json!("u"), &json!("jdoe")));
    assert_eq!(described.get("AutoAcceptConfigs"), None);

    assert_eq!(post(&emulator, CONFIG, configured()).await.body, json!({}));
    let described = get(&emulator, USER).await.body["User"].clone();
    for (list, items) in configured().as_object().expect("lists") {
        assert_eq!(described[list], *items, "{list}");
    }
    let call = emulator.calls().remove(1);
    assert_eq!((call.operation, call.user.as_deref(), call.n_items), (Operation::UpdateUserConfig, Some("u"), 7));
    assert_eq!(call.body, configured(), "as it was sent");
    assert_eq!(emulator.calls()[0].body, Value::Null);
    assert_eq!(get(&emulator, "/users/i/nobody").await.code.as_deref(), Some("ResourceNotFoundException"));
    let nobody = post(&emulator, "/users/i/nobody/config", configured()).await;
    assert_eq!(nobody.code.as_deref(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn a_list_of_settings_is_merged_or_takes_the_place_of_the_whole() {
    let one = json!({"AutoAcceptConfigs": [{"Channel": "VOICE", "AutoAccept": false}]});
    let email = json!({"Channel": "EMAIL", "AutoAccept": false});
    let voice = json!({"Channel": "VOICE", "AutoAccept": false});
    let whole_voice = json!({"Channel": "VOICE", "AutoAccept": false, "AgentFirstCallbackAutoAccept": false});
    for (config_lists, expected) in [
        (ConfigLists::ByChannel, json!([voice, email])),
        (ConfigLists::ByMember, json!([whole_voice, email])),
        (ConfigLists::Whole, json!([voice])),
    ] {
        let emulator = unlimited();
        emulator.set_switches(Switches { config_lists, ..Switches::default() });
        post(&emulator, CONFIG, configured()).await;
        post(&emulator, CONFIG, one.clone()).await;
        let described = get(&emulator, USER).await.body["User"].clone();
        assert_eq!(described["AutoAcceptConfigs"], expected, "{config_lists:?}");
        let unsent = "AfterContactWorkConfigs";
        assert_eq!(described[unsent], configured()[unsent], "a list that is not sent stays");
    }
}

#[tokio::test]
async fn after_contact_work_without_its_time_limit_is_refused_or_zero_or_no_setting() {
    let list = "AfterContactWorkConfigs";
    let limit = |seconds: u32| json!({"AfterContactWorkTimeLimit": seconds});
    let voice = |own: Value, agent_first: Value| {
        json!({
            "Channel": "VOICE",
            "AfterContactWorkConfig": own,
            "AgentFirstCallbackAfterContactWorkConfig": agent_first,
        })
    };
    let chat = acw("CHAT", 9);
    let before = json!([voice(limit(30), limit(60)), chat]);
    let (own, agent_first) = (voice(json!({}), limit(5)), voice(limit(5), json!({})));
    let cases = [
        (MissingTimeLimit::Refused, &own, before.clone()),
        (MissingTimeLimit::Refused, &agent_first, before.clone()),
        (MissingTimeLimit::Zero, &own, json!([voice(limit(0), limit(5)), chat])),
        (MissingTimeLimit::Zero, &agent_first, json!([voice(limit(5), limit(0)), chat])),
        (MissingTimeLimit::Unset, &own, json!([chat])),
        (MissingTimeLimit::Unset, &agent_first, json!([acw("VOICE", 5), chat])),
    ];
    for (missing_time_limit, sent, expected) in cases {
        for config_lists in [ConfigLists::ByChannel, ConfigLists::ByMember] {
            let emulator = unlimited();
            emulator.set_switches(Switches { missing_time_limit, config_lists, ..Switches::default() });
            post(&emulator, CONFIG, json!({list: before})).await;
            let answer = post(&emulator, CONFIG, json!({list: [sent]})).await;
            let is_refused = missing_time_limit == MissingTimeLimit::Refused;
            assert_eq!(answer.status, if is_refused { 400 } else { 200 });
            assert_eq!(answer.code.as_deref(), is_refused.then_some("InvalidParameterException"));
            let described = get(&emulator, USER).await.body["User"].clone();
            assert_eq!(described[list], expected, "{missing_time_limit:?} {config_lists:?} {sent}");
            assert_eq!(emulator.calls()[1].body, json!({list: [sent]}), "nothing is filled up");
        }
    }
}

#[tokio::test]
async fn settings_are_checked_against_the_model_and_all_or_none_are_written() {
    let (parameter, request) = ("InvalidParameterException", "InvalidRequestException");
    let phone = |channel: &str, kind: &str, number: Value| json!({"PhoneNumberConfigs": [{"Channel": channel, "PhoneType": kind, "PhoneNumber": number}]});
    let cases = [
        (json!({"AutoAcceptConfigs": [{"Channel": "VOICE"}]}), request, request),
        (json!({"AutoAcceptConfigs": [{"AutoAccept": true}]}), request, request),
        (json!({"AutoAcceptConfigs": [{"Channel": "FAX", "AutoAccept": true}]}), parameter, parameter),
        (json!({"AfterContactWorkConfigs": [{"Channel": "CHAT"}]}), request, request),
        (json!({"AfterContactWorkConfigs": [acw("CHAT", 2_000_001)]}), parameter, parameter),
        (json!({"PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneNumber": "+491"}]}), request, request),
        (phone("VOICE", "CAR_PHONE", json!("+491")), parameter, parameter),
        (phone("VOICE", "DESK_PHONE", json!("030 901820")), parameter, parameter),
        (json!({"PersistentConnectionConfigs": [{"Channel": "VOICE"}]}), request, request),
        (
            json!({"VoiceEnhancementConfigs": [{"Channel": "VOICE", "VoiceEnhancementMode": "LOUD"}]}),
            parameter,
            parameter,
        ),
        // What the model says in words has the name that the switch gives it.
        (phone("CHAT", "SOFT_PHONE", Value::Null), parameter, request),
        (phone("VOICE", "DESK_PHONE", Value::Null), parameter, request),
        (
            json!({"PersistentConnectionConfigs": [{"Channel": "TASK", "PersistentConnection": true}]}),
            parameter,
            request,
        ),
        (
            json!({"VoiceEnhancementConfigs": [{"Channel": "EMAIL", "VoiceEnhancementMode": "NONE"}]}),
            parameter,
            request,
        ),
        (
            json!({"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": true, "AgentFirstCallbackAutoAccept": true}]}),
            parameter,
            request,
        ),
        (
            json!({"AfterContactWorkConfigs": [{
                "Channel": "CHAT",
                "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": 1},
                "AgentFirstCallbackAfterContactWorkConfig": {"AfterContactWorkTimeLimit": 1},
            }]}),
            parameter,
            request,
        ),
        (json!({"AfterContactWorkConfigs": [acw("CHAT", 1), acw("CHAT", 2)]}), parameter, request),
        (json!({}), parameter, request),
    ];
    for (mut body, code, renamed) in cases {
        let is_empty = body == json!({});
        for (refusal, code) in [(Refusal::InvalidParameter, code), (Refusal::InvalidRequest, renamed)] {
            let emulator = unlimited();
            emulator.set_switches(Switches { refusal, ..Switches::default() });
            if !is_empty && body.get("AutoAcceptConfigs").is_none() {
                body["AutoAcceptConfigs"] = json!([{"Channel": "TASK", "AutoAccept": true}]);
            }
            let answer = post(&emulator, CONFIG, body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.code.as_deref()), (400, Some(code)), "{body}");
            assert_eq!(emulator.instance(|instance| instance.config("u")), UserConfig::default(), "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn settings_have_buckets_of_their_own_and_may_meet_a_conflict() {
    let conflict = Fault::Custom {
        status: 409,
        code: "ConditionalOperationFailedException".to_owned(),
        message: "Request processing failed because dependent condition failed.".to_owned(),
        work_done: false,
    };
    let emulator = failing(Rule::new(conflict).on(Operation::UpdateUserConfig).nth(1));
    let answer = post(&emulator, CONFIG, configured()).await;
    assert_eq!((answer.status.as_u16(), answer.code.as_deref()), (409, Some("ConditionalOperationFailedException")));
    for _ in 0..4 {
        assert_eq!(post(&emulator, CONFIG, configured()).await.status, 200);
    }
    assert_eq!(post(&emulator, CONFIG, configured()).await.status, 429);
    assert_eq!(get(&emulator, USER).await.status, 200, "another operation");
}

#[tokio::test]
async fn on_a_socket_an_answer_comes_and_a_cut_breaks_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let emulator = failing(Rule::new(Fault::CutAfter).nth(2));
    let server = tokio::spawn(emulator.clone().serve(listener));

    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {LIST} HTTP/1.1\r\nhost: here\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 4096];
    let n_read = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..n_read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("application/json"), "{answer}");

    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut rest = Vec::new();
    // Closed or reset, but not one byte of an answer.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(emulator.stats().total().cut, 1);

    let mut again = TcpStream::connect(address).await.expect("a connection");
    again.write_all(request.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    again.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200");
    server.abort();
}
