//! The three writes on the proficiencies of a user.
//!
//! Each takes its items one after another, and each item either changes the set or is refused; what
//! a refusal means for the items around it is said by [`Batch`].

use std::time::Duration;

use super::instance::{Instance, ProficiencySet, no_user};
use crate::{
    error::ApiError,
    switches::{
        AssociateExisting, Batch, DisassociateMissing, DuplicateInCall, EmptyCall, FractionalLevels, OverLimit,
        Switches, UpdateMissing, UpdateSameLevel,
    },
};

/// One item of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Proficiency {
    /// The name of a predefined attribute.
    pub name: String,
    /// One of its values.
    pub value: String,
    /// How good the user is at it, from 1 to 5.
    pub level: f32,
}

type Pair = (String, String);

impl Instance {
    /// Gives a user proficiencies that it does not have yet.
    pub fn associate(
        &mut self,
        user_id: &str,
        items: &[Proficiency],
        switches: &Switches,
        now: Duration,
    ) -> Result<(), ApiError> {
        let limit = self.max_proficiencies;
        let items = levelled(items);
        self.write(user_id, &items, switches, now, |set, pair, level| {
            check_whole(level, switches)?;
            let Some(old) = set.get_mut(&pair) else {
                return add(set, pair, level, limit, switches);
            };
            match switches.associate_existing {
                AssociateExisting::Error => return Err(already_associated(&pair, switches)),
                AssociateExisting::Overwrite => *old = level,
                AssociateExisting::NoOp => {}
            }
            Ok(())
        })
    }

    /// Changes the levels of proficiencies that a user has.
    pub fn update(
        &mut self,
        user_id: &str,
        items: &[Proficiency],
        switches: &Switches,
        now: Duration,
    ) -> Result<(), ApiError> {
        let limit = self.max_proficiencies;
        let items = levelled(items);
        self.write(user_id, &items, switches, now, |set, pair, level| {
            check_whole(level, switches)?;
            let Some(old) = set.get_mut(&pair) else {
                return match switches.update_missing {
                    UpdateMissing::Error => Err(not_associated(&pair, switches)),
                    UpdateMissing::Upsert => add(set, pair, level, limit, switches),
                    UpdateMissing::NoOp => Ok(()),
                };
            };
            let is_same = (*old - level).abs() < f32::EPSILON;
            if is_same && switches.update_same_level == UpdateSameLevel::Error {
                let message = format!("Proficiency {} has this level already.", shown(&pair));
                return Err(switches.refuse(message));
            }
            *old = level;
            Ok(())
        })
    }

    /// Takes proficiencies, each given as `(name, value)`, from a user.
    pub fn disassociate(
        &mut self,
        user_id: &str,
        items: &[(String, String)],
        switches: &Switches,
        now: Duration,
    ) -> Result<(), ApiError> {
        let items: Vec<_> = items.iter().map(|pair| (pair.clone(), ())).collect();
        self.write(user_id, &items, switches, now, |set, pair, ()| {
            if set.remove(&pair).is_some() {
                return Ok(());
            }
            match switches.disassociate_missing {
                DisassociateMissing::Error => Err(not_associated(&pair, switches)),
                DisassociateMissing::NoOp => Ok(()),
            }
        })
    }

    /// What the three writes have in common. `step` does one item to the set.
    fn write<L: Copy>(
        &mut self,
        user_id: &str,
        items: &[(Pair, L)],
        switches: &Switches,
        now: Duration,
        step: impl Fn(&mut ProficiencySet, Pair, L) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        check_length(items.len(), switches)?;
        let mut set = self.user(user_id)?.proficiencies.clone();
        let outcome = self.take_steps(&mut set, items, switches, step);
        let is_kept = outcome.is_ok() || switches.batch == Batch::Partial;
        if is_kept {
            let user = self.users.get_mut(user_id);
            user.ok_or_else(|| no_user(user_id))?.replace(set, now);
        }
        outcome
    }

    /// Does the items in order, up to the first that is refused.
    fn take_steps<L: Copy>(
        &self,
        set: &mut ProficiencySet,
        items: &[(Pair, L)],
        switches: &Switches,
        step: impl Fn(&mut ProficiencySet, Pair, L) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        let spelt = |pair: &Pair| self.held_spelling(set, pair, switches);
        let spelt: Vec<_> = items.iter().map(|(pair, _)| spelt(pair)).collect();
        for (i, (pair, (_, level))) in spelt.iter().zip(items).enumerate() {
            let pair = pair.clone()?;
            let is_same = |other: &Result<Pair, _>| other.as_ref() == Ok(&pair);
            match switches.duplicate_in_call {
                DuplicateInCall::Error if spelt[..i].iter().any(is_same) => {
                    let message = format!("Proficiency {} is given twice.", shown(&pair));
                    return Err(switches.refuse(message));
                }
                DuplicateInCall::LastWins if spelt[i + 1..].iter().any(is_same) => {}
                _ => step(set, pair, *level)?,
            }
        }
        Ok(())
    }

    /// The spelling of a pair that the user has or could have.
    ///
    /// A pair that the user has is found though its attribute is gone from the instance.
    fn held_spelling(&self, set: &ProficiencySet, pair: &Pair, switches: &Switches) -> Result<Pair, ApiError> {
        if set.contains_key(pair) {
            return Ok(pair.clone());
        }
        self.attributes.spelling(&pair.0, &pair.1, switches)
    }
}

fn levelled(items: &[Proficiency]) -> Vec<(Pair, f32)> {
    let pair = |item: &Proficiency| (item.name.clone(), item.value.clone());
    items.iter().map(|item| (pair(item), item.level)).collect()
}

fn add(set: &mut ProficiencySet, pair: Pair, level: f32, limit: usize, switches: &Switches) -> Result<(), ApiError> {
    if set.len() >= limit {
        return Err(over_limit(limit, switches.over_limit));
    }
    set.insert(pair, level);
    Ok(())
}

fn check_length(n_items: usize, switches: &Switches) -> Result<(), ApiError> {
    if n_items == 0 && switches.empty_call == EmptyCall::Error {
        return Err(switches.refuse("The list of proficiencies is empty."));
    }
    match switches.max_items_per_call {
        Some(max) if n_items > max => {
            Err(ApiError::invalid_parameter(format!("A call takes at most {max} proficiencies; {n_items} were given.")))
        }
        _ => Ok(()),
    }
}

fn check_whole(level: f32, switches: &Switches) -> Result<(), ApiError> {
    let is_refused = level.fract() != 0.0 && switches.fractional_levels == FractionalLevels::Refused;
    if is_refused {
        let message = format!("Level {level} is not valid. The valid values are 1, 2, 3, 4 and 5.");
        return Err(ApiError::invalid_parameter(message));
    }
    Ok(())
}

fn already_associated(pair: &Pair, switches: &Switches) -> ApiError {
    switches.refuse(format!("Proficiency {} is already associated with the user.", shown(pair)))
}

fn not_associated(pair: &Pair, switches: &Switches) -> ApiError {
    switches.refuse(format!("Proficiency {} is not associated with the user.", shown(pair)))
}

fn over_limit(limit: usize, how: OverLimit) -> ApiError {
    let message = format!("A user can have at most {limit} proficiencies.");
    match how {
        OverLimit::InvalidParameter => ApiError::invalid_parameter(message),
        OverLimit::LimitExceeded => ApiError::new(429, "LimitExceededException", message),
        OverLimit::ServiceQuotaExceeded => ApiError::new(402, "ServiceQuotaExceededException", message),
    }
}

fn shown((name, value): &Pair) -> String {
    format!("'{name}: {value}'")
}
