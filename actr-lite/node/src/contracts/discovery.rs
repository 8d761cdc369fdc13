//! Finding a node of a type whose contract is the one that this node was built for.

use std::{sync::Arc, time::Duration};

use actr_lite_manifest::ContractFingerprint;
use actr_lite_registry::client::{Candidate, RegistryLink, RegistryLinkError};
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;
use tracing::debug;

use crate::{
    contracts::contract_fit::{ContractFit, fit},
    error::{actr_error::ActrError, discover_error::DiscoverError},
    node_state::NodeState,
    readable_duration::readable,
};

/// How many candidates are asked for: enough to have others when one can't be reached.
const CANDIDATES: usize = 8;

/// How long a connection to a candidate may take before the next one is tried too, beside it: RFC 8305 says a quarter of a
/// second for addresses.
const DIAL_STAGGER: Duration = Duration::from_millis(250);

/// The first node of this type to which a connection is there or can be made. If none can be reached, one of them: the
/// call to it says why.
pub(crate) async fn discover_reachable(node: &Arc<NodeState>, actr_type: &ActrType) -> Result<ActrId, ActrError> {
    let candidates = discover(node, actr_type).await?;
    if let [only] = &candidates[..] {
        return Ok(only.clone());
    }
    let mut waiting = candidates.iter();
    // In boxes, as a dial is large.
    let mut dials = FuturesUnordered::new();
    loop {
        if let Some(peer) = waiting.next() {
            dials.push(Box::pin(
                async move { node.sessions().to(node, peer).await.map(|_| peer) },
            ));
        }
        tokio::select! {
            dialled = dials.next() => match dialled {
                Some(Ok(peer)) => return Ok(peer.clone()),
                Some(Err(_)) => {}
                None => break,
            },
            () = sleep(DIAL_STAGGER), if waiting.len() > 0 => {}
        }
    }
    let first = candidates.first().cloned();
    first.ok_or_else(|| ActrError::internal("nobody was found, and no reason"))
}

/// The time for a discovery that still runs is over: which step took too long.
pub(crate) fn timed_out(node: &NodeState, actr_type: &ActrType, after: Duration) -> ActrError {
    match node.sessions().dial_to(actr_type) {
        Some((peer, step)) => ActrError::Unreachable {
            peer,
            cause: PeerText::of(&format_args!("no connection within {}: {step}", readable(after))),
        },
        None => no_answer(node.link(), actr_type, after),
    }
}

/// The registry did not answer in time: why, as far as `link` knows.
pub(crate) fn no_answer(link: &RegistryLink, actr_type: &ActrType, after: Duration) -> ActrError {
    let message = format!(
        "no server of type {actr_type} was found within {}: {}",
        readable(after),
        link.standing()
    );
    ActrError::new(ErrorCode::TimedOut, message)
}

/// Live nodes of exactly this type that have the contract of the lock file, at least one, in the order in which the
/// registry names them.
pub(crate) async fn discover(node: &Arc<NodeState>, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
    let expected = expected_contract(node, actr_type)?;
    let fingerprint = expected.map(|contract| contract.to_string()).unwrap_or_default();
    let candidates = node
        .link()
        .candidates(actr_type, CANDIDATES, &fingerprint)
        .await
        .map_err(|error| refused(actr_type, error))?;
    if candidates.is_empty() {
        return Err(no_server(node, actr_type).into());
    }
    let usable = match expected {
        Some(expected) => with_contract(node, actr_type, candidates, expected).await?,
        None => candidates,
    };
    node.remember_addresses(&usable);
    Ok(usable.into_iter().map(|candidate| candidate.id).collect())
}

fn no_server(node: &NodeState, actr_type: &ActrType) -> DiscoverError {
    DiscoverError::NoServer {
        actr_type: actr_type.clone(),
        registry: node.link().url().to_string(),
    }
}

/// The contract that the lock file has for a dependency; `None` for a type that is not one.
fn expected_contract(node: &NodeState, actr_type: &ActrType) -> Result<Option<ContractFingerprint>, DiscoverError> {
    let contracts = node.contracts();
    if !contracts.depends_on(actr_type) {
        debug!("{actr_type} is not a dependency in Actr.toml: its contract is not checked");
        return Ok(None);
    }
    let locked = contracts.lock.as_ref().and_then(|lock| lock.dependency(actr_type));
    match locked {
        Some(locked) => Ok(Some(locked.fingerprint)),
        None => Err(DiscoverError::NotLocked {
            actr_type: actr_type.clone(),
            lock: contracts.lock_path.display().to_string(),
            command: contracts.command.to_string(),
        }),
    }
}

/// Those of the candidates that have this contract. If the registry does not tell which one each of them has, all or none
/// of them, by the contract that it names for the type.
async fn with_contract(
    node: &NodeState,
    actr_type: &ActrType,
    candidates: Vec<Candidate>,
    expected: ContractFingerprint,
) -> Result<Vec<Candidate>, ActrError> {
    match fit(candidates, &expected.to_string()) {
        ContractFit::Usable(usable) => Ok(usable),
        ContractFit::Unknown(candidates) => {
            check_type(node, actr_type, expected).await?;
            Ok(candidates)
        }
        ContractFit::Others(published) => Err(mismatch(node, actr_type, expected, published).into()),
        ContractFit::Unpublished(id) => Err(DiscoverError::NoContract {
            actr_type: actr_type.clone(),
            cause: PeerText::of(&id),
        }
        .into()),
    }
}

/// Compares the contract that the registry names for the whole type.
async fn check_type(node: &NodeState, actr_type: &ActrType, expected: ContractFingerprint) -> Result<(), ActrError> {
    let expected_text = expected.to_string();
    let cause = match node
        .link()
        .service_spec(&actr_type.to_string(), Some(&expected_text))
        .await
    {
        Ok(spec) if spec.fingerprint == expected_text => return Ok(()),
        Ok(spec) => return Err(mismatch(node, actr_type, expected, spec.fingerprint.into()).into()),
        Err(RegistryLinkError::Refused { message, .. }) => message,
        Err(error) => return Err(error.into()),
    };
    // All servers may have left between the two questions: then it is not their contract that is missing.
    let left = node.link().candidates(actr_type, 1, "").await;
    let is_gone = left.is_ok_and(|left| left.is_empty());
    Err(if is_gone {
        no_server(node, actr_type).into()
    } else {
        let actr_type = actr_type.clone();
        DiscoverError::NoContract { actr_type, cause }.into()
    })
}

fn mismatch(
    node: &NodeState,
    actr_type: &ActrType,
    expected: ContractFingerprint,
    published: PeerText,
) -> DiscoverError {
    let contracts = node.contracts();
    DiscoverError::ContractMismatch {
        actr_type: actr_type.clone(),
        lock: contracts.lock_path.display().to_string(),
        locked: expected.to_string(),
        published,
        command: contracts.command.to_string(),
    }
}

fn refused(actr_type: &ActrType, error: RegistryLinkError) -> ActrError {
    match error {
        RegistryLinkError::Refused {
            code: ErrorCode::PermissionDenied,
            message: cause,
            ..
        } => DiscoverError::Refused {
            actr_type: actr_type.clone(),
            cause,
        }
        .into(),
        error => error.into(),
    }
}
