//! Settings per channel: one user at a time against the emulator, through the real SDK client, whatever a list that is
//! sent does to what it does not name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use connect_bulk_import::connect::{Connect, Lanes, Rate, Rates};
use connect_bulk_import::input::{Header, Reader, Record};
use connect_bulk_import::kind::user_config::{
    Before, Change, End, Held, Item, SCHEMA, UNDO_HEADER, bring, check, compare, undo, words,
};
use connect_bulk_import::kind::{Brought, Only, Terms as KindTerms};
use connect_emulator::switches::ConfigLists;
use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Quotas, Rule, Switches};
use import_testkit::connect_client;
use serde_json::{Value, json};

use crate::world::{INSTANCE, instance, user_id};

const WAYS: [ConfigLists; 3] = [ConfigLists::ByChannel, ConfigLists::ByMember, ConfigLists::Whole];
type Terms<'t> = KindTerms<'t, Held>;
const PLAIN: Terms<'_> = KindTerms { limit: 10, replaces: false, only: Only::Nothing, before: None };

/// How long each call takes; the work is done after half of it.
const LATENCY: Duration = Duration::from_millis(10);

/// An instance and the importer's way to it.
struct Desk {
    emulator: Emulator,
    connect: Connect,
}

impl Desk {
    fn new(instance: Instance, switches: Switches, faults: Faults) -> Self {
        let emulator = Emulator::builder(instance).quotas(Quotas::unlimited()).switches(switches).faults(faults);
        let emulator = emulator.latency(LATENCY).build();
        let rate = Rate { per_second: 1000.0, burst: NonZeroU32::new(1000).unwrap() };
        let rates = Rates { default: rate, of: BTreeMap::new(), total_per_second: None };
        let connect = Connect::new(connect_client(&emulator), INSTANCE, Lanes::new(&rates, 7));
        Self { emulator, connect }
    }

    /// One user with these lists, in Connect's own form.
    fn of(lists: Value, config_lists: ConfigLists) -> Self {
        Self::failing(lists, config_lists, Faults::none())
    }

    fn failing(lists: Value, config_lists: ConfigLists, faults: Faults) -> Self {
        let switches = Switches { config_lists, ..Switches::default() };
        Self::new(with_lists(instance(1), 0, lists), switches, faults)
    }

    async fn bring(&self, rows: &[&str]) -> StoredOutcome {
        self.bring_on(rows, PLAIN).await
    }

    async fn bring_on(&self, rows: &[&str], terms: Terms<'_>) -> StoredOutcome {
        self.bring_user(0, rows, terms, || {}).await
    }

    /// Brings a user to what the rows say; `meanwhile` happens between the first read and the first write.
    async fn bring_user(&self, n: usize, rows: &[&str], terms: Terms<'_>, meanwhile: impl Fn()) -> StoredOutcome {
        let before = RefCell::new(None);
        let id = user_id(n);
        let n_written = self.n_calls(Operation::UpdateUserConfig);
        let plan_is_made = async |held: &Held| {
            assert_eq!(self.n_calls(Operation::UpdateUserConfig), n_written, "written before the plan was told");
            assert!(before.replace(Some(held.clone())).is_none(), "told twice");
            meanwhile();
        };
        let items = items(rows);
        let Brought { fates, aside, stop, .. } = bring(&self.connect, &id, &items, terms, plan_is_made).await;
        let unseen = aside.map_or_else(Vec::new, |aside| aside.unseen);
        let rows = fates.iter().map(words);
        let undo = items
            .iter()
            .zip(&fates)
            .filter_map(|(item, fate)| undo(&id, &item.cells.channel(), fate.changes.iter().map(Change::before)));
        StoredOutcome {
            rows: rows.map(|row| (row.status.name(), row.code, row.message)).collect(),
            undo: undo.map(|row| row[1..].join(",")).collect(),
            is_pending: fates.iter().any(|fate| fate.end == End::Pending),
            unseen: unseen
                .iter()
                .map(|Before(channel, setting, from)| format!("{channel} {setting} {from:?}"))
                .collect(),
            stop: stop.map(|error| error.code),
            before: before.into_inner(),
        }
    }

