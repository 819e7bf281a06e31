//! What is known of users that were seen right, as an object: a line that says what it is, and a line for each user. Pure.
//!
//! ```text
//! {"format":1,"users":2,"sha256":"…","written_at":1795996800}
//! 11111111-2222-3333-4444-555555555555,0123456789abcdef0123,4,1795996800
//! 66666666-7777-8888-9999-000000000000,-,1a2b3c4d5e6f7a8b/1,1795997700
//! ```
//!
//! The first user was seen right: the fingerprint of what its rows wanted, how many things it held, and when. The second may be
//! written to until that time by a delivery of an import, or by several imports where none is named.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Another format is read as no record.
const FORMAT: u32 = 1;
/// A record is not longer: who was seen longest ago is forgotten first. A user with a UUID for an id takes some 70 bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What the first line leaves of it.
const MAX_LINES_BYTES: usize = MAX_BYTES - 1024;
/// In the place of the fingerprint of a user that is being written to.
const WRITTEN_TO: &str = "-";
/// Nobody is right for longer without having been read.
const MAX_AGE_SECONDS: u32 = 366 * DAY_SECONDS;
const DAY_SECONDS: u32 = 24 * 60 * 60;
/// A record that nobody changes is written again after so long, for the bucket's lifecycle deletes what is older than 30 days.
const REWRITE_AFTER_SECONDS: u32 = 7 * DAY_SECONDS;

/// What the rows of a user want, in 80 bits of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 10]);

impl Fingerprint {
    /// Of a text that is the same whenever the rows want the same.
    pub(crate) fn of(wants: &str) -> Self {
        let mut first = [0; 10];
        first.copy_from_slice(&Sha256::digest(wants)[..10]);
        Self(first)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 10];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return None;
        }
        for (nth, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * nth..2 * nth + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A user that was seen right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenUser {
    /// What its rows wanted.
    pub(crate) fingerprint: Fingerprint,
    /// How many things it held then.
    pub(crate) n_held: u32,
    /// When, in seconds since 1970.
    pub(crate) at: u32,
}

impl SeenUser {
    /// Whether the user, of this id, must be read again: some time in the second half of the period, each user at a time of its
    /// own, so that they do not all come due in one night. Clocks differ a little; what was seen days from now is not relied on.
    pub(crate) fn is_due(&self, id: &str, now: u32, recheck_days: u16) -> bool {
        let period = u32::from(recheck_days) * DAY_SECONDS;
        let digest = Sha256::digest(id);
        let share = f64::from(u16::from_be_bytes([digest[0], digest[1]])) / f64::from(u16::MAX);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most half of the period")]
        let due_after = period / 2 + (f64::from(period / 2) * share) as u32;
        now.saturating_sub(self.at) >= due_after || self.at > now.saturating_add(DAY_SECONDS)
    }
}

/// A delivery of an import, which may write until it must be over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    /// Unlike that of any other import.
    pub(crate) import: Box<str>,
    /// Its number.
    pub(crate) delivery: u32,
}

impl Writer {
    fn parse(text: &str) -> Option<Self> {
        let (import, delivery) = text.split_once('/')?;
        Some(Self { import: import.into(), delivery: delivery.parse().ok()? })
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.import, self.delivery)
    }
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// It was seen right.
    Right(SeenUser),
    /// A delivery may write to it until then, or several imports may (nothing).
    WrittenTo { by: Option<Writer>, until: u32 },
}

impl Known {
    /// What is forgotten first where there is too much: who was seen right longest ago.
    fn rank(&self) -> (bool, u32) {
        match self {
            Self::Right(SeenUser { at, .. }) => (false, *at),
            Self::WrittenTo { until, .. } => (true, *until),
        }
    }

    /// How long somebody may write to it; 0 if nobody may.
    fn until(&self) -> u32 {
        match self {
            Self::Right(_) => 0,
            Self::WrittenTo { until, .. } => *until,
        }
    }

    fn is_of_use(&self, now: u32) -> bool {
        match self {
            Self::Right(SeenUser { at, .. }) => now.saturating_sub(*at) < MAX_AGE_SECONDS,
            Self::WrittenTo { until, .. } => now < *until,
        }
    }

    /// Whether the delivery that may write to it, and no other import, is such a one.
    fn is_written_by(&self, is_such: impl Fn(&Writer) -> bool) -> bool {
        matches!(self, Self::WrittenTo { by: Some(writer), .. } if is_such(writer))
    }
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct RecordHead {
    format: u32,
    users: usize,
    sha256: String,
    written_at: u32,
}

/// What is known of users, by their ids in small letters: a file may name a user by its id in capitals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenRecord {
    users: BTreeMap<Box<str>, Known>,
    /// When it was written, in seconds since 1970; 0 if it never was.
    pub(super) written_at: u32,
}

