use actr_lite_wire::{
    acl::AclRefusal,
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use thiserror::Error;

use crate::ledger::LimitReached;

/// What every refusal says whose remedy is a new registration: after a restart of the registry a node learns from it
/// that its id and credential are worthless.
pub const REGISTER_AGAIN: &str = "register again";

/// Why the directory refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DirectoryError {
    /// A limit would be passed.
    #[error(transparent)]
    Full(#[from] LimitReached),
    /// There is no node with this id: it left, its lease expired, or the registry was restarted.
    #[error("this registry does not know {0}: {REGISTER_AGAIN}")]
    UnknownNode(ActrId),
    /// A node asks for another one that is not registered here.
    #[error("no node {0} is registered here")]
    NoSuchPeer(ActrId),
    /// The token is not the one the node was given, or its time is over.
    #[error("the renewal token of {0} is wrong or expired: {REGISTER_AGAIN}")]
    RenewalToken(ActrId),
    /// The token was used before, so somebody else may have it. The identity has ended.
    #[error(
        "a renewal token of {0} was used again, so that somebody else may have it too; the identity has ended: {REGISTER_AGAIN}"
    )]
    RenewalReused(ActrId),
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
            Self::Full(_) => ErrorCode::Unavailable,
            Self::UnknownNode(_) | Self::NoSuchPeer(_) | Self::UnknownService { .. } => ErrorCode::NotFound,
            Self::RenewalToken(_) | Self::RenewalReused(_) | Self::OtherRealm { .. } | Self::Acl(_) => {
                ErrorCode::PermissionDenied
            }
        }
    }
}
