//! The listening port, its tasks, and their shutdown.

use std::{
    convert::Infallible,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actr_lite_admin::{admin::Admin, http_lifetime::HttpLifetime};
use actr_lite_net::{
    exposure::{ExposureError, Remedies},
    http_connection,
    http_socket::{self, HttpSocket},
    listener::Listener,
};
use actr_lite_tls::ServerTls;
use actr_lite_wire::{
    host_policy::HostPolicy,
    misbehaviour::{Misbehaviour, MisbehaviourKind},
};
use hyper::service::service_fn;
use thiserror::Error;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    audit::{AuditError, AuditLog},
    key_file::KeyFileError,
    options::Options,
    origin::Origin,
    permits::HttpPermit,
    service,
    shared::Shared,
    upkeep,
};

/// How to have a registry addressed by another name.
const NAME_IT: &str = "add it to allowed_hosts in [system.signaling] of the node that hosts the registry, or start \
                       actr-lite-registry with --allowed-host";

/// How many free ports are looked at for one that is free at all addresses of a name: few are not.
const FREE_PORT_TRIES: usize = 8;

/// Why a registry can't listen.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// Another program has the port.
    #[error(
        "the registry can't listen on {address}: another program uses it; stop it, or choose another port (0: any free one)"
    )]
    AddressInUse {
        /// Where it was to listen.
        address: String,
    },
    /// Its signing keys can't be stored.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Its audit log can't be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The system refuses for another reason.
    #[error("the registry can't listen on {address}: {reason}; it must be <host>:<port> of this machine")]
    Listen {
        /// Where it was to listen.
        address: String,
        /// What the system says.
        reason: io::Error,
    },
}

/// Whether those who dial `host` at the port of a registry that listens at `bound` get there, and not to another program
/// that has the port at another of this machine's addresses.
///
/// # Errors
/// [`RegistryError::AddressInUse`] when there is one.
pub async fn check_rivals(bound: SocketAddr, host: &str) -> Result<(), RegistryError> {
    match actr_lite_net::rival(bound, host).await {
        Some(rival) => Err(RegistryError::AddressInUse {
            address: rival.to_string(),
        }),
        None => Ok(()),
    }
}

/// Host, without brackets, and port of a `<host>:<port>`.
pub(crate) fn split_address(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// Why it can't listen there, from what the system says.
pub(crate) fn listen_error(address: &str, reason: io::Error) -> RegistryError {
    let address = address.into();
    match reason.kind() {
        io::ErrorKind::AddrInUse => RegistryError::AddressInUse { address },
        _ => RegistryError::Listen { address, reason },
    }
}

/// A registry that listens, and answers as soon as it is run.
pub struct Registry {
    listener: Listener,
    local_addr: SocketAddr,
    tls: Option<ServerTls>,
    shared: Arc<Shared>,
}

impl Registry {
    /// Takes its signing keys, from the data directory if it has one, and listens on `address`, as `<host>:<port>`; port
    /// 0 is any free one. Connections wait until the registry is run.
    ///
    /// # Errors
    /// When that is not possible; the error names the address or the file, and what to do.
    pub async fn bind(address: &str, options: Options) -> Result<Self, RegistryError> {
        let error = |reason| listen_error(address, reason);
        let (host, port) = split_address(address);
        let mut tries = if port == "0" { FREE_PORT_TRIES } else { 1 };
        let (listener, local_addr) = loop {
            let listener = Listener::bind(address, "the registry").await.map_err(error)?;
            let local_addr = listener.local_addr().map_err(error)?;
            tries -= 1;
            match check_rivals(local_addr, host).await {
                Ok(()) => break (listener, local_addr),
                Err(error) if tries == 0 => return Err(error),
                Err(_) => {}
            }
        };
        // An address is known from where it listens, and may be all of them.
        let own_name = host.parse::<IpAddr>().is_err().then(|| host.parse().ok()).flatten();
        let hosts = HostPolicy::new("this registry", local_addr.ip(), NAME_IT)
            .with(own_name.into_iter().chain(options.allowed_hosts.iter().cloned()));
        let audit = AuditLog::open(options.audit_log.as_deref())?;
        Ok(Self {
            listener,
            local_addr,
            tls: None,
            shared: Shared::new(options, hosts, local_addr, audit)?,
        })
    }

    /// Accepts only TLS, with this certificate.
    #[must_use]
    pub fn with_tls(self, tls: ServerTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it tells about itself, to which a node that hosts it adds itself.
    pub fn admin(&self) -> &Arc<Admin> {
        &self.shared.admin
    }

    /// Checks, before it serves, whether other machines may reach it as it is: see [`Options::check_exposure`].
    ///
    /// # Errors
    /// When it may not.
    pub fn check_exposure(&self, remedies: Remedies) -> Result<(), ExposureError> {
        let options = &self.shared.options;
        options.check_exposure(self.local_addr, self.tls.is_some(), remedies)
    }

    /// The same of the status that it tells on its port.
    ///
    /// # Errors
    /// When other machines could ask for it without TLS or a token.
    pub fn check_admin_exposure(&self, remedies: Remedies) -> Result<(), ExposureError> {
        let options = &self.shared.options;
        options.check_admin_exposure(self.local_addr, self.tls.is_some(), remedies)
    }

    /// Serves until `shutdown` is cancelled, then ends every connection and task; that takes a few seconds at most.
    /// Dropping the future ends them too, without waiting.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self {
            listener, tls, shared, ..
        } = self;
        shared.options.realms.warn_of_short_secrets();
        shared.authority.note_keys(&shared.journal.audit);
        let _stop_when_dropped = shared.stop.clone().drop_guard();
        shared.tasks.spawn(upkeep::forget_the_silent(Arc::clone(&shared)));
        shared.tasks.spawn(upkeep::look_after_keys(Arc::clone(&shared)));
        tokio::select! {
            () = accept(listener, tls, &shared) => {}
            () = shutdown.cancelled() => {}
        }
        shared.stop.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
        shared.complaints.conclude();
        shared.journal.audit.finish().await;
    }

    /// Runs it as a task of the current Tokio runtime.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn spawn(self) -> RegistryHandle {
        let (local_addr, shared) = (self.local_addr, Arc::clone(&self.shared));
        let stop = CancellationToken::new();
        let task = tokio::spawn(self.run(stop.clone()));
        RegistryHandle {
            local_addr,
            shared,
            stop,
            task: Some(task),
        }
    }
}

