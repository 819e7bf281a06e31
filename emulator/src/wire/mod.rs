//! REST-JSON 1.1 as Connect speaks it: URIs and bodies in, bodies and error headers out.

mod attributes;
mod config;
mod page;
mod proficiencies;
mod request;
mod response;
mod users;

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response, routing::on};
use serde_json::Value;

pub(crate) use self::request::Received;

use crate::{
    error::ApiError,
    operation::Operation,
    service::{Reply, Service},
    state::Instance,
    switches::Switches,
};

/// Marks a response that is never to be sent: the connection breaks instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutMark;

/// The time of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Now, counted from the emulator's start.
    pub(crate) since_start: Duration,
    /// The emulator's start, counted from 1970.
    pub(crate) calendar_start: Duration,
}

impl Clock {
    /// A time counted from the start, as timestamps are written: seconds since 1970.
    fn timestamp(self, since_start: Duration) -> f64 {
        (self.calendar_start + since_start).as_secs_f64()
    }
}

/// The routes of all operations.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let unknown = || async {
        let message = "The requested operation is not recognized by the service.";
        let error = ApiError::new(404, "UnknownOperationException", message);
        response::render(Reply::Refusal(error))
    };
    let routes = Operation::ALL.into_iter().fold(Router::new().fallback(unknown), |router, operation| {
        let (method, path) = operation.route();
        let service = Arc::clone(service);
        let handler = move |received| answer(service, operation, received);
        router.route(path, on(method, handler))
    });
    routes.method_not_allowed_fallback(unknown)
}

/// Does what a call asks for, apart from everything that may go wrong around it.
pub(crate) fn perform(
    operation: Operation,
    received: &Received,
    instance: &mut Instance,
    switches: &Switches,
    clock: Clock,
) -> Result<Value, ApiError> {
    match operation {
        Operation::ListUserProficiencies => proficiencies::list(received, instance, switches, clock),
        Operation::AssociateUserProficiencies => proficiencies::associate(received, instance, switches, clock),
        Operation::UpdateUserProficiencies => proficiencies::update(received, instance, switches, clock),
        Operation::DisassociateUserProficiencies => proficiencies::disassociate(received, instance, switches, clock),
        Operation::ListUsers => users::list(received, instance, switches, clock),
        Operation::SearchPredefinedAttributes => attributes::search(received, instance, switches, clock),
        Operation::DescribePredefinedAttribute => attributes::describe(received, instance, clock),
        Operation::DescribeUser => config::describe(received, instance, clock),
        Operation::UpdateUserConfig => config::update(received, instance, switches, clock),
    }
}

/// One call from the request to the answer, with the time that it takes.
async fn answer(service: Arc<Service>, operation: Operation, received: Received) -> Response {
    wait(service.latency / 2).await;
    let (reply, held_back) = service.receive(operation, &received);
    wait(service.latency / 2 + held_back).await;
    response::render(reply)
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
