//! One row by itself.

use super::cells::Cells;
use super::conditions::{Conditions, UNSET};
use crate::connect::{Channel, Setting, Value};
use crate::input::{Column, Header, Presence, Record, Schema};
use crate::kind::cells::{
    MAX_USER_LETTERS, USER, USER_COLUMN, cell, check_given, check_length, check_visible, check_whole,
};
use crate::outcome::{Code, Problem};

/// The columns of a file of channel settings: user, channel, each [`Setting`] in its order, and a condition on each.
pub const SCHEMA: Schema = &[
    USER_COLUMN,
    Column::new("channel", Presence::Required),
    column(Setting::AutoAccept),
    column(Setting::AgentFirstCallbackAutoAccept),
    column(Setting::AfterContactWorkSeconds),
    column(Setting::AgentFirstCallbackAfterContactWorkSeconds),
    column(Setting::PhoneType),
    column(Setting::PhoneNumber),
    column(Setting::PersistentConnection),
    column(Setting::VoiceEnhancementMode),
    condition(Setting::AutoAccept),
    condition(Setting::AgentFirstCallbackAutoAccept),
    condition(Setting::AfterContactWorkSeconds),
    condition(Setting::AgentFirstCallbackAfterContactWorkSeconds),
    condition(Setting::PhoneType),
    condition(Setting::PhoneNumber),
    condition(Setting::PersistentConnection),
    condition(Setting::VoiceEnhancementMode),
];

const fn column(setting: Setting) -> Column {
    Column::new(setting.name(), Presence::OneOf)
}

const fn condition(setting: Setting) -> Column {
    Column::new(condition_name(setting), Presence::Optional)
}

/// The name of a condition's column.
const fn condition_name(setting: Setting) -> &'static str {
    match setting {
        Setting::AutoAccept => "if_auto_accept",
        Setting::AgentFirstCallbackAutoAccept => "if_agent_first_callback_auto_accept",
        Setting::AfterContactWorkSeconds => "if_after_contact_work_seconds",
        Setting::AgentFirstCallbackAfterContactWorkSeconds => "if_agent_first_callback_after_contact_work_seconds",
        Setting::PhoneType => "if_phone_type",
        Setting::PhoneNumber => "if_phone_number",
        Setting::PersistentConnection => "if_persistent_connection",
        Setting::VoiceEnhancementMode => "if_voice_enhancement_mode",
    }
}

const CHANNEL: usize = 1;
/// The index of the first setting's column.
pub(super) const SETTINGS: usize = 2;
/// The index of the first condition's column.
pub(super) const CONDITIONS: usize = SETTINGS + Setting::ALL.len();

/// No value is this long. A longer one would fill the sentence that refuses it.
const MAX_LETTERS: usize = 100;

/// A row that is right by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedConfig<'r> {
    /// A user id, a user ARN or a username.
    pub user: &'r str,
    /// What it says about that user.
    pub cells: Cells,
    /// What the user must have for it to be done.
    pub conditions: Conditions,
}

/// Checks a row by itself: whole, no field missing, cells that mean something, and settings that the channel can have.
/// The plan checks what depends on other rows or on what the user has.
pub fn check<'r>(header: &Header, record: &Record<'r>) -> Result<CheckedConfig<'r>, Problem<Code>> {
    check_whole(header, record)?;
    let (user, channel) = (cell(header, record, USER), cell(header, record, CHANNEL));
    let named = [("user", user), ("channel", channel)];
    check_visible(header, record, &named)?;
    check_given(header, record, &named)?;
    check_length("user", user, MAX_USER_LETTERS)?;
    check_length("channel", channel, MAX_LETTERS)?;
    let mut cells = Cells::of(channel_of(channel)?);
    let mut is_empty = true;
    for (column, setting) in (SETTINGS..).zip(Setting::ALL) {
        let cell = cell(header, record, column);
        if cell.is_empty() {
            continue;
        }
        is_empty = false;
        check_length(setting.name(), cell, MAX_LETTERS)?;
        check_channel(setting, &cells.channel())?;
        cells.read(setting, cell)?;
    }
    let conditions = conditions(header, record, &cells.channel())?;
    if is_empty {
        let message =
            "The row gives no setting: the cells of all settings are empty. Fill one in, or take the row out.";
        return Err(Problem::new(Code::NoSetting, message));
    }
    Ok(CheckedConfig { user, cells, conditions })
}

/// The channel can have the setting.
fn check_channel(setting: Setting, channel: &Channel) -> Result<(), Problem<Code>> {
    if !setting.is_voice_only() || *channel == Channel::Voice {
        return Ok(());
    }
    let message = format!(
        "Only the channel VOICE has `{setting}`, and this row is about {channel}. Empty the cell, or give VOICE a row of its \
         own."
    );
    Err(Problem::new(Code::VoiceOnly, message))
}

