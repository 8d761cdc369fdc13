use std::{net::SocketAddr, sync::Arc, time::Duration};

use actr_lite_tls::ServerTls;
use actr_lite_wire::{
    host_policy::HostRefusal,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    proto::{RegisterRequest, RegisterResponse, RenewCredentialRequest, register_response},
    websocket::accept_key,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
    },
};
use prost::Message;

use tracing::debug;

use crate::{
    ais, audit::Event, gate, gate::Refusal, host_check::check_host, options::advice, permits::LimitReached,
    rates::RateExceeded, realms::SECRET_HEADER, session, shared::Shared, source::Source,
};

/// How long a request's body may take: the largest allowed one within it needs 100 KiB/s.
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Answers one HTTP request of `peer`. A request that is refused is the connection's last.
pub(crate) async fn respond(
    shared: &Arc<Shared>,
    tls: Option<&ServerTls>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let response = match check_host(&shared.hosts, tls, &request) {
        Ok(()) => route(shared, peer, request).await,
        Err(refusal) => Err(refusal.into()),
    };
    let mut response = response.unwrap_or_else(|refusal| {
        let reason = PeerText::new(&refusal.reason);
        let event = Event::RequestRefused {
            address: peer,
            status: refusal.status.as_u16(),
            reason,
        };
        shared.audit.note_refusal(Source::of(peer.ip()), &event);
        match refusal.kind {
            Some(kind) => shared.complaints.about(kind, &peer, &refusal.reason),
            None => debug!(%peer, "refused: {}", refusal.reason),
        }
        refusal.into_response()
    });
    // By the calendar by which credentials end: hyper's own follows the system's, and may jump.
    if let Ok(date) = HeaderValue::from_str(&shared.clock.http_date()) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// What there is to answer.
async fn route(
    shared: &Arc<Shared>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, HttpRefusal> {
    match (request.uri().path(), request.method()) {
        ("/ais/register", &Method::POST) => {
            shared.rates.register(Source::of(peer.ip()), shared.clock.now())?;
            let secret = request.headers().get(SECRET_HEADER).cloned();
            post(shared, request, |message: RegisterRequest| {
                ais::register(shared, peer, secret.as_ref().map(HeaderValue::as_bytes), message)
            })
            .await
        }
        ("/ais/renew", &Method::POST) => {
            post(shared, request, |message: RenewCredentialRequest| {
                ais::renew(shared, peer, &message)
            })
            .await
        }
        ("/signaling/ws", &Method::GET) => signaling(shared, peer, request),
        // An upgrade is a GET (RFC 6455 §4.1).
        ("/signaling/ws", &Method::HEAD) => Err(Refusal::NotAnUpgrade.into()),
        ("/" | "/health", &Method::GET | &Method::HEAD) => Ok(health(shared)),
        ("/ais/register" | "/ais/renew", _) => Err(HttpRefusal::method("POST")),
        ("/signaling/ws" | "/" | "/health", _) => Err(HttpRefusal::method("GET, HEAD")),
        _ => Err(HttpRefusal::new(
            StatusCode::NOT_FOUND,
            "there is /ais/register, /ais/renew, /signaling/ws and /health here",
        )),
    }
}

/// A request that HTTP itself refuses, with a line for a person.
struct HttpRefusal {
    /// What the peer did wrong, if it did.
    kind: Option<MisbehaviourKind>,
    status: StatusCode,
    reason: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl HttpRefusal {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            kind: Some(MisbehaviourKind::RefusedRequest),
            status,
            reason: reason.into(),
            header: None,
        }
    }

    /// RFC 9110 §15.5.6.
    fn method(allowed: &'static str) -> Self {
        Self {
            header: Some((ALLOW, HeaderValue::from_static(allowed))),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("use {allowed} here"))
        }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = text(self.status, self.reason);
        let headers = response.headers_mut();
        headers.extend(self.header);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl From<HostRefusal> for HttpRefusal {
    fn from(refusal: HostRefusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        Self::new(status, refusal.to_string())
    }
}

impl From<LimitReached> for HttpRefusal {
    fn from(reached: LimitReached) -> Self {
        Self {
            kind: None,
            header: Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reached.to_string())
        }
    }
}

impl From<RateExceeded> for HttpRefusal {
    fn from(exceeded: RateExceeded) -> Self {
        Self {
            kind: None,
            header: Some((RETRY_AFTER, HeaderValue::from(exceeded.retry_after()))),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, exceeded.to_string())
        }
    }
}

