//! The header: which column is which.

use super::{trimmed, unescape_formula};
use crate::outcome::Problem;

/// A column that a kind of file knows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its plain name, which wins over an alias where both are there.
    pub name: &'static str,
    /// Other names for it, as [`normal`] has them.
    pub aliases: &'static [&'static str],
    /// Whether the file is refused without it.
    pub presence: Presence,
}

/// Whether a kind of file can be without a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It cannot.
    Required,
    /// It can, if it has another one of these.
    OneOf,
    /// It can.
    Optional,
}

/// The columns of a kind of file.
pub type Schema = &'static [Column];

/// The columns that the report adds, and that are dropped on reading.
const OURS: &str = "import_";
/// A sentence names so many of the columns that were found, and so many letters of each.
const MAX_NAMED: usize = 12;
const MAX_NAME_LETTERS: usize = 40;

/// A name without regard to case, spaces, `_` and `-`, and to what a report puts in front of a formula.
fn normal(name: &str) -> String {
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
    /// All cells, as they were.
    pub cells: Vec<String>,
    /// Where each column of the schema is, in the schema's order.
    columns: Vec<Option<usize>>,
    /// Which cells go to the report: all but the report's own.
    pub carried: Vec<usize>,
    /// Which of the schemas it fits, by its index.
    pub schema: usize,
}

impl Header {
    /// Finds a schema's columns among the cells. Where none fits, the objection is that of the schema of which there are the
    /// most; where several fit, which is meant cannot be told.
    pub(super) fn understand(schemas: &[Schema], delimiter: u8, cells: &[String]) -> Result<Self, Problem> {
        let is_ours = |cell: &str| trimmed(cell).to_lowercase().starts_with(OURS);
        let names: Vec<_> = cells.iter().map(|cell| if is_ours(cell) { String::new() } else { normal(cell) }).collect();
        let mut fitting = Vec::new();
        let mut objections = Vec::new();
        for (nth, schema) in schemas.iter().enumerate() {
            let found: Vec<Vec<usize>> = schema.iter().map(|column| column.find(&names)).collect();
            match check(schema, &found, cells) {
                Ok(()) => fitting.push((nth, found)),
                Err(refusal) => objections.push((found.iter().filter(|found| !found.is_empty()).count(), refusal)),
            }
        }
        if let [(one, _), (other, _), ..] = fitting[..] {
            return Err(ambiguous(schemas[one], schemas[other]));
        }
        let Some((schema, found)) = fitting.pop() else {
            // Of equals, `max_by_key` takes the last.
            let likeliest = objections.into_iter().rev().max_by_key(|(n_found, _)| *n_found);
            return Err(likeliest.expect("there is a schema").1);
        };
        Ok(Self {
            delimiter,
            cells: cells.to_vec(),
            columns: found.iter().map(|found| found.first().copied()).collect(),
            carried: (0..cells.len()).filter(|&index| !is_ours(&cells[index])).collect(),
            schema,
        })
    }

    /// How many columns have a name, those between them included: a row must have so many cells.
    pub fn n_named(&self) -> usize {
        self.cells.iter().rposition(|name| !trimmed(name).is_empty()).map_or(0, |last| last + 1)
    }

    /// Where a column of the schema is, if the file has it.
    pub fn index_of(&self, column: usize) -> Option<usize> {
        self.columns[column]
    }

    /// The name of the column at an index as a sentence has it: in quotes, and not longer than a sentence bears.
    pub fn shown(&self, index: usize) -> Option<String> {
        self.cells.get(index).filter(|name| !trimmed(name).is_empty()).map(|name| shown(name))
    }

    /// How many columns of the schema were found.
    pub(super) fn n_found(&self) -> usize {
        self.columns.iter().flatten().count()
    }
}

impl Column {
    /// Where a column is among these names: by its plain name, else by another.
    fn find(&self, names: &[String]) -> Vec<usize> {
        let among = |wanted: &[&str]| -> Vec<usize> {
            (0..names.len()).filter(|&index| wanted.contains(&names[index].as_str())).collect()
        };
        let plain = among(&[&normal(self.name)]);
        if plain.is_empty() { among(self.aliases) } else { plain }
    }
}

fn ambiguous(one: Schema, other: Schema) -> Problem {
    let only = |schema: Schema, other: Schema| {
        let is_own = |column: &&Column| other.iter().all(|of_other| of_other.name != column.name);
        let names: Vec<_> = schema.iter().filter(is_own).take(3).map(|column| format!("`{}`", column.name)).collect();
        names.join(", ")
    };
    let message = format!(
        "The file is of two kinds: it has the columns of one ({}, ...) and of the other ({}, ...). Make two files of it.",
        only(one, other),
        only(other, one)
    );
    Problem::new("ambiguous_kind", message)
}

