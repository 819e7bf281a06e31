//! Rows that are wrong by themselves: what they may name all the same. Pure.

use std::collections::BTreeSet;

use super::row::{MAX_LETTERS, pair_cells};
use crate::input::{Header, Record};
use crate::kind::cells::has_cells_beyond;
use crate::outcome::{Code, RowId};

/// Cells of a row beyond the header that may be those of another row.
const MAX_SHIFT: usize = 100;
/// No name is longer in UTF-8.
const MAX_BYTES: usize = MAX_LETTERS * 4;

/// Rows with more cells than the header has. Whom they are about cannot be said, whatever their first cell says: cells may have
/// moved, or a line break between two rows is gone.
#[derive(Debug, Default)]
pub(super) struct TornRows {
    rows: BTreeSet<RowId>,
    /// See [`TornRows::moved_pairs`].
    moved: BTreeSet<(String, String)>,
}

impl TornRows {
    /// Takes a row that is wrong by itself, if it is one of these.
    pub(super) fn push(&mut self, row: RowId, header: &Header, record: &Record<'_>) {
        if !has_cells_beyond(header, record) {
            return;
        }
        self.rows.insert(row);
        // The columns of a sheet are not those of its entries.
        if header.is_of_sheet() {
            return;
        }
        let n_beyond = record.len() - header.cells.len();
        for shift in 1..=n_beyond.min(MAX_SHIFT) {
            let (attribute, value) = pair_cells(header, record, shift);
            let is_name = |text: &str| (1..=MAX_BYTES).contains(&text.len());
            if is_name(attribute) && is_name(value) {
                self.moved.insert((attribute.to_owned(), value.to_owned()));
            }
        }
    }

    /// Whether a row is one of these.
    pub(super) fn contains(&self, row: RowId) -> bool {
        self.rows.contains(&row)
    }

    /// The pairs that they may name where cells have moved, in the file's spelling.
    pub(super) fn moved_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.moved.iter().map(|(attribute, value)| (attribute.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// What a row that is wrong by itself may name; nothing if its cells cannot be trusted.
pub(super) fn named_pair<'r>(header: &Header, record: &Record<'r>, code: Code) -> (&'r str, &'r str) {
    let (attribute, value) = pair_cells(header, record, 0);
    // Its levels may stand below other skills' headings.
    let has_moved = header.is_of_sheet() && code == Code::WrongCellCount;
    if has_moved || attribute.len().max(value.len()) > MAX_BYTES { ("", "") } else { (attribute, value) }
}
