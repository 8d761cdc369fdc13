//! The data lane as other peers see it: official nodes, which know no extension, and clients that have no business
//! there.

use actr_lite::{CloseReason, Dest, Rpc as _, SendError, StreamEnd};
use actr_lite_registry::Options;
use actr_lite_wire::{
    credential::Credential,
    credit::INITIAL_WINDOW,
    envelope::Envelope,
    frame as wire_frame,
    proto::AIdCredential,
    record::{self as wire_record, RecordKind},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    harness::{
        deadline::{until, within},
        messages::{Answer, Push},
        server::start_server,
        stream::{caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{CREDENTIAL, Outsider, RawPeer, SOURCE, dial, frame, headers, record},
};

#[tokio::test]
async fn a_peer_without_the_extension_gets_one_record_per_message() {
    const FRAMES: u64 = 500;
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let request = peer.ask(Push::ROUTE, Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    assert_eq!(ctx.caller_id(), Some(outsider.id()));
    let (finished, dropped) = (stream_id("finished"), stream_id("dropped"));
    let mut sender = ctx.open_stream(&caller(&ctx), finished.clone()).await.unwrap();
    let mut other = ctx.open_stream(&caller(&ctx), dropped.clone()).await.unwrap();
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            sender.send(vec![1; number as usize]).await.unwrap();
        }
        sender.finish().await.unwrap();
        other.send("x").await.unwrap();
    });
    for number in 1..=FRAMES {
        let (kind, body) = peer.record().await;
        assert_eq!(kind, RecordKind::StreamReliable);
        let parts = wire_frame::decode(&body).unwrap();
        assert_eq!(&body[parts.stream_id], finished.as_str().as_bytes());
        assert_eq!((parts.sequence, parts.payload.len() as u64), (number, number));
    }
    let (_, body) = peer.record().await;
    assert_eq!(wire_frame::stream_id_of(&body).unwrap(), dropped.as_str().as_bytes());
    sending.await.unwrap();
    // Neither end was told: the next that comes is the answer. Nor is it told that nobody wants its own frames.
    peer.send_record(RecordKind::StreamReliable, &frame("unknown", 1, b"x"))
        .await;
    peer.round_trip().await;
    assert_eq!(server.unknown_frames(), 1);
}

