use std::{net::SocketAddr, time::Duration};

use actr_lite_registry::{Options, Registry, RegistryHandle};
use actr_lite_wire::{
    identity::ActrId,
    possession::{PROOF_HEADER, Proof},
    proto::{
        AIdCredential, ActrToSignaling, ErrorResponse, Realm, RegisterRequest, RegisterResponse,
        RenewCredentialRequest, RouteCandidatesRequest, ServiceSpec, SignalingEnvelope,
        actr_to_signaling::Payload as Request,
        register_response::{RegisterOk, Result as RegisterResult},
        route_candidates_response::{Result as RouteResult, RouteCandidatesOk},
        signaling_envelope::Flow,
        signaling_to_actr::Payload as Answer,
    },
};
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request as HttpRequest, StatusCode, header::CONTENT_TYPE};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error as WebSocketError, Message, client::IntoClientRequest as _, protocol::CloseFrame},
};

/// The most that anything here may take before the test fails instead of hanging.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) const SERVER: &str = "acme:Server:1.0.0";
pub(crate) const CLIENT: &str = "acme:Client:1.0.0";

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it hangs")
}

pub(crate) async fn start(options: Options) -> RegistryHandle {
    Registry::bind("127.0.0.1:0", options).await.unwrap().spawn()
}

/// One HTTP request on a connection of its own.
pub(crate) async fn http(address: SocketAddr, request: HttpRequest<Full<Bytes>>) -> (StatusCode, Bytes) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let response = within(sender.send_request(request)).await.unwrap();
    let status = response.status();
    let body = within(response.into_body().collect()).await.unwrap().to_bytes();
    drop(sender);
    let _ = connection.await;
    (status, body)
}

pub(crate) fn post(path: &str, body: Vec<u8>) -> HttpRequest<Full<Bytes>> {
    HttpRequest::post(path)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header("host", "localhost")
        .body(Full::from(body))
        .unwrap()
}

pub(crate) fn request(realm_id: u32, actr_type: &str) -> RegisterRequest {
    let actr_type: actr_lite_wire::identity::ActrType = actr_type.parse().unwrap();
    RegisterRequest {
        actr_type: (&actr_type).into(),
        realm: Realm { realm_id },
        service_spec: Some(ServiceSpec {
            name: actr_type.name().into(),
            fingerprint: format!("fingerprint of {actr_type}"),
            ..ServiceSpec::default()
        }),
        acl: None,
        service: None,
        ws_address: Some("ws://127.0.0.1:9".into()),
        auth_mode: Some(2),
        hidden: None,
        holder_key: None,
    }
}

/// The outcome of a registration or renewal that HTTP did not refuse.
pub(crate) async fn ais(address: SocketAddr, path: &str, body: Vec<u8>) -> Result<RegisterOk, ErrorResponse> {
    granted(address, post(path, body)).await
}

pub(crate) async fn granted(
    address: SocketAddr,
    request: HttpRequest<Full<Bytes>>,
) -> Result<RegisterOk, ErrorResponse> {
    let (status, body) = http(address, request).await;
    assert_eq!(status, StatusCode::OK, "{body:?}");
    match RegisterResponse::decode(body).unwrap().result.unwrap() {
        RegisterResult::Success(granted) => Ok(granted),
        RegisterResult::Error(error) => Err(error),
    }
}

pub(crate) async fn register(address: SocketAddr, realm_id: u32, actr_type: &str) -> RegisterOk {
    ais(address, "/ais/register", request(realm_id, actr_type).encode_to_vec())
        .await
        .unwrap()
}

pub(crate) async fn renew(address: SocketAddr, granted: &RegisterOk) -> Result<RegisterOk, ErrorResponse> {
    renew_with(address, granted, |_| None).await
}

/// The same with a proof of possession, for the token.
pub(crate) async fn renew_with(
    address: SocketAddr,
    granted: &RegisterOk,
    prove: impl FnOnce(&[u8]) -> Option<Proof>,
) -> Result<RegisterOk, ErrorResponse> {
    let message = RenewCredentialRequest {
        actr_id: granted.actr_id.clone(),
        renewal_token: granted.renewal_token.clone().unwrap(),
    };
    let mut request = post("/ais/renew", message.encode_to_vec());
    if let Some(proof) = prove(&message.renewal_token) {
        let proof = proof.to_header().parse().unwrap();
        request.headers_mut().insert(PROOF_HEADER, proof);
    }
    self::granted(address, request).await
}

pub(crate) fn id_of(granted: &RegisterOk) -> ActrId {
    ActrId::try_from(&granted.actr_id).unwrap()
}

