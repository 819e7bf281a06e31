//! Compares the rows of one user. Pure.

use std::collections::BTreeMap;

use super::plan::UserConfigItem;
use super::row::Cells;
use crate::connect::{ChannelSetting, Value};
use crate::outcome::{Line, RowId};

/// The rows of one user as items, in the order of the file; in the place of a row that contradicts another one, the line of
/// that one.
///
/// Rows of one channel are merged cell by cell: only cells that differ contradict each other, and then all rows that say
/// something of that setting are out. A row that only repeats earlier ones is tried like the others, because one of those
/// may turn out to be invalid for another of its cells.
pub fn compare(rows: &[(RowId, Line, Cells)]) -> Vec<Result<UserConfigItem, Line>> {
    let item = |&(row, line, cells): &(RowId, Line, Cells)| UserConfigItem { row, line, cells, repeats: None };
    let items: Vec<_> = rows.iter().map(item).collect();
    let mut values: BTreeMap<ChannelSetting, Vec<(Value, Line)>> = BTreeMap::new();
    for item in &items {
        for (key, value) in item.wants() {
            values.entry(key).or_default().push((value, item.line));
        }
    }
    let contradiction = |item: &UserConfigItem| {
        item.wants().find_map(|(key, value)| {
            let others = values.get(&key)?;
            others.iter().find(|(other, _)| *other != value).map(|(_, line)| *line)
        })
    };
    let mut first_lines: BTreeMap<ChannelSetting, Line> = BTreeMap::new();
    let mut compared = |item: UserConfigItem| {
        if let Some(line) = contradiction(&item) {
            return Err(line);
        }
        let lines: Vec<Line> = item.wants().map(|(key, _)| *first_lines.entry(key).or_insert(item.line)).collect();
        let repeats = lines.first().copied().filter(|_| !lines.contains(&item.line));
        Ok(UserConfigItem { repeats, ..item })
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
        let rows = (0..).zip(check_rows(&csv)).map(|(n, row)| (RowId(n), Line(n + 2), row.unwrap().1));
        let number = |Line(line)| line;
        let items = compare(&rows.collect::<Vec<_>>()).into_iter();
        items.map(|item| item.map(|item| item.repeats.map(number)).map_err(number)).collect()
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
