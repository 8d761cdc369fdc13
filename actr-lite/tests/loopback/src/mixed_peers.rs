//! A hundred thousand frames each way at once, over one connection, whatever the peer knows of batches and credit.

use actr_lite::{Rpc as _, SendError, StreamEnd, StreamSender, Subscription};
use actr_lite_wire::{
    frame,
    record::{self, RecordKind},
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    harness::{
        deadline::within,
        messages::Push,
        pair::Pair,
        server::start_server,
        stream::{caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{outsider::Outsider, wire_bytes},
};

const FRAMES: u64 = 100_000;

/// Different for each frame, and of a length that changes.
fn payload(number: u64) -> String {
    format!("{number:.>width$}", width = (number % 61) as usize)
}

async fn send_all(mut sender: StreamSender) -> Result<(), SendError> {
    for number in 1..=FRAMES {
        sender.send(payload(number)).await?;
    }
    sender.finish().await
}

/// Takes frames until there are no more; the stream's end.
async fn take_all(mut subscription: Subscription) -> StreamEnd {
    let mut taken = 0;
    while let Some(frame) = within(subscription.next()).await {
        taken += 1;
        assert_eq!(frame.sequence, taken);
        assert_eq!(frame.payload, payload(taken));
    }
    assert_eq!(taken, FRAMES);
    subscription.end().unwrap()
}

/// The only record of a message without the extension; `None` if it is a ping or a pong.
fn only_record(message: Message) -> Option<(RecordKind, Bytes)> {
    match message {
        Message::Binary(bytes) => {
            let span = record::span_at(&bytes, 0).unwrap();
            assert_eq!(span.end, bytes.len(), "more than one record in a message");
            Some((span.kind, bytes.slice(span.body_start()..)))
        }
        Message::Ping(_) | Message::Pong(_) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_the_extension_loses_and_reorders_nothing() {
    let world = World::new().await;
    let (node, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&node).await;
    let subscription = subscribe_from(node.context(), outsider.id(), "to node");
    let request = peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    let ctx = within(contexts.recv()).await.unwrap();
    peer.answer(&request).await;
    let sender = ctx.open_stream(&caller(&ctx), stream_id("to peer")).await.unwrap();

    let (mut sink, mut source) = peer.socket.split();
    let sending = tokio::spawn(send_all(sender));
    let taking = tokio::spawn(take_all(subscription));
    let peer_sends = tokio::spawn(async move {
        for number in 1..=FRAMES {
            let frame = wire_bytes::frame("to node", number, payload(number).as_bytes());
            let message = Message::binary(wire_bytes::record(RecordKind::StreamReliable, &frame));
            within(sink.feed(message)).await.unwrap();
        }
        within(sink.flush()).await.unwrap();
        sink
    });
    let mut taken = 0;
    while taken < FRAMES {
        let message = within(source.next()).await.unwrap().unwrap();
        let Some((kind, body)) = only_record(message) else {
            continue;
        };
        taken += 1;
        assert_eq!(
            kind,
            RecordKind::StreamReliable,
            "control records are for the extension"
        );
        let parts = frame::decode(&body).unwrap();
        assert_eq!(parts.sequence, taken);
        assert_eq!(&body[parts.stream_id], b"to peer");
        assert_eq!(&body[parts.payload], payload(taken).as_bytes());
    }
    sending.await.unwrap().unwrap();
    // Only the end of the connection ends a stream of such a peer.
    let mut sink = peer_sends.await.unwrap();
    within(sink.send(Message::Close(None))).await.unwrap();
    let end = within(taking).await.unwrap();
    assert!(
        matches!(&end, StreamEnd::PeerGone { peer: gone, .. } if gone == outsider.id()),
        "{end}"
    );
    assert_eq!(node.unknown_frames(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_lose_and_reorder_nothing() {
    let mut pair = Pair::new().await;
    let (up, down) = (stream_id("up"), stream_id("down"));
    let at_server = subscribe_from(pair.server.context(), &pair.client.actor_id(), "up");
    let at_client = pair.subscribe(&down);
    let to_client = pair.open(&down).await;
    let to_server = pair.client.context().open_stream(&pair.dest(), up).await.unwrap();
    let tasks = [tokio::spawn(take_all(at_server)), tokio::spawn(take_all(at_client))];
    let (sent_up, sent_down) = tokio::join!(tokio::spawn(send_all(to_server)), tokio::spawn(send_all(to_client)));
    sent_up.unwrap().unwrap();
    sent_down.unwrap().unwrap();
    for task in tasks {
        assert_eq!(within(task).await.unwrap(), StreamEnd::Finished { frames: FRAMES });
    }
    assert_eq!((pair.server.unknown_frames(), pair.client.unknown_frames()), (0, 0));
}
