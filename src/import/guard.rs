//! What is asked before the first write: whether the file is to be imported at all. Pure.

use crate::config::{Mode, Options};
use crate::input::{Header, Refusal};
use crate::kind::{Kind, Replaces};
use crate::outcome::{Counts, Status};
use crate::state::{Begun, Refused};

/// A guard speaks only of so many rows, or removals, and more.
const GUARDED: u64 = 10;

/// Whether the file is the whole truth for its users. The setting gives way to a file that cannot be; a wish for this file
/// does not.
pub(super) fn mode<K: Kind>(options: &Options, header: &Header) -> Result<Mode, Refusal> {
    match (options.mode, K::replaces(header)) {
        (Mode::Replace, Replaces::No(why)) if options.mode_is_explicit => {
            Err(Refusal::new("replace_not_possible", format!("{why}. Import it without mode=replace.")))
        }
        (Mode::Replace, Replaces::No(_)) => Ok(Mode::Merge),
        (mode, _) => Ok(mode),
    }
}

/// What was clear from the beginning: options that cannot be followed, or an object that a newer one has overtaken.
pub(super) fn refused(begun: &Begun) -> Option<Refusal> {
    let Refused { code, message } = begun.refused.as_ref()?;
    Some(Refusal::new(code.clone(), message.clone()))
}

/// The guard against a file that is mostly wrong.
pub(super) fn mostly_invalid(options: &Options, rows: Counts) -> Option<Refusal> {
    let (invalid, total, most) = (rows.of(Status::Invalid), rows.total(), options.max_invalid_percent);
    (total >= GUARDED && most.is_exceeded_by(invalid, total)).then(|| {
        let message = format!(
            "{invalid} of {total} rows are invalid, more than {most} percent, so nothing was written. Mend them, or import \
             the others with a new request that has \"max_invalid_percent\": 100."
        );
        Refusal::new("too_many_invalid", message)
    })
}

/// The guard against a mass removal: what the file would remove without a row that says so, of what its users hold.
pub(super) fn mass_removal(options: &Options, implied: u64, held: u64) -> Option<Refusal> {
    let most = options.max_removals_percent;
    (implied >= GUARDED && most.is_exceeded_by(implied, held)).then(|| {
        let message = format!(
            "The file does not name {implied} of the {held} proficiencies that its users hold, and mode=replace would remove \
             them: more than {most} percent, so nothing was written. If that is meant, import it with a new request that has \
             \"max_removals_percent\": 100; to see what would be removed, add \"dry_run\": true."
        );
        Refusal::new("too_many_removals", message)
    })
}
