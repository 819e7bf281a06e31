//! Users whose rows are as they were are not read again, and whoever may have changed is.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connect_bulk_import::import::Deadlines;
use connect_bulk_import::import::trigger::{Object, Trigger};
use connect_bulk_import::{Importer, Settings, aws};
use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule};
use futures::future::join;
use import_testkit::{MemoryS3, Versioning, clients};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::world::{BUCKET, INSTANCE, Report, World, instance, proficiencies, user_id, with_products};

const RECHECK: [(&str, &str); 2] = [("REQUESTS_PER_SECOND", "1000"), ("RECHECK_DAYS", "28")];

fn world(n_users: usize, settings: &[(&str, &str)]) -> World {
    let emulator = Emulator::builder(with_products(n_users, 3)).quotas(Quotas::unlimited());
    World::built(emulator, &[settings, &RECHECK[..]].concat())
}

/// German for everybody, at this level; for the users of `changed` at level 5.
fn sync(n_users: usize, changed: &[usize]) -> String {
    let level = |n| if changed.contains(&n) { 5 } else { 3 };
    proficiencies((0..n_users).map(|n| format!("agent{n:03},Language,German,{}\n", level(n))).collect::<String>())
}

/// The users that were read since the last time.
fn read(world: &World) -> BTreeSet<usize> {
    let reads = [Operation::ListUserProficiencies, Operation::DescribeUser];
    let calls = world.emulator.calls().into_iter().filter(|call| reads.contains(&call.operation));
    let nth = |id: String| id.rsplit('-').next().unwrap().parse::<usize>().unwrap();
    let users = calls.filter_map(|call| call.user).map(nth).collect();
    world.emulator.reset_stats();
    users
}

fn count(report: &Report, code: &str) -> usize {
    report.rows().iter().filter(|[_, status, of, _]| status == "unchanged" && of == code).count()
}

