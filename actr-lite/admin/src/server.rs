//! A port that answers for a node alone.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use actr_lite_net::{
    complaints::Complaints,
    exposure::{Exposure, ExposureError, Remedies},
    host_check::check_host,
    http_connection,
    http_socket::{self, HttpSocket},
    listener::Listener,
    places::{Place, Places},
};
use actr_lite_tls::ServerTls;
use actr_lite_wire::{host_policy::HostPolicy, misbehaviour::MisbehaviourKind};
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use crate::{
    admin::{Admin, refuse},
    body::Body,
    http_lifetime::HttpLifetime,
};

/// How many connections there may be: each of the [event streams](crate::event_stream) has one, and probes and scrapers
/// need a handful.
const MAX_CONNECTIONS: usize = 64;

/// How long a TLS handshake, a request's head, and the pause between two requests may take.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why it can't listen.
#[derive(Debug, Error)]
pub enum AdminServerError {
    /// The system does not let it.
    #[error(
        "the admin port can't listen on {address}: {reason}; set [system.admin] listen to a free address of this machine"
    )]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// Other machines could reach it, and it is not protected.
    #[error(transparent)]
    Exposed(#[from] ExposureError),
}

/// A port that answers for one [`Admin`].
pub struct AdminServer {
    listener: Listener,
    address: SocketAddr,
    tls: Option<ServerTls>,
    hosts: HostPolicy,
    admin: Arc<Admin>,
}

/// What a connection needs.
struct Shared {
    tls: Option<ServerTls>,
    hosts: HostPolicy,
    admin: Arc<Admin>,
    complaints: Complaints,
    stop: CancellationToken,
}

/// A port that answers for an [`Admin`], as others reach it: with TLS and a token only, unless the network itself is trusted.
pub fn exposure(
    what: &'static str,
    address: SocketAddr,
    has_tls: bool,
    has_token: bool,
    remedies: Remedies,
) -> Exposure {
    Exposure {
        what,
        address,
        has_tls,
        secret: "an admin token",
        has_secret: has_token,
        remedies,
    }
}

impl AdminServer {
    /// Listens on `address`; port 0 is any free one. Requests wait until it is run.
    ///
    /// # Errors
    /// When the system does not let it.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<ServerTls>,
        hosts: HostPolicy,
        admin: Arc<Admin>,
    ) -> Result<Self, AdminServerError> {
        let failed = |reason| AdminServerError::Listen { address, reason };
        let listener = Listener::bind(address, "the admin port").await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            tls,
            hosts,
            admin,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled. Its connections are tasks of `tasks`, which end then too.
    pub async fn run(self, tasks: TaskTracker, stop: CancellationToken) {
        let Self {
            mut listener,
            tls,
            hosts,
            admin,
            ..
        } = self;
        let shared = Arc::new(Shared {
            tls,
            hosts,
            admin,
            complaints: Complaints::new("admin port", tasks.clone(), stop.clone()),
            stop,
        });
        let places = Arc::new(Places::new(MAX_CONNECTIONS));
        loop {
            let (stream, peer) = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shared.stop.cancelled() => return,
            };
            let place = places.enter(peer.ip());
            tasks.spawn(serve(Arc::clone(&shared), stream, peer, place));
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, place: Place) {
    tokio::select! {
        () = serve_http(&shared, stream, peer) => {}
        () = place.ended() => debug!(%peer, "the connection has to give way to another"),
    }
}

async fn serve_http(shared: &Shared, stream: TcpStream, peer: SocketAddr) {
    // Without it answers would only be slower.
    let _ = stream.set_nodelay(true);
    let accepted = HttpSocket::accept(stream, shared.tls.as_ref(), HEADER_TIMEOUT);
    let socket = match shared.stop.run_until_cancelled(accepted).await {
        Some(Ok(socket)) => socket,
        Some(Err(rejected)) => {
            shared.complaints.about_handshake(&peer, &rejected.reason);
            return http_socket::turn_away(rejected).await;
        }
        None => return,
    };
    let lifetime = HttpLifetime::default();
    let service = service_fn(|request| {
        let response = respond(shared, &lifetime, peer, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let is_over = async {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = lifetime.is_over() => {}
        }
    };
    if let Some(served) = http_connection::serve(socket, HEADER_TIMEOUT, service, is_over).await {
        if let Some(error) = &served.unreadable
            && !lifetime.tells_events()
        {
            let kind = MisbehaviourKind::UnreadableRequest;
            shared.complaints.about(kind, &peer, error);
        }
        shared.stop.run_until_cancelled(served.end()).await;
    }
}

fn respond(shared: &Shared, lifetime: &HttpLifetime, peer: SocketAddr, request: &Request<Incoming>) -> Response<Body> {
    if let Err(refusal) = check_host(&shared.hosts, shared.tls.as_ref(), request) {
        let kind = MisbehaviourKind::RefusedRequest;
        shared.complaints.about(kind, &peer, &refusal);
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        return refuse(status, &refusal.to_string());
    }
    let answer = shared.admin.respond(request, lifetime, &shared.stop);
    answer.unwrap_or_else(|| refuse(StatusCode::NOT_FOUND, "this is not here; / tells what is"))
}
