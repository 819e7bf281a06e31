//! Proficiencies: user, attribute, value, level, and optionally what to do.
//!
//! In the order in which data flows: [`row`] checks each row by itself, [`rows`] holds what a file says and sets rows of
//! one user beside each other, [`plan`] finds the least calls from what a user has to what it should have, and [`target`]
//! makes them.

/// The header of `removed.csv`.
pub const REMOVED: &[&str] = &["user", "attribute", "value", "level"];


mod plan;
mod row;
mod rows;
mod target;

pub use target::{Aside, Before, Fate, Held};
pub use plan::{Item, Plan, Step, Want, plan};
pub use row::{Checked, SCHEMA, check};
pub use rows::Rows;
