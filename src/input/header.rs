//! The header: which column is which.

use super::cell::{trimmed, unescape_formula};
use crate::outcome::Problem;

/// A column that a kind of file knows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its plain name, which wins over an alias where both are there.
    pub name: &'static str,
    /// Other names for it, in the form of [`normal`].
    pub aliases: &'static [&'static str],
    /// Words that people write for it, and that are not its names: such a column rejects the file.
    pub mistaken: &'static [&'static str],
    /// Whether the file is refused without it.
    pub presence: Presence,
}

impl Column {
    /// A column that has no name but its plain one.
    pub const fn new(name: &'static str, presence: Presence) -> Self {
        Self { name, aliases: &[], mistaken: &[], presence }
    }
}

/// Whether a kind of file needs a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Always, and in each kind: whose the row is. A file that has it, and no column that tells the kind, is a sheet.
    Key,
    /// Always. It tells the kind.
    Required,
    /// Unless the file has the column of this name.
    RequiredWithout(&'static str),
    /// Unless the file has another one of these. It tells the kind.
    OneOf,
    /// Never.
    Optional,
}

/// The columns of a kind of file.
pub type Schema = &'static [Column];

/// How the names of the columns begin that the report adds. Reading drops these columns.
const OURS: &str = "import_";

/// Whether a column of this name is one that the report adds.
pub(super) fn is_ours(name: &str) -> bool {
    trimmed(name).to_lowercase().starts_with(OURS)
}

/// The columns of a sheet's long form, by the names that its schema has for them.
pub(super) const LONG_FORM: [&str; 5] = ["user", "attribute", "value", "level", "action"];
/// How many of the columns that were found a sentence names.
const MAX_NAMED: usize = 12;
/// How many letters of a name a sentence shows.
pub(super) const MAX_NAME_LETTERS: usize = 40;
/// Below this many letters, a name that is one letter off is another word.
const MIN_NEAR_LETTERS: usize = 4;

/// A name without case, spaces, `_` and `-`, and without the `'` that a report puts in front of a formula.
pub fn normal(name: &str) -> String {
    let kept = trimmed(unescape_formula(trimmed(name)))
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-') && !letter.is_whitespace());
    kept.flat_map(char::to_lowercase).collect()
}

/// A header that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What separates the cells.
    pub delimiter: u8,
    /// All cells, as the file has them.
    pub cells: Vec<String>,
    /// The index of each column of the schema, in the schema's order.
    pub(super) columns: Vec<Option<usize>>,
    /// The indices of the cells that go to the report: all but those of the report's own columns.
    pub carried: Vec<usize>,
    /// The index of the schema that it fits.
    pub schema: usize,
    /// Where the records are the entries of a sheet: what the sheet is like.
    pub(super) sheet: Option<SheetColumns>,
}

/// What the header of a long form still has of its sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SheetColumns {
    /// The sheet's own names of the columns that mean something.
    pub(super) used: Vec<String>,
    /// The index of the last column with a name, and one more.
    pub(super) n_named: usize,
    /// Whether a row must have a cell for each of them.
    pub(super) needs_whole_rows: bool,
}

impl Header {
    /// The header of the long form of a sheet: the columns of a schema that it has, and those that are carried through.
    pub(super) fn of_sheet(delimiter: u8, schema: (usize, Schema), carried: Vec<String>, sheet: SheetColumns) -> Self {
        let (nth, schema) = schema;
        let names: Vec<String> = LONG_FORM.iter().map(|&name| name.to_owned()).chain(carried).collect();
        let place = |column: &Column| LONG_FORM.iter().position(|name| *name == column.name);
        Self {
            delimiter,
            columns: schema.iter().map(place).collect(),
            carried: (0..names.len()).collect(),
            cells: names,
            schema: nth,
            sheet: Some(sheet),
        }
    }

    /// Whether the records are the entries of a sheet.
    pub fn is_of_sheet(&self) -> bool {
        self.sheet.is_some()
    }

    /// Whether a row must have a cell for each column that has a name.
    pub fn needs_whole_rows(&self) -> bool {
        self.sheet.as_ref().is_some_and(|sheet| sheet.needs_whole_rows)
    }

    /// The index of the last column of the file with a name, and one more.
    pub fn n_named(&self) -> usize {
        self.sheet.as_ref().map_or_else(|| n_named(&self.cells), |sheet| sheet.n_named)
    }

