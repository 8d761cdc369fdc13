//! What a node sends to another one by way of the registry arrives as it was sent, or its sender is told why not.

use actr_lite_registry::{Options, RegistryHandle};
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    proto::{
        AIdCredential, ActrRelay, ErrorResponse, Ping, RoleAssignment, SignalingEnvelope, actr_relay::Payload,
        actr_to_signaling::Payload as Request, register_response::RegisterOk, signaling_envelope::Flow,
        signaling_to_actr::Payload as Answer,
    },
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{CLIENT, SERVER, Signaling, connect, register, start, within};

/// A node to which messages can be relayed: the upgrade's answer comes a moment before the registry knows its connection.
async fn node(registry: &RegistryHandle, realm_id: u32, actr_type: &str) -> (RegisterOk, Signaling) {
    let granted = register(registry.local_addr(), realm_id, actr_type).await;
    let mut signaling = connect(registry.local_addr(), &granted).await.unwrap();
    let answer = signaling.ask(Request::Ping(Ping::default())).await;
    assert!(matches!(answer, Answer::Pong(_)), "{answer:?}");
    (granted, signaling)
}

fn relay(source: &RegisterOk, target: &RegisterOk, payload: Payload) -> ActrRelay {
    ActrRelay {
        source: source.actr_id.clone(),
        credential: source.credential.clone(),
        target: target.actr_id.clone(),
        payload: Some(payload),
    }
}

fn description() -> Payload {
    Payload::SessionDescription(Bytes::from_static(b"\x08\x00 what the registry need not understand"))
}

async fn relayed(signaling: &mut Signaling) -> SignalingEnvelope {
    match within(signaling.socket.next()).await.unwrap().unwrap() {
        Message::Binary(bytes) => SignalingEnvelope::decode(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn refusal(signaling: &mut Signaling, relay: ActrRelay) -> ErrorResponse {
    let envelope_id = signaling.send(Flow::ActrRelay(relay), 1).await;
    match signaling.reply(&envelope_id).await {
        Flow::EnvelopeError(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_sent_without_the_credential() {
    let registry = start(Options::default()).await;
    let (client, mut client_signaling) = node(&registry, 1, CLIENT).await;
    let (server, mut server_signaling) = node(&registry, 1, SERVER).await;
    for payload in [
        description(),
        Payload::IceCandidate("candidate".into()),
        Payload::IceRestartRequest(Bytes::new()),
    ] {
        let sent = SignalingEnvelope {
            envelope_version: 1,
            envelope_id: "the sender's own".into(),
            reply_for: None,
            timestamp: None,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            tracestate: Some("a=b".into()),
            flow: Some(Flow::ActrRelay(relay(&client, &server, payload.clone()))),
        };
        let message = Message::Binary(sent.encode_to_vec().into());
        within(client_signaling.socket.send(message)).await.unwrap();

        let arrived = relayed(&mut server_signaling).await;
        assert_eq!((arrived.envelope_version, arrived.reply_for), (1, None));
        assert!(arrived.timestamp.unwrap().seconds > 1_600_000_000);
        assert_ne!(arrived.envelope_id, sent.envelope_id);
        assert_eq!(
            (arrived.traceparent, arrived.tracestate),
            (sent.traceparent, sent.tracestate)
        );
        let mut expected = relay(&client, &server, payload);
        expected.credential = AIdCredential::default();
        assert_eq!(arrived.flow, Some(Flow::ActrRelay(expected)));
    }
    drop((client_signaling, server_signaling));
    registry.shutdown().await;
}

#[tokio::test]
async fn the_question_who_offers_is_answered_to_both() {
    let registry = start(Options::default()).await;
    let (client, mut client_signaling) = node(&registry, 1, CLIENT).await;
    let (server, mut server_signaling) = node(&registry, 1, SERVER).await;
    let question = relay(&server, &client, Payload::RoleNegotiation(Bytes::new()));
    server_signaling.send(Flow::ActrRelay(question), 1).await;
    let mut offerers = Vec::new();
    for (signaling, own, other) in [
        (&mut client_signaling, &client, &server),
        (&mut server_signaling, &server, &client),
    ] {
        let Some(Flow::ActrRelay(told)) = relayed(signaling).await.flow else {
            panic!("another flow");
        };
        assert_eq!((&told.source, &told.target), (&other.actr_id, &own.actr_id));
        let Some(Payload::RoleAssignment(assignment)) = told.payload else {
            panic!("another payload");
        };
        offerers.push(RoleAssignment::decode(assignment).unwrap().is_offerer);
    }
    assert_eq!(offerers, [true, false]);
    drop((client_signaling, server_signaling));
    registry.shutdown().await;
}

#[tokio::test]
async fn what_does_not_pass_is_answered_with_the_reason() {
    let registry = start(Options::default()).await;
    let (client, mut signaling) = node(&registry, 1, CLIENT).await;
    let offline = register(registry.local_addr(), 1, SERVER).await;
    let (elsewhere, _open) = node(&registry, 2, SERVER).await;
    let mut unknown = offline.clone();
    unknown.actr_id.serial_number ^= 1 << 63;
    for (target, code, reason) in [
        (&offline, ErrorCode::Unavailable, "no signaling connection"),
        (
            &elsewhere,
            ErrorCode::PermissionDenied,
            "no [acl] rule that admits other realms",
        ),
        (&unknown, ErrorCode::NotFound, "no node"),
        (&client, ErrorCode::InvalidArgument, "itself"),
    ] {
        let refused = refusal(&mut signaling, relay(&client, target, description())).await;
        assert_eq!(refused.code, code.number(), "{}", refused.message);
        assert!(refused.message.contains(reason), "{}", refused.message);
    }
    drop(signaling);
    registry.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaying_to_a_node_that_does_not_read_is_an_error() {
    let registry = start(Options::default()).await;
    let (client, mut signaling) = node(&registry, 1, CLIENT).await;
    let (deaf, _unread) = node(&registry, 1, SERVER).await;
    signaling.socket.get_ref().set_nodelay(true).unwrap();
    let large = relay(&client, &deaf, Payload::IceCandidate(Bytes::from(vec![0; 32 * 1024])));
    let refused = loop {
        signaling.send(Flow::ActrRelay(large.clone()), 1).await;
        // Answers come in the order of what they answer: the ping's shows that the relay was not refused.
        let ping = Request::Ping(Ping::default());
        let message = signaling.message(Some(ping));
        signaling.send(message, 1).await;
        match relayed(&mut signaling).await.flow {
            Some(Flow::EnvelopeError(error)) => break error,
            Some(Flow::ServerToActr(answer)) => assert!(matches!(answer.payload, Some(Answer::Pong(_)))),
            other => panic!("{other:?}"),
        }
    };
    // Either too much waits for it, or it was given up meanwhile.
    assert_eq!(refused.code, ErrorCode::Unavailable.number(), "{}", refused.message);
    let (third, mut third_signaling) = node(&registry, 1, SERVER).await;
    signaling
        .send(Flow::ActrRelay(relay(&client, &third, description())), 1)
        .await;
    let arrived = relayed(&mut third_signaling).await;
    let Some(Flow::ActrRelay(arrived)) = arrived.flow else {
        panic!("another flow");
    };
    assert_eq!(ActrId::try_from(&arrived.source), ActrId::try_from(&client.actr_id));
    drop((signaling, third_signaling));
    registry.shutdown().await;
}
