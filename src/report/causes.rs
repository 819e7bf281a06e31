//! Why rows are not as the file says: each reason once, with how many rows it has and where the first of them stand. However
//! many rows and reasons there are, what is held is small.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::text::cut;
use crate::outcome::{Code, Line, Problem, RowReport, Status};

/// Causes in the summary, [`OTHER`] among them.
const MAX_CAUSES: usize = 50;
/// Example lines of a cause.
const MAX_LINES: usize = 3;
/// Unknown users that are named.
const MAX_NAMED: usize = 3;
/// Reasons that are held while rows are counted. When there are twice as many, the rarest are counted as [`OTHER`]: so a reason
/// may be missed whose rows have a thousand other reasons between them.
const MAX_HELD: usize = 1000;
/// A sentence is cut after so many letters: it may quote a cell.
const MAX_LETTERS: usize = 500;

/// The code of the causes that are not told one by one.
const OTHER: &str = "other";

/// Why some rows are not as the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The rows' `import_code`; of rows that were not tried, what stopped the import.
    pub code: String,
    /// What is wrong, and what to do about it: the rows' own sentence.
    pub message: String,
    /// How many rows.
    pub rows: u64,
    /// The first of their lines, if the file could be read.
    pub lines: Vec<Line>,
}

/// Counts the causes of rows that are told one after another.
#[derive(Debug)]
pub(crate) struct CauseCounter {
    /// Why rows are pending.
    stopped: Problem,
    held: Held,
    unknown_users: UnknownUsers,
    other: Seen,
}

/// Rows of one cause.
#[derive(Debug, Default)]
struct Seen {
    rows: u64,
    lines: Vec<Line>,
}

/// Unknown users are one cause: each has a sentence of its own, and all are mended in one go.
#[derive(Debug, Default)]
struct UnknownUsers {
    seen: Seen,
    /// The first sentences, and whether there are more.
    sentences: Vec<String>,
    has_more: bool,
}

impl CauseCounter {
    /// Nothing is counted yet; `stopped` is why rows were not tried, if some were not.
    pub(crate) fn new(stopped: Problem) -> Self {
        Self { stopped, held: HashMap::new(), unknown_users: UnknownUsers::default(), other: Seen::default() }
    }

    /// Counts a row of the report, if it is not as the file says.
    pub(crate) fn push(&mut self, line: Line, row: &RowReport) {
        let sentence = row.cause.as_ref().unwrap_or(&row.message);
        self.add(Some(line), row.status, &row.code, sentence);
    }

    /// Counts a row: its line, if it is known, its status, and why it has that.
    pub(crate) fn add(&mut self, line: Option<Line>, status: Status, code: &str, sentence: &str) {
        if !status.is_undone() {
            return;
        }
        if status != Status::Pending && code == Code::UnknownUser.name() {
            return self.unknown_users.add(line, sentence);
        }
        let (code, sentence) = match status {
            Status::Pending => (self.stopped.code.as_ref(), self.stopped.message.as_str()),
            _ => (code, sentence),
        };
        self.held.entry((code.to_owned(), cut(sentence, MAX_LETTERS))).or_default().add(line);
        if self.held.len() > 2 * MAX_HELD {
            for (_, seen) in self.take_commonest(MAX_HELD) {
                self.other.absorb(seen);
            }
        }
    }

    /// The causes, the commonest first.
    pub(crate) fn into_causes(mut self) -> Vec<Cause> {
        let UnknownUsers { seen, sentences, has_more } = std::mem::take(&mut self.unknown_users);
        if seen.rows > 0 {
            let more = has_more.then(|| "retry.csv has the others.".to_owned());
            let message = sentences.into_iter().chain(more).collect::<Vec<_>>().join(" ");
            self.held.insert((Code::UnknownUser.name().to_owned(), message), seen);
        }
        let is_all = self.held.len() <= MAX_CAUSES && self.other.rows == 0;
        let beyond = self.take_commonest(if is_all { MAX_CAUSES } else { MAX_CAUSES - 1 });
        for (_, seen) in beyond {
            self.other.absorb(seen);
        }
        let cause = |((code, message), Seen { rows, lines })| Cause { code, message, rows, lines };
        let mut causes: Vec<_> = sorted(self.held).into_iter().map(cause).collect();
        if self.other.rows > 0 {
            let message = "Other reasons: see import_message in results.csv.".to_owned();
            let Seen { rows, lines } = self.other;
            causes.push(Cause { code: OTHER.to_owned(), message, rows, lines });
        }
        causes
    }

    /// Keeps so many of the causes that are held, and returns the others.
    fn take_commonest(&mut self, n: usize) -> Vec<((String, String), Seen)> {
        let mut all = sorted(std::mem::take(&mut self.held));
        let beyond = all.split_off(n.min(all.len()));
        self.held.extend(all);
        beyond
    }
}

/// By code and sentence, what is held of the cause.
type Held = HashMap<(String, String), Seen>;

