//! What imports work with.

use tokio::sync::watch;
use tokio::time::Instant;

use super::end::Listener;
use super::progress::Progress;
use crate::check::{Check, CheckRequest, check};
use crate::connect::Connect;
use crate::settings::Settings;
use crate::store::Store;

/// What imports work with: built once at start.
#[derive(Debug)]
pub struct Importer {
    pub(super) settings: Settings,
    pub(super) connect: Connect,
    pub(super) store: Store,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) listener: Option<Box<dyn Listener>>,
}

impl Importer {
    /// An importer of these settings, for this instance and this object storage.
    pub fn new(settings: Settings, connect: Connect, store: Store) -> Self {
        Self { settings, connect, store, progress: watch::Sender::default(), listener: None }
    }

    /// The same importer, whose imports' ends are told to this listener.
    #[must_use]
    pub fn with_listener(self, listener: impl Listener + 'static) -> Self {
        Self { listener: Some(Box::new(listener)), ..self }
    }

    /// Checks whether imports will work here (see [`check`](mod@crate::check)). No import may be under way meanwhile.
    pub async fn check(&self, function_arn: &str, id: &str, end: Option<Instant>) -> Check {
        let Self { settings, connect, store, .. } = self;
        check(CheckRequest { settings, connect, store, function_arn, id, end }).await
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How far the import under way is, for whoever wants to see it.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}
