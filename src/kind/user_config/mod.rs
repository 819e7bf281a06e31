//! Settings per channel: user, channel, and a column for each setting. An empty cell leaves its setting as it is.
//!
//! In the order in which data flows: [`row`] checks each row by itself, [`rows`] holds what a file says, [`compare`] sets rows of one user beside each
//! other, [`plan`] finds the one call from what a user has to what it should have, [`target`] makes it, and [`words`] says
//! what became of it.


mod compare;
mod plan;
mod row;
mod rows;
mod target;
mod words;

pub use target::{Before, Change, End, Fate, Held, bring};
pub use compare::compare;
pub use plan::{Item, Needs, Plan, lists, plan, smallest};
pub use row::{Cells, Checked, SCHEMA, check};
pub use rows::{Aside, Rows};
pub use words::{UNDO_HEADER, undo, words};
