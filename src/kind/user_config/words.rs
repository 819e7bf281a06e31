//! What the report says of changes, and the rows that do them or take them back. Pure.

use super::cells::can_say;
use super::conditions::value_or_unset;
use super::effects::SettingChange;
use super::plan::is_desk_phone;
use super::row::{CONDITIONS, SCHEMA, SETTINGS};
use crate::connect::{Channel, Setting, Value};

/// How many columns a file of channel settings has: user, channel, the settings, and a condition on each.
const N_COLUMNS: usize = CONDITIONS + Setting::ALL.len();

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

/// `auto_accept no -> yes, phone_number nothing -> +4930901820. undo.csv cannot take back: phone_number.` `is_done` says
/// whether all that its row says is in place.
pub(super) fn changed(changes: &[SettingChange], is_done: bool) -> String {
    let from = |before: &Option<Value>| before.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    let each = changes.iter().map(|change| format!("{} {} -> {}", change.setting, from(&change.before), change.after));
    let sentence = each.collect::<Vec<_>>().join(", ");
    let sentence = if is_done { sentence } else { format!("Changed all the same: {sentence}.") };
    let stays: Vec<_> =
        changes.iter().filter(|change| !change.can_be_undone()).map(|change| change.setting.name()).collect();
    if stays.is_empty() {
        return sentence;
    }
    format!("{}. undo.csv cannot take back: {}.", sentence.trim_end_matches('.'), stays.join(", "))
}

impl SettingChange {
    /// Whether a file can say what was there before: it cannot say nothing.
    fn can_be_undone(&self) -> bool {
        self.before.as_ref().is_some_and(|before| can_say(self.setting, before))
    }

    /// The row that takes it back, if it was not changed since; none if no row can. `number` is what was done to the channel's
    /// phone number.
    pub(super) fn back(&self, user_id: &str, channel: &Channel, number: Option<&Self>) -> Option<Vec<String>> {
        let before = self.before.as_ref().filter(|_| self.can_be_undone())?;
        let number = number.map(|number| value_or_unset(Some(&number.after)));
        Some(self.row(user_id, channel, Some(&self.after), before, number))
    }

    /// The row that does it, if it was not changed since.
    pub(super) fn forth(&self, user_id: &str, channel: &Channel, number: Option<&Self>) -> Vec<String> {
        let number = number.map(|number| value_or_unset(number.before.as_ref()));
        self.row(user_id, channel, self.before.as_ref(), &self.after, number)
    }

    /// A row for each setting: one that was changed since must not keep the others from what is to be done with them. But a desk
    /// phone goes with its number: with somebody else's, calls would ring there.
    fn row(
        &self,
        user_id: &str,
        channel: &Channel,
        from: Option<&Value>,
        to: &Value,
        number: Option<String>,
    ) -> Vec<String> {
        let mut row = vec![String::new(); N_COLUMNS];
        user_id.clone_into(&mut row[0]);
        channel.name().clone_into(&mut row[1]);
        row[SETTINGS + self.setting as usize] = to.to_string();
        row[CONDITIONS + self.setting as usize] = value_or_unset(from);
        if let Some(number) = number.filter(|_| self.setting == Setting::PhoneType && is_desk_phone(to)) {
            row[CONDITIONS + Setting::PhoneNumber as usize] = number;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::user_config::test_rows::check_rows;

    fn change(setting: Setting, before: Option<Value>, after: Value) -> SettingChange {
        SettingChange { setting, before, after }
    }

    fn auto_accept() -> SettingChange {
        change(Setting::AutoAccept, Some(Value::Switch(false)), Value::Switch(true))
    }

    fn limit_from_nothing() -> SettingChange {
        change(Setting::AfterContactWorkSeconds, None, Value::Seconds(30))
    }

    #[test]
    fn changes_are_told_with_what_was_there_and_what_is() {
        let both = [auto_accept(), limit_from_nothing()];
        assert_eq!(changed(&both[..1], true), "auto_accept no -> yes");
        assert_eq!(changed(&both[..1], false), "Changed all the same: auto_accept no -> yes.");
        let stays = "after_contact_work_seconds nothing -> 30. undo.csv cannot take back: after_contact_work_seconds.";
        assert_eq!(changed(&both[1..], true), stays);
        assert_eq!(changed(&both, true), format!("auto_accept no -> yes, {stays}"));
        assert_eq!(changed(&both, false), format!("Changed all the same: auto_accept no -> yes, {stays}"));
    }

    #[test]
    fn a_change_is_done_and_taken_back_by_a_row_of_such_a_file() {
        let back = |change: &SettingChange| change.back("an-id", &Channel::Voice, None).map(|row| row.join(","));
        let forth = |change: &SettingChange| change.forth("an-id", &Channel::Voice, None).join(",");
        let desk_phone = Value::text("DESK_PHONE");
        let number = |before| change(Setting::PhoneNumber, before, Value::text("+491"));
        for (change, undo, plan) in [
            (auto_accept(), Some("an-id,VOICE,no,,,,,,,,yes,,,,,,,"), "an-id,VOICE,yes,,,,,,,,no,,,,,,,"),
            (limit_from_nothing(), None, "an-id,VOICE,,,30,,,,,,,,unset,,,,,"),
            (
                change(Setting::PhoneType, Some(desk_phone), Value::text("SOFT_PHONE")),
                Some("an-id,VOICE,,,,,DESK_PHONE,,,,,,,,SOFT_PHONE,,,"),
                "an-id,VOICE,,,,,SOFT_PHONE,,,,,,,,DESK_PHONE,,,",
            ),
            (number(Some(Value::text("030 1"))), None, "an-id,VOICE,,,,,,+491,,,,,,,,030 1,,"),
        ] {
            assert_eq!((back(&change).as_deref(), forth(&change).as_str()), (undo, plan));
            let (user, cells) = check_rows(&format!("{}\n{plan}\n", UNDO_HEADER.join(","))).remove(0).unwrap();
            assert_eq!((user.as_str(), cells.get(change.setting)), ("an-id", Some(change.after)));
        }
    }

    #[test]
    fn a_desk_phone_goes_with_its_number() {
        let text = |text: &str| Some(Value::text(text));
        let phone = |before: &str, after: &str| change(Setting::PhoneType, text(before), Value::text(after));
        let number = change(Setting::PhoneNumber, text("+491"), Value::text("+492"));
        let forth = |phone: SettingChange| phone.forth("an-id", &Channel::Voice, Some(&number)).join(",");
        let back = |phone: SettingChange| phone.back("an-id", &Channel::Voice, Some(&number)).unwrap().join(",");
        assert_eq!(forth(phone("SOFT_PHONE", "DESK_PHONE")), "an-id,VOICE,,,,,DESK_PHONE,,,,,,,,SOFT_PHONE,+491,,");
        assert_eq!(back(phone("DESK_PHONE", "SOFT_PHONE")), "an-id,VOICE,,,,,DESK_PHONE,,,,,,,,SOFT_PHONE,+492,,");
        assert_eq!(back(phone("SOFT_PHONE", "DESK_PHONE")), "an-id,VOICE,,,,,SOFT_PHONE,,,,,,,,DESK_PHONE,,,");
        assert_eq!(
            number.forth("an-id", &Channel::Voice, Some(&number)).join(","),
            "an-id,VOICE,,,,,,+492,,,,,,,,+491,,"
        );
    }
}
