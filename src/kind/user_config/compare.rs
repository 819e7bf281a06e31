//! Rows of one user beside each other. Pure.

use std::collections::BTreeMap;

use crate::connect::{ChannelSetting, Value};

use super::{Cells, Item};

/// The rows of one user as items to be tried, in the order of the file; instead of a row that another one contradicts, the
/// line of that one.
///
/// Rows of one channel are merged cell by cell: only cells that differ contradict, and then all rows that say something of
/// that setting are out. A row all of which was said before is tried like the others, for an earlier row may turn out to be
/// against a rule in another of its cells.
pub fn compare(rows: &[(u32, Cells)]) -> Vec<Result<Item, u32>> {
    let items: Vec<_> = rows.iter().map(|&(line, cells)| Item { line, cells, repeats: None }).collect();
    let mut said: BTreeMap<ChannelSetting, Vec<(Value, u32)>> = BTreeMap::new();
    for item in &items {
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
    let mut first_said: BTreeMap<ChannelSetting, u32> = BTreeMap::new();
    let mut compared = |item: Item| {
        if let Some(line) = contradiction(&item) {
            return Err(line);
        }
        let lines: Vec<u32> = item.wants().map(|(key, _)| *first_said.entry(key).or_insert(item.line)).collect();
        let repeats = lines.first().copied().filter(|_| !lines.contains(&item.line));
        Ok(Item { repeats, ..item })
    };
    items.into_iter().map(&mut compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::user_config::row::tests::check_rows;

    /// Of each row the line that it repeats, or the one that contradicts it.
    fn compared(rows: &str) -> Vec<Result<Option<u32>, u32>> {
        let csv = format!("user,channel,auto_accept,after_contact_work_seconds,persistent_connection\n{rows}");
        let rows: Vec<_> = (2..).zip(check_rows(&csv)).map(|(line, row)| (line, row.unwrap().1)).collect();
        compare(&rows).into_iter().map(|item| item.map(|item| item.repeats)).collect()
    }

    const NEW: Result<Option<u32>, u32> = Ok(None);

    #[test]
    fn cells_are_merged_and_only_those_that_differ_contradict() {
        assert_eq!(compared("u,CHAT,yes,,\nu,CHAT,,30,\nu,CHAT,true,30.0,\n"), [NEW, NEW, Ok(Some(2))]);
        assert_eq!(compared("u,CHAT,yes,,\nu,VOICE,no,,\n"), [NEW, NEW]);
        assert_eq!(compared("u,CHAT,yes,,\nu,CHAT,no,,\n"), [Err(3), Err(2)]);
        let third_stays = "u,VOICE,yes,30,\nu,VOICE,no,,\nu,VOICE,,,yes\nu,VOICE,yes,,\n";
        assert_eq!(compared(third_stays), [Err(3), Err(2), NEW, Err(3)]);
    }

    #[test]
    fn a_row_that_says_more_repeats_nothing() {
        assert_eq!(compared("u,VOICE,yes,,\nu,VOICE,yes,30,\nu,VOICE,yes,30,\n"), [NEW, NEW, Ok(Some(2))]);
    }

    #[test]
    fn what_only_a_contradicted_row_said_is_not_said() {
        let rows = "u,VOICE,yes,30,\nu,VOICE,no,,\nu,VOICE,,30,\nu,VOICE,,30,\n";
        assert_eq!(compared(rows), [Err(3), Err(2), NEW, Ok(Some(4))]);
    }
}
