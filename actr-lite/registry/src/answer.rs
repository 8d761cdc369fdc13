//! What is answered to one signaling request, by plain data alone, and in steps.

use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{
        CandidateContract, ErrorResponse, GetServiceSpecResponse, GetSigningKeyResponse, Pong, RouteCandidatesRequest,
        RouteCandidatesResponse, ServiceSpec, UnregisterResponse, WsAddressEntry,
        actr_to_signaling::Payload as Request, get_service_spec_response, route_candidates_response,
        signaling_to_actr::Payload as Answer, unregister_response,
    },
};
use bytes::Bytes;
use prost::Message as _;

use crate::{
    directory::{Candidate, CandidateSearch, ContractSearch, Directory, DirectoryError, Load},
    lane_address,
};

/// What a signaling connection knows when it answers.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who asks, verified.
    pub id: &'a ActrId,
    /// Whether it is told addresses that only nodes of the registry's own machine can dial.
    pub is_this_machine: bool,
    /// The number of the next pong.
    pub pongs: u64,
    /// How often nodes should send heartbeats.
    pub heartbeat_interval_secs: u32,
}

/// The answer to one request, at a time of the directory's clock. It is for those who have the directory to themselves:
/// others answer [in steps](Answering).
pub fn answer(directory: &mut Directory, asker: &Asker<'_>, request: &Request, now: Duration) -> Answer {
    let mut answering = Answering::new(asker, request);
    loop {
        if let Some(outcome) = answering.step(directory, now) {
            return outcome.answer_to(asker);
        }
    }
}

/// Work on an answer, in steps that hold the directory for a fraction of a millisecond each.
#[derive(Debug)]
pub struct Answering(Work);

#[derive(Debug)]
enum Work {
    Candidates(CandidateSearch),
    Contract(ContractSearch),
    /// What takes one step; none where it is done.
    Short(Option<Short>),
}

#[derive(Debug)]
enum Short {
    Heartbeat { id: ActrId, load: Load, pong: Pong },
    Unregister { id: ActrId, whom: Option<ActrId> },
    Candidate { asker: ActrId, id: ActrId },
    SigningKey { key_id: u32 },
    Refusal(Answer),
}

/// What came of a request. To make a message of it needs no directory.
#[derive(Debug)]
pub enum Outcome {
    /// The answer itself.
    Answer(Answer),
    /// What was found for a request for candidates.
    Candidates(Result<Vec<Candidate>, DirectoryError>),
    /// What was found for a request for a contract, encoded.
    Contract(Result<Bytes, DirectoryError>),
}

impl Answering {
    /// Work on the answer to this request; it keeps nothing of the request that it has no use for.
    pub fn new(asker: &Asker<'_>, request: &Request) -> Self {
        let id = || asker.id.clone();
        Self(match request {
            Request::RouteCandidates(request) => route_candidates(asker.id, request),
            Request::GetServiceSpec(request) => {
                let wanted = request.fingerprint.as_deref();
                Work::Contract(ContractSearch::new(id(), &request.name, wanted))
            }
            Request::Ping(ping) => Work::Short(Some(Short::Heartbeat {
                id: id(),
                load: Load::from(ping),
                pong: Pong {
                    seq: asker.pongs,
                    suggest_interval_secs: Some(asker.heartbeat_interval_secs),
                },
            })),
            Request::Unregister(request) => Work::Short(Some(Short::Unregister {
                id: id(),
                whom: ActrId::try_from(&request.actr_id).ok(),
            })),
            Request::GetSigningKey(request) => Work::Short(Some(Short::SigningKey { key_id: request.key_id })),
            Request::Error(_) => Work::Short(Some(Short::Refusal(Answer::Error(error(
                ErrorCode::InvalidArgument,
                "an error is not a request".to_owned(),
            ))))),
        })
    }

    /// Does a part of the work; what came of it when it is done. Not to be called again then.
    pub fn step(&mut self, directory: &mut Directory, now: Duration) -> Option<Outcome> {
        match &mut self.0 {
            Work::Candidates(search) => search.step(directory, now).map(Outcome::Candidates),
            Work::Contract(search) => search.step(directory, now).map(Outcome::Contract),
            Work::Short(short) => short.take().map(|short| short.outcome(directory, now)),
        }
    }
}

