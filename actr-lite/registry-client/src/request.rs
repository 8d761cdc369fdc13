use std::time::Duration;

use actr_lite_wire::{
    identity::{ActrId, ActrType},
    proto::{
        GetServiceSpecRequest, GetSigningKeyRequest, RouteCandidatesRequest, UnregisterRequest,
        actr_to_signaling::Payload,
        route_candidates_request::{NodeRankingFactor, NodeSelectionCriteria},
    },
};

/// How long a request waits for its answer, and for the link if it is down: as long as official clients (actr 0.4.21).
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long leaving waits for the registry's word: a node that ends should not be held up by it, and its lease ends anyhow.
pub const UNREGISTER_TIMEOUT: Duration = Duration::from_secs(1);

/// What requests are called in errors.
pub(crate) const CANDIDATES_NAME: &str = "request for candidates";
pub(crate) const CONTRACT_NAME: &str = "request for a contract";
pub(crate) const SIGNING_KEY_NAME: &str = "request for a signing key";

/// What can be asked over signaling. All of it may be asked again over the next connection when one was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Which live nodes of exactly this type there are, at most `count`; those whose contract has `fingerprint` come first,
    /// if it is not empty.
    Candidates {
        /// Of which type.
        target: ActrType,
        /// How many.
        count: u32,
        /// Of which contract.
        fingerprint: String,
    },
    /// Whether this node is live and may be dialled.
    Candidate {
        /// Which.
        id: ActrId,
    },
    /// A contract.
    ServiceSpec {
        /// The text of an actor type, or the contract's own name.
        name: String,
        /// Which one, if there are several.
        fingerprint: Option<String>,
    },
    /// A public key of the registry.
    SigningKey {
        /// Its number.
        key_id: u32,
    },
    /// That the node leaves.
    Unregister {
        /// Why.
        reason: String,
    },
}

impl Request {
    /// What it is called in errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Candidates { .. } | Self::Candidate { .. } => CANDIDATES_NAME,
            Self::ServiceSpec { .. } => CONTRACT_NAME,
            Self::SigningKey { .. } => SIGNING_KEY_NAME,
            Self::Unregister { .. } => "unregistration",
        }
    }

    /// As `source` asks it.
    pub(crate) fn payload(&self, source: &ActrId) -> Payload {
        match self {
            Self::Candidates {
                target,
                count,
                fingerprint,
            } => Payload::RouteCandidates(RouteCandidatesRequest {
                target_type: target.into(),
                criteria: Some(NodeSelectionCriteria {
                    candidate_count: *count,
                    ranking_factors: vec![
                        NodeRankingFactor::ExactMatchFirst.into(),
                        NodeRankingFactor::MaximumPowerReserve.into(),
                        NodeRankingFactor::MinimumMailboxBacklog.into(),
                    ],
                }),
                client_fingerprint: fingerprint.clone(),
                candidate_id: None,
            }),
            Self::Candidate { id } => Payload::RouteCandidates(RouteCandidatesRequest {
                target_type: id.actr_type().into(),
                // As many as there may be, from a registry that can't tell one of them.
                criteria: Some(NodeSelectionCriteria {
                    candidate_count: u32::MAX,
                    ranking_factors: Vec::new(),
                }),
                client_fingerprint: String::new(),
                candidate_id: Some(id.into()),
            }),
            Self::ServiceSpec { name, fingerprint } => Payload::GetServiceSpec(GetServiceSpecRequest {
                name: name.clone(),
                fingerprint: fingerprint.clone(),
            }),
            Self::SigningKey { key_id } => Payload::GetSigningKey(GetSigningKeyRequest { key_id: *key_id }),
            Self::Unregister { reason } => Payload::Unregister(UnregisterRequest {
                actr_id: source.into(),
                reason: Some(reason.clone()),
            }),
        }
    }
}
