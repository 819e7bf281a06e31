//! What a name in the file means: a user of the instance, a predefined attribute and its value, or nothing, and then
//! what is near. And the other way round: by which text a file means a user.

mod attributes;
mod directory;
mod headings;
mod suggest;
mod users;

pub(crate) use attributes::{Catalog, Match};
pub(crate) use directory::{ListedUser, MAX_USER_LETTERS, list_users};
pub(crate) use headings::{explain, understand};
pub(crate) use users::{User, UserCell, Users};
