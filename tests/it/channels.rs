//! Files of settings per channel, from the drop to the report.

use std::collections::BTreeMap;
use std::time::Duration;

use connect_emulator::switches::ConfigLists;
use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Quotas, Rule, Switches};
use expect_test::expect;
use import_testkit::{MemoryS3, Versioning};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{BUCKET, Report, World, instance, run, user_id};

const WAYS: [ConfigLists; 3] = [ConfigLists::ByChannel, ConfigLists::ByMember, ConfigLists::Whole];

/// Users who have settings of some channels.
fn centre(n_users: usize) -> Instance {
    let mut centre = instance(n_users);
    for n in 0..n_users {
        let lists = json!({
            "AutoAcceptConfigs": [
                {"Channel": "VOICE", "AutoAccept": false, "AgentFirstCallbackAutoAccept": n % 2 == 0},
                {"Channel": "CHAT", "AutoAccept": n % 3 == 0},
            ],
            "AfterContactWorkConfigs": [
                {"Channel": "VOICE", "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": 30}},
                {"Channel": "TASK", "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": 0}},
            ],
            "PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "SOFT_PHONE"}],
        });
        centre.set_config(&user_id(n), serde_json::from_value(lists).unwrap());
    }
    centre
}

fn world(n_users: usize, config_lists: ConfigLists) -> World {
    let switches = Switches { config_lists, ..Switches::default() };
    let emulator = Emulator::builder(centre(n_users)).switches(switches).quotas(Quotas::unlimited());
    World::built(emulator, &[("REQUESTS_PER_SECOND", "1000")])
}

fn lists(world: &World, n: usize) -> Value {
    world.emulator.instance(|centre| serde_json::to_value(centre.config(&user_id(n))).unwrap())
}

fn n_writes(world: &World) -> usize {
    world.calls().get("UpdateUserConfig").copied().unwrap_or(0)
}

const FILE: &str = "\
Agent,Team,Channel,Auto Accept,after_contact_work_seconds,phone_type,phone_number,persistent_connection
agent000,blue,voice,yes,60,DESK_PHONE,+4930901820,
agent000,blue,CHAT,no,,,,
agent001,blue,TASK,,45,,,
agent001,red,TASK,,45,,,
agent002,red,VOICE,no,30,SOFT_PHONE,,
agent003,red,VOICE,yes,,,,
agent003,red,VOICE,no,,,,
agent003,red,EMAIL,on,,,,
agent004,red,CHAT,,,,,yes
agent004,red,FAX,yes,,,,
agent004,red,EMAIL,perhaps,,,,
agent004,red,EMAIL,,,,,
agent005,red,VOICE,,,DESK_PHONE,,
Agent005,red,EMAIL,yes,,,,
";

