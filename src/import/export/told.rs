//! What is told of an export that wrote its table. Pure.

use crate::kind::ExportedUser;
use crate::outcome::{Counts, Status, UserCounts};
use crate::report::{LEFT_OUT, counted, cut, grouped};

/// Users that a sentence names; all are in the table of what is left out.
const MAX_NAMED: usize = 10;
/// The letters of a name, and of what it has, in a sentence.
pub(super) const MAX_LETTERS: usize = 120;

/// What an export found.
#[derive(Debug, Default)]
pub(in crate::import) struct ExportOutcome {
    /// Rows of the table.
    n_rows: u64,
    /// Users of whom the table says all.
    n_told: u64,
    /// Users of whom it does not say all.
    pub(super) left_out: Vec<LeftOut>,
    /// Names of users who were deleted meanwhile.
    gone: Vec<String>,
    /// Names of users who are listed and not found, or found and not listed.
    doubtful: Vec<String>,
}

/// A user of whom the table does not say all.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) name: String,
    /// What it does not say.
    pub(super) what: String,
    /// Whether it says nothing of the user.
    pub(super) is_whole: bool,
}

impl ExportOutcome {
    /// No user yet, but those that no table can say.
    pub(super) fn new(gone: Vec<String>, doubtful: Vec<String>) -> Self {
        Self { gone, doubtful, ..Self::default() }
    }

    /// Takes what the table says of a user.
    pub(super) fn add(&mut self, name: &str, user: &ExportedUser) {
        self.n_rows += user.n_rows;
        match user.left_out.as_slice() {
            [] => self.n_told += 1,
            left_out => {
                let (name, what) = (name.to_owned(), left_out.join(", "));
                self.left_out.push(LeftOut { name, what, is_whole: user.lines.is_empty() });
            }
        }
    }

    /// Rows by status: what a row says is what its user has.
    pub(in crate::import) fn rows(&self) -> Counts {
        Counts::only(Status::Unchanged, self.n_rows)
    }

    /// Users by what the table says of them.
    pub(in crate::import) fn users(&self) -> UserCounts {
        let with_errors = (self.left_out.len() + self.doubtful.len()) as u64;
        UserCounts { total: self.n_told + with_errors, changed: 0, unchanged: self.n_told, with_errors }
    }

    /// Whether it says all that users have.
    pub(in crate::import) fn is_whole(&self) -> bool {
        self.left_out.is_empty() && self.doubtful.is_empty()
    }

    /// What the table does not say.
    pub(in crate::import) fn message(&self) -> Option<String> {
        let unsaid = |is_whole: bool| {
            let those = self.left_out.iter().filter(move |user| user.is_whole == is_whole);
            those.map(|user| format!("{} ({})", cut(&user.name, MAX_LETTERS), cut(&user.what, MAX_LETTERS))).collect()
        };
        let names = |names: &[String]| names.iter().map(|name| cut(name, MAX_LETTERS)).collect();
        let sentences = [
            (
                unsaid(true),
                "is left out as a whole, because such a file cannot say all that it has",
                "are left out as a whole, because such a file cannot say all that they have",
            ),
            (
                unsaid(false),
                "has what no file can say, and only that is left out",
                "have what no file can say, and only that is left out",
            ),
            (
                names(&self.gone),
                "was deleted while the export ran, and is left out",
                "were deleted while the export ran, and are left out",
            ),
            (
                names(&self.doubtful),
                "is left out, because Amazon Connect either lists it or finds it, but not both",
                "are left out, because Amazon Connect either lists them or finds them, but not both",
            ),
        ];
        let sentences: Vec<String> =
            sentences.into_iter().filter_map(|(users, one, more)| sentence(users, one, more)).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    /// The same as a table: each user, and why.
    pub(super) fn left_out<'s>(&'s self) -> impl Iterator<Item = Vec<String>> + 's {
        let unsaid = self.left_out.iter().map(|user| {
            let what = if user.is_whole { "all of it, because a file cannot say" } else { "only" };
            vec![user.name.clone(), format!("{what}: {}", user.what)]
        });
        let others =
            |names: &'s [String], why: &'static str| names.iter().map(move |name| vec![name.clone(), why.to_owned()]);
        let gone = others(&self.gone, "deleted while the export ran");
        let doubtful = others(&self.doubtful, "listed and not found, or found and not listed");
        unsaid.chain(gone).chain(doubtful)
    }
}

/// What is said of these users, if there are some.
fn sentence(mut users: Vec<String>, one: &str, more: &str) -> Option<String> {
    let n = users.len();
    if n == 0 {
        return None;
    }
    if n > MAX_NAMED {
        users.truncate(MAX_NAMED);
        users.push(format!("and {} more, all in {LEFT_OUT}", grouped((n - MAX_NAMED) as u64)));
    }
    let what = if n == 1 { one } else { more };
    Some(format!("{} {what}: {}.", counted(n as u64, "user"), users.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_by_name_as_far_as_a_sentence_bears() {
        let mut outcome = ExportOutcome::default();
        assert_eq!((outcome.message(), outcome.is_whole(), outcome.left_out().count()), (None, true, 0));
        for n in 0..12 {
            let left_out = vec![format!("A=v{n} at level 0.5")];
            outcome.add(&format!("user{n}"), &ExportedUser { left_out, ..ExportedUser::default() });
        }
        let partly = ExportedUser { lines: vec![vec![]], n_rows: 3, left_out: vec!["FAX auto_accept yes".to_owned()] };
        outcome.add("partly", &partly);
        outcome.gone = vec!["g\0ne".to_owned()];
        let message = outcome.message().unwrap();
        let begins = "12 users are left out as a whole, because such a file cannot say all that they have: user0 (A=v0 at level 0.5), ";
        assert!(message.starts_with(begins), "{message}");
        for told in [
            "user9 (A=v9 at level 0.5), and 2 more, all in left_out.csv.",
            "1 user has what no file can say, and only that is left out: partly (FAX auto_accept yes).",
            "1 user was deleted while the export ran, and is left out: g\u{fffd}ne.",
        ] {
            assert!(message.contains(told), "{message}");
        }
        assert_eq!((outcome.left_out().count(), outcome.is_whole()), (14, false));
        assert_eq!((outcome.rows().total(), outcome.users().with_errors, outcome.users().total), (3, 13, 13));
    }
}
