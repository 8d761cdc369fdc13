//! Who asks too often is told so, and loses nothing that a node needs to stay.

use std::net::SocketAddr;

use actr_lite_registry::Options;
use actr_lite_registry_client::{LinkConfig, LinkState, RegistryLink};
use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{
        ActrId, GetServiceSpecRequest, Ping, RenewCredentialRequest, UnregisterRequest,
        actr_to_signaling::Payload as Question, get_service_spec_response::Result as SpecResult,
        register_response::RegisterOk, signaling_to_actr::Payload as Answer,
    },
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{CONNECTION, HOST, RETRY_AFTER, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::client::{CLIENT, SERVER, connect, http, id_of, post, register, renew, request, start, within};

/// More than any burst, and more than comes back while a test runs.
const FLOOD: usize = 20_000;

fn spec() -> Question {
    Question::GetServiceSpec(GetServiceSpecRequest {
        name: "nothing".into(),
        fingerprint: None,
    })
}

/// Registers over one connection until that is refused; the answer that refuses it.
async fn register_until_refused(address: SocketAddr) -> hyper::Response<Bytes> {
    let body = request(1, SERVER).encode_to_vec();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..FLOOD {
        within(sender.ready()).await.unwrap();
        let answer = within(sender.send_request(post("/ais/register", body.clone())))
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        let body: Bytes = within(body.collect()).await.unwrap().to_bytes();
        if head.status != StatusCode::OK {
            connection.abort();
            return hyper::Response::from_parts(head, body);
        }
    }
    panic!("{FLOOD} registrations from one address were taken");
}

#[tokio::test]
async fn registrations_of_an_address_are_limited_renewals_are_not() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let refusal = register_until_refused(address).await;
    assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refusal.headers()[RETRY_AFTER], "1");
    let text = String::from_utf8(refusal.body().to_vec()).unwrap();
    assert!(
        text.contains("address 127.0.0.1 registers and connects too often"),
        "{text}"
    );
    assert_eq!(registry.misbehaviour().total(), 0, "it does no wrong");
    renew(address, &granted).await.unwrap();
    assert!(connect(address, &granted).await.is_ok(), "a registered node connects");
    registry.shutdown().await;
}

/// Requests to connect or to renew, each wrong in its own way.
fn wrong_requests(granted: &RegisterOk) -> Vec<Request<Full<Bytes>>> {
    let upgrade = |query: &str| {
        let upgrade = Request::get(format!("/signaling/ws{query}"))
            .header(HOST, "localhost")
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
        upgrade.body(Full::default()).unwrap()
    };
    let renewal = |actr_id: &ActrId| {
        let renewal = RenewCredentialRequest {
            actr_id: actr_id.clone(),
            renewal_token: Bytes::from_static(b"no token"),
        };
        post("/ais/renew", renewal.encode_to_vec())
    };
    let known = &granted.actr_id;
    let mut unknown = known.clone();
    unknown.serial_number += 1000;
    let id = id_of(granted);
    let plain = Request::get("/signaling/ws").header(HOST, "localhost");
    vec![
        plain.body(Full::default()).unwrap(),
        upgrade(""),
        upgrade(&format!("?actor_id={id}&key_id=1&claims=%21&signature=")),
        upgrade(&format!("?actor_id={id}&key_id=1&claims=&signature=")),
        post("/ais/renew", vec![0xff; 9]),
        renewal(known),
        renewal(&unknown),
    ]
}

#[tokio::test]
async fn wrong_connections_and_renewals_of_an_address_are_limited() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    for request in wrong_requests(&granted) {
        let (status, body) = http(address, request).await;
        assert!(status != StatusCode::TOO_MANY_REQUESTS, "{body:?}");
    }
    register_until_refused(address).await;
    for request in wrong_requests(&granted) {
        let line = format!("{} {}", request.method(), request.uri());
        // Some of the rate comes back all the time.
        let told = async {
            loop {
                let (status, body) = http(address, request.clone()).await;
                if status == StatusCode::TOO_MANY_REQUESTS {
                    return body;
                }
            }
        };
        let told = within(told).await;
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("registers and connects too often"), "{line}: {told}");
    }
    let granted = renew(address, &granted).await.unwrap();
    assert!(connect(address, &granted).await.is_ok(), "a registered node connects");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_node_of_this_project_waits_for_its_turn_to_register() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    register_until_refused(address).await;
    let url = format!("ws://{address}/signaling/ws");
    let config = LinkConfig::new(url.parse().unwrap(), CLIENT.parse().unwrap(), 1);
    let stop = CancellationToken::new();
    let link = RegistryLink::spawn(config, &TaskTracker::new(), stop.clone());
    within(link.connected()).await.unwrap();
    within(link.state().wait_for(|state| *state == LinkState::Connected))
        .await
        .unwrap();
    stop.cancel();
    registry.shutdown().await;
}

#[tokio::test]
async fn questions_are_limited_and_heartbeats_and_leaving_are_not() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let mut node = connect(address, &granted).await.unwrap();
    let mut neighbour = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    let mut refusal = None;
    for _ in 0..FLOOD {
        let Answer::GetServiceSpec(response) = node.ask(spec()).await else {
            panic!("another answer");
        };
        match response.result.unwrap() {
            SpecResult::Error(error) if error.code == ErrorCode::NotFound.number() => {}
            SpecResult::Error(error) => {
                refusal = Some(error);
                break;
            }
            SpecResult::Success(spec) => panic!("{spec:?}"),
        }
    }
    let refusal = refusal.expect("no end of questions");
    assert_eq!(refusal.code, ErrorCode::Unavailable.number());
    assert!(refusal.message.contains("asks too often"), "{}", refusal.message);
    assert!(neighbour.discover(SERVER).await.is_ok());
    let ping = Ping {
        availability: 0,
        power_reserve: 1.0,
        mailbox_backlog: 0.0,
        sticky_client_ids: Vec::new(),
    };
    for _ in 0..100 {
        assert!(matches!(node.ask(Question::Ping(ping.clone())).await, Answer::Pong(_)));
    }
    let leave = UnregisterRequest {
        actr_id: granted.actr_id,
        reason: None,
    };
    assert!(matches!(
        node.ask(Question::Unregister(leave)).await,
        Answer::Unregister(_)
    ));
    registry.shutdown().await;
}

#[tokio::test]
async fn a_node_of_this_project_waits_for_its_turn_to_ask() {
    let registry = start(Options::default()).await;
    let url = format!("ws://{}/signaling/ws", registry.local_addr());
    let config = LinkConfig::new(url.parse().unwrap(), CLIENT.parse().unwrap(), 1);
    let stop = CancellationToken::new();
    let link = RegistryLink::spawn(config, &TaskTracker::new(), stop.clone());
    within(link.connected()).await.unwrap();
    // More than the burst, as fast as answers come.
    for _ in 0..1200 {
        within(link.candidates(&SERVER.parse().unwrap(), 1, "")).await.unwrap();
    }
    stop.cancel();
    registry.shutdown().await;
}

#[tokio::test]
async fn one_node_does_not_connect_again_and_again() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let mut refusal = None;
    for _ in 0..FLOOD {
        match connect(address, &granted).await {
            Ok(_) => {}
            Err(refused) => {
                refusal = Some(refused);
                break;
            }
        }
    }
    let (status, text) = refusal.expect("no end of connections");
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{text}");
    assert!(text.contains("connects too often"), "{text}");
    let neighbour = register(address, 1, CLIENT).await;
    assert!(connect(address, &neighbour).await.is_ok());
    registry.shutdown().await;
}
