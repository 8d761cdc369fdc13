use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_registry_client::{Candidate, RegistryLink};
use actr_lite_wire::identity::ActrId;
use tokio::time::timeout;

use crate::error::{actr_error::ActrError, discover_error::DiscoverError};

/// How many addresses of other nodes are remembered: a few kilobytes' worth; a forgotten one is asked for again.
const MAX_ADDRESSES: usize = 1024;

/// How long to wait for the registry before a doubtful address is tried once more.
const DOUBT_TIMEOUT: Duration = Duration::from_secs(1);

/// Where the data lanes of other nodes listen, as the registry has told.
pub(super) struct Addresses {
    link: RegistryLink,
    known: Mutex<HashMap<ActrId, Address>>,
}

#[derive(Clone)]
struct Address {
    url: String,
    /// It could not be reached there: the registry may know better.
    is_doubtful: bool,
}

impl Addresses {
    pub(super) fn new(link: RegistryLink) -> Self {
        Self {
            link,
            known: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ActrId, Address>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a node's data lane listens.
    pub(super) async fn of(&self, peer: &ActrId) -> Result<String, ActrError> {
        let known = self.lock().get(peer).cloned();
        let asked = self.link.candidate(peer);
        let candidates = match known {
            Some(Address { url, is_doubtful }) if !is_doubtful || self.link.last_error().is_some() => return Ok(url),
            Some(Address { url, .. }) => match timeout(DOUBT_TIMEOUT, asked).await {
                Ok(Ok(candidates)) => candidates,
                _ => return Ok(url),
            },
            None => asked.await?,
        };
        self.lock().remove(peer);
        self.remember(&candidates);
        let found = candidates.into_iter().find(|candidate| candidate.id == *peer);
        found.and_then(|candidate| candidate.ws_address).ok_or_else(|| {
            DiscoverError::NotListed {
                peer: peer.clone(),
                registry: self.link.url().to_string(),
            }
            .into()
        })
    }

    pub(super) fn remember(&self, candidates: &[Candidate]) {
        let mut known = self.lock();
        for candidate in candidates {
            let Some(url) = candidate.ws_address.clone() else {
                continue;
            };
            if known.len() >= MAX_ADDRESSES
                && let Some(forgotten) = known.keys().next().cloned()
            {
                known.remove(&forgotten);
            }
            let address = Address {
                url,
                is_doubtful: false,
            };
            known.insert(candidate.id.clone(), address);
        }
    }

    /// A node could not be reached at its known address: the next time the registry is asked, if it answers.
    pub(super) fn doubt(&self, peer: &ActrId) {
        if let Some(address) = self.lock().get_mut(peer) {
            address.is_doubtful = true;
        }
    }
}
