use std::{
    fmt::{self, Display},
    io,
    time::Duration,
};

use actr_lite_wire::{error_code::ErrorCode, peer_text::PeerText, proto::ErrorResponse};
use thiserror::Error;

use crate::{
    refusal_code::{TOO_MANY_REQUESTS, UNAUTHENTICATED, code_of},
    registry_url::RegistryUrl,
};

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
    /// What answers there can't be used as it is: its certificate does not fit, or it is no registry.
    #[error("the registry at {url} cannot be used: {cause}")]
    Unusable {
        /// Where it should be.
        url: RegistryUrl,
        /// What is wrong, and what to do.
        cause: PeerText,
    },
    /// It does not know this node any more, perhaps because it was restarted. The node registers again.
    #[error("the registry at {url} does not know this node: {refusal}")]
    Forgotten {
        /// Where it is.
        url: RegistryUrl,
        /// How the node was refused.
        refusal: PeerText,
    },
    /// It does not know, again and again, a node that it has just registered.
    #[error("the registry at {url} {}", Mismatched(refusal))]
    Mismatch {
        /// Where it is.
        url: RegistryUrl,
        /// How the node was refused at last.
        refusal: PeerText,
    },
    /// As many requests wait as may.
    #[error("{limit} requests to the registry are waiting, the limit: try again when some are answered")]
    TooManyRequests {
        /// How many may.
        limit: usize,
    },
    /// The node has left the registry.
    #[error("the connection to the registry has ended, because the node is shutting down")]
    Stopped,
}

impl RegistryLinkError {
    pub(crate) fn refused(request: &'static str, error: ErrorResponse) -> Self {
        let message = error.message.into();
        match error.code {
            TOO_MANY_REQUESTS => Self::TooOften {
                request,
                retry_after: Duration::ZERO,
                message,
            },
            number => Self::Refused {
                request,
                code: code_of(number),
                message,
            },
        }
    }

    /// The same, where the registry wants to be left alone for so long if it is asked too often.
    pub(crate) fn with_retry_after(mut self, pause: Duration) -> Self {
        if let Self::TooOften { retry_after, .. } = &mut self {
            *retry_after = pause;
        }
        self
    }

    pub(crate) fn malformed(request: &'static str, what: &dyn Display) -> Self {
        Self::Malformed {
            request,
            what: PeerText::of(what),
        }
    }

    pub(crate) fn unusable(url: &RegistryUrl, cause: &dyn Display) -> Self {
        Self::Unusable {
            url: url.clone(),
            cause: PeerText::of(cause),
        }
    }

    pub(crate) fn from_io(url: &RegistryUrl, error: &io::Error) -> Self {
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

    pub(crate) fn unreachable(url: &RegistryUrl, cause: impl Into<PeerText>) -> Self {
        Self::Unreachable {
            url: url.clone(),
            cause: cause.into(),
        }
    }

    /// Without the address, for where it has been said already.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Unreachable { cause, .. } => cause.to_string(),
            Self::TimedOut { request, after, .. } => {
                format!("no answer to the {request} within {} s", after.as_secs_f64())
            }
            Self::Refused { request, message, .. } => format!("it refused the {request}: {message}"),
            Self::TooOften { request, message, .. } => format!("it refused the {request} for now: {message}"),
            Self::Unusable { cause, .. } => format!("it cannot be used: {cause}"),
            Self::Forgotten { refusal, .. } => format!("it does not know this node: {refusal}"),
            Self::Mismatch { refusal, .. } => format!("it {}", Mismatched(refusal)),
            other => other.to_string(),
        }
    }

    /// How long to wait at least before it is asked again.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::TooOften { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    /// Whether the same would fail again, until somebody changes something: the realm's secret is wrong, say, or the
    /// registry's certificate is for another name.
    pub fn is_final(&self) -> bool {
        self.is_final_refusal()
            || matches!(
                self,
                Self::Unusable { .. } | Self::Mismatch { .. } | Self::Malformed { .. }
            )
    }

    /// Whether the registry itself would refuse the same again, and might count that as an attack.
    pub(crate) fn is_final_refusal(&self) -> bool {
        matches!(
            self.refusal(),
            Some(
                UNAUTHENTICATED
                    | ErrorCode::PermissionDenied
                    | ErrorCode::NotFound
                    | ErrorCode::InvalidArgument
                    | ErrorCode::NotImplemented
            )
        )
    }

    /// Whether it is a refusal that passes by itself, such as that of a registry that is busy or has failed.
    pub(crate) fn is_passing_refusal(&self) -> bool {
        match self {
            Self::TooOften { .. } => true,
            Self::Refused { code, .. } => {
                matches!(code, ErrorCode::Unavailable | ErrorCode::TimedOut | ErrorCode::Internal)
            }
            _ => false,
        }
    }

    /// What kind of no it is, if it is one.
    pub(crate) fn refusal(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether a signaling connection is refused because the registry does not take the node for the one it says it is:
    /// only a new registration helps.
    pub(crate) fn is_identity_refused(&self) -> bool {
        let refusal = self.refusal();
        matches!(
            refusal,
            Some(UNAUTHENTICATED | ErrorCode::PermissionDenied | ErrorCode::NotFound)
        )
    }
}

/// What a registry does that does not know its own nodes, and what to do.
struct Mismatched<'a>(&'a PeerText);

impl Display for Mismatched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "does not know the nodes that it has just registered ({}): there is more than one registry behind that \
             address, or something in between refuses them; make it lead to one registry",
            self.0
        )
    }
}
