//! Users' proficiencies as a file: a row for each, or a sheet.

use std::collections::{BTreeMap, BTreeSet};

use super::effects::CurrentProficiencies;
use super::plan::{FoldedKey, folded_key};
use super::row::{MAX_LETTERS, level_of};
use super::rows::ProficiencyRows;
use crate::connect::{Connect, Level, Proficiencies, ProficiencyKey};
use crate::input::{Heading, Headings, Reader, escape_formula, is_visible};
use crate::kind::SCHEMAS;
use crate::kind::cells::{check_length, name_of};
use crate::kind::export::{Export, ExportError, ExportedUser, Form};
use crate::outcome::Problem;
use crate::resolve::{Catalog, Match, understand};

/// What a row that says nothing else does.
const SET: &str = "set";

/// What must be known of a centre before the first line.
#[derive(Debug)]
pub struct ProficiencyLayout {
    form: Form,
    catalog: Catalog,
    /// All pairs that the table names, in the instance's spelling, in the order of a sheet's columns.
    columns: Vec<ProficiencyKey>,
    /// The index of each among them.
    indices: BTreeMap<FoldedKey, usize>,
    /// Whether levels between the whole ones are held: only rows with an action can say them.
    has_actions: bool,
}

impl ProficiencyLayout {
    fn new(
        form: Form,
        catalog: Catalog,
        held: impl Iterator<Item = CurrentProficiencies>,
    ) -> Result<Self, ExportError> {
        let mut layout = Self { form, catalog, columns: Vec::new(), indices: BTreeMap::new(), has_actions: false };
        let mut columns = BTreeMap::new();
        for CurrentProficiencies(held) in held {
            for pair in held.keys() {
                if let Match::Unread(code, why) = layout.known(pair) {
                    let message =
                        format!("Whether {pair} is known could not be asked. {why} Ask for the export again.");
                    return Err(ExportError::Unread(Problem::new(code, message)));
                }
            }
            if layout.unsaid(&held).is_none() {
                layout.has_actions |= held.values().any(|level| !is_whole(*level));
                columns.extend(held.into_keys().map(|pair| (folded_key(&pair), layout.spelled(pair))));
            }
        }
        layout.columns = columns.values().cloned().collect();
        layout.columns.sort();
        layout.indices = layout.columns.iter().map(folded_key).zip(0..).collect();
        Ok(layout)
    }

    /// What the instance knows of a pair when it is read from a file.
    fn known(&self, pair: &ProficiencyKey) -> Match {
        let [attribute, value] = [&pair.attribute, &pair.value].map(|name| escape_formula(name));
        self.catalog.find(name_of(&attribute), name_of(&value))
    }

    /// A pair in the instance's spelling.
    fn spelled(&self, pair: ProficiencyKey) -> ProficiencyKey {
        match self.known(&pair) {
            Match::Known { attribute, value } => ProficiencyKey { attribute, value },
            _ => pair,
        }
    }

    /// What a file cannot say of a user with these, if there is something.
    fn unsaid(&self, held: &Proficiencies) -> Option<String> {
        let mut seen = BTreeSet::new();
        held.iter().find_map(|(pair, level)| {
            let has_letters = |name: &str| {
                let is_read = !name_of(&escape_formula(name)).is_empty();
                is_read && is_visible(name) && check_length("", name, MAX_LETTERS).is_ok()
            };
            let is_known = || match self.known(pair) {
                Match::Known { attribute, value } => {
                    folded_key(&ProficiencyKey { attribute, value }) == folded_key(pair)
                }
                _ => false,
            };
            let needs_whole = self.form == Form::Wide;
            if !(has_letters(&pair.attribute) && has_letters(&pair.value)) {
                Some(format!("{pair}, a name that no file can hold"))
            } else if !is_known() {
                Some(format!("{pair}, which the instance does not know"))
            } else if !seen.insert(folded_key(pair)) {
                Some(format!("{pair} in two spellings"))
            } else if !level_of(&level.to_string(), needs_whole).is_ok_and(|read| read == *level) {
                Some(format!("{pair} at level {level}"))
            } else {
                None
            }
        })
    }

