use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actr_lite_net::{DialError, DialProgress, FailedAttempt, Step};
use actr_lite_wire::{
    credential::SigningKey,
    error_code::ErrorCode,
    identity::ActrId,
    proto::{
        ActrToSignaling, ErrorResponse, Pong, RegisterResponse, SignalingEnvelope, SignalingToActr, TurnCredential,
        actr_to_signaling::Payload as RequestPayload,
        register_response::{self, RegisterOk},
        signaling_envelope::Flow,
        signaling_to_actr::Payload,
    },
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use prost_types::Timestamp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::dial::Dial;
use crate::{config::LinkConfig, identity::Identity, registry_link::RegistryLink, registry_url::RegistryUrl};

pub(super) type Socket = WebSocketStream<DuplexStream>;

/// How often a scripted registry wants heartbeats.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How AIS begins an answer with a message.
const OK: &str = "200 OK\r\ncontent-type: application/x-protobuf";

/// A registry that does only what a test tells it.
pub(super) struct ScriptedRegistry {
    pub(super) link: RegistryLink,
    pub(super) key: SigningKey,
    incoming: mpsc::UnboundedReceiver<DuplexStream>,
    network: Arc<Network>,
    registrations: u64,
    _stop: tokio_util::sync::DropGuard,
}

struct Network {
    connections: mpsc::UnboundedSender<DuplexStream>,
    is_up: AtomicBool,
    resolves_slowly: AtomicBool,
    tries: Mutex<Vec<Instant>>,
}

struct ScriptedDial(Arc<Network>);

impl Dial for ScriptedDial {
    type Stream = DuplexStream;

    async fn dial(&self, _: &RegistryUrl, progress: &DialProgress) -> Result<DuplexStream, DialError> {
        let network = &self.0;
        network.tries.lock().unwrap().push(Instant::now());
        let _step = progress.enter(Step::Resolve("registry.test".into()));
        while network.resolves_slowly.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(10)).await;
        }
        let (ours, theirs) = duplex(64 * 1024);
        if !network.is_up.load(Ordering::Relaxed) || network.connections.send(theirs).is_err() {
            return Err(DialError::Connect(vec![FailedAttempt {
                address: ([192, 0, 2, 1], 8081).into(),
                after: Duration::ZERO,
                cause: Some(io::ErrorKind::ConnectionRefused.into()),
            }]));
        }
        Ok(ours)
    }
}

impl ScriptedRegistry {
    /// A registry, and a link that looks for it.
    pub(super) fn new(is_up: bool) -> Self {
        let (connections, incoming) = mpsc::unbounded_channel();
        let network = Arc::new(Network {
            connections,
            is_up: AtomicBool::new(is_up),
            resolves_slowly: AtomicBool::new(false),
            tries: Mutex::default(),
        });
        let url = "ws://registry.test:8081/signaling/ws".parse().unwrap();
        let config = LinkConfig::new(url, "acme+Echo".parse().unwrap(), 33);
        let stop = CancellationToken::new();
        let dial = ScriptedDial(network.clone());
        Self {
            link: RegistryLink::spawn_with(dial, config, &TaskTracker::new(), &stop),
            key: SigningKey::new(7, &[3; 32]),
            incoming,
            network,
            registrations: 0,
            _stop: stop.drop_guard(),
        }
    }

    /// From now on connections are refused.
    pub(super) fn go_down(&self) {
        self.network.is_up.store(false, Ordering::Relaxed);
    }

    /// From now on nobody finds its address.
    pub(super) fn resolve_slowly(&self) {
        self.network.resolves_slowly.store(true, Ordering::Relaxed);
    }

    /// Who the node is, once it is registered.
    pub(super) async fn identity(&self) -> Identity {
        let mut identity = self.link.identity_changes();
        identity.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }

    /// When the link tried to connect.
    pub(super) fn tries(&self) -> Vec<Instant> {
        self.network.tries.lock().unwrap().clone()
    }

    pub(super) async fn accept(&mut self) -> DuplexStream {
        self.incoming.recv().await.unwrap()
    }

    /// Grants a new id, and says which.
    pub(super) async fn register(&mut self, lifetime: Duration) -> ActrId {
        let connection = self.accept().await;
        self.registrations += 1;
        let id = ActrId::new(33, self.registrations, "acme+Echo".parse().unwrap());
        self.grant(connection, "/ais/register", &id, lifetime).await;
        id
    }

