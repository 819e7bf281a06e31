//! Sheets: a row for each user, a column for each skill. Each row becomes the rows of its long form, entry by entry.
//!
//! A sheet's header names skills, and what is one only the instance knows. So reading pauses behind the header, until
//! [`Headings`] say what each column means. They are kept with the import, for every delivery must read the same rows.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::cell::{escape_formula, folded, trimmed, unescape_formula};
use super::header::{Column, Header, LONG_FORM, Presence, Schema, SheetColumns, all_shown, is_ours, n_named, shown};
use super::record::{MAX_ROWS, Record, SheetEntry, Visit};
use crate::outcome::Problem;

/// What the action of an entry is whose level is none.
const REMOVE: &str = "remove";
/// What ends an entry of a list.
const SEPARATORS: [char; 4] = [';', '|', '\n', '\r'];
/// A value may itself hold what ends an entry: so many pieces of a cell are looked at as one.
const MAX_PIECES: usize = 8;
/// An attribute and a value have 100 letters each at most.
const MAX_HEADING_LETTERS: usize = 250;
/// What the entries of one row hold together in the report, where each has the cells that are carried through.
const MAX_ROW_BYTES: usize = 16 << 20;
/// A value has 100 letters at most. What is longer than this is no entry.
const MAX_ENTRY_BYTES: usize = 600;

/// The header of a sheet whose headings are not understood yet.
#[derive(Clone, Debug)]
pub struct SheetHeader {
    delimiter: u8,
    /// The schema of its long form, and its index.
    schema: (usize, Schema),
    cells: Vec<String>,
    /// The index of the column that says whose a row is.
    key: usize,
    /// Columns that have the name of one of the long form, or nearly one of any kind.
    mistaken: Vec<Mistaken>,
}

/// A column of a sheet that is probably none.
#[derive(Clone, Debug)]
struct Mistaken {
    index: usize,
    column: &'static Column,
    /// Whether that is its very name.
    is_exact: bool,
}

impl SheetHeader {
    /// Understands the cells as the header of a sheet; nothing if they are none.
    pub(super) fn understand(
        schemas: &[Schema],
        delimiter: u8,
        cells: &[String],
        names: &[String],
    ) -> Option<Result<Self, Problem>> {
        let has_long_form =
            |schema: &Schema| LONG_FORM.iter().all(|name| schema.iter().any(|column| column.name == *name));
        let nth = schemas.iter().position(has_long_form)?;
        let schema = schemas[nth];
        let key = schema.iter().find(|column| column.presence == Presence::Key)?;
        let found = key.find(names);
        let first = *found.first()?;
        if let Err(problem) = key.check_once(&found, cells) {
            return Some(Err(problem));
        }
        let columns: Vec<&'static Column> = schemas.iter().flat_map(|schema| schema.iter()).collect();
        let others = || columns.iter().filter(|column| column.presence != Presence::Key);
        let mistaken = |index: usize| {
            let exact = others().find(|column| !column.find(&names[index..=index]).is_empty());
            let column = exact.or_else(|| others().find(|column| column.is_near(&names[index])))?;
            Some(Mistaken { index, column, is_exact: exact.is_some() })
        };
        let is_other = |index: &usize| *index != first && !names[*index].is_empty();
        let mistaken = (0..names.len()).filter(is_other).filter_map(mistaken).collect();
        Some(Ok(Self { delimiter, schema: (nth, schema), cells: cells.to_vec(), key: first, mistaken }))
    }

    /// A heading in a sentence.
    pub fn shown(&self, index: usize) -> String {
        shown(&self.cells[index])
    }

    /// The headings that may be skills, with their indices: all but the key's, the report's own, empty ones, and those that
    /// are longer than any skill's.
    pub fn headings(&self) -> impl Iterator<Item = (usize, &str)> {
        let cells = self.cells.iter().enumerate().map(|(index, cell)| (index, heading(cell)));
        cells.filter(|(index, cell)| {
            let may_be_one = *index != self.key && !cell.is_empty() && !is_ours(cell);
            may_be_one && cell.chars().nth(MAX_HEADING_LETTERS).is_none()
        })
    }

