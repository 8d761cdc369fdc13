//! The registry's sessions without their sockets, for fuzz targets. It is not part of the interface.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actr_lite_net::source::Source;
use actr_lite_wire::{
    host_policy::HostPolicy,
    identity::ActrId,
    proto::{RegisterRequest, RegisterResponse, RenewCredentialRequest, SignalingEnvelope, signaling_envelope::Flow},
};

use crate::{
    ais,
    audit::AuditLog,
    authority::Authority,
    directory::{DirectoryError, Registration},
    ledger::Holder,
    options::Options,
    origin::Origin,
    registry::RegistryError,
    renewal,
    session::Session,
    sessions::Dismissal,
    shared::Shared,
};

/// A registry that listens nowhere.
pub struct FuzzedRegistry {
    shared: Arc<Shared>,
    /// Each [life](Self::begin) comes from an address of its own: what one has asked too often does not count for the next.
    lives: AtomicU32,
}

/// An open signaling connection.
pub struct FuzzedConnection<'a>(Session<'a>);

impl FuzzedRegistry {
    /// One that knows nobody.
    ///
    /// # Errors
    /// When the defaults can't be used.
    pub fn new() -> Result<Self, RegistryError> {
        let hosts = HostPolicy::new("this registry", Ipv4Addr::LOCALHOST.into(), "name it");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self {
            shared: Shared::new(Options::default(), hosts, address, AuditLog::open(None)?)?,
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
        renewal::renew(&self.shared, self.origin().address, None, request)
    }

    /// Opens a connection of a node, in place of the one that it has; `None` if it is not registered.
    pub fn connect(&self, id: &ActrId) -> Option<FuzzedConnection<'_>> {
        let origin = self.origin();
        let holder = Holder {
            source: Source::of(origin.address.ip()),
            realm_id: Some(id.realm_id()),
        };
        Session::open(&self.shared, id, holder, &origin).map(FuzzedConnection)
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
    /// Whether the registry has ended it.
    pub fn is_dismissed(&self) -> bool {
        self.0.is_dismissed()
    }

    /// What the node gets for an envelope, if anything.
    pub fn answer(&mut self, envelope: SignalingEnvelope) -> Option<Flow> {
        self.0.answer(envelope)
    }

    /// What another node has sent to this one, and is not read yet.
    pub fn relayed(&mut self) -> Option<Flow> {
        self.0.relayed()
    }
}
