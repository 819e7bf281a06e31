//! What is asked before the first write: whether the file is to be imported at all. Pure.

use crate::input::Header;
use crate::kind::Rows;
use crate::options::{Mode, Options};
use crate::outcome::{Counts, Problem, Status};
use crate::report::grouped;

/// A guard speaks only of this many rows, or removals, and more.
const GUARDED: u64 = 10;

/// Whether the file is the whole truth for its users. If the file cannot be replaced, MODE falls back to merge; an explicit
/// mode=replace rejects the file.
pub(super) fn mode<R: Rows>(options: &Options, header: &Header) -> Result<Mode, Problem> {
    match (options.mode, R::check_replaceable(header)) {
        (Mode::Replace, Err(why)) if options.mode_is_explicit => {
            Err(Problem::new("replace_not_possible", format!("{why}. Import it without mode=replace.")))
        }
        (Mode::Replace, Err(_)) => Ok(Mode::Merge),
        (mode, _) => Ok(mode),
    }
}

/// A file without rows.
pub(super) fn no_rows(rows: Counts) -> Option<Problem> {
    (rows.total() == 0)
        .then(|| Problem::new("no_rows", "The file has a header and no rows below it that say anything."))
}

/// The guard against a file that is mostly wrong.
pub(super) fn mostly_invalid(options: &Options, rows: Counts) -> Option<Problem> {
    let (invalid, total, most) = (rows.of(Status::Invalid), rows.total(), options.max_invalid_percent);
    (total >= GUARDED && most.is_exceeded_by(invalid, total)).then(|| {
        let message = format!(
            "{} of {} rows are invalid, more than {most} percent, so nothing was written. Mend them, or import the others \
             with a new request that has \"max_invalid_percent\": 100.",
            grouped(invalid),
            grouped(total)
        );
        Problem::new("too_many_invalid", message)
    })
}

/// What a file would take away of what its users hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Removals {
    /// What it does not name, where it is the whole truth.
    pub(super) implied: u64,
    /// What a sheet marks with `-` or `0`.
    pub(super) named: u64,
    /// What its users hold.
    pub(super) held: u64,
}

/// The guard against a mass removal. What rows of the long form remove by their action does not count.
pub(super) fn mass_removal(options: &Options, removals: Removals) -> Option<Problem> {
    let Removals { implied, named, held } = removals;
    let (most, removed) = (options.max_removals_percent, implied + named);
    (removed >= GUARDED && most.is_exceeded_by(removed, held)).then(|| {
        let of_held = format!("{} of the {} proficiencies that its users hold", grouped(removed), grouped(held));
        let what = match (implied, named) {
            (_, 0) => format!("The file does not name {of_held}, and mode=replace would remove them"),
            (0, _) => format!("The file marks {of_held} with - or 0, and would remove them"),
            _ => format!("The file does not name {of_held}, or marks them with - or 0, and would remove them"),
        };
        let message = format!(
            "{what}: more than {most} percent, so nothing was written. If that is meant, import it with a new request that \
             has \"max_removals_percent\": 100; to see what would be removed, add \"dry_run\": true.",
        );
        Problem::new("too_many_removals", message)
    })
}