    /// No column that is no skill is probably meant for one of another form.
    pub fn check_mistaken(&self, headings: &Headings) -> Result<(), Problem> {
        let is_skill = |index: usize| headings.of(index).is_some();
        let Some(Mistaken { index, column, is_exact }) =
            self.mistaken.iter().find(|mistaken| mistaken.is_exact || !is_skill(mistaken.index))
        else {
            return Ok(());
        };
        if !is_exact {
            return Err(column.mistyped(&self.cells[*index]));
        }
        let name = shown(&self.cells[*index]);
        let message = format!(
            "The file has a column {name}, but neither `attribute` nor `value`, so it is taken for a sheet with a row for each \
             user and a column for each skill, where levels stand below the skills. Name the columns `user`, `attribute`, \
             `value`, `level`; or, if it is a sheet, give {name} another name, or take it out."
        );
        Err(Problem::new("unknown_column", message))
    }

    /// No heading is a skill: what the forms of a file are.
    pub fn without_skills(&self) -> Problem {
        let message = format!(
            "No column is a skill. Either name the columns `user`, `attribute`, `value` and `level`, with a row for each skill \
             of a user; or have a row for each user and a column for each skill, named as the instance names the skill \
             (\"Language: German\") or the attribute (\"Language\", with cells like \"German 4; French 2\"). Found were: {}.",
            all_shown(&self.cells)
        );
        Problem::new("missing_column", message)
    }
}

/// A name as a cell of the long form has it: what is read there is just this name.
fn cell_of(name: &str) -> String {
    escape_formula(name).into_owned()
}

/// A heading without white space around it.
fn heading(cell: &str) -> &str {
    trimmed(unescape_formula(trimmed(cell)))
}

/// What the columns of a sheet mean that are skills, by their indices. The others are carried through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headings(pub BTreeMap<usize, Heading>);

/// What a column of a sheet means, in the instance's spelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heading {
    /// A value of an attribute: its cells are levels.
    Value {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
    },
    /// An attribute: its cells are lists of values and levels.
    List {
        /// The attribute.
        attribute: String,
        /// The values that it has.
        values: Vec<String>,
    },
}

impl Heading {
    /// The attribute, and the value unless it is a list.
    pub fn pair(&self) -> (&str, Option<&str>) {
        match self {
            Self::Value { attribute, value } => (attribute, Some(value)),
            Self::List { attribute, .. } => (attribute, None),
        }
    }
}

impl Headings {
    /// What the column at an index means; nothing if it is carried through.
    pub fn of(&self, index: usize) -> Option<&Heading> {
        self.0.get(&index)
    }
}

/// A sheet whose headings are understood: turns its rows into those of its long form.
#[derive(Debug)]
pub(super) struct SheetRows {
    skills: Vec<Skill>,
    key: usize,
    carried: Vec<usize>,
    n_columns: usize,
    n_entries: Cell<u32>,
}

/// A column that is a skill.
#[derive(Debug)]
struct Skill {
    index: usize,
    heading: String,
    means: Meaning,
}

#[derive(Debug)]
enum Meaning {
    Value { attribute: String, value: String },
    List { attribute: String, list: CellList },
}

/// How the cells of a list are read.
#[derive(Debug)]
struct CellList {
    /// The values of the attribute, folded.
    values: HashSet<String>,
    /// Whether one of them holds what ends an entry.
    has_separators: bool,
    /// Whether a comma ends an entry: where it does not end a cell.
    splits_at_commas: bool,
}

