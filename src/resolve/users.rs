//! Who a row means: user id, user ARN or username to a user id. Complete, or an error.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::suggest::{Suggester, did_you_mean};
use crate::connect::{Connect, ConnectError, UserId};
use crate::input::{Interner, Symbol};

/// Texts that a file has in its column of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserCell {}

/// Ids of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum User {}

/// How a row may name a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference<'t> {
    /// By id, or by an ARN of this instance.
    Id(String),
    /// By an ARN of another instance.
    Elsewhere,
    /// By login name; case counts ("All Amazon Connect usernames are case sensitive", the administrator guide says).
    Username(&'t str),
}

pub(super) fn reference<'t>(text: &'t str, instance_id: &str) -> Reference<'t> {
    if let Some((_, below)) = text.strip_prefix("arn:").and_then(|arn| arn.split_once(":instance/")) {
        return match below.split_once("/agent/") {
            Some((instance, id)) if instance == instance_id && is_uuid(id) => Reference::Id(id.to_lowercase()),
            _ => Reference::Elsewhere,
        };
    }
    if is_uuid(text) { Reference::Id(text.to_lowercase()) } else { Reference::Username(text) }
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let is_right = |(place, byte): (usize, u8)| {
        if dashes.contains(&place) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

/// Ids by username: exactly, else in Unicode's composed form, which nobody sees.
pub(super) struct UsernameIndex<'d> {
    exact: HashMap<&'d str, &'d str>,
    /// Only of names beyond ASCII; nothing where two users have the same.
    composed: HashMap<Cow<'d, str>, Option<&'d str>>,
}

impl<'d> UsernameIndex<'d> {
    /// An index of usernames and ids.
    pub(super) fn new(users: impl Iterator<Item = (&'d str, &'d str)>) -> Self {
        let mut index = Self { exact: HashMap::new(), composed: HashMap::new() };
        for (username, id) in users {
            index.exact.insert(username, id);
            if !username.is_ascii() {
                index
                    .composed
                    .entry(crate::input::composed(username))
                    .and_modify(|other| *other = None)
                    .or_insert(Some(id));
            }
        }
        index
    }

    pub(super) fn get(&self, username: &str) -> Option<&&'d str> {
        self.exact.get(username).or_else(|| self.composed.get(&*crate::input::composed(username))?.as_ref())
    }
}

/// The users that a file names.
#[derive(Debug)]
pub struct Users {
    instance_id: String,
    /// By the cell of the file: the user.
    by_cell: Vec<Option<Symbol<User>>>,
    ids: Interner<User>,
    /// Usernames.
    names: Suggester,
    /// Ids, if an id is asked for that nobody has.
    known_ids: Suggester,
}

impl Users {
    /// Finds the users that these cells name. The directory is asked if some are usernames, or if it `lists` them all: where an
    /// id that nobody has must be known before the first write, too.
    ///
    /// A cell that an earlier delivery resolved keeps its meaning (`recorded`): users may be renamed while an import runs.
    pub async fn find(
        connect: &Connect,
        instance_id: &str,
        wanted: &[(Symbol<UserCell>, &str)],
        recorded: &HashMap<Symbol<UserCell>, UserId>,
        lists: bool,
    ) -> Result<Self, ConnectError> {
        let is_asked = |(cell, text): &(Symbol<UserCell>, &str)| {
            let is_username = || matches!(reference(text, instance_id), Reference::Username(_));
            !recorded.contains_key(cell) && (lists || is_username())
        };
        let directory = if wanted.iter().any(is_asked) { connect.list_users().await? } else { Vec::new() };
        let listed: HashSet<String> = directory.iter().filter(|_| lists).map(|user| user.id.to_lowercase()).collect();
        let by_username = UsernameIndex::new(directory.iter().map(|user| (user.username.as_str(), user.id.as_str())));

        let n_cells = wanted.iter().map(|(cell, _)| cell.index() + 1).max().unwrap_or(0);
        let mut users = Self::recorded(instance_id, recorded, n_cells);
        let (mut has_unknown, mut has_unknown_ids) = (false, false);
        for &(cell, text) in wanted.iter().filter(|(cell, _)| !recorded.contains_key(cell)) {
            let id = match reference(text, instance_id) {
                Reference::Id(id) => Some(id).filter(|id| !lists || listed.contains(id)),
                Reference::Elsewhere => None,
                Reference::Username(username) => by_username.get(username).map(|&id| id.to_owned()),
            };
            if let Some(id) = id {
                users.by_cell[cell.index()] = Some(users.ids.intern(&id));
            } else {
                has_unknown = true;
                has_unknown_ids |= !matches!(reference(text, instance_id), Reference::Username(_));
            }
        }
        if has_unknown {
            users.names = Suggester::new(directory.iter().map(|user| user.username.clone()));
            users.known_ids = Suggester::new(directory.iter().filter(|_| has_unknown_ids).map(|user| user.id.clone()));
        }
        Ok(users)
    }

