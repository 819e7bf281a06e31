//! Proficiencies: user, attribute, value, level, and optionally what to do.
//!
//! In the order in which data flows: [`row`] checks each row by itself, [`rows`] holds what a file says and compares the
//! rows of one user, [`torn`] and [`mod@unassigned`] say what rows of nobody may name, [`mod@plan`] finds the least calls from
//! what a user has to what it should have, [`target`] follows one user on the way, [`effects`] is what was done to the user, and
//! [`describe`] tells it. The other way round, [`mod@export`] writes what users have.

mod describe;
mod effects;
mod export;
mod plan;
mod row;
mod rows;
mod target;
#[cfg(test)]
mod target_tests;
mod torn;
mod unassigned;

pub use effects::{CurrentProficiencies, ProficiencyChange, ProficiencyEffects};
pub use plan::{Condition, KeptReason, ProficiencyItem, ProficiencyPlan, Step, Want, kept, plan};
pub use row::{CheckedProficiency, SCHEMA, check};
pub use rows::ProficiencyRows;
pub use target::{ProficiencyOutcome, ProficiencyTarget};
