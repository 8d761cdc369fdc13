//! A stream is fed by the one whom its receiver has named, and whom the list allows.

use actr_lite::{ActrError, Dest, ErrorCode, StreamEnd};
use actr_lite_wire::record::RecordKind;
use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    access::{case::NO_RULE, doors::call_over},
    harness::{
        address::free_address,
        deadline::within,
        messages::{Ask, Push},
        pair::Pair,
        server::start_server,
        stream::{assert_cancelled, caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{connection, outsider::Outsider, wire_bytes},
};

#[tokio::test]
async fn only_the_named_sender_feeds_a_stream_whatever_the_list_says() {
    let mut pair = Pair::new().await;
    // The connection is open, but the registration names another sender.
    let ctx = pair.asked().await;
    let id = stream_id("guessed");
    let (named, mut contexts) = start_server(&pair.world, "Named").await;
    let mut subscription = pair.client.context().subscribe(id.clone(), &named.actor_id()).unwrap();
    let mut forger = ctx.open_stream(&caller(&ctx), id.clone()).await.unwrap();
    forger.send("forged").await.unwrap();
    let error = within(forger.closed()).await;
    assert_cancelled(&error, &id);
    let (server, client) = (pair.server.actor_id(), pair.client.actor_id());
    let text = format!("{client} has registered another sender for this stream than {server} (PermissionDenied)");
    assert!(error.to_string().contains(&text), "{error}");
    drop(forger);
    // Nor can it end the stream without a frame.
    ctx.open_stream(&caller(&ctx), id.clone())
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    // What the forger sent has arrived when its own call has been answered.
    within(ctx.call(&caller(&ctx), Ask::default())).await.unwrap();
    assert_eq!((subscription.end(), pair.client.unknown_frames()), (None, 1));

    let dest = Dest::actor(named.actor_id());
    within(pair.client.context().call(&dest, Push::default()))
        .await
        .unwrap();
    let named_ctx = within(contexts.recv()).await.unwrap();
    let mut asked = named_ctx.open_stream(&caller(&named_ctx), id).await.unwrap();
    asked.send("genuine").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "genuine");
}

#[tokio::test]
async fn a_handler_may_take_a_stream_from_its_caller_alone() {
    let mut pair = Pair::new().await;
    let ctx = pair.asked().await;
    let id = stream_id("upload");
    let mut subscription = ctx.subscribe(id.clone(), &pair.client.actor_id()).unwrap();

    let stranger = pair.world.node("Stranger").hidden().start().await;
    let mut forger = stranger.context().open_stream(&pair.dest(), id.clone()).await.unwrap();
    forger.send("forged").await.unwrap();
    assert_cancelled(&within(forger.closed()).await, &id);

    let mut sender = pair.client.context().open_stream(&pair.dest(), id).await.unwrap();
    sender.send("genuine").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "genuine");
}

#[tokio::test]
async fn a_denied_sender_cannot_feed_a_stream() {
    let world = World::new().await;
    let denied = r#"acl.rules=[{ permission = "deny", types = ["acme+Sender"] }]"#;
    let address = free_address();
    let receiver = world
        .node("Receiver")
        .set(denied)
        .set(&format!("system.websocket.listen={address}"))
        .start()
        .await;
    let outsider = Outsider::new(&world, "Sender").await;
    let mut subscription = subscribe_from(receiver.context(), outsider.id(), "denied");
    let (status, text) = connection::dial(address, &outsider.headers()).await.err().unwrap();
    assert!(status == 403 && text.contains("denies"), "{status} {text}");
    assert_eq!(within(subscription.next()).await, None);
    assert!(
        matches!(subscription.end(), Some(StreamEnd::Denied(_))),
        "{:?}",
        subscription.end()
    );
}

#[tokio::test]
async fn whom_no_rule_admits_may_bring_what_was_asked_for_and_no_more() {
    let world = World::new().await;
    let address = free_address();
    let plan = world.node("Receiver").echo().set("acl.rules=[]");
    let receiver = plan.set(&format!("system.websocket.listen={address}")).start().await;
    let outsider = Outsider::new(&world, "Sender").await;
    let (status, text) = connection::dial(address, &outsider.headers()).await.err().unwrap();
    assert!(status == 403 && text.contains(NO_RULE), "{status} {text}");

    let mut subscription = subscribe_from(receiver.context(), outsider.id(), "asked");
    let mut peer = connection::dial(address, &outsider.headers()).await.unwrap();
    let refusal = call_over(&mut peer, &outsider, &receiver).await;
    assert!(refusal.is_some_and(|text| text.contains(NO_RULE)));
    peer.send_record(RecordKind::StreamReliable, &wire_bytes::frame("asked", 1, b"x"))
        .await;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "x");
}

#[tokio::test]
async fn a_node_that_is_not_admitted_learns_it_and_does_not_retry() {
    let world = World::new().await;
    let client = world.client().await;
    // The registry lets the client find this one, which admits nobody.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outsider = Outsider::listening(&world, "Strict", Some(listener.local_addr().unwrap())).await;
    let refusals = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
        let head = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n", NO_RULE.len());
        stream.write_all((head + NO_RULE).as_bytes()).await.unwrap();
        listener
    });
    let error = within(client.context().call(outsider.id(), Ask::default()))
        .await
        .unwrap_err();
    assert!(matches!(error, ActrError::NotAdmitted { .. }), "{error:?}");
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
    assert!(!error.is_transient() && error.to_string().contains(NO_RULE), "{error}");
    let listener = within(refusals).await.unwrap();
    assert!(listener.accept().now_or_never().is_none(), "it came again");
}
