//! The first row of a file: which columns it names, and what kind and form of file that makes.

use super::header::{Column, Header, Presence, Schema, all_shown, is_ours, normal};
use super::sheet::SheetHeader;
use crate::outcome::Problem;

/// What a first row was understood as.
#[derive(Clone, Debug)]
pub(super) enum Understood {
    /// The header of a file with a row for each thing that is to be done.
    Rows(Header),
    /// The header of a sheet.
    Sheet(SheetHeader),
}

impl Understood {
    /// How many columns of the schema were found.
    pub(super) fn n_found(&self) -> usize {
        match self {
            Self::Rows(header) => header.columns.iter().flatten().count(),
            Self::Sheet(_) => 1,
        }
    }
}

/// Finds a schema's columns among the cells. Where no schema fits, the objection is that of the schema with the most
/// columns found; where several fit, nobody can tell which one is meant. What has a key and no column that tells the
/// kind is a sheet.
pub(super) fn understand(schemas: &[Schema], delimiter: u8, cells: &[String]) -> Result<Understood, Problem> {
    let names: Vec<_> = cells.iter().map(|cell| if is_ours(cell) { String::new() } else { normal(cell) }).collect();
    let all_found: Vec<Vec<Vec<usize>>> =
        schemas.iter().map(|schema| schema.iter().map(|column| column.find(&names)).collect()).collect();
    let is_told = |nth: usize| {
        let mut columns = schemas[nth].iter().zip(&all_found[nth]);
        columns.any(|(column, found)| column.tells_kind() && !found.is_empty())
    };
    let told: Vec<usize> = (0..schemas.len()).filter(|&nth| is_told(nth)).collect();
    if told.is_empty()
        && let Some(sheet) = SheetHeader::understand(schemas, delimiter, cells, &names)
    {
        return sheet.map(Understood::Sheet);
    }
    let mut fitting = Vec::new();
    let mut objections = Vec::new();
    for (nth, schema) in schemas.iter().enumerate() {
        // Where columns tell the kind, it is of no other one.
        if !told.is_empty() && !told.contains(&nth) && schema.iter().any(Column::tells_kind) {
            continue;
        }
        let found = all_found[nth].clone();
        match check(schema, &found, &names, cells) {
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
    Ok(Understood::Rows(Header {
        delimiter,
        cells: cells.to_vec(),
        columns: found.iter().map(|found| found.first().copied()).collect(),
        carried: (0..cells.len()).filter(|&index| !is_ours(&cells[index])).collect(),
        schema,
        sheet: None,
    }))
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
fn check(schema: Schema, found: &[Vec<usize>], names: &[String], cells: &[String]) -> Result<(), Problem> {
    for (column, found) in schema.iter().zip(found) {
        column.check_once(found, cells)?;
    }
    let missing = |what: &str| {
        // One that is there under nearly its name is named before all others.
        check_mistyped(schema, found, names, cells)?;
        let message = format!("{what} The first row must name the columns; found were: {}.", all_shown(cells));
        Err(Problem::new("missing_column", message))
    };
    let is_there =
        |name: &str| schema.iter().zip(found).any(|(column, found)| column.name == name && !found.is_empty());
    let are_missing = schema.iter().zip(found).filter(|(_, found)| found.is_empty()).map(|(column, _)| column);
    let is_needed = |column: &&Column| match column.presence {
        Presence::Key | Presence::Required => true,
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
    near.map_or(Ok(()), |(index, column)| Err(column.mistyped(&cells[index])))
}

#[cfg(test)]
mod tests {
    use super::super::header::MAX_NAME_LETTERS;
    use super::*;

    const USER: Column = Column { aliases: &["username", "agent"], ..Column::new("user", Presence::Key) };

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

    fn header(schemas: &[Schema], cells: &[String]) -> Result<Header, Problem> {
        match understand(schemas, b',', cells)? {
            Understood::Rows(header) => Ok(header),
            Understood::Sheet(_) => panic!("these schemas have no sheets"),
        }
    }

    fn columns(cells: &[&str]) -> Result<Vec<Option<usize>>, String> {
        let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
        header(&[SCHEMA, OTHER], &cells).map(|header| header.columns).map_err(|error| error.to_string())
    }

    #[test]
    fn names_match_without_regard_to_case_spaces_and_dashes() {
        assert_eq!(columns(&["Team", " User_Name ", "Proficiency-Level"]), Ok(vec![Some(1), Some(2), None]));
        assert_eq!(columns(&["-User", "\tLevel"]), Ok(vec![Some(0), Some(1), None]));
        assert_eq!(columns(&["'-User", "'\tLevel"]), Ok(vec![Some(0), Some(1), None]), "as a report has them");
    }

    #[test]
    fn a_plain_name_wins_over_an_alias() {
        assert_eq!(columns(&["agent", "user", "level"]), Ok(vec![Some(1), Some(2), None]));
    }

    #[test]
    fn a_missing_column_and_one_there_twice_are_named() {
        assert_eq!(
            columns(&["user", "stufe"]).unwrap_err(),
            "There is no column `level`. The first row must name the columns; found were: \"user\", \"stufe\"."
        );
        assert_eq!(
            columns(&["Agent", "username", "level"]).unwrap_err(),
            "The column `user` is there twice: as \"Agent\" and as \"username\". Take one of them away."
        );
    }

    #[test]
    fn a_column_may_be_missing_where_another_stands_for_it() {
        assert_eq!(columns(&["user", "action"]), Ok(vec![Some(0), None, Some(1)]));
        assert_eq!(columns(&["user", "Level", "action"]), Ok(vec![Some(0), Some(1), Some(2)]));
        assert!(columns(&["user", "note"]).unwrap_err().starts_with("There is no column `level`."));
    }

    fn code(cells: &[&str]) -> Result<(), String> {
        let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
        header(&[SCHEMA, OTHER], &cells).map(|_| ()).map_err(|error| error.code.into_owned())
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
        // A required column is missing, and a near name stands there.
        let rejected = Err("unknown_column".to_owned());
        assert_eq!(code(&["user", "levl"]), rejected);
        assert_eq!(code(&["users", "level"]), rejected);
        assert_eq!(code(&["someone", "level"]), Err("missing_column".to_owned()));
    }

    #[test]
    fn the_sentence_says_both_names() {
        assert_eq!(
            columns(&["user", "level", " Acton"]).unwrap_err(),
            "The file has no column `action`, but one named \"Acton\". If \"Acton\" is meant for `action`, name it so; if \
             not, give it a name that is less like it, or take it out."
        );
    }

    #[test]
    fn the_columns_that_mean_something_and_those_that_do_not_are_told_apart() {
        let cells = [" Team", "Level ", "agent", "", "import_line", "user", "Team"].map(str::to_owned).to_vec();
        let header = header(&[SCHEMA, OTHER], &cells).unwrap();
        assert_eq!((header.used(), header.carried_names()), (vec!["Level ", "user"], vec![" Team", "agent", "Team"]));
        assert_eq!(header.used_indices().collect::<Vec<_>>(), [5, 1]);
    }

    #[test]
    fn the_columns_tell_the_schema() {
        let schema = |cells: &[&str]| {
            let cells: Vec<_> = cells.iter().map(|&cell| cell.to_owned()).collect();
            header(&[SCHEMA, OTHER], &cells).map(|header| header.schema).map_err(|error| error.message)
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
        let sentence = columns(&names).unwrap_err();
        assert!(sentence.len() < 800 && sentence.ends_with("and 988 more."), "{sentence}");
        assert!(!sentence.contains('\n'));
        let cells = ["user", "level", &"x".repeat(10_000), " "].map(str::to_owned).to_vec();
        let header = header(&[SCHEMA], &cells).unwrap();
        assert_eq!(header.shown(2).map(|name| name.len()), Some(MAX_NAME_LETTERS + 5));
        assert_eq!((header.shown(3), header.shown(4)), (None, None));
    }

    #[test]
    fn the_reports_own_columns_are_dropped() {
        let cells = ["user", "import_level", "level", "Import_Status"].map(str::to_owned).to_vec();
        let header = header(&[SCHEMA, OTHER], &cells).unwrap();
        assert_eq!((header.index_of(1), header.carried), (Some(2), vec![0, 2]));
    }
}