#[tokio::test]
async fn calls_and_frames_of_every_kind_of_record_are_taken() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let mut subscription = subscribe_from(server.context(), outsider.id(), "both");
    peer.send_record(RecordKind::StreamReliable, &frame("both", 1, b"reliable"))
        .await;
    peer.send_record(RecordKind::StreamLatencyFirst, &frame("both", 2, b"early"))
        .await;
    for payload in ["reliable", "early"] {
        assert_eq!(within(subscription.next()).await.unwrap().payload, payload);
    }
    let (request_id, request) = peer.request(Push::ROUTE, Vec::new());
    peer.send_record(RecordKind::RpcSignal, &request.encode()).await;
    peer.answer(&request_id).await;
    contexts.recv().await.unwrap();
    let tell = Envelope::Tell {
        request_id: "tell".into(),
        route_key: Push::ROUTE.into(),
        payload: Bytes::new(),
        metadata: vec![("k".into(), "v".into())],
    };
    peer.send_record(RecordKind::RpcReliable, &tell.encode()).await;
    assert_eq!(within(contexts.recv()).await.unwrap().metadata("k"), Some("v"));
    peer.send(Message::Ping("are you there".into())).await;
    let pong = within(peer.socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    within(peer.socket.close(None)).await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    let end = subscription.end();
    assert!(
        matches!(
            end,
            Some(StreamEnd::PeerGone {
                reason: CloseReason::Closed { .. },
                ..
            })
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_request_that_is_repeated_while_it_is_served_is_served_once() {
    let world = World::new().await;
    let (served, mut serving) = tokio::sync::mpsc::unbounded_channel();
    let server = world
        .node("Server")
        .echo()
        .on(move |_: Push, _| {
            let (go, gate) = tokio::sync::oneshot::channel::<()>();
            served.send(go).unwrap();
            async {
                gate.await.unwrap();
                Ok(crate::harness::messages::Answer::default())
            }
        })
        .start()
        .await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let (request_id, _) = ask_twice(&mut peer).await;
    peer.round_trip().await;
    within(serving.recv()).await.unwrap().send(()).unwrap();
    peer.answer(&request_id).await;
    peer.round_trip().await;
    assert!(serving.try_recv().is_err(), "the handler ran twice");
}

/// Polls `work` until it has made no progress for a while: on a busy machine that may be early, which weakens the
/// test and does not fail it.
async fn settle(progress: impl Fn() -> u64) -> u64 {
    within(async {
        let mut before = progress();
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = progress();
            if now == before && now > 0 {
                return now;
            }
            before = now;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extension_a_sender_waits_for_its_reader() {
    const LEN: usize = 256 << 10;
    const FRAMES: u64 = 400;
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let request = peer.ask(Push::ROUTE, Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), stream_id("unread")).await.unwrap();
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        let payload = vec![1; LEN];
        for _ in 0..FRAMES {
            sender.send(&payload).await.unwrap();
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        sender.finish().await.unwrap();
    });
    let stopped = settle(|| sent.load(std::sync::atomic::Ordering::SeqCst)).await;
    // 100 MiB fit into no socket's buffers.
    assert!(stopped < FRAMES, "all was sent to nobody");
    assert!(!sending.is_finished());
    for number in 1..=FRAMES {
        let (_, body) = peer.record().await;
        assert_eq!(wire_frame::decode(&body).unwrap().sequence, number);
    }
    within(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_read_still_gets_signs_of_life() {
    const LEN: usize = 64 << 10;
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let _subscription = subscribe_from(server.context(), outsider.id(), "untaken");
    // A little more than what waits without credit; the rest fits into the system's buffers.
    for number in 1..=20 {
        let body = frame("untaken", number, &[7; LEN]);
        peer.send_record(RecordKind::StreamReliable, &body).await;
    }
    let answer = within(peer.socket.next()).await.unwrap().unwrap();
    assert!(matches!(answer, Message::Pong(_)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extension_reading_follows_the_callback() {
    const LEN: usize = 64 << 10;
    const FRAMES: u64 = 1600;
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let mut subscription = subscribe_from(server.context(), outsider.id(), "untaken");
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            let body = frame("untaken", number, &[1; LEN]);
            peer.send_record(RecordKind::StreamReliable, &body).await;
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        peer.round_trip().await;
        peer
    });
    let stopped = settle(|| sent.load(std::sync::atomic::Ordering::SeqCst)).await;
    assert!(stopped < FRAMES, "all was read though nobody took it");
    for number in 1..=FRAMES {
        assert_eq!(within(subscription.next()).await.unwrap().sequence, number);
    }
    within(sending).await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
}

#[tokio::test]
async fn a_batch_of_records_of_an_extended_peer_is_taken_in_order() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let (mut left, mut right) = (
        subscribe_from(server.context(), outsider.id(), "left"),
        subscribe_from(server.context(), outsider.id(), "right"),
    );
    let mut batch = Vec::new();
    for number in 1..=30 {
        batch.extend(record(RecordKind::StreamReliable, &frame("left", number, b"l")));
        if number % 3 == 0 {
            batch.extend(record(RecordKind::StreamReliable, &frame("right", number / 3, b"r")));
        }
        if number == 15 {
            let (_, request) = peer.request(Push::ROUTE, Vec::new());
            batch.extend(record(RecordKind::RpcReliable, &request.encode()));
        }
    }
    peer.send(Message::binary(batch)).await;
    for number in 1..=30 {
        assert_eq!(within(left.next()).await.unwrap().sequence, number);
    }
    for number in 1..=10 {
        assert_eq!(within(right.next()).await.unwrap().sequence, number);
    }
    within(contexts.recv()).await.unwrap();
}

#[tokio::test]
async fn ignoring_credit_costs_the_stream_only() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let mut subscription = subscribe_from(server.context(), outsider.id(), "greedy");
    let len = INITIAL_WINDOW as usize / 4;
    for number in 1..=10 {
        let body = frame("greedy", number, &vec![1; len]);
        peer.send_record(RecordKind::StreamReliable, &body).await;
    }
    let end = until(|| async { subscription.end() }).await;
    assert!(matches!(end, StreamEnd::Protocol(_)), "{end:?}");
    let (kind, _) = peer.record().await;
    assert_eq!(kind, RecordKind::StreamCancel);
    let mut taken = 0;
    while within(subscription.next()).await.is_some() {
        taken += 1;
    }
    assert_eq!(taken, 4, "what had credit is handed over");
    peer.round_trip().await;
}

#[tokio::test]
async fn a_peer_without_a_valid_credential_gets_a_401() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let (outsider, other) = (
        Outsider::new(&world, "Official").await,
        Outsider::new(&world, "Other").await,
    );
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let good = outsider.headers();
    let (source, credential) = (good[0].clone(), good[1].clone());
    let message = AIdCredential::from(outsider.identity.credential.clone());
    let mut forged = message.clone();
    forged.signature = message.signature.iter().map(|byte| !byte).collect();
    let mut altered = message.clone();
    altered.claims = message.claims.iter().chain([&0x20, &0x01]).copied().collect();
    let mut unknown_key = message.clone();
    unknown_key.key_id = message.key_id.wrapping_add(1);
    let cases = [
        (vec![], SOURCE),
        (vec![credential.clone()], SOURCE),
        (vec![source.clone()], CREDENTIAL),
        (vec![(SOURCE, "not hex".into()), credential.clone()], "source id"),
        (vec![source.clone(), (CREDENTIAL, "***".into())], "credential"),
        (vec![(SOURCE, "00".repeat(5000)), credential], "source id"),
        (headers(outsider.id(), &Credential::from(forged)), "signature"),
        (headers(outsider.id(), &Credential::from(altered)), "signature"),
        (headers(outsider.id(), &Credential::from(unknown_key)), "signing key"),
        (headers(outsider.id(), &other.identity.credential), "acme:Other:1.0.0"),
    ];
    for (headers, expected) in cases {
        let refused = dial(address, &headers).await.err();
        let (status, reason) = refused.unwrap_or_else(|| panic!("{headers:?} were let in"));
        assert_eq!(status, 401, "{reason}");
        assert!(reason.contains(expected), "{reason:?} does not name {expected:?}");
    }
    let mut peer = dial(address, &good).await.unwrap();
    peer.round_trip().await;
}

#[tokio::test]
async fn an_expired_credential_gets_a_401_with_the_reason() {
    let world = World::with(Options {
        credential_lifetime: Duration::from_secs(1),
        ..Options::default()
    })
    .await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let identity = outsider.identity.clone();
    drop(outsider);
    // The expiry is by the registry's clock, which the server knows to the second.
    let headers = headers(&identity.actor_id, &identity.credential);
    let (status, reason) = until(|| async { dial(address, &headers).await.err() }).await;
    assert_eq!(status, 401);
    assert!(reason.contains("expired"), "{reason}");
}

#[tokio::test]
async fn what_is_not_an_upgrade_is_answered_or_closed() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 426 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400 "),
        (
            b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (&[b'x'; 40_000], "HTTP/1.1 4"),
    ];
    for (bytes, expected) in cases {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // What is refused before it was all read may end in a reset.
        let _ = within(socket.write_all(bytes)).await;
        let mut answer = Vec::new();
        let _ = within(socket.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.starts_with(expected) || (bytes.len() > 20_000 && answer.is_empty()),
            "{answer:?}"
        );
    }
    // One that never says what it wants is ended, and meanwhile others are served.
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HT").await.unwrap();
    let mut peer = outsider.dial(&server).await;
    peer.round_trip().await;
    let mut answer = Vec::new();
    let _ = within(slow.read_to_end(&mut answer)).await;
    peer.round_trip().await;
}

#[tokio::test]
async fn a_sender_learns_that_its_receiver_died_also_while_it_waits() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let request = peer.ask(Push::ROUTE, Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    let mut waiting = ctx.open_stream(&caller(&ctx), stream_id("waiting")).await.unwrap();
    let mut idle = ctx.open_stream(&caller(&ctx), stream_id("idle")).await.unwrap();
    // Nobody grants anything: in the end it waits for credit.
    let payload = vec![1; INITIAL_WINDOW as usize];
    within(waiting.send(&payload)).await.unwrap();
    let mut send = Box::pin(waiting.send(&payload));
    assert!((&mut send).now_or_never().is_none());
    drop(peer);
    let errors = [
        within(send).await.unwrap_err(),
        within(idle.closed()).await,
        idle.send("x").await.unwrap_err(),
        idle.finish().await.unwrap_err(),
    ];
    for error in errors {
        match error {
            SendError::PeerGone {
                peer,
                reason: CloseReason::Lost(_),
                ..
            } => assert_eq!(&peer, outsider.id()),
            error => panic!("{error:?}"),
        }
    }
    // A stream to a caller belongs to its connection: another one of the same caller does not bring it back.
    let _again = outsider.dial_extended(&server).await;
    let late = actr_lite::DataStream::new(stream_id("late"), 1, "x");
    let error = ctx.send_stream(&caller(&ctx), &late).await.unwrap_err();
    assert!(
        matches!(error, actr_lite::ActrError::Send(SendError::PeerGone { .. })),
        "{error:?}"
    );
    let error = ctx.open_stream(&caller(&ctx), late.stream_id).await.err().unwrap();
    assert!(
        matches!(error, actr_lite::ActrError::Send(SendError::PeerGone { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_receiver_learns_that_its_sender_died() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let (mut started, mut silent) = (
        subscribe_from(server.context(), outsider.id(), "started"),
        subscribe_from(server.context(), outsider.id(), "silent"),
    );
    peer.send_record(RecordKind::StreamReliable, &frame("started", 1, b"x"))
        .await;
    within(started.next()).await.unwrap();
    drop(peer);
    assert_eq!(within(started.next()).await, None);
    assert_eq!(within(silent.next()).await, None);
    for end in [started.end(), silent.end()] {
        match end {
            Some(StreamEnd::PeerGone {
                peer,
                reason: CloseReason::Lost(_),
            }) => assert_eq!(&peer, outsider.id()),
            end => panic!("{end:?}"),
        }
    }
}

#[tokio::test]
async fn half_a_record_is_completed_by_what_follows() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    // A message in pieces is one message: the pieces are WebSocket's business.
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };
    let mut subscription = subscribe_from(server.context(), outsider.id(), "pieces");
    let bytes = record(RecordKind::StreamReliable, &frame("pieces", 1, b"whole"));
    let (first, second) = bytes.split_at(7);
    for (bytes, data, last) in [(first, Data::Binary, false), (second, Data::Continue, true)] {
        let frame = Frame::message(Bytes::copy_from_slice(bytes), OpCode::Data(data), last);
        within(peer.socket.send(Message::Frame(frame))).await.unwrap();
    }
    assert_eq!(within(subscription.next()).await.unwrap().payload, "whole");
}

#[tokio::test]
async fn a_usual_websocket_client_takes_the_upgrade_for_one() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    for (name, value) in outsider.headers() {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (_, response) = within(client_async(request, stream)).await.unwrap();
    assert_eq!(response.headers().get("connection").unwrap(), "Upgrade");
    assert_eq!(response.headers().get("sec-websocket-protocol"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_give_up_waiting_leave_nobody_asleep() {
    const STREAMS: usize = 8;
    const FRAMES: usize = 100;
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let request = peer.ask(Push::ROUTE, Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..STREAMS {
        let id = stream_id(&format!("crowd{number}"));
        let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
        sending.spawn(async move {
            let payload = vec![1; 40 << 10];
            for frame in 0..FRAMES {
                // Every other stream gives up now and then, and tries again.
                let mut sent = false;
                for yields in 0..(frame % 5) * (number % 2) {
                    tokio::select! {
                        biased;
                        result = sender.send(&payload) => {
                            result.unwrap();
                            sent = true;
                            break;
                        }
                        () = async { for _ in 0..yields { tokio::task::yield_now().await } } => {}
                    }
                }
                if !sent {
                    sender.send(&payload).await.unwrap();
                }
            }
        });
    }
    let mut sequences = std::collections::HashMap::new();
    for _ in 0..STREAMS * FRAMES {
        let (_, body) = peer.record().await;
        let parts = wire_frame::decode(&body).unwrap();
        let last = sequences.entry(body[parts.stream_id].to_vec()).or_insert(0);
        *last += 1;
        assert_eq!(parts.sequence, *last);
    }
    within(sending.join_all()).await;
}

#[tokio::test]
async fn a_first_call_that_was_dropped_is_sent_again() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outsider = Outsider::listening(&world, "Official", Some(listener.local_addr().unwrap())).await;
    let client = world.client().await;
    let dest = Dest::actor(outsider.id().clone());
    let ctx = client.context().clone();
    let call = tokio::spawn(async move { ctx.call(&dest, Push::default()).await });

    let (stream, _) = within(listener.accept()).await.unwrap();
    let mut socket = within(tokio_tungstenite::accept_async(stream)).await.unwrap();
    let mut next_request = async || {
        loop {
            if let Message::Binary(bytes) = within(socket.next()).await.unwrap().unwrap() {
                let (body, _) = wire_record::body_at(&bytes, 0).unwrap();
                match Envelope::decode(Bytes::copy_from_slice(body)).unwrap() {
                    Envelope::Request { request_id, .. } => return request_id,
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    let dropped = next_request().await;
    let again = next_request().await;
    assert_eq!(dropped, again);
    let answer = Envelope::Response {
        request_id: again,
        route_key: Push::ROUTE.into(),
        result: Ok(Bytes::new()),
    };
    let message = record(RecordKind::RpcReliable, &answer.encode());
    within(socket.send(Message::binary(message))).await.unwrap();
    within(call).await.unwrap().unwrap();
}

/// Sends the same request twice, as an official node may; its id, and itself.
async fn ask_twice(peer: &mut RawPeer) -> (String, Vec<u8>) {
    let (request_id, request) = peer.request(Push::ROUTE, Vec::new());
    let request = request.encode();
    for _ in 0..2 {
        peer.send_record(RecordKind::RpcReliable, &request).await;
    }
    (request_id, request)
}

#[tokio::test]
async fn a_request_that_arrives_twice_is_served_once() {
    let world = World::new().await;
    let served = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&served);
    let plan = world.node("Server").echo().on(move |_: Push, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(Answer::default()) }
    });
    let server = plan.start().await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let (request_id, request) = ask_twice(&mut peer).await;
    peer.answer(&request_id).await;
    // It is done, and still known.
    peer.send_record(RecordKind::RpcReliable, &request).await;
    peer.round_trip().await;
    assert_eq!(served.load(Ordering::SeqCst), 1);
}
