//! Numbers, times and texts as people read them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::input::printable;

/// `1 row`, `1,200 rows`.
pub fn counted(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// The first letters of a text, without what nobody can see.
pub(crate) fn cut(text: &str, letters: usize) -> String {
    let text = printable(text);
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.into_owned(),
    }
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `22 November 2026, 02:01 UTC`.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// `in about 12 minutes`.
pub(super) fn from_now(left: TimeDelta) -> String {
    match left.num_seconds() {
        ..90 => "in about a minute".to_owned(),
        _ => format!("in about {}", lasted(left)),
    }
}

/// `45 seconds`, `12 minutes`, `2 hours 5 minutes`.
pub(super) fn lasted(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0).unsigned_abs();
    if seconds < 90 {
        return counted(seconds, "second");
    }
    let minutes = (seconds + 30) / 60;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => counted(minutes, "minute"),
        (hours, 0) => counted(hours, "hour"),
        (hours, minutes) => format!("{} {}", counted(hours, "hour"), counted(minutes, "minute")),
    }
}

/// The length of a slice.
pub(super) fn in_seconds(seconds: u64) -> String {
    match seconds {
        ..120 => counted(seconds, "second"),
        120..7200 => format!("about {}", counted((seconds + 30) / 60, "minute")),
        _ => format!("about {}", counted((seconds + 1800) / 3600, "hour")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }

    #[test]
    fn a_text_is_cut_between_letters_and_shows_what_nobody_can_see() {
        assert_eq!(
            (cut("abc", 3), cut("\u{e4}\u{f6}\u{fc}", 2)),
            ("abc".to_owned(), "\u{e4}\u{f6}\u{2026}".to_owned())
        );
        assert_eq!(cut("a\0b", 9), "a\u{fffd}b");
    }

    fn seconds(n: i64) -> TimeDelta {
        TimeDelta::seconds(n)
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        for (time, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (89, "89 seconds"),
            (90, "2 minutes"),
            (3569, "59 minutes"),
            (3570, "1 hour"),
            (3660, "1 hour 1 minute"),
            (7500, "2 hours 5 minutes"),
            (90_000, "25 hours"),
            (-5, "0 seconds"),
        ] {
            assert_eq!(lasted(seconds(time)), words);
        }
        assert_eq!(
            (from_now(seconds(-9)).as_str(), from_now(seconds(89)).as_str()),
            ("in about a minute", "in about a minute")
        );
        assert_eq!(from_now(seconds(720)), "in about 12 minutes");
        assert_eq!(
            (in_seconds(1), in_seconds(256), in_seconds(8192)),
            ("1 second".into(), "about 4 minutes".into(), "about 2 hours".into())
        );
    }
}
