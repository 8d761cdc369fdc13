use std::{
    convert::Infallible,
    fmt::Display,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actr_lite_registry::{
    Listener,
    host_check::check_host,
    http_socket::{self, HttpSocket, Unreadable},
};
use actr_lite_wire::{
    acl::AclRefusal,
    credential::{self, Credential},
    host_policy::HostRefusal,
    identity::ActrId,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    possession::PROOF_HEADER,
    record::EXTENSION,
    record_limit::RecordLimit,
    websocket::{Role, accept_key},
};
use bytes::BytesMut;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tracing::debug;

use super::{
    CREDENTIAL_HEADER, KEEP_OPEN_HEADER, SOURCE_HEADER,
    dial::Upgraded,
    peer_limit::{RECORD_LIMIT_HEADER, peer_limit},
    socket,
    upgrade_places::{UpgradePlace, UpgradePlaces},
};
use crate::{
    accounts::Admission,
    connect_limit::ConnectsTooOften,
    node_state::NodeState,
    peer_identities::{IdentityError, Shown},
    sessions::{self, Sharing},
    stream::StreamEnd,
};

/// The most bytes that an upgrade request may have: a credential takes a few hundred.
const MAX_UPGRADE_LEN: usize = 16 << 10;

/// What is left for an upgrade's head, at least, where a handshake has taken the rest: what has come already is read.
const LEAST_HEADER_TIMEOUT: Duration = Duration::from_millis(100);

/// The node's data lane listener: it accepts WebSocket upgrades with a valid credential.
pub(crate) struct Acceptor {
    listener: Listener,
    address: SocketAddr,
}

/// Why the data lane can't listen.
#[derive(Debug, Error)]
#[error(
    "the data lane cannot listen on {address}: {cause}; set [system.websocket] listen to a free address, or to port 0"
)]
pub struct BindError {
    address: SocketAddr,
    cause: std::io::Error,
}

impl Acceptor {
    /// Listens on `address`, which others reach by dialling `host`, if it is known what they dial.
    pub(crate) async fn bind(address: SocketAddr, host: Option<&str>) -> Result<Self, BindError> {
        let failed = |cause| BindError { address, cause };
        let listener = Listener::bind(address, "the data lane").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if let Some(host) = host
            && let Some(rival) = actr_lite_net::rival(address, host).await
        {
            return Err(BindError {
                address: rival,
                cause: std::io::ErrorKind::AddrInUse.into(),
            });
        }
        Ok(Self { listener, address })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the node stops.
    pub(crate) async fn run(mut self, node: Arc<NodeState>) {
        let places = Arc::new(UpgradePlaces::default());
        loop {
            let (socket, address) = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = node.draining().cancelled() => return,
            };
            let connection = serve(Arc::clone(&node), socket, address, places.enter(address.ip()));
            node.tasks()
                .spawn_runtime("a data lane connection", Box::pin(connection));
        }
    }
}

struct Accepted {
    admitted: Admitted,
    upgrade: OnUpgrade,
}

/// Who was let in, and what was agreed on.
struct Admitted {
    peer: ActrId,
    extended: bool,
    peer_limit: RecordLimit,
    is_kept_by_peer: bool,
    admission: Admission,
}

async fn serve(node: Arc<NodeState>, socket: TcpStream, address: SocketAddr, place: UpgradePlace) {
    let stopped = node.tasks().stop().clone();
    let upgraded = tokio::select! {
        // Boxed, so that what an upgrade needs is not kept as long as the connection.
        upgraded = Box::pin(upgrade(&node, socket, address)) => upgraded,
        () = place.ended() => {
            node.complaints().remark(&format_args!(
                "{address} was cut off before its upgrade: too many connections do not say who they are"
            ));
            return;
        }
        () = stopped.cancelled() => return,
    };
    drop(place);
    if let Some((peer, admission, upgraded)) = upgraded {
        debug!("{peer} connected from {address}");
        let connection = node
            .sessions()
            .open(&node, peer, admission, upgraded, Role::Server, Sharing::Shared);
        sessions::drive(node, connection).await;
    }
}

