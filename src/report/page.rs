//! `report.html`: the import for people, in one page without a script and without a request to anywhere. What stands where, and
//! how it looks, is in `templates/report.html`; here is what it says. Pure.

use askama::Template;
use chrono::{DateTime, Utc};

use super::details::{Details, Levels, UndoneRow};
use super::facts::{MAX_LETTERS, facts};
use super::pictures::{OperationPicture, operations};
use super::summary::Summary;
use super::text::{counted, cut, from_now, grouped, in_seconds, time};
use super::{LEFT_OUT, PLAN, REMOVED, RESULTS, RETRY, SUMMARY, UNDO, WITHHELD};
use crate::connect::{Rates, Timeline};
use crate::options::Options;
use crate::outcome::{ImportStatus, Status};
use crate::store::Location;

/// A page is not longer than this, however many rows there are.
const MAX_PAGE_BYTES: usize = 512 * 1024;
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
    /// How far it is with its users, once they are known.
    pub users: Option<UsersDone>,
    /// What decided the import.
    pub options: &'p Options,
    /// The quotas.
    pub rates: &'p Rates,
    /// When the page is written.
    pub now: DateTime<Utc>,
}

/// How far an import is with its users.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsersDone {
    /// Users that are done.
    pub done: usize,
    /// Of so many.
    pub all: usize,
    /// Whether they are only looked at so far, before the first write.
    pub is_preview: bool,
}