/// A running registry. Dropping it stops the registry, without waiting.
pub struct RegistryHandle {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl RegistryHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// How many connections have misbehaved since the start, by kind.
    pub fn misbehaviour(&self) -> Misbehaviour {
        self.shared.complaints.misbehaviour()
    }

    /// Stops the registry and waits for the end of its tasks. If the future is dropped, it stops all the same.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            warn!(reason = %error, "the registry did not stop cleanly: {error}");
        }
    }
}

impl fmt::Debug for RegistryHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryHandle")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

impl Drop for RegistryHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(mut listener: Listener, tls: Option<ServerTls>, shared: &Arc<Shared>) {
    loop {
        let (stream, peer) = listener.accept().await;
        let permit = shared.permits.http(peer.ip());
        shared
            .tasks
            .spawn(serve(Arc::clone(shared), tls.clone(), stream, peer, permit));
    }
}

/// A connection with TLS, if the registry has a certificate. A peer that can't is refused.
async fn handshake(
    shared: &Shared,
    tls: Option<&ServerTls>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<HttpSocket> {
    let accept = async {
        let rejected = match HttpSocket::accept(stream, tls, shared.options.header_timeout).await {
            Ok(socket) => return Some(socket),
            Err(rejected) => rejected,
        };
        shared.complaints.about_handshake(&peer, &rejected.reason);
        http_socket::turn_away(rejected).await;
        None
    };
    shared.stop.run_until_cancelled(accept).await?
}

async fn serve(shared: Arc<Shared>, tls: Option<ServerTls>, stream: TcpStream, peer: SocketAddr, permit: HttpPermit) {
    tokio::select! {
        () = serve_http(&shared, tls.as_ref(), stream, peer) => {}
        () = permit.must_give_way() => debug!(%peer, "the connection has to give way to another"),
    }
}

async fn serve_http(shared: &Arc<Shared>, tls: Option<&ServerTls>, stream: TcpStream, peer: SocketAddr) {
    // Without it answers would only be slower.
    let _ = stream.set_nodelay(true);
    let origin = match Origin::of(&stream, peer, tls.is_some()) {
        Ok(origin) => origin,
        Err(error) => return debug!(%peer, reason = %error, "the connection is gone already"),
    };
    // Boxed, so that what a handshake needs is not kept as long as the connection.
    let Some(socket) = Box::pin(handshake(shared, tls, stream, peer)).await else {
        return;
    };
    let was_refused = AtomicBool::new(false);
    let lifetime = HttpLifetime::default();
    let service = service_fn(|request| {
        let (was_refused, origin, lifetime) = (&was_refused, &origin, &lifetime);
        async move {
            let response = service::respond(shared, tls, origin, lifetime, request).await;
            was_refused.fetch_or(response.status().is_client_error(), Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let is_over = async {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = lifetime.is_over() => {}
        }
    };
    let Some(served) = http_connection::serve(socket, shared.options.header_timeout, service, is_over).await else {
        return;
    };
    if let Some(error) = &served.error {
        debug!(%peer, reason = %error, "HTTP connection failed");
    }
    if let Some(error) = &served.unreadable
        && !was_refused.load(Ordering::Relaxed)
        && !lifetime.tells_events()
    {
        shared
            .complaints
            .about(MisbehaviourKind::UnreadableRequest, &peer, error);
    }
    tokio::select! {
        () = served.end() => {}
        () = shared.stop.cancelled() => {}
    }
}
