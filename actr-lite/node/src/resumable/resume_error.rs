use std::{fmt, time::Duration};

use crate::{error::actr_error::ActrError, readable_duration::readable};

/// Why a resumable stream did not come to its end.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ResumeError {
    /// No server has sent a frame within the budget.
    TimedOut {
        /// The budget.
        timeout: Duration,
        /// How the stream broke before that.
        broke: String,
        /// Why the last try to resume it failed; `None` if the stream itself broke again and again.
        cause: Option<Box<ActrError>>,
    },
    /// No other try would change this.
    Refused(ActrError),
    /// The callback panicked.
    Panicked(String),
    /// This node unregistered the stream.
    Cancelled,
    /// This node shuts down.
    Stopped,
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { timeout, broke, cause } => {
                write!(
                    f,
                    "{broke}; no server took the stream over within {}",
                    readable(*timeout)
                )?;
                cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Self::Refused(error) => error.fmt(f),
            Self::Panicked(panic) => write!(f, "the stream's callback panicked: {panic}"),
            Self::Cancelled => f.write_str("this node unregistered the stream"),
            Self::Stopped => f.write_str("this node has shut down"),
        }
    }
}

impl std::error::Error for ResumeError {}

impl From<ActrError> for ResumeError {
    fn from(error: ActrError) -> Self {
        Self::Refused(error)
    }
}
