//! Rows that are wrong by themselves: what they may name all the same. Pure.

use std::collections::BTreeSet;

use super::row::{MAX_LETTERS, pair_cells};
use crate::input::{Header, Record, trimmed};
use crate::kind::cells::has_cells_beyond;
use crate::outcome::{Code, RowId};

/// Rows whose moved cells are held. A file with more of them is not what it should be at all.
const MAX_HELD: usize = 1000;
/// Cells of a row beyond the header that may be those of another row.
const MAX_SHIFT: usize = 20;
/// A row has as many cells as this, and some more, beyond the header where it is two rows in one: a user, a pair and a level,
/// of which the first is one cell with the last of the row before.
const JOINED: usize = 3;
/// No name is longer in UTF-8.
const MAX_BYTES: usize = MAX_LETTERS * 4;

/// Rows with more cells than the header has, or with a line break in a cell that means something. Whom they are about cannot be
/// said, whatever their first cell says: cells may have moved, or a line break between two rows is gone, or they are several.
#[derive(Debug, Default)]
pub(super) struct TornRows {
    rows: BTreeSet<RowId>,
    moved: Vec<MovedPairs>,
}

/// What a row may name where its cells have moved.
#[derive(Debug)]
pub(super) struct MovedPairs {
    /// Attributes and values, in the file's spelling.
    pub(super) pairs: Vec<(String, String)>,
    /// Whether it is probably two rows: then one of these is the second one's.
    pub(super) is_joined: bool,
}

impl TornRows {
    /// Takes a row that is wrong by itself, if it is one of these.
    pub(super) fn push(&mut self, row: RowId, header: &Header, record: &Record<'_>) {
        // A quote that is not closed has swallowed rows.
        let is_several = holds_line_break(header, record);
        if !is_several && !has_cells_beyond(header, record) {
            return;
        }
        self.rows.insert(row);
        // The columns of a sheet are not those of its entries.
        if header.is_of_sheet() || self.has_too_many() {
            return;
        }
        if is_several {
            self.moved.push(MovedPairs { pairs: Vec::new(), is_joined: true });
            return;
        }
        let n_beyond = record.len() - header.cells.len();
        let is_name = |text: &str| (1..=MAX_BYTES).contains(&text.len());
        let pairs = (1..=n_beyond.min(MAX_SHIFT)).map(|shift| pair_cells(header, record, shift));
        let pairs = pairs.filter(|(attribute, value)| is_name(attribute) && is_name(value));
        let pairs = pairs.map(|(attribute, value)| (attribute.to_owned(), value.to_owned())).collect();
        self.moved.push(MovedPairs { pairs, is_joined: n_beyond >= JOINED });
    }

    /// Whether a row is one of these.
    pub(super) fn contains(&self, row: RowId) -> bool {
        self.rows.contains(&row)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the rows may name where cells have moved.
    pub(super) fn moved(&self) -> &[MovedPairs] {
        &self.moved
    }

    /// Whether there are more rows than those of which that is known.
    pub(super) fn has_too_many(&self) -> bool {
        self.moved.len() >= MAX_HELD
    }
}

/// Whether a cell that means something holds a line break.
fn holds_line_break(header: &Header, record: &Record<'_>) -> bool {
    let mut used = header.used_indices().filter_map(|index| record.get(index));
    !header.is_of_sheet() && used.any(|cell| trimmed(cell).contains(['\n', '\r']))
}

/// What a row that is wrong by itself may name; nothing if its cells cannot be trusted.
pub(super) fn named_pair<'r>(header: &Header, record: &Record<'r>, code: Code) -> (&'r str, &'r str) {
    let (attribute, value) = pair_cells(header, record, 0);
    // Its levels may stand below other skills' headings.
    let has_moved = header.is_of_sheet() && code == Code::WrongCellCount;
    if has_moved || attribute.len().max(value.len()) > MAX_BYTES { ("", "") } else { (attribute, value) }
}

#[cfg(test)]
mod tests {
    use super::super::row::{SCHEMA, check};
    use super::*;
    use crate::input::Reader;

    #[test]
    fn however_many_rows_are_torn_what_is_held_is_bounded() {
        for row in ["j,A,v,3,more", "j,A,\"v\nw\",3", "j,A,v,3,four,more,cells,here"] {
            let (mut torn, mut n) = (TornRows::default(), 0);
            let mut visit = |header: &Header, record: Record<'_>| {
                assert!(check(header, &record).is_err());
                torn.push(RowId(n), header, &record);
                n += 1;
                Ok(())
            };
            let mut reader = Reader::new(&[SCHEMA]);
            reader
                .push(format!("user,attribute,value,level\n{}", format!("{row}\n").repeat(1500)).as_bytes(), &mut visit)
                .unwrap();
            reader.finish(&mut visit).unwrap();
            assert_eq!((torn.rows.len(), torn.moved().len(), torn.has_too_many()), (1500, MAX_HELD, true), "{row}");
        }
    }
}
