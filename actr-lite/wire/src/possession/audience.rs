use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::identity::{ActrId, ParseActrIdError};

/// What stands before a node's id.
const NODE: &str = "node ";
const SIGNALING: &str = "registry, signaling";
const RENEWAL: &str = "registry, renewal";

/// Who is to take a proof, and for what. Nobody else takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// This node, for a connection of the data lane.
    Node(ActrId),
    /// The registry, for a signaling connection.
    Signaling,
    /// The registry, for a renewal.
    Renewal,
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(f, "{NODE}{id}"),
            Self::Signaling => f.write_str(SIGNALING),
            Self::Renewal => f.write_str(RENEWAL),
        }
    }
}

/// Why a text is not an [`Audience`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseAudienceError {
    /// It names none of them.
    #[error("neither a node nor the registry")]
    Unknown,
    /// The node's id is not one.
    #[error(transparent)]
    Node(#[from] ParseActrIdError),
}

impl FromStr for Audience {
    type Err = ParseAudienceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            SIGNALING => Ok(Self::Signaling),
            RENEWAL => Ok(Self::Renewal),
            text => {
                let id = text.strip_prefix(NODE).ok_or(ParseAudienceError::Unknown)?;
                Ok(Self::Node(id.parse()?))
            }
        }
    }
}
