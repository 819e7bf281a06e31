//! Compares the rows of one user. Pure.

use std::collections::BTreeMap;

use super::plan::UserConfigItem;
use crate::connect::{ChannelSetting, Value};
use crate::outcome::Line;

/// The rows of one user, in the order of the file; in the place of a row that contradicts another one, the line of that one.
///
/// Rows of one channel are merged cell by cell: only cells that differ contradict each other, or the same ones under other
/// conditions, and then all rows that say something of that setting are out. A row that only repeats earlier ones is tried like the others, because one of those
/// may turn out to be invalid for another of its cells.
pub fn compare(items: Vec<UserConfigItem>) -> Vec<Result<UserConfigItem, Line>> {
    let mut values: BTreeMap<ChannelSetting, Vec<(Value, &UserConfigItem)>> = BTreeMap::new();
    for item in &items {
        for (key, value) in item.wants() {
            values.entry(key).or_default().push((value, item));
        }
    }
    let contradiction = |item: &UserConfigItem| {
        item.wants().find_map(|(key, value)| {
            let is_otherwise =
                |(other, of): &&(Value, &UserConfigItem)| *other != value || of.conditions != item.conditions;
            values.get(&key)?.iter().find(is_otherwise).map(|(_, of)| of.line)
        })
    };
    let contradictions: Vec<Option<Line>> = items.iter().map(contradiction).collect();
    let mut first_lines: BTreeMap<ChannelSetting, Line> = BTreeMap::new();
    let mut compared = |(item, contradiction): (UserConfigItem, Option<Line>)| {
        if let Some(line) = contradiction {
            return Err(line);
        }
        let lines: Vec<Line> = item.wants().map(|(key, _)| *first_lines.entry(key).or_insert(item.line)).collect();
        let repeats = lines.first().copied().filter(|_| !lines.contains(&item.line));
        Ok(UserConfigItem { repeats, ..item })
    };
    items.into_iter().zip(contradictions).map(&mut compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::Setting;
    use crate::kind::user_config::cells::Cells;
    use crate::kind::user_config::conditions::Conditions;
    use crate::kind::user_config::test_rows::check_rows;
    use crate::outcome::RowId;

    /// Of each row the line that it repeats, or the one that contradicts it.
    fn compared(rows: &str) -> Vec<Result<Option<u32>, u32>> {
        let csv = format!("user,channel,auto_accept,after_contact_work_seconds,persistent_connection\n{rows}");
        let always = vec![Conditions::default(); csv.lines().count()];
        numbers(compare(items(&csv, always)))
    }

    fn items(csv: &str, conditions: Vec<Conditions>) -> Vec<UserConfigItem> {
        let rows = (0..).zip(check_rows(csv)).zip(conditions);
        let item = |n: u32, cells: Cells, conditions: Conditions| UserConfigItem {
            row: RowId(n),
            line: Line(n + 2),
            cells,
            conditions,
            repeats: None,
        };
        rows.map(|((n, row), conditions)| item(n, row.unwrap().1, conditions)).collect()
    }

    fn numbers(compared: Vec<Result<UserConfigItem, Line>>) -> Vec<Result<Option<u32>, u32>> {
        let number = |Line(line)| line;
        compared.into_iter().map(|item| item.map(|item| item.repeats.map(number)).map_err(number)).collect()
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
    fn the_same_under_another_condition_contradicts() {
        let rows = "u,CHAT,yes,,\nu,CHAT,yes,,\nu,CHAT,,30,\n";
        let csv = format!("user,channel,auto_accept,after_contact_work_seconds,persistent_connection\n{rows}");
        let [always, if_no] = [vec![], vec![(Setting::AutoAccept, Some(Value::Switch(false)))]].map(Conditions);
        let compared = |conditions: [Conditions; 3]| numbers(compare(items(&csv, conditions.to_vec())));
        assert_eq!(compared([if_no.clone(), always.clone(), if_no.clone()]), [Err(3), Err(2), NEW]);
        assert_eq!(compared([if_no.clone(), if_no.clone(), always]), [NEW, Ok(Some(2)), NEW]);
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
