use std::time::Duration;

use actr_lite_registry::{Options, REGISTER_AGAIN};
use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{
        ActrRelay, GetServiceSpecRequest, GetSigningKeyRequest, Ping, UnregisterRequest,
        actr_to_signaling::Payload as Request, get_service_spec_response, register_response::RegisterOk,
        signaling_envelope::Flow, signaling_to_actr::Payload as Answer, unregister_response,
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::StatusCode;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::client::{BOUND, CLIENT, SERVER, Signaling, connect, id_of, register, start, within};

fn ping() -> Request {
    Request::Ping(Ping {
        availability: 0,
        power_reserve: 1.0,
        mailbox_backlog: 0.0,
        sticky_client_ids: Vec::new(),
    })
}

fn unregister(granted: &RegisterOk) -> Request {
    Request::Unregister(UnregisterRequest {
        actr_id: granted.actr_id.clone(),
        reason: None,
    })
}

fn refusal(result: Result<Signaling, (StatusCode, String)>) -> (StatusCode, String) {
    match result {
        Ok(_) => panic!("it was let in"),
        Err(refusal) => refusal,
    }
}

#[tokio::test]
async fn a_node_registers_connects_is_discovered_and_leaves() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let server = register(address, 1, SERVER).await;
    let mut server_signaling = connect(address, &server).await.unwrap();
    let mut client = connect(address, &register(address, 1, CLIENT).await).await.unwrap();

    let found = client.discover(SERVER).await.unwrap();
    assert_eq!(found.candidates, vec![server.actr_id.clone()]);
    assert_eq!(found.ws_address_map.len(), 1);
    assert_eq!(found.ws_address_map[0].candidate_id, server.actr_id);
    assert_eq!(found.ws_address_map[0].ws_address.as_deref(), Some("ws://127.0.0.1:9"));
    assert_eq!(found.contracts.len(), 1);
    assert_eq!(found.contracts[0].candidate_id, server.actr_id);
    let contract = format!("fingerprint of {SERVER}");
    assert_eq!(found.contracts[0].fingerprint.as_deref(), Some(contract.as_str()));
    assert_eq!(client.discover("acme:Server:2.0.0").await.unwrap().candidates, []);

    match server_signaling.ask(unregister(&server)).await {
        Answer::Unregister(response) => {
            assert!(matches!(response.result, Some(unregister_response::Result::Success(_))));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server_signaling.closed().await.unwrap().code, CloseCode::Normal);
    assert_eq!(client.discover(SERVER).await.unwrap().candidates, []);
    let (status, text) = refusal(connect(address, &server).await);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains(REGISTER_AGAIN), "{text}");
    drop(client);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_heartbeat_is_answered_and_so_is_a_websocket_ping() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let mut node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    for expected in 0..3 {
        match node.ask(ping()).await {
            Answer::Pong(pong) => assert_eq!((pong.seq, pong.suggest_interval_secs), (expected, Some(5))),
            other => panic!("{other:?}"),
        }
    }
    within(node.socket.send(Message::Ping("hello".into()))).await.unwrap();
    let pong = within(node.socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("hello".into()));
    drop(node);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_missing_contract_or_signing_key_is_an_error() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    register(address, 1, SERVER).await;
    let granted = register(address, 1, CLIENT).await;
    let mut client = connect(address, &granted).await.unwrap();

    for (name, known) in [(SERVER, true), ("Server", true), ("acme:Other:1.0.0", false)] {
        let request = GetServiceSpecRequest {
            name: name.into(),
            fingerprint: None,
        };
        let Answer::GetServiceSpec(response) = client.ask(Request::GetServiceSpec(request)).await else {
            panic!("another answer");
        };
        match response.result.unwrap() {
            get_service_spec_response::Result::Success(spec) => {
                assert!(known, "{name}");
                assert_eq!(spec.fingerprint, format!("fingerprint of {SERVER}"));
            }
            get_service_spec_response::Result::Error(error) => {
                assert!(
                    !known && error.code == ErrorCode::NotFound.number(),
                    "{name}: {error:?}"
                );
            }
        }
    }

    let key_id = granted.signing_key_id;
    match client
        .ask(Request::GetSigningKey(GetSigningKeyRequest { key_id }))
        .await
    {
        Answer::GetSigningKey(key) => assert_eq!((key.key_id, key.pubkey), (key_id, granted.signing_pubkey)),
        other => panic!("{other:?}"),
    }
    let key_id = key_id.wrapping_add(1);
    match client
        .ask(Request::GetSigningKey(GetSigningKeyRequest { key_id }))
        .await
    {
        Answer::Error(error) => assert_eq!(error.code, ErrorCode::NotFound.number()),
        other => panic!("{other:?}"),
    }
    drop(client);
    registry.shutdown().await;
}

