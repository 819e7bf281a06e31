//! Why an export writes no table.

use crate::import::run::Verdict;
use crate::kind::ExportError;

/// Why there is no table.
pub(super) enum NoTable {
    /// The export ends so.
    Ended(Verdict),
    /// Another delivery may go on.
    Interrupted(anyhow::Error),
}

impl From<Verdict> for NoTable {
    fn from(verdict: Verdict) -> Self {
        Self::Ended(verdict)
    }
}

impl<E: Into<anyhow::Error>> From<E> for NoTable {
    fn from(error: E) -> Self {
        Self::Interrupted(error.into())
    }
}

impl From<ExportError> for Verdict {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Connect(error) => Self::unasked(&error),
            ExportError::Unread(problem) => Self::Failed(problem),
            ExportError::Form(problem) => Self::Rejected(problem),
        }
    }
}
