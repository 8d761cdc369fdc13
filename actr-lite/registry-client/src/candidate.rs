use std::collections::HashMap;

use actr_lite_wire::{
    identity::{ActrId, ParseActrIdError},
    proto::route_candidates_response::RouteCandidatesOk,
};

/// How many candidates a node asks for: enough to have others when one can't be reached.
pub const CANDIDATES: usize = 8;

/// A node that may be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which node.
    pub id: ActrId,
    /// Where its data lane listens, if it says so.
    pub ws_address: Option<String>,
    /// Which contract it publishes.
    pub contract: PublishedContract,
}

/// What a registry says about a candidate's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishedContract {
    /// This registry can only be asked for the contract of a type.
    NotTold,
    /// The candidate publishes none.
    None,
    /// It publishes the one with this fingerprint.
    Fingerprint(String),
}

/// What the registry has found, the best first and at most `count`.
pub(crate) fn candidates_of(found: RouteCandidatesOk, count: usize) -> Result<Vec<Candidate>, ParseActrIdError> {
    let mut addresses = HashMap::new();
    for entry in found.ws_address_map {
        addresses.insert(ActrId::try_from(&entry.candidate_id)?, entry.ws_address);
    }
    let is_told = !found.contracts.is_empty();
    let mut fingerprints = HashMap::new();
    for entry in found.contracts {
        fingerprints.insert(ActrId::try_from(&entry.candidate_id)?, entry.fingerprint);
    }
    let ids = found.candidates.iter().take(count).map(ActrId::try_from);
    ids.map(|id| {
        let id = id?;
        let ws_address = addresses.remove(&id).flatten();
        let contract = match fingerprints.remove(&id).flatten() {
            Some(fingerprint) => PublishedContract::Fingerprint(fingerprint),
            None if is_told => PublishedContract::None,
            None => PublishedContract::NotTold,
        };
        Ok(Candidate {
            id,
            ws_address,
            contract,
        })
    })
    .collect()
}
