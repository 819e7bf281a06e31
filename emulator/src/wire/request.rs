//! Requests: taken apart, and checked against the service model.

use std::{collections::HashMap, convert::Infallible, ops::RangeInclusive};

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{error::ApiError, state::Instance};

/// A request with its URI taken apart. Nothing of it is checked yet.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The labels of the URI pattern, percent-decoded.
    path: HashMap<String, String>,
    /// The query string, percent-decoded.
    query: HashMap<String, String>,
    /// The operation's name in the protocols that have it in a header.
    target: Option<String>,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Received {
    type Rejection = Infallible;

    /// What cannot be decoded is left out, and then missed.
    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        let (mut parts, body) = request.into_parts();
        let path = Path::from_request_parts(&mut parts, state).await;
        let query = Query::from_request_parts(&mut parts, state).await;
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).map(str::to_owned);
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        Ok(Self {
            path: path.map(|Path(path)| path).unwrap_or_default(),
            query: query.map(|Query(query)| query).unwrap_or_default(),
            target,
            body: body.unwrap_or_default(),
        })
    }
}

impl Received {
    /// The label `InstanceId`, 1 to 100 characters.
    pub(super) fn instance_id(&self) -> Result<&str, ApiError> {
        self.label("InstanceId", Some(1..=100))
    }

    /// The label `UserId`, of any length; an ARN is shortened to the id.
    pub(super) fn required_user_id(&self, instance: &Instance) -> Result<&str, ApiError> {
        self.label("UserId", None).map(|id| instance.plain_user_id(id))
    }

    /// The user that a request is about, once the instance is known to be the right one.
    pub(super) fn addressed_user(&self, instance: &Instance) -> Result<&str, ApiError> {
        let instance_id = self.instance_id()?;
        let user_id = self.required_user_id(instance)?;
        instance.check_id(instance_id)?;
        Ok(user_id)
    }

    /// The id of the user that the call is about, if it is about one.
    pub(crate) fn user_id(&self, instance: &Instance) -> Option<&str> {
        let given = self.path.get("UserId")?;
        Some(instance.plain_user_id(given))
    }

    /// One label of the URI.
    pub(super) fn label(&self, name: &str, length: Option<RangeInclusive<usize>>) -> Result<&str, ApiError> {
        let value = required(self.path.get(name), name)?;
        if let Some(length) = length {
            check_length(value, &member_path(name), length)?;
        }
        Ok(value)
    }

    /// Whether `X-Amz-Target` names this operation.
    pub(super) fn check_target(&self, target: &str) -> Result<(), ApiError> {
        let is_ours = self.target.as_deref() == Some(target);
        let message = "The requested operation is not recognized by the service.";
        if is_ours { Ok(()) } else { Err(ApiError::new(404, "UnknownOperationException", message)) }
    }

    /// The query's `nextToken`.
    pub(super) fn next_token(&self) -> Option<&str> {
        self.query.get("nextToken").map(String::as_str)
    }

    /// Whether there is a page token, in the query or in the body.
    pub(crate) fn has_token(&self) -> bool {
        self.next_token().is_some() || self.json().get("NextToken").is_some_and(|token| !token.is_null())
    }

    /// The query's `maxResults`.
    pub(super) fn max_results(&self) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.query.get("maxResults") else {
            return Ok(None);
        };
        let number = text
            .parse()
            .map_err(|_| ApiError::invalid_request(format!("maxResults is not a whole number: '{text}'")))?;
        Ok(Some(number))
    }

    /// The body as JSON; no body is an empty object.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let text: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(text)
            .map_err(|error| ApiError::invalid_request(format!("The body is not what it should be: {error}")))
    }

    /// The body as it came; null if it is empty or no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// How many items the lists in the body have, right or wrong.
    pub(crate) fn n_items(&self) -> usize {
        let body = self.json();
        let lists = body.as_object().into_iter().flat_map(serde_json::Map::values);
        lists.filter_map(Value::as_array).map(Vec::len).sum()
    }
}

/// A member that the model requires.
pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| invalid_request_member(&member_path(name), "null", "Member must not be null"))
}

/// The length of a text, in characters.
pub(super) fn check_length(text: &str, path: &str, allowed: RangeInclusive<usize>) -> Result<(), ApiError> {
    let length = text.chars().count();
    if length < *allowed.start() {
        let least = format!("Member must have length greater than or equal to {}", allowed.start());
        return Err(invalid_member(path, text, &least));
    }
    if length > *allowed.end() {
        let most = format!("Member must have length less than or equal to {}", allowed.end());
        return Err(invalid_member(path, text, &most));
    }
    Ok(())
}

/// The size of a number.
pub(super) fn check_range<N: PartialOrd + std::fmt::Display>(
    number: &N,
    path: &str,
    allowed: &RangeInclusive<N>,
) -> Result<(), ApiError> {
    let rule = if number < allowed.start() {
        format!("Member must have value greater than or equal to {}", allowed.start())
    } else if number > allowed.end() {
        format!("Member must have value less than or equal to {}", allowed.end())
    } else {
        return Ok(());
    };
    Err(invalid_member(path, &number.to_string(), &rule))
}

/// The sentence in which AWS services say what is wrong with a member.
pub(super) fn invalid_member(path: &str, value: &str, rule: &str) -> ApiError {
    ApiError::invalid_parameter(complaint(path, value, rule))
}

fn invalid_request_member(path: &str, value: &str, rule: &str) -> ApiError {
    ApiError::invalid_request(complaint(path, value, rule))
}

fn complaint(path: &str, value: &str, rule: &str) -> String {
    format!("1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {rule}")
}

/// A member's name as it is written in complaints: with a small first letter.
fn member_path(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
