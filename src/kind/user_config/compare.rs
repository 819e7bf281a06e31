//! Rows of one user beside each other. Pure.

use std::collections::BTreeMap;

use crate::connect::{ChannelSetting, Value};

use super::Item;

/// What a row is to the other rows of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be tried.
    ToTry,
    /// Earlier rows say all of it; the line of one of them.
    Duplicate(u32),
    /// The row on this line says otherwise of a setting.
    Conflicting(u32),
}

/// Compares the rows of one user, in the order of the file. Rows of one channel are merged cell by cell: only cells that
/// differ contradict, and then all rows that say something of that setting are out.
pub fn compare(items: &[Item]) -> Vec<Verdict> {
    let mut said: BTreeMap<ChannelSetting, Vec<(Value, u32)>> = BTreeMap::new();
    for item in items {
        for (key, value) in item.wants() {
            said.entry(key).or_default().push((value, item.line));
        }
    }
    let contradiction = |item: &Item| {
        item.wants().find_map(|(key, value)| {
            let others = said.get(&key)?;
            others.iter().find(|(other, _)| *other != value).map(|(_, line)| *line)
        })
    };
    let mut before: BTreeMap<ChannelSetting, u32> = BTreeMap::new();
    let mut verdict = |item: &Item| {
        if let Some(line) = contradiction(item) {
            return Verdict::Conflicting(line);
        }
        let mut said_before = None;
        let mut is_new = false;
        for (key, _) in item.wants() {
            let line = *before.entry(key).or_insert(item.line);
            is_new |= line == item.line;
            said_before = said_before.or(Some(line));
        }
        said_before.filter(|_| !is_new).map_or(Verdict::ToTry, Verdict::Duplicate)
    };
    items.iter().map(&mut verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::user_config::row::tests::check_rows;

    fn compared(rows: &str) -> Vec<Verdict> {
        let csv = format!("user,channel,auto_accept,after_contact_work_seconds,persistent_connection\n{rows}");
        let items = (2..).zip(check_rows(&csv)).map(|(line, row)| Item { line, cells: row.unwrap().1 });
        compare(&items.collect::<Vec<_>>())
    }

    use Verdict::{Conflicting, Duplicate, ToTry};

    #[test]
    fn cells_are_merged_and_only_those_that_differ_contradict() {
        assert_eq!(compared("u,CHAT,yes,,\nu,CHAT,,30,\nu,CHAT,true,30.0,\n"), [ToTry, ToTry, Duplicate(2)]);
        assert_eq!(compared("u,CHAT,yes,,\nu,VOICE,no,,\n"), [ToTry, ToTry]);
        assert_eq!(compared("u,CHAT,yes,,\nu,CHAT,no,,\n"), [Conflicting(3), Conflicting(2)]);
        let third_stays = "u,VOICE,yes,30,\nu,VOICE,no,,\nu,VOICE,,,yes\nu,VOICE,yes,,\n";
        assert_eq!(compared(third_stays), [Conflicting(3), Conflicting(2), ToTry, Conflicting(3)]);
    }

    #[test]
    fn a_row_that_says_more_is_no_duplicate() {
        assert_eq!(compared("u,VOICE,yes,,\nu,VOICE,yes,30,\nu,VOICE,yes,30,\n"), [ToTry, ToTry, Duplicate(2)]);
    }

    #[test]
    fn what_only_a_contradicted_row_said_is_not_said() {
        let rows = "u,VOICE,yes,30,\nu,VOICE,no,,\nu,VOICE,,30,\nu,VOICE,,30,\n";
        assert_eq!(compared(rows), [Conflicting(3), Conflicting(2), ToTry, Duplicate(4)]);
    }
}
