//! Why a delivery has no answer, and what that means for whoever would deliver again.

use crate::state::LeaseError;
use crate::store::StoreError;

/// Deliveries in a row that may be refused what an import cannot do without.
const MAX_REFUSALS: u32 = 5;

/// Why a delivery has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The request contradicts the import that it names, or names none. It will never have an answer.
    #[error("{0}")]
    InvalidRequest(String),
    /// A service refused what cannot be done without. Another try would be refused as well, until somebody mends it.
    #[error("{0:#}")]
    Refused(anyhow::Error),
    /// A service did not answer as it should. Another delivery may go on.
    #[error("{0:#}")]
    Interrupted(anyhow::Error),
    /// It was tried often enough, and not even its end can be written.
    #[error("{0:#}")]
    Exhausted(anyhow::Error),
}

impl ImportError {
    /// What an error means that came when an import was under way, after so many deliveries in a row that did not get on.
    ///
    /// A refusal is not taken at its word at once: whoever gives an import up half-way leaves it without an end.
    pub(super) fn under_way(error: anyhow::Error, n_crashes: u32, is_last_try: bool) -> Self {
        match Self::from(error) {
            Self::Refused(error) if n_crashes + 1 < MAX_REFUSALS => Self::Interrupted(error),
            Self::Refused(error) => Self::Exhausted(error),
            Self::Interrupted(error) if is_last_try => Self::Exhausted(error),
            other => other,
        }
    }
}

impl From<anyhow::Error> for ImportError {
    fn from(error: anyhow::Error) -> Self {
        let store_error = match error.downcast_ref::<LeaseError>() {
            Some(LeaseError::Store(store_error)) => Some(store_error),
            _ => error.downcast_ref::<StoreError>(),
        };
        match store_error {
            Some(store_error) if store_error.is_refusal() => Self::Refused(error),
            _ => Self::Interrupted(error),
        }
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        anyhow::Error::from(error).into()
    }
}