impl SheetRows {
    /// The sheet, and the header of its long form. `is_whole` says whether each row must have all cells.
    pub(super) fn new(sheet: &SheetHeader, headings: &Headings, is_workbook: bool, is_whole: bool) -> (Header, Self) {
        let SheetHeader { delimiter, schema, cells, key, .. } = sheet;
        let mut skills = Vec::new();
        for (index, means) in &headings.0 {
            let splits_at_commas = is_workbook || *delimiter != b',';
            let means = match means {
                Heading::Value { attribute, value } => {
                    Meaning::Value { attribute: cell_of(attribute), value: cell_of(value) }
                }
                Heading::List { attribute, values } => {
                    Meaning::List { attribute: cell_of(attribute), list: CellList::new(values, splits_at_commas) }
                }
            };
            let heading = cells.get(*index).map_or("", |cell| heading(cell)).to_owned();
            skills.push(Skill { index: *index, heading, means });
        }
        let is_used = |index: usize| index == *key || headings.of(index).is_some();
        let carried: Vec<usize> =
            (0..cells.len()).filter(|&index| !is_used(index) && !is_ours(&cells[index])).collect();
        let names = carried.iter().map(|&index| cells[index].clone()).collect();
        let used = (0..cells.len()).filter(|&index| is_used(index)).map(|index| cells[index].clone()).collect();
        let width = SheetColumns { used, n_named: n_named(cells), needs_whole_rows: is_whole && !is_workbook };
        let header = Header::of_sheet(*delimiter, *schema, names, width);
        (header, Self { skills, key: *key, carried, n_columns: cells.len(), n_entries: Cell::new(0) })
    }

    /// Visits each entry of a row, from left to right.
    ///
    /// A row that lacks cells which it must have is wrong as a whole, and so is one with too many. The first is visited once
    /// more, for a cell that it lacks: what is in its place in the report is wrong until somebody mends it. The second shows
    /// what is too much in each of its entries, and is visited once if it has none.
    pub(super) fn expand(&self, header: &Header, row: &Record<'_>, visit: &mut Visit<'_>) -> Result<(), Problem> {
        let Self { skills, key, carried, n_columns, n_entries } = self;
        let (user, n_before) = (row.get(*key).unwrap_or_default(), n_entries.get());
        let cells_of_all = carried.iter().copied().chain(*n_columns..row.len());
        let bytes_of_all: usize = cells_of_all.filter_map(|index| row.get(index)).map(str::len).sum();
        let mut visit = |heading: &str, attribute: &str, value: &str, level: &str| {
            if n_entries.get() == MAX_ROWS {
                let message = format!("The sheet has more than {MAX_ROWS} entries. Split it into smaller files.");
                return Err(Problem::new("too_many_rows", message));
            }
            n_entries.set(n_entries.get() + 1);
            if (n_entries.get() - n_before) as usize * bytes_of_all > MAX_ROW_BYTES {
                let message = format!(
                    "The row on line {} has many entries, and beside them more text than the report can repeat for each. Take \
                     the columns with long texts out.",
                    row.line
                );
                return Err(Problem::new("row_too_large", message));
            }
            let (level, action) = if is_none(level) { ("", REMOVE) } else { (level, "") };
            let (carried, n_columns) = (carried.as_slice(), *n_columns);
            let entry = SheetEntry { row, heading, user, attribute, value, level, action, carried, n_columns };
            visit(header, Record::entry(row.line, &entry))
        };
        for Skill { index, heading, means } in skills.iter().take_while(|skill| skill.index < row.len()) {
            let cell = row.get(*index).map_or("", |cell| trimmed(unescape_formula(trimmed(cell))));
            match means {
                _ if cell.is_empty() => {}
                Meaning::Value { attribute, value } => visit(heading, attribute, value, cell)?,
                Meaning::List { attribute, list } => {
                    list.split(cell, |value, level| visit(heading, attribute, &escape_formula(value), level))?;
                }
            }
        }
        let mut beyond = (*n_columns..row.len()).filter_map(|index| row.get(index));
        let is_short = header.needs_whole_rows() && row.len() < header.n_named();
        let lacking = skills.iter().find(|skill| skill.index >= row.len()).or(skills.last());
        match lacking.filter(|_| is_short) {
            Some(Skill { heading, means: Meaning::Value { attribute, value }, .. }) => {
                visit(heading, attribute, value, "")
            }
            Some(Skill { heading, means: Meaning::List { attribute, .. }, .. }) => visit(heading, attribute, "", ""),
            None if n_entries.get() == n_before && beyond.any(|cell| !trimmed(cell).is_empty()) => {
                visit("", "", "", "")
            }
            None => Ok(()),
        }
    }
}

