use std::{net::SocketAddr, sync::Arc};

use actr_lite_admin::{body::Body, http_lifetime::HttpLifetime};
use actr_lite_net::{host_check::check_host, source::Source};
use actr_lite_tls::ServerTls;
use actr_lite_wire::{
    host_policy::HostRefusal,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    possession::PROOF_HEADER,
    proto::{RegisterRequest, RegisterResponse, ReissueCredentialRequest, RenewCredentialRequest, register_response},
    rate_limit::RateExceeded,
    realm_secret::REALM_SECRET_HEADER,
    websocket::accept_key,
};
use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
    },
};
use prost::Message;
use tracing::debug;

use crate::{
    ais,
    audit::Event,
    body::{self, BodyError},
    gate::{self, Refusal},
    in_flight::InFlightBytes,
    ledger::{Holder, LimitReached},
    origin::Origin,
    renewal::{self, Reissue},
    session,
    shared::Shared,
};

/// The most bytes of a renewal: an id and a token.
const MAX_RENEWAL_BYTES: usize = 4 * 1024;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Answers one HTTP request from `origin`. A request that is refused is the connection's last.
pub(crate) async fn respond(
    shared: &Arc<Shared>,
    tls: Option<&ServerTls>,
    origin: &Origin,
    lifetime: &HttpLifetime,
    request: Request<Incoming>,
) -> Response<Body> {
    let peer = origin.address;
    let response = match check_host(&shared.hosts, tls, &request) {
        Ok(()) => route(shared, origin, lifetime, request).await,
        Err(refusal) => Err(refusal.into()),
    };
    let mut response = response.unwrap_or_else(|refusal| {
        let event = Event::RequestRefused {
            address: peer,
            status: refusal.status.as_u16(),
            reason: PeerText::new(&refusal.reason),
        };
        shared.journal.refused(Source::of(peer.ip()), &event);
        if let Some(reached) = &refusal.limit {
            shared.journal.limit_reached(reached);
        }
        match refusal.kind {
            Some(kind) => shared.complaints.about(kind, &peer, &refusal.reason),
            None => debug!(%peer, reason = %PeerText::new(&refusal.reason), "a request is refused"),
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
    origin: &Origin,
    lifetime: &HttpLifetime,
    request: Request<Incoming>,
) -> Result<Response<Body>, HttpRefusal> {
    let peer = origin.address;
    match (request.uri().path(), request.method()) {
        ("/ais/register", &Method::POST) => register(shared, origin, request).await,
        ("/ais/renew", &Method::POST) => renew(shared, peer, request).await,
        ("/ais/reissue", &Method::POST) => reissue(shared, peer, request).await,
        ("/signaling/ws", &Method::GET) => signaling(shared, origin, request),
        // An upgrade is a GET (RFC 6455 §4.1).
        ("/signaling/ws", &Method::HEAD) => Err(Refusal::NotAnUpgrade.into()),
        ("/health", &Method::GET | &Method::HEAD) => Ok(health(shared)),
        ("/ais/register" | "/ais/renew" | "/ais/reissue", _) => Err(HttpRefusal::method("POST")),
        ("/signaling/ws" | "/health", _) => Err(HttpRefusal::method("GET, HEAD")),
        _ => {
            let answer = shared.admin.respond(&request, lifetime, &shared.stop);
            answer.ok_or_else(|| {
                HttpRefusal::new(
                    StatusCode::NOT_FOUND,
                    "there is /ais/register, /ais/renew, /ais/reissue, /signaling/ws and /health here; / tells what else",
                )
            })
        }
    }
}

/// A request that HTTP itself refuses, with a line for a person.
struct HttpRefusal {
    /// What the peer did wrong, if it did.
    kind: Option<MisbehaviourKind>,
    /// The limit that is reached, if that is why.
    limit: Option<Box<LimitReached>>,
    status: StatusCode,
    reason: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl HttpRefusal {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            kind: Some(MisbehaviourKind::RefusedRequest),
            limit: None,
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

    fn into_response(self) -> Response<Body> {
        let mut response = text(self.status, self.reason);
        let headers = response.headers_mut();
        headers.extend(self.header);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Counts the refusal of a wrong request like the registration of a stranger. Of one peer too many it becomes another.
fn counted(shared: &Shared, peer: SocketAddr, refusal: HttpRefusal) -> HttpRefusal {
    if refusal.kind.is_none() {
        return refusal;
    }
    let taken = shared.state().rates.register(Source::of(peer.ip()), shared.clock.now());
    taken.err().map_or(refusal, HttpRefusal::from)
}

impl From<HostRefusal> for HttpRefusal {
    fn from(refusal: HostRefusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        Self::new(status, refusal.to_string())
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

impl From<LimitReached> for HttpRefusal {
    fn from(reached: LimitReached) -> Self {
        Self {
            kind: None,
            limit: Some(Box::new(reached)),
            header: Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reached.to_string())
        }
    }
}

impl From<BodyError> for HttpRefusal {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::NoRoom(reached) => return reached.into(),
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Cut(_) | BodyError::TooManyFields => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
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

fn text(status: StatusCode, line: String) -> Response<Body> {
    let mut response = Response::new(Body::from(line + "\n"));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn health(shared: &Shared) -> Response<Body> {
    let nodes = shared.state().directory.len();
    text(StatusCode::OK, format!("actr-lite registry, nodes: {nodes}"))
}

/// Registers a node.
async fn register(shared: &Shared, origin: &Origin, request: Request<Incoming>) -> Result<Response<Body>, HttpRefusal> {
    let peer = origin.address;
    let secret = request.headers().get(REALM_SECRET_HEADER).cloned();
    let secret = secret.as_ref().map(HeaderValue::as_bytes);
    let mut held = match admit(shared, peer, secret, &request)? {
        Ok(held) => held,
        Err(refusal) => return Ok(answered(&refusal)),
    };
    let body = body::read(request.into_body(), shared.options.max_body_bytes, &mut held).await?;
    Ok(answered(&ais::register(shared, origin, secret, registration(body)?)))
}

/// Gives a node whose renewal was refused a new credential under the same id. It counts as a registration, and shows as much.
async fn reissue(shared: &Shared, peer: SocketAddr, request: Request<Incoming>) -> Result<Response<Body>, HttpRefusal> {
    let headers = request.headers();
    let (secret, proof) = (
        headers.get(REALM_SECRET_HEADER).cloned(),
        headers.get(PROOF_HEADER).cloned(),
    );
    let secret = secret.as_ref().map(HeaderValue::as_bytes);
    let mut held = match admit(shared, peer, secret, &request)? {
        Ok(held) => held,
        Err(refusal) => return Ok(answered(&refusal)),
    };
    let body = body::read(request.into_body(), shared.options.max_body_bytes, &mut held).await?;
    let message: ReissueCredentialRequest = decode(body)?;
    let reissue = Reissue {
        secret,
        proof: proof.as_ref(),
        actr_id: message.actr_id,
        registration: registration(message.registration)?,
        token: message.renewal_proof.unwrap_or_default(),
    };
    Ok(answered(&renewal::reissue(shared, peer, reissue)))
}

/// What a registration has to pass before anything of the body is read, and an account for that. Who has no secret for any
/// realm is told so.
fn admit(
    shared: &Shared,
    peer: SocketAddr,
    secret: Option<&[u8]>,
    request: &Request<Incoming>,
) -> Result<Result<InFlightBytes, RegisterResponse>, HttpRefusal> {
    let (source, now) = (Source::of(peer.ip()), shared.clock.now());
    shared.state().rates.register(source, now)?;
    check_content_type(request)?;
    match ais::refuse_stranger(shared, peer, secret) {
        Some(refusal) => Ok(Err(refusal)),
        None => Ok(Ok(hold(shared, peer)?)),
    }
}

/// A registration that can be decoded in little time and memory.
fn registration(body: Bytes) -> Result<RegisterRequest, HttpRefusal> {
    body::check_registration(&body)?;
    decode(body)
}

/// Renews a credential. Only what is refused counts: a node can always renew.
async fn renew(shared: &Shared, peer: SocketAddr, request: Request<Incoming>) -> Result<Response<Body>, HttpRefusal> {
    let proof = request.headers().get(PROOF_HEADER).cloned();
    let message = read_renewal(shared, peer, request).await;
    let message = message.map_err(|refusal| counted(shared, peer, refusal))?;
    let answer = renewal::renew(shared, peer, proof.as_ref(), &message);
    if is_refusal(&answer) {
        shared
            .state()
            .rates
            .register(Source::of(peer.ip()), shared.clock.now())?;
    }
    Ok(answered(&answer))
}

async fn read_renewal(
    shared: &Shared,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<RenewCredentialRequest, HttpRefusal> {
    check_content_type(&request)?;
    let max_bytes = shared.options.max_body_bytes.min(MAX_RENEWAL_BYTES);
    let mut held = hold(shared, peer)?;
    let body = body::read(request.into_body(), max_bytes, &mut held).await;
    let body = body.map_err(|error| match error {
        BodyError::TooLarge { .. } => HttpRefusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a renewal has at most {max_bytes} bytes"),
        ),
        error => error.into(),
    })?;
    decode(body)
}

/// An account for a body: that of its address, as the realm is not proven yet.
fn hold(shared: &Shared, peer: SocketAddr) -> Result<InFlightBytes, HttpRefusal> {
    let holder = Holder {
        source: Source::of(peer.ip()),
        realm_id: None,
    };
    Ok(shared.in_flight.take(holder, 0)?)
}

fn decode<M: Message + Default>(body: Bytes) -> Result<M, HttpRefusal> {
    M::decode(body).map_err(|error| {
        HttpRefusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not the protobuf message it should be: {error}"),
        )
    })
}

/// An answer of the protocol. Refusals are answers too, with status 200, and the last of their connection like others.
fn answered(answer: &RegisterResponse) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.encode_to_vec()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROTOBUF);
    if is_refusal(answer) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn is_refusal(answer: &RegisterResponse) -> bool {
    matches!(answer.result, Some(register_response::Result::Error(_)))
}

fn check_content_type(request: &Request<Incoming>) -> Result<(), HttpRefusal> {
    if is_protobuf(request.headers().get(CONTENT_TYPE)) {
        return Ok(());
    }
    Err(HttpRefusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the content type must be application/x-protobuf",
    ))
}

fn is_protobuf(content_type: Option<&HeaderValue>) -> bool {
    content_type
        .and_then(|value| value.as_bytes().split(|byte| *byte == b';').next())
        .is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(PROTOBUF.as_bytes()))
}

/// Accepts or refuses a signaling connection. One that is accepted goes on as a task of its own.
fn signaling(
    shared: &Arc<Shared>,
    origin: &Origin,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, HttpRefusal> {
    let refuse = |refusal: Refusal| counted(shared, origin.address, refusal.into());
    let accept = accept_key(gate::websocket_key(request.headers()).map_err(refuse)?);
    let query = request.uri().query().unwrap_or_default();
    let claim = gate::Claim::from_query(query).map_err(refuse)?;
    let (from, now) = (Source::of(origin.address.ip()), shared.clock.now());
    let is_known = shared.state().directory.knows(claim.id());
    if !is_known {
        shared.state().rates.register(from, now)?;
    }
    let id = match claim.verify(shared, request.headers()) {
        Ok(id) => id,
        // Who shows another node's id counts as a stranger.
        Err(refusal) if is_known => return Err(refuse(refusal)),
        Err(refusal) => return Err(refusal.into()),
    };
    shared.state().rates.connect(&id, now)?;
    let replaces_own = shared.state().sessions.has(&id);
    let permit = shared
        .permits
        .signaling(origin.address.ip(), id.realm_id(), replaces_own)?;

    let upgrade = hyper::upgrade::on(&mut request);
    shared
        .tasks
        .spawn(session::run(Arc::clone(shared), permit, id, *origin, upgrade));

    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}