    /// The index of a column of the schema, if the file has the column.
    pub fn index_of(&self, column: usize) -> Option<usize> {
        self.columns[column]
    }

    /// The indices of the schema's columns that the file has, in the schema's order.
    pub fn used_indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().flatten().copied()
    }

    /// The names of the columns that mean something, as the file has them and in its order.
    pub fn used(&self) -> Vec<&str> {
        match &self.sheet {
            Some(sheet) => sheet.used.iter().map(String::as_str).collect(),
            None => self.names(|index| self.columns.contains(&Some(index))),
        }
    }

    /// The names of the columns that are only carried through to the report, as the file has them and in its order.
    pub fn carried_names(&self) -> Vec<&str> {
        self.names(|index| !self.columns.contains(&Some(index)))
    }

    fn names(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<&str> {
        let wanted = self.carried.iter().filter(|&&index| is_wanted(index)).map(|&index| self.cells[index].as_str());
        wanted.filter(|name| !trimmed(name).is_empty()).collect()
    }

    /// The name of the column at an index in quotes, cut to a length that a sentence bears.
    pub fn shown(&self, index: usize) -> Option<String> {
        self.cells.get(index).filter(|name| !trimmed(name).is_empty()).map(|name| shown(name))
    }
}

/// The index of the last column with a name, and one more.
pub(super) fn n_named(cells: &[String]) -> usize {
    cells.iter().rposition(|name| !trimmed(name).is_empty()).map_or(0, |last| last + 1)
}

/// Whether a row names the column that says whose a row is.
pub(super) fn has_key(schemas: &[Schema], cells: &[String]) -> bool {
    let names: Vec<_> = cells.iter().map(|cell| normal(cell)).collect();
    let mut keys = schemas.iter().flat_map(|schema| schema.iter()).filter(|column| column.presence == Presence::Key);
    keys.any(|key| !key.find(&names).is_empty())
}

impl Column {
    /// Whether a file that has it is of the column's kind.
    pub(super) fn tells_kind(&self) -> bool {
        matches!(self.presence, Presence::Required | Presence::OneOf)
    }

    /// A column is not there twice.
    pub(super) fn check_once(&self, found: &[usize], cells: &[String]) -> Result<(), Problem> {
        let [first, second, ..] = found[..] else { return Ok(()) };
        let message = format!(
            "The column `{}` is there twice: as {} and as {}. Take one of them away.",
            self.name,
            shown(&cells[first]),
            shown(&cells[second])
        );
        Err(Problem::new("duplicate_column", message))
    }

    /// What is said of a cell that is nearly this column's name.
    pub(super) fn mistyped(&self, cell: &str) -> Problem {
        let message = format!(
            "The file has no column `{0}`, but one named {1}. If {1} is meant for `{0}`, name it so; if not, give it a name \
             that is less like it, or take it out.",
            self.name,
            shown(cell)
        );
        Problem::new("unknown_column", message)
    }

    /// The indices of a column among these names: by its plain name, else by another.
    pub(super) fn find(&self, names: &[String]) -> Vec<usize> {
        let among = |wanted: &[&str]| -> Vec<usize> {
            (0..names.len()).filter(|&index| wanted.contains(&names[index].as_str())).collect()
        };
        let plain = among(&[&normal(self.name)]);
        if plain.is_empty() { among(self.aliases) } else { plain }
    }

    /// Whether another name is plainly meant for this column.
    pub(super) fn is_near(&self, name: &str) -> bool {
        let is_one_letter_off = |own: &str| {
            own.chars().count().min(name.chars().count()) >= MIN_NEAR_LETTERS && strsim::osa_distance(own, name) == 1
        };
        self.mistaken.contains(&name)
            || is_one_letter_off(&normal(self.name))
            || self.aliases.iter().any(|alias| is_one_letter_off(alias))
    }
}

/// A name in a sentence.
pub(super) fn shown(name: &str) -> String {
    let name = trimmed(name);
    let kept = name.chars().take(MAX_NAME_LETTERS).map(|letter| if letter.is_control() { ' ' } else { letter });
    let more = if name.chars().nth(MAX_NAME_LETTERS).is_some() { "..." } else { "" };
    format!("\"{}{more}\"", kept.collect::<String>())
}

pub(super) fn all_shown(names: &[String]) -> String {
    let first = names.iter().take(MAX_NAMED).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => first,
        n_more => format!("{first} and {n_more} more"),
    }
}
