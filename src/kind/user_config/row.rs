//! One row by itself.

use std::num::{NonZeroU32, NonZeroU64};

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

/// The service model: "The minimum setting is 1 second, and the maximum is 2,000,000 seconds (24 days). Enter 0 for an
/// indefinite amount of time".
const MAX_SECONDS: u32 = 2_000_000;

/// No value is this long. A longer one would fill the sentence that refuses it.
const MAX_LETTERS: usize = 100;

/// The words of the service model.
const PHONE_TYPES: [&str; 2] = ["SOFT_PHONE", DESK_PHONE];
/// The phone that has a number.
pub(super) const DESK_PHONE: &str = "DESK_PHONE";
const VOICE_ENHANCEMENT_MODES: [&str; 3] = ["VOICE_ISOLATION", "NOISE_SUPPRESSION", "NONE"];

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

/// What a row says about its user: a channel, and values for some of the settings. 24 bytes, because a million rows may be
/// held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// The index in [`Channel::ALL`].
    channel: u8,
    auto_accept: Option<bool>,
    agent_first_callback_auto_accept: Option<bool>,
    after_contact_work: Option<Seconds>,
    agent_first_callback_after_contact_work: Option<Seconds>,
    /// The index in [`PHONE_TYPES`].
    phone_type: Option<u8>,
    /// The digits after the plus sign: no country's code begins with 0.
    phone_number: Option<NonZeroU64>,
    persistent_connection: Option<bool>,
    /// The index in [`VOICE_ENHANCEMENT_MODES`].
    voice_enhancement_mode: Option<u8>,
}

/// A time plus one second, so that an `Option` takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seconds(NonZeroU32);

impl Cells {
    /// A row that sets nothing of a channel yet.
    fn of(channel: u8) -> Self {
        Self {
            channel,
            auto_accept: None,
            agent_first_callback_auto_accept: None,
            after_contact_work: None,
            agent_first_callback_after_contact_work: None,
            phone_type: None,
            phone_number: None,
            persistent_connection: None,
            voice_enhancement_mode: None,
        }
    }

    /// The channel that the row is about.
    pub fn channel(&self) -> Channel {
        Channel::ALL[usize::from(self.channel)].clone()
    }

    /// The value that the row gives a setting.
    pub fn get(&self, setting: Setting) -> Option<Value> {
        let text = |words: &[&str], index: Option<u8>| index.map(|index| Value::text(words[usize::from(index)]));
        let seconds = |time: Option<Seconds>| time.map(|Seconds(more)| Value::Seconds(more.get() - 1));
        match setting {
            Setting::AutoAccept => self.auto_accept.map(Value::Switch),
            Setting::AgentFirstCallbackAutoAccept => self.agent_first_callback_auto_accept.map(Value::Switch),
            Setting::AfterContactWorkSeconds => seconds(self.after_contact_work),
            Setting::AgentFirstCallbackAfterContactWorkSeconds => seconds(self.agent_first_callback_after_contact_work),
            Setting::PhoneType => text(&PHONE_TYPES, self.phone_type),
            Setting::PhoneNumber => self.phone_number.map(|digits| Value::text(&format!("+{digits}"))),
            Setting::PersistentConnection => self.persistent_connection.map(Value::Switch),
            Setting::VoiceEnhancementMode => text(&VOICE_ENHANCEMENT_MODES, self.voice_enhancement_mode),
        }
    }

