//! What the headings of a sheet mean: a value of an attribute, an attribute, or nothing; and what was meant by one that
//! means nothing, but nearly something.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::attributes::{Catalog, Match, is_system};
use super::suggest::Suggester;
use crate::connect::{Connect, ConnectError};
use crate::input::{Heading, Headings, SheetHeader, normal};
use crate::outcome::Problem;

/// The name of an attribute has at most so many letters: what is longer is not asked for.
const MAX_LETTERS: usize = 100;
/// A heading is looked at in two at so many of its colons.
const MAX_SPLITS: usize = 8;
/// So many values may the attributes have together whose lists are columns.
const MAX_VALUES: usize = 100_000;
/// So many skills are named where a heading may be several.
const MAX_NAMED: usize = 5;

/// Asks the instance what the headings of a sheet mean. A heading that is nearly a skill rejects the file: a typo must not
/// take a skill from everybody.
pub(crate) async fn explain(connect: &Connect, sheet: &SheetHeader) -> Result<Result<Headings, Problem>, ConnectError> {
    let mut catalog = Catalog::search(connect).await?;
    // The search lags: what it does not show may be there.
    let unknown = sheet.headings().map(|(_, heading)| heading).filter(|heading| meanings(&catalog, heading).is_empty());
    let names = unknown.flat_map(|heading| splits(heading).map(|(attribute, _)| attribute).chain([heading]));
    let names: BTreeSet<String> =
        names.filter(|name| name.chars().count() <= MAX_LETTERS && !is_system(name)).map(str::to_owned).collect();
    catalog.ask(connect, names).await?;
    Ok(understand(&catalog, sheet))
}

/// What the headings mean, as far as the catalogue knows.
pub(crate) fn understand(catalog: &Catalog, sheet: &SheetHeader) -> Result<Headings, Problem> {
    let (mut known, mut unknown) = (BTreeMap::new(), Vec::new());
    for (index, heading) in sheet.headings() {
        let mut found = meanings(catalog, heading);
        match found.len() {
            0 => unknown.push((index, heading)),
            1 => _ = known.insert(index, found.remove(0)),
            _ => return Err(ambiguous(&sheet.shown(index), &found)),
        }
    }
    let headings = Headings(known);
    check_size(&headings)?;
    sheet.check_mistaken(&headings)?;
    let near = Near::new(catalog, &headings);
    for (index, heading) in unknown {
        near.check(catalog, heading, &sheet.shown(index))?;
    }
    if headings.0.is_empty() { Err(sheet.without_skills()) } else { Ok(headings) }
}

/// All deliveries keep the values of the attributes whose lists are columns.
fn check_size(headings: &Headings) -> Result<(), Problem> {
    let n_values = |heading: &Heading| match heading {
        Heading::List { values, .. } => values.len(),
        Heading::Value { .. } => 0,
    };
    if headings.0.values().map(n_values).sum::<usize>() <= MAX_VALUES {
        return Ok(());
    }
    let message = "The sheet has too many columns with lists. Put what one attribute holds into one column.";
    Err(Problem::new("row_too_large", message))
}

/// All that a heading may mean: a pair, else an attribute, else a value. Of several values any may be meant.
fn meanings(catalog: &Catalog, heading: &str) -> Vec<Heading> {
    if let Some(pair) = system_pair(heading) {
        return vec![value_of(pair)];
    }
    let of_attribute = |(attribute, of): (&str, &str)| match catalog.find(attribute, of) {
        Match::Known { attribute, value: of } => Some(value_of((&attribute, &of))),
        _ => None,
    };
    let pairs: Vec<_> = splits(heading).filter(|(name, _)| !is_system(name)).filter_map(of_attribute).collect();
    if !pairs.is_empty() {
        return pairs;
    }
    if let Some((attribute, values)) = catalog.attribute(heading) {
        let values = values.map(ToString::to_string).collect();
        return vec![Heading::List { attribute: attribute.to_string(), values }];
    }
    catalog.pairs_with(heading).map(value_of).collect()
}

fn value_of((attribute, value): (&str, &str)) -> Heading {
    Heading::Value { attribute: attribute.to_owned(), value: value.to_owned() }
}

/// `connect:Attribute: Value`: a pair of the system's, which no catalogue has.
fn system_pair(heading: &str) -> Option<(&str, &str)> {
    let (attribute, value) = heading.split_once(": ")?;
    let (attribute, value) = (attribute.trim(), value.trim());
    (is_system(attribute) && !value.is_empty()).then_some((attribute, value))
}

