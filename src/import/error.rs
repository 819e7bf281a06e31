//! Why a delivery has no answer, and what that means for whoever would deliver again.

use crate::state::LeaseError;
use crate::store::StoreError;

/// Deliveries in a row that may be refused what an import cannot do without.
const MAX_REFUSALS: u32 = 5;

/// Why a delivery has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub struct ImportError {
    /// What it means for whoever would deliver again.
    pub kind: ImportErrorKind,
    /// The import, if it had begun.
    pub import_id: Option<String>,
    error: anyhow::Error,
}

/// What an error means for whoever would deliver again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportErrorKind {
    /// The request contradicts the import that it names, or names none. It will never have an answer.
    InvalidRequest,
    /// A service refused what cannot be done without. Another try would be refused as well, until somebody mends it.
    Refused,
    /// A service did not answer as it should. Another delivery may go on.
    Interrupted,
    /// It was tried often enough, and not even its end can be written.
    Exhausted,
}

impl ImportError {
    /// A request that will never have an answer.
    pub(super) fn invalid_request(why: impl Into<String>) -> Self {
        Self { kind: ImportErrorKind::InvalidRequest, import_id: None, error: anyhow::Error::msg(why.into()) }
    }

    /// What an error means that came when an import was under way, after so many deliveries in a row that did not get on.
    ///
    /// A refusal is not taken at its word at once: whoever gives an import up half-way leaves it without an end.
    pub(super) fn under_way(import_id: &str, error: anyhow::Error, n_crashes: u32, is_last_try: bool) -> Self {
        let error = Self::from(error);
        let kind = match error.kind {
            ImportErrorKind::Refused if n_crashes + 1 < MAX_REFUSALS => ImportErrorKind::Interrupted,
            ImportErrorKind::Refused => ImportErrorKind::Exhausted,
            ImportErrorKind::Interrupted if is_last_try => ImportErrorKind::Exhausted,
            other => other,
        };
        Self { kind, import_id: Some(import_id.to_owned()), ..error }
    }

    /// The end of an import could not be told in time: the next delivery tells it.
    pub(super) fn untold(import_id: &str, error: anyhow::Error) -> Self {
        Self { kind: ImportErrorKind::Interrupted, import_id: Some(import_id.to_owned()), error }
    }
}

impl From<anyhow::Error> for ImportError {
    fn from(error: anyhow::Error) -> Self {
        let store_error = match error.downcast_ref::<LeaseError>() {
            Some(LeaseError::Store(store_error)) => Some(store_error),
            _ => error.downcast_ref::<StoreError>(),
        };
        let kind = match store_error {
            Some(store_error) if store_error.is_refusal() => ImportErrorKind::Refused,
            _ => ImportErrorKind::Interrupted,
        };
        Self { kind, import_id: None, error }
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        anyhow::Error::from(error).into()
    }
}
