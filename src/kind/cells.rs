//! What the checks of a row have in common, whatever the kind of file.

use crate::input::{Column, Header, Presence, Record, has_control, trimmed, unescape_formula};
use crate::outcome::{Code, Problem};

/// Every kind's first column: whom the row is about.
pub(super) const USER_COLUMN: Column =
    Column { name: "user", aliases: &["username", "userid", "agent", "agentid", "login"], presence: Presence::Required };
/// Its place in every schema.
pub(super) const USER: usize = 0;
/// A user is an ARN at the longest.
pub(super) const MAX_USER_LETTERS: usize = 250;

/// The cell of a column of the schema, without what surrounds it; nothing where the file lacks the column.
pub(super) fn cell<'r>(header: &Header, record: &Record<'r>, column: usize) -> &'r str {
    let cell = header.index_of(column).and_then(|place| record.get(place)).unwrap_or_default();
    trimmed(unescape_formula(trimmed(cell)))
}

/// The user that a row names, also where the row is otherwise wrong; but not what is no name at all.
pub(super) fn user_of<'r>(header: &Header, record: &Record<'r>) -> Option<&'r str> {
    Some(cell(header, record, USER)).filter(|user| user.len() <= MAX_USER_LETTERS)
}

/// The row has as many cells as the header, not counting those at its end that have no name, or hold nothing.
pub(super) fn check_whole(header: &Header, record: &Record<'_>) -> Result<(), Problem<Code>> {
    let (n_cells, n_columns) = (record.len(), header.cells.len());
    let mut beyond = (n_columns..n_cells).filter_map(|place| record.get(place));
    let is_too_long = beyond.any(|cell| !trimmed(cell).is_empty());
    if n_cells >= header.n_named() && !is_too_long {
        return Ok(());
    }
    let message = format!(
        "The row has {n_cells} cells and the header {}. Is a delimiter missing, or one too many?",
        header.n_named()
    );
    Err(Problem::new(Code::WrongCellCount, message))
}

/// No cell may hold a control character; tabs and line breaks may stand in columns that are carried through.
pub(super) fn check_visible(header: &Header, record: &Record<'_>, named: &[(&str, &str)]) -> Result<(), Problem<Code>> {
    if record.is_visible() {
        return Ok(());
    }
    let message = if let Some(at) = record.cells().position(has_control) {
        let column =
            header.shown(at).map_or_else(|| format!("number {}", at + 1), |name| format!("in the column {name}"));
        format!("The cell {column} holds a character that nobody can see (such as NUL or escape). Type the cell anew.")
    } else if let Some((name, _)) = named.iter().find(|(_, cell)| cell.contains(['\t', '\r', '\n'])) {
        format!("The {name} holds a tab or a line break. Is a quote on this line not closed?")
    } else {
        return Ok(());
    };
    Err(Problem::new(Code::InvalidCharacter, message))
}

/// Each of the cells holds something.
pub(super) fn check_given(named: &[(&str, &str)]) -> Result<(), Problem<Code>> {
    let missing: Vec<_> = named.iter().filter(|(_, cell)| cell.is_empty()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::MissingField, format!("These cells are empty: {}.", missing.join(", "))))
}

/// The cell has at most so many letters.
pub(super) fn check_length(name: &str, cell: &str, most: usize) -> Result<(), Problem<Code>> {
    if cell.len() > most && cell.chars().count() > most {
        let message = format!("The {name} is longer than {most} characters.");
        return Err(Problem::new(Code::TooLong, message));
    }
    Ok(())
}
