//! What holds for the calls of all lanes alike: whether the import goes on, and until when it may write.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::error::ConnectError;
use super::operation::Operation;

/// Why no call goes out any more.
#[derive(Debug)]
pub(super) enum StopCause {
    /// The service refuses the import.
    Refusal(ConnectError),
    /// Somebody cancelled the import.
    Cancelled,
}

/// The gate in front of all lanes.
#[derive(Debug, Default)]
pub(super) struct Gate {
    stopped: RefCell<Option<StopCause>>,
    /// Wakes all calls that wait, when the import stops.
    stopping: Notify,
    writes_until: Cell<Option<Instant>>,
}

impl Gate {
    /// Opens it: the import goes on, and may write without limit.
    pub(super) fn reset(&self) {
        self.stopped.take();
        self.writes_until.take();
    }

    /// Lets no call through any more. The first cause is the one that is told.
    pub(super) fn stop(&self, cause: StopCause) {
        self.stopped.borrow_mut().get_or_insert(cause);
        self.stopping.notify_waiters();
    }

    /// The error of a call that is not sent, if the import has stopped.
    pub(super) fn check(&self, operation: Operation) -> Result<(), ConnectError> {
        match &*self.stopped.borrow() {
            None => Ok(()),
            Some(StopCause::Refusal(cause)) => Err(ConnectError::not_sent(operation, cause)),
            Some(StopCause::Cancelled) => Err(ConnectError::cancelled(operation)),
        }
    }

    /// Sets the time until which writes may go out; nothing is no limit.
    pub(super) fn permit_writes_until(&self, until: Option<Instant>) {
        self.writes_until.set(until);
    }

    /// Whether a call has to wait until the permit for writes is extended.
    pub(super) fn is_barred(&self, operation: Operation) -> bool {
        operation.is_write() && self.writes_until.get().is_some_and(|until| until <= Instant::now())
    }

    /// Waits for a while, or until the import stops.
    pub(super) async fn rest(&self, time: Duration) {
        self.unless_stopped(sleep(time)).await;
    }

    /// Waits for something, or until the import stops.
    pub(super) async fn unless_stopped(&self, future: impl Future<Output = ()>) {
        if self.stopped.borrow().is_some() {
            return;
        }
        tokio::select! {
            () = self.stopping.notified() => {}
            () = future => {}
        }
    }
}
