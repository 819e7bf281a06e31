//! What a row says about its user, cell by cell.

use std::num::{NonZeroU32, NonZeroU64};

use crate::connect::{Channel, Setting, Value};
use crate::outcome::{Code, Problem};

/// The service model: "The minimum setting is 1 second, and the maximum is 2,000,000 seconds (24 days). Enter 0 for an
/// indefinite amount of time".
const MAX_SECONDS: u32 = 2_000_000;

/// The words of the service model.
const PHONE_TYPES: [&str; 2] = ["SOFT_PHONE", DESK_PHONE];
/// The phone that has a number.
pub(super) const DESK_PHONE: &str = "DESK_PHONE";
const VOICE_ENHANCEMENT_MODES: [&str; 3] = ["VOICE_ISOLATION", "NOISE_SUPPRESSION", "NONE"];

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
    pub(super) fn of(channel: u8) -> Self {
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
    pub(super) fn read(&mut self, setting: Setting, cell: &str) -> Result<(), Problem<Code>> {
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