impl CellList {
    fn new(values: &[String], splits_at_commas: bool) -> Self {
        let mut list = Self {
            values: values.iter().map(|value| folded(trimmed(value))).collect(),
            has_separators: false,
            splits_at_commas,
        };
        list.has_separators = values.iter().any(|value| value.contains(|letter| list.is_separator(letter)));
        list
    }

    fn is_separator(&self, letter: char) -> bool {
        SEPARATORS.contains(&letter) || (letter == ',' && self.splits_at_commas)
    }

    /// Where entries end.
    fn separators<'t>(&self, text: &'t str) -> impl Iterator<Item = usize> + use<'t, '_> {
        let all = text.match_indices(|letter| self.is_separator(letter)).map(|(at, _)| at);
        all.filter(|&at| !is_decimal_comma(text, at))
    }

    /// Hands on each entry of a cell: its value and its level, of which one may be empty.
    fn split(&self, cell: &str, mut each: impl FnMut(&str, &str) -> Result<(), Problem>) -> Result<(), Problem> {
        let mut rest = cell;
        loop {
            let end = self.entry_end(rest);
            let entry = trimmed(&rest[..end]);
            if !entry.is_empty() {
                let (value, level) = self.value_and_level(entry);
                each(value, level)?;
            }
            let mut behind = rest[end..].chars();
            if behind.next().is_none() {
                return Ok(());
            }
            rest = behind.as_str();
        }
    }

    /// Where the first entry ends: at a separator, unless that is a part of the value.
    fn entry_end(&self, text: &str) -> usize {
        let ends = || self.separators(text).chain([text.len()]);
        let first = ends().next().unwrap_or(text.len());
        if !self.has_separators {
            return first;
        }
        let is_one = |end: &usize| {
            let (value, level) = self.value_and_level(trimmed(&text[..*end]));
            self.is_known(value) && self.separators(level).next().is_none()
        };
        ends().take(MAX_PIECES).filter(is_one).last().unwrap_or(first)
    }

    fn is_known(&self, value: &str) -> bool {
        self.values.contains(&folded(value))
    }

    /// `German 4`, `German:4`, `German=4`, `German (4)`: the first that has a value of the attribute, else the first whose
    /// level is a number. The whole name of a value lacks its level, and a number its value.
    fn value_and_level<'e>(&self, entry: &'e str) -> (&'e str, &'e str) {
        if entry.len() > MAX_ENTRY_BYTES || self.is_known(entry) {
            return (entry, "");
        }
        let in_brackets = entry.strip_suffix(')').and_then(|entry| entry.rsplit_once('('));
        let parted = |by: fn(char) -> bool| {
            entry.rmatch_indices(by).map(|(at, by)| (&entry[..at], &entry[at + by.len()..])).collect::<Vec<_>>()
        };
        let marked = parted(|letter| matches!(letter, ':' | '='));
        let spaced = parted(char::is_whitespace);
        let all =
            in_brackets.into_iter().chain(marked).chain(spaced).map(|(value, level)| (trimmed(value), trimmed(level)));
        let all: Vec<_> = all.filter(|(value, _)| !value.is_empty()).collect();
        let likeliest = all.iter().find(|(value, _)| self.is_known(value));
        let likeliest = likeliest.or_else(|| all.iter().find(|(_, level)| is_number(level))).or(all.first());
        likeliest.copied().unwrap_or(if is_number(entry) { ("", entry) } else { (entry, "") })
    }
}

/// Whether a comma stands between two digits, as in `3,0`.
fn is_decimal_comma(text: &str, at: usize) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    bytes[at] == b',' && is_digit(at.checked_sub(1).and_then(|before| bytes.get(before))) && is_digit(bytes.get(at + 1))
}

/// Whether a text is a number or `-`, as a level is.
fn is_number(level: &str) -> bool {
    level == "-"
        || (level.starts_with(|first: char| first.is_ascii_digit())
            && level.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',')))
}

