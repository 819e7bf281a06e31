//! What became of a row, in the report's words, and the row that takes it back. Pure.

use crate::connect::{Channel, Setting, Value};
use crate::outcome::{Code, Status, RowReport};

use super::row::{SCHEMA, can_say};
use super::{Change, End, Fate};

/// How many columns a file of channel settings has: user, channel and the settings.
const N_COLUMNS: usize = 2 + Setting::ALL.len();

/// The header of `undo.csv`: all columns of the schema.
pub const UNDO_HEADER: [&str; N_COLUMNS] = {
    let mut names = [""; N_COLUMNS];
    let mut column = 0;
    while column < N_COLUMNS {
        names[column] = SCHEMA[column].name;
        column += 1;
    }
    names
};

/// What the report says of a row.
///
/// A row that changed settings was `added` if none of them was there before, and `updated` otherwise.
pub fn words(fate: &Fate) -> RowReport {
    let is_new = fate.changes.iter().all(|change| change.from.is_none());
    let (status, code, why) = match &fate.end {
        End::Done if fate.changes.is_empty() => (Status::Unchanged, Code::None.name(), None),
        End::Done => (if is_new { Status::Added } else { Status::Updated }, Code::None.name(), None),
        End::Duplicate(line) => {
            let said = format!("This was said before: see line {line}.");
            (Status::Duplicate, Code::DuplicateRow.name(), Some(said))
        }
        End::Needs(needs) => (Status::Invalid, Code::NeedsOtherSetting.name(), Some(needs.to_string())),
        End::Failed(error) => (Status::Failed, &*error.code, Some(error.user_message())),
        End::Pending => (Status::Pending, Code::None.name(), None),
    };
    let changed = (!fate.changes.is_empty()).then(|| changed(&fate.changes, fate.end == End::Done));
    let message = [why, changed].into_iter().flatten().collect::<Vec<_>>().join(" ");
    RowReport { status, code: code.to_owned(), message, needs_retry: status.needs_retry() }
}

/// `auto_accept no -> yes, phone_number nothing -> +4930901820. undo.csv cannot take back: phone_number.`
fn changed(changes: &[Change], is_whole: bool) -> String {
    let from = |change: &Change| change.from.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let each = changes.iter().map(|change| format!("{} {} -> {}", change.setting, from(change), change.to));
    let said = each.collect::<Vec<_>>().join(", ");
    let said = if is_whole { said } else { format!("Changed all the same: {said}.") };
    let stays: Vec<_> =
        changes.iter().filter(|change| !change.can_be_taken_back()).map(|change| change.setting.name()).collect();
    if stays.is_empty() {
        return said;
    }
    format!("{}. undo.csv cannot take back: {}.", said.trim_end_matches('.'), stays.join(", "))
}

impl Change {
    /// The setting and what it was before.
    pub fn before(&self) -> (Setting, Option<&Value>) {
        (self.setting, self.from.as_ref())
    }

    /// Whether a file can say what was there before: it cannot say nothing.
    pub fn can_be_taken_back(&self) -> bool {
        can_be_set(self.setting, self.from.as_ref())
    }
}

fn can_be_set(setting: Setting, before: Option<&Value>) -> bool {
    before.is_some_and(|before| can_say(setting, before))
}

