use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actr_lite_net::ClearText;
use actr_lite_registry::{
    client::{Candidate, RegistryLink},
    complaints::Complaints,
};
use actr_lite_tls::Tls;
use actr_lite_wire::{
    host_policy::HostPolicy,
    identity::{ActrId, ActrType},
    record_limit::RecordLimit,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    actor::router::Router,
    contracts::locked_contracts::LockedContracts,
    error::{actr_error::ActrError, discover_error::DiscoverError},
    limits::occupancy::Occupancy,
    peers::{
        connect_limit::ConnectLimit, lane_settings::LaneSettings, peer_identities::PeerIdentities, peers::Sessions,
    },
    session::departures::Departures,
    stream::{inbox::Inbox, stream_end::StreamEnd, subscriptions::Subscriptions},
    tasks::Tasks,
};

/// How many addresses of other nodes are remembered: a few kilobytes' worth; a forgotten one is asked for again.
const MAX_ADDRESSES: usize = 1024;

/// How long to wait for the registry before a doubtful address is tried once more.
const DOUBT_TIMEOUT: Duration = Duration::from_secs(1);

/// The most digits of a request's number.
const MAX_HEX_LEN: usize = 16;

/// Where a node's data lane listens.
#[derive(Clone)]
struct Address {
    url: String,
    /// It could not be reached there: the registry may know better.
    is_doubtful: bool,
}

/// What the parts of a running node share.
pub(crate) struct NodeState {
    actr_type: ActrType,
    router: Router,
    link: RegistryLink,
    contracts: LockedContracts,
    lane: LaneSettings,
    occupancy: Arc<Occupancy>,
    sessions: Sessions,
    departures: Departures,
    subscriptions: Subscriptions,
    tasks: Tasks,
    complaints: Complaints,
    connects: ConnectLimit,
    addresses: Mutex<HashMap<ActrId, Address>>,
    unknown_frames: AtomicU64,
    peer_identities: PeerIdentities,
    request_prefix: String,
    requests: AtomicU64,
}

impl NodeState {
    pub(crate) fn new(
        actr_type: ActrType,
        router: Router,
        link: RegistryLink,
        contracts: LockedContracts,
        lane: LaneSettings,
        occupancy: Arc<Occupancy>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let complaints = Complaints::new("data lane", tasks.runtime().clone(), tasks.stop().clone());
        Arc::new(Self {
            actr_type,
            router,
            peer_identities: PeerIdentities::new(link.clone()),
            link,
            contracts,
            lane,
            sessions: Sessions::default(),
            departures: Departures::default(),
            subscriptions: Subscriptions::new(occupancy.limits()),
            occupancy,
            tasks,
            complaints,
            connects: ConnectLimit::default(),
            addresses: Mutex::default(),
            unknown_frames: AtomicU64::new(0),
            request_prefix: format!("{:032x}", rand::random::<u128>()),
            requests: AtomicU64::new(0),
        })
    }

