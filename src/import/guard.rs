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
        let so = if options.dry_run { "a real import would be rejected" } else { "nothing was written" };
        let way_on = match options.dry_run {
            _ if invalid == total => "",
            true => {
                " To do the others all the same, upload plan.csv to the import folder, or import the file with a new request \
                 that has \"max_invalid_percent\": 100."
            }
            false => {
                " To do the others all the same, import the file as a dry run and upload the plan.csv of its report, or import \
                 the file with a new request that has \"max_invalid_percent\": 100."
            }
        };
        let message = format!(
            "{} of {} rows are invalid, more than {most} percent, so {so}. Correct them.{way_on}",
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
        let way_on = if options.dry_run {
            "so a real import would be rejected. plan.csv has all of them; if they are meant, upload it to \
             the import folder,"
        } else {
            "so nothing was written. To see them, import the file as a dry run: its report has them in plan.csv. If they are \
             meant, upload that plan.csv,"
        };
        let message = format!(
            "{what}: more than {most} percent, {way_on} or import the file with a new request that has \
             \"max_removals_percent\": 100."
        );
        Problem::new("too_many_removals", message)
    })
}