impl SeenRecord {
    /// Reads a record; nothing if it is not whole, or of another format.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, lines) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        let head: RecordHead = serde_json::from_str(head).ok()?;
        if head.format != FORMAT || head.sha256 != checksum(lines) {
            return None;
        }
        let users = lines.lines().map(|line| {
            let mut fields = line.split(',');
            let (id, what, of, at) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
            let known = match what {
                WRITTEN_TO if of.is_empty() => Known::WrittenTo { by: None, until: at },
                WRITTEN_TO => Known::WrittenTo { by: Some(Writer::parse(of)?), until: at },
                _ => Known::Right(SeenUser { fingerprint: Fingerprint::parse(what)?, n_held: of.parse().ok()?, at }),
            };
            fields.next().is_none().then(|| (Box::from(id), known))
        });
        let users = users.collect::<Option<BTreeMap<_, _>>>()?;
        (users.len() == head.users).then_some(Self { users, written_at: head.written_at })
    }

    /// The record as bytes. What is too much for it is forgotten.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut lines: Vec<_> = self.users.iter().map(|(id, known)| (known.rank(), line(id, known))).collect();
        let mut n_bytes: usize = lines.iter().map(|(_, line)| line.len()).sum();
        if n_bytes > MAX_LINES_BYTES {
            lines.sort_by_key(|(rank, _)| *rank);
            let n_forgotten = lines.iter().take_while(|(_, line)| {
                let is_too_much = n_bytes > MAX_LINES_BYTES;
                n_bytes -= if is_too_much { line.len() } else { 0 };
                is_too_much
            });
            lines.drain(..n_forgotten.count());
        }
        let users = lines.len();
        let lines: String = lines.into_iter().map(|(_, line)| line).collect();
        let head = RecordHead { format: FORMAT, users, sha256: checksum(&lines), written_at: self.written_at };
        let mut bytes = serde_json::to_vec(&head).expect("the first line has no map keys");
        bytes.push(b'\n');
        bytes.extend_from_slice(lines.as_bytes());
        bytes
    }

    /// What is known of a user that was seen right and that nobody writes to.
    pub(crate) fn right(&self, id: &str) -> Option<SeenUser> {
        match self.users.get(&*key(id))? {
            Known::Right(seen) => Some(*seen),
            Known::WrittenTo { .. } => None,
        }
    }

    /// Whether another import may still write to users.
    pub(super) fn has_other_writers(&self, writer: &Writer, now: u32) -> bool {
        let is_own = |known: &Known| known.is_written_by(|of| of.import == writer.import);
        self.users.values().any(|known| known.until() > now && !is_own(known))
    }

    /// Whether it is to be written again, although nobody changes it.
    pub(crate) fn is_stale(&self, now: u32) -> bool {
        !self.users.is_empty() && now.saturating_sub(self.written_at) > REWRITE_AFTER_SECONDS
    }

    /// A delivery is about to write to these users, and may until then: what is known of them is forgotten until it is over. If
    /// another import may write to a user, too, nobody can know how it ends.
    pub(super) fn take_out<'u>(&mut self, users: impl Iterator<Item = &'u str>, writer: &Writer, now: u32, until: u32) {
        self.users.retain(|_, known| known.is_of_use(now));
        for id in users.filter(|id| is_plain(id)).map(key) {
            let is_own = |known: &Known| known.is_written_by(|other| other.import == writer.import);
            let is_alone = |known: &Known| matches!(known, Known::Right(_)) || is_own(known);
            let known = self.users.get(&id);
            let by = known.is_none_or(is_alone).then(|| writer.clone());
            // Whoever else may write to it keeps its time.
            let until = known.map_or(until, |known| until.max(known.until()));
            self.users.insert(id, Known::WrittenTo { by, until });
        }
    }

    /// The delivery is over. Users that it was about to write to, and that it saw right, are as they were seen, if no other import
    /// may have written to them meanwhile. Of its other users nothing is known.
    pub(super) fn put_in<'u>(&mut self, right: impl Iterator<Item = (&'u str, SeenUser)>, writer: &Writer) {
        for (id, seen) in right {
            if let Some(known) = self.users.get_mut(&*key(id)).filter(|known| known.is_written_by(|of| of == writer)) {
                *known = Known::Right(seen);
            }
        }
        let is_over = |of: &Writer| of.import == writer.import && of.delivery <= writer.delivery;
        self.users.retain(|_, known| !known.is_written_by(is_over));
    }
}

