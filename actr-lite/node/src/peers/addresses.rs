use std::sync::{Mutex, MutexGuard, PoisonError};

use actr_lite_engine::peers::addresses::{self, LookUp};
use actr_lite_registry_client::{Candidate, RegistryLink, RegistryLinkError};
use actr_lite_wire::identity::ActrId;

/// Where the data lanes of other nodes listen, as the registry has told.
pub(super) struct Addresses {
    link: RegistryLink,
    known: Mutex<addresses::Addresses<String>>,
}

impl Addresses {
    pub(super) fn new(link: RegistryLink) -> Self {
        Self {
            link,
            known: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, addresses::Addresses<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of where a node's data lane listens.
    pub(super) fn look_up(&self, peer: &ActrId) -> LookUp<String> {
        self.lock().look_up(peer, self.link.last_error().is_some())
    }

    /// Asks the registry where it listens; `None` if the registry does not name it.
    pub(super) async fn ask(&self, peer: &ActrId) -> Result<Option<String>, RegistryLinkError> {
        let candidates = self.link.candidate(peer).await?;
        self.lock().forget(peer);
        self.remember(&candidates);
        let found = candidates.into_iter().find(|candidate| candidate.id == *peer);
        Ok(found.and_then(|candidate| candidate.ws_address))
    }

    pub(super) fn remember(&self, candidates: &[Candidate]) {
        let mut known = self.lock();
        for candidate in candidates {
            if let Some(url) = candidate.ws_address.clone() {
                known.learn(candidate.id.clone(), url);
            }
        }
    }

    /// A node could not be reached at its known address.
    pub(super) fn doubt(&self, peer: &ActrId) {
        self.lock().doubt(peer);
    }
}
