//! What an import remembers of its operations from one delivery to the next.

use serde::{Deserialize, Serialize};

use super::error::{ConnectError, ErrorKind};
use super::operation::Operation;
use super::types::UserId;

/// What an import knows of one operation.
///
/// A delivery knows only its own calls. Without this, a user who may not be seen could be taken for an import that may not
/// see anybody, and no outage would ever last for half an hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaneMemory {
    /// Whether the operation has succeeded in this import.
    #[serde(skip_serializing_if = "is_default")]
    pub has_succeeded: bool,
    /// Refusals of permission since the last answer.
    #[serde(skip_serializing_if = "is_default")]
    pub denials: u32,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_denial: Option<Denial>,
    /// How long the operation has answered nothing but failures while others answered.
    #[serde(skip_serializing_if = "is_default")]
    pub down_seconds: f64,
    /// The last users that were answered: a read asks for them where it doubts whether the service works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answered_users: Vec<UserId>,
}

impl LaneMemory {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A refusal of permission, as the service gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Connect's own error code.
    pub code: String,
    /// Connect's message.
    pub message: String,
    /// The service's request id.
    pub request_id: Option<String>,
}

impl Denial {
    /// What is kept of an error.
    pub(super) fn of(error: &ConnectError) -> Self {
        Self { code: error.code.clone(), message: error.message.clone(), request_id: error.request_id.clone() }
    }

    /// The error again.
    pub(super) fn into_error(self, operation: Operation) -> ConnectError {
        let Self { code, message, request_id } = self;
        ConnectError { operation, kind: ErrorKind::Denied, code, message, request_id, stops_import: false }
    }
}

fn is_default<T: Default + PartialEq>(member: &T) -> bool {
    *member == T::default()
}
