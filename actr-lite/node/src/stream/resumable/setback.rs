use actr_lite_registry::client::RegistryLinkError;
use actr_lite_wire::error_code::ErrorCode;

use super::ResumeError;
use crate::{ActrError, SubscribeError};

/// Why no server of a round took the stream.
pub(super) enum Setback {
    /// Another try may go better.
    Passing(ActrError),
    Final(ResumeError),
}

impl From<ResumeError> for Setback {
    fn from(error: ResumeError) -> Self {
        Self::Final(error)
    }
}

/// Whether it is this node that ends.
pub(super) fn is_stopped(error: &ActrError) -> bool {
    matches!(
        error,
        ActrError::Stopping
            | ActrError::Registry(RegistryLinkError::Stopped)
            | ActrError::Subscribe(SubscribeError::Stopped)
    )
}

/// Whether the same server may agree later: it may come up, or have room again; a contract does not change by itself.
pub(super) fn is_passing(error: &ActrError) -> bool {
    match error {
        ActrError::Discover(error) => error.is_transient(),
        ActrError::Registry(_)
        | ActrError::Unreachable { .. }
        | ActrError::PeerGone { .. }
        | ActrError::Busy(_)
        | ActrError::Subscribe(SubscribeError::TooMany(_))
        | ActrError::TimedOut { .. } => true,
        ActrError::Failed { code, .. } => is_passing_code(*code),
        ActrError::Remote { reply, .. } => is_passing_code(reply.code),
        _ => false,
    }
}

fn is_passing_code(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unavailable | ErrorCode::TimedOut | ErrorCode::ConnectionNotReady
    )
}
