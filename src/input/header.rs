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
    /// Always.
    Required,
    /// Unless the file has the column of this name.
    RequiredWithout(&'static str),
    /// Unless the file has another one of these.
    OneOf,
    /// Never.
    Optional,
}

/// The columns of a kind of file.
pub type Schema = &'static [Column];

/// How the names of the columns begin that the report adds. Reading drops these columns.
const OURS: &str = "import_";
/// How many of the columns that were found a sentence names.
const MAX_NAMED: usize = 12;
/// How many letters of a name a sentence shows.
const MAX_NAME_LETTERS: usize = 40;
/// Below this many letters, a name that is one letter off is another word.
const MIN_NEAR_LETTERS: usize = 4;

/// A name without case, spaces, `_` and `-`, and without the `'` that a report puts in front of a formula.
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
    /// All cells, as the file has them.
    pub cells: Vec<String>,
    /// The index of each column of the schema, in the schema's order.
    columns: Vec<Option<usize>>,
    /// The indices of the cells that go to the report: all but those of the report's own columns.
    pub carried: Vec<usize>,
    /// The index of the schema that it fits.
    pub schema: usize,
}

impl Header {
    /// Finds a schema's columns among the cells. Where no schema fits, the objection is that of the schema with the most
    /// columns found; where several fit, nobody can tell which one is meant.
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
        check_mistyped(schemas[schema], &found, &names, cells)?;
        Ok(Self {
            delimiter,
            cells: cells.to_vec(),
            columns: found.iter().map(|found| found.first().copied()).collect(),
            carried: (0..cells.len()).filter(|&index| !is_ours(&cells[index])).collect(),
            schema,
        })
    }

    /// The index of the last column with a name, and one more.
    pub fn n_named(&self) -> usize {
        self.cells.iter().rposition(|name| !trimmed(name).is_empty()).map_or(0, |last| last + 1)
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
        self.names(|index| self.columns.contains(&Some(index)))
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

    /// How many columns of the schema were found.
    pub(super) fn n_found(&self) -> usize {
        self.columns.iter().flatten().count()
    }
}

impl Column {
    /// The indices of a column among these names: by its plain name, else by another.
    fn find(&self, names: &[String]) -> Vec<usize> {
        let among = |wanted: &[&str]| -> Vec<usize> {
            (0..names.len()).filter(|&index| wanted.contains(&names[index].as_str())).collect()
        };
        let plain = among(&[&normal(self.name)]);
        if plain.is_empty() { among(self.aliases) } else { plain }
    }