impl ReportPage<'_> {
    /// The page's bytes, with as many rows as fit.
    pub(crate) fn render(&self) -> String {
        let mut view = View::of(self);
        loop {
            let page = view.render().expect("a page is written into memory");
            if page.len() <= MAX_PAGE_BYTES || !view.shorten(self) {
                return page;
            }
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
    to_mend: &'p [UndoneRow],
    to_mend_note: String,
    kept: &'p [UndoneRow],
    kept_note: String,
    removed: &'p [Vec<String>],
    removed_title: &'static str,
    removed_note: String,
    withheld: &'p [Vec<String>],
    withheld_note: String,
    levels: Vec<LevelBars>,
    now_or_then: &'static str,
    what: &'static str,
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
        // What stopped the import stands above already.
        let causes = summary.causes.iter().filter(|cause| Some(&cause.message) != summary.message.as_ref());
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
            bars: if summary.export { Vec::new() } else { bars(summary) },
            to_mend: &details.to_mend,
            to_mend_note: String::new(),
            kept: &details.kept,
            kept_note: String::new(),
            removed: &details.removed,
            removed_title: if summary.dry_run { "What would be removed" } else { "What was removed" },
            removed_note: String::new(),
            withheld: &details.withheld,
            withheld_note: String::new(),
            levels: levels(&details.levels),
            now_or_then: if summary.dry_run { "and after it" } else { "and now" },
            what: if summary.export { "export" } else { "import" },
            slice: in_seconds(timeline.slice_seconds()),
            operations: operations(timeline, page.rates, &summary.calls),
            facts: facts(summary, page.options, page.rates),
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
        let all = if details.objects.iter().any(|name| name == RETRY) { RETRY } else { RESULTS };
        let of = |n: usize, total: u64, file: &str| {
            if n as u64 == total {
                format!("All of them ({}); {file} has them, too.", grouped(total))
            } else {
                format!("{} of {}; all are in {file}.", grouped(n as u64), grouped(total))
            }
        };
        let told = of(self.to_mend.len(), summary.rows.to_retry(), all);
        self.to_mend_note = format!("{told} Lines are those of the file that was imported; its first line is line 1.");
        self.kept_note = of(self.kept.len(), summary.rows.of(Status::Kept), RESULTS);
        let removed = of(self.removed.len(), summary.implied_removals, REMOVED);
        self.removed_note = format!("User, attribute, value, level. The file does not name these. {removed}");
        let withheld = of(self.withheld.len(), summary.removals_withheld, WITHHELD);
        self.withheld_note = format!(
            "User, attribute, value, level. The file does not name these either, but a row that cannot be assigned to a user may. \
             {withheld}"
        );
    }

    /// Tells fewer rows, or less of whatever else is long; false if there is nothing left to leave out.
    fn shorten(&mut self, page: &ReportPage<'_>) -> bool {
        if self.to_mend.is_empty() && self.kept.is_empty() && self.removed.is_empty() && self.withheld.is_empty() {
            return self.causes.pop().is_some();
        }
        self.to_mend = &self.to_mend[..self.to_mend.len() * 3 / 4];
        self.kept = &self.kept[..self.kept.len() * 3 / 4];
        self.removed = &self.removed[..self.removed.len() * 3 / 4];
        self.withheld = &self.withheld[..self.withheld.len() * 3 / 4];
        self.note(page);
        true
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

fn proficiencies(n: u64) -> String {
    if n == 1 { "1 proficiency".to_owned() } else { format!("{} proficiencies", grouped(n)) }
}

/// Removals that no row asked for, and those that were withheld.
fn removals(summary: &Summary) -> Option<String> {
    let of = |n: u64, what: &str| (n > 0).then(|| format!("{what}: {}.", proficiencies(n)));
    let (removed, withheld) = if summary.dry_run {
        ("Would be removed, because the file does not name it", "Would be withheld")
    } else {
        ("Removed, because the file does not name it", "Withheld")
    };
    let sentences = [of(summary.implied_removals, removed), of(summary.removals_withheld, withheld)];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// What happened, in a sentence.
fn headline(summary: &Summary) -> String {
    if summary.export {
        return headline_of_export(summary);
    }
    let undone = || format!("{} of {}", grouped(summary.rows.undone()), counted(summary.rows.total(), "row"));
    let is_kept = summary.rows.of(Status::Kept) > 0 && summary.rows.of(Status::Kept) == summary.rows.undone();
    match (summary.status, summary.dry_run) {
        (ImportStatus::Succeeded, false) => "Done: every row is as the file says.".to_owned(),
        (ImportStatus::Succeeded, true) => "The plan is ready: every row can be applied.".to_owned(),
        (ImportStatus::CompletedWithErrors, false) if is_kept => {
            format!("Done, but {} were kept: what they are about was changed since.", undone())
        }
        (ImportStatus::CompletedWithErrors, true) if is_kept => {
            format!("The plan is ready, but {} would be kept: what they are about was changed since.", undone())
        }
        (ImportStatus::CompletedWithErrors, _) if summary.rows.undone() == 0 => {
            "Done, but not all that the file does not name could be removed.".to_owned()
        }
        (ImportStatus::CompletedWithErrors, false) => format!("Done, but {} were not applied.", undone()),
        (ImportStatus::CompletedWithErrors, true) => format!("The plan is ready, but {} cannot be applied.", undone()),
        (ImportStatus::Rejected, _) => "Rejected: nothing was written.".to_owned(),
        (ImportStatus::Failed, _) if summary.rows.undone() > 0 => {
            format!("Failed: the import stopped early, and {} were not applied.", undone())
        }
        (ImportStatus::Failed, _) => "Failed: the import stopped early.".to_owned(),
        (ImportStatus::Cancelled, _) => format!("Cancelled: {} were not applied.", undone()),
        (ImportStatus::InProgress, _) => "The import is under way.".to_owned(),
    }
}

fn headline_of_export(summary: &Summary) -> String {
    match summary.status {
        ImportStatus::Succeeded => "Done: the table has all that users have.".to_owned(),
        ImportStatus::CompletedWithErrors => "Done, but the table does not say all that users have.".to_owned(),
        ImportStatus::Rejected => "Rejected: there is no table.".to_owned(),
        ImportStatus::Failed => "Failed: the export stopped early, and there is no table.".to_owned(),
        ImportStatus::Cancelled => "Cancelled: there is no table.".to_owned(),
        ImportStatus::InProgress => "The export is under way.".to_owned(),
    }
}

fn progress(page: &ReportPage<'_>) -> Option<ProgressView> {
    if page.summary.status != ImportStatus::InProgress {
        return None;
    }
    let words = match page.users {
        None if page.summary.export => "The users are being listed.".to_owned(),
        None => "The file is being read.".to_owned(),
        Some(UsersDone { done, all, is_preview: true }) => format!(
            "{} of {} were looked at. Nothing is written before all were.",
            grouped(done as u64),
            counted(all as u64, "user")
        ),
        Some(UsersDone { done, all, .. }) if page.summary.export => {
            format!("{} of {} were read.", grouped(done as u64), counted(all as u64, "user"))
        }
        Some(UsersDone { done, all, .. }) => {
            format!("{} of {} are done.", grouped(done as u64), counted(all as u64, "user"))
        }
    };
    let clock = |at: DateTime<Utc>| {
        if at.date_naive() == page.now.date_naive() { at.format("%H:%M UTC").to_string() } else { time(at) }
    };
    let expected = page.summary.expected_at.map(|at| format!("{}, at {}", from_now(at - page.now), clock(at)));
    let width = page.users.map_or(0, |users| width(users.done as u64, users.all as u64));
    Some(ProgressView { words, expected, width, as_of: time(page.now) })
}

fn bars(summary: &Summary) -> Vec<Bar> {
    let total = summary.rows.total();
    let of = |status: Status| {
        let (tone, sign) = match status {
            Status::Added | Status::Updated | Status::Removed => ("good", "\u{2714}"),
            Status::WouldAdd | Status::WouldUpdate | Status::WouldRemove => ("new", "\u{25cb}"),
            Status::Unchanged | Status::Duplicate => ("calm", "="),
            Status::Kept => ("warn", "\u{21a9}"),
            Status::Invalid | Status::Failed => ("bad", "\u{2716}"),
            Status::Pending => ("warn", "\u{2026}"),
        };
        let n = summary.rows.of(status);
        (n > 0).then(|| Bar { name: status.in_words(), sign, tone, value: grouped(n), width: width(n, total) })
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
    // Even one row has a bar that can be seen.
    let least = u64::from(part > 0) * 2;
    (part * BAR_WIDTH).checked_div(whole).unwrap_or(0).max(least)
}

/// The report's other objects, and what each is for.
fn objects(details: &Details, summary: &Summary) -> Vec<(String, &'static str)> {
    let words = |name: &str| match (name, summary.dry_run) {
        (LEFT_OUT, _) => "users of whom the table does not say all, and why",
        _ if summary.export => "what users have: edit it, and upload it",
        (RESULTS, _) => "every row of the file, and its result",
        (RETRY, false) => "the rows that were not applied",
        (RETRY, true) => "the rows that cannot be applied",
        (UNDO, _) => "undoes this import if it is uploaded, and spares what others changed since",
        (PLAN, _) => "does what this report says if it is uploaded",
        (WITHHELD, _) => "removes what was withheld if it is uploaded",
        (REMOVED, false) => "what was removed because the file does not name it",
        (REMOVED, true) => "what would be removed because the file does not name it",
        _ => "",
    };
    let tables = details.objects.iter().map(|name| (name.to_string(), words(name)));
    let cancel = (summary.status == ImportStatus::InProgress)
        .then(|| ("cancel".to_owned(), "put an object of this name here, and it stops"));
    tables.chain([(SUMMARY.to_owned(), "the same in numbers, for programs")]).chain(cancel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::{AccountQuotas, Rate, RateSettings};
    use crate::options::{Mode, RecheckDays, UnassignedRows};
    use crate::outcome::Line;

    #[test]
    fn a_page_that_would_be_too_large_tells_fewer_rows() {
        let cell = |n: usize| (format!("column {n}"), "&".repeat(200));
        let row = |n| UndoneRow {
            line: Line(n),
            status: Status::Failed,
            cells: (0..5).map(cell).collect(),
            message: "<".repeat(500),
        };
        let removal = || vec!["\"".repeat(200); 4];
        let details = Details {
            to_mend: (0..500).map(row).collect(),
            removed: (0..200).map(|_| removal()).collect(),
            ..Details::default()
        };
        let mut summary =
            Summary::begun("an-id".to_owned(), "s3://b/k.csv".to_owned(), Mode::Replace, false, DateTime::UNIX_EPOCH);
        summary.status = ImportStatus::CompletedWithErrors;
        (0..4_312).for_each(|_| summary.rows.add(Status::Failed));
        summary.implied_removals = 9_000;
        let rate = Rate { per_second: 2.0, burst: std::num::NonZeroU32::MIN };
        let page = ReportPage {
            summary: &summary,
            details: &details,
            folder: &Location::new("b", "reports/k.csv/an-id/"),
            upload_folder: "s3://b/incoming/",
            timeline: &Timeline::default(),
            users: None,
            options: &Options {
                mode: Mode::Replace,
                mode_is_explicit: true,
                dry_run: false,
                max_invalid_percent: 50.0.try_into().unwrap(),
                max_removals_percent: 20.0.try_into().unwrap(),
                max_proficiencies_per_user: 10,
                unassigned_rows: UnassignedRows::Protect,
                recheck_days: RecheckDays::default(),
            },
            rates: &RateSettings::fixed(rate).rates(&AccountQuotas::default()),
            now: DateTime::UNIX_EPOCH,
        };
        let text = page.render();
        assert!((MAX_PAGE_BYTES / 2..=MAX_PAGE_BYTES).contains(&text.len()), "{}", text.len());
        let n_rows = text.matches("<strong>Line ").count();
        assert!(n_rows < 500 && text.contains(&format!("{n_rows} of 4,312; all are in results.csv.")), "{n_rows}");
        assert!(text.contains(" of 9,000; all are in removed.csv."));
    }
}
