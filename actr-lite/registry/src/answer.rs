//! What is answered to one signaling request, by plain data alone.

use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{
        ErrorResponse, GetServiceSpecResponse, GetSigningKeyResponse, Pong, RouteCandidatesRequest,
        RouteCandidatesResponse, UnregisterRequest, UnregisterResponse, WsAddressEntry,
        actr_to_signaling::Payload as Request, get_service_spec_response, route_candidates_response,
        signaling_to_actr::Payload as Answer, unregister_response,
    },
};
use bytes::Bytes;

use crate::directory::{Candidate, Directory, DirectoryError, Load};

/// What a signaling connection knows when it answers.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who asks, verified.
    pub id: &'a ActrId,
    /// The number of the next pong.
    pub pongs: u64,
    /// How often nodes should send heartbeats.
    pub heartbeat_interval_secs: u32,
}

/// Answers one request, at a time of the directory's clock.
pub fn answer(directory: &mut Directory, asker: &Asker<'_>, request: &Request, now: Duration) -> Answer {
    match request {
        Request::Ping(ping) => match directory.heartbeat(asker.id, Load::from(ping), now) {
            Ok(()) => Answer::Pong(Pong {
                seq: asker.pongs,
                suggest_interval_secs: Some(asker.heartbeat_interval_secs),
            }),
            Err(error) => Answer::Error(from_directory(&error)),
        },
        Request::Unregister(request) => Answer::Unregister(unregister(directory, asker.id, request)),
        Request::RouteCandidates(request) => {
            Answer::RouteCandidates(route_candidates(directory, asker.id, request, now))
        }
        Request::GetServiceSpec(request) => {
            let result = match directory.service_spec(asker.id, &request.name, now) {
                Ok(spec) => get_service_spec_response::Result::Success(spec.clone()),
                Err(error) => get_service_spec_response::Result::Error(from_directory(&error)),
            };
            Answer::GetServiceSpec(GetServiceSpecResponse { result: Some(result) })
        }
        Request::GetSigningKey(request) => match directory.signing_key(request.key_id) {
            Some(key) => Answer::GetSigningKey(GetSigningKeyResponse {
                key_id: key.key_id(),
                pubkey: Bytes::copy_from_slice(&key.to_bytes()),
            }),
            None => {
                let message = format!("this registry has no signing key {}", request.key_id);
                Answer::Error(error(ErrorCode::NotFound, message))
            }
        },
        Request::Error(_) => Answer::Error(error(
            ErrorCode::InvalidArgument,
            "an error is not a request".to_owned(),
        )),
    }
}

/// Whether this is a question about others. A node needs all else to stay, or to leave.
pub(crate) fn is_query(request: &Request) -> bool {
    matches!(
        request,
        Request::RouteCandidates(_) | Request::GetServiceSpec(_) | Request::GetSigningKey(_)
    )
}

/// The answer to a request that is refused before anything is looked at.
pub(crate) fn refused(request: &Request, refusal: ErrorResponse) -> Answer {
    match request {
        Request::RouteCandidates(_) => Answer::RouteCandidates(RouteCandidatesResponse {
            result: Some(route_candidates_response::Result::Error(refusal)),
        }),
        Request::GetServiceSpec(_) => Answer::GetServiceSpec(GetServiceSpecResponse {
            result: Some(get_service_spec_response::Result::Error(refusal)),
        }),
        _ => Answer::Error(refusal),
    }
}

fn unregister(directory: &mut Directory, asker: &ActrId, request: &UnregisterRequest) -> UnregisterResponse {
    let result = match ActrId::try_from(&request.actr_id) {
        Ok(id) if id == *asker => directory.unregister(asker).map_err(|error| from_directory(&error)),
        _ => Err(error(
            ErrorCode::PermissionDenied,
            format!("{asker} may unregister nobody but itself"),
        )),
    };
    let result = match result {
        Ok(()) => unregister_response::Result::Success(unregister_response::UnregisterOk {}),
        Err(error) => unregister_response::Result::Error(error),
    };
    UnregisterResponse { result: Some(result) }
}

fn route_candidates(
    directory: &mut Directory,
    asker: &ActrId,
    request: &RouteCandidatesRequest,
    now: Duration,
) -> RouteCandidatesResponse {
    let count = request.criteria.as_ref().map_or(0, |criteria| criteria.candidate_count);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let wanted = request.candidate_id.as_ref().map(ActrId::try_from).transpose();
    let result = match (ActrType::try_from(&request.target_type), wanted) {
        (_, Ok(Some(id))) => directory
            .candidate(asker, &id, now)
            .map(|found| found.into_iter().collect())
            .map_err(|error| from_directory(&error)),
        (Ok(target), Ok(None)) => directory
            .route_candidates(asker, &target, &request.client_fingerprint, count, now)
            .map_err(|error| from_directory(&error)),
        (Err(malformed), _) => Err(error(ErrorCode::InvalidArgument, malformed.to_string())),
        (_, Err(malformed)) => Err(error(ErrorCode::InvalidArgument, malformed.to_string())),
    };
    let result = match result {
        Ok(candidates) => route_candidates_response::Result::Success(candidates_message(candidates)),
        Err(error) => route_candidates_response::Result::Error(error),
    };
    RouteCandidatesResponse { result: Some(result) }
}

fn candidates_message(candidates: Vec<Candidate>) -> route_candidates_response::RouteCandidatesOk {
    route_candidates_response::RouteCandidatesOk {
        candidates: candidates.iter().map(|candidate| (&candidate.id).into()).collect(),
        ws_address_map: candidates
            .into_iter()
            .filter_map(|candidate| {
                Some(WsAddressEntry {
                    candidate_id: (&candidate.id).into(),
                    ws_address: Some(candidate.ws_address?),
                })
            })
            .collect(),
    }
}

/// An error as the protocol writes it.
pub(crate) fn error(code: ErrorCode, message: String) -> ErrorResponse {
    ErrorResponse {
        code: code.number(),
        message,
    }
}

pub(crate) fn from_directory(error: &DirectoryError) -> ErrorResponse {
    self::error(error.code(), error.to_string())
}
