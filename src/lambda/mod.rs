//! Lambda as a front end of the engine: events in, answers out, and the ends of imports told.

mod event;
mod event_bus;
mod handler;
pub mod log;
mod metrics;
mod notice;
mod notifier;
mod queue;
mod topic;

pub use event::{Event, InvalidEvent};
pub use event_bus::EventBus;
pub use handler::{Handler, HandlerError};
pub use notifier::Notifier;
pub use queue::Queue;
pub use topic::Topic;