/// The row of `undo.csv` that sets settings of a channel to what they were before, as far as that can be; none if it cannot
/// for any of them. For a row of the file that is all its [`Change::before`].
pub fn undo<'b>(
    user_id: &str,
    channel: &Channel,
    before: impl IntoIterator<Item = (Setting, Option<&'b Value>)>,
) -> Option<[String; N_COLUMNS]> {
    let mut row: [String; N_COLUMNS] = std::array::from_fn(|_| String::new());
    for (setting, value) in before.into_iter().filter(|(setting, value)| can_be_set(*setting, *value)) {
        row[2 + setting as usize] = value.map_or_else(String::new, ToString::to_string);
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
    use crate::connect::{ChannelSetting, ConnectError, Operation};
    use crate::kind::user_config::Needs;
    use crate::kind::user_config::row::tests::check_rows;

    fn change(setting: Setting, from: Option<Value>, to: Value) -> Change {
        Change { setting, from, to }
    }

    fn auto_accept() -> Change {
        change(Setting::AutoAccept, Some(Value::Switch(false)), Value::Switch(true))
    }

    fn limit_from_nothing() -> Change {
        change(Setting::AfterContactWorkSeconds, None, Value::Seconds(30))
    }

    fn said(end: End, changes: &[Change]) -> (&'static str, String, String) {
        let words = words(&Fate { end, changes: changes.into() });
        (words.status.name(), words.code, words.message)
    }

    #[test]
    fn a_row_is_told_with_what_was_there_and_what_is() {
        let plain = |status, message: &str| (status, String::new(), message.to_owned());
        let one = [auto_accept()];
        assert_eq!(said(End::Done, &one), plain("updated", "auto_accept no -> yes"));
        assert_eq!(said(End::Done, &[]), plain("unchanged", ""));
        assert_eq!(said(End::Pending, &[]), plain("pending", ""));
        let duplicate = ("duplicate", "duplicate_row".to_owned(), "This was said before: see line 7.".to_owned());
        assert_eq!(said(End::Duplicate(7), &[]), duplicate);
        let taken = "after_contact_work_seconds nothing -> 30. undo.csv cannot take back: after_contact_work_seconds.";
        assert_eq!(said(End::Done, &[limit_from_nothing()]), plain("added", taken));
        let both = format!("auto_accept no -> yes, {taken}");
        assert_eq!(said(End::Done, &[auto_accept(), limit_from_nothing()]), plain("updated", &both));
    }

    #[test]
    fn a_row_that_failed_says_what_was_changed_all_the_same() {
        let message = Some("Not this number.");
        let code = Some("InvalidParameterException");
        let error = ConnectError::answered(Operation::UpdateUserConfig, 400, code, message, None);
        let (status, code, message) = said(End::Failed(error), &[auto_accept()]);
        assert_eq!((status, code.as_str()), ("failed", "InvalidParameterException"));
        assert_eq!(
            message,
            "Amazon Connect refused this: Not this number. Changed all the same: auto_accept no -> yes."
        );

        let given = ChannelSetting::of(&Channel::Voice, Setting::PhoneNumber);
        let needs = End::Needs(Needs { given, missing: Setting::PhoneType });
        let (status, code, message) = said(needs, &[]);
        assert_eq!((status, code.as_str()), ("invalid", "needs_other_setting"));
        assert_eq!(
            message,
            "`phone_number` cannot be without `phone_type`, and the user has none for VOICE. Give it in this row, too."
        );
    }

    #[test]
    fn an_undo_row_says_what_was_there_and_is_a_row_of_such_a_file() {
        let changes = [
            auto_accept(),
            limit_from_nothing(),
            change(Setting::PhoneType, Some(Value::text("DESK_PHONE")), Value::text("SOFT_PHONE")),
            change(Setting::PhoneNumber, Some(Value::text("030 1")), Value::text("+491")),
            change(Setting::VoiceEnhancementMode, Some(Value::text("NONE")), Value::text("VOICE_ISOLATION")),
        ];
        let row = undo("an-id", &Channel::Voice, changes.iter().map(Change::before)).unwrap();
        assert_eq!(row.join(","), "an-id,VOICE,no,,,,DESK_PHONE,,,NONE");
        let read = check_rows(&format!("{}\n{}\n", UNDO_HEADER.join(","), row.join(","))).remove(0).unwrap();
        assert_eq!((read.0.as_str(), read.1.get(Setting::AutoAccept)), ("an-id", Some(Value::Switch(false))));

        assert_eq!(undo("an-id", &Channel::Chat, [limit_from_nothing().before()]), None);
        assert_eq!(undo("an-id", &Channel::Chat, []), None);
    }
}
