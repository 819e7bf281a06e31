//! Proficiencies: user, attribute, value, level, and optionally what to do.
//!
//! In the order in which data flows: [`row`] checks each row by itself, [`rows`] holds what a file says and sets rows of
//! one user beside each other, [`plan`] finds the least calls from what a user has to what it should have, and [`apply`]
//! makes them.

mod apply;
mod plan;
mod row;
mod rows;

pub use apply::{Brought, Fate, Terms, bring};
pub use plan::{Item, Plan, Step, Want, plan};
pub use row::{Checked, Invalid, SCHEMA, check};
pub use rows::{Known, Rows, Work};