    fn n_calls(&self, operation: Operation) -> usize {
        self.emulator.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Reads and writes.
    fn calls(&self) -> (usize, usize) {
        (self.n_calls(Operation::DescribeUser), self.n_calls(Operation::UpdateUserConfig))
    }

    fn lists_of(&self, n: usize) -> Value {
        self.emulator.instance(|instance| serde_json::to_value(instance.config(&user_id(n))).unwrap())
    }

    fn lists(&self) -> Value {
        self.lists_of(0)
    }
}

/// What was said of one user's rows.
#[derive(Debug)]
struct StoredOutcome {
    rows: Vec<(&'static str, String, String)>,
    /// Rows of the undo file, from the channel on.
    undo: Vec<String>,
    is_pending: bool,
    unseen: Vec<String>,
    stop: Option<String>,
    before: Option<Held>,
}

impl StoredOutcome {
    fn statuses(&self) -> Vec<&str> {
        self.rows.iter().map(|(status, ..)| *status).collect()
    }

    fn messages(&self) -> Vec<&str> {
        self.rows.iter().map(|(.., message)| message.as_str()).collect()
    }
}

fn with_lists(mut instance: Instance, n: usize, lists: Value) -> Instance {
    instance.set_config(&user_id(n), serde_json::from_value(lists).unwrap());
    instance
}

/// Rows from the channel on, in the columns of an undo file.
fn items(rows: &[&str]) -> Vec<Item> {
    let mut checked = Vec::new();
    let mut reader = Reader::new(&[SCHEMA]);
    let mut visit = |header: &Header, record: Record<'_>| {
        checked.push((record.line, check(header, &record).unwrap().cells));
        Ok(())
    };
    let csv: String = rows.iter().map(|row| format!("jdoe,{row}\n")).collect();
    reader.push(format!("{}\n{csv}", UNDO_HEADER.join(",")).as_bytes(), &mut visit).unwrap();
    reader.finish(&mut visit).unwrap();
    compare(&checked).into_iter().collect::<Result<_, _>>().unwrap()
}

fn acw(channel: &str, seconds: u32) -> Value {
    json!({"Channel": channel, "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": seconds}})
}

/// A user with something in every list, on several channels.
fn full() -> Value {
    json!({
        "AutoAcceptConfigs": [
            {"Channel": "VOICE", "AutoAccept": false, "AgentFirstCallbackAutoAccept": true},
            {"Channel": "CHAT", "AutoAccept": false},
            {"Channel": "EMAIL", "AutoAccept": true},
        ],
        "AfterContactWorkConfigs": [acw("VOICE", 30), acw("TASK", 0)],
        "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "DESK_PHONE", "PhoneNumber": "+4930901820"}],
        "PersistentConnectionConfigs": [{"Channel": "VOICE", "PersistentConnection": true}],
        "VoiceEnhancementConfigs": [{"Channel": "VOICE", "VoiceEnhancementMode": "NONE"}],
    })
}

fn refusing(status: u16, code: &str) -> Rule {
    let (code, message) = (code.to_owned(), "Not this.".to_owned());
    Rule::new(Fault::Custom { status, code, message, work_done: false }).on(Operation::UpdateUserConfig)
}

fn conflict() -> Rule {
    refusing(409, "ConditionalOperationFailedException")
}

