//! Peers that take whatever they can get: the server stays below the memory that it promises, and serves others meanwhile.

use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr},
    thread,
    time::Duration,
};

use actr_lite::Rpc as _;
use actr_lite_wire::{
    envelope::Envelope,
    record::{RecordKind, header},
};
use harness::{Certificates, Deployment, Launch, Process, Signal, Summary};
use prost::Message as _;
use protos::stream_server::RegisterStreamRequest;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::{
    campaign,
    raw_connection::{RawConnection, Transport},
    raw_peer::{Doors, Identity, connect, frame_header, response_head},
};

const MIB: usize = 1 << 20;

/// What docs/limits.md promises.
pub(crate) const MAX_MEMORY: u64 = 512 << 20;

const PEERS: u64 = 24;

/// How many connections each of them tries to make.
const CONNECTIONS: usize = 16;

/// How long a peer tries to send what the server does not read.
const PATIENCE: Duration = Duration::from_millis(500);

/// How a peer makes a server hold memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attack {
    HalfMessage,
    HalfRecord,
    UnreadAnswers,
    StalledStreams,
    UnknownStreams,
    EmptyMetadata,
    HalfTlsRecord,
}

pub(crate) const ATTACKS: [Attack; 7] = [
    Attack::HalfMessage,
    Attack::HalfRecord,
    Attack::UnreadAnswers,
    Attack::StalledStreams,
    Attack::UnknownStreams,
    Attack::EmptyMetadata,
    Attack::HalfTlsRecord,
];

/// The start of the longest TLS record of data (RFC 8446 §5.1): without TLS that of a message that breaks the protocol.
const TLS_RECORD: [u8; 5] = [23, 3, 3, 0x40, 0];

fn message(records: &[u8]) -> Vec<u8> {
    [&frame_header(records.len() as u64), records].concat()
}

fn record(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    [&header(kind, body.len())[..], body].concat()
}

fn call(request_id: String, request: &RegisterStreamRequest, metadata: usize) -> Vec<u8> {
    let envelope = Envelope::Request {
        request_id: request_id.into(),
        route_key: RegisterStreamRequest::ROUTE.into(),
        payload: request.encode_to_vec().into(),
        metadata: vec![(String::new(), String::new()); metadata],
        trace: None,
        timeout: Some(Duration::from_secs(1 << 30)),
    };
    record(RecordKind::RpcReliable, &envelope.encode())
}

impl Attack {
    /// Sends what it can over one connection. What the server does not take, or cuts off, is as good as sent.
    fn send(self, connection: usize, socket: &mut RawConnection) {
        let _ = match self {
            Self::HalfTlsRecord => socket.tcp().write_all(&[&TLS_RECORD[..], &[0; 16 << 10][1..]].concat()),
            _ => socket.write_all(&self.bytes(connection)),
        };
    }

    fn bytes(self, connection: usize) -> Vec<u8> {
        match self {
            Self::HalfMessage => [frame_header(5 * MIB as u64), vec![0; 4 * MIB]].concat(),
            Self::HalfRecord => {
                let half = &record(RecordKind::RpcReliable, &vec![0; 4 * MIB])[..3 * MIB];
                let parts = half.chunks(64 << 10);
                parts
                    .flat_map(|part| message(&record(RecordKind::Part, part)))
                    .collect()
            }
            Self::UnreadAnswers => {
                let long = "i".repeat(MIB);
                let calls = (0..6).map(|number| call(format!("{number}{long}"), &stream("s".into(), 0), 0));
                calls.flat_map(|call| message(&call)).collect()
            }
            Self::StalledStreams => {
                let streams = (0..200).map(|number| stream(format!("{connection}-{number}"), i32::MAX));
                let calls = streams.map(|stream| call(stream.stream_id.clone(), &stream, 0));
                calls.flat_map(|call| message(&call)).collect()
            }
            Self::UnknownStreams => {
                let frame = |number| {
                    let id = format!("unknown{number:0>110}");
                    record(
                        RecordKind::StreamReliable,
                        &[&[0x0a, id.len() as u8], id.as_bytes(), &[0x10, 1]].concat(),
                    )
                };
                message(&(0..4000).flat_map(frame).collect::<Vec<_>>())
            }
            Self::EmptyMetadata => message(&call("m".into(), &stream("s".into(), 0), 500_000)),
            Self::HalfTlsRecord => Vec::new(),
        }
    }
}

fn stream(stream_id: String, message_count: i32) -> RegisterStreamRequest {
    RegisterStreamRequest {
        stream_id,
        message_count,
    }
}

