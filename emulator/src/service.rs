//! The way of one call through the service: counted, throttled, struck by a fault, worked on.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    error::ApiError,
    faults::{Asked, Fault, Faults},
    operation::Operation,
    state::Instance,
    stats::{Call, Outcome, Stats},
    switches::{Switches, ThrottleCode},
    throttle::Throttle,
    wire::{Clock, Received, Reply, perform},
};

/// The one service behind all clones of an emulator.
#[derive(Debug)]
pub(crate) struct Service {
    /// The instant from which all times are counted.
    pub(crate) start: Instant,
    /// That instant on the calendar, for the timestamps in answers: time since 1970.
    pub(crate) calendar_start: Duration,
    /// The time from a request's being sent to its answer, half of it on the way there.
    pub(crate) latency: Duration,
    pub(crate) records_calls: bool,
    inner: Mutex<Inner>,
}

/// What changes from call to call.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) instance: Instance,
    pub(crate) switches: Switches,
    pub(crate) throttle: Throttle,
    pub(crate) faults: Faults,
    pub(crate) stats: Stats,
    pub(crate) calls: Vec<Call>,
}

impl Service {
    pub(crate) fn new(calendar_start: Duration, latency: Duration, records_calls: bool, inner: Inner) -> Self {
        Self { start: Instant::now(), calendar_start, latency, records_calls, inner: Mutex::new(inner) }
    }

    /// What changes from call to call. A panic elsewhere while it was held left it usable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a call, and says how long the answer is to be held back.
    ///
    /// This takes no time and is not interrupted: a caller who goes away before it was never heard,
    /// one who goes away after it has had the work done.
    pub(crate) fn receive(&self, operation: Operation, received: &Received) -> (Reply, Duration) {
        let at = self.start.elapsed();
        let clock = Clock { since_start: at, calendar_start: self.calendar_start };
        let mut guard = self.lock();
        let inner = &mut *guard;

        let user = received.user_id(&inner.instance).map(str::to_owned);
        let is_within_quota = inner.throttle.take(operation, at);
        let asked = Asked { operation, user: user.as_deref(), has_token: received.has_token() };
        let mut fault = inner.faults.strike(asked, at);
        if !is_within_quota {
            fault = Some(Fault::Throttle);
        }

        let result = lets_work_be_done(fault.as_ref()).then(|| {
            let instance = &mut inner.instance;
            perform(operation, received, instance, &inner.switches, inner.throttle.quotas(), clock)
        });
        let work_done = matches!(result, Some(Ok(_)));
        let held_back = match fault {
            Some(Fault::Slow(duration)) => duration,
            _ => Duration::ZERO,
        };
        let is_throttled = fault == Some(Fault::Throttle);
        let reply = match fault {
            Some(Fault::Throttle) => throttled(inner.switches.throttle_code),
            fault => reply(operation, fault, result),
        };

        let outcome = outcome(&reply, is_throttled);
        inner.stats.count(operation, &outcome);
        if self.records_calls {
            let (body, n_items) = (received.json(), received.n_items());
            inner.calls.push(Call { at, operation, user, n_items, body, outcome, work_done });
        }
        (reply, held_back)
    }
}

fn lets_work_be_done(fault: Option<&Fault>) -> bool {
    match fault {
        None | Some(Fault::Slow(_) | Fault::CutAfter) => true,
        Some(Fault::Custom { work_done, .. }) => *work_done,
        Some(_) => false,
    }
}

/// What a caller gets to see of the work, if there was any.
fn reply(operation: Operation, fault: Option<Fault>, result: Option<Result<Value, ApiError>>) -> Reply {
    match (fault, result) {
        (None | Some(Fault::Slow(_)), Some(Ok(body))) => Reply::Answer(body),
        (None | Some(Fault::Slow(_)), Some(Err(error))) => Reply::Refusal(error),
        (Some(Fault::Bare503), _) => Reply::Bare(503),
        (Some(Fault::CutBefore | Fault::CutAfter), _) => Reply::Cut,
        (Some(Fault::AccessDenied), _) => Reply::Refusal(ApiError::access_denied(operation.name())),
        (Some(Fault::Custom { status, code, message, .. }), _) => Reply::Refusal(ApiError::new(status, code, message)),
        (_, _) => Reply::Refusal(ApiError::internal()),
    }
}

fn throttled(code: ThrottleCode) -> Reply {
    let code = match code {
        ThrottleCode::ThrottlingException => "ThrottlingException",
        ThrottleCode::TooManyRequestsException => "TooManyRequestsException",
        ThrottleCode::Bare => return Reply::Bare(429),
    };
    Reply::Refusal(ApiError::new(429, code, "Rate exceeded"))
}

fn outcome(reply: &Reply, is_throttled: bool) -> Outcome {
    match reply {
        _ if is_throttled => Outcome::Throttled,
        Reply::Answer(_) => Outcome::Ok,
        Reply::Refusal(error) => Outcome::Error { status: error.status, code: error.code.clone() },
        Reply::Bare(status) => Outcome::Error { status: *status, code: "".into() },
        Reply::Cut => Outcome::Cut,
    }
}
