//! The header: which column is which.

use super::{Refusal, trimmed, unguarded};

/// A column that a kind of file knows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its plain name, which wins over an alias where both are there.
    pub name: &'static str,
    /// Other names for it, as [`normal`] has them.
    pub aliases: &'static [&'static str],
    /// Whether the file is refused without it.
    pub is_required: bool,
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
    let kept = trimmed(unguarded(trimmed(name)))
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
    places: Vec<Option<usize>>,
    /// Which cells go to the report: all but the report's own.
    pub carried: Vec<usize>,
}

impl Header {
    /// Finds the schema's columns among the cells.
    pub(super) fn understand(schema: Schema, delimiter: u8, cells: Vec<String>) -> Result<Self, Refusal> {
        let is_ours = |cell: &str| trimmed(cell).to_lowercase().starts_with(OURS);
        let names: Vec<_> = cells.iter().map(|cell| if is_ours(cell) { String::new() } else { normal(cell) }).collect();
        let mut places = Vec::with_capacity(schema.len());
        for column in schema {
            let among = |wanted: &[&str]| -> Vec<usize> {
                (0..names.len()).filter(|&place| wanted.contains(&names[place].as_str())).collect()
            };
            let plain = among(&[&normal(column.name)]);
            let found = if plain.is_empty() { among(column.aliases) } else { plain };
            if let [first, second, ..] = found[..] {
                let message = format!(
                    "The column `{}` is there twice: as {} and as {}. Take one of them away.",
                    column.name,
                    shown(&cells[first]),
                    shown(&cells[second])
                );
                return Err(Refusal::new("duplicate_column", message));
            }
            if found.is_empty() && column.is_required {
                let message = format!(
                    "There is no column `{}`. The first row must name the columns; found were: {}.",
                    column.name,
                    all_shown(&cells)
                );
                return Err(Refusal::new("missing_column", message));
            }
            places.push(found.first().copied());
        }
        let carried = (0..cells.len()).filter(|&place| !is_ours(&cells[place])).collect();
        Ok(Self { delimiter, cells, places, carried })
    }

    /// Where a column of the schema is, if the file has it.
    pub fn place(&self, column: usize) -> Option<usize> {
        self.places[column]
    }

    /// The name of the column at a place as a sentence has it: in quotes, and not longer than a sentence bears.
    pub fn shown(&self, place: usize) -> Option<String> {
        self.cells.get(place).filter(|name| !trimmed(name).is_empty()).map(|name| shown(name))
    }

    /// How many columns of the schema were found.
    pub(super) fn n_found(&self) -> usize {
        self.places.iter().flatten().count()
    }
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
        Column { name: "user", aliases: &["username", "agent"], is_required: true },
        Column { name: "level", aliases: &["proficiencylevel"], is_required: true },
        Column { name: "action", aliases: &[], is_required: false },
    ];

    fn understand(cells: &[&str]) -> Result<Vec<Option<usize>>, String> {
        let cells = cells.iter().map(|&cell| cell.to_owned()).collect();
        Header::understand(SCHEMA, b',', cells).map(|header| header.places).map_err(|error| error.to_string())
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
    fn a_sentence_stays_short_whatever_was_found() {
        let names: Vec<_> = (0..1000).map(|n| format!("{n}\n{}", "x".repeat(n))).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let sentence = understand(&names).unwrap_err();
        assert!(sentence.len() < 800 && sentence.ends_with("and 988 more."), "{sentence}");
        assert!(!sentence.contains('\n'));
        let cells = ["user", "level", &"x".repeat(10_000), " "].map(str::to_owned).to_vec();
        let header = Header::understand(SCHEMA, b',', cells).unwrap();
        assert_eq!(header.shown(2).map(|name| name.len()), Some(MAX_NAME_LETTERS + 5));
        assert_eq!((header.shown(3), header.shown(4)), (None, None));
    }

    #[test]
    fn the_reports_own_columns_are_dropped() {
        let cells = ["user", "import_level", "level", "Import_Status"].map(str::to_owned).to_vec();
        let header = Header::understand(SCHEMA, b',', cells).unwrap();
        assert_eq!((header.place(1), header.carried), (Some(2), vec![0, 2]));
    }
}
