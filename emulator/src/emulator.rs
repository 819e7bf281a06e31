//! The emulator as a whole: put together, asked, looked into.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::{
    faults::Faults,
    http::router,
    service::{Inner, Service},
    state::Instance,
    stats::{Call, Stats},
    switches::Switches,
    throttle::{Quotas, Throttle},
    wire::CutMark,
};

/// The calendar time of an emulator's start, if none is given: 2026-01-01T00:00:00Z.
const DEFAULT_CALENDAR_START: Duration = Duration::from_secs(1_767_225_600);

/// Amazon Connect with one instance in it. Clones are the same service.
///
/// Time is tokio's throughout, so that it stands still in a test that pauses it.
#[derive(Debug, Clone)]
pub struct Emulator {
    service: Arc<Service>,
    router: Router,
}

/// The connection broke before an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCut;

/// An emulator that is not yet running.
#[derive(Debug)]
pub struct Builder {
    instance: Instance,
    switches: Switches,
    quotas: Quotas,
    faults: Faults,
    latency: Duration,
    calendar_start: Duration,
    records_calls: bool,
}

impl Emulator {
    /// An emulator that answers at once, with everything as it is by default.
    pub fn new(instance: Instance) -> Self {
        Self::builder(instance).build()
    }

    /// An emulator to be set up.
    pub fn builder(instance: Instance) -> Builder {
        Builder {
            instance,
            switches: Switches::default(),
            quotas: Quotas::default(),
            faults: Faults::none(),
            latency: Duration::ZERO,
            calendar_start: DEFAULT_CALENDAR_START,
            records_calls: true,
        }
    }

    /// Answers a request in process. Only path, query and body matter: no host, no signature.
    pub async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionCut> {
        let response = self.respond(request.map(Body::from)).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| ConnectionCut)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> Result<Response<Body>, ConnectionCut> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        if response.extensions().get::<CutMark>().is_some() {
            return Err(ConnectionCut);
        }
        Ok(response)
    }

    /// Looks into the instance, or changes it behind the clients' backs.
    pub fn instance<R>(&self, look: impl FnOnce(&mut Instance) -> R) -> R {
        look(&mut self.service.lock().instance)
    }

    /// Another script of faults, its counts at zero.
    pub fn set_faults(&self, faults: Faults) {
        self.service.lock().faults = faults;
    }

    /// Other switches.
    pub fn set_switches(&self, switches: Switches) {
        self.service.lock().switches = switches;
    }

    /// Counts of calls since the start or the last [`Emulator::reset_stats`].
    pub fn stats(&self) -> Stats {
        self.service.lock().stats.clone()
    }

    /// All calls since the start or the last [`Emulator::reset_stats`], in the order they came.
    pub fn calls(&self) -> Vec<Call> {
        self.service.lock().calls.clone()
    }

    /// Forgets the counts and the calls so far; buckets and the counts of faults stay.
    pub fn reset_stats(&self) {
        let mut inner = self.service.lock();
        inner.stats = Stats::default();
        inner.calls.clear();
    }

    /// The instant from which the times of calls and faults are counted.
    pub fn start(&self) -> Instant {
        self.service.start
    }
}

impl Builder {
    /// What the documents leave open.
    #[must_use]
    pub fn switches(mut self, switches: Switches) -> Self {
        self.switches = switches;
        self
    }

    /// How often each operation may be called.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.quotas = quotas;
        self
    }

    /// What goes wrong.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How long each call takes; half of it passes before the work is done.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The calendar time of the start, counted from 1970, for the timestamps in answers.
    #[must_use]
    pub fn calendar_start(mut self, since_1970: Duration) -> Self {
        self.calendar_start = since_1970;
        self
    }

    /// Whether each call is kept for [`Emulator::calls`]. It is, unless this says otherwise.
    #[must_use]
    pub fn record_calls(mut self, records: bool) -> Self {
        self.records_calls = records;
        self
    }

    /// Starts the emulator; its time counts from here.
    pub fn build(self) -> Emulator {
        let inner = Inner {
            instance: self.instance,
            switches: self.switches,
            throttle: Throttle::new(self.quotas),
            faults: self.faults,
            stats: Stats::default(),
            calls: Vec::new(),
        };
        let service = Arc::new(Service::new(self.calendar_start, self.latency, self.records_calls, inner));
        let router = router(&service);
        Emulator { service, router }
    }
}

impl fmt::Display for ConnectionCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection broke before an answer came")
    }
}

impl Error for ConnectionCut {}
