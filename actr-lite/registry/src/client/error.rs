use std::{io, time::Duration};

use actr_lite_wire::{error_code::ErrorCode, peer_text::PeerText, proto::ErrorResponse};
use thiserror::Error;

use super::{RegistryUrl, requests::MAX_WAITING_REQUESTS};

/// Why the registry did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegistryLinkError {
    /// There is no connection to it.
    #[error("the registry at {url} could not be reached: {cause}")]
    Unreachable {
        /// Where it should be.
        url: RegistryUrl,
        /// What happened at the last try.
        cause: PeerText,
    },
    /// It is connected and did not answer.
    #[error("the registry at {url} did not answer the {request} within {} s", after.as_secs_f64())]
    TimedOut {
        /// Where it is.
        url: RegistryUrl,
        /// What was asked.
        request: &'static str,
        /// How long the answer was waited for.
        after: Duration,
    },
    /// It answered no.
    #[error("the registry refused the {request}: {message} ({code})")]
    Refused {
        /// What was asked.
        request: &'static str,
        /// What kind of no.
        code: ErrorCode,
        /// The registry's own words.
        message: PeerText,
    },
    /// It is asked too often, by this node or from this address.
    #[error("the registry refused the {request} for now: {message}")]
    TooOften {
        /// What was asked.
        request: &'static str,
        /// How long it wants to be left alone.
        retry_after: Duration,
        /// The registry's own words.
        message: PeerText,
    },
    /// Its answer is not what it should be.
    #[error("the registry's answer to the {request} is malformed: {what}")]
    Malformed {
        /// What was asked.
        request: &'static str,
        /// What is wrong with the answer.
        what: PeerText,
    },
    /// It does not know, again and again, a node that it has just registered.
    #[error(
        "the registry at {url} does not know the nodes that it has just registered: there is more than one registry behind \
         that address; make it lead to one"
    )]
    Mismatch {
        /// Where it is.
        url: RegistryUrl,
    },
    /// As many requests wait as may.
    #[error("{MAX_WAITING_REQUESTS} requests to the registry are waiting, the limit: try again when some are answered")]
    TooManyRequests,
    /// The node has left the registry.
    #[error("the connection to the registry has ended, because the node is shutting down")]
    Stopped,
}

impl RegistryLinkError {
    pub(super) fn refused(request: &'static str, error: ErrorResponse) -> Self {
        Self::Refused {
            request,
            code: error.code.into(),
            message: error.message.into(),
        }
    }

    pub(super) fn from_io(url: &RegistryUrl, error: &io::Error) -> Self {
        // Where a kind says it all, the operating system's number only distracts.
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut => error.kind().to_string(),
            _ => error.to_string(),
        };
        Self::unreachable(url, cause)
    }

    pub(super) fn unreachable(url: &RegistryUrl, cause: impl Into<PeerText>) -> Self {
        Self::Unreachable {
            url: url.clone(),
            cause: cause.into(),
        }
    }

    /// Without the address, for where it has been said already.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Unreachable { cause, .. } => cause.to_string(),
            Self::TimedOut { request, after, .. } => {
                format!("no answer to the {request} within {} s", after.as_secs_f64())
            }
            Self::Refused { request, message, .. } => format!("it refused the {request}: {message}"),
            Self::TooOften { request, message, .. } => format!("it refused the {request} for now: {message}"),
            Self::Mismatch { .. } => {
                "it does not know the nodes that it has just registered: there is more than one registry \
                                      behind this address; make it lead to one"
                    .into()
            }
            other => other.to_string(),
        }
    }

    /// How long to wait at least before it is asked again.
    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::TooOften { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    /// Whether asking the same again would be refused again: the realm's secret is wrong, say.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: ErrorCode::PermissionDenied | ErrorCode::InvalidArgument | ErrorCode::NotImplemented,
                ..
            }
        )
    }

    /// Whether the registry does not take the node for the one it says it is: only a new registration helps.
    pub(super) fn is_identity_refused(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: ErrorCode::PermissionDenied | ErrorCode::NotFound,
                ..
            }
        )
    }
}
