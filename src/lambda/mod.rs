//! Lambda as a front end of the engine: events in, answers out.

mod event;
mod handler;
mod queue;

pub use event::{Event, InvalidEvent};
pub use handler::{Handler, HandlerError};
pub use queue::Queue;
