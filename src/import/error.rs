//! Why a delivery has no answer, and what that means for whoever would deliver again.

use crate::state::LeaseError;
use crate::store::StoreError;

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
    /// What an error means for whoever would deliver again.
    pub(super) fn of(error: anyhow::Error, is_last_try: bool) -> Self {
        let store_error = match error.downcast_ref::<LeaseError>() {
            Some(LeaseError::Store(store_error)) => Some(store_error),
            _ => error.downcast_ref::<StoreError>(),
        };
        match store_error {
            _ if is_last_try => Self::Exhausted(error),
            Some(store_error) if store_error.is_refusal() => Self::Refused(error),
            _ => Self::Interrupted(error),
        }
    }
}

impl From<anyhow::Error> for ImportError {
    fn from(error: anyhow::Error) -> Self {
        Self::of(error, false)
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::of(error.into(), false)
    }
}
