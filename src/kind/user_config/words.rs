//! What the report says of changes, and the row that takes them back. Pure.

use super::effects::SettingBefore;
use super::row::{SCHEMA, can_say};
use crate::connect::{Channel, Setting, Value};

/// How many columns a file of channel settings has: user, channel and the settings.
const N_COLUMNS: usize = 2 + Setting::ALL.len();

/// The header of `undo.csv`: all columns of the schema.
pub(super) const UNDO_HEADER: [&str; N_COLUMNS] = {
    let mut names = [""; N_COLUMNS];
    let mut column = 0;
    while column < N_COLUMNS {
        names[column] = SCHEMA[column].name;
        column += 1;
    }
    names
};

/// `auto_accept no -> yes, phone_number nothing -> +4930901820. undo.csv cannot take back: phone_number.` Each change
/// comes with the new value. `is_done` says whether all that its row says is in place.
pub(super) fn changed(changes: &[(&SettingBefore, Value)], is_done: bool) -> String {
    let from = |before: &SettingBefore| before.value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    let each = changes.iter().map(|(before, to)| format!("{} {} -> {to}", before.setting, from(before)));
    let sentence = each.collect::<Vec<_>>().join(", ");
    let sentence = if is_done { sentence } else { format!("Changed all the same: {sentence}.") };
    let stays: Vec<_> =
        changes.iter().filter(|(before, _)| !before.can_be_set()).map(|(before, _)| before.setting.name()).collect();
    if stays.is_empty() {
        return sentence;
    }
    format!("{}. undo.csv cannot take back: {}.", sentence.trim_end_matches('.'), stays.join(", "))
}

impl SettingBefore {
    /// Whether a file can say what was there before: it cannot say nothing.
    fn can_be_set(&self) -> bool {
        self.value.as_ref().is_some_and(|before| can_say(self.setting, before))
    }
}

/// The row of `undo.csv` that sets settings of a channel to what they were before, as far as that is possible; none if it
/// is not for any of them.
pub(super) fn undo(user_id: &str, channel: &Channel, before: &[SettingBefore]) -> Option<Vec<String>> {
    let mut row = vec![String::new(); N_COLUMNS];
    for before in before.iter().filter(|before| before.can_be_set()) {
        row[2 + before.setting as usize] = before.value.as_ref().map_or_else(String::new, Value::to_string);
    }
    if row.iter().all(String::is_empty) {
        return None;
    }
    user_id.clone_into(&mut row[0]);
    channel.name().clone_into(&mut row[1]);
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::user_config::row::tests::check_rows;

    fn before(setting: Setting, value: Option<Value>) -> SettingBefore {
        SettingBefore { setting, value }
    }

    fn auto_accept() -> SettingBefore {
        before(Setting::AutoAccept, Some(Value::Switch(false)))
    }

    fn limit_from_nothing() -> SettingBefore {
        before(Setting::AfterContactWorkSeconds, None)
    }

    #[test]
    fn changes_are_told_with_what_was_there_and_what_is() {
        let (accept, limit) = (auto_accept(), limit_from_nothing());
        let both = [(&accept, Value::Switch(true)), (&limit, Value::Seconds(30))];
        assert_eq!(changed(&both[..1], true), "auto_accept no -> yes");
        assert_eq!(changed(&both[..1], false), "Changed all the same: auto_accept no -> yes.");
        let stays = "after_contact_work_seconds nothing -> 30. undo.csv cannot take back: after_contact_work_seconds.";
        assert_eq!(changed(&both[1..], true), stays);
        assert_eq!(changed(&both, true), format!("auto_accept no -> yes, {stays}"));
        assert_eq!(changed(&both, false), format!("Changed all the same: auto_accept no -> yes, {stays}"));
    }

    #[test]
    fn an_undo_row_says_what_was_there_and_is_a_row_of_such_a_file() {
        let changes = [
            auto_accept(),
            limit_from_nothing(),
            before(Setting::PhoneType, Some(Value::text("DESK_PHONE"))),
            before(Setting::PhoneNumber, Some(Value::text("030 1"))),
            before(Setting::VoiceEnhancementMode, Some(Value::text("NONE"))),
        ];
        let row = undo("an-id", &Channel::Voice, &changes).unwrap();
        assert_eq!(row.join(","), "an-id,VOICE,no,,,,DESK_PHONE,,,NONE");
        let read = check_rows(&format!("{}\n{}\n", UNDO_HEADER.join(","), row.join(","))).remove(0).unwrap();
        assert_eq!((read.0.as_str(), read.1.get(Setting::AutoAccept)), ("an-id", Some(Value::Switch(false))));

        assert_eq!(undo("an-id", &Channel::Chat, &[limit_from_nothing()]), None);
        assert_eq!(undo("an-id", &Channel::Chat, &[]), None);
    }
}