impl From<Refusal> for HttpRefusal {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.to_string();
        let (status, header) = match refusal {
            // RFC 9110 §15.5.22, RFC 6455 §4.4
            Refusal::NotAnUpgrade => (
                StatusCode::UPGRADE_REQUIRED,
                (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            ),
            // RFC 9110 §15.5.2
            _ => (
                StatusCode::UNAUTHORIZED,
                (WWW_AUTHENTICATE, HeaderValue::from_static("actr-credential")),
            ),
        };
        Self {
            kind: Some(MisbehaviourKind::RefusedUpgrade),
            header: Some(header),
            ..Self::new(status, reason)
        }
    }
}

fn text(status: StatusCode, line: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(line + "\n"));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn health(shared: &Shared) -> Response<Full<Bytes>> {
    let nodes = shared.state().directory.len();
    text(StatusCode::OK, format!("actr-lite registry, nodes: {nodes}"))
}

/// Reads a message, answers it with another. Refusals by the protocol are answers too, with status 200, and the last of
/// their connection like others.
async fn post<M: Message + Default>(
    shared: &Shared,
    request: Request<Incoming>,
    answer: impl FnOnce(M) -> RegisterResponse,
) -> Result<Response<Full<Bytes>>, HttpRefusal> {
    if !is_protobuf(request.headers().get(CONTENT_TYPE)) {
        return Err(HttpRefusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type must be application/x-protobuf",
        ));
    }
    let body = read_body(request.into_body(), shared.options.max_body_bytes).await?;
    let message = M::decode(body).map_err(|error| {
        HttpRefusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not the protobuf message it should be: {error}"),
        )
    })?;
    let answer = answer(message);
    let mut response = Response::new(Full::from(answer.encode_to_vec()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROTOBUF);
    if matches!(answer.result, Some(register_response::Result::Error(_))) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn is_protobuf(content_type: Option<&HeaderValue>) -> bool {
    content_type
        .and_then(|value| value.as_bytes().split(|byte| *byte == b';').next())
        .is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(PROTOBUF.as_bytes()))
}

async fn read_body(body: Incoming, max_bytes: usize) -> Result<Bytes, HttpRefusal> {
    let too_large = || {
        HttpRefusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the body is larger than {max_bytes} bytes, the registry's limit; make it smaller, or raise {}",
                advice("max_body_bytes")
            ),
        )
    };
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_READ_TIMEOUT, Limited::new(body, max_bytes).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(HttpRefusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body can't be read: {error}"),
        )),
        Err(_) => Err(HttpRefusal::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body took longer than {} s", BODY_READ_TIMEOUT.as_secs()),
        )),
    }
}

/// Accepts or refuses a signaling connection. One that is accepted goes on as a task of its own.
fn signaling(
    shared: &Arc<Shared>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, HttpRefusal> {
    let accept = accept_key(gate::websocket_key(request.headers())?);
    let claim = gate::Claim::from_query(request.uri().query().unwrap_or_default())?;
    let (from, now) = (Source::of(peer.ip()), shared.clock.now());
    let is_known = shared.state().directory.knows(claim.id());
    if !is_known {
        shared.rates.register(from, now)?;
    }
    let id = match claim.verify(shared) {
        Ok(id) => id,
        Err(refusal) => {
            // Who shows another node's id counts as a stranger.
            if is_known {
                shared.rates.register(from, now)?;
            }
            return Err(refusal.into());
        }
    };
    shared.rates.connect(&id, now)?;
    let replaces_own = shared.state().sessions.has(&id);
    let permit = shared.permits.signaling(peer.ip(), id.realm_id(), replaces_own)?;

    let upgrade = hyper::upgrade::on(&mut request);
    shared
        .tasks
        .spawn(session::run(Arc::clone(shared), permit, id, upgrade));

    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}
