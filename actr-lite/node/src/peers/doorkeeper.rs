use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_engine::{
    accounts::Admission,
    upgrade::{
        doorkeeper,
        refused::RefusedUpgrade,
        request::{UpgradeRequest, unproven},
    },
};
use actr_lite_net::{host_check::check_host, source::Source};
use actr_lite_registry_client::RegistryLink;
use actr_lite_wire::{credential::VerifyingKey, host_policy::HostPolicy, peer_text::PeerText, possession::Audience};
use hyper::{Request, Response, StatusCode, body::Incoming};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::peers::peers::Peers;

/// How many unknown signing keys are asked for at once: anybody can name one, and the registry's answers are for the
/// node's own questions first.
const MAX_KEY_LOOKUPS: usize = 8;

/// Decides who may connect to this node.
pub(super) struct Doorkeeper {
    pub(super) peers: Arc<Peers>,
    /// By which names others may address its data lane.
    hosts: HostPolicy,
    started: Instant,
    state: Mutex<doorkeeper::Doorkeeper<Source>>,
    key_lookups: Semaphore,
}

/// Who was let in, and what was agreed on.
pub(super) struct Admitted {
    pub(super) request: UpgradeRequest,
    pub(super) is_kept_by_peer: bool,
    pub(super) admission: Admission,
}

impl Doorkeeper {
    /// For connections to a node that may be addressed by these names.
    pub(super) fn new(peers: Arc<Peers>, hosts: HostPolicy) -> Self {
        Self {
            peers,
            hosts,
            started: Instant::now(),
            state: Mutex::default(),
            key_lookups: Semaphore::new(MAX_KEY_LOOKUPS),
        }
    }

    fn lock(&self) -> MutexGuard<'_, doorkeeper::Doorkeeper<Source>> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link(&self) -> &RegistryLink {
        self.peers.link()
    }

    /// Checks that it is an upgrade to WebSocket, and who asks for it.
    pub(super) async fn admit(
        &self,
        address: SocketAddr,
        request: &Request<Incoming>,
    ) -> Result<(Admitted, Response<String>), RefusedUpgrade> {
        let from = Source::of(address.ip());
        let streams = &self.peers.sessions().streams;
        check_host(&self.hosts, self.peers.tls().server.as_ref(), request)?;
        self.lock().knock(from, self.started.elapsed())?;
        let request = UpgradeRequest::read(request.method(), request.headers())?;
        let in_time = streams.occupancy.limits().header_timeout.duration();
        timeout(in_time, self.identify(from, &request)).await.map_err(|_| {
            RefusedUpgrade::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the credential can't be checked in time",
            )
        })??;
        self.lock()
            .enter(&request, streams.is_stopping(), self.started.elapsed())?;
        let is_admitted = self.peers.open().admit(&request.peer).map_err(|refusal| {
            let reason = PeerText::of(&refusal);
            RefusedUpgrade::new(StatusCode::FORBIDDEN, reason)
        })?;
        let account = streams.occupancy.accounts().of(&request.peer);
        let admission = account.and_then(|account| account.admit()).map_err(|limit| {
            streams.tally.limit_reached(&limit);
            RefusedUpgrade::new(StatusCode::TOO_MANY_REQUESTS, format!("this node has {limit}"))
        })?;
        let response = request.accept(self.peers.sessions().record_limit)?;
        let admitted = Admitted {
            // Whom the list refuses has nothing to keep it for.
            is_kept_by_peer: request.is_kept && is_admitted,
            request,
            admission,
        };
        Ok((admitted, response))
    }

    /// Checks that the peer itself asks, and asks this node. The same upgrade does so once.
    async fn identify(&self, from: Source, request: &UpgradeRequest) -> Result<(), RefusedUpgrade> {
        let key = self.signing_key(from, request.key_id()).await?;
        let is_meant = |audience: &Audience| matches!(audience, Audience::Node(id) if self.link().has_been(id));
        let now = self.link().unix_seconds();
        let recalled = self.lock().recall(&key, request);
        let genuine = match recalled {
            Some(genuine) => genuine,
            None => key
                .authenticate(request.credential())
                .map_err(|error| unproven(&error))?,
        };
        let proven = request
            .verify(&genuine, is_meant, now)
            .map_err(|error| unproven(&error))?;
        let taken = self.lock().take_proof(&request.peer, &genuine, proven, now);
        taken.map_err(|error| unproven(&error))
    }

    async fn signing_key(&self, from: Source, key_id: u32) -> Result<VerifyingKey, RefusedUpgrade> {
        if let Some(key) = self.link().known_signing_key(key_id) {
            return Ok(key);
        }
        // It is never closed.
        let _permit = self.key_lookups.acquire().await;
        // Another upgrade may have asked for it meanwhile.
        if let Some(key) = self.link().known_signing_key(key_id) {
            return Ok(key);
        }
        self.lock().ask_for_key(from, self.started.elapsed())?;
        let asked = self.link().signing_key(key_id).await;
        asked.map_err(|cause| unproven(&format_args!("signing key {key_id} cannot be checked: {cause}")))
    }
}