#[tokio::test(start_paused = true)]
async fn one_call_changes_what_the_rows_say_and_nothing_else() {
    for (switch, switches) in Switches::matrix() {
        let desk = Desk::new(with_lists(instance(1), 0, full()), switches, Faults::none());
        let rows =
            ["CHAT,yes,,60,,,,,", "VOICE,,,,90,SOFT_PHONE,,,", "VOICE,no,,30,,,,,", "VOICE,,,,,,,,noise_suppression"];
        let told = desk.bring(&rows).await;
        assert_eq!(told.statuses(), ["updated", "updated", "unchanged", "updated"], "{switch}");
        assert_eq!(
            told.messages()[0],
            "auto_accept no -> yes, after_contact_work_seconds nothing -> 60. undo.csv cannot take back: \
             after_contact_work_seconds."
        );
        assert_eq!(told.undo, ["CHAT,no,,,,,,,", "VOICE,,,,,DESK_PHONE,,,", "VOICE,,,,,,,,NONE"], "{switch}");
        let mut expected = full();
        expected["AutoAcceptConfigs"][1]["AutoAccept"] = json!(true);
        let mut voice = acw("VOICE", 30);
        voice["AgentFirstCallbackAfterContactWorkConfig"] = json!({"AfterContactWorkTimeLimit": 90});
        expected["AfterContactWorkConfigs"] = json!([voice, acw("CHAT", 60), acw("TASK", 0)]);
        expected["PhoneNumberConfigs"][0]["PhoneType"] = json!("SOFT_PHONE");
        expected["VoiceEnhancementConfigs"][0]["VoiceEnhancementMode"] = json!("NOISE_SUPPRESSION");
        assert_eq!(desk.lists(), expected, "{switch}");
        assert_eq!(desk.calls(), (1, 1), "{switch}");

        let again = desk.bring(&rows).await;
        assert_eq!(again.statuses(), ["unchanged"; 4], "{switch}");
        assert_eq!((desk.calls(), again.before), ((2, 1), None), "{switch}: who is right costs no write");
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_row_takes_back_what_it_can() {
    for way in WAYS {
        let desk = Desk::of(full(), way);
        let rows = ["VOICE,yes,no,0,,SOFT_PHONE,+491,no,VOICE_ISOLATION", "EMAIL,no,,,,,,,"];
        let told = desk.bring(&rows).await;
        assert_eq!(told.statuses(), ["updated", "updated"], "{way:?}");
        let undo: Vec<_> = told.undo.iter().map(String::as_str).collect();
        assert_eq!(desk.bring(&undo).await.statuses(), ["updated", "updated"], "{way:?}");
        assert_eq!(desk.lists(), full(), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_without_any_settings_gets_them() {
    for way in WAYS {
        let desk = Desk::of(json!({}), way);
        let told = desk.bring(&["VOICE,no,yes,,,DESK_PHONE,+4930901820,,", "CHAT,,,5,,,,,"]).await;
        assert_eq!((told.statuses(), told.undo.len()), (vec!["added", "added"], 0), "{way:?}");
        let expected = json!({
            "AutoAcceptConfigs": [{"Channel": "VOICE", "AutoAccept": false, "AgentFirstCallbackAutoAccept": true}],
            "AfterContactWorkConfigs": [acw("CHAT", 5)],
            "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "DESK_PHONE", "PhoneNumber": "+4930901820"}],
        });
        assert_eq!(desk.lists(), expected, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_against_a_rule_is_invalid_and_the_others_go_ahead() {
    for way in WAYS {
        let desk = Desk::of(json!({"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": false}]}), way);
        let told = desk.bring(&["VOICE,,yes,30,,,,,", "CHAT,yes,,,,,,,", "VOICE,,,,,DESK_PHONE,,,"]).await;
        assert_eq!(told.statuses(), ["invalid", "updated", "invalid"], "{way:?}");
        assert_eq!(told.rows[0].1, "needs_other_setting");
        let expected = json!({"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": true}]});
        assert_eq!((desk.lists(), desk.calls()), (expected, (1, 1)), "{way:?}: nothing of an invalid row is written");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_says_nothing_new_is_a_duplicate_unless_its_wish_hangs_on_it() {
    for way in WAYS {
        let desk = Desk::of(json!({"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": false}]}), way);
        let rows = ["CHAT,yes,,,,,,,", "CHAT,yes,,9,,,,,", "CHAT,,,9,,,,,", "VOICE,no,,,5,,,,", "VOICE,no,,,,,,,"];
        let told = desk.bring(&rows).await;
        assert_eq!(told.statuses(), ["updated", "added", "duplicate", "invalid", "added"], "{way:?}");
        assert!(told.messages()[1].starts_with("after_contact_work_seconds nothing -> 9"), "a change is told once");
        assert_eq!(told.messages()[2], "This was said before: see line 3.");
        assert!(told.messages()[4].starts_with("auto_accept nothing -> no"), "{way:?}");
        assert_eq!(desk.calls(), (1, 1), "{way:?}");
        let again = desk.bring(&rows).await;
        assert_eq!(again.statuses(), ["unchanged", "unchanged", "duplicate", "invalid", "duplicate"], "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_is_not_sent_again_though_a_read_does_not_show_it() {
    for way in WAYS {
        let refused = |n| refusing(400, "InvalidRequestException").nth(n);
        let desk = Desk::failing(full(), way, Faults::none().rule(refused(1)).rule(refused(3)));
        // After the second write the service shows what was there before it.
        let forgetting = async {
            while desk.n_calls(Operation::UpdateUserConfig) < 2 {
                tokio::time::sleep(LATENCY / 10).await;
            }
            let old = serde_json::from_value(full()).unwrap();
            desk.emulator.instance(|instance| instance.set_config(&user_id(0), old));
        };
        let rows = ["CHAT,yes,,,,,,,", "TASK,yes,,,,,,,", "EMAIL,no,,,,,,,"];
        let (told, ()) = tokio::join!(desk.bring(&rows), forgetting);
        assert_eq!(told.statuses(), ["updated", "failed", "updated"], "{way:?}");
        assert_eq!(desk.calls(), (3, 4), "{way:?}");
        assert_eq!(desk.lists()["AutoAcceptConfigs"][1]["AutoAccept"], true, "{way:?}: sent along with the others");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_the_same_and_writes_nothing() {
    let desk = Desk::of(full(), ConfigLists::default());
    let rows = ["CHAT,yes,,,,,,,", "TASK,,,0,,,,,", "TASK,yes,,,,,,,"];
    let told = desk.bring_on(&rows, KindTerms { only: Only::Plan, ..PLAIN }).await;
    assert_eq!(told.statuses(), ["updated", "unchanged", "added"]);
    assert_eq!(told.messages()[0], "auto_accept no -> yes");
    assert_eq!((desk.lists(), desk.calls(), told.before), (full(), (1, 0), None));
}

#[tokio::test(start_paused = true)]
async fn a_later_delivery_tells_what_an_earlier_one_did() {
    for way in WAYS {
        let desk = Desk::of(full(), way);
        let rows = ["CHAT,yes,,,,,,,", "EMAIL,no,,,,,,,"];
        // The first delivery died after it had done the one row.
        let before = desk.bring(&rows[..1]).await.before.unwrap();
        let terms = |only| KindTerms { only, before: Some(&before), ..PLAIN };
        let seen = desk.bring_on(&rows, terms(Only::Look)).await;
        assert_eq!((seen.statuses(), seen.is_pending), (vec!["updated", "pending"], true), "{way:?}");
        assert_eq!(seen.undo, ["CHAT,no,,,,,,,"], "{way:?}");
        let told = desk.bring_on(&rows, terms(Only::Nothing)).await;
        assert_eq!((told.statuses(), told.is_pending), (vec!["updated", "updated"], false), "{way:?}");
        assert_eq!(told.messages(), ["auto_accept no -> yes", "auto_accept yes -> no"], "{way:?}");
        assert_eq!(told.before, None, "{way:?}: what was there before is written down already");
        assert_eq!(desk.calls(), (3, 2), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_goes_setting_by_setting_and_fails_its_guilty_rows_only() {
    for (switch, switches) in Switches::matrix() {
        // Whatever is done about this phone, its number is sent along and refused.
        let mut lists = full();
        lists["PhoneNumberConfigs"][0]["PhoneNumber"] = json!("030 901820");
        let desk = Desk::new(with_lists(instance(1), 0, lists.clone()), switches, Faults::none());
        let told = desk.bring(&["VOICE,,,,,SOFT_PHONE,,no,", "CHAT,yes,,,,,,,", "VOICE,,,45,,,,,"]).await;
        assert_eq!(told.statuses(), ["failed", "updated", "updated"], "{switch}");
        let (_, code, message) = &told.rows[0];
        assert_eq!(code, "InvalidParameterException", "{switch}");
        assert!(message.starts_with("Amazon Connect refused this: ") && message.contains("030 901820"), "{message}");
        assert!(message.ends_with("Changed all the same: persistent_connection yes -> no."), "{switch}: {message}");
        assert_eq!(told.undo, ["VOICE,,,,,,,yes,", "CHAT,no,,,,,,,", "VOICE,,,30,,,,,"], "{switch}");
        lists["PersistentConnectionConfigs"][0]["PersistentConnection"] = json!(false);
        lists["AutoAcceptConfigs"][1]["AutoAccept"] = json!(true);
        lists["AfterContactWorkConfigs"] = json!([acw("VOICE", 45), acw("TASK", 0)]);
        assert_eq!(desk.lists(), lists, "{switch}");
        assert_eq!(desk.calls(), (3, 5), "{switch}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_refused_for_no_setting_in_particular_fails_no_row() {
    for (way, code) in
        WAYS.into_iter().zip(["InvalidRequestException", "InvalidParameterException", "LimitExceededException"])
    {
        let faults = Faults::none().rule(refusing(400, code).nth(1));
        let desk = Desk::failing(full(), way, faults);
        let told = desk.bring(&["VOICE,,,0,5,,+491,,", "CHAT,yes,,,,,,,"]).await;
        assert_eq!(told.statuses(), ["updated", "updated"], "{way:?}");
        assert_eq!(desk.calls(), (2, 1 + 4), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_conflict_the_user_is_read_and_planned_again() {
    for way in WAYS {
        let desk = Desk::failing(full(), way, Faults::none().rule(conflict().first(2)));
        // Somebody at the console changes another channel between our read and our write.
        let mut theirs = full();
        theirs["AutoAcceptConfigs"][2]["AutoAccept"] = json!(false);
        let console = || {
            desk.emulator.instance(|instance| {
                instance.set_config(&user_id(0), serde_json::from_value(theirs.clone()).unwrap());
            });
        };
        let told = desk.bring_user(0, &["CHAT,yes,,9,,,,,"], PLAIN, console).await;
        assert_eq!(told.statuses(), ["updated"], "{way:?}");
        theirs["AutoAcceptConfigs"][1]["AutoAccept"] = json!(true);
        assert_eq!(desk.lists()["AutoAcceptConfigs"], theirs["AutoAcceptConfigs"], "{way:?}");
        assert_eq!(desk.calls(), (3, 3), "{way:?}: all in one call still");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_does_not_end_is_a_refusal() {
    let desk = Desk::failing(full(), ConfigLists::default(), Faults::none().rule(conflict()));
    let told = desk.bring(&["CHAT,yes,,9,,,,,", "EMAIL,no,,,,,,,"]).await;
    assert_eq!(told.statuses(), ["failed", "failed"]);
    assert_eq!(told.rows[0].1, "ConditionalOperationFailedException");
    assert_eq!((desk.lists(), desk.calls()), (full(), (1 + 5 + 3, 5 + 3)), "a few times, then each setting alone");
}

#[tokio::test(start_paused = true)]
async fn what_was_done_though_no_answer_came_was_done_by_this_import() {
    for way in WAYS {
        let cut = Rule::new(Fault::CutAfter).on(Operation::UpdateUserConfig);
        let desk = Desk::failing(full(), way, Faults::none().rule(cut));
        let told = desk.bring(&["CHAT,yes,,,,,,,", "VOICE,,,,,,,no,"]).await;
        assert_eq!(told.statuses(), ["updated", "updated"], "{way:?}");
        assert_eq!(told.undo, ["CHAT,no,,,,,,,", "VOICE,,,,,,,yes,"], "{way:?}");
        assert!(told.unseen.is_empty(), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_and_cannot_be_seen_is_told() {
    let rows = ["CHAT,yes,,9,,,,,", "EMAIL,yes,,,,,,,"];
    let expected = ["CHAT auto_accept Some(Switch(false))", "CHAT after_contact_work_seconds None"];

    // The write is done, its answer never comes, and the user cannot be read any more.
    let cut = Rule::new(Fault::CutAfter).on(Operation::UpdateUserConfig);
    let read_once = Rule::new(Fault::Slow(Duration::ZERO)).on(Operation::DescribeUser).nth(1);
    let gone = Rule::new(Fault::AccessDenied).on(Operation::DescribeUser);
    let faults = Faults::none().rule(cut).rule(read_once).rule(gone);
    let desk = Desk::failing(full(), ConfigLists::default(), faults);
    let told = desk.bring(&rows).await;
    assert_eq!((told.statuses(), told.undo.len()), (vec!["failed", "unchanged"], 0));
    assert_eq!(told.unseen, expected);
    assert_eq!(desk.lists()["AutoAcceptConfigs"][1]["AutoAccept"], true, "it was done indeed");

    // The next delivery cannot read the user either.
    let before = told.before.unwrap();
    let told = desk.bring_on(&rows, KindTerms { before: Some(&before), ..PLAIN }).await;
    assert_eq!(told.statuses(), ["failed", "failed"]);
    assert_eq!(told.unseen, expected);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_cannot_be_read_is_not_written() {
    let unread = Rule::new(Fault::InternalError).on(Operation::DescribeUser);
    let desk = Desk::failing(full(), ConfigLists::Whole, Faults::none().rule(unread));
    let told = desk.bring(&["CHAT,yes,,,,,,,"]).await;
    assert_eq!((told.statuses(), told.rows[0].1.as_str()), (vec!["failed"], "InternalServiceException"));
    assert_eq!((desk.lists(), desk.n_calls(Operation::UpdateUserConfig)), (full(), 0));

    let empty = Rule::new(Fault::Custom { status: 200, code: String::new(), message: String::new(), work_done: false });
    let desk = Desk::failing(full(), ConfigLists::Whole, Faults::none().rule(empty.on(Operation::DescribeUser)));
    let told = desk.bring(&["CHAT,yes,,,,,,,"]).await;
    let code = told.rows[0].1.as_str();
    assert_eq!((told.statuses(), code), (vec!["failed"], "IncompleteAnswer"), "an answer without the user is an error");
    assert_eq!((desk.lists(), desk.n_calls(Operation::UpdateUserConfig)), (full(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_permission_stops_the_import_and_is_told() {
    let denied = Rule::new(Fault::AccessDenied).on(Operation::UpdateUserConfig);
    let desk = Desk::new(with_lists(instance(4), 3, full()), Switches::default(), Faults::none().rule(denied));
    for n in 0..4 {
        let told = desk.bring_user(n, &["CHAT,yes,,9,,,,,"], PLAIN, || {}).await;
        let (status, stop) = if n < 2 { ("failed", None) } else { ("failed", Some("AccessDeniedException")) };
        let (status, stop) = if n < 3 { (status, stop) } else { ("pending", Some("AccessDeniedException")) };
        assert_eq!((told.statuses(), told.stop.as_deref()), (vec![status], stop), "user {n}");
    }
    assert_eq!(desk.n_calls(Operation::UpdateUserConfig), 3);
    assert_eq!(desk.lists_of(3), full());
}

#[tokio::test(start_paused = true)]
async fn an_import_that_stops_within_a_user_says_how_far_it_came() {
    // The first call is refused, the second goes through, and then the permission is gone: ten refusals stop the import.
    let through = Rule::new(Fault::Slow(Duration::ZERO)).on(Operation::UpdateUserConfig).nth(2);
    let denied = Rule::new(Fault::AccessDenied).on(Operation::UpdateUserConfig);
    let refused = refusing(400, "InvalidRequestException").nth(1);
    let faults = Faults::none().rule(through).rule(refused).rule(denied);
    let desk = Desk::failing(full(), ConfigLists::Whole, faults);
    let rows = [
        "VOICE,yes,no,0,9,SOFT_PHONE,+491,no,VOICE_ISOLATION",
        "CHAT,yes,,9,,,,,",
        "TASK,yes,,9,,,,,",
        "EMAIL,no,,9,,,,,",
    ];
    let told = desk.bring(&rows).await;
    assert_eq!(told.statuses(), ["failed", "failed", "failed", "pending"]);
    assert_eq!((told.is_pending, told.stop.as_deref()), (true, Some("AccessDeniedException")));
    assert_eq!(told.undo, ["VOICE,no,,,,,,,"]);
    assert_eq!(desk.n_calls(Operation::UpdateUserConfig), 2 + 10);
}

#[tokio::test(start_paused = true)]
async fn noise_changes_nothing_but_the_time() {
    const USERS: usize = 40;
    let noise = |seed| {
        let faults = [Fault::Throttle, Fault::InternalError, Fault::Bare503, Fault::CutBefore, Fault::CutAfter];
        let random = faults.into_iter().map(|fault| Rule::new(fault).randomly(0.06));
        random.chain([conflict().randomly(0.06)]).fold(Faults::seeded(seed), Faults::rule)
    };
    let rows = |n: usize| match n % 4 {
        0 => vec!["VOICE,yes,no,30,60,SOFT_PHONE,+491,no,NONE", "CHAT,yes,,0,,,,,"],
        1 => vec!["VOICE,,yes,,,,,,", "TASK,,,0,,,,,", "EMAIL,no,,,,,,,"],
        2 => vec!["VOICE,,,,,DESK_PHONE,,,", "CHAT,no,,,,,,,"],
        _ => vec!["VOICE,,,,,,,no,", "VOICE,,,,,,,,VOICE_ISOLATION", "VOICE,,,7,,,,,"],
    };
    let centre = || (0..USERS).filter(|n| n % 3 > 0).fold(instance(USERS), |centre, n| with_lists(centre, n, full()));
    for (seed, way) in (1..).zip(WAYS) {
        let switches = Switches { config_lists: way, ..Switches::default() };
        let quiet = Desk::new(centre(), switches.clone(), Faults::none());
        let noisy = Desk::new(centre(), switches, noise(seed));
        for n in 0..USERS {
            let expected = quiet.bring_user(n, &rows(n), PLAIN, || {}).await;
            let told = noisy.bring_user(n, &rows(n), PLAIN, || {}).await;
            assert_eq!(told.rows, expected.rows, "{way:?}, user {n}");
            assert_eq!((told.undo, told.before), (expected.undo, expected.before), "{way:?}, user {n}");
            assert_eq!(noisy.lists_of(n), quiet.lists_of(n), "{way:?}, user {n}");
        }
    }
}

#[test]
fn the_sample_file_has_rows_that_are_right_and_one_of_each_common_mistake() {
    let mut wrong = Vec::new();
    let mut n_right = 0;
    let mut reader = Reader::new(&[SCHEMA]);
    let mut visit = |header: &Header, record: Record<'_>| {
        match check(header, &record) {
            Ok(_) => n_right += 1,
            Err(invalid) => wrong.push((record.line, invalid.code.name())),
        }
        Ok(())
    };
    reader.push(include_bytes!("../../examples/data/channels.csv"), &mut visit).unwrap();
    reader.finish(&mut visit).unwrap();
    let expected = [
        (6, "voice_only"),
        (12, "invalid_seconds"),
        (15, "invalid_phone_number"),
        (21, "invalid_channel"),
        (23, "no_setting"),
    ];
    assert_eq!((wrong, n_right), (expected.to_vec(), 19));
}

#[tokio::test(start_paused = true)]
async fn what_a_user_has_is_read_from_all_lists_with_times_in_seconds() {
    let desk = Desk::of(full(), ConfigLists::default());
    let held = desk.connect.describe_user(&user_id(0)).await.unwrap();
    let said: Vec<_> = held.iter().map(|(key, value)| format!("{} {}={value}", key.channel, key.setting)).collect();
    let expected = [
        "VOICE auto_accept=no",
        "VOICE agent_first_callback_auto_accept=yes",
        "VOICE after_contact_work_seconds=30",
        "VOICE phone_type=DESK_PHONE",
        "VOICE phone_number=+4930901820",
        "VOICE persistent_connection=yes",
        "VOICE voice_enhancement_mode=NONE",
        "CHAT auto_accept=no",
        "TASK after_contact_work_seconds=0",
        "EMAIL auto_accept=yes",
    ];
    assert_eq!(said, expected);
}