/// Makes connections and attacks over each; those that stay open.
pub(crate) fn attack(
    data_lane: SocketAddr,
    transport: &Transport,
    identity: &Identity,
    mut choose: impl FnMut() -> Attack,
) -> Vec<RawConnection> {
    let mut open = Vec::new();
    for connection in 0..CONNECTIONS {
        let mut socket = transport.connect(data_lane);
        socket.tcp().set_write_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(&identity.data_lane_upgrade()).unwrap();
        if !response_head(&mut socket).starts_with("HTTP/1.1 101 ") {
            continue;
        }
        choose().send(connection, &mut socket);
        open.push(socket);
    }
    open
}

/// One attack after another, drawn from a seed.
pub(crate) fn drawn(seed: u64) -> impl FnMut() -> Attack {
    let mut random = SmallRng::seed_from_u64(seed);
    move || ATTACKS[random.random_range(..ATTACKS.len())]
}

/// Lets peers attack a server, whose memory stays below the promise, and which then serves this client.
fn check(server: Process, doors: Doors, transport: &Transport, client: Launch) {
    let seed = campaign::seed();
    let open: Vec<_> = thread::scope(|scope| {
        let peers = (0..PEERS).map(|peer| seed.wrapping_add(peer));
        let attacks: Vec<_> = peers
            .map(|seed| {
                scope.spawn(move || {
                    let identity = Identity::register(doors.registry);
                    attack(doors.data_lane, transport, &identity, drawn(seed))
                })
            })
            .collect();
        attacks.into_iter().flat_map(|attack| attack.join().unwrap()).collect()
    });
    let memory = server.peak_memory();
    println!("{} MiB with {} connections", memory >> 20, open.len());
    let connections = open.len();
    assert!(
        memory < MAX_MEMORY,
        "{memory} bytes with {connections} connections, seed {seed}"
    );
    Summary::of_success(&client.run(), 10);
    drop(open);
    server.signal(Signal::TERM);
    let finished = server.finish();
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
}

fn address_in(url: &str) -> SocketAddr {
    url.split('/').nth(2).unwrap().parse().unwrap()
}

#[test]
fn no_mixture_of_peers_gets_a_server_above_its_promise() {
    let deployment = Deployment::new();
    let data_lane = SocketAddr::from(([127, 0, 0, 1], harness::unused_port()));
    let server = deployment.server().config("system.websocket.listen", data_lane).spawn();
    let url = server.registry_url();
    server.ready();
    let registry = address_in(&url);
    let client = deployment.client(&url, 10).arg("--json");
    check(server, Doors { registry, data_lane }, &Transport::Clear, client);
}

#[test]
fn no_mixture_over_tls_gets_a_server_above_its_promise() {
    let deployment = Deployment::new();
    let certificates = Certificates::new(&deployment.path("certs"));
    let (_registry, url) = deployment.start_registry();
    let data_lane = SocketAddr::from(([127, 0, 0, 1], harness::unused_port()));
    let server = certificates.served_by(deployment.server_at(&url));
    let server = server.config("system.websocket.listen", data_lane).spawn();
    server.ready();
    let registry = address_in(&url);
    let client = certificates.trusted_by(deployment.client(&url, 10).arg("--json"));
    let transport = Transport::tls(&certificates.files().ca);
    check(server, Doors { registry, data_lane }, &transport, client);
}

#[test]
fn a_flood_of_the_shortest_frames_leaves_others_their_turn() {
    const FLOODS: usize = 16;
    /// At 20 ms each, eight seconds if nothing holds them up.
    const FRAMES: u64 = 400;
    let deployment = Deployment::new();
    let data_lane = SocketAddr::from(([127, 0, 0, 1], harness::unused_port()));
    let server = deployment
        .server()
        .args(["--interval", "20ms"])
        .config("system.websocket.listen", data_lane)
        .spawn();
    let url = server.registry_url();
    server.ready();
    let registry = address_in(&url);
    let identity = Identity::register(registry);
    // Pings, and fragments of a message that never ends: six bytes each.
    let [pings, fragments] = [0x89, 0x00].map(|first| [first, 0x80, 0, 0, 0, 0].repeat(20_000));
    let (floods, ends): (Vec<_>, Vec<_>) = (0..FLOODS)
        .map(|number| {
            let mut socket = connect(data_lane);
            socket.write_all(&identity.data_lane_upgrade()).unwrap();
            socket.write_all(b"\x02\x81\0\0\0\0x").unwrap();
            let end = socket.try_clone().unwrap();
            let flood = if number % 2 == 0 {
                pings.clone()
            } else {
                fragments.clone()
            };
            (thread::spawn(move || while socket.write_all(&flood).is_ok() {}), end)
        })
        .unzip();
    let client = deployment.client(&url, FRAMES).arg("--json").run();
    Summary::of_success(&client, FRAMES);
    for end in ends {
        end.shutdown(Shutdown::Both).unwrap();
    }
    floods.into_iter().for_each(|flood| flood.join().unwrap());
}
