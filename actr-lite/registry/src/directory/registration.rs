use std::time::Duration;

use actr_lite_net::source::Source;
use actr_lite_wire::{
    identity::{ActrId, ActrType},
    possession::HolderKey,
    proto::ServiceSpec,
};
use bytes::Bytes;
use prost::Message as _;

use super::{
    access_list::AccessList,
    footprint::{ALLOCATION, NODE_BYTES},
    load::Load,
};
use crate::realms::SecretNumber;

/// What a node says about itself when it registers, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// What it is.
    pub actr_type: ActrType,
    /// Where it lives.
    pub realm_id: u32,
    /// The contract it serves.
    pub contract: Option<Contract>,
    /// Who may call it.
    pub acl: Option<AccessList>,
    /// Where its data lane listens; without one it may be reached over WebRTC.
    pub ws_address: Option<Box<str>>,
    /// Whether it must not be a candidate.
    pub is_hidden: bool,
    /// The key that its credentials name; without one whoever knows a credential can use it.
    pub holder_key: Option<HolderKey>,
    /// With which secret of its realm it was admitted; `None` in a realm without.
    pub secret: Option<SecretNumber>,
}

/// A registered node, as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Who it is.
    pub id: ActrId,
    /// What others dial.
    pub ws_address: Option<Box<str>>,
    /// Where it was registered from.
    pub from: Source,
    /// When that was, by the directory's time.
    pub registered_at: Duration,
    /// By its last heartbeat.
    pub load: Load,
    /// It was connected, and is not any more.
    pub is_lost: bool,
}

impl Registration {
    /// How much memory a directory needs to keep it.
    pub(super) fn stored_bytes(&self) -> usize {
        let contract = self.contract.as_ref().map_or(0, Contract::stored_bytes);
        let acl = self.acl.as_ref().map_or(0, AccessList::stored_bytes);
        let address = self.ws_address.as_ref().map_or(0, |address| address.len());
        NODE_BYTES + contract + acl + address
    }

    /// The fingerprint of its contract, if it publishes one.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.contract.as_ref().map(|contract| &*contract.fingerprint)
    }
}

/// A published contract, encoded: in that form it takes one piece of memory, however many parts it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    name: Box<str>,
    fingerprint: Box<str>,
    encoded: Bytes,
}

impl From<&ServiceSpec> for Contract {
    fn from(spec: &ServiceSpec) -> Self {
        Self {
            name: spec.name.as_str().into(),
            fingerprint: spec.fingerprint.as_str().into(),
            encoded: spec.encode_to_vec().into(),
        }
    }
}

impl Contract {
    /// Its own name, which is none of an actor type.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A message of the protocol, encoded: a `ServiceSpec`. The copy shares its memory.
    pub(super) fn encoded(&self) -> Bytes {
        self.encoded.clone()
    }

    fn stored_bytes(&self) -> usize {
        self.name.len() + self.fingerprint.len() + self.encoded.len() + 4 * ALLOCATION
    }
}

/// A node that an asker may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which node.
    pub id: ActrId,
    /// Where its data lane listens; without one it may be reached over WebRTC.
    pub ws_address: Option<Box<str>>,
    /// The fingerprint of the contract that it publishes, if it does.
    pub fingerprint: Option<Box<str>>,
}