    /// Answers a request to AIS with a credential for `id`.
    pub(super) async fn grant(&self, mut connection: DuplexStream, path: &str, id: &ActrId, lifetime: Duration) {
        read_request(&mut connection, path).await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expires_at = (now + lifetime).as_secs();
        let key = self.key.verifying_key();
        let granted = RegisterOk {
            actr_id: id.into(),
            credential: self.key.issue(id, expires_at, None).into(),
            turn_credential: TurnCredential::default(),
            credential_expires_at: Some(Timestamp {
                seconds: expires_at.try_into().unwrap(),
                nanos: 0,
            }),
            signaling_heartbeat_interval_secs: HEARTBEAT_INTERVAL.as_secs().try_into().unwrap(),
            signing_pubkey: key.to_bytes().to_vec().into(),
            signing_key_id: key.key_id(),
            renewal_token: Some(Bytes::from_static(b"token")),
            renewal_token_expires_at: None,
            withheld_address: None,
            turn_urls: Vec::new(),
        };
        answer_request(&mut connection, OK, register_response::Result::Success(granted)).await;
    }

    /// Refuses a request to AIS.
    pub(super) async fn refuse(&self, connection: DuplexStream, path: &str, code: ErrorCode) {
        self.refuse_as(connection, path, OK, code).await;
    }

    /// The same, with this status and these headers.
    pub(super) async fn refuse_as(&self, mut connection: DuplexStream, path: &str, head: &str, code: ErrorCode) {
        read_request(&mut connection, path).await;
        let refusal = register_response::Result::Error(error(code));
        answer_request(&mut connection, head, refusal).await;
    }

    /// Accepts a signaling connection.
    pub(super) async fn open(&mut self) -> Socket {
        let connection = self.accept().await;
        accept_async(connection).await.unwrap()
    }

    /// The same, and answers the first heartbeat over it.
    pub(super) async fn open_and_confirm(&mut self) -> Socket {
        let mut socket = self.open().await;
        let (id, _) = next_request(&mut socket).await;
        answer(&mut socket, id, pong()).await;
        socket
    }

    /// Refuses a signaling connection.
    pub(super) async fn refuse_to_open(&mut self, status: &str) {
        let mut connection = self.accept().await;
        read_head(&mut connection).await;
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\nforgotten");
        connection.write_all(answer.as_bytes()).await.unwrap();
    }
}

pub(super) fn error(code: ErrorCode) -> ErrorResponse {
    ErrorResponse {
        code: code.number(),
        message: "as the script says".into(),
    }
}

async fn read_head(connection: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn read_request(connection: &mut DuplexStream, path: &str) {
    let head = read_head(connection).await;
    assert!(head.starts_with(&format!("POST {path} ")), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
}

async fn answer_request(connection: &mut DuplexStream, head: &str, result: register_response::Result) {
    let body = RegisterResponse { result: Some(result) }.encode_to_vec();
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&body).await.unwrap();
}

/// The next request of the link; WebSocket pings count for nothing here.
pub(super) async fn next_request(socket: &mut Socket) -> (String, ActrToSignaling) {
    loop {
        if let tungstenite::Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
            let envelope = SignalingEnvelope::decode(bytes).unwrap();
            let Some(Flow::ActrToServer(request)) = envelope.flow else {
                panic!("not a request: {:?}", envelope.flow);
            };
            return (envelope.envelope_id, request);
        }
    }
}

/// The next request that is not a heartbeat; heartbeats are answered.
pub(super) async fn next_question(socket: &mut Socket) -> (String, ActrToSignaling) {
    loop {
        let (id, request) = next_request(socket).await;
        if !is_heartbeat(&request) {
            return (id, request);
        }
        answer(socket, id, pong()).await;
    }
}

/// Answers heartbeats until it is dropped.
pub(super) async fn answer_heartbeats(socket: &mut Socket) {
    let (id, request) = next_question(socket).await;
    panic!("{id}: {request:?}");
}

pub(super) fn is_heartbeat(request: &ActrToSignaling) -> bool {
    matches!(request.payload, Some(RequestPayload::Ping(_)))
}

pub(super) fn pong() -> Payload {
    Payload::Pong(Pong {
        seq: 0,
        suggest_interval_secs: None,
    })
}

pub(super) async fn answer(socket: &mut Socket, reply_for: String, payload: Payload) {
    let envelope = SignalingEnvelope {
        envelope_version: 2,
        envelope_id: format!("answer to {reply_for}"),
        reply_for: Some(reply_for),
        flow: Some(Flow::ServerToActr(SignalingToActr {
            payload: Some(payload),
            ..SignalingToActr::default()
        })),
        ..SignalingEnvelope::default()
    };
    say(socket, envelope).await;
}

/// The registry takes one message for one too many, and does not say which.
pub(super) async fn say_too_many(socket: &mut Socket) {
    let envelope = SignalingEnvelope {
        envelope_version: 1,
        flow: Some(Flow::EnvelopeError(error(ErrorCode::Other(429)))),
        ..SignalingEnvelope::default()
    };
    say(socket, envelope).await;
}

pub(super) async fn say(socket: &mut Socket, envelope: SignalingEnvelope) {
    let message = tungstenite::Message::Binary(envelope.encode_to_vec().into());
    socket.send(message).await.unwrap();
}