#[tokio::test(start_paused = true)]
async fn the_header_tells_the_kind_and_every_row_is_accounted_for() {
    for way in WAYS {
        let world = world(6, way);
        let before: Vec<_> = (0..6).map(|n| lists(&world, n)).collect();
        let report = world.drop_file("incoming/channels.csv", FILE).await;
        assert_eq!(
            (report.status(), &report.summary["kind"]),
            ("completed_with_errors", &"user_config".into()),
            "{way:?}"
        );
        let said: Vec<String> = report.rows().iter().map(|row| row.join(" | ")).collect();
        expect![[r#"
            2 | updated |  | auto_accept no -> yes, after_contact_work_seconds 30 -> 60, phone_type SOFT_PHONE -> DESK_PHONE, phone_number nothing -> +4930901820. undo.csv cannot take back: phone_number.
            3 | updated |  | auto_accept yes -> no
            4 | updated |  | after_contact_work_seconds 0 -> 45
            5 | duplicate | duplicate_row | This was said before: see line 4.
            6 | unchanged |  | 
            7 | invalid | conflicting_rows | Contradicts line 8: same user, channel and setting, another value. Keep one of the two.
            8 | invalid | conflicting_rows | Contradicts line 7: same user, channel and setting, another value. Keep one of the two.
            9 | added |  | auto_accept nothing -> yes. undo.csv cannot take back: auto_accept.
            10 | invalid | voice_only | Only the channel VOICE has `persistent_connection`, and this row is about CHAT. Empty the cell, or give VOICE a row of its own.
            11 | invalid | invalid_channel | The channel 'FAX' is not VOICE, CHAT, TASK or EMAIL.
            12 | invalid | invalid_boolean | `auto_accept` is 'perhaps'. Write yes or no (or true, false, on, off, 1, 0).
            13 | invalid | no_setting | The row gives no setting: the cells of all settings are empty. Fill one in, or take the row out.
            14 | invalid | needs_other_setting | `phone_type` DESK_PHONE needs a `phone_number`, and the user has none for VOICE. Give it in this row, too.
            15 | invalid | unknown_user | There is no user 'Agent005'; did you mean 'agent005'?"#]].assert_eq(&said.join("\n"));
        assert_eq!(n_writes(&world), 3, "one call a user that is to be changed: {way:?}");
        assert_eq!(lists(&world, 2), before[2]);
        assert_eq!(report.retry.as_ref().unwrap().lines().count(), 1 + 8);
        expect![[r#"
            user,channel,auto_accept,agent_first_callback_auto_accept,after_contact_work_seconds,agent_first_callback_after_contact_work_seconds,phone_type,phone_number,persistent_connection,voice_enhancement_mode,if_auto_accept,if_agent_first_callback_auto_accept,if_after_contact_work_seconds,if_agent_first_callback_after_contact_work_seconds,if_phone_type,if_phone_number,if_persistent_connection,if_voice_enhancement_mode
            00000000-0000-4000-8000-000000000000,VOICE,no,,,,,,,,yes,,,,,,,
            00000000-0000-4000-8000-000000000000,VOICE,,,30,,,,,,,,60,,,,,
            00000000-0000-4000-8000-000000000000,VOICE,,,,,SOFT_PHONE,,,,,,,,DESK_PHONE,,,
            00000000-0000-4000-8000-000000000000,CHAT,yes,,,,,,,,no,,,,,,,
            00000000-0000-4000-8000-000000000001,TASK,,,0,,,,,,,,45,,,,,
        "#]].assert_eq(report.undo.as_deref().unwrap());

        world.emulator.reset_stats();
        let again = world.drop_file("incoming/again.csv", FILE).await;
        assert_eq!(n_writes(&world), 0, "the same file again writes nothing: {way:?}");
        assert_eq!(again.undo, None);
        assert!(!again.counts().contains_key("updated"));

        world.drop_file("incoming/undo.csv", report.undo.unwrap()).await;
        let untouched = |lists: &Value| lists["AutoAcceptConfigs"].clone();
        for (n, before) in before.iter().enumerate().take(3) {
            assert_eq!(untouched(&lists(&world, n)), untouched(before), "agent00{n}, {way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_writes_nothing_and_says_what_would_be() {
    let world = world(2, ConfigLists::Whole);
    let csv = "user,channel,auto_accept\nagent000,VOICE,yes\nagent001,EMAIL,yes\nagent001,VOICE,no\n";
    let report = world.drop_file("incoming/dry-run=true/a.csv", csv).await;
    assert_eq!(report.statuses(), ["would_update", "would_add", "unchanged"]);
    assert_eq!(report.rows()[0][3], "auto_accept no -> yes");
    assert_eq!((n_writes(&world), report.undo), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_settings_is_never_the_whole_truth() {
    let csv = "user,channel,auto_accept\nagent000,VOICE,yes\n";
    let of_centre = world(1, ConfigLists::Whole);
    let report = of_centre.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("replace_not_possible")));
    assert!(report.summary["message"].as_str().unwrap().contains("channel settings"));
    let emulator = Emulator::builder(centre(1)).quotas(Quotas::unlimited());
    let of_centre = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000"), ("MODE", "replace")]);
    let report = of_centre.drop_file("incoming/a.csv", csv).await;
    assert_eq!((report.statuses(), &report.summary["mode"]), (vec!["updated".to_owned()], &"merge".into()));
}

#[tokio::test(start_paused = true)]
async fn a_file_without_any_setting_says_which_there_are() {
    let world = world(1, ConfigLists::Whole);
    let report =
        world.invoke(world.dropped("incoming/a.csv", "user,channel,team\nagent000,VOICE,blue\n")).await.unwrap();
    let report = world.report(&report["imports"][0]);
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("missing_column")));
    let message = report.summary["message"].as_str().unwrap();
    assert!(message.contains("none of the columns `auto_accept`") && message.contains("\"team\""), "{message}");
}

#[tokio::test(start_paused = true)]
async fn of_a_refused_call_only_the_guilty_rows_fail() {
    let world = world(3, ConfigLists::Whole);
    let message = "Not today.".to_owned();
    let fault = Fault::Custom { status: 400, code: "InvalidParameterException".into(), message, work_done: false };
    // The call with all settings, and then that with the first of them alone.
    let rule = Rule::new(fault).on(Operation::UpdateUserConfig).of_user(user_id(1)).first(2);
    world.emulator.set_faults(Faults::none().rule(rule));
    let rows: String = (0..3).map(|n| format!("agent{n:03},VOICE,yes,\nagent{n:03},TASK,,77\n")).collect();
    let report =
        world.drop_file("incoming/a.csv", format!("user,channel,auto_accept,after_contact_work_seconds\n{rows}"));
    let report = report.await;
    assert_eq!(report.statuses(), ["updated", "updated", "failed", "updated", "updated", "updated"]);
    assert_eq!(report.rows()[2][2], "InvalidParameterException");
    assert_eq!(report.retry.unwrap().lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_mostly_wrong_is_rejected() {
    let world = world(12, ConfigLists::Whole);
    let rows: String = (0..12).map(|n| format!("agent{n:03},FAX,yes\n")).collect();
    let report =
        world.drop_file("incoming/a.csv", format!("user,channel,auto_accept\n{rows}agent000,VOICE,yes\n")).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("rejected", Some("too_many_invalid")));
    assert!(world.calls().is_empty() || n_writes(&world) == 0);
}

async fn killed(config_lists: ConfigLists, lives: &[Duration]) -> (World, Report) {
    let switches = Switches { config_lists, ..Switches::default() };
    let emulator = Emulator::builder(centre(16)).latency(Duration::from_millis(60)).switches(switches);
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    s3.set_latency(Duration::from_millis(20));
    let settings = [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "5")];
    let mut world = World::over(emulator.quotas(Quotas::all(20.0, 5)), &s3, &settings);
    let rows: String = (0..16)
        .map(|n| {
            format!("agent{n:03},VOICE,yes,90,{}\nagent{n:03},CHAT,yes,,\n", if n % 4 == 3 { "DESK_PHONE" } else { "" })
        })
        .collect();
    let event = world
        .dropped("incoming/a.csv", format!("user,channel,auto_accept,after_contact_work_seconds,phone_type\n{rows}"));
    let report = world.import_killed(event, lives).await;
    (world, report)
}

proptest! {
    #![proptest_config(crate::world::cases(24))]
    #[test]
    fn killed_anywhere_it_ends_the_same(lives in prop::collection::vec(1_u64..2500, 1..5), way in 0..3_usize) {
        run(async {
            let lives: Vec<_> = lives.into_iter().map(Duration::from_millis).collect();
            let (whole, expected) = killed(WAYS[way], &[]).await;
            let (cut, report) = killed(WAYS[way], &lives).await;
            assert_eq!(report.results, expected.results, "{lives:?}");
            assert_eq!(report.undo, expected.undo, "{lives:?}");
            assert_eq!(report.retry, expected.retry, "{lives:?}");
            for n in 0..16 {
                assert_eq!(lists(&cut, n), lists(&whole, n), "{lives:?}");
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_hangs_on_a_refused_one_is_told_the_refusal() {
    let world = World::new(instance(1));
    let message = "No automatic answers.".to_owned();
    let fault = Fault::Custom { status: 400, code: "InvalidParameterException".into(), message, work_done: false };
    world.emulator.set_faults(Faults::none().rule(Rule::new(fault).on(Operation::UpdateUserConfig)));
    let csv = "user,channel,auto_accept,agent_first_callback_auto_accept\nagent000,VOICE,yes,\nagent000,VOICE,,yes\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    for row in report.rows() {
        assert_eq!((row[1].as_str(), row[2].as_str()), ("failed", "InvalidParameterException"), "{row:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_never_ring_at_an_old_number_because_the_new_one_was_refused() {
    let mut centre = instance(1);
    let lists =
        json!({"PhoneNumberConfigs": [{"Channel": "VOICE", "PhoneType": "SOFT_PHONE", "PhoneNumber": "+4911"}]});
    centre.set_config(&user_id(0), serde_json::from_value(lists).unwrap());
    let world = World::new(centre);
    let before = self::lists(&world, 0);
    let message = "Not this number.".to_owned();
    let fault = Fault::Custom { status: 400, code: "InvalidParameterException".into(), message, work_done: false };
    world.emulator.set_faults(Faults::none().rule(Rule::new(fault).on(Operation::UpdateUserConfig).first(2)));
    let csv =
        "user,channel,phone_type,phone_number,auto_accept\nagent000,VOICE,DESK_PHONE,+4922,\nagent000,CHAT,,,yes\n";
    let report = world.drop_file("incoming/a.csv", csv).await;
    assert_eq!(report.statuses(), ["failed", "added"]);
    assert_eq!(self::lists(&world, 0)["PhoneNumberConfigs"], before["PhoneNumberConfigs"]);
}

const CHANNELS: [&str; 4] = ["VOICE", "CHAT", "TASK", "EMAIL"];

/// Of each user and channel: auto accept, and seconds of work after a contact.
type Settings = Vec<BTreeMap<&'static str, (bool, u64)>>;

#[derive(Clone, Debug)]
struct Row {
    user: usize,
    channel: &'static str,
    accept: &'static str,
    seconds: &'static str,
    if_accept: &'static str,
}

#[derive(Clone, Debug)]
struct Case {
    before: Settings,
    rows: Vec<Row>,
    way: ConfigLists,
    seed: u64,
    fault: f64,
    lives: Vec<Duration>,
    /// What others set after the import: of which user's channel, and to what.
    since: Vec<(usize, &'static str, (bool, u64))>,
}

fn case() -> impl Strategy<Value = Case> {
    let of_channel = || (any::<bool>(), prop::sample::select(vec![0_u64, 30, 60]));
    let of_user = prop::collection::vec(of_channel(), 4).prop_map(|of| CHANNELS.into_iter().zip(of).collect());
    let channel = || prop::sample::select(CHANNELS.to_vec());
    let row = (
        0..4_usize,
        channel(),
        prop::sample::select(vec!["", "yes", "no", "no", "perhaps"]),
        prop::sample::select(vec!["", "0", "30", "60", "60"]),
        prop::sample::select(vec!["", "", "", "yes", "no"]),
    );
    let row =
        row.prop_map(|(user, channel, accept, seconds, if_accept)| Row { user, channel, accept, seconds, if_accept });
    let how = (prop::sample::select(WAYS.to_vec()), any::<u64>(), 0.0..0.08_f64);
    let lives = prop::collection::vec((1_u64..1200).prop_map(Duration::from_millis), 0..4);
    let since = prop::collection::vec((0..4_usize, channel(), of_channel()), 0..4);
    (prop::collection::vec(of_user, 4), prop::collection::vec(row, 1..16), how, lives, since).prop_map(
        |(before, rows, (way, seed, fault), lives, since)| Case { before, rows, way, seed, fault, lives, since },
    )
}

impl Case {
    fn file(&self) -> String {
        let row = |Row { user, channel, accept, seconds, if_accept }: &Row| {
            format!("agent{user:03},{channel},{accept},{seconds},{if_accept}\n")
        };
        let header = "user,channel,auto_accept,after_contact_work_seconds,if_auto_accept\n".to_owned();
        self.rows.iter().map(row).fold(header, |file, row| file + &row)
    }

    fn world(&self, faults: Faults) -> World {
        let mut centre = instance(4);
        for (n, before) in self.before.iter().enumerate() {
            set_channels(&mut centre, n, before);
        }
        let switches = Switches { config_lists: self.way, ..Switches::default() };
        let emulator = Emulator::builder(centre).switches(switches).faults(faults).latency(Duration::from_millis(40));
        let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
        s3.set_latency(Duration::from_millis(15));
        let limits = [("REQUESTS_PER_SECOND", "20"), ("REQUEST_BURST", "5"), ("MAX_INVALID_PERCENT", "100")];
        World::over(emulator.quotas(Quotas::all(20.0, 5)), &s3, &limits)
    }
}

fn set_channels(centre: &mut Instance, n: usize, channels: &BTreeMap<&'static str, (bool, u64)>) {
    let items = channels.iter();
    let accept: Vec<_> =
        items.clone().map(|(channel, (accept, _))| json!({"Channel": channel, "AutoAccept": accept})).collect();
    let seconds = items.map(|(channel, (_, seconds))| {
        json!({"Channel": channel, "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": seconds}})
    });
    let seconds: Vec<_> = seconds.collect();
    let lists = json!({"AutoAcceptConfigs": accept, "AfterContactWorkConfigs": seconds});
    centre.set_config(&user_id(n), serde_json::from_value(lists).unwrap());
}

fn settings(world: &World) -> Settings {
    let of_user = |n| {
        let lists = lists(world, n);
        let find = |list: &str, channel: &str| {
            lists[list].as_array().unwrap().iter().find(|item| item["Channel"] == channel).unwrap().clone()
        };
        let of = |channel| {
            let seconds = &find("AfterContactWorkConfigs", channel)["AfterContactWorkConfig"];
            let seconds = seconds["AfterContactWorkTimeLimit"].as_u64().unwrap();
            (channel, (find("AutoAcceptConfigs", channel)["AutoAccept"].as_bool().unwrap(), seconds))
        };
        CHANNELS.into_iter().map(of).collect()
    };
    (0..4).map(of_user).collect()
}

async fn check(case: Case) {
    let conflict = Fault::Custom {
        status: 409,
        code: "ConditionalOperationFailedException".into(),
        message: String::new(),
        work_done: false,
    };
    let faults = [Fault::Throttle, Fault::InternalError, Fault::CutBefore, Fault::CutAfter, conflict];
    let rule = |fault| Rule::new(fault).on(Operation::UpdateUserConfig).randomly(case.fault / 5.0);
    let faults = || faults.clone().map(rule).into_iter().fold(Faults::seeded(case.seed), Faults::rule);
    let mut world = case.world(faults());
    let event = world.dropped("incoming/a.csv", case.file());
    let report = world.import_killed(event, &case.lives).await;
    report.counts();

    let mut expected = case.before.clone();
    for (row, [_, status, code, message]) in case.rows.iter().zip(report.rows()) {
        let before = case.before[row.user][row.channel];
        let holds = row.if_accept.is_empty() || before.0 == (row.if_accept == "yes");
        match status.as_str() {
            "invalid" => continue,
            "kept" if !holds => continue,
            "updated" => assert!(holds, "{row:?}"),
            "unchanged" | "duplicate" => {}
            _ => panic!("{row:?} is {status}: {code} {message}"),
        }
        let of = expected[row.user].get_mut(row.channel).unwrap();
        if !row.accept.is_empty() {
            of.0 = row.accept == "yes";
        }
        if !row.seconds.is_empty() {
            of.1 = row.seconds.parse().unwrap();
        }
    }
    assert_eq!(settings(&world), expected, "what the good rows say is there, and nothing else has changed");

    // A dry run and its plan are the run itself.
    let mut other = case.world(faults());
    let event = other.dropped("incoming/dry-run=true/a.csv", case.file());
    let planned = other.import_killed(event, &case.lives).await;
    assert_eq!(settings(&other), case.before, "a dry run writes nothing");
    if let Some(plan) = planned.plan {
        let event = other.dropped("incoming/plan.csv", plan);
        assert_eq!(other.import_killed(event, &case.lives).await.status(), "succeeded");
    }
    assert_eq!(settings(&other), expected, "the plan does what the run does");

    let mut changed = expected.clone();
    for (n, channel, to) in &case.since {
        changed[*n].insert(*channel, *to);
    }
    for (n, channels) in changed.iter().enumerate() {
        world.emulator.instance(|centre| set_channels(centre, n, channels));
    }
    world.emulator.set_faults(Faults::none());
    if let Some(undo) = report.undo {
        world.drop_file("incoming/undo.csv", undo).await;
    }
    let now = settings(&world);
    for n in 0..4 {
        for channel in CHANNELS {
            let of = |settings: &Settings| settings[n][channel];
            let (then, imported, left, now) = (of(&case.before), of(&expected), of(&changed), of(&now));
            let accept = if left.0 == imported.0 { then.0 } else { left.0 };
            let seconds = if left.1 == imported.1 { then.1 } else { left.1 };
            assert_eq!(
                now,
                (accept, seconds),
                "agent{n:03} {channel}: undo.csv takes back all but what others changed"
            );
        }
    }
}

proptest! {
    #![proptest_config(crate::world::cases(96))]
    #[test]
    fn whatever_happens_the_report_tells_what_is(case in case()) {
        run(check(case));
    }
}
