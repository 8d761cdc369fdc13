use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use actr_lite_admin::{admin::Admin, view::RegistryView};
use actr_lite_clock::Clock;
use actr_lite_net::complaints::Complaints;
use actr_lite_wire::host_policy::HostPolicy;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    audit::AuditLog,
    authority::Authority,
    directory::{Directory, LEASE_HEARTBEATS},
    in_flight::InFlight,
    journal::Journal,
    key_file::KeyFileError,
    line::Line,
    options::Options,
    permits::Permits,
    state::State,
};

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
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the registry stops.
    pub(crate) stop: CancellationToken,
    pub(crate) complaints: Complaints,
    pub(crate) journal: Journal,
    /// What it tells about itself, with the node that hosts it if one does.
    pub(crate) admin: Arc<Admin>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Never held across an await.
    state: Mutex<State<Arc<Line>>>,
}

impl Shared {
    pub(crate) fn new(
        options: Options,
        hosts: HostPolicy,
        address: SocketAddr,
        audit: AuditLog,
    ) -> Result<Arc<Self>, KeyFileError> {
        let admin = Admin::new(options.admin_token.clone());
        let clock = Clock::start();
        let authority = Authority::open(&options, clock.unix_seconds())?;
        let lease = options.heartbeat_interval.saturating_mul(LEASE_HEARTBEATS);
        // Below 2^63 it can't wrap, and fits the signed integers in which others may keep it.
        let first_serial = rand::random::<u64>() >> 1;
        let mut directory = Directory::new(first_serial, lease, options.directory_limits());
        let permits = Arc::new(Permits::new(options.connection_shares()));
        directory.set_signing_keys(authority.verifying_keys());
        let state = State::new(directory, options.max_in_flight_bytes);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let shared = Arc::new(Self {
            in_flight: Arc::clone(&state.in_flight),
            options,
            hosts,
            clock,
            life: rand::random(),
            authority,
            permits,
            complaints: Complaints::new("registry", tasks.clone(), stop.clone()),
            journal: Journal::new(audit, Arc::clone(admin.events())),
            admin,
            address,
            tasks,
            stop,
            state: Mutex::new(state),
        });
        // Weak, as this holds what holds it.
        let view: Weak<dyn RegistryView> = Arc::downgrade(&(Arc::clone(&shared) as Arc<dyn RegistryView>));
        shared.admin.show_registry(view);
        Ok(shared)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<Arc<Line>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
