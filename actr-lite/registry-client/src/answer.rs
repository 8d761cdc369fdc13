//! What the registry's answers to requests say.

use actr_lite_wire::{
    credential::VerifyingKey,
    proto::{
        ServiceSpec, get_service_spec_response, route_candidates_response, signaling_to_actr::Payload,
        unregister_response,
    },
};

use crate::{
    candidate::{Candidate, candidates_of},
    error::RegistryLinkError,
    request::{CANDIDATES_NAME, CONTRACT_NAME, SIGNING_KEY_NAME, UNREGISTRATION_NAME},
};

/// The nodes that were found, the best first and at most `count`.
///
/// # Errors
/// When it is a refusal, or no such answer.
pub fn candidates(answer: Payload, count: usize) -> Result<Vec<Candidate>, RegistryLinkError> {
    let Payload::RouteCandidates(response) = answer else {
        return Err(other_kind(CANDIDATES_NAME));
    };
    match response.result {
        Some(route_candidates_response::Result::Success(found)) => {
            candidates_of(found, count).map_err(|error| RegistryLinkError::malformed(CANDIDATES_NAME, &error))
        }
        Some(route_candidates_response::Result::Error(error)) => {
            Err(RegistryLinkError::refused(CANDIDATES_NAME, error))
        }
        None => Err(empty(CANDIDATES_NAME)),
    }
}

/// The contract that was asked for.
///
/// # Errors
/// When it is a refusal, or no such answer.
pub fn service_spec(answer: Payload) -> Result<ServiceSpec, RegistryLinkError> {
    let Payload::GetServiceSpec(response) = answer else {
        return Err(other_kind(CONTRACT_NAME));
    };
    match response.result {
        Some(get_service_spec_response::Result::Success(spec)) => Ok(spec),
        Some(get_service_spec_response::Result::Error(error)) => Err(RegistryLinkError::refused(CONTRACT_NAME, error)),
        None => Err(empty(CONTRACT_NAME)),
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

/// The node has left.
///
/// # Errors
/// When it is a refusal, or no such answer.
pub fn unregistered(answer: Payload) -> Result<(), RegistryLinkError> {
    let Payload::Unregister(response) = answer else {
        return Err(other_kind(UNREGISTRATION_NAME));
    };
    match response.result {
        Some(unregister_response::Result::Success(_)) => Ok(()),
        Some(unregister_response::Result::Error(error)) => Err(RegistryLinkError::refused(UNREGISTRATION_NAME, error)),
        None => Err(empty(UNREGISTRATION_NAME)),
    }
}

fn other_kind(request: &'static str) -> RegistryLinkError {
    RegistryLinkError::malformed(request, &"it is the answer to something else")
}

fn empty(request: &'static str) -> RegistryLinkError {
    RegistryLinkError::malformed(request, &"it is empty")
}