    /// The columns of the sheet, as an import must understand them.
    fn headings(&self) -> Headings {
        let heading = |pair: &ProficiencyKey| Heading::Value {
            attribute: pair.attribute.to_string(),
            value: pair.value.to_string(),
        };
        Headings((1..).zip(self.columns.iter().map(heading)).collect())
    }
}

fn is_whole(level: Level) -> bool {
    level_of(&level.to_string(), true).is_ok()
}

impl Export for ProficiencyRows {
    const TABLE: &'static str = "proficiencies.csv";
    type Layout = ProficiencyLayout;

    async fn layout(
        connect: &Connect,
        form: Form,
        held: impl Iterator<Item = CurrentProficiencies> + Clone,
    ) -> Result<ProficiencyLayout, ExportError> {
        let pairs: BTreeSet<ProficiencyKey> =
            held.clone().flat_map(|CurrentProficiencies(held)| held.into_keys()).collect();
        let names: Vec<(&str, &str)> = pairs.iter().map(|pair| (&*pair.attribute, &*pair.value)).collect();
        let catalog = Catalog::read(connect, &names).await?;
        ProficiencyLayout::new(form, catalog, held)
    }

    fn header(layout: &ProficiencyLayout) -> Vec<String> {
        let heading = |pair: &ProficiencyKey| format!("{}: {}", pair.attribute, pair.value);
        let columns: Vec<String> = match layout.form {
            Form::Wide => layout.columns.iter().map(heading).collect(),
            Form::Long => {
                let action = layout.has_actions.then_some("action");
                ["attribute", "value", "level"].into_iter().chain(action).map(str::to_owned).collect()
            }
        };
        std::iter::once("user".to_owned()).chain(columns).collect()
    }

    fn check_header(layout: &ProficiencyLayout, line: &[u8]) -> Result<(), Problem> {
        if layout.form == Form::Long || layout.columns.is_empty() {
            return Ok(());
        }
        let mut reader = Reader::new(SCHEMAS);
        let read = reader.push(line, &mut |_, _| Ok(())).and_then(|()| reader.finish(&mut |_, _| Ok(())));
        let understood = read.and_then(|()| match reader.sheet() {
            Some(sheet) => understand(&layout.catalog, sheet),
            None => Ok(Headings::default()),
        });
        let why = match understood {
            Ok(headings) if headings == layout.headings() => return Ok(()),
            Ok(_) => "An import would take its columns for others.".to_owned(),
            Err(problem) => problem.message,
        };
        let message = format!("What users have cannot be a sheet. {why} Export the long form.");
        Err(Problem::new("no_sheet", message))
    }

    /// Of a user of whom not all can be said nothing is: dropped back with `mode=replace`, the file would take away what it
    /// leaves out.
    fn export(
        layout: &ProficiencyLayout,
        user: &str,
        CurrentProficiencies(held): &CurrentProficiencies,
    ) -> ExportedUser {
        if let Some(unsaid) = layout.unsaid(held) {
            return ExportedUser { left_out: vec![unsaid], ..ExportedUser::default() };
        }
        let lines = match layout.form {
            Form::Long => {
                let row = |(pair, level): (&ProficiencyKey, &Level)| {
                    let action = layout.has_actions.then(|| SET.to_owned());
                    let cells =
                        [user.to_owned(), pair.attribute.to_string(), pair.value.to_string(), level.to_string()];
                    cells.into_iter().chain(action).collect()
                };
                held.iter().map(row).collect()
            }
            Form::Wide => {
                let mut row = vec![String::new(); layout.columns.len() + 1];
                user.clone_into(&mut row[0]);
                for (pair, level) in held {
                    row[layout.indices[&folded_key(pair)] + 1] = level.to_string();
                }
                vec![row]
            }
        };
        ExportedUser { lines, n_rows: held.len() as u64, left_out: Vec::new() }
    }
}
