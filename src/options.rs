//! What decides an import, apart from its file: fixed when the import begins. Pure.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::outcome::Problem;

/// What happens to what the file does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It stays.
    #[default]
    Merge,
    /// Each user in the file ends with exactly what the file names for it.
    Replace,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "merge" => Ok(Self::Merge),
            "replace" => Ok(Self::Replace),
            _ => Err(format!("'{text}' is neither 'merge' nor 'replace'")),
        }
    }
}

/// What rows protect that cannot be assigned to a user, where the file is the whole truth for its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnassignedRows {
    /// What they may name is removed from nobody by implication.
    #[default]
    Protect,
    /// The same, but for whole rows of people whom the instance does not have, nor anybody of nearly that name.
    Ignore,
}

impl FromStr for UnassignedRows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "protect" => Ok(Self::Protect),
            "ignore" => Ok(Self::Ignore),
            _ => Err(format!("'{text}' is neither 'protect' nor 'ignore'")),
        }
    }
}

/// How long a user that was seen right need not be read again, in whole days; 0 is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct RecheckDays(u16);

impl RecheckDays {
    /// The number of days.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for RecheckDays {
    type Error = String;

    fn try_from(days: u32) -> Result<Self, String> {
        let given = u16::try_from(days).ok().filter(|days| *days <= 365);
        given.map(Self).ok_or_else(|| format!("{days} is not between 0 and 365 days"))
    }
}

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Percent(f64);

impl Percent {
    /// Whether `part` of `whole` is more than this share.
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        part as f64 * 100.0 > whole as f64 * self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(percent: f64) -> Result<Self, String> {
        let is_percent = (0.0..=100.0).contains(&percent);
        if is_percent { Ok(Self(percent)) } else { Err(format!("{percent} is not between 0 and 100")) }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What decides an import, apart from its file: fixed when it begins, for all its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// What happens to what the file does not name.
    pub mode: Mode,
    /// Whether the key or the request names the mode: then a file that the mode does not fit is rejected.
    pub mode_is_explicit: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// More invalid rows than this (of at least ten), and nothing is written.
    pub max_invalid_percent: Percent,
    /// More implied removals than this share, and nothing is written.
    pub max_removals_percent: Percent,
    /// The largest final set of a user.
    pub max_proficiencies_per_user: usize,
    /// What rows protect that cannot be assigned to a user.
    #[serde(default)]
    pub unassigned_rows: UnassignedRows,
    /// How long a user that was seen right need not be read again.
    #[serde(default)]
    pub recheck_days: RecheckDays,
}

impl Options {
    /// These options with those of the key instead, which are folders such as `mode=replace`: never the file's own name.
    ///
    /// A folder `a=b` that names no option is a folder like any other. A folder that is plainly meant for an option and is
    /// none is a [`Problem`]: a mistyped `dryrun` must not become a real run. So is an option that stands twice with
    /// different values: who may write below `dry-run=true/` only must not get a real run by `dry-run=false/` below it.
    pub fn at_key(self, key: &str) -> Result<Self, Problem> {
        let folders = key.rsplit_once('/').map_or("", |(folders, _)| folders);
        let (mut mode, mut dry_run) = (None, None);
        for folder in folders.split('/') {
            let bad = |why: String| invalid_option(folder, &why);
            match folder_option(folder).map_err(bad)? {
                Some(FolderOption::Mode(value)) => set_once(&mut mode, folder, value).map_err(bad)?,
                Some(FolderOption::DryRun(value)) => set_once(&mut dry_run, folder, value).map_err(bad)?,
                None => {}
            }
        }
        Ok(Self {
            mode: mode.map_or(self.mode, |(_, mode)| mode),
            mode_is_explicit: self.mode_is_explicit || mode.is_some(),
            dry_run: dry_run.map_or(self.dry_run, |(_, dry_run)| dry_run),
            ..self
        })
    }
}

/// An option that a folder of the key names.
enum FolderOption {
    Mode(Mode),
    DryRun(bool),
}

/// The option that a folder names, if it names one; or why the folder cannot be followed.
fn folder_option(folder: &str) -> Result<Option<FolderOption>, String> {
    let lowercase = folder.to_lowercase();
    match lowercase.split_once('=') {
        Some(("mode", value)) => value.parse().map(|mode| Some(FolderOption::Mode(mode))),
        Some(("dry-run" | "dry_run", "true")) => Ok(Some(FolderOption::DryRun(true))),
        Some(("dry-run" | "dry_run", "false")) => Ok(Some(FolderOption::DryRun(false))),
        Some(("dry-run" | "dry_run", _)) => Err("it is neither 'true' nor 'false'".to_owned()),
        _ => match meant_option(folder) {
            Some(option) => Err(format!("write {option}, or rename the folder if it is not meant for an option")),
            None => Ok(None),
        },
    }
}

/// How the option is written that a folder is plainly meant for.
fn meant_option(folder: &str) -> Option<&'static str> {
    /// How many letters such a folder may have missing, added, changed or swapped.
    const MOST_WRONG: usize = 2;
    const FORMS: [(&str, &str); 3] =
        [("mode=replace", "'mode=replace'"), ("mode=merge", "'mode=merge'"), ("dryrun=true", "'dry-run=true'")];
    let letters = bare_letters(folder);
    if letters == "mode" {
        return Some("'mode=merge' or 'mode=replace'");
    }
    if letters == "dryrun" || letters.starts_with("dryrun=") {
        return Some("'dry-run=true' or 'dry-run=false'");
    }
    let nearest = FORMS.into_iter().map(|(form, written)| (strsim::osa_distance(&letters, form), written)).min()?;
    (nearest.0 <= MOST_WRONG).then_some(nearest.1)
}

