use std::{fmt, sync::Arc};

use actr_lite_wire::identity::ActrId;

use crate::{lane::Closing, session::InUse};

/// Whom to call, or where to send a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dest {
    /// This node's own services, without a network, exported or not.
    Local,
    /// Another actor, over the connection that all calls to it share.
    Actor(ActrId),
    /// Another actor, over a connection of its own.
    Connection(PeerConnection),
}

impl Dest {
    /// Another actor.
    pub fn actor(id: ActrId) -> Self {
        Self::Actor(id)
    }
}

impl From<ActrId> for Dest {
    fn from(id: ActrId) -> Self {
        Self::Actor(id)
    }
}

impl From<PeerConnection> for Dest {
    fn from(connection: PeerConnection) -> Self {
        Self::Connection(connection)
    }
}

impl fmt::Display for Dest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("this node"),
            Self::Actor(id) => id.fmt(f),
            Self::Connection(connection) => connection.peer().fmt(f),
        }
    }
}

/// A connection to another actor that carries nothing but what is sent over it by this handle.
///
/// It closes when the last clone is dropped, and is not replaced when it ends.
#[derive(Clone)]
pub struct PeerConnection(Arc<Handle>);

impl PeerConnection {
    pub(crate) fn new(session: InUse) -> Self {
        Self(Arc::new(Handle(session)))
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &ActrId {
        self.0.0.peer()
    }

    pub(crate) fn session(&self) -> &InUse {
        &self.0.0
    }
}

impl PartialEq for PeerConnection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PeerConnection {}

impl fmt::Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerConnection({})", self.peer())
    }
}

struct Handle(InUse);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close(Closing::Dropped);
    }
}
