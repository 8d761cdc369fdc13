//! Slow is not dead: a frame that takes longer than a peer may be silent arrives, and what is short overtakes it.

use std::{net::SocketAddr, time::Duration};

use actr_lite::{ActrRef, Budget, Context, Dest, ResumeOptions, Rpc as _, StreamEnd};
use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use crate::{
    harness::{
        address::free_address,
        deadline::within,
        messages::{Ask, Push},
        node_plan::NodePlan,
        server::start_plan,
        stream::{caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{connection, outsider::Outsider},
};

/// What the link carries in a second, each way.
const RATE: usize = 60_000;

/// Takes the link 15 s, longer than the 12 s after which a silent peer is given up.
const FRAME: usize = 15 * RATE;

/// How much the link's ends hold: less than it carries in a second.
const BUFFER: u32 = 16 << 10;

/// A link to a node that will listen at `target`; where its end for everybody else is.
async fn slow_link(target: SocketAddr) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // What is accepted has the same.
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.set_recv_buffer_size(BUFFER).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(16).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(relay(listener, target));
    address
}

async fn relay(listener: TcpListener, target: SocketAddr) {
    while let Ok((near, _)) = listener.accept().await {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(BUFFER).unwrap();
        socket.set_recv_buffer_size(BUFFER).unwrap();
        let Ok(far) = socket.connect(target).await else {
            continue;
        };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::spawn(carry(near_in, far_out));
        tokio::spawn(carry(far_in, near_out));
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; RATE / 20];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(Duration::from_secs_f64(len as f64 / RATE as f64)).await;
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

/// A server behind a slow link, and where that link begins.
async fn far_server(
    world: &World,
    change: fn(NodePlan) -> NodePlan,
    scheme: &str,
) -> (ActrRef, mpsc::UnboundedReceiver<Context>, SocketAddr) {
    let target = free_address();
    let link = slow_link(target).await;
    let plan = world
        .node("Server")
        .set(&format!("system.websocket.listen={target}"))
        .set(&format!("system.websocket.advertised={scheme}://{link}"));
    let (server, contexts) = start_plan(change(plan)).await;
    (server, contexts, link)
}

/// A client gets a long frame over one connection, which stays as it is, and calls are answered meanwhile.
async fn a_long_frame_arrives(change: fn(NodePlan) -> NodePlan, scheme: &str) {
    let world = World::new().await;
    world.certify();
    let (server, mut contexts, _) = far_server(&world, change, scheme).await;
    let client = change(world.node("Client").hidden()).start().await;
    let dest = Dest::actor(server.actor_id());
    let id = stream_id("long");
    let mut subscription = subscribe_from(client.context(), &server.actor_id(), id.as_str());
    within(client.context().call(&dest, Push::default())).await.unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    let sending = tokio::spawn(async move {
        sender.send(vec![7; FRAME]).await.unwrap();
        sender.send("short").await.unwrap();
        sender.finish().await.unwrap();
    });

    let mut answers = 0;
    let frame = loop {
        tokio::select! {
            biased;
            frame = within(subscription.next()) => break frame.unwrap(),
            answer = within(client.context().call(&dest, Ask::default())) => {
                answer.unwrap();
                answers += 1;
            }
        }
    };
    assert_eq!(frame.payload, vec![7; FRAME]);
    assert!(answers > 3, "only {answers} answers overtook the frame");
    assert_eq!(within(subscription.next()).await.unwrap().payload, "short");
    assert!(within(subscription.next()).await.is_none());
    let ended = subscription.end();
    assert!(matches!(ended, Some(StreamEnd::Finished { frames: 2 })), "{ended:?}");
    within(sending).await.unwrap();
}

#[tokio::test]
async fn a_frame_longer_than_the_keepalive_arrives() {
    a_long_frame_arrives(|plan| plan, "ws").await;
}

#[tokio::test]
async fn a_frame_longer_than_the_keepalive_arrives_over_tls() {
    a_long_frame_arrives(NodePlan::with_tls, "wss").await;
}

#[tokio::test]
async fn a_peer_that_does_nothing_but_receive_is_not_given_up() {
    let world = World::new().await;
    let (server, mut contexts, _) = far_server(&world, |plan| plan, "ws").await;
    let client = world.node("Client").hidden().start().await;
    let (id, server_id) = (stream_id("long"), server.actor_id());
    let mut subscription = subscribe_from(client.context(), &server_id, id.as_str());
    within(client.context().call(&server_id, Push::default()))
        .await
        .unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    within(sender.send(vec![7; FRAME])).await.unwrap();
    within(sender.finish()).await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, vec![7; FRAME]);
    assert!(within(subscription.next()).await.is_none());
}

#[tokio::test]
async fn a_broken_stream_ends_while_others_frames_are_under_way() {
    let world = World::new().await;
    let (server, mut contexts, _) = far_server(&world, |plan| plan, "ws").await;
    let client = world.node("Client").hidden().start().await;
    let server_id = server.actor_id();
    let (long, broken) = (stream_id("long"), stream_id("broken"));
    let mut frames = subscribe_from(client.context(), &server_id, long.as_str());
    let mut nothing = subscribe_from(client.context(), &server_id, broken.as_str());
    within(client.context().call(&server_id, Push::default()))
        .await
        .unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), long).await.unwrap();
    within(sender.send(vec![7; FRAME])).await.unwrap();
    drop(ctx.open_stream(&caller(&ctx), broken).await.unwrap());
    assert!(within(nothing.next()).await.is_none());
    assert!(matches!(nothing.end(), Some(StreamEnd::Failed { frames: 0, .. })));
    assert!(frames.next().now_or_never().is_none(), "the frame came first");
}

#[tokio::test]
async fn an_official_peer_gets_a_frame_longer_than_the_keepalive() {
    let world = World::new().await;
    let (_server, mut contexts, link) = far_server(&world, |plan| plan, "ws").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = connection::dial(link, &outsider.headers()).await.unwrap();
    let request = peer.ask(Push::ROUTE, Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), stream_id("long")).await.unwrap();
    let sending = tokio::spawn(async move {
        sender.send(vec![7; FRAME]).await.unwrap();
        sender.send("short").await.unwrap();
        sender
    });
    let (_, long) = peer.record().await;
    assert!(long.len() > FRAME && long.ends_with(&[7; 1000]));
    let (_, short) = peer.record().await;
    assert!(short.ends_with(b"short"));
    drop(within(sending).await.unwrap());
}

#[tokio::test]
async fn an_error_says_how_much_came_of_a_frame_that_took_too_long() {
    let world = World::new().await;
    let (server, mut contexts, _) = far_server(&world, |plan| plan, "ws").await;
    let client = world.client().await;
    let options = ResumeOptions::new(Budget::new(Duration::from_secs(5)));
    let (id, server_id) = (stream_id("long"), server.actor_id());
    let stream = client.context().register_stream(id.clone(), &server_id, |_| {});
    let stream = stream.unwrap().expect_frames(1);
    within(client.context().call(&server_id, Push::default()))
        .await
        .unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(caller(&ctx), id).await.unwrap();
    let sending = tokio::spawn(async move { sender.send(vec![7; FRAME]).await });
    let stream = stream.resume_with(server_id.actr_type(), Push::default(), options);
    let error = within(stream.ended()).await.unwrap_err().to_string();
    assert!(error.contains(" bytes of one: allow more time"), "{error}");
    sending.abort();
}