    /// This node's id: a new one after each registration.
    pub(crate) fn self_id(&self) -> ActrId {
        // A node's state is made after its first registration; what can't be is not worth an error to every caller.
        self.link
            .actor_id()
            .unwrap_or_else(|| ActrId::new(0, 0, self.actr_type.clone()))
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    pub(crate) fn link(&self) -> &RegistryLink {
        &self.link
    }

    /// Who peers are that dial this node.
    pub(crate) fn peer_identities(&self) -> &PeerIdentities {
        &self.peer_identities
    }

    /// The contracts that this node knows of its dependencies.
    pub(crate) fn contracts(&self) -> &LockedContracts {
        &self.contracts
    }

    /// The longest record that this node sends and takes.
    pub(crate) fn record_limit(&self) -> RecordLimit {
        self.lane.record_limit
    }

    /// Who this node is to those who dial it, and whom it trusts.
    pub(crate) fn tls(&self) -> &Tls {
        &self.lane.tls
    }

    /// Where this node shows its credential without TLS.
    pub(crate) fn clear_text(&self) -> ClearText {
        self.lane.clear_text
    }

    /// By which names others may address its data lane.
    pub(crate) fn hosts(&self) -> &HostPolicy {
        &self.lane.hosts
    }

    /// This node's limits, and how much of them is used.
    pub(crate) fn occupancy(&self) -> &Occupancy {
        &self.occupancy
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn departures(&self) -> &Departures {
        &self.departures
    }

    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// What is counted and logged about peers that misbehave.
    pub(crate) fn complaints(&self) -> &Complaints {
        &self.complaints
    }

    /// How often others may connect to it.
    pub(crate) fn connects(&self) -> &ConnectLimit {
        &self.connects
    }

    /// Cancelled when the node takes no new connections and calls any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        self.occupancy.draining()
    }

    /// Globally unique: receivers distinguish requests only by it.
    pub(crate) fn next_request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut id = String::with_capacity(self.request_prefix.len() + 1 + MAX_HEX_LEN);
        // Writing to a string can't fail.
        let _ = write!(id, "{}-{number:x}", self.request_prefix);
        id
    }

    /// Where a node's data lane listens.
    pub(crate) async fn address_of(&self, peer: &ActrId) -> Result<String, ActrError> {
        let known = self.lock_addresses().get(peer).cloned();
        let asked = self.link.candidate(peer);
        let candidates = match known {
            Some(Address { url, is_doubtful }) if !is_doubtful || self.link.last_error().is_some() => return Ok(url),
            Some(Address { url, .. }) => match timeout(DOUBT_TIMEOUT, asked).await {
                Ok(Ok(candidates)) => candidates,
                _ => return Ok(url),
            },
            None => asked.await?,
        };
        self.lock_addresses().remove(peer);
        self.remember_addresses(&candidates);
        let found = candidates.into_iter().find(|candidate| candidate.id == *peer);
        found.and_then(|candidate| candidate.ws_address).ok_or_else(|| {
            DiscoverError::NotListed {
                peer: peer.clone(),
                registry: self.link.url().to_string(),
            }
            .into()
        })
    }

    pub(crate) fn remember_addresses(&self, candidates: &[Candidate]) {
        let mut addresses = self.lock_addresses();
        for candidate in candidates {
            let Some(url) = candidate.ws_address.clone() else {
                continue;
            };
            if addresses.len() >= MAX_ADDRESSES
                && let Some(forgotten) = addresses.keys().next().cloned()
            {
                addresses.remove(&forgotten);
            }
            let address = Address {
                url,
                is_doubtful: false,
            };
            addresses.insert(candidate.id.clone(), address);
        }
    }

    /// A node could not be reached at its known address: the next time the registry is asked, if it answers.
    pub(crate) fn doubt_address(&self, peer: &ActrId) {
        if let Some(address) = self.lock_addresses().get_mut(peer) {
            address.is_doubtful = true;
        }
    }

    fn lock_addresses(&self) -> std::sync::MutexGuard<'_, HashMap<ActrId, Address>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a subscription, and stops its sender unless the stream was over.
    pub(crate) fn unsubscribe(&self, inbox: &Arc<Inbox>, end: StreamEnd) {
        self.subscriptions.remove(inbox);
        let reason = inbox.ended().is_none().then(|| end.to_string());
        inbox.end(end);
        if let Some(reason) = reason
            && let Some(session) = inbox.source()
        {
            session.cancel_incoming(inbox, &reason);
        }
    }

    pub(crate) fn count_unknown_frames(&self, count: u64) {
        self.unknown_frames.fetch_add(count, Ordering::Relaxed);
    }

    /// Frames that came for streams that were not registered, or from another sender.
    pub(crate) fn unknown_frames(&self) -> u64 {
        self.unknown_frames.load(Ordering::Relaxed)
    }
}
