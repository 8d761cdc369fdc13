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

/// What can be asked over signaling. All of it may be asked again over the next connection when one was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Candidates {
        target: ActrType,
        count: u32,
        fingerprint: String,
    },
    Candidate {
        id: ActrId,
    },
    ServiceSpec {
        name: String,
        fingerprint: Option<String>,
    },
    SigningKey {
        key_id: u32,
    },
    Unregister {
        reason: String,
    },
}

impl Request {
    /// What it is called in errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Candidates { .. } | Self::Candidate { .. } => "request for candidates",
            Self::ServiceSpec { .. } => "request for a contract",
            Self::SigningKey { .. } => "request for a signing key",
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
