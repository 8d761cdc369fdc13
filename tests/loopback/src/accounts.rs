//! Whoever misbehaves harms only himself: what a peer makes a node hold is bounded by its share, in whatever form it is
//! held, and nothing waits for a peer without an end.

use std::time::Duration;

use actr_lite::{ActrRef, Rpc as _, SendError, StreamEnd};
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    peer_text::{MAX_SHOWN_CHARS, RawText},
    record::RecordKind,
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::{
    bystander::Bystander,
    harness::{
        deadline::{until, within},
        messages::{Answer, Ask, Nowhere, Push},
        pair::Pair,
        server::{start_plan, start_server},
        stream::{caller, stream_id},
        world::World,
    },
    raw_peer::{
        connection::{RawPeer, dial},
        outsider::Outsider,
        wire_bytes::{frame, record, websocket_frame, websocket_header},
    },
};

const STALL: &str = "system.limits.stall_timeout=300ms";

/// What `Ask` answers at length is this long.
const LONG: usize = 1 << 20;

fn request(request_id: impl Into<RawText>, route: &str, payload: Vec<u8>) -> Vec<u8> {
    let envelope = Envelope::Request {
        request_id: request_id.into(),
        route_key: route.into(),
        payload: payload.into(),
        metadata: Vec::new(),
        timeout: Some(Duration::from_secs(1 << 30)),
    };
    record(RecordKind::RpcReliable, &envelope.encode())
}

fn long_ask() -> Vec<u8> {
    let data = Bytes::from(vec![7; LONG]);
    Ask { data, ..Ask::default() }.encode_to_vec()
}

/// Sends this again and again, and pings in between, until the node closes the connection; it reads nothing.
async fn send_until_closed(peer: &mut RawPeer, mut message: impl FnMut(u64) -> Vec<u8>) {
    within(async {
        for number in 0.. {
            let sent = peer.socket.send(Message::binary(message(number))).await;
            if sent.is_err() || peer.socket.send(Message::Ping(Bytes::new())).await.is_err() {
                return;
            }
        }
    })
    .await;
}

/// Pings until the node closes the connection; the code and the reason.
async fn closed_in_spite_of_pings(peer: RawPeer) -> (CloseCode, String) {
    let (mut sink, mut stream) = peer.socket.split();
    let pinging = tokio::spawn(async move {
        while sink.send(Message::Ping(Bytes::new())).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let frame = within(async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(frame))) => return frame.unwrap(),
                Some(Ok(_)) => {}
                other => panic!("it was not told: {other:?}"),
            }
        }
    })
    .await;
    pinging.abort();
    (frame.code, frame.reason.to_string())
}