impl Short {
    fn outcome(self, directory: &mut Directory, now: Duration) -> Outcome {
        Outcome::Answer(match self {
            Self::Candidate { asker, id } => {
                let found = directory.candidate(&asker, &id, now);
                return Outcome::Candidates(found.map(|found| found.into_iter().collect()));
            }
            Self::Heartbeat { id, load, pong } => match directory.heartbeat(&id, load, now) {
                Ok(()) => Answer::Pong(pong),
                Err(error) => Answer::Error(from_directory(&error)),
            },
            Self::Unregister { id, whom } => Answer::Unregister(unregister(directory, &id, whom.as_ref())),
            Self::SigningKey { key_id } => match directory.signing_key(key_id) {
                Some(key) => Answer::GetSigningKey(GetSigningKeyResponse {
                    key_id: key.key_id(),
                    pubkey: Bytes::copy_from_slice(&key.to_bytes()),
                }),
                None => {
                    let message = format!("this registry has no signing key {key_id}");
                    Answer::Error(error(ErrorCode::NotFound, message))
                }
            },
            Self::Refusal(refusal) => refusal,
        })
    }
}

impl Outcome {
    /// As a message for who asked.
    pub fn answer_to(self, asker: &Asker<'_>) -> Answer {
        match self {
            Self::Answer(answer) => answer,
            Self::Candidates(found) => {
                let result = match found {
                    Ok(found) => route_candidates_response::Result::Success(candidates_message(found, asker)),
                    Err(error) => route_candidates_response::Result::Error(from_directory(&error)),
                };
                Answer::RouteCandidates(RouteCandidatesResponse { result: Some(result) })
            }
            Self::Contract(found) => {
                // What the registry has encoded itself can be decoded.
                let found = found.map(|encoded| ServiceSpec::decode(encoded).unwrap_or_default());
                let result = match found {
                    Ok(spec) => get_service_spec_response::Result::Success(spec),
                    Err(error) => get_service_spec_response::Result::Error(from_directory(&error)),
                };
                Answer::GetServiceSpec(GetServiceSpecResponse { result: Some(result) })
            }
        }
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

fn unregister(directory: &mut Directory, asker: &ActrId, whom: Option<&ActrId>) -> UnregisterResponse {
    let result = if whom == Some(asker) {
        directory.unregister(asker).map_err(|error| from_directory(&error))
    } else {
        Err(error(
            ErrorCode::PermissionDenied,
            format!("{asker} may unregister nobody but itself"),
        ))
    };
    let result = match result {
        Ok(()) => unregister_response::Result::Success(unregister_response::UnregisterOk {}),
        Err(error) => unregister_response::Result::Error(error),
    };
    UnregisterResponse { result: Some(result) }
}

fn route_candidates(asker: &ActrId, request: &RouteCandidatesRequest) -> Work {
    let count = request.criteria.as_ref().map_or(0, |criteria| criteria.candidate_count);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let wanted = request.candidate_id.as_ref().map(ActrId::try_from).transpose();
    let malformed = match (ActrType::try_from(&request.target_type), wanted) {
        (_, Ok(Some(id))) => {
            return Work::Short(Some(Short::Candidate {
                asker: asker.clone(),
                id,
            }));
        }
        (Ok(target), Ok(None)) => {
            let search = CandidateSearch::new(asker.clone(), target, &request.client_fingerprint, count);
            return Work::Candidates(search);
        }
        (Err(malformed), _) => malformed.to_string(),
        (_, Err(malformed)) => malformed.to_string(),
    };
    let result = route_candidates_response::Result::Error(error(ErrorCode::InvalidArgument, malformed));
    Work::Short(Some(Short::Refusal(Answer::RouteCandidates(RouteCandidatesResponse {
        result: Some(result),
    }))))
}

fn candidates_message(candidates: Vec<Candidate>, asker: &Asker<'_>) -> route_candidates_response::RouteCandidatesOk {
    route_candidates_response::RouteCandidatesOk {
        candidates: candidates.iter().map(|candidate| (&candidate.id).into()).collect(),
        contracts: candidates
            .iter()
            .map(|candidate| CandidateContract {
                candidate_id: (&candidate.id).into(),
                fingerprint: candidate.fingerprint.as_deref().map(str::to_owned),
            })
            .collect(),
        ws_address_map: candidates
            .into_iter()
            .filter_map(|candidate| {
                let ws_address = candidate.ws_address?;
                lane_address::told_to(&ws_address, asker.is_this_machine).then(|| WsAddressEntry {
                    candidate_id: (&candidate.id).into(),
                    ws_address: Some(ws_address.into()),
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
