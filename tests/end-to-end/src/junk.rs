//! Connections that bring junk, one after another without an end: each is answered and closed, all are counted, few are
//! logged, and nothing of them is left behind. Other peers do not notice.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use actr_lite::{ActrId, ActrRef, StreamEnd};
use actr_lite_wire::log_limit::{LINES_PER_WINDOW, WINDOW};
use harness::{
    Deployment, Process, Signal, Summary, WAIT_TIMEOUT,
    peer::{self, server_type},
};
use protos::stream_server::RegisterStreamRequest;
use tokio::{task::JoinHandle, time::timeout};

use crate::raw_peer::{Doors, Identity, connect, exchange, frame_header};

/// How many connections of all sorts go before the figures are taken that must not grow: the allocator has its pools by
/// then, and the log its first window.
const WARM_UP_ROUNDS: u64 = 10;

/// How much more memory a server may have resident after junk than before it. What one connection leaves behind,
/// however little, is a multiple of this after the whole run.
const MAX_GROWTH: u64 = 4 << 20;

/// How many frames the streams have that run meanwhile, one after another.
const FRAMES: u64 = 300;

/// One connection of each sort of junk.
struct Round {
    doors: Doors,
    identity: Identity,
}

impl Round {
    /// How many connections a round has at each door.
    const CONNECTIONS: u64 = 8;
    /// How many of them are refused before they are a WebSocket.
    const REFUSED_UPGRADES: u64 = 3;
    /// How many break the protocol after that.
    const PROTOCOL_VIOLATIONS: u64 = 3;
    /// How many bring no HTTP.
    const UNREADABLE_REQUESTS: u64 = 2;

    fn run(&self) {
        let Self { doors, identity } = self;
        let (wrong, forged) = (identity.with_wrong_signature(), identity.forged());
        let plain = b"GET /signaling/ws HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec();
        let at_data_lane = [&plain, &wrong.data_lane_upgrade(), &forged.data_lane_upgrade()];
        let at_registry = [&plain, &wrong.signaling_upgrade(), &forged.signaling_upgrade()];
        for (door, refused, good) in [
            (doors.data_lane, at_data_lane, identity.data_lane_upgrade()),
            (doors.registry, at_registry, identity.signaling_upgrade()),
        ] {
            assert_starts(&exchange(door, &[0xff; 100], false), "HTTP/1.1 400 ");
            assert_starts(
                &exchange(door, b"GET / HTTP/1.1\r\nhost: localhost\r\nx-half", true),
                "",
            );
            for (bytes, status) in refused.into_iter().zip([426, 401, 401]) {
                assert_starts(&exchange(door, bytes, false), &format!("HTTP/1.1 {status} "));
            }
            for (frames, code) in [
                (&[0xff; 100][..], 1002),
                (&frame_header(1 << 62), 1009),
                (b"\x81\x80\0\0\0\0", 1003),
            ] {
                assert_closed(&exchange(door, &[&good[..], frames].concat(), false), code);
            }
        }
    }
}

#[track_caller]
fn assert_starts(answer: &[u8], start: &str) {
    let text = String::from_utf8_lossy(answer);
    assert!(text.starts_with(start) && text.is_empty() == start.is_empty(), "{text}");
}

/// That what follows the head of the answer ends with a close frame with this code.
#[track_caller]
fn assert_closed(answer: &[u8], code: u16) {
    assert_starts(answer, "HTTP/1.1 101 ");
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let frames = &answer[head..];
    assert_eq!(frames.first(), Some(&0x88), "no close frame: {frames:?}");
    let reason = String::from_utf8_lossy(&frames[4..]);
    assert_eq!(frames[2..4], code.to_be_bytes(), "{reason}");
    assert!(!reason.is_empty());
}