/// `-` and `0`: the user does not have it.
#[inline]
fn is_none(level: &str) -> bool {
    if let [only] = level.as_bytes() {
        return matches!(only, b'-' | b'0');
    }
    let Some((whole, fraction)) = level.split_once(['.', ',']) else { return false };
    whole == "0" && !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&str], splits_at_commas: bool) -> CellList {
        CellList::new(&values.iter().map(ToString::to_string).collect::<Vec<_>>(), splits_at_commas)
    }

    fn split(list: &CellList, cell: &str) -> Vec<String> {
        let mut entries = Vec::new();
        let mut each = |value: &str, level: &str| {
            entries.push(format!("{value}={level}"));
            Ok(())
        };
        list.split(cell, &mut each).unwrap();
        entries
    }

    #[test]
    fn an_entry_is_a_value_and_its_level_in_any_of_the_ways_that_people_write_them() {
        let plain = list(&["German", "Tier 2", "Sub: Level (1)"], true);
        for (entry, expected) in [
            ("German 4", "German=4"),
            ("german:4", "german=4"),
            ("German : 4", "German=4"),
            ("German=4", "German=4"),
            ("German (4)", "German=4"),
            ("German(4)", "German=4"),
            ("German\t4", "German=4"),
            ("German -", "German=-"),
            ("German: 0", "German=0"),
            ("German", "German="),
            ("German:", "German="),
            ("German four", "German=four"),
            ("German four five", "German=four five"),
            ("Tier 2", "Tier 2="),
            ("tier 2 3", "tier 2=3"),
            ("Tier 2 (3)", "Tier 2=3"),
            ("Sub: Level (1)", "Sub: Level (1)="),
            ("Sub: Level (1): 5", "Sub: Level (1)=5"),
            ("Klingon 3", "Klingon=3"),
            ("Old Klingon 3", "Old Klingon=3"),
            ("Klingon", "Klingon="),
            ("4", "=4"),
            ("-", "=-"),
            ("(4)", "(4)="),
        ] {
            assert_eq!(split(&plain, entry), [expected], "{entry}");
        }
    }

    #[test]
    fn entries_end_at_what_people_put_between_them() {
        let plain = list(&["German", "French"], false);
        assert_eq!(
            split(&plain, "German 4; French 2|German 1\nFrench 3\r\n"),
            ["German=4", "French=2", "German=1", "French=3"]
        );
        assert_eq!(split(&plain, " ; ;German 4;;"), ["German=4"]);
        assert_eq!(split(&plain, "German 4, French 2"), ["German=4, French 2"], "a comma separates cells here");
        assert_eq!(split(&list(&["German"], true), "German 4, French 2"), ["German=4", "French=2"]);
        let odd = list(&["Sales; EMEA", "Sales", "EMEA"], true);
        assert_eq!(split(&odd, "Sales; EMEA 4; Sales 2; EMEA 3"), ["Sales; EMEA=4", "Sales=2", "EMEA=3"]);
        assert_eq!(split(&odd, "Sales 2; EMEA"), ["Sales=2", "EMEA="]);
        assert_eq!(split(&odd, "Sales 2, EMEA 3"), ["Sales=2", "EMEA=3"]);
        assert_eq!(
            split(&list(&["German"], true), "German 3,0, French 2,German 1"),
            ["German=3,0", "French=2", "German=1"]
        );
    }

    #[test]
    fn a_cell_of_any_size_is_read_in_no_time() {
        let odd = list(&["Sales; EMEA"], true);
        assert_eq!(split(&odd, &"x; y; ".repeat(100_000)).len(), 200_000);
        assert_eq!(split(&odd, &"x ".repeat(500_000)).len(), 1);
    }

    #[test]
    fn a_dash_and_zeros_are_no_level() {
        for none in ["-", "0", "0.0", "0,00"] {
            assert!(is_none(none), "{none}");
        }
        for level in ["", "--", "0.", "0.5", "00", "10", "none", "."] {
            assert!(!is_none(level), "{level}");
        }
    }
}
