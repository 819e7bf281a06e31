//! Users' settings per channel as rows of a file.

use super::cells::can_say;
use super::effects::CurrentConfig;
use super::row::{CONDITIONS, SCHEMA, SETTINGS};
use super::rows::UserConfigRows;
use crate::connect::{Channel, ChannelSetting, Connect, Value};
use crate::input::reads_back;
use crate::kind::export::{Export, ExportError, ExportedUser, Form};

impl Export for UserConfigRows {
    const TABLE: &'static str = "user_config.csv";
    type Layout = ();

    async fn layout(_: &Connect, _: Form, _: impl Iterator<Item = CurrentConfig> + Clone) -> Result<(), ExportError> {
        Ok(())
    }

    fn header((): &()) -> Vec<String> {
        SCHEMA[..CONDITIONS].iter().map(|column| column.name.to_owned()).collect()
    }

    /// A row for each channel. What the file does not say of a user stays as it is, so whatever can be said is.
    fn export((): &(), user: &str, CurrentConfig(held): &CurrentConfig) -> ExportedUser {
        let mut exported = ExportedUser::default();
        for channel in &Channel::ALL {
            let mut row = vec![String::new(); CONDITIONS];
            let of_channel = held.iter().filter(|(key, value)| key.channel == *channel && is_sayable(key, value));
            for (key, value) in of_channel {
                row[SETTINGS + key.setting as usize] = value.to_string();
            }
            if row.iter().any(|cell| !cell.is_empty()) {
                user.clone_into(&mut row[0]);
                channel.name().clone_into(&mut row[1]);
                exported.lines.push(row);
            }
        }
        exported.n_rows = exported.lines.len() as u64;
        let unsaid = held.iter().filter(|(key, value)| !is_sayable(key, value));
        exported.left_out = unsaid.map(|(key, value)| format!("{} {} {value}", key.channel, key.setting)).collect();
        exported
    }
}

/// Whether a row can say that a user has this.
fn is_sayable(ChannelSetting { channel, setting }: &ChannelSetting, value: &Value) -> bool {
    let is_of_channel = *channel == Channel::Voice || (Channel::ALL.contains(channel) && !setting.is_voice_only());
    is_of_channel && can_say(*setting, value) && reads_back(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_row_and_what_no_row_can_say_is_left_out() {
        let held = r#"[["VOICE","auto_accept",true],["VOICE","phone_number","030 1"],["VOICE","phone_type","SOFT_PHONE"],
                       ["CHAT","after_contact_work_seconds",0],["CHAT","persistent_connection",true],["FAX","auto_accept",true]]"#;
        let ExportedUser { lines, n_rows, left_out } =
            UserConfigRows::export(&(), "jdoe", &serde_json::from_str(held).unwrap());
        let lines: Vec<_> = lines.iter().map(|line| line.join(",")).collect();
        assert_eq!(lines, ["jdoe,VOICE,yes,,,,SOFT_PHONE,,,", "jdoe,CHAT,,,0,,,,,"]);
        assert_eq!(n_rows, 2);
        assert_eq!(left_out, ["VOICE phone_number 030 1", "CHAT persistent_connection yes", "FAX auto_accept yes"]);
        assert_eq!(UserConfigRows::export(&(), "jdoe", &CurrentConfig::default()), ExportedUser::default());
    }
}
