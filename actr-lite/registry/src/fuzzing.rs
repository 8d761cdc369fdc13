//! The registry's sessions without their sockets, for fuzz targets. It is not part of the interface.

use std::{
    net::{Ipv4Addr, SocketAddr},
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
    directory::{DirectoryError, Registration},
    options::Options,
    registry::RegistryError,
    relay::{self, RelayReceiver},
    session::Conversation,
    shared::{Dismissal, Shared},
    source::Source,
};

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
    from: Source,
    relayed: RelayReceiver,
    dismissed: oneshot::Receiver<Dismissal>,
    pongs: u64,
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
        for id in state.directory.expire(Duration::MAX) {
            state.sessions.dismiss(&id, Dismissal::LeaseExpired);
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
        let token = self.shared.authority.renewal_token(self.shared.clock.unix_seconds());
        let now = self.shared.clock.now();
        self.shared.state().directory.register(registration, token, now)
    }

    /// Answers a registration.
    pub fn register(&self, request: RegisterRequest) -> RegisterResponse {
        ais::register(&self.shared, self.peer(), None, request)
    }

    /// Answers a renewal.
    pub fn renew(&self, request: &RenewCredentialRequest) -> RegisterResponse {
        ais::renew(&self.shared, self.peer(), request)
    }

    /// Opens a connection of a node, in place of the one that it has; `None` if it is not registered.
    pub fn connect(&self, id: &ActrId) -> Option<FuzzedConnection<'_>> {
        let now = self.shared.clock.now();
        let (sender, relayed) = relay::queue();
        let mut state = self.shared.state();
        state.directory.sign_of_life(id, now).ok()?;
        let (number, dismissed) = state.sessions.open(id, sender);
        Some(FuzzedConnection {
            registry: self,
            id: id.clone(),
            number,
            from: Source::of(self.peer().ip()),
            relayed,
            dismissed,
            pongs: 0,
        })
    }

    fn peer(&self) -> SocketAddr {
        let address = Ipv4Addr::from_bits(self.lives.load(Ordering::Relaxed));
        SocketAddr::new(address.into(), 1)
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
        let mut conversation = Conversation {
            shared: &self.registry.shared,
            id: &self.id,
            from: self.from,
            number: self.number,
            sent: 0,
            pongs: self.pongs,
        };
        let answer = conversation.respond(envelope);
        self.pongs = conversation.pongs;
        answer
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
