//! Settings per channel: one user at a time against the emulator, whatever a list that is sent does to what it does not
//! name.

use std::time::Duration;

use connect_emulator::switches::ConfigLists;
use connect_emulator::{Fault, Faults, Operation, Rule, Switches};
use serde_json::json;
use serde_json::value::RawValue;

use super::row::{SCHEMA, check};
use super::rows::UserConfigRows;
use super::test_lists::{WAYS, acw, conflict, full, refusing, shown, with_lists};
use crate::connect::UserId;
use crate::input::{Header, Reader, Record};
use crate::kind::test_desk::{APPLY, Desk, LATENCY, instance, user_id};
use crate::kind::{FileKind, ReconcileOptions, Writes};

#[tokio::test(start_paused = true)]
async fn one_call_changes_what_the_rows_say_and_nothing_else() {
    for (switch, switches) in Switches::matrix() {
        let desk = Desk::new(with_lists(instance(1), 0, full()), switches, Faults::none());
        let rows =
            ["CHAT,yes,,60,,,,,", "VOICE,,,,90,SOFT_PHONE,,,", "VOICE,no,,30,,,,,", "VOICE,,,,,,,,noise_suppression"];
        let imported = desk.set(&rows).await;
        assert_eq!(imported.statuses(), ["updated", "updated", "unchanged", "updated"], "{switch}");
        assert_eq!(
            imported.messages()[0],
            "auto_accept no -> yes, after_contact_work_seconds nothing -> 60. undo.csv cannot take back: \
             after_contact_work_seconds."
        );
        let undo = [
            "CHAT auto_accept=no if yes",
            "VOICE phone_type=DESK_PHONE if SOFT_PHONE",
            "VOICE voice_enhancement_mode=NONE if NOISE_SUPPRESSION",
        ];
        assert_eq!(shown(&imported.undo), undo, "{switch}");
        let mut expected = full();
        expected["AutoAcceptConfigs"][1]["AutoAccept"] = json!(true);
        let mut voice = acw("VOICE", 30);
        voice["AgentFirstCallbackAfterContactWorkConfig"] = json!({"AfterContactWorkTimeLimit": 90});
        expected["AfterContactWorkConfigs"] = json!([voice, acw("CHAT", 60), acw("TASK", 0)]);
        expected["PhoneNumberConfigs"][0]["PhoneType"] = json!("SOFT_PHONE");
        expected["VoiceEnhancementConfigs"][0]["VoiceEnhancementMode"] = json!("NOISE_SUPPRESSION");
        assert_eq!(desk.lists(), expected, "{switch}");
        assert_eq!(desk.calls(), (1, 1), "{switch}");

        let again = desk.set(&rows).await;
        assert_eq!(again.statuses(), ["unchanged"; 4], "{switch}");
        assert_eq!((desk.calls(), again.announced.is_some()), ((2, 1), false), "{switch}: who is right costs no write");
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_row_takes_back_what_it_can() {
    for way in WAYS {
        let desk = Desk::of(full(), way);
        let rows = ["VOICE,yes,no,0,,SOFT_PHONE,+491,no,VOICE_ISOLATION", "EMAIL,no,,,,,,,"];
        let imported = desk.set(&rows).await;
        assert_eq!(imported.statuses(), ["updated", "updated"], "{way:?}");
        let undo: Vec<_> = imported.undo.iter().map(String::as_str).collect();
        assert_eq!(undo.len(), 8, "{way:?}: a row for each setting");
        assert_eq!(desk.set(&undo).await.statuses(), ["updated"; 8], "{way:?}");
        assert_eq!(desk.lists(), full(), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_without_any_settings_gets_them() {
    for way in WAYS {
        let desk = Desk::of(json!({}), way);
        let imported = desk.set(&["VOICE,no,yes,,,DESK_PHONE,+4930901820,,", "CHAT,,,5,,,,,"]).await;
        assert_eq!((imported.statuses(), imported.undo.len()), (vec!["added", "added"], 0), "{way:?}");
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
        let imported = desk.set(&["VOICE,,yes,30,,,,,", "CHAT,yes,,,,,,,", "VOICE,,,,,DESK_PHONE,,,"]).await;
        assert_eq!(imported.statuses(), ["invalid", "updated", "invalid"], "{way:?}");
        assert_eq!(imported.rows[0].1, "needs_other_setting");
        let expected = json!({"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": true}]});
        assert_eq!((desk.lists(), desk.calls()), (expected, (1, 1)), "{way:?}: nothing of an invalid row is written");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_says_nothing_new_is_a_duplicate_unless_its_wish_hangs_on_it() {
    for way in WAYS {
        let desk = Desk::of(json!({"AutoAcceptConfigs": [{"Channel": "CHAT", "AutoAccept": false}]}), way);
        let rows = ["CHAT,yes,,,,,,,", "CHAT,yes,,9,,,,,", "CHAT,,,9,,,,,", "VOICE,no,,,5,,,,", "VOICE,no,,,,,,,"];
        let imported = desk.set(&rows).await;
        assert_eq!(imported.statuses(), ["updated", "added", "duplicate", "invalid", "added"], "{way:?}");
        assert!(imported.messages()[1].starts_with("after_contact_work_seconds nothing -> 9"), "a change is told once");
        assert_eq!(imported.messages()[2], "This was said before: see line 3.");
        assert!(imported.messages()[4].starts_with("auto_accept nothing -> no"), "{way:?}");
        assert_eq!(desk.calls(), (1, 1), "{way:?}");
        let again = desk.set(&rows).await;
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
        let (imported, ()) = tokio::join!(desk.set(&rows), forgetting);
        assert_eq!(imported.statuses(), ["updated", "failed", "updated"], "{way:?}");
        assert_eq!(desk.calls(), (3, 4), "{way:?}");
        assert_eq!(desk.lists()["AutoAcceptConfigs"][1]["AutoAccept"], true, "{way:?}: sent along with the others");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_the_same_and_writes_nothing() {
    let desk = Desk::of(full(), ConfigLists::default());
    let rows = ["CHAT,yes,,,,,,,", "TASK,,,0,,,,,", "TASK,yes,,,,,,,"];
    let options = ReconcileOptions { writes: Writes::Plan, ..APPLY };
    let imported = desk.import::<UserConfigRows>(FileKind::UserConfig, 0, &rows, options, None, |_, _| {}).await;
    assert_eq!(imported.statuses(), ["updated", "unchanged", "added"]);
    assert_eq!(imported.messages()[0], "auto_accept no -> yes");
    assert_eq!((desk.lists(), desk.calls(), imported.announced.is_some()), (full(), (1, 0), false));
}

#[tokio::test(start_paused = true)]
async fn a_later_delivery_tells_what_an_earlier_one_did() {
    for way in WAYS {
        let desk = Desk::of(full(), way);
        let rows = ["CHAT,yes,,,,,,,", "EMAIL,no,,,,,,,"];
        // The first delivery died after it had done the one row.
        let prior = desk.set(&rows[..1]).await.prior();
        let seen = desk.resume(&rows, Writes::Observe, &prior).await;
        assert_eq!((seen.statuses(), seen.is_done), (vec!["updated", "pending"], false), "{way:?}");
        // The other row's write may still be on its way.
        assert_eq!(shown(&seen.undo), ["CHAT auto_accept=no if yes", "EMAIL auto_accept=yes if no"], "{way:?}");
        let imported = desk.resume(&rows, Writes::Apply, &prior).await;
        assert_eq!((imported.statuses(), imported.is_done), (vec!["updated", "updated"], true), "{way:?}");
        assert_eq!(imported.messages(), ["auto_accept no -> yes", "auto_accept yes -> no"], "{way:?}");
        assert!(imported.announced.is_none(), "{way:?}: what was there before is written down already");
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
        let imported = desk.set(&["VOICE,,,,,SOFT_PHONE,,no,", "CHAT,yes,,,,,,,", "VOICE,,,45,,,,,"]).await;
        assert_eq!(imported.statuses(), ["failed", "updated", "updated"], "{switch}");
        let (_, code, message) = &imported.rows[0];
        assert_eq!(code, "InvalidParameterException", "{switch}");
        assert!(message.starts_with("Amazon Connect refused this: ") && message.contains("030 901820"), "{message}");
        assert!(message.ends_with("Changed all the same: persistent_connection yes -> no."), "{switch}: {message}");
        let undo = [
            "VOICE persistent_connection=yes if no",
            "CHAT auto_accept=no if yes",
            "VOICE after_contact_work_seconds=30 if 45",
        ];
        assert_eq!(shown(&imported.undo), undo, "{switch}");
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
        let imported = desk.set(&["VOICE,,,0,5,,+491,,", "CHAT,yes,,,,,,,"]).await;
        assert_eq!(imported.statuses(), ["updated", "updated"], "{way:?}");
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
        let console = |_: &RawValue, _: &RawValue| {
            desk.emulator.instance(|instance| {
                instance.set_config(&user_id(0), serde_json::from_value(theirs.clone()).unwrap());
            });
        };
        let rows = ["CHAT,yes,,9,,,,,"];
        let imported = desk.import::<UserConfigRows>(FileKind::UserConfig, 0, &rows, APPLY, None, console).await;
        assert_eq!(imported.statuses(), ["updated"], "{way:?}");
        theirs["AutoAcceptConfigs"][1]["AutoAccept"] = json!(true);
        assert_eq!(desk.lists()["AutoAcceptConfigs"], theirs["AutoAcceptConfigs"], "{way:?}");
        assert_eq!(desk.calls(), (3, 3), "{way:?}: all in one call still");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_does_not_end_is_a_refusal() {
    let desk = Desk::failing(full(), ConfigLists::default(), Faults::none().rule(conflict()));
    let imported = desk.set(&["CHAT,yes,,9,,,,,", "EMAIL,no,,,,,,,"]).await;
    assert_eq!(imported.statuses(), ["failed", "failed"]);
    assert_eq!(imported.rows[0].1, "ConditionalOperationFailedException");
    assert_eq!((desk.lists(), desk.calls()), (full(), (1 + 5 + 3, 5 + 3)), "a few times, then each setting alone");
}

#[tokio::test(start_paused = true)]
async fn what_was_done_though_no_answer_came_was_done_by_this_import() {
    for way in WAYS {
        let cut = Rule::new(Fault::CutAfter).on(Operation::UpdateUserConfig);
        let desk = Desk::failing(full(), way, Faults::none().rule(cut));
        let imported = desk.set(&["CHAT,yes,,,,,,,", "VOICE,,,,,,,no,"]).await;
        assert_eq!(imported.statuses(), ["updated", "updated"], "{way:?}");
        let undo = ["CHAT auto_accept=no if yes", "VOICE persistent_connection=yes if no"];
        assert_eq!(shown(&imported.undo), undo, "{way:?}");
        assert!(!imported.effects.contains("\"u\""), "{way:?}: {}", imported.effects);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_and_cannot_be_seen_is_told() {
    let rows = ["CHAT,yes,,9,,,,,", "EMAIL,yes,,,,,,,"];
    let (effects, undo) = (r#"{"u":[["CHAT",[[0,false,true],[2,null,9]]]]}"#, ["CHAT auto_accept=no if yes"]);

    // The write is done, its answer never comes, and the user cannot be read any more.
    let cut = Rule::new(Fault::CutAfter).on(Operation::UpdateUserConfig);
    let read_once = Rule::new(Fault::Slow(Duration::ZERO)).on(Operation::DescribeUser).nth(1);
    let gone = Rule::new(Fault::AccessDenied).on(Operation::DescribeUser);
    let faults = Faults::none().rule(cut).rule(read_once).rule(gone);
    let desk = Desk::failing(full(), ConfigLists::default(), faults);
    let imported = desk.set(&rows).await;
    assert_eq!(imported.statuses(), ["failed", "unchanged"]);
    assert_eq!((imported.effects.as_str(), shown(&imported.undo)), (effects, undo.map(str::to_owned).to_vec()));
    assert_eq!(desk.lists()["AutoAcceptConfigs"][1]["AutoAccept"], true, "it was done indeed");

    // The next delivery cannot read the user either.
    let imported = desk.resume(&rows, Writes::Apply, &imported.prior()).await;
    assert_eq!(imported.statuses(), ["failed", "failed"]);
    assert_eq!((imported.effects.as_str(), shown(&imported.undo)), (effects, undo.map(str::to_owned).to_vec()));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_cannot_be_read_is_not_written() {
    let unread = Rule::new(Fault::InternalError).on(Operation::DescribeUser);
    let desk = Desk::failing(full(), ConfigLists::Whole, Faults::none().rule(unread));
    let imported = desk.set(&["CHAT,yes,,,,,,,"]).await;
    assert_eq!((imported.statuses(), imported.rows[0].1.as_str()), (vec!["failed"], "InternalServiceException"));
    assert_eq!((desk.lists(), desk.n_calls(Operation::UpdateUserConfig)), (full(), 0));

    let empty = Rule::new(Fault::Custom { status: 200, code: String::new(), message: String::new(), work_done: false });
    let desk = Desk::failing(full(), ConfigLists::Whole, Faults::none().rule(empty.on(Operation::DescribeUser)));
    let imported = desk.set(&["CHAT,yes,,,,,,,"]).await;
    let code = imported.rows[0].1.as_str();
    assert_eq!(
        (imported.statuses(), code),
        (vec!["failed"], "IncompleteAnswer"),
        "an answer without the user is an error"
    );
    assert_eq!((desk.lists(), desk.n_calls(Operation::UpdateUserConfig)), (full(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_permission_stops_the_import_and_is_told() {
    let denied = Rule::new(Fault::AccessDenied).on(Operation::UpdateUserConfig);
    let desk = Desk::new(with_lists(instance(4), 3, full()), Switches::default(), Faults::none().rule(denied));
    for n in 0..4 {
        let imported = desk.set_user(n, &["CHAT,yes,,9,,,,,"]).await;
        let (status, stop) = if n < 2 { ("failed", None) } else { ("failed", Some("AccessDeniedException")) };
        let (status, stop) = if n < 3 { (status, stop) } else { ("pending", Some("AccessDeniedException")) };
        assert_eq!((imported.statuses(), imported.stop.as_deref()), (vec![status], stop), "user {n}");
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
    let imported = desk.set(&rows).await;
    assert_eq!(imported.statuses(), ["failed", "failed", "failed", "pending"]);
    assert_eq!((imported.is_done, imported.stop.as_deref()), (false, Some("AccessDeniedException")));
    assert_eq!(shown(&imported.undo), ["VOICE auto_accept=no if yes"]);
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
            let expected = quiet.set_user(n, &rows(n)).await;
            let imported = noisy.set_user(n, &rows(n)).await;
            assert_eq!(imported.rows, expected.rows, "{way:?}, user {n}");
            assert_eq!((imported.undo, imported.effects), (expected.undo, expected.effects), "{way:?}, user {n}");
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
    reader.push(include_bytes!("../../../examples/data/channels.csv"), &mut visit).unwrap();
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
    let held = desk.connect.describe_user(&UserId::new(user_id(0))).await.unwrap();
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
