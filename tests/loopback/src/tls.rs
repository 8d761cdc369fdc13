//! The data lane over TLS keeps what it promises without, shows nobody what passes, and lets nobody in without.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actr_lite::{ActrError, ActrRef, CloseReason, Dest, StreamEnd, Subscription};
use actr_lite_wire::{credit::INITIAL_WINDOW, record::DEFAULT_MAX_RECORD_LEN};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    bystander::Bystander,
    harness::{
        address::free_address,
        deadline::within,
        messages::{Ask, Push},
        pair::Pair,
        server::start_plan,
        stream::{caller, stream_id},
        world::World,
    },
    logs::{self, Told},
    raw_peer::{connection::raw, outsider::Outsider},
};

const PAYLOAD: [u8; 1000] = [7; 1000];

/// Takes what is left of a stream that is to be whole; how many frames that were.
async fn take_all(mut subscription: Subscription) -> u64 {
    let mut taken = 0;
    while let Some(frame) = within(subscription.next()).await {
        taken += 1;
        assert_eq!(frame.sequence, taken);
    }
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: taken }));
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receivers_sender_waits_alone() {
    let mut pair = Pair::with_tls().await;
    let (stalled, flowing) = (stream_id("stalled"), stream_id("flowing"));
    let untouched = pair.subscribe(&stalled);
    let mut sender = pair.open(&stalled).await;
    let sent = pair.fill(&mut sender, &PAYLOAD).await;
    assert!(sent * PAYLOAD.len() as u64 <= INITIAL_WINDOW + PAYLOAD.len() as u64);

    let frames = 10 * INITIAL_WINDOW / PAYLOAD.len() as u64;
    let subscription = pair.subscribe(&flowing);
    let mut other = pair.open(&flowing).await;
    let sending = tokio::spawn(async move {
        for _ in 0..frames {
            other.send(PAYLOAD).await.unwrap();
        }
        other.finish().await.unwrap();
    });
    assert_eq!(take_all(subscription).await, frames);
    within(sending).await.unwrap();
    pair.round_trip().await;

    let more = 2 * sent;
    let sending = tokio::spawn(async move {
        for _ in 0..more {
            sender.send(PAYLOAD).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    assert_eq!(take_all(untouched).await, sent + more);
    within(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_records_pass_in_both_directions() {
    // What an envelope or a frame needs beside what it carries.
    const REST: usize = 1 << 10;
    let mut pair = Pair::with_tls().await;
    let data = Bytes::from_iter((0..DEFAULT_MAX_RECORD_LEN - REST).map(|number| (number % 251) as u8));
    let ask = Ask {
        data: data.clone(),
        ..Ask::default()
    };
    let answer = within(pair.client.context().call(&pair.dest(), ask)).await.unwrap();
    assert!(answer.data == data, "it came back changed");

    let id = stream_id("large");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let sent = data.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..10 {
            sender.send(sent.clone()).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    for _ in 0..10 {
        let frame = within(subscription.next()).await.unwrap();
        assert!(frame.payload == data, "it came changed");
    }
    assert_eq!(
        take_all_of_nothing(subscription).await,
        StreamEnd::Finished { frames: 10 }
    );
    within(sending).await.unwrap();
}

async fn take_all_of_nothing(mut subscription: Subscription) -> StreamEnd {
    assert_eq!(within(subscription.next()).await, None);
    subscription.end().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_frames_pass_in_both_directions_at_once() {
    const FRAMES: u64 = 50_000;
    let mut pair = Pair::with_tls().await;
    let (down, up) = (stream_id("down"), stream_id("up"));
    let downwards = pair.subscribe(&down);
    let ctx = pair.asked().await;
    let upwards = pair
        .server
        .context()
        .subscribe(up.clone(), &pair.client.actor_id())
        .unwrap();
    let to_client = ctx.open_stream(&caller(&ctx), down).await.unwrap();
    let to_server = pair.client.context().open_stream(&pair.dest(), up).await.unwrap();
    let sending = [to_client, to_server].map(|mut sender| {
        tokio::spawn(async move {
            for number in 0..FRAMES {
                sender.send(number.to_be_bytes()).await.unwrap();
            }
            sender.finish().await.unwrap();
        })
    });
    let received = [downwards, upwards].map(|subscription| tokio::spawn(take_all(subscription)));
    for task in received {
        assert_eq!(within(task).await.unwrap(), FRAMES);
    }
    for task in sending {
        within(task).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_closes_says_why_over_tls_too() {
    let mut pair = Pair::with_tls().await;
    let id = stream_id("closed");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("the only one").await.unwrap();
    within(pair.server.shutdown()).await;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "the only one");
    assert_eq!(within(subscription.next()).await, None);
    match subscription.end() {
        Some(StreamEnd::PeerGone {
            reason: CloseReason::Closed { code, .. },
            ..
        }) => assert_eq!(code, 1001),
        other => panic!("{other:?}"),
    }
}

/// A relay in front of a data lane, which records what passes, and cuts the connection after this many bytes of the
/// server.
struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    passed: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    async fn start(cut_after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            target: Arc::default(),
            passed: Arc::default(),
        };
        let (target, passed) = (Arc::clone(&relay.target), Arc::clone(&relay.passed));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = target.lock().unwrap().unwrap();
                let passed = Arc::clone(&passed);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    let (mut from_client, mut from_server) = ([0; 4096], [0; 4096]);
                    let mut downstream = 0;
                    while downstream < cut_after {
                        tokio::select! {
                            read = client.read(&mut from_client) => {
                                let read = read.unwrap_or(0);
                                passed.lock().unwrap().extend(&from_client[..read]);
                                if read == 0 || server.write_all(&from_client[..read]).await.is_err() {
                                    return;
                                }
                            }
                            read = server.read(&mut from_server) => {
                                let read = read.unwrap_or(0);
                                passed.lock().unwrap().extend(&from_server[..read]);
                                if read == 0 || client.write_all(&from_server[..read]).await.is_err() {
                                    return;
                                }
                                downstream += read;
                            }
                        }
                    }
                });
            }
        });
        relay
    }

    fn shows(&self, text: &[u8]) -> bool {
        self.passed.lock().unwrap().windows(text.len()).any(|part| part == text)
    }
}

/// Where a node's data lane listens.
async fn lane_of(world: &World, node: &ActrRef) -> SocketAddr {
    let outsider = Outsider::new(world, "Looker").await;
    outsider.address_of(&node.actor_id()).await.unwrap()
}

/// A stream of 10,000 frames over a relay: how many frames came, how it ended, and the relay.
async fn stream_over_relay(is_tls: bool, cut_after: usize) -> (u64, StreamEnd, Relay) {
    let world = World::new().await;
    world.certify();
    let relay = Relay::start(cut_after).await;
    // The listener has to be known before the node starts.
    let listen = free_address();
    *relay.target.lock().unwrap() = Some(listen);
    let scheme = if is_tls { "wss" } else { "ws" };
    let plan = world
        .node("Server")
        .set(&format!("system.websocket.listen={listen}"))
        .set(&format!("system.websocket.advertised={scheme}://{}", relay.address));
    let plan = if is_tls { plan.with_tls() } else { plan };
    let (server, mut contexts) = start_plan(plan).await;
    let client = world.node("Client").hidden().set("system.tls.ca=ca.pem").start().await;
    let id = stream_id("relayed");
    let mut subscription = client.context().subscribe(id.clone(), &server.actor_id()).unwrap();
    let dest = Dest::actor(server.actor_id());
    within(client.context().call(&dest, Push::default())).await.unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    let sending = tokio::spawn(async move {
        for _ in 0..10_000 {
            if sender.send("nobody is to read this").await.is_err() {
                return;
            }
        }
        let _ = sender.finish().await;
    });
    let mut taken = 0;
    while let Some(frame) = within(subscription.next()).await {
        taken += 1;
        assert_eq!(frame.sequence, taken);
    }
    within(sending).await.unwrap();
    (taken, subscription.end().unwrap(), relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_between_two_nodes_can_read_what_passes() {
    for is_tls in [true, false] {
        let (taken, end, relay) = stream_over_relay(is_tls, usize::MAX).await;
        assert_eq!((taken, end), (10_000, StreamEnd::Finished { frames: 10_000 }));
        // Without TLS the texts are found: so the search can find them.
        for text in ["nobody is to read this", "relayed", "x-actr-credential"] {
            assert_eq!(relay.shows(text.as_bytes()), !is_tls, "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_ends_its_stream_after_a_whole_frame() {
    for cut_after in [8_000, 50_000, 100_001] {
        let (taken, end, _) = stream_over_relay(true, cut_after).await;
        assert!(taken < 10_000, "{taken} frames after {cut_after} bytes");
        assert!(matches!(end, StreamEnd::PeerGone { .. }), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_at_a_tls_port_is_counted_and_closed() {
    logs::capture();
    let world = World::new().await;
    world.certify();
    let plan = world.node("Server").with_tls().set("system.limits.header_timeout=1s");
    let (server, mut contexts) = start_plan(plan).await;
    let address = lane_of(&world, &server).await;
    let bystander = Bystander::start_with(world.node("Bystander").with_tls(), &server, &mut contexts).await;
    let mut told = Told::nothing(&server);
    for (what, bytes, hangs_up) in [
        (
            "HTTP without TLS",
            &b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..],
            false,
        ),
        ("garbage", &[0xff; 10_000], false),
        ("garbage in a record", b"\x16\x03\x01\x00\x04\xff\xff\xff\xff", false),
        ("half a hello", b"\x16\x03\x01\x02\x00\x01\x00", true),
        ("half a hello, and then nothing", b"\x16\x03\x01\x02\x00\x01\x00", false),
    ] {
        let (peer, answer) = raw(address, bytes, hangs_up).await;
        told.assert_one_more(&peer.to_string(), what).await;
        if bytes[0] != 0x16 {
            assert!(answer.contains("wss://"), "{what}: {answer}");
        }
    }
    assert_eq!(server.misbehaviour().failed_handshakes, told.total());
    // A peer that says nothing has done nothing wrong.
    assert_eq!(raw(address, b"", false).await.1, "");
    assert_eq!(server.misbehaviour().total(), told.total());
    bystander.finish().await;
}

/// The result of a call.
async fn call(client: &ActrRef, server: &ActrRef) -> Result<(), ActrError> {
    let dest = Dest::actor(server.actor_id());
    within(client.context().call(&dest, Ask::default())).await.map(|_| ())
}

#[tokio::test]
async fn an_untrusted_node_is_not_called_and_the_error_says_why() {
    let world = World::new().await;
    world.certify();
    let (server, _contexts) = start_plan(world.node("Server").with_tls()).await;
    world.certify();
    let stranger = world.node("Stranger").hidden().with_tls().start().await;
    let error = call(&stranger, &server).await.unwrap_err().to_string();
    assert!(error.contains("signed by a CA that is not trusted here"), "{error}");

    let lane = lane_of(&world, &server).await;
    let advertise = |name: &str, url: String| {
        let node = world
            .node(name)
            .set(&format!("system.websocket.listen={}", free_address()));
        node.set(&format!("system.websocket.advertised={url}"))
    };
    let (front, _contexts) = start_plan(advertise("Front", format!("ws://{lane}"))).await;
    let error = call(&stranger, &front).await.unwrap_err().to_string();
    assert!(
        error.contains("this port speaks TLS only: write wss:// instead of ws://"),
        "{error}"
    );

    let (plain, _contexts) = start_plan(world.node("Plain")).await;
    let lane = lane_of(&world, &plain).await;
    let (front, _contexts) = start_plan(advertise("Other", format!("wss://{lane}"))).await;
    let error = call(&stranger, &front).await.unwrap_err().to_string();
    assert!(
        error.contains("it does not speak TLS: write ws:// instead of wss://"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_leaves_what_is_open_and_counts_for_what_comes() {
    let mut pair = Pair::with_tls().await;
    let id = stream_id("across");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("before").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "before");

    let key = pair.world.folder.path().join("key.pem");
    let old_key = std::fs::read(&key).unwrap();
    pair.world.certify();
    let new_key = std::fs::read(&key).unwrap();
    std::fs::write(&key, old_key).unwrap();
    let error = pair.server.reload_tls().unwrap_err().to_string();
    assert!(error.contains("not the private key"), "{error}");
    std::fs::write(&key, new_key).unwrap();
    let files = pair.server.reload_tls().unwrap();
    assert_eq!(files.len(), 3);

    let newcomer = pair.world.node("Newcomer").hidden().with_tls().start().await;
    call(&newcomer, &pair.server).await.unwrap();
    // It trusts the old CA until it is told to look again, and its open connection goes on.
    call(&pair.client, &pair.server).await.unwrap();
    let server = pair.server.actor_id();
    let error = within(pair.client.context().with_own_connection(&server))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("signed by a CA that is not trusted here"), "{error}");
    pair.client.reload_tls().unwrap();
    within(pair.client.context().with_own_connection(&server))
        .await
        .unwrap();

    sender.send("after").await.unwrap();
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "after");
    assert_eq!(
        take_all_of_nothing(subscription).await,
        StreamEnd::Finished { frames: 2 }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_pauses_is_there_afterwards() {
    let pair = Pair::with_tls().await;
    pair.round_trip().await;
    // Long enough for a ping: both sides have given their buffers back by then.
    tokio::time::sleep(actr_lite_wire::keepalive::PING_AFTER + Duration::from_millis(500)).await;
    pair.round_trip().await;
}