/// A folder's name without case, spaces, `-`, `_` and percent-encoding.
fn bare_letters(folder: &str) -> String {
    let mut name = folder.to_owned();
    // What was encoded twice is decoded twice: each round makes the name shorter.
    while let Ok(decoded) = percent_decode_str(&name).decode_utf8()
        && decoded != name
    {
        name = decoded.into_owned();
    }
    name.retain(|letter| !matches!(letter, '-' | '_') && !letter.is_whitespace());
    name.to_lowercase()
}

/// Sets an option that may stand twice in a key, but with one value only.
fn set_once<'f, V: Copy + PartialEq>(
    option: &mut Option<(&'f str, V)>,
    folder: &'f str,
    value: V,
) -> Result<(), String> {
    match option.replace((folder, value)) {
        Some((other, before)) if before != value => Err(format!("the folder '{other}' above it says otherwise")),
        _ => Ok(()),
    }
}

fn invalid_option(folder: &str, why: &str) -> Problem {
    let message = format!("The folder '{folder}' is not an option that can be followed: {why}.");
    Problem::new("invalid_option", message)
}

/// Where objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// Where objects are taken from.
    pub import: String,
    /// Where reports are written to.
    pub report: String,
    /// Where an import keeps what it must remember.
    pub state: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Options = Options {
        mode: Mode::Merge,
        mode_is_explicit: false,
        dry_run: false,
        max_invalid_percent: Percent(50.0),
        max_removals_percent: Percent(20.0),
        max_proficiencies_per_user: 10,
        unassigned_rows: UnassignedRows::Protect,
        recheck_days: RecheckDays(0),
    };

    /// Mode, whether it is explicit, and whether it is a dry run; or the message.
    fn at_key(key: &str) -> Result<(Mode, bool, bool), String> {
        match SETTINGS.at_key(key) {
            Ok(options) => Ok((options.mode, options.mode_is_explicit, options.dry_run)),
            Err(problem) => {
                assert_eq!(problem.code, "invalid_option");
                Err(problem.message)
            }
        }
    }

    #[test]
    fn folders_of_the_key_are_options() {
        for (key, options) in [
            ("incoming/a.csv", (Mode::Merge, false, false)),
            ("a.csv", (Mode::Merge, false, false)),
            ("incoming/mode=merge/a.csv", (Mode::Merge, true, false)),
            ("incoming/mode=replace/dry-run=true/a.csv", (Mode::Replace, true, true)),
            ("incoming/Mode=REPLACE/a.csv", (Mode::Replace, true, false)),
            ("incoming/dry_run=TRUE/a.csv", (Mode::Merge, false, true)),
            ("dry-run=true/mode=replace/x/a.csv", (Mode::Replace, true, true)),
            ("incoming/dry-run=true/dry_run=true/a.csv", (Mode::Merge, false, true)),
        ] {
            assert_eq!(at_key(key), Ok(options), "{key}");
        }
        let settings = Options { mode: Mode::Replace, dry_run: true, ..SETTINGS };
        assert_eq!(settings.at_key("incoming/a.csv"), Ok(settings));
        let options = settings.at_key("incoming/mode=merge/dry-run=false/a.csv").unwrap();
        assert_eq!(options, Options { mode_is_explicit: true, ..SETTINGS });
    }

    #[test]
    fn a_folder_that_names_no_option_is_a_folder_and_so_is_the_files_own_name_none() {
        for key in [
            "incoming/team=blue/mode=replace.csv",
            "incoming/dryrun=true",
            "incoming/dry-run",
            "mode",
            "incoming/modern=art/a.csv",
            "incoming/modes/a.csv",
            "incoming/model=large/a.csv",
            "incoming/replace/a.csv",
            "incoming/merge/true/a.csv",
            "incoming/year=2026/month=11/day=21/a.csv",
            "incoming/100%/50%20off/a.csv",
            "incoming/dry-runs-of-may/a.csv",
            "incoming//a.csv",
        ] {
            assert_eq!(at_key(key), Ok((Mode::Merge, false, false)), "{key}");
        }
    }

    #[test]
    fn an_option_with_a_bad_value_is_refused() {
        for (folder, why) in [
            ("mode=replcae", "'replcae' is neither 'merge' nor 'replace'"),
            ("MODE=", "'' is neither 'merge' nor 'replace'"),
            ("dry-run=maybe", "it is neither 'true' nor 'false'"),
            ("dry_run=", "it is neither 'true' nor 'false'"),
            ("dry-run=true ", "it is neither 'true' nor 'false'"),
        ] {
            let message = format!("The folder '{folder}' is not an option that can be followed: {why}.");
            assert_eq!(at_key(&format!("incoming/{folder}/a.csv")), Err(message));
        }
    }

    #[test]
    fn a_folder_that_is_meant_for_an_option_and_is_none_is_refused_with_what_to_write() {
        for (folder, written) in [
            ("dryrun=true", "'dry-run=true' or 'dry-run=false'"),
            ("dryrun=false", "'dry-run=true' or 'dry-run=false'"),
            ("Dry Run = true", "'dry-run=true' or 'dry-run=false'"),
            ("dry--run=yes", "'dry-run=true' or 'dry-run=false'"),
            ("dry-run", "'dry-run=true' or 'dry-run=false'"),
            ("DRYRUN", "'dry-run=true' or 'dry-run=false'"),
            ("dry-run%3Dtrue", "'dry-run=true' or 'dry-run=false'"),
            ("dry-run%253Dtrue", "'dry-run=true' or 'dry-run=false'"),
            ("dry%20run%3dtrue", "'dry-run=true' or 'dry-run=false'"),
            ("dry-run-true", "'dry-run=true'"),
            ("dry\u{2013}run=true", "'dry-run=true'"),
            ("dy-run=true", "'dry-run=true'"),
            ("mode", "'mode=merge' or 'mode=replace'"),
            ("Mode ", "'mode=merge' or 'mode=replace'"),
            ("modus=replace", "'mode=replace'"),
            ("mode%3Dreplace", "'mode=replace'"),
            ("mode:replace", "'mode=replace'"),
            ("mode-replace", "'mode=replace'"),
            ("mode =replace", "'mode=replace'"),
            ("moed=relpace", "'mode=replace'"),
            ("mdoe=merge", "'mode=merge'"),
            ("mode merge", "'mode=merge'"),
        ] {
            let message = at_key(&format!("incoming/{folder}/a.csv")).expect_err(folder);
            let expected = format!(
                "The folder '{folder}' is not an option that can be followed: write {written}, or rename the folder if it \
                 is not meant for an option."
            );
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn an_option_that_stands_twice_with_different_values_is_refused() {
        assert_eq!(
            at_key("incoming/dry-run=true/team/dry_run=false/a.csv").unwrap_err(),
            "The folder 'dry_run=false' is not an option that can be followed: the folder 'dry-run=true' above it says \
             otherwise."
        );
        assert!(at_key("incoming/mode=merge/Mode=replace/a.csv").unwrap_err().contains("'mode=merge' above it"));
        assert_eq!(at_key("incoming/mode=merge/MODE=Merge/a.csv"), Ok((Mode::Merge, true, false)));
    }
}