/// What the user must have for the row to be done.
fn conditions(header: &Header, record: &Record<'_>, channel: &Channel) -> Result<Conditions, Problem<Code>> {
    let mut conditions = Vec::new();
    for (column, setting) in (CONDITIONS..).zip(Setting::ALL) {
        let cell = cell(header, record, column);
        if cell.is_empty() {
            continue;
        }
        check_length(condition_name(setting), cell, MAX_LETTERS)?;
        check_channel(setting, channel)?;
        conditions
            .push((setting, if cell.eq_ignore_ascii_case(UNSET) { None } else { Some(condition_of(setting, cell)?) }));
    }
    Ok(Conditions(conditions))
}

/// A value that a file can give the setting, or whatever else of its kind the service may hold.
fn condition_of(setting: Setting, cell: &str) -> Result<Value, Problem<Code>> {
    let mut cells = Cells::of(0);
    let read = cells.read(setting, cell);
    if let (Ok(()), Some(value)) = (&read, cells.get(setting)) {
        return Ok(value);
    }
    let write = |what: &str| {
        format!("The condition `{}` is '{cell}'. Write {what}, '{UNSET}', or nothing.", condition_name(setting))
    };
    match read.map_err(|problem| problem.code) {
        Err(code @ Code::InvalidBoolean) => Err(Problem::new(code, write("yes or no"))),
        Err(code @ Code::InvalidSeconds) => {
            cell.parse().map(Value::Seconds).map_err(|_| Problem::new(code, write("whole seconds")))
        }
        _ => Ok(Value::text(cell)),
    }
}

