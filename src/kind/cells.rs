//! What the checks of a row have in common, whatever the kind of file.

use crate::input::{Header, Record, unguarded};
use crate::outcome::Code;

/// A user is an ARN at the longest.
const MAX_USER_LETTERS: usize = 250;

/// Why a row is refused, with a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The report's `import_code`.
    pub code: Code,
    /// The report's `import_message`.
    pub message: String,
}

impl Invalid {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The row has as many cells as the header, not counting empty ones at its end.
pub(super) fn check_whole(header: &Header, record: &Record<'_>) -> Result<(), Invalid> {
    let (n_cells, n_columns) = (record.len(), header.cells.len());
    let is_too_long = record.cells().skip(n_columns).any(|cell| !cell.trim().is_empty());
    if n_cells >= n_columns && !is_too_long {
        return Ok(());
    }
    let message =
        format!("The row has {n_cells} cells and the header {n_columns}. Is a delimiter missing, or one too many?");
    Err(Invalid::new(Code::WrongCellCount, message))
}

/// The cell of a column of the schema, without what surrounds it; nothing where the file lacks the column.
pub(super) fn cell<'r>(header: &Header, record: &Record<'r>, column: usize) -> &'r str {
    let cell = header.place(column).and_then(|place| record.get(place)).unwrap_or_default();
    unguarded(cell.trim()).trim()
}

/// The user that a row names, also where the row is otherwise wrong; but not what is no name at all.
pub(super) fn user_of<'r>(header: &Header, record: &Record<'r>, column: usize) -> Option<&'r str> {
    Some(cell(header, record, column)).filter(|user| user.len() <= MAX_USER_LETTERS)
}

/// Each of the cells holds something.
pub(super) fn check_given(named: &[(&str, &str)]) -> Result<(), Invalid> {
    let missing: Vec<_> = named.iter().filter(|(_, cell)| cell.is_empty()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Invalid::new(Code::MissingField, format!("Nothing is said in: {}.", missing.join(", "))))
}

/// The cell may be the name of a user.
pub(super) fn check_user(user: &str) -> Result<(), Invalid> {
    if user.chars().any(char::is_control) {
        let message = "The user holds a line break or another control character.";
        return Err(Invalid::new(Code::InvalidCharacter, message));
    }
    if user.chars().count() > MAX_USER_LETTERS {
        let message = format!("The user is longer than {MAX_USER_LETTERS} characters.");
        return Err(Invalid::new(Code::TooLong, message));
    }
    Ok(())
}
