//! What the page tells beyond the summary: the first rows to mend and those that were kept, the levels before and after, the
//! first removals and those that were withheld. However large
//! the file, what is held is small. Pure.

use std::borrow::Cow;

use super::causes::{Cause, CauseCounter};
use super::text::cut;
use crate::input::{Header, Record};
use crate::outcome::{LevelChange, Line, RowReport, Status};

/// Rows to mend that the page tells.
const MAX_ROWS: usize = 500;
/// Rows that were kept that the page tells.
const MAX_KEPT: usize = 200;
/// Removals that the page tells, and as many that were withheld.
const MAX_REMOVALS: usize = 200;
/// Letters of a column's name, of a cell, and of a sentence.
const MAX_NAME_LETTERS: usize = 50;
const MAX_CELL_LETTERS: usize = 200;
const MAX_MESSAGE_LETTERS: usize = 500;

/// What the page tells beyond the summary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// The first rows to mend.
    pub to_mend: Vec<UndoneRow>,
    /// The first rows that were kept.
    pub kept: Vec<UndoneRow>,
    /// How many proficiencies had which level, and have it now.
    pub levels: Levels,
    /// The first removals that no row asked for.
    pub removed: Vec<Vec<String>>,
    /// How many there are.
    pub n_removed: u64,
    /// The first removals that were withheld.
    pub withheld: Vec<Vec<String>>,
    /// How many there are.
    pub n_withheld: u64,
    /// The names of the report's tables.
    pub objects: Vec<Cow<'static, str>>,
}

/// A row that is not as the file says.
#[derive(Clone, Debug)]
pub(crate) struct UndoneRow {
    /// Where it begins.
    pub line: Line,
    /// What became of it.
    pub status: Status,
    /// Its cells that mean something, by the file's own names.
    pub cells: Vec<(String, String)>,
    /// Why.
    pub message: String,
}

/// Proficiencies by level: none, 1, 2, 3, 4, 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    /// Before the import.
    pub before: [u64; 6],
    /// After it.
    pub after: [u64; 6],
}

impl Levels {
    fn add(&mut self, LevelChange { before, after }: LevelChange) {
        for (counts, level) in [(&mut self.before, before), (&mut self.after, after)] {
            counts[usize::from(level).min(5)] += 1;
        }
    }
}

/// Takes the rows of the report one after another, and says why they are not as the file says.
#[derive(Debug)]
pub(crate) struct Digest {
    causes: CauseCounter,
    /// Rows that were tried or looked at, which are told first.
    wrong: Vec<UndoneRow>,
    pending: Vec<UndoneRow>,
    kept: Vec<UndoneRow>,
    levels: Levels,
}

impl Digest {
    /// No rows yet, but perhaps causes that are known without them.
    pub(crate) fn new(causes: CauseCounter) -> Self {
        Self { causes, wrong: Vec::new(), pending: Vec::new(), kept: Vec::new(), levels: Levels::default() }
    }

    /// Takes a row.
    pub(crate) fn push(&mut self, header: &Header, record: &Record<'_>, row: &RowReport) {
        self.causes.push(Line(record.line), row);
        if let Some(levels) = row.levels {
            self.levels.add(levels);
        }
        let (rows, most) = match row.status {
            Status::Pending => (&mut self.pending, MAX_ROWS),
            Status::Kept => (&mut self.kept, MAX_KEPT),
            status if status.needs_retry() => (&mut self.wrong, MAX_ROWS),
            _ => return,
        };
        if rows.len() < most {
            rows.push(UndoneRow::new(header, record, row));
        }
    }

    /// All rows were taken. `removed` are the removals that no row asked for, and `withheld` those that were not made: user,
    /// attribute, value, level.
    pub(crate) fn finish(
        mut self,
        removed: impl Iterator<Item = Vec<String>>,
        withheld: impl Iterator<Item = Vec<String>>,
        objects: Vec<Cow<'static, str>>,
    ) -> (Vec<Cause>, Details) {
        let mut details = Details { objects, ..Details::default() };
        // Without the file there is nothing to compare the removals with.
        let has_levels = self.levels != Levels::default();
        for removal in removed {
            details.n_removed += 1;
            let level = removal.last().and_then(|level| level.parse::<f32>().ok()).unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "levels are 1 to 5")]
            let before = level.round() as u8;
            if has_levels {
                self.levels.add(LevelChange { before, after: 0 });
            }
            tell(&mut details.removed, &removal);
        }
        for removal in withheld {
            details.n_withheld += 1;
            tell(&mut details.withheld, &removal);
        }
        details.levels = self.levels;
        details.kept = self.kept;
        details.to_mend = self.wrong;
        details.to_mend.extend(self.pending);
        details.to_mend.truncate(MAX_ROWS);
        (self.causes.into_causes(), details)
    }
}

/// Keeps a removal, if there are not too many.
fn tell(told: &mut Vec<Vec<String>>, removal: &[String]) {
    if told.len() < MAX_REMOVALS {
        told.push(removal.iter().map(|cell| cut(cell, MAX_CELL_LETTERS)).collect());
    }
}

impl UndoneRow {
    fn new(header: &Header, record: &Record<'_>, row: &RowReport) -> Self {
        let cells = header.used_indices().filter_map(|index| {
            let cell = record.get(index).filter(|cell| !cell.is_empty())?;
            Some((cut(header.cells.get(index)?, MAX_NAME_LETTERS), cut(cell, MAX_CELL_LETTERS)))
        });
        let message = cut(&row.message, MAX_MESSAGE_LETTERS);
        Self { line: Line(record.line), status: row.status, cells: cells.collect(), message }
    }
}
