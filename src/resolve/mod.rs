//! What a name in the file means: a user of the instance, a predefined attribute and its value, or nothing, and then
//! what is near.

mod attributes;
mod suggest;
mod users;

pub use attributes::{Catalog, Match};
pub use suggest::{Suggester, did_you_mean};
pub use users::{User, UserCell, Users};