    /// The settings that the row gives, in the order of the columns.
    pub fn settings(&self) -> impl Iterator<Item = (Setting, Value)> + '_ {
        Setting::ALL.into_iter().filter_map(|setting| Some((setting, self.get(setting)?)))
    }

    /// Takes a setting's value from its cell.
    fn read(&mut self, setting: Setting, cell: &str) -> Result<(), Problem<Code>> {
        match setting {
            Setting::AutoAccept => self.auto_accept = Some(boolean(setting, cell)?),
            Setting::AgentFirstCallbackAutoAccept => {
                self.agent_first_callback_auto_accept = Some(boolean(setting, cell)?);
            }
            Setting::AfterContactWorkSeconds => self.after_contact_work = Some(seconds(setting, cell)?),
            Setting::AgentFirstCallbackAfterContactWorkSeconds => {
                self.agent_first_callback_after_contact_work = Some(seconds(setting, cell)?);
            }
            Setting::PhoneType => {
                self.phone_type = Some(word(setting, cell, &PHONE_TYPES, Code::InvalidPhoneType)?);
            }
            Setting::PhoneNumber => self.phone_number = Some(phone_number(cell)?),
            Setting::PersistentConnection => self.persistent_connection = Some(boolean(setting, cell)?),
            Setting::VoiceEnhancementMode => {
                let code = Code::InvalidVoiceEnhancementMode;
                self.voice_enhancement_mode = Some(word(setting, cell, &VOICE_ENHANCEMENT_MODES, code)?);
            }
        }
        Ok(())
    }
}

/// Whether a file can give a setting this value. The service may hold other values, such as numbers in another form.
pub(super) fn can_say(setting: Setting, value: &Value) -> bool {
    let mut cells = Cells::of(0);
    cells.read(setting, &value.to_string()).is_ok() && cells.get(setting).as_ref() == Some(value)
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

fn boolean(setting: Setting, cell: &str) -> Result<bool, Problem<Code>> {
    match cell.to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => {
            let message = format!("`{setting}` is '{cell}'. Write yes or no (or true, false, on, off, 1, 0).");
            Err(Problem::new(Code::InvalidBoolean, message))
        }
    }
}

/// A whole number, which a spreadsheet may write as `30.0`. Three digits after a point or comma are thousands to some and
/// nothing to others, so they are refused.
fn seconds(setting: Setting, cell: &str) -> Result<Seconds, Problem<Code>> {
    let (whole, fraction) = cell.split_once(['.', ',']).unwrap_or((cell, "0"));
    let is_whole = matches!(fraction, "0" | "00") && whole.bytes().all(|digit| digit.is_ascii_digit());
    let number = whole.parse::<u32>().ok().filter(|number| is_whole && *number <= MAX_SECONDS);
    number.and_then(|number| NonZeroU32::new(number + 1)).map(Seconds).ok_or_else(|| {
        let message = format!(
            "`{setting}` is '{cell}'. Write whole seconds from 0 to {MAX_SECONDS}, without separators; 0 is without end."
        );
        Problem::new(Code::InvalidSeconds, message)
    })
}

/// One of these words, in any case.
fn word(setting: Setting, cell: &str, words: &[&str], code: Code) -> Result<u8, Problem<Code>> {
    let found = (0_u8..).zip(words).find(|(_, word)| word.eq_ignore_ascii_case(cell));
    found
        .map(|(index, _)| index)
        .ok_or_else(|| Problem::new(code, format!("`{setting}` is '{cell}'. Write {}.", words.join(" or "))))
}

/// The service model's pattern: `\+[1-9]\d{1,14}$`, which is E.164.
fn phone_number(cell: &str) -> Result<NonZeroU64, Problem<Code>> {
    let digits = cell.strip_prefix('+').unwrap_or_default();
    let is_number = (2..=15).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_number).ok_or_else(|| {
        let message = format!(
            "`phone_number` is '{cell}'. Write a plus sign, the country's code and the number, digits only, such as \
             +4930901820."
        );
        Problem::new(Code::InvalidPhoneNumber, message)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::input::Reader;

    /// The rows below a header, each checked.
    pub(in super::super) fn check_rows(csv: &str) -> Vec<Result<(String, Cells), Problem<Code>>> {
        let mut found = Vec::new();
        let mut reader = Reader::new(&[SCHEMA]);
        let mut visit = |header: &Header, record: Record<'_>| {
            found.push(check(header, &record).map(|row| (row.user.to_owned(), row.cells)));
            Ok(())
        };
        reader.push(csv.as_bytes(), &mut visit).unwrap();
        reader.finish(&mut visit).unwrap();
        found
    }

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
