//! The way of one call over HTTP: to the operation that its URI means, through the service, and back as a response.

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response, routing::on};

use crate::{
    error::ApiError,
    operation::{Operation, Protocol},
    service::Service,
    wire::{Received, Reply, render},
};

/// The routes of all operations.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let unknown = || async {
        let message = "The requested operation is not recognized by the service.";
        let error = ApiError::new(404, "UnknownOperationException", message);
        render(Protocol::RestJson, Reply::Refusal(error))
    };
    let routes = Operation::ALL.into_iter().fold(Router::new().fallback(unknown), |router, operation| {
        let (method, path) = operation.route();
        let service = Arc::clone(service);
        let handler = move |received| answer(service, operation, received);
        router.route(path, on(method, handler))
    });
    routes.method_not_allowed_fallback(unknown)
}

/// One call from the request to the answer, with the time that it takes.
async fn answer(service: Arc<Service>, operation: Operation, received: Received) -> Response {
    wait(service.latency / 2).await;
    let (reply, held_back) = service.receive(operation, &received);
    wait(service.latency / 2 + held_back).await;
    render(operation.protocol(), reply)
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