#[tokio::test]
async fn realms_do_not_see_each_other_and_the_asker_is_told_so() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let ours = register(address, 1, SERVER).await;
    let theirs = register(address, 2, SERVER).await;
    for (realm, expected) in [(1, &ours), (2, &theirs)] {
        let mut client = connect(address, &register(address, realm, CLIENT).await).await.unwrap();
        let found = client.discover(SERVER).await.unwrap();
        assert_eq!(found.candidates, vec![expected.actr_id.clone()]);
    }
    let mut stranger = connect(address, &register(address, 3, CLIENT).await).await.unwrap();
    let error = stranger.discover(SERVER).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::PermissionDenied.number());
    assert!(error.message.contains("other realms only"), "{}", error.message);
    drop(stranger);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_refused_credential_gets_a_401_with_the_reason() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;

    let mut forged = granted.clone();
    let mut signature = forged.credential.signature.to_vec();
    signature[0] ^= 1;
    forged.credential.signature = signature.into();
    let mut stolen = granted.clone();
    stolen.actr_id = register(address, 1, CLIENT).await.actr_id;
    let mut unknown_key = granted.clone();
    unknown_key.credential.key_id ^= 1;
    for (shown, word) in [
        (forged, "signature is wrong"),
        (stolen, "the credential belongs to"),
        (unknown_key, REGISTER_AGAIN),
    ] {
        let (status, text) = refusal(connect(address, &shown).await);
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{text}");
        assert!(text.contains(word), "{text}");
    }
    assert!(connect(address, &granted).await.is_ok());
    registry.shutdown().await;
}

#[tokio::test]
async fn an_expired_credential_gets_a_401() {
    let options = Options {
        credential_lifetime: Duration::ZERO,
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let (status, text) = refusal(connect(address, &register(address, 1, CLIENT).await).await);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains("expired") && text.contains(REGISTER_AGAIN), "{text}");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_restarted_registry_tells_its_old_nodes_to_register_again() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let open = connect(address, &granted).await.unwrap();
    let (closed, ()) = tokio::join!(open.closed(), registry.shutdown());
    assert_eq!(closed.unwrap().code, CloseCode::Away);

    let registry = start(Options::default()).await;
    let (status, text) = refusal(connect(registry.local_addr(), &granted).await);
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains(REGISTER_AGAIN), "{text}");
    let again = register(registry.local_addr(), 1, CLIENT).await;
    assert_ne!(id_of(&again), id_of(&granted));
    assert_ne!(again.signing_key_id, granted.signing_key_id);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_silent_node_loses_its_lease_and_its_connection() {
    let options = Options {
        heartbeat_interval: Duration::from_secs(1),
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let mut client = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    let server = register(address, 1, SERVER).await;
    let silent = connect(address, &server).await.unwrap();

    let observed = async {
        while !client.discover(SERVER).await.unwrap().candidates.is_empty() {
            assert!(matches!(client.ask(ping()).await, Answer::Pong(_)));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(BOUND, observed)
        .await
        .expect("the node never expires");
    assert_eq!(silent.closed().await.unwrap().code, CloseCode::Policy);
    let (_, text) = refusal(connect(address, &server).await);
    assert!(text.contains(REGISTER_AGAIN), "{text}");
    drop(client);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_lost_connection_does_not_unregister() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let server = register(address, 1, SERVER).await;
    let mut signaling = connect(address, &server).await.unwrap();
    within(signaling.socket.close(None)).await.unwrap();
    signaling.closed().await;
    let mut client = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    assert_eq!(
        client.discover(SERVER).await.unwrap().candidates,
        vec![server.actr_id.clone()]
    );
    assert!(connect(address, &server).await.is_ok());
    drop(client);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_second_connection_of_an_actor_replaces_the_first() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let first = connect(address, &granted).await.unwrap();
    let mut second = connect(address, &granted).await.unwrap();
    assert_eq!(first.closed().await.unwrap().code, CloseCode::Policy);
    assert!(matches!(second.ask(ping()).await, Answer::Pong(_)));
    drop(second);
    registry.shutdown().await;
}

#[tokio::test]
async fn nobody_speaks_for_another_actor() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let victim = register(address, 1, SERVER).await;
    let granted = register(address, 1, CLIENT).await;
    let mut node = connect(address, &granted).await.unwrap();

    match node.ask(unregister(&victim)).await {
        Answer::Unregister(response) => match response.result.unwrap() {
            unregister_response::Result::Error(error) => {
                assert_eq!(error.code, ErrorCode::PermissionDenied.number());
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    assert_eq!(node.discover(SERVER).await.unwrap().candidates, [victim.actr_id]);
    drop(node);
    registry.shutdown().await;
}

#[tokio::test]
async fn what_is_not_supported_is_said_and_not_dropped() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let mut node = connect(address, &granted).await.unwrap();

    let without_payload = node.message(None);
    match node.ask_flow(without_payload).await {
        Answer::Error(error) => assert_eq!(error.code, ErrorCode::NotImplemented.number()),
        other => panic!("{other:?}"),
    }

    let relay = |source: &RegisterOk| {
        Flow::ActrRelay(ActrRelay {
            source: source.actr_id.clone(),
            credential: source.credential.clone(),
            target: source.actr_id.clone(),
            payload: None,
        })
    };
    let request = node.message(Some(ping()));
    for (flow, version, code) in [
        (relay(&granted), 1, ErrorCode::InvalidArgument),
        (request.clone(), 3, ErrorCode::InvalidArgument),
        (request.clone(), 0, ErrorCode::InvalidArgument),
    ] {
        let envelope_id = node.send(flow, version).await;
        match node.reply(&envelope_id).await {
            Flow::EnvelopeError(error) => assert_eq!(error.code, code.number(), "{}", error.message),
            other => panic!("{other:?}"),
        }
    }

    let envelope_id = node.send(request, 2).await;
    assert!(matches!(node.reply(&envelope_id).await, Flow::ServerToActr(_)));
    drop(node);
    registry.shutdown().await;
}
