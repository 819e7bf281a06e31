//! `report.html`: the import for people, in one page without a script and without a request to anywhere. What stands where, and
//! how it looks, is in `templates/report.html`; here is what it says. Pure.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::details::{Details, Levels, RowToMend, cut};
use super::pictures::{OperationPicture, operations};
use super::summary::Summary;
use super::words::{counted, grouped};
use super::{ROW_OBJECTS_IN_WORDS, SUMMARY};
use crate::connect::{Rates, Timeline};
use crate::options::{Mode, Options};
use crate::outcome::{ImportStatus, Status};
use crate::store::Location;

/// A page is not longer than this, however many rows there are.
const MAX_PAGE_BYTES: usize = 512 * 1024;
/// Letters of what is told in one piece.
const MAX_LETTERS: usize = 2000;
/// The width of a bar that is as long as can be.
const BAR_WIDTH: u64 = 400;

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportPage<'p> {
    /// The import in numbers.
    pub summary: &'p Summary,
    /// What is told beyond them.
    pub details: &'p Details,
    /// The report's folder.
    pub folder: &'p Location,
    /// Where files are uploaded to.
    pub upload_folder: &'p str,
    /// What was called when.
    pub timeline: &'p Timeline,
    /// Users that are done, and all, while it runs.
    pub users: Option<(usize, usize)>,
    /// What decided the import.
    pub options: &'p Options,
    /// The quotas.
    pub rates: &'p Rates,
    /// When the page is written.
    pub now: DateTime<Utc>,
}

impl ReportPage<'_> {
    /// The page's bytes. As many rows are told as fit.
    pub(crate) fn render(&self) -> String {
        let mut view = View::of(self);
        loop {
            let page = view.render().expect("a page is written into memory");
            if page.len() <= MAX_PAGE_BYTES {
                return page;
            }
            view.shorten(self);
        }
    }
}

