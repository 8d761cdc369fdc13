//! Who gets through the handshake, and with which certificates.

use actr_lite::StreamEnd;

use crate::{
    bystander::Bystander,
    harness::{
        address::free_address, deadline::within, pair::Pair, server::start_plan, stream::stream_id, world::World,
    },
    logs::{self, Told},
    raw_peer::connection::raw,
    tls::{call, lane_of, take_all_of_nothing},
};

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