fn key(id: &str) -> Box<str> {
    id.to_ascii_lowercase().into()
}

/// Whether an id can stand in a line. Connect's are UUIDs, but the service model does not say so.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && !id.contains(|letter: char| letter == ',' || letter.is_control())
}

fn line(id: &str, known: &Known) -> String {
    match known {
        Known::Right(SeenUser { fingerprint, n_held, at }) => format!("{id},{fingerprint},{n_held},{at}\n"),
        Known::WrittenTo { by: Some(writer), until } => format!("{id},{WRITTEN_TO},{writer},{until}\n"),
        Known::WrittenTo { by: None, until } => format!("{id},{WRITTEN_TO},,{until}\n"),
    }
}

fn checksum(lines: &str) -> String {
    Sha256::digest(lines).iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_795_996_800;

    fn seen(wants: &str, at: u32) -> SeenUser {
        SeenUser { fingerprint: Fingerprint::of(wants), n_held: 3, at }
    }

    fn id(n: usize) -> String {
        format!("00000000-0000-4000-8000-{n:012}")
    }

    const LATER: u32 = NOW + 900;

    fn writer(import: &str, delivery: u32) -> Writer {
        Writer { import: import.into(), delivery }
    }

    /// Users that an import saw right.
    fn record(users: &[(&str, &str)]) -> SeenRecord {
        let (mut record, import) = (SeenRecord { written_at: NOW, ..SeenRecord::default() }, writer("an import", 1));
        record.take_out(users.iter().map(|(id, _)| *id), &import, NOW, LATER);
        record.put_in(users.iter().map(|(id, wants)| (*id, seen(wants, NOW))), &import);
        record
    }

    fn right(record: &SeenRecord) -> Vec<&str> {
        record.users.keys().map(|id| &**id).filter(|id| record.right(id).is_some()).collect()
    }

    #[test]
    fn a_record_is_read_as_it_was_written_or_not_at_all() {
        let mut written = record(&[("a", "x"), ("b", "y"), ("c", "z")]);
        written.take_out(["b", "d"].into_iter(), &writer("1a2b3c4d5e6f7a8b", 7), NOW, LATER);
        written.take_out(["d"].into_iter(), &writer("another", 1), NOW, LATER);
        let bytes = written.to_bytes();
        assert_eq!(SeenRecord::parse(&bytes).as_ref(), Some(&written));
        assert_eq!(right(&written), ["a", "c"]);
        for end in 0..bytes.len() {
            assert_eq!(SeenRecord::parse(&bytes[..end]), None, "cut short at {end}");
        }
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(SeenRecord::parse(text.replace("\"format\":1", "\"format\":2").as_bytes()), None);
        assert_eq!(SeenRecord::parse(text.replace(",3,", ",4,").as_bytes()), None);
        assert_eq!(SeenRecord::parse(text.replace("\"users\":4", "\"users\":3").as_bytes()), None);
        assert_eq!(SeenRecord::parse(b""), None);
    }

    #[test]
    fn a_hundred_thousand_users_fit_and_the_oldest_are_forgotten_beyond_the_bound() {
        let mut record = SeenRecord::default();
        let known = |n: usize| Known::Right(SeenUser { n_held: 10, ..seen("x", NOW + u32::try_from(n).unwrap()) });
        record.users = (0..100_000).map(|n| (Box::from(id(n)), known(n))).collect();
        let bytes = record.to_bytes();
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        assert_eq!(SeenRecord::parse(&bytes).unwrap(), record);

        record.users = (0..150_000).map(|n| (Box::from(id(n)), known(n))).collect();
        let bytes = record.to_bytes();
        assert!((MAX_BYTES - 2048..=MAX_BYTES).contains(&bytes.len()), "{}", bytes.len());
        let read = SeenRecord::parse(&bytes).unwrap();
        let n_forgotten = 150_000 - read.users.len();
        assert!(n_forgotten > 10_000, "{n_forgotten}");
        assert!(read.users.keys().next().is_some_and(|first| **first == id(n_forgotten)), "the oldest went");
    }

    #[test]
    fn who_may_be_written_to_is_forgotten_until_the_import_has_seen_it_right() {
        let (mut record, import) = (record(&[("a", "x"), ("b", "y")]), writer("1", 1));
        record.take_out(["b", "c", "d"].into_iter(), &import, NOW + 10, LATER);
        assert_eq!(right(&record), ["a"]);
        record.put_in([("c", seen("z", NOW + 20)), ("a", seen("other", NOW + 20))].into_iter(), &import);
        assert_eq!(right(&record), ["a", "c"], "b and d were not seen right, a was not its own");
        assert_eq!(record.users["a"], Known::Right(seen("x", NOW)));
        assert_eq!(record.users.len(), 2);
    }

    #[test]
    fn whom_two_imports_may_write_to_at_once_nobody_knows() {
        let mut record = record(&[("a", "x")]);
        let all_seen = |record: &mut SeenRecord, import| {
            let users = ["a", "b", "c"].map(|id| (id, seen("x", NOW + 100)));
            record.put_in(users.into_iter(), &writer(import, 1));
        };
        record.take_out(["a", "b"].into_iter(), &writer("1", 1), NOW, LATER);
        record.take_out(["a", "c"].into_iter(), &writer("2", 1), NOW + 60, LATER);
        all_seen(&mut record, "1");
        assert_eq!(right(&record), ["b"]);
        all_seen(&mut record, "2");
        assert_eq!(right(&record), ["b", "c"]);
        // A third one may still meet one of them, and a fourth, though the third has less time.
        record.take_out(["a"].into_iter(), &writer("5", 1), LATER - 100, LATER - 50);
        record.take_out(["a"].into_iter(), &writer("3", 1), LATER - 1, LATER + 10);
        all_seen(&mut record, "3");
        assert_eq!(right(&record), ["b", "c"]);
        record.take_out(["a"].into_iter(), &writer("4", 1), LATER + 10, LATER + 900);
        all_seen(&mut record, "4");
        assert_eq!(right(&record), ["a", "b", "c"]);
    }

    #[test]
    fn an_import_that_is_resumed_knows_its_own_users_again_and_a_delivery_that_lost_it_none() {
        let mut record = record(&[("a", "x"), ("b", "x")]);
        record.take_out(["a", "b"].into_iter(), &writer("1", 1), NOW, LATER);
        record.take_out(["a"].into_iter(), &writer("1", 2), NOW + 60, LATER);
        record.put_in([("a", seen("old", NOW + 65))].into_iter(), &writer("1", 1));
        assert_eq!(record.users["a"], Known::WrittenTo { by: Some(writer("1", 2)), until: LATER });
        record.put_in([("a", seen("y", NOW + 70))].into_iter(), &writer("1", 2));
        assert_eq!((right(&record), record.users.len()), (vec!["a"], 1), "whom the first one saw nobody knows");
    }

    #[test]
    fn what_is_of_no_use_any_more_goes() {
        let mut record = record(&[("a", "x")]);
        record.take_out([].into_iter(), &writer("1", 1), NOW + MAX_AGE_SECONDS - 1, LATER);
        assert_eq!(right(&record), ["a"]);
        record.take_out([].into_iter(), &writer("1", 1), NOW + MAX_AGE_SECONDS, LATER);
        assert_eq!(record.users.len(), 0);
    }

    #[test]
    fn a_user_is_the_same_in_capitals() {
        let mut record = record(&[("AB-1", "x")]);
        assert_eq!(record.right("ab-1"), record.right("AB-1"));
        assert!(record.right("Ab-1").is_some());
        record.take_out(["aB-1"].into_iter(), &writer("1", 1), NOW, LATER);
        assert_eq!(record.right("AB-1"), None);
    }

    #[test]
    fn a_record_that_nobody_changes_is_written_again_after_a_week() {
        let record = record(&[("a", "x")]);
        assert!(!record.is_stale(NOW + 7 * DAY_SECONDS) && record.is_stale(NOW + 7 * DAY_SECONDS + 1));
        assert!(!SeenRecord::default().is_stale(NOW), "where there is none, there is nothing to keep");
    }

    #[test]
    fn an_id_that_would_break_a_line_is_not_recorded() {
        let ids = ["a,b", "a\nb", ""];
        assert_eq!(right(&record(&ids.map(|id| (id, "x")))), Vec::<&str>::new());
    }

    #[test]
    fn users_come_due_one_by_one_in_the_second_half_of_the_period() {
        let user = seen("x", NOW);
        let due_on = |day: u32, n| user.is_due(&id(n), NOW + day * DAY_SECONDS, 28);
        assert_eq!((0..1000).filter(|n| due_on(14, *n)).count(), 0);
        assert_eq!((0..1000).filter(|n| due_on(28, *n)).count(), 1000);
        for day in 15..=28 {
            let n_new = (0..1000).filter(|n| due_on(day, *n) && !due_on(day - 1, *n)).count();
            assert!((40..110).contains(&n_new), "{n_new} on day {day}");
        }
        assert!(!user.is_due("a", NOW - DAY_SECONDS, 28) && user.is_due("a", NOW - DAY_SECONDS - 1, 28));
        assert!(user.is_due("a", NOW, 0) && !user.is_due("a", NOW, 1));
    }
}