/// What the template shows.
#[derive(Debug, Template)]
#[template(path = "report.html")]
struct View<'p> {
    deliveries: u32,
    title: String,
    file: String,
    tone: &'static str,
    sign: &'static str,
    headline: String,
    dry_run: bool,
    message: Option<String>,
    progress: Option<ProgressView>,
    next: String,
    rows: String,
    removals: Option<String>,
    causes: Vec<CauseView>,
    bars: Vec<Bar>,
    to_mend: &'p [RowToMend],
    to_mend_note: String,
    removed: &'p [Vec<String>],
    removed_title: &'static str,
    removed_note: String,
    levels: Vec<LevelBars>,
    now_or_then: &'static str,
    slice: String,
    operations: Vec<OperationPicture>,
    facts: Vec<(&'static str, String)>,
    folder: String,
    objects: Vec<(String, &'static str)>,
    footer: String,
}

/// How far an import is.
#[derive(Debug)]
struct ProgressView {
    words: String,
    expected: Option<String>,
    width: u64,
    as_of: String,
}

#[derive(Debug)]
struct CauseView {
    rows: String,
    message: String,
}

/// Rows of a status.
#[derive(Debug)]
struct Bar {
    name: String,
    sign: &'static str,
    tone: &'static str,
    value: String,
    width: u64,
}

/// Proficiencies of a level.
#[derive(Debug)]
struct LevelBars {
    name: &'static str,
    before: String,
    after: String,
    before_width: u64,
    after_width: u64,
}

impl<'p> View<'p> {
    fn of(page: &ReportPage<'p>) -> Self {
        let ReportPage { summary, details, timeline, .. } = *page;
        let (tone, sign) = tone(summary.status);
        let causes = summary.causes.iter();
        let causes = causes.map(|cause| CauseView { rows: cause.rows_in_words(), message: cause.message.clone() });
        let mut view = Self {
            deliveries: summary.deliveries,
            title: format!("{}: {}", cut(summary.file_name(), MAX_LETTERS), summary.status_in_words()),
            file: cut(&summary.source, MAX_LETTERS),
            tone,
            sign,
            headline: headline(summary),
            dry_run: summary.dry_run,
            message: summary.message.as_ref().map(|message| cut(message, MAX_LETTERS)),
            progress: progress(page),
            next: summary.next_step(&details.objects, page.upload_folder),
            rows: summary.rows_in_words(),
            removals: removals(summary),
            causes: causes.collect(),
            bars: bars(summary),
            to_mend: &details.to_mend,
            to_mend_note: String::new(),
            removed: &details.removed,
            removed_title: if summary.dry_run { "What would be removed" } else { "What was removed" },
            removed_note: String::new(),
            levels: levels(&details.levels),
            now_or_then: if summary.dry_run { "would have it after it" } else { "have it now" },
            slice: in_seconds(timeline.slice_seconds()),
            operations: operations(timeline, page.rates, &summary.calls),
            facts: facts(page),
            folder: cut(&page.folder.to_string(), MAX_LETTERS),
            objects: objects(details, summary),
            footer: format!("connect-bulk-import, as of {}", time(page.now)),
        };
        view.note(page);
        view
    }

    /// Says how many of all are told.
    fn note(&mut self, page: &ReportPage<'_>) {
        let ReportPage { summary, details, .. } = page;
        let all = if details.objects.iter().any(|name| name == super::RETRY) { super::RETRY } else { "results.csv" };
        let of = |n: usize, total: u64, file: &str| {
            if n as u64 == total {
                format!("All {}; they are also in {file}.", grouped(total))
            } else {
                format!("{} of {}; all are in {file}.", grouped(n as u64), grouped(total))
            }
        };
        let told = of(self.to_mend.len(), summary.rows.to_retry(), all);
        self.to_mend_note = format!("{told} Lines are those of the file that was imported; its first line is line 1.");
        let removed = of(self.removed.len(), summary.implied_removals, super::REMOVED);
        self.removed_note = format!("User, attribute, value, level. The file does not name these. {removed}");
    }

    /// Tells fewer rows, or less of whatever else is long.
    fn shorten(&mut self, page: &ReportPage<'_>) {
        if self.to_mend.len() > 1 || self.removed.len() > 1 {
            self.to_mend = &self.to_mend[..self.to_mend.len() * 3 / 4];
            self.removed = &self.removed[..self.removed.len() * 3 / 4];
            self.note(page);
        } else if self.causes.pop().is_none() {
            self.facts.pop();
        }
    }
}

/// A tone and a sign: nobody needs to see colours.
fn tone(status: ImportStatus) -> (&'static str, &'static str) {
    match status {
        ImportStatus::Succeeded => ("good", "\u{2714}"),
        ImportStatus::CompletedWithErrors => ("warn", "\u{26a0}"),
        ImportStatus::Rejected | ImportStatus::Failed => ("bad", "\u{2716}"),
        ImportStatus::Cancelled => ("calm", "\u{25a0}"),
        ImportStatus::InProgress => ("new", "\u{2026}"),
    }
}

/// Removals that no row asked for.
fn removals(summary: &Summary) -> Option<String> {
    let n = Some(summary.implied_removals).filter(|n| *n > 0)?;
    let (were, is_one) = (if summary.dry_run { "would be" } else { "were" }, n == 1);
    let were = if is_one && !summary.dry_run { "was" } else { were };
    let proficiencies = if is_one { "1 proficiency".to_owned() } else { format!("{} proficiencies", grouped(n)) };
    Some(format!("{proficiencies} that the file does not name {were} removed."))
}

/// What happened, in a sentence.
fn headline(summary: &Summary) -> String {
    let to_mend = || format!("{} of {}", grouped(summary.rows.to_retry()), counted(summary.rows.total(), "row"));
    match (summary.status, summary.dry_run) {
        (ImportStatus::Succeeded, false) => "Done: every row is as the file says.".to_owned(),
        (ImportStatus::Succeeded, true) => "The plan is ready: every row can be applied.".to_owned(),
        (ImportStatus::CompletedWithErrors, _) if summary.rows.to_retry() == 0 => {
            "Done, but not all that the file does not name could be removed.".to_owned()
        }
        (ImportStatus::CompletedWithErrors, false) => format!("Done, but {} were not applied.", to_mend()),
        (ImportStatus::CompletedWithErrors, true) => format!("The plan is ready, but {} cannot be applied.", to_mend()),
        (ImportStatus::Rejected, _) => "Rejected: nothing was written.".to_owned(),
        (ImportStatus::Failed, _) if summary.rows.total() > 0 => {
            format!("Failed: the import stopped early, and {} were not applied.", to_mend())
        }
        (ImportStatus::Failed, _) => "Failed: the import stopped early.".to_owned(),
        (ImportStatus::Cancelled, _) => format!("Cancelled: {} were not applied.", to_mend()),
        (ImportStatus::InProgress, _) => "The import is under way.".to_owned(),
    }
}

fn progress(page: &ReportPage<'_>) -> Option<ProgressView> {
    if page.summary.status != ImportStatus::InProgress {
        return None;
    }
    let (done, all) = page.users.unwrap_or_default();
    let words = match all {
        0 => "The file is being read.".to_owned(),
        _ => format!("{} of {} are done.", grouped(done as u64), counted(all as u64, "user")),
    };
    let expected = page.summary.expected_at.map(|at| format!("{}, at {}", from_now(at - page.now), clock(at)));
    Some(ProgressView { words, expected, width: width(done as u64, all as u64), as_of: clock(page.now) })
}

fn bars(summary: &Summary) -> Vec<Bar> {
    let total = summary.rows.total();
    let of = |status: Status| {
        let (tone, sign) = match status {
            Status::Added | Status::Updated | Status::Removed => ("good", "\u{2714}"),
            Status::WouldAdd | Status::WouldUpdate | Status::WouldRemove => ("new", "\u{25cb}"),
            Status::Unchanged | Status::Duplicate => ("calm", "="),
            Status::Invalid | Status::Failed => ("bad", "\u{2716}"),
            Status::Pending => ("warn", "\u{2026}"),
        };
        let n = summary.rows.of(status);
        let name = status.name().replace('_', " ");
        (n > 0).then(|| Bar { name, sign, tone, value: grouped(n), width: width(n, total) })
    };
    Status::ALL.into_iter().filter_map(of).collect()
}

fn levels(levels: &Levels) -> Vec<LevelBars> {
    const NAMES: [&str; 6] = ["none", "1", "2", "3", "4", "5"];
    let Levels { before, after } = levels;
    let most = before.iter().chain(after).copied().max().unwrap_or(0);
    if most == 0 {
        return Vec::new();
    }
    let bars = |((name, before), after): ((&'static str, &u64), &u64)| LevelBars {
        name,
        before: grouped(*before),
        after: grouped(*after),
        before_width: width(*before, most),
        after_width: width(*after, most),
    };
    NAMES.into_iter().zip(before).zip(after).map(bars).collect()
}

fn width(part: u64, whole: u64) -> u64 {
    // What there is some of is to be seen.
    let least = u64::from(part > 0) * 2;
    (part * BAR_WIDTH).checked_div(whole).unwrap_or(0).max(least)
}

/// Options, quotas, times, object and version.
fn facts(page: &ReportPage<'_>) -> Vec<(&'static str, String)> {
    let ReportPage { summary, options, rates, .. } = page;
    let kind = match summary.kind.as_deref() {
        Some("proficiencies") => "proficiencies",
        Some("user_config") => "settings per channel",
        _ => "not known: the header was not understood",
    };
    let mode = match summary.mode {
        Mode::Merge => "merge: what the file does not name is left alone",
        Mode::Replace => "replace: users end with just what the file names",
    };
    let mut facts = vec![
        ("Import", summary.import_id.clone()),
        ("File", cut(&summary.source, MAX_LETTERS)),
        ("Version", cut(&summary.version, MAX_LETTERS)),
        ("Contents", kind.to_owned()),
    ];
    if let Some(columns) = &summary.columns {
        let carried = match columns.carried.len() as u64 {
            0 => String::new(),
            n => format!("; {} copied to results.csv", counted(n, "column")),
        };
        facts.push(("Columns used", format!("{}{carried}", cut(&columns.used.join(", "), MAX_LETTERS))));
    }
    facts.extend([
        ("Mode", mode.to_owned()),
        ("Dry run", if summary.dry_run { "yes" } else { "no" }.to_owned()),
        ("Rejected if more rows are invalid than", format!("{} %", options.max_invalid_percent)),
        ("Rejected if more is removed than", format!("{} %", options.max_removals_percent)),
        ("Proficiencies per user", format!("at most {}", options.max_proficiencies_per_user)),
        (
            "Requests",
            format!("{} a second to each operation, {} at once", rates.default.per_second, rates.default.burst),
        ),
        ("Users in the file", users(summary)),
        ("Began", time(summary.started_at)),
    ]);
    if let Some(finished) = summary.finished_at {
        facts.push(("Ended", format!("{}, after {}", time(finished), lasted(finished - summary.started_at))));
    }
    facts.push(("Times delivered", grouped(u64::from(summary.deliveries))));
    facts.retain(|(_, fact)| !fact.is_empty());
    facts
}

fn users(summary: &Summary) -> String {
    let users = &summary.users;
    if users.total == 0 {
        return String::new();
    }
    format!(
        "{}: {} changed, {} were right already, {} have rows that were not applied (some of them changed, too)",
        grouped(users.total),
        grouped(users.changed),
        grouped(users.unchanged),
        grouped(users.with_errors)
    )
}

/// The report's other objects.
fn objects(details: &Details, summary: &Summary) -> Vec<(String, &'static str)> {
    let named = |name: &str| ROW_OBJECTS_IN_WORDS.iter().find(|(known, _)| *known == name).map(|(_, words)| *words);
    let tables = details.objects.iter().filter_map(|name| Some((name.to_string(), named(name)?)));
    let cancel = (summary.status == ImportStatus::InProgress)
        .then(|| ("cancel".to_owned(), "put an object of this name here, and the import stops"));
    tables.chain([(SUMMARY.to_owned(), "the same in numbers, for programs")]).chain(cancel).collect()
}

/// `22 November 2026, 02:01 UTC`.
fn time(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// `02:01 UTC`.
fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M UTC").to_string()
}

/// `in about 12 minutes`.
fn from_now(left: TimeDelta) -> String {
    match left.num_seconds() {
        ..90 => "in about a minute".to_owned(),
        _ => format!("in about {}", lasted(left)),
    }
}

/// `45 seconds`, `12 minutes`, `2 hours 5 minutes`.
fn lasted(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0).unsigned_abs();
    match seconds {
        ..90 => counted(seconds, "second"),
        90..3600 => counted((seconds + 30) / 60, "minute"),
        _ => {
            let minutes = (seconds + 30) / 60;
            let (hours, minutes) = (counted(minutes / 60, "hour"), minutes % 60);
            if minutes == 0 { hours } else { format!("{hours} {}", counted(minutes, "minute")) }
        }
    }
}

/// The length of a slice.
fn in_seconds(seconds: u64) -> String {
    match seconds {
        ..120 => counted(seconds, "second"),
        120..7200 => format!("about {}", counted((seconds + 30) / 60, "minute")),
        _ => format!("about {}", counted((seconds + 1800) / 3600, "hour")),
    }
}
