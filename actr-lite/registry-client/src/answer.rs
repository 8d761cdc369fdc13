//! What the registry's answers to requests say.

use actr_lite_wire::{
    credential::VerifyingKey,
    proto::{
        ErrorResponse, GetServiceSpecResponse, RouteCandidatesResponse, ServiceSpec, UnregisterResponse,
        get_service_spec_response::Result as SpecResult, route_candidates_response::Result as CandidatesResult,
        signaling_to_actr::Payload, unregister_response::Result as UnregisterResult,
    },
};

use crate::{
    candidate::{Candidate, candidates_of},
    error::RegistryLinkError,
    request::{CANDIDATES_NAME, CONTRACT_NAME, SIGNING_KEY_NAME},
};

/// What the registry says to a request.
pub(crate) type Outcome = Result<Payload, ErrorResponse>;

/// The same, where an answer of the right kind that is a refusal counts as one.
pub(crate) fn settled(answer: Payload) -> Outcome {
    match answer {
        Payload::RouteCandidates(RouteCandidatesResponse {
            result: Some(CandidatesResult::Error(error)),
        })
        | Payload::GetServiceSpec(GetServiceSpecResponse {
            result: Some(SpecResult::Error(error)),
        })
        | Payload::Unregister(UnregisterResponse {
            result: Some(UnregisterResult::Error(error)),
        }) => Err(error),
        answer => Ok(answer),
    }
}

/// The nodes that were found, the best first and at most `count`.
///
/// # Errors
/// When it is no such answer.
pub fn candidates(answer: Payload, count: usize) -> Result<Vec<Candidate>, RegistryLinkError> {
    match answer {
        Payload::RouteCandidates(RouteCandidatesResponse {
            result: Some(CandidatesResult::Success(found)),
        }) => candidates_of(found, count).map_err(|error| RegistryLinkError::malformed(CANDIDATES_NAME, &error)),
        _ => Err(other_kind(CANDIDATES_NAME)),
    }
}

/// The contract that was asked for.
///
/// # Errors
/// When it is no such answer.
pub fn service_spec(answer: Payload) -> Result<ServiceSpec, RegistryLinkError> {
    match answer {
        Payload::GetServiceSpec(GetServiceSpecResponse {
            result: Some(SpecResult::Success(spec)),
        }) => Ok(spec),
        _ => Err(other_kind(CONTRACT_NAME)),
    }
}

/// The key of this number.
///
/// # Errors
/// When it is no such answer.
pub fn signing_key(answer: Payload, key_id: u32) -> Result<VerifyingKey, RegistryLinkError> {
    let Payload::GetSigningKey(response) = answer else {
        return Err(other_kind(SIGNING_KEY_NAME));
    };
    if response.key_id != key_id {
        let what = format_args!("it has key {} instead of key {key_id}", response.key_id);
        return Err(RegistryLinkError::malformed(SIGNING_KEY_NAME, &what));
    }
    VerifyingKey::from_bytes(key_id, &response.pubkey)
        .map_err(|error| RegistryLinkError::malformed(SIGNING_KEY_NAME, &error))
}

fn other_kind(request: &'static str) -> RegistryLinkError {
    RegistryLinkError::malformed(request, &"it is empty, or the answer to something else")
}
