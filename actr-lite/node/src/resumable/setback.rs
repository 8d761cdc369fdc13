use actr_lite_registry::client::RegistryLinkError;

use crate::{
    error::actr_error::ActrError, resumable::resume_error::ResumeError, stream::subscriptions::SubscribeError,
};

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
