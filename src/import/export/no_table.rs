//! Why an export writes no table.

use crate::connect::ConnectError;
use crate::import::run::Verdict;
use crate::kind::ExportError;

/// Why there is no table.
pub(super) enum NoTable {
    /// The export ends so.
    Ended(Verdict),
    /// Another delivery may go on.
    Interrupted(anyhow::Error),
}

impl NoTable {
    /// An operation that was never permitted is the reason, although its calls were too few to stop the export.
    pub(super) fn or_denied(self, denied: Option<ConnectError>) -> Self {
        match (self, denied) {
            (Self::Ended(Verdict::Failed(_)), Some(error)) => Self::Ended(Verdict::failed(&error)),
            (why, _) => why,
        }
    }
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
