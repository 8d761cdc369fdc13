//! A peer that floods without breaking the protocol has bounded costs for a node.

use std::time::Instant;

use actr_lite::Rpc as _;
use actr_lite_wire::{envelope::Envelope, log_limit::WINDOW, record::RecordKind};
use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    bystander::Bystander,
    harness::{deadline::until, messages::Nowhere, server::start_server, world::World},
    logs::{self, TOLD_PER_NODE},
    raw_peer::{
        connection::dial,
        outsider::Outsider,
        wire_bytes::{frame, record},
    },
};

/// What says how long a record a peer takes.
const RECORD_LIMIT: &str = "x-actr-lite-max-record";

/// How many lines a log can have taken since then.
fn most_lines(since: Instant) -> usize {
    let windows = since.elapsed().as_secs() / WINDOW.as_secs() + 2;
    TOLD_PER_NODE * windows as usize
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_its_answers_is_closed() {
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
            request_id: format!("tell{number}").into(),
            route_key: Nowhere::ROUTE.into(),
            payload: Bytes::new(),
            metadata: Vec::new(),
            trace: None,
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

/// The least that a peer can take of a record.
const LEAST_RECORD: usize = 1024;

/// Makes calls of this route, which nobody has, and whose name is too long for any answer that the peer takes; what that
/// added to the log.
async fn log_of_unknown_routes(route: &str, calls: usize) -> String {
    logs::capture();
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut headers = outsider.extended_headers();
    headers.push((RECORD_LIMIT, LEAST_RECORD.to_string()));
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut peer = dial(address, &headers).await.unwrap();
    let log = logs::position();
    for _ in 0..calls {
        let (_, request) = peer.request(route, Vec::new());
        peer.send_record(RecordKind::RpcReliable, &request.encode()).await;
    }
    peer.round_trip().await;
    // It lets what was asked come to its end.
    server.shutdown().await;
    logs::since(log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_forges_no_line_of_a_log() {
    const FORGED: &str = "2026-01-01T00:00:00.000000Z  INFO forged";
    const CALLS: usize = 100;
    let started = Instant::now();
    let route = format!("x\n{FORGED}\n\x1b[2J{}", "r".repeat(LEAST_RECORD));
    let log = log_of_unknown_routes(&route, CALLS).await;
    assert!(log.contains("INFO forged"), "it is told: {log}");
    assert!(!log.lines().any(|line| line.starts_with(FORGED)), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
    let lines = log.lines().filter(|line| line.contains("forged")).count();
    assert!(lines <= most_lines(started), "{lines} lines for {CALLS} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_of_any_length_is_a_short_line() {
    let route = "long".repeat(64 << 10);
    let log = log_of_unknown_routes(&route, 10).await;
    let told: Vec<_> = log.lines().filter(|line| line.contains("longlong")).collect();
    assert!(!told.is_empty(), "it is told");
    assert!(
        told.iter().all(|line| line.len() < 2048),
        "{:?}",
        told.iter().map(|line| line.len())
    );
}