fn record(world: &World, kind: &str) -> Option<String> {
    let bytes = world.s3.get(BUCKET, &format!("state/seen/{kind}-{INSTANCE}.txt"))?;
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_second_night_reads_only_who_has_other_rows() {
    const N_USERS: usize = 5000;
    let world = world(N_USERS, &[]);
    let first = world.drop_file("incoming/a.csv", sync(N_USERS, &[])).await;
    assert_eq!((first.status(), read(&world).len()), ("succeeded", N_USERS));

    let changed: Vec<usize> = (0..N_USERS).step_by(100).collect();
    let second = world.drop_file("incoming/b.csv", sync(N_USERS, &changed)).await;
    assert_eq!(second.status(), "succeeded");
    assert_eq!(read(&world), changed.iter().copied().collect());
    assert_eq!((second.counts()["updated"], count(&second, "as_recorded")), (50, N_USERS - 50));
    for (n, [_, status, code, message]) in second.rows().into_iter().enumerate() {
        let expected = if n % 100 == 0 { ("updated", "") } else { ("unchanged", "as_recorded") };
        assert_eq!((status.as_str(), code.as_str()), expected, "agent{n:03}");
        let today = Utc::now().format("%Y-").to_string();
        assert!(n % 100 == 0 || message.contains(&format!("had this on {today}")), "{message}");
        assert!(world.held(n).contains(&format!("Language=German:{}", if n % 100 == 0 { 5 } else { 3 })));
    }
    assert_eq!(second.summary["users"]["unchanged"], N_USERS - 50);

    let third = world.drop_file("incoming/c.csv", sync(N_USERS, &changed)).await;
    assert_eq!((count(&third, "as_recorded"), read(&world).len()), (N_USERS, 0), "also who was written to");
    assert_eq!(third.undo, None);
}

#[tokio::test(start_paused = true)]
async fn without_recheck_days_everybody_is_read_and_nobody_is_remembered() {
    let world = world(20, &[("RECHECK_DAYS", "0")]);
    for key in ["incoming/a.csv", "incoming/b.csv"] {
        let report = world.drop_file(key, sync(20, &[])).await;
        assert_eq!((read(&world).len(), count(&report, "as_recorded")), (20, 0));
    }
    assert!(record(&world, "proficiencies").unwrap().starts_with("{\"format\":1,\"users\":0,"));
    // A request may ask for it.
    for (name, n_read) in [("night 1", 20), ("night 2", 0)] {
        world.s3.put(BUCKET, "hr/a.csv", sync(20, &[]));
        let request = json!({"source": "s3://imports/hr/", "recheck_days": 28, "import_id": name});
        world.import(request).await;
        assert_eq!(read(&world).len(), n_read, "{name}");
    }
    for bad in [json!(-1), json!(1.5), json!("28"), json!(366)] {
        let request = json!({"source": "s3://imports/hr/a.csv", "recheck_days": bad});
        assert!(world.invoke(request).await.is_err(), "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn whom_something_was_written_to_is_read() {
    let mut world = world(20, &[]);
    let first = world.drop_file("incoming/a.csv", sync(20, &[])).await;
    read(&world);
    let night = async |world: &World, name: &str| {
        let report = world.drop_file(&format!("incoming/{name}.csv"), sync(20, &[])).await;
        assert_eq!(report.status(), "succeeded", "{name}");
        for n in 0..20 {
            assert!(world.held(n).contains(&"Language=German:3".to_owned()), "agent{n:03} after {name}");
        }
        read(world)
    };
    // By another file, one that keeps no record itself.
    world.s3.put(BUCKET, "other/b.csv", proficiencies("agent004,Language,German,1\nagent005,Product,P09,2\n"));
    world.import(json!({"source": "s3://imports/other/b.csv", "recheck_days": 0, "import_id": "b"})).await;
    read(&world);
    assert_eq!(night(&world, "another file").await, BTreeSet::from([4, 5]));
    assert_eq!(night(&world, "nothing").await, BTreeSet::new());
    // By a file that names users by their ids, in capitals.
    world
        .drop_file("incoming/ids.csv", proficiencies(format!("{},Language,German,1\n", user_id(6).to_uppercase())))
        .await;
    read(&world);
    assert_eq!(night(&world, "ids").await, BTreeSet::from([6]));
    // By a plan, which has conditions.
    let planned = world.drop_file("incoming/dry-run=true/p.csv", proficiencies("agent007,Language,German,5\n")).await;
    world.drop_file("incoming/plan.csv", planned.plan.unwrap()).await;
    read(&world);
    assert_eq!(night(&world, "a plan").await, BTreeSet::from([7]));
    // By an undo.
    world.drop_file("incoming/undo.csv", first.undo.unwrap()).await;
    read(&world);
    assert_eq!(night(&world, "an undo").await, (0..20).collect());
    // By an import that was killed, and never came again.
    let event =
        world.dropped("incoming/killed.csv", proficiencies("agent008,Language,German,1\nagent009,Language,German,1\n"));
    world.emulator.set_faults(
        Faults::none().rule(Rule::new(Fault::Slow(Duration::from_secs(5))).on(Operation::UpdateUserProficiencies)),
    );
    timeout(Duration::from_secs(2), world.invoke(event)).await.unwrap_err();
    world.restart();
    world.emulator.set_faults(Faults::none());
    read(&world);
    assert!([8, 9].iter().any(|n| world.held(*n).contains(&"Language=German:1".to_owned())), "one was written to");
    assert_eq!(night(&world, "a killed import").await, BTreeSet::from([8, 9]));
}

#[tokio::test(start_paused = true)]
async fn some_users_are_always_read() {
    let world = world(6, &[]);
    let rows = "agent000,Language,German,3,\nagent001,Language,German,3,\nagent001,Product,P00,,remove\n\
                agent002,Language,Nonsense,3,\nagent003,Language,German,3,\n";
    let csv = format!("user,attribute,value,level,action\n{rows}");
    let mut seen = Vec::new();
    for key in ["incoming/a.csv", "incoming/b.csv", "incoming/c.csv", "incoming/dry-run=true/d.csv"] {
        world.drop_file(key, &csv).await;
        seen.push(read(&world));
    }
    assert_eq!(seen[1..3], [BTreeSet::from([1]), BTreeSet::from([1])], "a row that removes");
    assert_eq!(seen[3], BTreeSet::from([0, 1, 3]), "a dry run tells how things are");
    let with_conditions =
        "user,attribute,value,level,if_level\nagent000,Language,German,3,\nagent003,Language,German,3,3\n";
    for key in ["incoming/e.csv", "incoming/f.csv"] {
        world.drop_file(key, with_conditions).await;
        assert_eq!(read(&world), BTreeSet::from([0, 3]), "a file with conditions");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_right_is_read_again() {
    let emulator = Emulator::builder(with_products(4, 3)).quotas(Quotas::unlimited());
    let world = World::built(emulator, &[&RECHECK[..], &[("MAX_PROFICIENCIES_PER_USER", "3")]].concat());
    // There is no room for German.
    let too_many = world.drop_file("incoming/a.csv", sync(2, &[])).await;
    assert_eq!((too_many.counts()["invalid"], read(&world).len()), (2, 2));
    let refused = Fault::Custom { status: 400, code: "Refused".to_owned(), message: String::new(), work_done: false };
    world
        .emulator
        .set_faults(Faults::none().rule(Rule::new(refused).on(Operation::UpdateUserProficiencies).of_user(user_id(3))));
    let rows = "agent002,Product,P00,5\nagent003,Product,P00,5\n";
    let failed = world.drop_file("incoming/b.csv", proficiencies(rows)).await;
    assert_eq!((failed.statuses(), read(&world).len()), (vec!["updated".to_owned(), "failed".to_owned()], 2));
    world.emulator.set_faults(Faults::none());
    let mended = world.drop_file("incoming/c.csv", proficiencies(rows)).await;
    assert_eq!(
        (mended.statuses(), read(&world)),
        (vec!["unchanged".to_owned(), "updated".to_owned()], BTreeSet::from([3]))
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_noticed_by_name_and_by_id() {
    let world = world(4, &[]);
    let csv = proficiencies((0..4).map(|n| format!("{},Language,German,3\n", user_id(n))).collect::<String>());
    world.drop_file("incoming/a.csv", &csv).await;
    world.emulator.instance(|centre| centre.remove_user(&user_id(2)));
    read(&world);
    let report = world.drop_file("incoming/b.csv", &csv).await;
    assert_eq!(report.statuses(), ["unchanged", "unchanged", "invalid", "unchanged"]);
    assert_eq!((report.rows()[2][2].as_str(), read(&world).len()), ("unknown_user", 0));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_user_that_is_not_read_counts_for_the_guard() {
    // Each has P00 to P02, and the file names them all; the users of the second file hold twelve things together.
    let world = world(4, &[]);
    let whole = |n: usize| (0..3).map(|of| format!("agent{n:03},Product,P{of:02},3\n")).collect::<String>();
    let first =
        world.drop_file("incoming/mode=replace/a.csv", proficiencies((0..4).map(whole).collect::<String>())).await;
    assert_eq!((first.status(), read(&world).len()), ("succeeded", 4));
    // One of twelve goes: 8 percent, and of the three that are read 33.
    let rows = (0..3).map(whole).collect::<String>() + "agent003,Product,P00,3\nagent003,Product,P01,3\n";
    let second = world.drop_file("incoming/mode=replace/b.csv", proficiencies(&rows)).await;
    assert_eq!((second.status(), read(&world)), ("succeeded", BTreeSet::from([3])));
    assert_eq!((count(&second, "as_recorded"), second.summary["implied_removals"].as_u64()), (9, Some(1)));
    // Merged, the same rows want something else.
    let merged = world.drop_file("incoming/c.csv", proficiencies(&rows)).await;
    assert_eq!((merged.status(), read(&world).len()), ("succeeded", 4));
    assert_eq!(count(&merged, ""), 11);

    let guarded = World::built(Emulator::builder(with_products(30, 1)).quotas(Quotas::unlimited()), &RECHECK);
    let all =
        |n: std::ops::Range<usize>, of: &str| n.map(|n| format!("agent{n:03},Product,{of},3\n")).collect::<String>();
    guarded.drop_file("incoming/mode=replace/a.csv", proficiencies(all(0..30, "P00"))).await;
    read(&guarded);
    let rows = all(0..15, "P00") + &all(15..30, "P05");
    let refused = guarded.drop_file("incoming/mode=replace/b.csv", proficiencies(&rows)).await;
    assert_eq!((refused.status(), refused.summary["code"].as_str()), ("rejected", Some("too_many_removals")));
    assert!(refused.summary["message"].as_str().unwrap().contains("15 of the 30 proficiencies"), "{}", refused.summary);
    assert_eq!(read(&guarded), (15..30).collect());
    let again = guarded.drop_file("incoming/mode=replace/c.csv", proficiencies(all(0..30, "P00"))).await;
    assert_eq!((count(&again, "as_recorded"), read(&guarded).len()), (30, 0), "what was refused wrote nothing");
}

#[tokio::test(start_paused = true)]
async fn who_has_more_than_a_replacing_file_says_is_read_again() {
    let world = world(2, &[]);
    // A row of nobody protects P02 of everybody.
    let rows = "agent000,Product,P00,3\nagent000,Product,P01,3\nnobody,Product,P02,3\n";
    for key in ["incoming/mode=replace/a.csv", "incoming/mode=replace/b.csv"] {
        let report = world.drop_file(key, proficiencies(rows)).await;
        assert_eq!(
            (report.summary["removals_withheld"].as_u64(), read(&world)),
            (Some(1), BTreeSet::from([0])),
            "{key}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn settings_are_recorded_as_well() {
    let world = world(3, &[]);
    let rows = |seconds: u32| {
        format!(
            "user,channel,auto_accept,after_contact_work_seconds\nagent000,voice,yes,30\nagent000,VOICE,,30\n\
             agent001,chat,no,{seconds}\nagent002,task,yes,\n"
        )
    };
    let first = world.drop_file("incoming/a.csv", rows(10)).await;
    assert_eq!((first.status(), read(&world).len()), ("succeeded", 3));
    let second = world.drop_file("incoming/b.csv", rows(10)).await;
    assert_eq!(second.statuses(), ["unchanged", "duplicate", "unchanged", "unchanged"]);
    assert_eq!((count(&second, "as_recorded"), read(&world).len()), (3, 0));
    assert!(second.rows()[0][3].starts_with("Not read again: the user had this on "));
    world.drop_file("incoming/c.csv", rows(20)).await;
    assert_eq!(read(&world), BTreeSet::from([1]));
    // Proficiencies of the same users are another matter.
    world.drop_file("incoming/d.csv", sync(3, &[])).await;
    assert_eq!(read(&world).len(), 3);
    world.drop_file("incoming/e.csv", rows(20)).await;
    assert_eq!(read(&world).len(), 0);
    assert!(record(&world, "user_config").is_some() && record(&world, "proficiencies").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_whole_is_none() {
    let world = world(10, &[]);
    world.drop_file("incoming/a.csv", sync(10, &[])).await;
    let at = format!("state/seen/proficiencies-{INSTANCE}.txt");
    let whole = record(&world, "proficiencies").unwrap();
    let spoilt = [
        whole[..whole.len() - 10].to_owned(),
        whole.replace("\"format\":1", "\"format\":2"),
        String::new(),
        "{}".to_owned(),
    ];
    for (n, text) in spoilt.into_iter().enumerate() {
        world.s3.put(BUCKET, &at, text.clone());
        read(&world);
        let report = world.drop_file(&format!("incoming/b{n}.csv"), sync(10, &[])).await;
        assert_eq!((report.status(), read(&world).len()), ("succeeded", 10), "{text}");
        world.drop_file(&format!("incoming/c{n}.csv"), sync(10, &[])).await;
        assert_eq!(read(&world).len(), 0, "it was written anew");
    }
    // What another version of this function wrote must not be believed by it later, if this one wrote to users.
    world.s3.put(BUCKET, &at, whole.replace("\"format\":1", "\"format\":2"));
    world.s3.put(BUCKET, "other/b.csv", sync(10, &[3]));
    world.import(json!({"source": "s3://imports/other/b.csv", "recheck_days": 0, "import_id": "b"})).await;
    assert!(record(&world, "proficiencies").unwrap().starts_with("{\"format\":1,\"users\":0,"));
}

#[tokio::test(start_paused = true)]
async fn two_imports_at_once_both_remember_their_users_and_neither_those_of_both() {
    let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
    s3.set_latency(Duration::from_millis(15));
    let emulator =
        Emulator::builder(with_products(30, 1)).quotas(Quotas::unlimited()).latency(Duration::from_millis(40));
    let one = World::over(emulator, &s3, &RECHECK);
    let other = World::beside(&one.emulator, &s3, &RECHECK);
    let rows = |users: std::ops::Range<usize>, level: u8| {
        proficiencies(users.map(|n| format!("agent{n:03},Language,German,{level}\n")).collect::<String>())
    };
    let later = async {
        sleep(Duration::from_millis(200)).await;
        other.drop_file("incoming/other.csv", rows(15..30, 4)).await
    };
    join(one.drop_file("incoming/one.csv", rows(0..20, 3)), later).await;
    read(&one);
    one.drop_file("incoming/one-again.csv", rows(0..20, 3)).await;
    assert_eq!(read(&one), (15..20).collect());
    other.drop_file("incoming/other-again.csv", rows(15..30, 4)).await;
    assert_eq!(read(&one), (15..20).collect());
}

#[tokio::test(start_paused = true)]
async fn whom_another_import_wrote_to_between_the_look_and_the_first_write_is_read() {
    for is_first in [true, false] {
        let emulator = Emulator::builder(with_products(3, 2)).quotas(Quotas::unlimited());
        let s3 = MemoryS3::new().with_bucket(BUCKET, Versioning::Enabled);
        s3.set_latency(Duration::from_millis(15));
        let one = World::over(emulator.latency(Duration::from_millis(40)), &s3, &RECHECK);
        let other = World::beside(&one.emulator, &s3, &[RECHECK[0]]);
        let all =
            (0..3).flat_map(|n| (0..2).map(move |of| format!("agent{n:03},Product,P{of:02},3\n"))).collect::<String>();
        if !is_first {
            one.drop_file("incoming/before.csv", sync(1, &[])).await;
        }
        // The last user is looked at late, so that the other import falls between.
        let slow = Rule::new(Fault::Slow(Duration::from_secs(5)))
            .on(Operation::ListUserProficiencies)
            .of_user(user_id(2))
            .nth(1);
        one.emulator.set_faults(Faults::none().rule(slow));
        let later = async {
            sleep(Duration::from_secs(2)).await;
            other.drop_file("incoming/other.csv", proficiencies("agent000,Product,P00,5\n")).await
        };
        let (replaced, _) = join(one.drop_file("incoming/mode=replace/one.csv", proficiencies(&all)), later).await;
        assert_eq!(replaced.status(), "succeeded");
        one.drop_file("incoming/mode=replace/again.csv", proficiencies(&all)).await;
        assert_eq!(one.held(0), ["Product=P00:3", "Product=P01:3"], "{is_first}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_before_a_kill_is_told_when_the_import_is_cancelled() {
    let mut world = world(6, &[]);
    world.drop_file("incoming/a.csv", sync(6, &[])).await;
    let slow = Rule::new(Fault::Slow(Duration::from_secs(60))).on(Operation::UpdateUserProficiencies);
    world.emulator.set_faults(Faults::none().rule(slow));
    let event = world.dropped("incoming/b.csv", sync(6, &[2, 3]));
    timeout(Duration::from_secs(3), world.invoke(event.clone())).await.unwrap_err();
    let keys = world.s3.keys(BUCKET, "reports/b.csv/");
    let folder = keys[0].rsplit_once('/').unwrap().0;
    world.s3.put(BUCKET, &format!("{folder}/cancel"), "");
    world.emulator.set_faults(Faults::none());
    world.restart();
    let report = world.import(event).await;
    assert_eq!((count(&report, "as_recorded"), report.statuses()[0].as_str()), (4, "unchanged"), "{:?}", report.rows());
}

#[tokio::test(start_paused = true)]
async fn a_user_that_must_be_read_after_all_is_counted_by_the_guard() {
    // Twelve users have just what the file says, and one has not; the import is killed when it writes to that one.
    let mut world = world(13, &[("MAX_REMOVALS_PERCENT", "20")]);
    let whole = |n: usize| (0..3).map(|of| format!("agent{n:03},Product,P{of:02},3\n")).collect::<String>();
    let rows = (0..12).map(whole).collect::<String>();
    world.drop_file("incoming/mode=replace/a.csv", proficiencies(&rows)).await;
    let slow = Rule::new(Fault::Slow(Duration::from_secs(60))).on(Operation::UpdateUserProficiencies);
    world.emulator.set_faults(Faults::none().rule(slow));
    let changed = rows + "agent012,Product,P00,5\nagent012,Product,P01,3\nagent012,Product,P02,3\n";
    let event = world.dropped("incoming/mode=replace/b.csv", proficiencies(&changed));
    timeout(Duration::from_secs(3), world.invoke(event.clone())).await.unwrap_err();
    world.emulator.set_faults(Faults::none());
    world.restart();
    // Another import gives them all something more.
    let more = (0..12).map(|n| format!("agent{n:03},Product,P15,3\n")).collect::<String>();
    world.drop_file("incoming/more.csv", proficiencies(more)).await;
    let report = world.import(event).await;
    assert_eq!((report.status(), report.summary["code"].as_str()), ("failed", Some("too_many_removals")));
    assert!((0..12).all(|n| world.held(n).len() == 4), "nothing is removed that was not counted");
    assert_eq!(report.statuses()[36..], ["updated", "unchanged", "unchanged"], "whom it had begun with is done");
}

#[tokio::test(start_paused = true)]
async fn an_import_of_several_deliveries_remembers_the_users_of_each_that_ended_in_order() {
    let mut world = world(60, &[("REQUESTS_PER_SECOND", "2"), ("DEADLINE_MARGIN_SECONDS", "5")]);
    let event = world.dropped("incoming/a.csv", sync(60, &[]));
    world.invoke_for(event.clone(), Duration::from_secs(20)).await.unwrap_err();
    let before = world.emulator.stats().of(Operation::ListUserProficiencies).ok;
    assert!((15..45).contains(&before), "{before}");
    // The second one is killed: what it saw is not remembered.
    assert!(timeout(Duration::from_secs(5), world.invoke(event.clone())).await.is_err());
    let by_then = world.emulator.stats().of(Operation::ListUserProficiencies).ok;
    world.restart();
    let report = world.import(event).await;
    assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 60));
    read(&world);
    world.drop_file("incoming/b.csv", sync(60, &[])).await;
    let n_read = read(&world).len() as u64;
    assert!(
        n_read > 0 && n_read <= by_then - before,
        "{n_read} of the {} of the one that was killed",
        by_then - before
    );
}

/// One night of an importer that begins at this time.
async fn night(world: &World, name: &str, csv: &str, now: DateTime<Utc>) -> Value {
    world.s3.put(BUCKET, &format!("incoming/{name}.csv"), csv.to_owned());
    deliver(world, name, now).await
}

/// The same night once more.
async fn deliver(world: &World, name: &str, now: DateTime<Utc>) -> Value {
    let settings = Settings::from_lookup(|name| {
        let given = [("CONNECT_INSTANCE_ID", INSTANCE), RECHECK[0], RECHECK[1]];
        given.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
    });
    let settings = settings.unwrap();
    let (connect, quotas) = (clients::connect_config(&world.emulator), clients::quotas_config(&world.emulator));
    let connect = aws::connect(connect, quotas, &settings, 7);
    let importer = Importer::new(settings, connect, aws::store(clients::s3_config(&world.s3)));
    let key = format!("incoming/{name}.csv");
    let (bucket, sequencer) = (BUCKET.to_owned(), Some("01".to_owned()));
    let object = Object { bucket, key, key_decoded: None, version_id: None, etag: None, sequencer };
    let answer = importer.run(&Trigger::object(object), &Deadlines::none(now)).await.unwrap();
    serde_json::to_value(answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn users_come_due_one_by_one_in_the_second_half_of_the_period() {
    const N_USERS: usize = 280;
    let world = world(N_USERS, &[]);
    let (csv, began) = (sync(N_USERS, &[]), Utc::now());
    let mut n_read = Vec::new();
    for day in 0..=28 {
        let answer = night(&world, &format!("night{day}"), &csv, began + TimeDelta::days(day)).await;
        assert_eq!(answer["status"], "succeeded");
        n_read.push(read(&world).len());
    }
    assert_eq!((n_read[0], n_read[1..=14].iter().sum::<usize>()), (N_USERS, 0));
    assert_eq!(n_read[15..].iter().sum::<usize>(), N_USERS, "each once: {n_read:?}");
    assert!(n_read[15..].iter().all(|n| (5..45).contains(n)), "{n_read:?}");
    // What somebody changes meanwhile is found when the user is read again.
    world.emulator.instance(|centre| centre.set_level(&user_id(7), "Language", "German", Some(1.0)));
    for day in 29..=57 {
        night(&world, &format!("night{day}"), &csv, began + TimeDelta::days(day)).await;
    }
    assert!(world.held(7).contains(&"Language=German:3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whom_an_import_had_begun_with_is_read_whatever_happened_before_it_came_again() {
    let world = world(2, &[]);
    let (csv, began) = (sync(2, &[]), Utc::now());
    let slow = Rule::new(Fault::Slow(Duration::from_secs(60))).on(Operation::AssociateUserProficiencies);
    world.emulator.set_faults(Faults::none().rule(slow));
    timeout(Duration::from_secs(5), night(&world, "killed", &csv, began)).await.unwrap_err();
    world.emulator.set_faults(Faults::none());
    let days = |n| began + TimeDelta::days(n);
    assert_eq!(night(&world, "another", &csv, days(2)).await["status"], "succeeded");
    read(&world);
    let answer = deliver(&world, "killed", days(4)).await;
    assert_eq!(answer["status"], "succeeded");
    let report = world.report(&answer);
    assert_eq!((read(&world).len(), report.counts()["added"]), (2, 2));
    assert!(report.undo.is_some(), "what it did before it was killed is told");
}

#[tokio::test(start_paused = true)]
async fn the_expected_end_knows_how_many_are_to_be_read_and_how_fast() {
    let n_users = 1200;
    let emulator = Emulator::builder(instance(n_users)).quotas(Quotas::of_an_account());
    let world = World::built(emulator, &[("RECHECK_DAYS", "28")]);
    world.drop_file("incoming/a.csv", sync(n_users, &[])).await;
    let changed: Vec<usize> = (0..540).collect();
    let event = world.dropped("incoming/b.csv", sync(n_users, &changed));
    let began = Utc::now();
    // 540 reads at 9 a second take a minute; the writes, at 1.8, five.
    timeout(Duration::from_secs(31), world.invoke(event)).await.unwrap_err();
    let keys = world.s3.keys(BUCKET, "reports/b.csv/");
    let key = keys.iter().find(|key| key.ends_with("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&world.s3.get(BUCKET, key).unwrap()).unwrap();
    let expected: DateTime<Utc> = summary["expected_at"].as_str().unwrap().parse().unwrap();
    let seconds = (expected - began).num_seconds();
    assert!((200..400).contains(&seconds), "{seconds}");
}