    /// Only the users that an earlier delivery resolved, of a file with this many distinct cells: where the directory cannot
    /// be listed, what was done for them can still be told.
    pub fn recorded(instance_id: &str, recorded: &HashMap<Symbol<UserCell>, UserId>, n_cells: usize) -> Self {
        let mut ids = Interner::default();
        let n_cells = recorded.keys().map(|cell| cell.index() + 1).chain([n_cells]).max().unwrap_or(0);
        let mut by_cell = vec![None; n_cells];
        // In the order of the file: the same each time.
        let mut sorted: Vec<_> = recorded.iter().collect();
        sorted.sort();
        for (cell, id) in sorted {
            by_cell[cell.index()] = Some(ids.intern(id.as_str()));
        }
        let (names, known_ids) = (Suggester::default(), Suggester::default());
        Self { instance_id: instance_id.to_owned(), by_cell, ids, names, known_ids }
    }

    /// Whether a name or an id that nobody has is near to one that somebody has. Where there are so many that this cannot be told,
    /// it may be.
    pub fn is_near_somebody(&self, text: &str) -> bool {
        let reference = reference(text, &self.instance_id);
        let suggester = self.suggester(&reference);
        // Of an ARN the id counts: the instance before it may be mistyped.
        let is_arn = reference == Reference::Elsewhere;
        let name = if is_arn { text.rsplit('/').next().unwrap_or(text) } else { text };
        !suggester.knows_all_near() || suggester.candidates(name).next().is_some()
    }

    fn suggester(&self, reference: &Reference<'_>) -> &Suggester {
        match reference {
            Reference::Username(_) => &self.names,
            Reference::Id(_) | Reference::Elsewhere => &self.known_ids,
        }
    }

    /// The user that a cell of the file means.
    pub fn user(&self, cell: Symbol<UserCell>) -> Option<Symbol<User>> {
        self.by_cell.get(cell.index()).copied().flatten()
    }

    /// The id of a user.
    pub fn id(&self, user: Symbol<User>) -> UserId {
        UserId::new(self.ids.resolve(user))
    }

    /// How many users there are, and one more.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never: see [`Interner::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Why there is no such user.
    pub fn why(&self, text: &str) -> String {
        match reference(text, &self.instance_id) {
            Reference::Elsewhere => "This ARN is not that of a user of this instance.".to_owned(),
            reference => match did_you_mean(self.suggester(&reference).best(text)).as_str() {
                "" => format!("There is no user '{text}'."),
                near => format!("There is no user '{text}'{near}?"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_id_arn_or_username() {
        let id = "11111111-2222-3333-4444-5555555555ab";
        let arn = |instance| format!("arn:aws:connect:eu-central-1:111122223333:instance/{instance}/agent/{id}");
        assert_eq!(reference(id, "here"), Reference::Id(id.into()));
        assert_eq!(reference(&id.to_uppercase(), "here"), Reference::Id(id.into()));
        assert_eq!(reference(&arn("here"), "here"), Reference::Id(id.into()));
        assert_eq!(reference(&arn("there"), "here"), Reference::Elsewhere);
        assert_eq!(reference("arn:aws:connect:r:1:instance/here", "here"), Reference::Elsewhere);
        assert_eq!(reference("jdoe", "here"), Reference::Username("jdoe"));
        assert_eq!(reference("arnold", "here"), Reference::Username("arnold"));
    }

    #[test]
    fn usernames_match_in_either_form_of_their_letters_and_otherwise_to_the_letter() {
        let directory =
            [("jürgen", "1"), ("zoe\u{308}", "2"), ("jdoe", "3"), ("JDoe", "4"), ("ame\u{301}", "5"), ("amé", "6")];
        let index = UsernameIndex::new(directory.into_iter());
        let id = |username: &str| index.get(username).copied();
        for (username, expected) in [
            ("jürgen", Some("1")),
            ("ju\u{308}rgen", Some("1")),
            ("zoë", Some("2")),
            ("zoe\u{308}", Some("2")),
            ("jdoe", Some("3")),
            ("JDoe", Some("4")),
            ("JDOE", None),
            ("Jürgen", None),
            ("jurgen", None),
            ("ame\u{301}", Some("5")),
            ("amé", Some("6")),
        ] {
            assert_eq!(id(username), expected, "{username:?}");
        }
        // Two users whose names look the same, and a third way to write them: nobody can tell whom it means.
        let alike = UsernameIndex::new([("e\u{323}\u{302}", "1"), ("e\u{302}\u{323}", "2")].into_iter());
        assert_eq!((alike.get("\u{1ec7}"), alike.get("e\u{302}\u{323}")), (None, Some(&"2")));
    }
}