fn channel_of(cell: &str) -> Result<u8, Problem<Code>> {
    let found = (0_u8..).zip(&Channel::ALL).find(|(_, channel)| channel.name().eq_ignore_ascii_case(cell));
    found.map(|(index, _)| index).ok_or_else(|| {
        Problem::new(Code::InvalidChannel, format!("The channel '{cell}' is not VOICE, CHAT, TASK or EMAIL."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Reader;
    use crate::kind::user_config::cells::can_say;
    use crate::kind::user_config::test_rows::check_rows;

    const HEADER: &str = "Agent,Channel,Auto accept,agent_first_callback_auto_accept,After-Contact-Work Seconds,\
                          agent_first_callback_after_contact_work_seconds,phone type,phone number,\
                          persistent connection,voice enhancement mode\n";

    fn check_row(row: &str) -> Result<String, (&'static str, String)> {
        let checked = check_rows(&format!("{HEADER}{row}")).remove(0);
        checked.map_err(|invalid| (invalid.code.name(), invalid.message)).map(|(user, cells)| {
            let settings = cells.settings().map(|(setting, value)| format!(" {setting}={value}"));
            format!("{user} {}{}", cells.channel(), settings.collect::<String>())
        })
    }

    /// The conditions of a row below a header.
    fn check_conditions(header: &str, row: &str) -> Result<Conditions, (&'static str, String)> {
        let mut found = None;
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |header: &Header, record: Record<'_>| {
            found = Some(check(header, &record).map(|row| row.conditions));
            Ok(())
        };
        reader.push(format!("{header}\n{row}\n").as_bytes(), &mut visit).unwrap();
        reader.finish(&mut visit).unwrap();
        found.unwrap().map_err(|problem| (problem.code.name(), problem.message))
    }

    #[test]
    fn a_condition_is_what_the_service_may_hold_or_that_it_is_unset() {
        let header =
            "user,channel,auto_accept,if auto-accept,if_after_contact_work_seconds,if_phone_number,if_phone_type";
        let conditions = |row: &str| check_conditions(header, row);
        let expected = vec![
            (Setting::AutoAccept, Some(Value::Switch(false))),
            (Setting::AfterContactWorkSeconds, Some(Value::Seconds(30))),
            (Setting::PhoneType, None),
            (Setting::PhoneNumber, Some(Value::text("+491"))),
        ];
        assert_eq!(conditions("j,voice,yes,NO,30.0,+491,Unset"), Ok(Conditions(expected)));
        assert_eq!(conditions("j,voice,yes,,,,"), Ok(Conditions::default()));
        let held = vec![
            (Setting::AfterContactWorkSeconds, Some(Value::Seconds(4_000_000))),
            (Setting::PhoneType, Some(Value::text("WEB_PHONE"))),
            (Setting::PhoneNumber, Some(Value::text("030 1"))),
        ];
        assert_eq!(conditions("j,voice,yes,,4000000,030 1,WEB_PHONE"), Ok(Conditions(held)));
        let (code, message) = conditions("j,voice,yes,maybe,,,").unwrap_err();
        let told = "The condition `if_auto_accept` is 'maybe'. Write yes or no, 'unset', or nothing.";
        assert_eq!((code, message.as_str()), ("invalid_boolean", told));
        let (code, message) = conditions("j,voice,yes,,soon,,").unwrap_err();
        let told = "The condition `if_after_contact_work_seconds` is 'soon'. Write whole seconds, 'unset', or nothing.";
        assert_eq!((code, message.as_str()), ("invalid_seconds", told));
        assert_eq!(conditions("j,chat,yes,,,,unset").unwrap_err().0, "voice_only");
        let (code, _) = check_conditions("user,channel,auto_accept,if_auto_accept", "j,voice,,yes").unwrap_err();
        assert_eq!(code, "no_setting", "a condition is no setting");
    }

    #[test]
    fn a_row_is_read_cell_by_cell_and_an_empty_one_says_nothing() {
        for (row, expected) in [
            (
                "jdoe,voice,TRUE,off,0,2000000,Desk_Phone,+4930901820,1,none",
                "jdoe VOICE auto_accept=yes agent_first_callback_auto_accept=no after_contact_work_seconds=0 \
                 agent_first_callback_after_contact_work_seconds=2000000 phone_type=DESK_PHONE \
                 phone_number=+4930901820 persistent_connection=yes voice_enhancement_mode=NONE",
            ),
            (" jdoe , Chat ,No,,,,,,,,", "jdoe CHAT auto_accept=no"),
            ("jdoe,chat,no", "jdoe CHAT auto_accept=no"),
            ("jdoe, \"voice\",,,,, desk_phone, \"+491\"", "jdoe VOICE phone_type=DESK_PHONE phone_number=+491"),
            ("jdoe,voice,,,,,,\u{202d}+4930901820\u{202c}", "jdoe VOICE phone_number=+4930901820"),
            ("jdoe,voice,,,,,,\u{200e} +4930901820\u{200b}", "jdoe VOICE phone_number=+4930901820"),
            ("jdoe,EMAIL,,,30.0,,,,,", "jdoe EMAIL after_contact_work_seconds=30"),
            ("jdoe,task,,,\"30,00\",,,,,", "jdoe TASK after_contact_work_seconds=30"),
            ("jdoe,voice,,,,,soft_phone,'+12,,", "jdoe VOICE phone_type=SOFT_PHONE phone_number=+12"),
            (
                "jdoe,voice,,,,,,+999999999999999,,VOICE_isolation",
                "jdoe VOICE phone_number=+999999999999999 voice_enhancement_mode=VOICE_ISOLATION",
            ),
        ] {
            assert_eq!(check_row(row).as_deref(), Ok(expected), "{row}");
        }
        for (cell, value) in
            [("Yes", "yes"), ("oN", "yes"), ("true", "yes"), ("1", "yes"), ("NO", "no"), ("False", "no"), ("0", "no")]
        {
            assert_eq!(check_row(&format!("j,CHAT,{cell},,,,,,,")), Ok(format!("j CHAT auto_accept={value}")));
        }
    }

    #[test]
    fn a_bad_row_says_what_is_wrong() {
        let long = format!("{},CHAT,yes,,,,,,,", "x".repeat(251));
        for (row, code, message) in [
            ("jdoe", "missing_field", "These cells are empty: channel. The row has 1 cell and the header 10. Is a"),
            ("jdoe,CHAT", "no_setting", "gives no setting"),
            ("jdoe,CHAT,yes,,,,,,,,more", "wrong_cell_count", "11 cells and the header 10"),
            ("jdoe,CHAT,y\u{1b}es", "invalid_character", "in the column \"Auto accept\""),
            (",,yes,,,,,,,", "missing_field", "user, channel"),
            ("jdoe,FAX,yes,,,,,,,", "invalid_channel", "'FAX'"),
            ("jdoe,CHAT,maybe,,,,,,,", "invalid_boolean", "`auto_accept` is 'maybe'"),
            ("jdoe,CHAT,,,2000001,,,,,", "invalid_seconds", "0 to 2000000"),
            ("jdoe,CHAT,,,-1,,,,,", "invalid_seconds", "'-1'"),
            ("jdoe,CHAT,,,1.5,,,,,", "invalid_seconds", "'1.5'"),
            ("jdoe,CHAT,,,2.000,,,,,", "invalid_seconds", "'2.000'"),
            ("jdoe,CHAT,,,+5,,,,,", "invalid_seconds", "'+5'"),
            ("jdoe,CHAT,,,.0,,,,,", "invalid_seconds", "'.0'"),
            ("jdoe,CHAT,,,99999999999,,,,,", "invalid_seconds", "99999999999"),
            ("jdoe,VOICE,,,,,,030901820,,", "invalid_phone_number", "such as +4930901820"),
            ("jdoe,VOICE,,,,,,+0301,,", "invalid_phone_number", "'+0301'"),
            ("jdoe,VOICE,,,,,,+1,,", "invalid_phone_number", "'+1'"),
            ("jdoe,VOICE,,,,,,+49 30 901820,,", "invalid_phone_number", "digits only"),
            ("jdoe,VOICE,,,,,,+1234567890123456,,", "invalid_phone_number", "3456"),
            ("jdoe,VOICE,,,,,CAR_PHONE,,,", "invalid_phone_type", "SOFT_PHONE or DESK_PHONE"),
            ("jdoe,VOICE,,,,,,,,LOUD", "invalid_voice_enhancement_mode", "VOICE_ISOLATION or"),
            ("jdoe,VOICE,,,,,,,,", "no_setting", "no setting"),
            ("\"jd\noe\",CHAT,yes,,,,,,,", "invalid_character", "line break"),
            (&long, "too_long", "250"),
        ] {
            let (found, sentence) = check_row(row).unwrap_err();
            assert_eq!(found, code, "{row}");
            assert!(sentence.contains(message), "{row}: {sentence}");
        }
    }

    #[test]
    fn a_column_that_is_nearly_named_as_a_setting_rejects_the_file() {
        for (name, meant) in [
            ("auto_acept", "auto_accept"),
            ("Phone Typ", "phone_type"),
            ("persistant connection", "persistent_connection"),
            ("after_contact_work_second", "after_contact_work_seconds"),
        ] {
            let other = if meant == "phone_type" { "phone_number" } else { "phone_type" };
            let read = |header: String| {
                let mut reader = Reader::new(&[SCHEMA]);
                reader.push(header.as_bytes(), &mut |_, _| Ok(())).and_then(|()| reader.finish(&mut |_, _| Ok(())))
            };
            let refusal = read(format!("user,channel,{other},{name}\n")).unwrap_err();
            assert_eq!(refusal.code, "unknown_column");
            assert!(refusal.message.contains(&format!("`{meant}`, but one named \"{name}\"")), "{refusal}");
            assert_eq!(read(format!("user,channel,{meant},{name}\n")), Ok(()));
        }
    }

    #[test]
    fn what_only_calls_have_is_refused_elsewhere() {
        let values = ["yes", "yes", "30", "30", "SOFT_PHONE", "+4930901820", "yes", "NONE"];
        for channel in ["VOICE", "CHAT", "TASK", "EMAIL"] {
            for (index, value) in values.into_iter().enumerate() {
                let mut cells = [""; 8];
                cells[index] = value;
                let code = check_row(&format!("jdoe,{channel},{}", cells.join(","))).map_err(|(code, _)| code);
                let is_everywhere = matches!(Setting::ALL[index].name(), "auto_accept" | "after_contact_work_seconds");
                let expected = if is_everywhere || channel == "VOICE" { None } else { Some("voice_only") };
                assert_eq!(code.err(), expected, "{channel} {}", Setting::ALL[index]);
            }
        }
    }

    #[test]
    fn a_row_is_small_and_its_columns_are_the_settings() {
        assert_eq!(size_of::<Cells>(), 24);
        let columns: Vec<_> = SCHEMA[SETTINGS..CONDITIONS].iter().map(|column| column.name).collect();
        assert_eq!(columns, Setting::ALL.map(Setting::name));
        assert!(SCHEMA[SETTINGS..CONDITIONS].iter().all(|column| column.presence == Presence::OneOf));
        let conditions: Vec<_> = SCHEMA[CONDITIONS..].iter().map(|column| column.name).collect();
        assert_eq!(conditions, Setting::ALL.map(|setting| format!("if_{setting}")));
    }

    #[test]
    fn a_file_cannot_say_all_that_the_service_may_hold() {
        assert!(can_say(Setting::PhoneNumber, &Value::text("+4930901820")));
        assert!(!can_say(Setting::PhoneNumber, &Value::text("030 901820")));
        assert!(!can_say(Setting::VoiceEnhancementMode, &Value::text("A_NEW_MODE")));
        assert!(can_say(Setting::AfterContactWorkSeconds, &Value::Seconds(0)));
        assert!(!can_say(Setting::AfterContactWorkSeconds, &Value::Seconds(2_000_001)));
        assert!(can_say(Setting::AutoAccept, &Value::Switch(false)));
    }
}
