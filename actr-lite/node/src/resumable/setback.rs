use actr_lite_registry_client::RegistryLinkError;

use super::resume_error::ResumeError;
use crate::{error::ActrError, stream::SubscribeError};

/// Why no server of a round took the stream.
pub(super) enum Setback {
    /// Another try may succeed.
    Transient(ActrError),
    Final(ResumeError),
}

impl From<ResumeError> for Setback {
    fn from(error: ResumeError) -> Self {
        Self::Final(error)
    }
}

/// Whether the error means that this node stops.
pub(super) fn is_stopped(error: &ActrError) -> bool {
    matches!(
        error,
        ActrError::Stopping
            | ActrError::Registry(RegistryLinkError::Stopped)
            | ActrError::Subscribe(SubscribeError::Stopped)
    )
}
