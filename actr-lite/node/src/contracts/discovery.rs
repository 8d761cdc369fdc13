use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_manifest::ContractFingerprint;
use actr_lite_registry_client::{CANDIDATES, Candidate, RegistryLink, RegistryLinkError};
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;
use tracing::debug;

use crate::{
    contracts::{
        checked_candidates::CheckedCandidates,
        contract_fit::{ContractFit, fit},
        locked_contracts::LockedContracts,
    },
    error::{actr_error::ActrError, discover_error::DiscoverError},
    peers::peers::Peers,
    readable_duration::readable,
};

/// How long a connection to a candidate may take before the next one is tried too, beside it: RFC 8305 says a quarter of a
/// second for addresses.
const DIAL_STAGGER: Duration = Duration::from_millis(250);

/// Finds nodes by their type, and compares their contracts with those of the lock file.
pub(crate) struct Discovery {
    link: RegistryLink,
    peers: Arc<Peers>,
    /// The contracts that this node knows of its dependencies.
    contracts: LockedContracts,
    checked: Mutex<CheckedCandidates>,
}

impl Discovery {
    pub(crate) fn new(peers: Arc<Peers>, contracts: LockedContracts) -> Self {
        Self {
            link: peers.link().clone(),
            peers,
            contracts,
            checked: Mutex::default(),
        }
    }

    /// The first node of this type to which a connection is there or can be made. If none can be reached, one of them: the
    /// call to it says why.
    pub(crate) async fn discover_reachable(&self, actr_type: &ActrType) -> Result<ActrId, ActrError> {
        let candidates = self.discover(actr_type).await?;
        if let [only] = &candidates[..] {
            return Ok(only.clone());
        }
        let mut waiting = candidates.iter();
        // In boxes, as a dial is large.
        let mut dials = FuturesUnordered::new();
        loop {
            if let Some(peer) = waiting.next() {
                dials.push(Box::pin(async move { self.peers.connect(peer).await.map(|_| peer) }));
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
    pub(crate) fn timed_out(&self, actr_type: &ActrType, after: Duration) -> ActrError {
        match self.peers.dial_to(actr_type) {
            Some((peer, step)) => ActrError::Unreachable {
                peer,
                cause: PeerText::of(&format_args!("no connection within {}: {step}", readable(after))),
            },
            None => self.no_answer(actr_type, after),
        }
    }

    /// Whether the registry can't be asked now.
    pub(crate) fn is_down(&self) -> bool {
        self.link.last_error().is_some()
    }

    /// The registry did not answer in time: why, as far as `link` knows.
    pub(crate) fn no_answer(&self, actr_type: &ActrType, after: Duration) -> ActrError {
        let message = format!(
            "no server of type {actr_type} was found within {}: {}",
            readable(after),
            self.link.standing()
        );
        ActrError::new(ErrorCode::TimedOut, message)
    }

    /// Live nodes of exactly this type that have the contract of the lock file, at least one, in the order in which the
    /// registry names them.
    pub(crate) async fn discover(&self, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
        let found = self.find(actr_type).await;
        self.peers.tally().discoveries.count(match &found {
            Ok(_) => "found",
            Err(ActrError::Discover(error)) => error.word(),
            Err(_) => "no_answer",
        });
        found
    }

    async fn find(&self, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
        let expected = self.expected_contract(actr_type)?;
        let fingerprint = expected.map(|contract| contract.to_string()).unwrap_or_default();
        let candidates = self
            .link
            .candidates(actr_type, CANDIDATES, &fingerprint)
            .await
            .map_err(|error| refused(actr_type, error))?;
        if candidates.is_empty() {
            return Err(self.no_server(actr_type).into());
        }
        let usable = match expected {
            Some(expected) => self.with_contract(actr_type, candidates, expected).await?,
            None => candidates,
        };
        self.peers.remember_addresses(&usable);
        Ok(usable.into_iter().map(|candidate| candidate.id).collect())
    }

    fn no_server(&self, actr_type: &ActrType) -> DiscoverError {
        DiscoverError::NoServer {
            actr_type: actr_type.clone(),
            registry: self.link.url().to_string(),
        }
    }

    /// The contract that the lock file has for a dependency; `None` for a type that is not one.
    fn expected_contract(&self, actr_type: &ActrType) -> Result<Option<ContractFingerprint>, DiscoverError> {
        let expected = self.contracts.expected(actr_type)?;
        if expected.is_none() {
            debug!(server_type = %actr_type, "{actr_type} is not a dependency in Actr.toml: its contract is not checked");
        }
        Ok(expected)
    }

    /// Those of the candidates that have this contract. If the registry does not tell which one each of them has, all or none
    /// of them, by the contract that it names for the type.
    async fn with_contract(
        &self,
        actr_type: &ActrType,
        candidates: Vec<Candidate>,
        expected: ContractFingerprint,
    ) -> Result<Vec<Candidate>, ActrError> {
        match fit(candidates, &expected.to_string()) {
            ContractFit::Usable(usable) => Ok(usable),
            ContractFit::Unknown(candidates) => {
                let is_checked = self.checked().have(actr_type, &candidates);
                if !is_checked {
                    self.check_type(actr_type, expected).await?;
                    self.checked().insert(actr_type, &candidates);
                }
                Ok(candidates)
            }
            ContractFit::Others(published) => Err(self.mismatch(actr_type, expected, published).into()),
            ContractFit::Unpublished(id) => Err(DiscoverError::NoContract {
                actr_type: actr_type.clone(),
                cause: PeerText::of(&id),
            }
            .into()),
        }
    }

    fn checked(&self) -> MutexGuard<'_, CheckedCandidates> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the contract that the registry names for the whole type.
    async fn check_type(&self, actr_type: &ActrType, expected: ContractFingerprint) -> Result<(), ActrError> {
        let expected_text = expected.to_string();
        let cause = match self
            .link
            .service_spec(&actr_type.to_string(), Some(&expected_text))
            .await
        {
            Ok(spec) if spec.fingerprint == expected_text => return Ok(()),
            Ok(spec) => return Err(self.mismatch(actr_type, expected, spec.fingerprint.into()).into()),
            Err(RegistryLinkError::Refused { message, .. }) => message,
            Err(error) => return Err(error.into()),
        };
        // All servers may have left between the two questions: then it is not their contract that is missing.
        let left = self.link.candidates(actr_type, 1, "").await;
        let is_gone = left.is_ok_and(|left| left.is_empty());
        Err(if is_gone {
            self.no_server(actr_type).into()
        } else {
            let actr_type = actr_type.clone();
            DiscoverError::NoContract { actr_type, cause }.into()
        })
    }

    fn mismatch(&self, actr_type: &ActrType, expected: ContractFingerprint, published: PeerText) -> DiscoverError {
        let contracts = &self.contracts;
        DiscoverError::ContractMismatch {
            actr_type: actr_type.clone(),
            lock: contracts.lock_path.display().to_string(),
            locked: expected.to_string(),
            published,
            command: contracts.command.to_string(),
        }
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
