//! A record: the cells of a row of a file, or of one entry of a sheet's row.

use super::cell::{is_visible, trimmed};
use super::header::{Header, LONG_FORM};
use crate::outcome::Problem;

/// Excel has 32,767 characters in a cell at most. A record larger than this is no row of a table.
pub(super) const MAX_RECORD_BYTES: usize = 1 << 20;
/// Excel has 16,384 columns at most.
pub(super) const MAX_CELLS: usize = 16_384;
/// Twice as many as are measured on every change. An import of proficiencies holds about 130 bytes a row, so that this fits
/// into the function's default memory; at Connect's default quota it is more than a day's work.
pub(super) const MAX_ROWS: u32 = 2_000_000;
/// Ctrl-Z, with which DOS ended its files.
pub(super) const END_OF_FILE: char = '\u{1a}';

/// What to do with each row. Rows that hold nothing are none.
pub type Visit<'v> = dyn FnMut(&Header, Record<'_>) -> Result<(), Problem> + 'v;

/// One record: its cells, and the line on which it begins.
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// The line on which it begins, from 1 on, as an editor counts.
    pub line: u32,
    cells: RecordCells<'r>,
}

/// Where a record's cells are.
#[derive(Clone, Copy, Debug)]
enum RecordCells<'r> {
    /// End to end in a text.
    Parsed { text: &'r str, ends: &'r [usize] },
    /// In a row of a sheet.
    Entry(&'r SheetEntry<'r>),
}

impl<'r> Record<'r> {
    /// A record whose cells stand end to end in a text.
    pub(super) const fn new(line: u32, text: &'r str, ends: &'r [usize]) -> Self {
        Self { line, cells: RecordCells::Parsed { text, ends } }
    }

    /// One entry of a sheet, as a record of the sheet's long form.
    pub(super) const fn entry(line: u32, entry: &'r SheetEntry<'r>) -> Self {
        Self { line, cells: RecordCells::Entry(entry) }
    }

    /// A cell by its index, from 0 on.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'r str> {
        match self.cells {
            RecordCells::Parsed { text, ends } => {
                let end = *ends.get(index)?;
                let start = index.checked_sub(1).map_or(0, |before| ends[before]);
                Some(&text[start..end])
            }
            RecordCells::Entry(entry) => entry.get(index),
        }
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        match self.cells {
            RecordCells::Parsed { ends, .. } => ends.len(),
            RecordCells::Entry(entry) => entry.len(),
        }
    }

    /// How many cells its row has in the file, which is another number only in a sheet.
    pub fn n_cells_in_file(&self) -> usize {
        match self.cells {
            RecordCells::Parsed { ends, .. } => ends.len(),
            RecordCells::Entry(entry) => entry.row.len(),
        }
    }

    /// The heading of the column that it was read from; nothing where a row of the file is one record.
    pub fn column(&self) -> Option<&'r str> {
        match self.cells {
            RecordCells::Parsed { .. } => None,
            RecordCells::Entry(entry) => Some(entry.heading),
        }
    }

    /// Whether no cell holds anything but white space.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self.cells {
            RecordCells::Parsed { text, .. } => trimmed(text).is_empty(),
            RecordCells::Entry(_) => false,
        }
    }

    /// Whether the line holds nothing but Ctrl-Z, if it is one.
    pub(super) fn end_of_file(&self) -> Option<&'r str> {
        let text = self.get(0).filter(|_| self.len() == 1)?;
        text.chars().all(|letter| letter == END_OF_FILE).then_some(text)
    }

    /// Whether no cell holds a control character, not even a tab or a line break.
    pub fn is_visible(&self) -> bool {
        match self.cells {
            RecordCells::Parsed { text, .. } => is_visible(text),
            RecordCells::Entry(entry) => entry.texts().into_iter().all(is_visible),
        }
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &'r str> + use<'r> {
        let record = *self;
        (0..record.len()).filter_map(move |index| record.get(index))
    }
}

/// One entry of a sheet: what a cell, or a part of one, says of a user.
#[derive(Debug)]
pub(super) struct SheetEntry<'r> {
    pub(super) row: &'r Record<'r>,
    /// The heading of its column.
    pub(super) heading: &'r str,
    pub(super) user: &'r str,
    pub(super) attribute: &'r str,
    pub(super) value: &'r str,
    pub(super) level: &'r str,
    pub(super) action: &'r str,
    /// The indices of the cells of the row that are carried through.
    pub(super) carried: &'r [usize],
    /// How many cells the sheet's header has.
    pub(super) n_columns: usize,
}

impl<'r> SheetEntry<'r> {
    /// The cells that mean something.
    fn texts(&self) -> [&'r str; LONG_FORM.len()] {
        [self.user, self.attribute, self.value, self.level, self.action]
    }

    /// A cell of the long form by its index: what means something, what is carried through, what stands beyond the header.
    #[inline]
    fn get(&self, index: usize) -> Option<&'r str> {
        match index {
            0 => Some(self.user),
            1 => Some(self.attribute),
            2 => Some(self.value),
            3 => Some(self.level),
            4 => Some(self.action),
            _ => match self.carried.get(index - LONG_FORM.len()) {
                Some(&carried) => Some(self.row.get(carried).unwrap_or_default()),
                None => self.row.get(self.n_columns + index - LONG_FORM.len() - self.carried.len()),
            },
        }
    }

    fn len(&self) -> usize {
        LONG_FORM.len() + self.carried.len() + self.row.len().saturating_sub(self.n_columns)
    }
}
