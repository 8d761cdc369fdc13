use std::fmt;

use crate::error::RegistryLinkError;

/// How a link stands. It is for people: what a node may do depends on its [`Identity`](super::Identity) alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Asking for an identity: the first one, or a new one because the registry does not accept the last one any more.
    Registering {
        /// Why the last try failed.
        last_error: Option<RegistryLinkError>,
    },
    /// Registered, and opening the first signaling connection of this identity.
    Registered {
        /// Why the last try failed.
        last_error: Option<RegistryLinkError>,
    },
    /// The signaling connection is open, and requests go out over it; the registry has not answered there yet.
    Opened,
    /// Registered and connected, and the registry has answered: others find this node.
    Connected,
    /// Registered; the signaling connection was lost and is being opened again.
    Reconnecting {
        /// Why it was lost, or why the last try failed.
        last_error: RegistryLinkError,
    },
    /// The link has ended and does nothing more.
    Stopped,
}

impl LinkState {
    /// The last failure, if the link has not recovered from it.
    pub fn last_error(&self) -> Option<&RegistryLinkError> {
        match self {
            Self::Registering { last_error } | Self::Registered { last_error } => last_error.as_ref(),
            Self::Reconnecting { last_error } => Some(last_error),
            Self::Opened | Self::Connected => None,
            Self::Stopped => Some(&RegistryLinkError::Stopped),
        }
    }

    /// The same stage with another failure.
    pub(crate) fn failed(&self, error: RegistryLinkError) -> Self {
        match self {
            Self::Registering { .. } => Self::Registering {
                last_error: Some(error),
            },
            Self::Registered { .. } => Self::Registered {
                last_error: Some(error),
            },
            Self::Opened | Self::Connected | Self::Reconnecting { .. } => Self::Reconnecting { last_error: error },
            Self::Stopped => Self::Stopped,
        }
    }
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registering { .. } => "registering",
            Self::Registered { .. } => "connecting",
            Self::Opened => "waiting for the first answer",
            Self::Connected => "connected",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Stopped => "stopped",
        })
    }
}
