//! Settings per channel: user, channel, and a column for each setting. An empty cell leaves its setting as it is.
//!
//! In the order in which data flows: [`row`] checks each row by itself ([`mod@cells`] are what it says, [`mod@conditions`] what
//! it asks for first), [`mod@compare`] compares the rows of one user, [`rows`] holds what a file says, [`mod@plan`] finds the one
//! call from what a user has to what it should have, [`target`] follows one user on the way, [`effects`] is what was done to
//! the user, and [`describe`] tells it in [`words`]. The other way round, [`mod@export`] writes what users have.

mod cells;
mod compare;
mod conditions;
#[cfg(test)]
mod conditions_tests;
mod describe;
mod effects;
mod export;
mod plan;
mod row;
mod rows;
mod target;
#[cfg(test)]
mod target_tests;
#[cfg(test)]
mod test_lists;
#[cfg(test)]
mod test_rows;
mod words;

pub use cells::Cells;
pub use compare::compare;
pub use conditions::{Conditions, FoundOtherwise};
pub use effects::{CurrentConfig, RowChanges, SettingChange, UserConfigEffects};
pub use plan::{UnmetDependency, UserConfigItem, UserConfigPlan, full_lists, minimal_change, plan};
pub use row::{CheckedConfig, SCHEMA, check};
pub use rows::UserConfigRows;
pub use target::{ConfigCall, UserConfigOutcome, UserConfigTarget};