/// An open signaling connection.
pub(crate) struct Signaling {
    pub(crate) socket: WebSocketStream<TcpStream>,
    id: ActrId,
    credential: AIdCredential,
    sent: u64,
}

/// Connects, or returns the status and the text of the refusal.
pub(crate) async fn connect(address: SocketAddr, granted: &RegisterOk) -> Result<Signaling, (StatusCode, String)> {
    connect_with(address, granted, |_| None).await
}

/// The same with a proof of possession, for the upgrade's `Sec-WebSocket-Key`.
pub(crate) async fn connect_with(
    address: SocketAddr,
    granted: &RegisterOk,
    prove: impl FnOnce(&[u8]) -> Option<Proof>,
) -> Result<Signaling, (StatusCode, String)> {
    let id = id_of(granted);
    let credential = granted.credential.clone();
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let url = format!(
        "ws://{address}/signaling/ws?actor_id={}&key_id={}&claims={}&signature={}",
        encode(&id.to_string()),
        credential.key_id,
        encode(&BASE64.encode(&credential.claims)),
        encode(&BASE64.encode(&credential.signature)),
    );
    let mut request = url.into_client_request().unwrap();
    if let Some(proof) = prove(request.headers()["sec-websocket-key"].as_bytes()) {
        let proof = proof.to_header().parse().unwrap();
        request.headers_mut().insert(PROOF_HEADER, proof);
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match within(client_async(request, stream)).await {
        Ok((socket, _)) => Ok(Signaling {
            socket,
            id,
            credential,
            sent: 0,
        }),
        Err(WebSocketError::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            Err((response.status(), String::from_utf8(body).unwrap()))
        }
        Err(error) => panic!("{error}"),
    }
}

impl Signaling {
    pub(crate) async fn send(&mut self, flow: Flow, version: u32) -> String {
        self.sent += 1;
        let envelope_id = format!("test-{}", self.sent);
        let envelope = SignalingEnvelope {
            envelope_version: version,
            envelope_id: envelope_id.clone(),
            reply_for: None,
            timestamp: None,
            traceparent: None,
            tracestate: None,
            flow: Some(flow),
        };
        let message = Message::Binary(envelope.encode_to_vec().into());
        within(self.socket.send(message)).await.unwrap();
        envelope_id
    }

    /// The next envelope, checked for what every reply must have.
    pub(crate) async fn reply(&mut self, reply_for: &str) -> Flow {
        loop {
            match within(self.socket.next()).await.unwrap().unwrap() {
                Message::Binary(bytes) => {
                    let envelope = SignalingEnvelope::decode(bytes).unwrap();
                    assert_eq!(envelope.envelope_version, 1);
                    assert_eq!(envelope.reply_for.as_deref(), Some(reply_for));
                    assert!(!envelope.envelope_id.is_empty());
                    assert!(envelope.timestamp.unwrap().seconds > 1_600_000_000);
                    return envelope.flow.unwrap();
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn message(&self, payload: Option<Request>) -> Flow {
        Flow::ActrToServer(ActrToSignaling {
            source: (&self.id).into(),
            credential: self.credential.clone(),
            payload,
        })
    }

    pub(crate) async fn ask(&mut self, payload: Request) -> Answer {
        let flow = self.message(Some(payload));
        self.ask_flow(flow).await
    }

    pub(crate) async fn ask_flow(&mut self, flow: Flow) -> Answer {
        let envelope_id = self.send(flow, 1).await;
        match self.reply(&envelope_id).await {
            Flow::ServerToActr(answer) => {
                assert_eq!(ActrId::try_from(&answer.target).as_ref(), Ok(&self.id));
                answer.payload.unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn discover(&mut self, actr_type: &str) -> Result<RouteCandidatesOk, ErrorResponse> {
        let actr_type: actr_lite_wire::identity::ActrType = actr_type.parse().unwrap();
        let request = RouteCandidatesRequest {
            target_type: (&actr_type).into(),
            criteria: None,
            client_fingerprint: String::new(),
            candidate_id: None,
        };
        match self.ask(Request::RouteCandidates(request)).await {
            Answer::RouteCandidates(response) => match response.result.unwrap() {
                RouteResult::Success(found) => Ok(found),
                RouteResult::Error(error) => Err(error),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Reads to the end of the connection; the close frame that the registry sent.
    pub(crate) async fn closed(mut self) -> Option<CloseFrame> {
        let mut frame = None;
        while let Some(Ok(message)) = within(self.socket.next()).await {
            if let Message::Close(close) = message {
                frame = close;
            }
        }
        frame
    }
}