/// Streams of [`FRAMES`] frames, one after another until they are to end, and at least one.
fn streams_until(caller: &ActrRef, server: &ActrId, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    let (caller, server) = (caller.clone(), server.clone());
    tokio::spawn(async move {
        let ctx = caller.context();
        for number in 0.. {
            let stream_id = format!("stream{number}");
            let mut subscription = ctx.subscribe(stream_id.parse().unwrap(), &server).unwrap();
            let request = RegisterStreamRequest {
                stream_id,
                message_count: FRAMES as i32,
            };
            assert!(ctx.call(&server, request).await.unwrap().success);
            for sequence in 1..=FRAMES {
                let frame = timeout(WAIT_TIMEOUT, subscription.next()).await.unwrap().unwrap();
                assert_eq!(frame.sequence, sequence);
            }
            assert_eq!(timeout(WAIT_TIMEOUT, subscription.next()).await.unwrap(), None);
            assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    })
}

/// Waits until the server has closed what it is about to close.
fn wait_for_open_files(server: &Process, at_most: usize) {
    let started = Instant::now();
    while server.open_files() > at_most {
        assert!(
            started.elapsed() < WAIT_TIMEOUT,
            "{} instead of {at_most}",
            server.open_files()
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// A server that hosts the registry, with its doors, and a node that uses it.
async fn start(deployment: &Deployment) -> (Process, String, Doors, ActrRef, ActrId) {
    let data_lane = SocketAddr::from(([127, 0, 0, 1], harness::unused_port()));
    let server = deployment
        .server()
        .args(["--interval", "1ms"])
        .config("system.websocket.listen", data_lane)
        .spawn();
    let url = server.registry_url();
    server.ready();
    let registry = url.split('/').nth(2).unwrap().parse().unwrap();
    let caller = peer::caller(deployment, &url).await;
    let dest = caller.context().discover(&server_type()).await.unwrap();
    (server, url, Doors { registry, data_lane }, caller, dest)
}

async fn survives(connections: u64) {
    let deployment = Deployment::new();
    let (server, url, doors, caller, dest) = start(&deployment).await;
    streams_until(&caller, &dest, Arc::new(AtomicBool::new(true)))
        .await
        .unwrap();
    let files = server.open_files();
    let stop = Arc::new(AtomicBool::new(false));
    let streams = streams_until(&caller, &dest, Arc::clone(&stop));
    let rounds = connections.div_ceil(2 * Round::CONNECTIONS);
    let started = Instant::now();
    let junk = move || {
        let identity = Identity::register(doors.registry);
        let round = Round { doors, identity };
        for _ in 0..WARM_UP_ROUNDS {
            round.run();
        }
        let before = server.resident_memory();
        for _ in 0..rounds {
            round.run();
        }
        (server, before)
    };
    let (server, memory) = tokio::task::spawn_blocking(junk).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    streams.await.unwrap();

    wait_for_open_files(&server, files);
    let now = server.resident_memory();
    assert!(now < memory + MAX_GROWTH, "{now} bytes instead of {memory}");
    let client = deployment.client(&url, 10).arg("--json").run();
    Summary::of_success(&client, 10);

    server.signal(Signal::TERM);
    let finished = server.finish();
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    let total = rounds + WARM_UP_ROUNDS;
    for place in ["data lane", "registry"] {
        let summary = format!(
            "{place}: connections that misbehaved: {} unreadable requests, {} refused upgrades, {} protocol violations",
            total * Round::UNREADABLE_REQUESTS,
            total * Round::REFUSED_UPGRADES,
            total * Round::PROTOCOL_VIOLATIONS,
        );
        assert!(
            finished.stderr.contains(&summary),
            "{summary:?} is not in {}",
            finished.stderr
        );
    }
    let warnings = finished.stderr.lines().filter(|line| line.contains("WARN")).count() as u64;
    let windows = started.elapsed().as_secs() / WINDOW.as_secs() + 2;
    // At each door, and a summary for each window.
    let most = 2 * windows * (u64::from(LINES_PER_WINDOW) + 1);
    assert!(warnings <= most, "{warnings} warnings, not {most}: {}", finished.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_junk_connections_leave_nothing_behind() {
    survives(1000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo test -p end-to-end -- --ignored a_hundred_thousand_junk"]
async fn a_hundred_thousand_junk_connections_leave_nothing_behind() {
    survives(100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_only_announced_costs_next_to_no_memory() {
    /// What each of them announces: as much as a record may have.
    const ANNOUNCED: u64 = 4 << 20;
    const CONNECTIONS: u64 = 200;
    /// As many as a single peer may have with that.
    const OF_ONE_PEER: u64 = 40;
    let deployment = Deployment::new();
    let (server, url, doors, _caller, _dest) = start(&deployment).await;
    let peers: Vec<_> = (0..CONNECTIONS / OF_ONE_PEER)
        .map(|_| Identity::register(doors.registry))
        .collect();
    let (resident, reserved) = (server.peak_memory(), server.peak_reserved_memory());
    let open: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let identity = &peers[(number / OF_ONE_PEER) as usize];
            let mut stream = connect(doors.data_lane);
            // The pong says that what stands before it was read, and what stands behind it is about to be.
            let bytes = [
                &identity.data_lane_upgrade()[..],
                b"\x89\x80\0\0\0\0",
                &frame_header(ANNOUNCED),
                b"x",
            ]
            .concat();
            stream.write_all(&bytes).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(&[0x8a, 0]) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.extend(byte);
            }
            stream
        })
        .collect();
    let resident = server.peak_memory() - resident;
    assert!(
        resident < CONNECTIONS * ANNOUNCED / 32,
        "{resident} bytes more resident"
    );
    let reserved = server.peak_reserved_memory() - reserved;
    assert!(reserved < CONNECTIONS * ANNOUNCED / 4, "{reserved} bytes more reserved");
    let client = deployment.client(&url, 10).arg("--json").run();
    Summary::of_success(&client, 10);
    drop(open);
}
