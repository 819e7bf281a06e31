//! What the checks of a row have in common in all kinds of file.

use crate::input::{Column, Header, Presence, Record, composed, has_control, has_no_width, trimmed, unescape_formula};
use crate::outcome::{Code, Problem};
pub(super) use crate::resolve::MAX_USER_LETTERS;

/// The first column of every kind: the user.
pub(super) const USER_COLUMN: Column =
    Column { aliases: &["username", "userid", "agent", "agentid", "login"], ..Column::new("user", Presence::Key) };
/// Its index in every schema.
pub(super) const USER: usize = 0;

/// The cell of a column of the schema, without white space around it; empty where the file lacks the column or the row the
/// cell.
pub(super) fn cell<'r>(header: &Header, record: &Record<'r>, column: usize) -> &'r str {
    let cell = header.index_of(column).and_then(|index| record.get(index)).unwrap_or_default();
    trimmed(unescape_formula(trimmed(cell)))
}

/// The cell of a name of the instance, which may itself begin or end in a space: the spaces around it stay for the look-up,
/// which takes them off if no name has them. Empty if there is nothing but white space.
pub(super) fn name_cell<'r>(header: &Header, record: &Record<'r>, column: usize) -> &'r str {
    name_of(header.index_of(column).and_then(|index| record.get(index)).unwrap_or_default())
}

/// The name in a cell.
pub(super) fn name_of(cell: &str) -> &str {
    match cell.as_bytes() {
        // Nearly all names begin and end with a letter that needs no look.
        [first, .., last] if first.is_ascii_alphanumeric() && last.is_ascii_graphic() => cell,
        _ if trimmed(cell).is_empty() => "",
        _ if trimmed(cell).starts_with('\'') => trimmed(unescape_formula(trimmed(cell))),
        _ => cell.trim_matches(has_no_width),
    }
}

/// The user that a row names, even if the row is otherwise wrong; but nothing that is too long for a name.
pub(super) fn user_of<'r>(header: &Header, record: &Record<'r>) -> Option<&'r str> {
    Some(cell(header, record, USER)).filter(|user| user.len() <= MAX_USER_LETTERS)
}

/// The row has no more cells than the header, not counting empty ones. Cells that it lacks at its end are empty, unless the
/// file must say of each whether it is.
pub(super) fn check_whole(header: &Header, record: &Record<'_>) -> Result<(), Problem<Code>> {
    if header.needs_whole_rows() && record.n_cells_in_file() < header.n_named() {
        let message = format!(
            "{} With mode=replace a sheet must say of each skill whether the user has it. Is a delimiter missing?",
            cell_counts(header, record)
        );
        return Err(Problem::new(Code::WrongCellCount, message));
    }
    if !has_cells_beyond(header, record) {
        return Ok(());
    }
    let message = format!("{} Is a delimiter missing, or one too many?", cell_counts(header, record));
    Err(Problem::new(Code::WrongCellCount, message))
}

/// Whether the row has more cells than the header, not counting empty ones.
pub(super) fn has_cells_beyond(header: &Header, record: &Record<'_>) -> bool {
    let mut beyond = (header.cells.len()..record.len()).filter_map(|index| record.get(index));
    beyond.any(|cell| !trimmed(cell).is_empty())
}

fn cell_counts(header: &Header, record: &Record<'_>) -> String {
    let n_cells = record.n_cells_in_file();
    let plural = if n_cells == 1 { "" } else { "s" };
    format!("The row has {n_cells} cell{plural} and the header {}.", header.n_named())
}

/// No cell that means something holds a control character, and none of the named ones a tab or a line break. Cells that are
/// only carried through may hold anything.
pub(super) fn check_visible(header: &Header, record: &Record<'_>, named: &[(&str, &str)]) -> Result<(), Problem<Code>> {
    if record.is_visible() {
        return Ok(());
    }
    let mut used = header.used_indices();
    let message = if let Some(index) = used.find(|&index| record.get(index).is_some_and(has_control)) {
        let column = header.shown(index).unwrap_or_default();
        format!(
            "The cell in the column {column} holds a character that nobody can see (such as NUL or escape). Type the cell \
             anew."
        )
    } else if let Some((name, _)) = named.iter().find(|(_, cell)| cell.contains(['\t', '\r', '\n'])) {
        format!("The {name} holds a tab or a line break. Is a quote on this line not closed?")
    } else {
        return Ok(());
    };
    Err(Problem::new(Code::InvalidCharacter, message))
}

/// None of the cells is empty. They are those of the schema's first columns.
pub(super) fn check_given(header: &Header, record: &Record<'_>, named: &[(&str, &str)]) -> Result<(), Problem<Code>> {
    let missing = || (0..).zip(named).filter(|(_, (_, cell))| cell.is_empty());
    if missing().next().is_none() {
        return Ok(());
    }
    let names = missing().map(|(_, (name, _))| *name).collect::<Vec<_>>().join(", ");
    let absent = missing().find(|(column, _)| header.index_of(*column).is_none());
    let absent = absent.map(|(_, (name, _))| format!("The file has no column `{name}`."));
    let is_short = record.n_cells_in_file() < header.n_named();
    let short = is_short.then(|| format!("{} Is a delimiter missing?", cell_counts(header, record)));
    let sentences = [Some(format!("These cells are empty: {names}.")), absent, short];
    Err(Problem::new(Code::MissingField, sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")))
}

/// The cell has at most this many letters.
pub(super) fn check_length(name: &str, cell: &str, most: usize) -> Result<(), Problem<Code>> {
    if cell.len() > most && composed(cell).chars().count() > most {
        let message = format!("The {name} is longer than {most} characters.");
        return Err(Problem::new(Code::TooLong, message));
    }
    Ok(())
}
