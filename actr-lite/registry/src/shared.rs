use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::{host_policy::HostPolicy, identity::ActrId, proto::ErrorResponse};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    audit::AuditLog,
    authority::Authority,
    directory::{Directory, LEASE_HEARTBEATS, REGISTER_AGAIN},
    failure_limit::FailureLimit,
    in_flight::InFlight,
    key_file::KeyFileError,
    options::Options,
    permits::Permits,
    rates::Rates,
    relay::{self, RelaySender},
};
use actr_lite_clock::Clock;
use actr_lite_net::complaints::Complaints;

/// What all connections of a registry have in common.
pub(crate) struct Shared {
    pub(crate) options: Options,
    /// By which names it may be addressed.
    pub(crate) hosts: HostPolicy,
    pub(crate) clock: Clock,
    /// Random for each life of a registry.
    pub(crate) life: u64,
    pub(crate) authority: Authority,
    pub(crate) permits: Arc<Permits>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) rates: Rates,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the registry stops.
    pub(crate) stop: CancellationToken,
    pub(crate) complaints: Complaints,
    pub(crate) audit: AuditLog,
    state: Mutex<State>,
}

/// What changes, under one lock that is never held across an await.
pub(crate) struct State {
    pub(crate) directory: Directory,
    pub(crate) sessions: Sessions,
    /// Who has shown wrong realm secrets.
    pub(crate) realm_failures: FailureLimit,
}

impl Shared {
    pub(crate) fn new(options: Options, hosts: HostPolicy, audit: AuditLog) -> Result<Self, KeyFileError> {
        let clock = Clock::start();
        let authority = Authority::open(&options, clock.unix_seconds())?;
        let lease = options.heartbeat_interval.saturating_mul(LEASE_HEARTBEATS);
        // Below 2^63 it can't wrap, and fits the signed integers in which others may keep it.
        let first_serial = rand::random::<u64>() >> 1;
        let mut directory = Directory::new(first_serial, lease, options.directory_limits());
        let permits = Arc::new(Permits::new(options.connection_shares()));
        directory.set_signing_keys(authority.verifying_keys());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Ok(Self {
            in_flight: Arc::new(InFlight::new(options.max_in_flight_bytes)),
            options,
            hosts,
            clock,
            life: rand::random(),
            authority,
            permits,
            rates: Rates::default(),
            complaints: Complaints::new("registry", tasks.clone(), stop.clone()),
            audit,
            tasks,
            stop,
            state: Mutex::new(State {
                directory,
                sessions: Sessions::default(),
                realm_failures: FailureLimit::default(),
            }),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the registry ends a signaling connection by its own decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Dismissal {
    /// The same actor opened another one.
    #[error("a newer connection of this actor")]
    Replaced,
    /// The actor gave no sign of life for a whole lease.
    #[error("no heartbeat for a whole lease: {REGISTER_AGAIN}")]
    LeaseExpired,
    /// The actor unregistered on an older connection.
    #[error("unregistered")]
    Unregistered,
    /// One of the actor's renewal tokens was used again.
    #[error("a renewal token of this actor was used again: {REGISTER_AGAIN}")]
    TokenReused,
}

/// What a connection is told that is to end. Telling it wakes its task, so that it is for a time without locks.
#[derive(Debug)]
#[must_use = "the connection goes on until it is told"]
pub(crate) struct Notice {
    to: oneshot::Sender<Dismissal>,
    why: Dismissal,
}

impl Notice {
    pub(crate) fn tell(self) {
        // A connection that ends by itself at this moment needs no notice.
        let _ = self.to.send(self.why);
    }
}

/// The open signaling connections, one for each actor; as many as connections are allowed.
#[derive(Default)]
pub(crate) struct Sessions {
    open: HashMap<ActrId, OpenSession>,
    opened: u64,
}

struct OpenSession {
    number: u64,
    dismiss: oneshot::Sender<Dismissal>,
    relays: RelaySender,
}

impl Sessions {
    /// Notes a new connection. Returns the connection's number, for [`Self::close`], where its dismissal arrives, and the
    /// notice for the actor's older connection. What others send to the actor goes to `relays`.
    pub(crate) fn open(
        &mut self,
        id: &ActrId,
        relays: RelaySender,
    ) -> (u64, oneshot::Receiver<Dismissal>, Option<Notice>) {
        let replaced = self.dismiss(id, Dismissal::Replaced);
        self.opened += 1;
        let number = self.opened;
        let (dismiss, dismissed) = oneshot::channel();
        let session = OpenSession {
            number,
            dismiss,
            relays,
        };
        self.open.insert(id.clone(), session);
        (number, dismissed, replaced)
    }

    /// Where to put what is for this actor.
    ///
    /// # Errors
    /// When it has no connection open.
    pub(crate) fn relays(&self, id: &ActrId) -> Result<RelaySender, ErrorResponse> {
        let session = self.open.get(id).ok_or_else(|| relay::not_connected(id))?;
        Ok(session.relays.clone())
    }

    /// Whether this actor has a connection, which another one of it would replace.
    pub(crate) fn has(&self, id: &ActrId) -> bool {
        self.open.contains_key(id)
    }

    /// Forgets a connection; false if a newer one took its place.
    pub(crate) fn close(&mut self, id: &ActrId, number: u64) -> bool {
        let is_current = self.open.get(id).is_some_and(|session| session.number == number);
        is_current && self.open.remove(id).is_some()
    }

    /// Takes the connection that took the place of the one numbered `number`, if one did, out of the table.
    pub(crate) fn dismiss_successor(&mut self, id: &ActrId, number: u64, why: Dismissal) -> Option<Notice> {
        let has_successor = self.open.get(id).is_some_and(|session| session.number != number);
        has_successor.then(|| self.dismiss(id, why)).flatten()
    }

    /// Takes an actor's connection, if it has one, out of the table.
    pub(crate) fn dismiss(&mut self, id: &ActrId, why: Dismissal) -> Option<Notice> {
        let session = self.open.remove(id)?;
        let to = session.dismiss;
        Some(Notice { to, why })
    }
}
