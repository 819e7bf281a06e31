//! What a name in the file means: a user of the instance, a predefined attribute and its value, or nothing, and then
//! what is near.

mod attributes;
mod headings;
mod suggest;
mod users;

pub(crate) use attributes::{Catalog, Match};
pub(crate) use headings::explain;
pub(crate) use users::{User, UserCell, Users};