/// Answers the upgrade request; the connection only if it was accepted.
async fn upgrade(
    node: &Arc<NodeState>,
    socket: TcpStream,
    address: SocketAddr,
) -> Option<(ActrId, Admission, Upgraded)> {
    if let Err(error) = socket::set_up(&socket) {
        debug!("{address}: {error}");
        return None;
    }
    let header_timeout = node.occupancy().limits().header_timeout.duration();
    let complain = |kind, reason: &dyn Display| node.complaints().about(kind, &address, reason);
    let deadline = Instant::now() + header_timeout;
    let socket = match HttpSocket::accept(socket, node.tls().server.as_ref(), header_timeout).await {
        Ok(socket) => socket,
        Err(rejected) => {
            node.complaints().about_handshake(&address, &rejected.reason);
            http_socket::turn_away(rejected).await;
            return None;
        }
    };
    let accepted = Arc::new(Mutex::new(None));
    let answered = AtomicBool::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        let accepted = Arc::clone(&accepted);
        let (answered, complain) = (&answered, &complain);
        async move {
            answered.store(true, Ordering::Relaxed);
            let response = match admit(node, address, &request).await {
                Ok((admitted, response)) => {
                    let upgrade = hyper::upgrade::on(&mut request);
                    let accept = Accepted { admitted, upgrade };
                    *accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(accept);
                    response
                }
                Err(refused) => {
                    // Who comes when the node stops, or is at a limit, has done no wrong.
                    if refused.status.is_client_error() && refused.status != StatusCode::TOO_MANY_REQUESTS {
                        complain(MisbehaviourKind::RefusedUpgrade, &refused.reason);
                    } else {
                        node.complaints().remark(&format_args!(
                            "refused a data lane connection from {address}: {}",
                            refused.reason
                        ));
                    }
                    refused.into_response()
                }
            };
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(
            deadline
                .saturating_duration_since(Instant::now())
                .max(LEAST_HEADER_TIMEOUT),
        )
        .max_buf_size(MAX_UPGRADE_LEN)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let served = (&mut connection).await;
    // One that is upgraded is not hyper's any more.
    if let Some(parts) = connection.into_parts() {
        let unreadable = Unreadable::from_end(&served, &parts.read_buf);
        if let Some(error) = &unreadable
            && !answered.load(Ordering::Relaxed)
        {
            complain(MisbehaviourKind::UnreadableRequest, error);
        }
        parts.io.into_inner().end(unreadable.as_ref()).await;
        return None;
    }
    let Accepted { admitted, upgrade } = accepted.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let parts = upgrade.await.ok()?.downcast::<TokioIo<HttpSocket>>().ok()?;
    let leftover = BytesMut::from(parts.read_buf);
    let Admitted {
        peer,
        extended,
        peer_limit,
        is_kept_by_peer,
        admission,
    } = admitted;
    Some((
        peer,
        admission,
        Upgraded {
            stream: parts.io.into_inner().into_inner(),
            leftover,
            extended,
            peer_limit,
            is_kept_by_peer,
        },
    ))
}

struct Refused {
    status: StatusCode,
    reason: String,
    /// In so many seconds it may be tried again.
    retry_after: Option<u64>,
}

impl Refused {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            retry_after: None,
        }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.reason));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.extend(self.retry_after.map(|seconds| (header::RETRY_AFTER, seconds.into())));
        response
    }
}

impl From<ConnectsTooOften> for Refused {
    fn from(error: ConnectsTooOften) -> Self {
        Self {
            retry_after: Some(error.retry_after()),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
        }
    }
}

impl From<HostRefusal> for Refused {
    fn from(refusal: HostRefusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        Self::new(status, refusal.to_string())
    }
}