async fn echo(peer: &ActrRef, server: &ActrRef) {
    let answer = within(peer.context().call(&server.actor_id(), Ask::default())).await;
    assert_eq!(answer.unwrap(), Answer::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_and_routes_of_calls_that_nobody_reads_are_counted() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let bystander = Bystander::start(&world, &server, &mut contexts).await;
    let outsider = Outsider::new(&world, "Own").await;
    for route in [Nowhere::ROUTE, Ask::ROUTE] {
        let mut peer = outsider.dial_extended_with_little_room(&server).await;
        let long = "i".repeat(3 << 20);
        send_until_closed(&mut peer, |number| {
            request(format!("{number}{long}"), route, Ask::default().encode_to_vec())
        })
        .await;
    }
    bystander.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_routes_that_are_refused_are_not_sent_back() {
    const CALLS: usize = 20;
    let world = World::new().await;
    let server = world.node("Server").echo().start().await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended_with_little_room(&server).await;
    // Almost as long as a record may be.
    let long = "r".repeat((4 << 20) - (64 << 10));
    for number in 0..CALLS {
        let (_, mut envelope) = peer.request(&format!("{long}{number}"), Vec::new());
        if let Envelope::Request { metadata, .. } = &mut envelope
            && number % 2 == 0
        {
            *metadata = vec![(String::new(), String::new()); 300];
        }
        peer.send_record(RecordKind::RpcReliable, &envelope.encode()).await;
    }
    for number in 0..CALLS {
        let (_, body) = peer.next_record().await;
        let len = body.len();
        let Envelope::Response {
            request_id,
            route_key,
            result: Err(_),
        } = Envelope::decode(body).unwrap()
        else {
            panic!("it was served");
        };
        assert_eq!(request_id, format!("raw-{}", number + 1));
        assert!(len < 4 << 10, "{len}");
        assert!(route_key.as_str().starts_with(&long[..MAX_SHOWN_CHARS]));
    }
    peer.round_trip().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_reads_has_a_deadline() {
    let world = World::new().await;
    let plan = world.node("Server").echo().set(STALL);
    let server = plan.start().await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended_with_little_room(&server).await;
    // Less than its share: only time ends it.
    for number in 0..4 {
        let message = request(format!("r{number}"), Ask::ROUTE, long_ask());
        within(peer.socket.send(Message::binary(message))).await.unwrap();
    }
    until(|| async { (server.misbehaviour().unread_answers > 0).then_some(()) }).await;
    within(async { while peer.socket.send(Message::Ping(Bytes::new())).await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_message_that_is_only_begun_has_a_deadline() {
    let world = World::new().await;
    let (server, _contexts) = start_plan(world.node("Server").set(STALL)).await;
    let outsider = Outsider::new(&world, "Own").await;
    // A fragment: pings may stand between it and the next one.
    let mut peer = outsider.dial_extended(&server).await;
    let fragment = websocket_frame(0x02, &record(RecordKind::RpcReliable, &[0; 100])[..50]);
    peer.socket.get_mut().write_all(&fragment).await.unwrap();
    let (code, reason) = closed_in_spite_of_pings(peer).await;
    assert_eq!(code, CloseCode::Policy);
    assert!(reason.contains("system.limits.stall_timeout"), "{reason}");
}

#[tokio::test]
async fn a_record_of_which_a_part_is_missing_has_a_deadline() {
    let world = World::new().await;
    let (server, _contexts) = start_plan(world.node("Server").set(STALL)).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let long = record(RecordKind::RpcReliable, &[0; 1000]);
    peer.send_record(RecordKind::Part, &long[..500]).await;
    let (code, reason) = closed_in_spite_of_pings(peer).await;
    assert_eq!(code, CloseCode::Policy);
    assert!(reason.contains("system.limits.stall_timeout"), "{reason}");
}

#[tokio::test]
async fn messages_half_received_are_counted() {
    const MIB: usize = 1 << 20;
    let world = World::new().await;
    let plan = world.node("Server").set("system.limits.max_bytes_per_peer=4194304");
    let (server, mut contexts) = start_plan(plan).await;
    let bystander = Bystander::start(&world, &server, &mut contexts).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peers = Vec::new();
    let mut refused = None;
    for number in 0..8 {
        let mut peer = outsider.dial_extended(&server).await;
        let begun = if number % 2 == 0 {
            // Announced, and half of it sent.
            [websocket_header(4 * MIB as u64), vec![0; 2 * MIB]].concat()
        } else {
            let half = &record(RecordKind::RpcReliable, &vec![0; 4 * MIB])[..2 * MIB];
            websocket_frame(0x82, &record(RecordKind::Part, half))
        };
        let _ = within(peer.socket.get_mut().write_all(&begun)).await;
        peers.push(peer);
        // What was sent is counted by the time that another connection, or its call, is refused for it.
        let address = outsider.address_of(&server.actor_id()).await.unwrap();
        let Ok(mut probe) = dial(address, &outsider.headers()).await else {
            refused = Some(number);
            break;
        };
        probe.ask(Ask::ROUTE, Ask::default().encode_to_vec()).await;
        let (_, body) = probe.record().await;
        if let Envelope::Response { result: Err(error), .. } = Envelope::decode(body).unwrap() {
            assert!(
                error.message.as_str().contains("system.limits.max_bytes_per_peer"),
                "{error}"
            );
            refused = Some(number);
            break;
        }
    }
    let mut told = Vec::new();
    for peer in peers {
        let closed = tokio::time::timeout(Duration::from_millis(500), peer.closed()).await;
        told.extend(closed.ok().flatten().map(|frame| frame.reason.to_string()));
    }
    assert!(
        refused.is_some()
            || told
                .iter()
                .any(|reason| reason.contains("system.limits.max_bytes_per_peer")),
        "{told:?}"
    );
    bystander.finish().await;
}

#[tokio::test]
async fn metadata_of_empty_entries_costs_what_it_takes_in_memory() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let (request_id, mut envelope) = peer.request(Ask::ROUTE, Ask::default().encode_to_vec());
    if let Envelope::Request { metadata, .. } = &mut envelope {
        *metadata = vec![(String::new(), String::new()); 300];
    }
    peer.send_record(RecordKind::RpcReliable, &envelope.encode()).await;
    let (_, body) = peer.record().await;
    let Envelope::Response {
        request_id: id,
        result: Err(ErrorReply { code, message }),
        ..
    } = Envelope::decode(body).unwrap()
    else {
        panic!("it was served");
    };
    assert_eq!((id.as_str(), code), (&request_id[..], ErrorCode::InvalidArgument));
    assert!(
        message.as_str().contains("system.limits.max_metadata_bytes"),
        "{message}"
    );
    peer.round_trip().await;
}

#[tokio::test]
async fn frames_that_wait_for_a_receiver_are_counted() {
    const FRAME: usize = 1 << 20;
    let mut pair = Pair::new().await;
    let outsider = Outsider::new(&pair.world, "Own").await;
    let mut peer = outsider.dial_extended(&pair.server).await;
    let request_id = peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    peer.answer(&request_id).await;
    let ctx = pair.next_context().await;
    // It reads what comes, and grants nothing.
    tokio::spawn(async move { while let Some(Ok(_)) = peer.socket.next().await {} });
    let mut refused = 0;
    let mut waiting = Vec::new();
    for number in 0..40 {
        let mut sender = ctx
            .open_stream(&caller(&ctx), stream_id(&format!("s{number}")))
            .await
            .unwrap();
        waiting.push(tokio::spawn(async move {
            loop {
                if let Err(error) = sender.send(vec![7; FRAME]).await {
                    return error;
                }
            }
        }));
    }
    until(|| async { (waiting.iter().filter(|one| one.is_finished()).count() >= 20).then_some(()) }).await;
    for one in waiting {
        if !one.is_finished() {
            one.abort();
            continue;
        }
        let error = one.await.unwrap();
        assert!(matches!(error, SendError::OverShare(_)), "{error:?}");
        assert!(error.to_string().contains("system.limits.max_bytes"), "{error}");
        refused += 1;
    }
    assert!(refused >= 20);
    pair.round_trip().await;
}

#[tokio::test]
async fn a_frame_that_waits_for_credit_has_a_deadline() {
    let world = World::new().await;
    let (server, mut contexts) = start_plan(world.node("Server").set(STALL)).await;
    let client = world.client().await;
    let mut subscription = client
        .context()
        .subscribe(stream_id("slow"), &server.actor_id())
        .unwrap();
    within(client.context().call(&server.actor_id(), Push::default()))
        .await
        .unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), stream_id("slow")).await.unwrap();
    let error = within(async {
        loop {
            if let Err(error) = sender.send([7; 10_000]).await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(error, SendError::Stalled { .. }), "{error:?}");
    while within(subscription.next()).await.is_some() {}
    let end = subscription.end().unwrap();
    let StreamEnd::Failed { code, message, .. } = &end else {
        panic!("{end:?}");
    };
    assert_eq!(*code, ErrorCode::TimedOut);
    assert!(message.as_str().contains("system.limits.stall_timeout"), "{message}");
    echo(&client, &server).await;
}

#[tokio::test]
async fn names_of_refused_streams_are_counted() {
    let world = World::new().await;
    let plan = world.node("Server").set("system.limits.max_bytes_per_peer=131072");
    let (server, _contexts) = start_plan(plan).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    // More names than the share has room for: older ones are forgotten, and refused once more when they come again.
    for round in 0..2 {
        for number in 0..600 {
            let body = frame(&format!("unknown{number:0>100}"), 1, b"x");
            peer.send_record(RecordKind::StreamReliable, &body).await;
        }
        let mut cancelled = 0;
        let request_id = peer.ask(Ask::ROUTE, Ask::default().encode_to_vec()).await;
        loop {
            let (kind, body) = peer.next_record().await;
            match kind {
                RecordKind::StreamCancel => cancelled += 1,
                _ => match Envelope::decode(body).unwrap() {
                    Envelope::Response { request_id: id, .. } if id == request_id => break,
                    other => panic!("{other:?}"),
                },
            }
        }
        assert!(cancelled > 100, "round {round}: {cancelled}");
    }
}

#[tokio::test]
async fn peers_of_another_realm_cannot_take_all_connections() {
    let world = World::new().await;
    let acl = r#"acl.rules=[{ permission = "allow", types = ["acme+Foreign", "acme+Own"], realm = "*" }]"#;
    let plan = world
        .node("Server")
        .echo()
        .set(acl)
        .set("system.limits.max_connections=16");
    let server = plan.start().await;
    let own = Outsider::new(&world, "Own").await;
    let address = own.address_of(&server.actor_id()).await.unwrap();
    let mut held = Vec::new();
    for realm in [2, 2, 3, 4, 5, 6] {
        let foreign = Outsider::in_realm(&world, "Foreign", realm).await;
        let refusal = loop {
            match dial(address, &foreign.headers()).await {
                Ok(peer) => held.push(peer),
                Err((status, text)) => break (status, text),
            }
        };
        assert!(
            refusal.0 == 429 && refusal.1.contains("system.limits.max_"),
            "{refusal:?}"
        );
    }
    assert_eq!(held.len(), 8, "half of all");
    own.dial(&server).await.round_trip().await;
}

#[tokio::test]
async fn whom_the_list_denies_uses_up_nothing() {
    let world = World::new().await;
    let acl = r#"acl.rules=[{ permission = "allow", types = ["acme+Own"] }]"#;
    let plan = world
        .node("Server")
        .echo()
        .set(acl)
        .set("system.limits.max_connections=1");
    let server = plan.start().await;
    let own = Outsider::new(&world, "Own").await;
    let address = own.address_of(&server.actor_id()).await.unwrap();
    for realm in [1, 2, 3, 4, 5, 6, 7] {
        let denied = Outsider::in_realm(&world, "Denied", realm).await;
        for _ in 0..3 {
            assert_eq!(dial(address, &denied.headers()).await.err().unwrap().0, 403);
        }
    }
    own.dial(&server).await.round_trip().await;
}

#[tokio::test]
async fn a_call_that_may_not_be_made_takes_no_place() {
    let world = World::new().await;
    let (plan, mut contexts) = crate::limits::waiting_server(&world);
    let server = plan.set("system.limits.max_calls_per_peer=1").start().await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    within(contexts.recv()).await.unwrap();
    // The only place is taken, and still it is not the limit that they meet.
    for route in [Nowhere::ROUTE, crate::harness::messages::Secret::ROUTE] {
        let request_id = peer.ask(route, Vec::new()).await;
        let (_, body) = peer.record().await;
        let Envelope::Response {
            request_id: id,
            result: Err(reply),
            ..
        } = Envelope::decode(body).unwrap()
        else {
            panic!("it was served");
        };
        assert_eq!(id, request_id);
        assert!(
            matches!(reply.code, ErrorCode::UnknownRoute | ErrorCode::PermissionDenied),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn a_kept_error_keeps_no_connection_open() {
    let world = World::new().await;
    let server = world.node("Server").echo().start().await;
    let client = world.client().await;
    let mut errors = Vec::new();
    for _ in 0..3 {
        let own = within(client.context().with_own_connection(&server.actor_id()))
            .await
            .unwrap();
        errors.push(
            within(own.call(&server.actor_id(), Nowhere::default()))
                .await
                .unwrap_err(),
        );
        drop(own);
    }
    // With one place left for the client, its connections have to be gone.
    let tight = world
        .node("Tight")
        .echo()
        .set("system.limits.max_connections_per_peer=1");
    let tight = tight.start().await;
    for _ in 0..3 {
        let own = until(|| async { client.context().with_own_connection(&tight.actor_id()).await.ok() }).await;
        errors.push(
            within(own.call(&tight.actor_id(), Nowhere::default()))
                .await
                .unwrap_err(),
        );
    }
    assert_eq!(errors.len(), 6);
}