/// Whether the columns that a file cannot be without are there, and none is there twice.
fn check(schema: Schema, found: &[Vec<usize>], cells: &[String]) -> Result<(), Problem> {
    for (column, found) in schema.iter().zip(found) {
        if let [first, second, ..] = found[..] {
            let message = format!(
                "The column `{}` is there twice: as {} and as {}. Take one of them away.",
                column.name,
                shown(&cells[first]),
                shown(&cells[second])
            );
            return Err(Problem::new("duplicate_column", message));
        }
    }
    let missing = |what: &str| {
        let message = format!("{what} The first row must name the columns; found were: {}.", all_shown(cells));
        Err(Problem::new("missing_column", message))
    };
    let are_missing = schema.iter().zip(found).filter(|(_, found)| found.is_empty()).map(|(column, _)| column);
    if let Some(column) = are_missing.clone().find(|column| column.presence == Presence::Required) {
        return missing(&format!("There is no column `{}`.", column.name));
    }
    let one_of = |column: &&Column| column.presence == Presence::OneOf;
    let n_one_of = schema.iter().filter(one_of).count();
    let names: Vec<_> = are_missing.filter(one_of).map(|column| format!("`{}`", column.name)).collect();
    if n_one_of > 0 && names.len() == n_one_of {
        return missing(&format!("There is none of the columns {}.", names.join(", ")));
    }
    Ok(())
}

/// A name in a sentence.
fn shown(name: &str) -> String {
    let name = trimmed(name);
    let kept = name.chars().take(MAX_NAME_LETTERS).map(|letter| if letter.is_control() { ' ' } else { letter });
    let more = if name.chars().nth(MAX_NAME_LETTERS).is_some() { "..." } else { "" };
    format!("\"{}{more}\"", kept.collect::<String>())
}

fn all_shown(names: &[String]) -> String {
    let first = names.iter().take(MAX_NAMED).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => first,
        n_more => format!("{first} and {n_more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: Schema = &[
        Column { name: "user", aliases: &["username", "agent"], presence: Presence::Required },
        Column { name: "level", aliases: &["proficiencylevel"], presence: Presence::Required },
        Column { name: "action", aliases: &[], presence: Presence::Optional },
    ];

    const OTHER: Schema = &[
        Column { name: "user", aliases: &["username", "agent"], presence: Presence::Required },
        Column { name: "channel", aliases: &[], presence: Presence::Required },
        Column { name: "phone_type", aliases: &[], presence: Presence::OneOf },
        Column { name: "phone_number", aliases: &[], presence: Presence::OneOf },
    ];

    fn understand(cells: &[&str]) -> Result<Vec<Option<usize>>, String> {
        let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
        Header::understand(&[SCHEMA, OTHER], b',', &cells)
            .map(|header| header.columns)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_match_without_regard_to_case_spaces_and_dashes() {
        assert_eq!(understand(&["Team", " User_Name ", "Proficiency-Level"]), Ok(vec![Some(1), Some(2), None]));
        assert_eq!(understand(&["-User", "\tLevel"]), Ok(vec![Some(0), Some(1), None]));
        assert_eq!(understand(&["'-User", "'\tLevel"]), Ok(vec![Some(0), Some(1), None]), "as a report has them");
    }

    #[test]
    fn a_plain_name_wins_over_an_alias() {
        assert_eq!(understand(&["agent", "user", "level"]), Ok(vec![Some(1), Some(2), None]));
    }

    #[test]
    fn a_missing_column_and_one_there_twice_are_named() {
        assert_eq!(
            understand(&["user", "stufe"]).unwrap_err(),
            "There is no column `level`. The first row must name the columns; found were: \"user\", \"stufe\"."
        );
        assert_eq!(
            understand(&["Agent", "username", "level"]).unwrap_err(),
            "The column `user` is there twice: as \"Agent\" and as \"username\". Take one of them away."
        );
    }

    #[test]
    fn the_columns_tell_the_schema() {
        let schema = |cells: &[&str]| {
            let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
            Header::understand(&[SCHEMA, OTHER], b',', &cells)
                .map(|header| header.schema)
                .map_err(|error| error.message)
        };
        assert_eq!(schema(&["user", "level"]), Ok(0));
        assert_eq!(schema(&["user", "level", "channel"]), Ok(0));
        assert_eq!(schema(&["channel", "Phone Number", "agent"]), Ok(1));
        let both = schema(&["user", "channel", "phone_type", "level"]).unwrap_err();
        assert_eq!(
            both,
            "The file is of two kinds: it has the columns of one (`level`, `action`, ...) and of the other (`channel`, \
             `phone_type`, `phone_number`, ...). Make two files of it."
        );
        assert!(schema(&["user", "colour"]).unwrap_err().starts_with("There is no column `level`."));
        let none = schema(&["user", "channel", "colour"]).unwrap_err();
        assert!(none.starts_with("There is none of the columns `phone_type`, `phone_number`."), "{none}");
    }

    #[test]
    fn a_sentence_stays_short_whatever_was_found() {
        let names: Vec<_> = (0..1000).map(|n| format!("{n}\n{}", "x".repeat(n))).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let sentence = understand(&names).unwrap_err();
        assert!(sentence.len() < 800 && sentence.ends_with("and 988 more."), "{sentence}");
        assert!(!sentence.contains('\n'));
        let cells = ["user", "level", &"x".repeat(10_000), " "].map(str::to_owned).to_vec();
        let header = Header::understand(&[SCHEMA], b',', &cells).unwrap();
        assert_eq!(header.shown(2).map(|name| name.len()), Some(MAX_NAME_LETTERS + 5));
        assert_eq!((header.shown(3), header.shown(4)), (None, None));
    }

    #[test]
    fn the_reports_own_columns_are_dropped() {
        let cells = ["user", "import_level", "level", "Import_Status"].map(str::to_owned).to_vec();
        let header = Header::understand(&[SCHEMA, OTHER], b',', &cells).unwrap();
        assert_eq!((header.index_of(1), header.carried), (Some(2), vec![0, 2]));
    }
}
