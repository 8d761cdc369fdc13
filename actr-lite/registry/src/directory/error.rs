use actr_lite_wire::{
    acl::AclRefusal,
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use thiserror::Error;

use crate::options::advice;

/// Why the directory refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DirectoryError {
    /// There are as many nodes as there may be.
    #[error(
        "the registry is full: it holds {limit} nodes, its limit; try again when some have left, or raise {}",
        advice("max_nodes")
    )]
    TooManyNodes {
        /// [`Limits::nodes`](super::Limits::nodes).
        limit: usize,
    },
    /// There are as many nodes in one realm as there may be.
    #[error(
        "realm {realm_id} is full: it holds {limit} nodes, its limit; try again when some have left, or raise {}",
        advice("max_nodes_per_realm")
    )]
    TooManyNodesInRealm {
        /// Which realm.
        realm_id: u32,
        /// [`Limits::nodes_per_realm`](super::Limits::nodes_per_realm).
        limit: usize,
    },
    /// The contracts, access lists and addresses of one realm's nodes fill the room there is for them.
    #[error(
        "realm {realm_id} is full: contracts, access lists and addresses would pass {limit} bytes, its limit; try again \
         when some nodes have left, or raise {}",
        advice("max_stored_bytes_per_realm")
    )]
    TooManyBytesInRealm {
        /// Which realm.
        realm_id: u32,
        /// [`Limits::stored_bytes_per_realm`](super::Limits::stored_bytes_per_realm).
        limit: usize,
    },
    /// The nodes' contracts, access lists and addresses fill the room there is.
    #[error(
        "the registry is full: contracts, access lists and addresses would pass {limit} bytes, its limit; try again when \
         some nodes have left, or raise {}",
        advice("max_stored_bytes")
    )]
    TooManyBytes {
        /// [`Limits::stored_bytes`](super::Limits::stored_bytes).
        limit: usize,
    },
    /// There is no node with this id: it left, its lease expired, or the registry was restarted.
    #[error("this registry does not know {0}: {again}", again = crate::REGISTER_AGAIN)]
    UnknownNode(ActrId),
    /// A node asks for another one that is not registered here.
    #[error("no node {0} is registered here")]
    NoSuchPeer(ActrId),
    /// The token is not the one the node was given, or its time is over.
    #[error("the renewal token of {0} is wrong or expired: {again}", again = crate::REGISTER_AGAIN)]
    RenewalToken(ActrId),
    /// Nodes of this type live in other realms, none in the asker's.
    #[error(
        "{actr_type} is registered in other realms only, not in realm {realm_id}: set [system.deployment] realm_id to the server's, or let this realm in by a rule in the server's [acl]"
    )]
    OtherRealm {
        /// What was asked for.
        actr_type: ActrType,
        /// Where the asker lives.
        realm_id: u32,
    },
    /// The nodes of this type do not want the asker.
    #[error(transparent)]
    Acl(AclRefusal),
    /// No live node of the asker's realm publishes a contract of this name.
    #[error("no live node of realm {realm_id} publishes a contract named {name:?}")]
    UnknownService {
        /// What was asked for.
        name: PeerText,
        /// Where the asker lives.
        realm_id: u32,
    },
}

impl DirectoryError {
    /// The number that goes over the wire.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyNodes { .. }
            | Self::TooManyBytes { .. }
            | Self::TooManyNodesInRealm { .. }
            | Self::TooManyBytesInRealm { .. } => ErrorCode::Unavailable,
            Self::UnknownNode(_) | Self::NoSuchPeer(_) | Self::UnknownService { .. } => ErrorCode::NotFound,
            Self::RenewalToken(_) | Self::OtherRealm { .. } | Self::Acl(_) => ErrorCode::PermissionDenied,
        }
    }
}
