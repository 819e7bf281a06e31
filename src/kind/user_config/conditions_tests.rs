//! Conditions of settings: one user against the emulator.

use serde_json::json;

use super::test_lists::{WAYS, full, shown};
use crate::connect::Setting;
use crate::kind::Writes;
use crate::kind::test_desk::{Desk, user_id};

/// A row of one setting and its condition.
fn if_row(channel: &str, setting: Setting, value: &str, condition: &str) -> String {
    let mut cells = vec![""; 1 + 2 * Setting::ALL.len()];
    (cells[0], cells[1 + setting as usize]) = (channel, value);
    cells[1 + Setting::ALL.len() + setting as usize] = condition;
    cells.join(",")
}

#[tokio::test(start_paused = true)]
async fn a_row_is_kept_if_a_condition_fails_and_the_others_go_ahead() {
    for way in WAYS {
        let desk = Desk::of(full(), way);
        let rows = [
            if_row("VOICE", Setting::AutoAccept, "yes", "no"),
            if_row("CHAT", Setting::AutoAccept, "yes", "yes"),
            if_row("EMAIL", Setting::AutoAccept, "yes", "no"),
            if_row("CHAT", Setting::AfterContactWorkSeconds, "9", "unset"),
            if_row("TASK", Setting::AfterContactWorkSeconds, "9", "unset"),
        ];
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let imported = desk.set(&rows).await;
        assert_eq!(imported.statuses(), ["updated", "kept", "unchanged", "added", "kept"], "{way:?}");
        let told = |n: usize| (imported.rows[n].1.as_str(), imported.messages()[n]);
        let chat = "`auto_accept` of CHAT is now no, not yes: it was changed since. Left as it is.";
        assert_eq!(told(1), ("changed_since", chat), "{way:?}");
        let task = "`after_contact_work_seconds` of TASK is now 0, not unset: it was changed since. Left as it is.";
        assert_eq!(told(4), ("changed_since", task), "{way:?}");
        assert_eq!(shown(&imported.undo), ["VOICE auto_accept=no if yes"], "{way:?}");
        assert_eq!(desk.lists()["AutoAcceptConfigs"][1]["AutoAccept"], false, "{way:?}");
        // A delivery that comes back to the user does not take what this one did for somebody else's work.
        let again = desk.resume(&rows, Writes::Apply, &imported.prior()).await;
        assert_eq!((again.rows, again.undo), (imported.rows.clone(), imported.undo.clone()), "{way:?}");
        desk.emulator.instance(|instance| {
            let mut theirs = full();
            theirs["AutoAcceptConfigs"][0]["AutoAccept"] = json!(true);
            instance.set_config(&user_id(0), serde_json::from_value(theirs).unwrap());
        });
        // One row of two was done before it died: the condition of the other one held before.
        let mut both = vec![""; 1 + 2 * Setting::ALL.len()];
        (both[0], both[3], both[1 + Setting::ALL.len()]) = ("VOICE", "9", "no");
        let rows = [rows[0], &both.join(",")];
        let again = desk.resume(&rows, Writes::Apply, &imported.prior()).await;
        assert_eq!(again.statuses(), ["updated", "updated"], "{way:?}");
    }
}
