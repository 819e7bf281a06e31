//! Answers as they go over the wire.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{error::ApiError, operation::Protocol};

const ERROR_TYPE: &str = "x-amzn-errortype";
const REQUEST_ID: &str = "x-amzn-requestid";

/// What goes back over the wire.
#[derive(Debug)]
pub(crate) enum Reply {
    /// 200 with this body.
    Answer(Value),
    /// An error with its code and message.
    Refusal(ApiError),
    /// A status and nothing else.
    Bare(u16),
    /// Nothing: the connection breaks.
    Cut,
}

/// Marks a response that is never to be sent: the connection breaks instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutMark;

/// A reply as an HTTP response; a cut is marked, since a handler cannot break its connection.
pub(crate) fn render(protocol: Protocol, reply: Reply) -> Response {
    match reply {
        Reply::Answer(body) => response(200, Some(&body), None),
        Reply::Refusal(error) => {
            let mut body = json!({ "Message": error.message });
            if protocol == Protocol::Json {
                body["__type"] = json!(error.code);
            }
            response(error.status, Some(&body), Some(&error.code))
        }
        Reply::Bare(status) => response(status, None, None),
        Reply::Cut => {
            let mut response = response(500, None, None);
            response.extensions_mut().insert(CutMark);
            response
        }
    }
}

fn response(status: u16, body: Option<&Value>, code: Option<&str>) -> Response {
    let json = HeaderValue::from_static("application/json");
    let content_type = body.map(|_| json);
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = code.and_then(|code| HeaderValue::from_str(code).ok());
    let request_id = HeaderValue::from_str(&next_request_id()).ok();
    let headers = [(CONTENT_TYPE.as_str(), content_type), (ERROR_TYPE, code), (REQUEST_ID, request_id)];
    for (name, value) in headers {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// An id of the form that AWS uses, other for each answer of this process.
fn next_request_id() -> String {
    static ANSWERED: AtomicU64 = AtomicU64::new(0);
    let n = ANSWERED.fetch_add(1, Ordering::Relaxed);
    format!("00000000-0000-4000-8000-{n:012x}")
}