/// A heading in two at each of its colons.
fn splits(heading: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts =
        heading.match_indices(':').take(MAX_SPLITS).map(|(at, _)| (heading[..at].trim(), heading[at + 1..].trim()));
    parts.filter(|(attribute, value)| !attribute.is_empty() && !value.is_empty())
}

fn ambiguous(heading: &str, meanings: &[Heading]) -> Problem {
    let mut named: Vec<_> = meanings.iter().take(MAX_NAMED).map(name).collect();
    let last = named.pop().unwrap_or_default();
    let message =
        format!("The heading {heading} may be several skills: name the column {} or {last}.", named.join(", "));
    Problem::new("ambiguous_column", message)
}

/// What a column is to be named.
fn name(meaning: &Heading) -> String {
    match meaning.pair() {
        (attribute, Some(value)) => format!("\"{attribute}: {value}\""),
        (attribute, None) => format!("\"{attribute}\""),
    }
}

/// The skills that have no column in the sheet, by names that are near to them.
struct Near {
    /// The attributes, the values and the pairs, without what does not count in a heading.
    suggester: Suggester,
    names: HashMap<String, String>,
    values: Suggester,
    attributes: Suggester,
}

impl Near {
    fn new(catalog: &Catalog, headings: &Headings) -> Self {
        // The columns that there are, by attribute and, unless it is a list, value.
        let columns: HashSet<(&str, Option<&str>)> = headings.0.values().map(Heading::pair).collect();
        let mut names = HashMap::new();
        let (mut all_values, mut attributes) = (BTreeSet::new(), Vec::new());
        for (attribute, values) in catalog.attributes() {
            attributes.push(normal(attribute));
            if !columns.contains(&(attribute, None)) {
                names.entry(normal(attribute)).or_insert_with(|| format!("\"{attribute}\""));
            }
            for value in values {
                all_values.insert(normal(value));
                if !columns.contains(&(attribute, Some(value))) {
                    let pair = format!("{attribute}: {value}");
                    names.entry(normal(value)).or_insert_with(|| format!("\"{pair}\""));
                    names.entry(normal(&pair)).or_insert_with(|| format!("\"{pair}\""));
                }
            }
        }
        let known: BTreeSet<String> = names.keys().cloned().collect();
        Self {
            suggester: Suggester::new(known),
            names,
            values: Suggester::new(all_values),
            attributes: Suggester::new(attributes),
        }
    }

    /// A heading that is no skill is not near to one either, and is not half of one.
    fn check(&self, catalog: &Catalog, heading: &str, shown: &str) -> Result<(), Problem> {
        let unread =
            |name: &str| catalog.unread(name).map(|(code, why)| Problem::new(code.clone(), unasked(shown, why)));
        let mut parts = splits(heading).map(|(attribute, _)| attribute).chain([heading]);
        if let Some(problem) = parts.find_map(unread) {
            return Err(problem);
        }
        let rename = format!("If {shown} is no skill, give the column a name that is less like one.");
        let unknown = |what: String| Err(Problem::new("unknown_column", format!("{what} {rename}")));
        if is_system(heading) {
            return unknown(format!("The heading {shown} names no value: write \"connect:Attribute: Value\"."));
        }
        let near = self.suggester.candidates(&normal(heading)).find_map(|near| self.names.get(near));
        if let Some(name) = near {
            return unknown(format!("The heading {shown} is no skill of this instance; did you mean {name}?"));
        }
        for (left, right) in splits(heading) {
            let of_value = |value: &str| -> Vec<_> {
                catalog.pairs_with(value).take(MAX_NAMED).map(|pair| name(&value_of(pair))).collect()
            };
            let is_near = |name: &str| {
                let name = normal(name);
                [&self.attributes, &self.values].into_iter().any(|among| among.candidates(&name).next().is_some())
            };
            if catalog.attribute(left).is_none()
                && let Some(named) = [right, left].map(of_value).into_iter().find(|named| !named.is_empty())
            {
                let named = named.join(" or ");
                return unknown(format!("The heading {shown} is no skill of this instance; did you mean {named}?"));
            }
            if [left, right].into_iter().any(|name| catalog.attribute(name).is_some() || is_near(name)) {
                return unknown(format!("The heading {shown} is no skill. {}", catalog.why(left, right)));
            }
        }
        Ok(())
    }
}

fn unasked(heading: &str, why: &str) -> String {
    format!("Whether the column {heading} is a skill could not be asked. {why} Drop the file again.")
}
