//! The registry's sessions without their sockets, for fuzz targets. It is not part of the interface.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actr_lite_wire::{
    host_policy::HostPolicy,
    identity::ActrId,
    proto::{RegisterRequest, RegisterResponse, RenewCredentialRequest, SignalingEnvelope, signaling_envelope::Flow},
};
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::{
    ais,
    audit::AuditLog,
    authority::Authority,
    conversation::Conversation,
    directory::{DirectoryError, Registration},
    ledger::Holder,
    options::Options,
    origin::Origin,
    registry::RegistryError,
    relay::{self, RelayReceiver},
    shared::{Dismissal, Notice, Shared},
};
use actr_lite_net::source::Source;

/// A registry that listens nowhere.
pub struct FuzzedRegistry {
    shared: Arc<Shared>,
    /// Each [life](Self::begin) comes from an address of its own: what one has asked too often does not count for the next.
    lives: AtomicU32,
}

/// An open signaling connection.
pub struct FuzzedConnection<'a> {
    registry: &'a FuzzedRegistry,
    id: ActrId,
    number: u64,
    origin: Origin,
    relayed: RelayReceiver,
    dismissed: oneshot::Receiver<Dismissal>,
}

impl FuzzedRegistry {
    /// One that knows nobody.
    ///
    /// # Errors
    /// When the defaults can't be used.
    pub fn new() -> Result<Self, RegistryError> {
        let hosts = HostPolicy::new("this registry", Ipv4Addr::LOCALHOST.into(), "name it");
        let shared = Shared::new(Options::default(), hosts, AuditLog::open(None)?)?;
        Ok(Self {
            shared: Arc::new(shared),
            lives: AtomicU32::new(0),
        })
    }

    /// Forgets all nodes.
    pub fn begin(&self) {
        self.lives.fetch_add(1, Ordering::Relaxed);
        let mut state = self.shared.state();
        loop {
            let expired = state.directory.expire(Duration::MAX);
            if expired.is_empty() {
                return;
            }
            for node in &expired {
                // Nobody waits for the news.
                drop(state.sessions.dismiss(node.id(), Dismissal::LeaseExpired));
            }
        }
    }

    /// How many nodes it knows.
    pub fn len(&self) -> usize {
        self.shared.state().directory.len()
    }

    /// Whether it knows nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it knows this node.
    pub fn knows(&self, id: &ActrId) -> bool {
        self.shared.state().directory.knows(id)
    }

    /// Takes a node in without a credential, whose signature takes longer than all the rest of a run.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub fn admit(&self, registration: Registration) -> Result<ActrId, DirectoryError> {
        let (now, unix_now) = (self.shared.clock.now(), self.shared.clock.unix_seconds());
        let (from, key) = (Source::of(self.origin().address.ip()), Authority::renewal_key());
        let mut state = self.shared.state();
        let (id, _) = state.directory.register(registration, from, key, now, unix_now)?;
        Ok(id)
    }

    /// Answers a registration.
    pub fn register(&self, request: RegisterRequest) -> RegisterResponse {
        ais::register(&self.shared, &self.origin(), None, request)
    }

    /// Answers a renewal.
    pub fn renew(&self, request: &RenewCredentialRequest) -> RegisterResponse {
        ais::renew(&self.shared, self.origin().address, None, request)
    }

    /// Opens a connection of a node, in place of the one that it has; `None` if it is not registered.
    pub fn connect(&self, id: &ActrId) -> Option<FuzzedConnection<'_>> {
        let now = self.shared.clock.now();
        let (sender, relayed) = relay::queue();
        let mut state = self.shared.state();
        state.directory.sign_of_life(id, now).ok()?;
        let (number, dismissed, replaced) = state.sessions.open(id, sender);
        drop(state);
        replaced.into_iter().for_each(Notice::tell);
        Some(FuzzedConnection {
            registry: self,
            id: id.clone(),
            number,
            origin: self.origin(),
            relayed,
            dismissed,
        })
    }

    fn origin(&self) -> Origin {
        let address = Ipv4Addr::from_bits(self.lives.load(Ordering::Relaxed));
        Origin {
            address: SocketAddr::new(address.into(), 1),
            is_this_machine: true,
            is_tls: false,
        }
    }
}

impl FuzzedConnection<'_> {
    /// Whose it is.
    pub fn id(&self) -> &ActrId {
        &self.id
    }

    /// Whether the registry has ended it.
    pub fn is_dismissed(&mut self) -> bool {
        self.dismissed.try_recv().is_ok()
    }

    /// What the node gets for an envelope, if anything.
    pub fn answer(&mut self, envelope: SignalingEnvelope) -> Option<Flow> {
        let holder = Holder {
            source: Source::of(self.origin.address.ip()),
            realm_id: Some(self.id.realm_id()),
        };
        let mut conversation = Conversation::new(&self.registry.shared, &self.id, holder, &self.origin, self.number);
        let mut answering = pin!(conversation.respond(envelope));
        // It only lets others have their turn, and here are none.
        loop {
            if let Some(answer) = answering.as_mut().now_or_never() {
                return answer;
            }
        }
    }

    /// What another node has sent to this one, and is not read yet.
    pub fn relayed(&mut self) -> Option<Flow> {
        let relayed = self.relayed.next().now_or_never()??;
        Some(Flow::ActrRelay(relayed.relay))
    }
}

impl Drop for FuzzedConnection<'_> {
    fn drop(&mut self) {
        let mut state = self.registry.shared.state();
        if state.sessions.close(&self.id, self.number) {
            state.directory.lost(&self.id);
        }
    }
}
