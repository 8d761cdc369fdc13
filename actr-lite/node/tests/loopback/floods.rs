//! What a peer does without an end, and without breaking the protocol, costs a node no more than it can bear.

use std::time::Instant;

use actr_lite::Rpc as _;
use actr_lite_wire::{envelope::Envelope, log_limit::WINDOW, record::RecordKind};
use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    bystander::Bystander,
    harness::{Nowhere, World, start_server, until},
    logs::{self, TOLD_PER_NODE},
    raw_peer::{Outsider, frame, record},
};

/// How many lines a log can have taken since then.
fn most_lines(since: Instant) -> usize {
    let windows = since.elapsed().as_secs() / WINDOW.as_secs() + 2;
    TOLD_PER_NODE * windows as usize
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_makes_a_node_say_more_than_it_reads_is_closed_and_told_once() {
    logs::capture();
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let bystander = Bystander::start(&world, &server, &mut contexts).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended_with_little_room(&server).await;
    peer.round_trip().await;
    let (log, started) = (logs::position(), Instant::now());
    let flood = tokio::spawn(async move {
        let mut streams = 0..u64::MAX;
        loop {
            // Each stream that nobody knows is cancelled, by a record that stays where it is. Long names make it come to
            // the limit sooner.
            let batch = streams.by_ref().take(1000).flat_map(|number| {
                let body = frame(&format!("unknown{number:0>100}"), 1, b"x");
                record(RecordKind::StreamReliable, &body)
            });
            if peer
                .socket
                .send(Message::binary(batch.collect::<Vec<_>>()))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    until(|| async { (server.misbehaviour().unread_answers > 0).then_some(()) }).await;
    flood.abort();
    let misbehaviour = server.misbehaviour();
    assert_eq!(misbehaviour.total(), 1, "{misbehaviour}");
    // That streams are not known is told too: of a flood of lines only the first are written.
    let lines = logs::naming(&outsider.id().to_string(), log);
    assert!(lines.len() <= most_lines(started), "{lines:?}");
    bystander.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_that_fail_without_an_end_do_not_fill_the_log() {
    const TELLS: usize = 500;
    logs::capture();
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial(&server).await;
    let (log, started) = (logs::position(), Instant::now());
    for number in 0..TELLS {
        let tell = Envelope::Tell {
            request_id: format!("tell{number}"),
            route_key: Nowhere::ROUTE.into(),
            payload: Bytes::new(),
            metadata: Vec::new(),
        };
        peer.send_record(RecordKind::RpcReliable, &tell.encode()).await;
    }
    peer.round_trip().await;
    drop(peer);
    // It lets what was told come to its end.
    server.shutdown().await;
    let lines = logs::naming(&outsider.id().to_string(), log);
    assert!(
        (TOLD_PER_NODE..=most_lines(started)).contains(&lines.len()),
        "{lines:?}"
    );
    assert_eq!(server.misbehaviour().total(), 0, "it is no violation");
}
