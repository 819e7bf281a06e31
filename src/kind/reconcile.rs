//! Brings one user to what its rows say: read, plan, write, and read again where a write did not succeed. One loop for all
//! kinds; what a kind knows is its [`Target`].

use serde::Serialize;
use serde_json::value::RawValue;

use super::rows::{ReconcileOptions, Target, Writes};
use super::unassigned::Protected;
use crate::connect::{Connect, ConnectError, ErrorKind, UserId};
use crate::outcome::Preview;

/// A user whose writes may have started in an earlier delivery.
#[derive(Debug)]
pub struct Prior<T: Target> {
    /// What it had before this import's first write for it.
    before: T::Current,
    /// See [`Prior::possible`].
    possible: Box<RawValue>,
}

impl<T: Target> Prior<T> {
    /// What [`reconcile`] handed to `before_first_write` in that delivery.
    pub fn parse(before: &RawValue, possible: &RawValue) -> serde_json::Result<Self> {
        serde_json::from_str::<T::Effects>(possible.get())?;
        Ok(Self { before: serde_json::from_str(before.get())?, possible: possible.to_owned() })
    }

    /// The [`Target::Effects`] that count if the user cannot be read any more.
    pub fn possible(&self) -> &RawValue {
        &self.possible
    }
}

/// The result for one user.
#[derive(Debug)]
pub struct Reconciled<T: Target> {
    /// The outcome of each item.
    pub outcomes: Vec<T::ItemOutcome>,
    /// What was done to the user, as [`Target::Effects`] in JSON; nothing if nothing was.
    pub effects: Option<Box<RawValue>>,
    /// Whether everything was tried, so that no other delivery must come back to the user.
    pub is_done: bool,
    /// How many things the user has in the end, as far as is known.
    pub n_held: usize,
    /// The refusal that stops the whole import, if there was one.
    pub stop: Option<ConnectError>,
}

/// Brings a user to what the items say, as far as the options allow.
///
/// After a write that failed otherwise than by throttling the user is read again and planned anew. What is in place in
/// the end was done by this import, whatever the calls answered.
///
/// Before the first write, `before_first_write` is called with what the user has and with the effects that the writes may
/// have at most, unless an earlier delivery has kept both already (`prior`).
pub async fn reconcile<T: Target>(
    connect: &Connect,
    user: &UserId,
    items: &[T::Item],
    options: ReconcileOptions<'_>,
    prior: Option<&Prior<T>>,
    before_first_write: impl AsyncFnOnce(Box<RawValue>, Box<RawValue>),
) -> Reconciled<T> {
    let now = match T::read(connect, user).await {
        Ok(now) => now,
        Err(error) => return unread(items, prior, error),
    };
    let before = prior.map_or(&now, |prior| &prior.before).clone();
    let mut target = T::new(items, before.clone(), now, &options);
    let announce = async |target: &T| {
        if prior.is_none() {
            before_first_write(to_json(&before), to_json(&target.possible_effects())).await;
        }
    };
    let stop = match options.writes {
        Writes::Observe => {
            if prior.is_some() {
                target.distrust();
            }
            None
        }
        Writes::Plan => {
            while let Some(call) = target.next_call() {
                target.succeeded(call);
            }
            None
        }
        Writes::Apply => write(connect, user, &mut target, announce).await,
    };
    let effects = target.effects();
    Reconciled {
        outcomes: target.outcomes(),
        effects: (effects != T::Effects::default()).then(|| to_json(&effects)),
        is_done: !target.is_untried(),
        n_held: target.n_held(),
        stop: stop.filter(|error| error.stops_import),
    }
}

/// Writes until nothing is wanted any more, and returns the failure that ended it earlier, if one did. Each failed call
/// makes its target give something up, or try it in one of a few other ways; so there is a last one.
async fn write<T: Target>(
    connect: &Connect,
    user: &UserId,
    target: &mut T,
    announce: impl AsyncFnOnce(&T),
) -> Option<ConnectError> {
    let mut announce = Some(announce);
    while let Some(call) = target.next_call() {
        if let Some(announce) = announce.take() {
            announce(target).await;
        }
        let Err(error) = T::send(connect, user, &call).await else {
            target.succeeded(call);
            continue;
        };
        if error.kind == ErrorKind::NotSent {
            return Some(error);
        }
        if error.stops_import {
            target.give_up(&call, &error);
            return Some(error);
        }
        match T::read(connect, user).await {
            Ok(now) => target.refresh(now),
            Err(unread) => {
                target.lost_sight(&call, &error, &unread);
                return Some(unread);
            }
        }
        target.failed(&call, &error);
    }
    None
}

/// A user that could not be read: nothing was tried by this delivery.
fn unread<T: Target>(items: &[T::Item], prior: Option<&Prior<T>>, error: ConnectError) -> Reconciled<T> {
    let is_untried = error.kind == ErrorKind::NotSent || error.stops_import;
    Reconciled {
        outcomes: T::unread(items, (!is_untried).then_some(&error)),
        effects: prior.map(|prior| prior.possible.clone()),
        is_done: !is_untried,
        n_held: 0,
        stop: error.stops_import.then_some(error),
    }
}

/// What bringing a user to these items would do, or replacing its set by them, less what is protected. Nothing is written.
pub async fn preview<T: Target>(
    connect: &Connect,
    user: &UserId,
    items: &[T::Item],
    replaces: bool,
    protected: &Protected,
) -> Result<Preview, ConnectError> {
    let now = T::read(connect, user).await?;
    let options = ReconcileOptions { limit: usize::MAX, replaces, protected, writes: Writes::Observe };
    Ok(T::new(items, now.clone(), now, &options).preview())
}

fn to_json(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("what a journal keeps of a user has no map keys")
}