/// The commonest first; of as many rows, the one that comes first in the file.
fn sorted(held: Held) -> Vec<((String, String), Seen)> {
    let mut all: Vec<_> = held.into_iter().collect();
    all.sort_by(|(name, seen), (other_name, other)| {
        let by_rows = other.rows.cmp(&seen.rows);
        by_rows.then_with(|| seen.lines.first().cmp(&other.lines.first())).then_with(|| name.cmp(other_name))
    });
    all
}

impl Seen {
    fn add(&mut self, line: Option<Line>) {
        self.rows += 1;
        // A line of a sheet has many rows.
        let is_new = |line: &Line| self.lines.len() < MAX_LINES && !self.lines.contains(line);
        let line = line.filter(is_new);
        self.lines.extend(line);
    }

    fn absorb(&mut self, other: Self) {
        self.rows += other.rows;
        self.lines.extend(other.lines);
        self.lines.sort_unstable();
        self.lines.dedup();
        self.lines.truncate(MAX_LINES);
    }
}

impl UnknownUsers {
    fn add(&mut self, line: Option<Line>, sentence: &str) {
        self.seen.add(line);
        if self.has_more {
            return;
        }
        let sentence = cut(sentence, MAX_LETTERS);
        if self.sentences.contains(&sentence) {
            return;
        }
        if self.sentences.len() < MAX_NAMED {
            self.sentences.push(sentence);
        } else {
            self.has_more = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(rows: impl IntoIterator<Item = (Status, &'static str, String)>) -> Vec<Cause> {
        let mut counter = CauseCounter::new(Problem::new("cancelled", "Stopped."));
        for (line, (status, code, message)) in (2..).map(Line).zip(rows) {
            counter.push(line, &RowReport::new(status, code.to_owned(), message));
        }
        counter.into_causes()
    }

    fn shown(causes: &[Cause]) -> Vec<String> {
        let lines = |cause: &Cause| cause.lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        causes
            .iter()
            .map(|cause| format!("{} {} [{}] {}", cause.rows, cause.code, lines(cause), cause.message))
            .collect()
    }

    #[test]
    fn rows_with_one_reason_are_one_cause_and_the_commonest_comes_first() {
        let user = |name: &str| (Status::Invalid, "unknown_user", format!("There is no user '{name}'."));
        let value = || (Status::Invalid, "unknown_value", "No value 'Germann'.".to_owned());
        let good = || (Status::Added, "", String::new());
        let pending = || (Status::Pending, "", String::new());
        let causes = counted([
            value(),
            good(),
            user("a"),
            pending(),
            user("b"),
            user("a"),
            user("c"),
            user("d"),
            value(),
            value(),
            value(),
            (Status::Failed, "Refused", "No.".to_owned()),
            (Status::Duplicate, "duplicate_row", "Duplicate of line 2.".to_owned()),
        ]);
        let expected = [
            "5 unknown_user [4,6,7] There is no user 'a'. There is no user 'b'. There is no user 'c'. retry.csv has the others.",
            "4 unknown_value [2,10,11] No value 'Germann'.",
            "1 cancelled [5] Stopped.",
            "1 Refused [13] No.",
        ];
        assert_eq!(shown(&causes), expected);
        assert_eq!(counted([good()]), []);
    }

    #[test]
    fn what_is_said_of_a_row_beside_its_reason_makes_no_cause_of_its_own() {
        let mut counter = CauseCounter::new(Problem::new("", ""));
        for line in [2, 3] {
            let mut row =
                RowReport::new(Status::Invalid, "invalid_level".to_owned(), "The level is not one".to_owned());
            row.remark(&format!("Something of line {line}."));
            assert_eq!(row.message, format!("The level is not one. Something of line {line}."));
            counter.push(Line(line), &row);
        }
        assert_eq!(shown(&counter.into_causes()), ["2 invalid_level [2,3] The level is not one"]);
    }

    #[test]
    fn there_are_at_most_fifty_causes_and_their_rows_add_up() {
        let failed = |n: usize| (Status::Failed, "Refused", format!("No: {n}."));
        assert_eq!(counted((0..50).map(failed)).len(), 50);
        let causes = counted((0..51).map(failed));
        assert_eq!((causes.len(), causes[49].code.as_str(), causes[49].rows), (50, "other", 2));
        assert_eq!(causes[49].lines, [Line(51), Line(52)]);
    }

    #[test]
    fn what_is_common_is_found_among_any_number_of_reasons_in_little_memory() {
        const ROWS: u64 = 100_000;
        let long = "x".repeat(40_000);
        let mut counter = CauseCounter::new(Problem::new("", ""));
        let mut most_held = 0;
        for n in 0..ROWS {
            let message = if n % 10 == 7 { long.clone() } else { format!("Row {n} alone.") };
            counter.add(None, Status::Failed, "Refused", &message);
            most_held = most_held.max(counter.held.len());
        }
        let causes = counter.into_causes();
        assert!(most_held <= 2 * MAX_HELD);
        assert_eq!((causes[0].rows, causes[0].message.len()), (ROWS / 10, MAX_LETTERS + '\u{2026}'.len_utf8()));
        assert_eq!((causes.len(), causes.iter().map(|cause| cause.rows).sum()), (MAX_CAUSES, ROWS));
    }
}
