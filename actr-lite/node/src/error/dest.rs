use std::fmt;

use actr_lite_wire::identity::ActrId;

/// Whom to call, or where to send a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dest {
    /// This node's own services, without a network, exported or not.
    Local,
    /// Another actor.
    Actor(ActrId),
}

impl Dest {
    /// Another actor.
    pub fn actor(id: ActrId) -> Self {
        Self::Actor(id)
    }

    /// The other actor, if it is one.
    pub(crate) fn peer(&self) -> Option<&ActrId> {
        match self {
            Self::Local => None,
            Self::Actor(id) => Some(id),
        }
    }
}

impl From<ActrId> for Dest {
    fn from(id: ActrId) -> Self {
        Self::Actor(id)
    }
}

impl From<&ActrId> for Dest {
    fn from(id: &ActrId) -> Self {
        Self::Actor(id.clone())
    }
}

impl From<&Dest> for Dest {
    fn from(dest: &Dest) -> Self {
        dest.clone()
    }
}

impl fmt::Display for Dest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("this node"),
            Self::Actor(id) => id.fmt(f),
        }
    }
}
