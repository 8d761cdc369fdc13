//! Finding a node of a type whose contract is the one that this node was built for.

use std::{sync::Arc, time::Duration};

use actr_lite_manifest::ContractFingerprint;
use actr_lite_registry::client::{RegistryLink, RegistryLinkError};
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use thiserror::Error;
use tokio::time::sleep;
use tracing::debug;

use crate::{
    error::{ActrError, humantime},
    node_state::NodeState,
};

/// How many candidates are asked for: enough to have others when one can't be reached.
const CANDIDATES: usize = 8;

/// Why no node could be found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// There is no server of this type.
    #[error("no server of type {actr_type} is registered at {registry}: start one, or check the type's version")]
    NoServer {
        /// What was looked for.
        actr_type: ActrType,
        /// Where.
        registry: String,
    },
    /// The contract that the node publishes is another one than the lock file's.
    #[error(
        "the contract of {actr_type} has changed: {lock} says {locked}, but the server publishes {published}; if that \
         is intended, rebuild against the new protos and run `{command}`"
    )]
    ContractMismatch {
        /// What was looked for.
        actr_type: ActrType,
        /// The lock file.
        lock: String,
        /// The fingerprint there.
        locked: String,
        /// The server's fingerprint.
        published: PeerText,
        /// What updates the lock file.
        command: String,
    },
    /// The lock file does not have the dependency.
    #[error("{lock} has no entry for {actr_type}, on which Actr.toml depends: run `{command}`")]
    NotLocked {
        /// What was looked for.
        actr_type: ActrType,
        /// The lock file.
        lock: String,
        /// What updates the lock file.
        command: String,
    },
    /// The node publishes no contract to compare.
    #[error("a server of type {actr_type} is registered, but publishes no contract: {cause}")]
    NoContract {
        /// What was looked for.
        actr_type: ActrType,
        /// What the registry says.
        cause: PeerText,
    },
    /// The type is known, but not to this node's realm, or the registry refuses for another reason of its own.
    #[error("the registry does not name a server of type {actr_type} to this node: {cause}")]
    Refused {
        /// What was looked for.
        actr_type: ActrType,
        /// What the registry says.
        cause: PeerText,
    },
    /// The node is not registered with an address.
    #[error("{peer} is not registered at {registry} with an address to dial: it has left, or is not dialable")]
    NotListed {
        /// The node.
        peer: ActrId,
        /// Where.
        registry: String,
    },
}

impl DiscoverError {
    /// Whether waiting may help: a server may start, but a contract does not change by itself.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoServer { .. } | Self::NotListed { .. })
    }
}

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
            cause: PeerText::of(&format_args!("no connection within {}: {step}", humantime(after))),
        },
        None => no_answer(node.link(), actr_type, after),
    }
}

/// The registry did not answer in time: why, as far as `link` knows.
pub(crate) fn no_answer(link: &RegistryLink, actr_type: &ActrType, after: Duration) -> ActrError {
    let message = format!(
        "no server of type {actr_type} was found within {}: {}",
        humantime(after),
        link.standing()
    );
    ActrError::new(ErrorCode::TimedOut, message)
}

/// Live nodes of exactly this type, at least one, in the order in which the registry names them.
pub(crate) async fn discover(node: &Arc<NodeState>, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
    let expected = expected_contract(node, actr_type)?;
    let fingerprint = expected.map(|contract| contract.to_string()).unwrap_or_default();
    let candidates = node
        .link()
        .candidates(actr_type, CANDIDATES, &fingerprint)
        .await
        .map_err(|error| refused(actr_type, error))?;
    node.remember_addresses(&candidates);
    if candidates.is_empty() {
        return Err(no_server(node, actr_type).into());
    }
    if let Some(expected) = expected
        && let Err(error) = check_contract(node, actr_type, expected).await
    {
        // All servers may have left between the two questions: then it is not their contract that is missing.
        let is_gone = matches!(error, ActrError::Discover(DiscoverError::NoContract { .. }))
            && node
                .link()
                .candidates(actr_type, 1, "")
                .await
                .is_ok_and(|left| left.is_empty());
        return Err(if is_gone {
            no_server(node, actr_type).into()
        } else {
            error
        });
    }
    Ok(candidates.into_iter().map(|candidate| candidate.id).collect())
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

async fn check_contract(
    node: &NodeState,
    actr_type: &ActrType,
    expected: ContractFingerprint,
) -> Result<(), ActrError> {
    let spec = node
        .link()
        .service_spec(&actr_type.to_string())
        .await
        .map_err(|error| match error {
            RegistryLinkError::Refused { message: cause, .. } => ActrError::from(DiscoverError::NoContract {
                actr_type: actr_type.clone(),
                cause,
            }),
            error => error.into(),
        })?;
    if spec.fingerprint == expected.to_string() {
        return Ok(());
    }
    let contracts = node.contracts();
    Err(DiscoverError::ContractMismatch {
        actr_type: actr_type.clone(),
        lock: contracts.lock_path.display().to_string(),
        locked: expected.to_string(),
        published: spec.fingerprint.into(),
        command: contracts.command.to_string(),
    }
    .into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_fingerprint_is_shown_as_text() {
        let error = DiscoverError::ContractMismatch {
            actr_type: "acme+Server".parse().unwrap(),
            lock: "Actr.lock.toml".into(),
            locked: "service_semantic:0".into(),
            published: "\x1b]0;title\x07\nerror: forged".into(),
            command: "client --update-lock".into(),
        };
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}
