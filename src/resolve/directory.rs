//! All users of an instance, each with the text by which a file means it. Complete, or an error.

use std::collections::HashSet;

use super::users::{Reference, UsernameIndex, reference};
use crate::connect::{Connect, ConnectError, DirectoryUser, UserId};
use crate::input::reads_back;

/// A user in a file is an ARN at the longest.
pub(crate) const MAX_USER_LETTERS: usize = 250;

/// A user of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedUser {
    /// The user's id.
    pub id: UserId,
    /// The login name.
    pub username: String,
    /// What a file calls it: the username where that means this user, else the id; nothing if neither does.
    pub cell: Option<String>,
}

/// All users, sorted by username.
pub(crate) async fn list_users(connect: &Connect, instance_id: &str) -> Result<Vec<ListedUser>, ConnectError> {
    Ok(named(connect.list_users().await?, instance_id))
}

fn named(mut directory: Vec<DirectoryUser>, instance_id: &str) -> Vec<ListedUser> {
    // Who comes or goes while pages are listed may move another one to a later page, and a name may change between two.
    let mut last = HashSet::new();
    directory.reverse();
    directory.retain(|user| last.insert(user.id.clone()));
    directory.sort_by(|one, other| (&one.username, &one.id).cmp(&(&other.username, &other.id)));
    let by_username = UsernameIndex::new(directory.iter().map(|user| (user.username.as_str(), user.id.as_str())));
    let means = |cell: &str, id: &str| match reference(cell, instance_id) {
        Reference::Id(meant) => meant == id,
        Reference::Username(username) => by_username.get(username).is_some_and(|meant| *meant == id),
        Reference::Elsewhere => false,
    };
    let is_cell = |cell: &&String, id: &str| reads_back(cell) && cell.len() <= MAX_USER_LETTERS && means(cell, id);
    let listed = |user: &DirectoryUser| {
        let DirectoryUser { id, username } = user;
        let cell = [username, id].into_iter().find(|cell| is_cell(cell, id)).cloned();
        ListedUser { id: UserId::new(id.as_str()), username: username.clone(), cell }
    };
    directory.iter().map(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-2222-3333-4444-55555555555";

    #[test]
    fn a_user_is_called_by_its_name_where_that_means_it() {
        let id = |n: u8| format!("{ID}{n:x}");
        let elsewhere = "arn:aws:connect:r:1:instance/there/agent/x";
        let arn = format!("arn:aws:connect:r:1:instance/here/agent/{}", id(0));
        let names =
            ["zoe", "Zoe", "-x", "=1+1", " blank", "tab\tbed", &id(0), elsewhere, &arn, "zoe\u{308}", "zo\u{eb}"];
        let users = (0_u8..).zip(names).map(|(n, name)| DirectoryUser { id: id(n), username: name.to_owned() });
        let odd = DirectoryUser { id: "no-uuid".to_owned(), username: "\u{200b}seen by nobody".to_owned() };
        let before = DirectoryUser { id: id(1), username: "before she was renamed".to_owned() };
        let listed = named([before].into_iter().chain(users).chain([odd]).collect(), "here");
        let cell = |name: &str| listed.iter().find(|user| user.username == name).unwrap().cell.clone();
        for name in ["zoe", "Zoe", "-x", "=1+1", "zoe\u{308}", "zo\u{eb}"] {
            assert_eq!(cell(name).as_deref(), Some(name));
        }
        for (n, name) in [(4, " blank"), (5, "tab\tbed"), (6, &id(0)), (7, elsewhere), (8, &arn)] {
            assert_eq!(cell(name), Some(id(n)), "{name}");
        }
        assert_eq!(cell("\u{200b}seen by nobody"), None);
        assert_eq!(listed.len(), 12);
        assert!(listed.is_sorted_by_key(|user| user.username.clone()));
    }
}