/// Checks that it is an upgrade to WebSocket (RFC 6455 §4.2.1), and who asks for it.
async fn admit(
    node: &Arc<NodeState>,
    address: SocketAddr,
    request: &Request<Incoming>,
) -> Result<(Admitted, Response<Full<Bytes>>), Refused> {
    check_host(node.hosts(), node.tls().server.as_ref(), request)?;
    node.connects().request(address.ip())?;
    let headers = request.headers();
    let is_upgrade = request.method() == Method::GET
        && has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket");
    if !is_upgrade {
        return Err(Refused::new(
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket data lane: ask for an upgrade",
        ));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "only WebSocket version 13 is spoken here",
        ));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "the header Sec-WebSocket-Key is missing",
        ));
    };
    let peer = timeout(
        node.occupancy().limits().header_timeout.duration(),
        authenticate(node, address, headers, key),
    )
    .await
    .map_err(|_| {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the credential can't be checked in time",
        )
    })??;
    node.connects().connect(&peer)?;
    if node.draining().is_cancelled() {
        return Err(Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "this node is shutting down",
        ));
    }
    let extended = has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, EXTENSION);
    let peer_limit = peer_limit(headers, extended).map_err(|reason| Refused::new(StatusCode::BAD_REQUEST, reason))?;
    let is_admitted = admit_peer(node, &peer)?;
    let too_many = |limit| Refused::new(StatusCode::TOO_MANY_REQUESTS, format!("this node has {limit}"));
    let account = node.occupancy().accounts().of(&peer).map_err(too_many)?;
    let admission = account.admit().map_err(too_many)?;
    // Whom the list refuses has nothing to keep it for.
    let is_kept_by_peer = extended && headers.contains_key(KEEP_OPEN_HEADER) && is_admitted;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = accept_key(key.as_bytes());
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(
        header::SEC_WEBSOCKET_ACCEPT,
        HeaderValue::from_str(&accept).map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.to_string()))?,
    );
    if extended {
        answer.insert(RECORD_LIMIT_HEADER, HeaderValue::from(node.record_limit().bytes()));
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(EXTENSION));
    }
    let admitted = Admitted {
        peer,
        extended,
        peer_limit,
        is_kept_by_peer,
        admission,
    };
    Ok((admitted, response))
}

/// Whether the access list admits a peer. One that it does not may still bring the stream that this node has asked it for,
/// unless a rule denies it.
fn admit_peer(node: &NodeState, peer: &ActrId) -> Result<bool, Refused> {
    let Err(refusal) = node.router().admit(&node.self_id(), peer) else {
        return Ok(true);
    };
    if let AclRefusal::Denied { .. } = &refusal {
        for inbox in node.subscriptions().waiting_for(peer) {
            inbox.end(StreamEnd::Denied(refusal.clone()));
        }
    } else if node.subscriptions().wait_for_any(peer) {
        return Ok(false);
    }
    Err(Refused::new(StatusCode::FORBIDDEN, PeerText::of(&refusal)))
}

/// Who asks for the upgrade with this `Sec-WebSocket-Key`: it shows its own credential, or is refused.
async fn authenticate(
    node: &NodeState,
    address: SocketAddr,
    headers: &HeaderMap,
    websocket_key: &HeaderValue,
) -> Result<ActrId, Refused> {
    let unproven = |reason: &dyn Display| Refused::new(StatusCode::UNAUTHORIZED, reason.to_string());
    let value = |name: &str| {
        let value = headers.get(name);
        value.ok_or_else(|| unproven(&format_args!("the header {name} is missing")))
    };
    let source = value(SOURCE_HEADER)?;
    let peer = credential::source_id_from_header(source.as_bytes()).map_err(|error| unproven(&error))?;
    let credential = value(CREDENTIAL_HEADER)?;
    let credential = Credential::from_header(credential.as_bytes()).map_err(|error| unproven(&error))?;
    let shown = Shown {
        peer: &peer,
        credential: &credential,
        proof: headers.get(PROOF_HEADER).map(HeaderValue::as_bytes),
        websocket_key: websocket_key.as_bytes(),
    };
    let may_ask = || node.connects().unknown_key(address.ip());
    match node.peer_identities().verify(shown, may_ask).await {
        Ok(()) => Ok(peer),
        Err(IdentityError::UnknownKeys(too_often)) => Err(too_often.into()),
        Err(error) => Err(unproven(&error)),
    }
}

/// Whether a comma-separated header has this token, in whatever case.
fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