    /// Whether another name is plainly meant for this column.
    fn is_near(&self, name: &str) -> bool {
        let is_one_letter_off = |own: &str| {
            own.chars().count().min(name.chars().count()) >= MIN_NEAR_LETTERS && strsim::osa_distance(own, name) == 1
        };
        self.mistaken.contains(&name)
            || is_one_letter_off(&normal(self.name))
            || self.aliases.iter().any(|alias| is_one_letter_off(alias))
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

/// Whether the columns that the schema needs are there, and none is there twice.
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
    let is_there =
        |name: &str| schema.iter().zip(found).any(|(column, found)| column.name == name && !found.is_empty());
    let are_missing = schema.iter().zip(found).filter(|(_, found)| found.is_empty()).map(|(column, _)| column);
    let is_needed = |column: &&Column| match column.presence {
        Presence::Required => true,
        Presence::RequiredWithout(other) => !is_there(other),
        Presence::OneOf | Presence::Optional => false,
    };
    if let Some(column) = are_missing.clone().find(is_needed) {
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

/// No other column has nearly the name of a column that the file lacks: a mistyped `action` must not turn removals into
/// additions.
fn check_mistyped(schema: Schema, found: &[Vec<usize>], names: &[String], cells: &[String]) -> Result<(), Problem> {
    let lacking = || schema.iter().zip(found).filter(|(_, found)| found.is_empty()).map(|(column, _)| column);
    let is_used = |index: &usize| found.iter().any(|found| found.contains(index));
    let mut unused = (0..names.len()).filter(|index| !is_used(index));
    let near = unused.find_map(|index| Some((index, lacking().find(|column| column.is_near(&names[index]))?)));
    let Some((index, column)) = near else { return Ok(()) };
    let message = format!(
        "The file has no column `{0}`, but one named {1}. If {1} is meant for `{0}`, name it so; if not, give it a name \
         that is less like it, or take it out.",
        column.name,
        shown(&cells[index])
    );
    Err(Problem::new("unknown_column", message))
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

    const USER: Column = Column { aliases: &["username", "agent"], ..Column::new("user", Presence::Required) };

    const SCHEMA: Schema = &[
        USER,
        Column { aliases: &["proficiencylevel"], ..Column::new("level", Presence::RequiredWithout("action")) },
        Column { mistaken: &["operation", "remove"], ..Column::new("action", Presence::Optional) },
    ];

    const OTHER: Schema = &[
        USER,
        Column::new("channel", Presence::Required),
        Column::new("phone_type", Presence::OneOf),
        Column::new("phone_number", Presence::OneOf),
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
    fn a_column_may_be_missing_where_another_stands_for_it() {
        assert_eq!(understand(&["user", "action"]), Ok(vec![Some(0), None, Some(1)]));
        assert_eq!(understand(&["user", "Level", "action"]), Ok(vec![Some(0), Some(1), Some(2)]));
        assert!(understand(&["user", "note"]).unwrap_err().starts_with("There is no column `level`."));
    }

    fn code(cells: &[&str]) -> Result<(), String> {
        let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
        Header::understand(&[SCHEMA, OTHER], b',', &cells).map(|_| ()).map_err(|error| error.code.into_owned())
    }

    #[test]
    fn a_column_that_is_nearly_named_as_one_of_the_kind_rejects_the_file() {
        let rejected = Err("unknown_column".to_owned());
        for name in
            ["acton", "actions", "actiom", "atcion", "A C-T_I O N S", "Action'", "'=action", "Operation", " remove "]
        {
            assert_eq!(code(&["user", "level", name]), rejected, "{name}");
            assert_eq!(code(&[name, "level", "note", "agent"]), rejected, "{name}");
            assert_eq!(code(&["user", "level", "action", name]), Ok(()), "{name}: what is meant stands there");
        }
        for name in ["level s", "lvel", "proficiency levl"] {
            assert_eq!(code(&["user", "action", name]), rejected, "{name}");
        }
        for name in ["phone_typ", "phonetypes", "Phone Tpye", "phone-number2"] {
            assert_eq!(code(&["user", "channel", "phone_type", "phone_number", name]), Ok(()), "{name}");
            let other = if name.contains('2') { "phone_type" } else { "phone_number" };
            assert_eq!(code(&["user", "channel", other, name]), rejected, "{name}");
        }
    }

    #[test]
    fn a_column_of_another_name_is_carried_through() {
        for name in [
            "Actions taken",
            "Value date",
            "Levels",
            "Reaction",
            "act",
            "channel",
            "import_acton",
            "phone",
            "removed on",
            "",
            "username",
        ] {
            assert_eq!(code(&["user", "level", name]), Ok(()), "{name}");
        }
        assert_eq!(
            code(&["user", "channel", "phone_type", "acton", "remove"]),
            Ok(()),
            "the other kind's names are none"
        );
        // A required column is missing, even if a near name stands there.
        assert_eq!(code(&["user", "levl"]), Err("missing_column".to_owned()));
        assert_eq!(code(&["usr", "level", "acton"]), Err("missing_column".to_owned()));
    }

    #[test]
    fn the_sentence_says_both_names() {
        assert_eq!(
            understand(&["user", "level", " Acton"]).unwrap_err(),
            "The file has no column `action`, but one named \"Acton\". If \"Acton\" is meant for `action`, name it so; if \
             not, give it a name that is less like it, or take it out."
        );
    }

    #[test]
    fn the_columns_that_mean_something_and_those_that_do_not_are_told_apart() {
        let cells = [" Team", "Level ", "agent", "", "import_line", "user", "Team"].map(str::to_owned).to_vec();
        let header = Header::understand(&[SCHEMA, OTHER], b',', &cells).unwrap();
        assert_eq!((header.used(), header.carried_names()), (vec!["Level ", "user"], vec![" Team", "agent", "Team"]));
        assert_eq!(header.used_indices().collect::<Vec<_>>(), [5, 1]);
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
