//! Mixtures of hostile peers at one server, one in each run of the tests and one after another for minutes on request:
//! others are served all the time, memory stays below the promise, and after each mixture nothing of it is left.

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use actr_lite::{ActrId, ActrRef};
use harness::{
    Deployment, Process, Signal, WAIT_TIMEOUT,
    peer::{self, server_type},
};
use protos::stream_server::RegisterStreamRequest;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use tokio::time::{sleep, timeout};

use crate::{
    accounts::{Attack, MAX_MEMORY, attack, drawn},
    campaign::Campaign,
    metrics::scrape_until,
    open_metrics::Exposition,
    raw_connection::{RawConnection, Transport},
    raw_peer::{Doors, Identity, connect, response_head},
};

/// Lets nodes of all realms in, so that they have shares of their own.
const ALL_REALMS: &str = r#"acl.rules=[
    { permission = "allow", types = ["acme+Junk", "acme+StreamEchoClient"], realm = "*" },
]"#;

/// Who takes part in a mixture.
#[derive(Clone, Copy)]
struct Crowd {
    /// Identities of the own realm that take all the streams that they get, and grant nothing.
    greedy: u64,
    /// Peers of the own realm that do what is drawn.
    drawn_of_own: u64,
    /// Those of each other realm.
    drawn_of_others: u64,
    strangers: u64,
    /// How long they keep what they have.
    held_for: Duration,
}

/// Some of each kind, so that it is over soon.
const SMALL: Crowd = Crowd {
    greedy: 4,
    drawn_of_own: 4,
    drawn_of_others: 1,
    strangers: 2,
    held_for: Duration::from_secs(1),
};

/// More than the shares of the own realm are for.
const LARGE: Crowd = Crowd {
    greedy: 32,
    drawn_of_own: 8,
    drawn_of_others: 3,
    strangers: 4,
    held_for: Duration::from_secs(5),
};

/// One more than may have peers here.
const OTHER_REALMS: std::ops::Range<u32> = 2..7;

/// How many connections a stranger tries to make at each door.
const OF_A_STRANGER: usize = 24;

/// What a call and a frame of the bystander may take in the middle, and each of them: a hundred times what they take on
/// two busy processors, and a fraction of what a deadline would be.
const USUAL: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// How long the bystander pauses between two frames, and between two calls.
const PAUSE: Duration = Duration::from_millis(5);

/// Who has no credential that counts: half a request, junk, a forged name, a body without its end, at either door.
fn stranger(doors: Doors, seed: u64) -> Vec<RawConnection> {
    let mut random = SmallRng::seed_from_u64(seed);
    let identity = Identity::register(doors.registry);
    let (forged, wrong) = (identity.forged(), identity.with_wrong_signature());
    let mut open = Vec::new();
    for door in [doors.data_lane, doors.registry] {
        for _ in 0..OF_A_STRANGER {
            let bytes = match random.random_range(0..7) {
                0 => b"GET / HTTP/1.1\r\nhost: localhost\r\nx-half".to_vec(),
                1 => (0..200).map(|_| random.random()).collect(),
                2 => forged.data_lane_upgrade(),
                3 => wrong.signaling_upgrade(),
                4 => b"\x16\x03\x01\x02\x00\x01\x00".to_vec(),
                5 => post("/ais/register", 1 << 20, (1 << 20) - 1),
                _ => post("/ais/renew", 4000, 3999),
            };
            let mut socket = connect(door);
            socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            // What is refused before it is read is as good as sent.
            let _ = socket.write_all(&bytes);
            open.push(RawConnection::Clear(socket));
        }
    }
    open
}

fn post(path: &str, announced: usize, sent: usize) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: {announced}\r\n\r\n"
    );
    [head.into_bytes(), vec![0xff; sent]].concat()
}

/// All peers of a round; what they hold.
fn mixture(doors: Doors, crowd: Crowd, seed: u64) -> Vec<RawConnection> {
    let peer = |number: u64, realm_id, choose: fn(u64) -> Box<dyn FnMut() -> Attack>| {
        thread::spawn(move || {
            let identity = Identity::register_in(doors.registry, realm_id);
            attack(
                doors.data_lane,
                &Transport::Clear,
                &identity,
                choose(seed.wrapping_add(number)),
            )
        })
    };
    let mut numbers = 0..;
    let mut peers = Vec::new();
    for number in numbers.by_ref().take(crowd.greedy as usize) {
        peers.push(peer(number, 1, |_| Box::new(|| Attack::StalledStreams)));
    }
    for number in numbers.by_ref().take(crowd.drawn_of_own as usize) {
        peers.push(peer(number, 1, |seed| Box::new(drawn(seed))));
    }
    for realm_id in OTHER_REALMS {
        for number in numbers.by_ref().take(crowd.drawn_of_others as usize) {
            peers.push(peer(number, realm_id, |seed| Box::new(drawn(seed))));
        }
    }
    for number in numbers.take(crowd.strangers as usize) {
        peers.push(thread::spawn(move || stranger(doors, seed.wrapping_add(number))));
    }
    peers.into_iter().flat_map(|peer| peer.join().unwrap()).collect()
}

/// What the bystander waited for: for an answer, or for a frame.
#[derive(Default)]
struct Waits(Vec<Duration>);

impl Waits {
    fn note(&mut self, since: Instant) {
        self.0.push(since.elapsed());
    }

    /// The median and the longest.
    fn usual_and_longest(mut self) -> (Duration, Duration) {
        self.0.sort_unstable();
        (self.0[self.0.len() / 2], self.0[self.0.len() - 1])
    }
}

/// Takes frames of one stream without an end.
async fn take_frames(caller: ActrRef, server: ActrId, stop: Arc<AtomicBool>) -> Waits {
    let mut subscription = caller
        .context()
        .subscribe("bystander".parse().unwrap(), &server)
        .unwrap();
    let request = RegisterStreamRequest {
        stream_id: "bystander".into(),
        message_count: i32::MAX,
    };
    assert!(caller.context().call(&server, request).await.unwrap().success);
    let mut waits = Waits::default();
    for sequence in 1.. {
        let began = Instant::now();
        let frame = timeout(WAIT_TIMEOUT, subscription.next()).await.unwrap();
        assert_eq!(
            frame.unwrap_or_else(|| panic!("{:?}", subscription.end())).sequence,
            sequence
        );
        waits.note(began);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(PAUSE).await;
    }
    waits
}

/// Makes one call after another, each of which begins a short stream.
async fn make_calls(caller: ActrRef, server: ActrId, stop: Arc<AtomicBool>) -> Waits {
    let mut waits = Waits::default();
    for number in 0.. {
        let stream_id = format!("short{number}");
        let mut subscription = caller.context().subscribe(stream_id.parse().unwrap(), &server).unwrap();
        let request = RegisterStreamRequest {
            stream_id,
            message_count: 3,
        };
        let began = Instant::now();
        let answer = timeout(WAIT_TIMEOUT, caller.context().call(&server, request)).await;
        assert!(answer.unwrap().unwrap().success);
        waits.note(began);
        while timeout(WAIT_TIMEOUT, subscription.next()).await.unwrap().is_some() {}
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(PAUSE).await;
    }
    waits
}

/// How many connections a new peer gets: as many as one alone may have, if nobody holds anything.
fn connections_of_one(doors: Doors) -> usize {
    let identity = Identity::register(doors.registry);
    let connect = || {
        let mut socket = connect(doors.data_lane);
        socket.write_all(&identity.data_lane_upgrade()).unwrap();
        response_head(&mut socket)
            .starts_with("HTTP/1.1 101 ")
            .then_some(socket)
    };
    std::iter::from_fn(connect).collect::<Vec<_>>().len()
}

/// Waits until the server has let go of what a round made it open.
fn wait_for_open_files(server: &Process, at_most: usize) {
    let began = Instant::now();
    while server.open_files() > at_most {
        assert!(
            began.elapsed() < WAIT_TIMEOUT,
            "{} open files instead of {at_most}",
            server.open_files()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// The mixtures of a campaign at a server whose memory is looked at after each.
fn mixtures(server: &Process, doors: Doors, crowd: Crowd, mut campaign: Campaign) {
    let files = server.open_files();
    let all = connections_of_one(doors);
    while let Some(seed) = campaign.next_round() {
        let held = mixture(doors, crowd, seed);
        thread::sleep(crowd.held_for);
        let (peak, connections) = (server.peak_memory(), held.len());
        drop(held);
        wait_for_open_files(server, files);
        println!(
            "seed {seed}: {connections} connections, peak {} MiB, {} MiB afterwards",
            peak >> 20,
            server.resident_memory() >> 20
        );
        assert!(peak < MAX_MEMORY, "{peak} bytes, seed {seed}");
        assert_eq!(connections_of_one(doors), all, "something is held still, seed {seed}");
        wait_for_open_files(server, files);
    }
}

/// Whether nothing is left of any peer, as the server counts it.
fn holds_nothing(seen: &Exposition) -> bool {
    const COUNTS: [&str; 4] = [
        "actr_connections{direction=\"in\",tls=\"false\"}",
        "actr_streams{direction=\"out\"}",
        "actr_calls_in_progress",
        "actr_held_bytes",
    ];
    COUNTS.iter().all(|count| seen.value(count) == 0.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_mixture_harms_no_bystander_and_leaves_nothing() {
    check(SMALL, Campaign::of_one_round()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes HOSTILE_MINUTES, or 5: cargo test -p end-to-end -- --ignored --nocapture hostile_mixtures"]
async fn hostile_mixtures_harm_no_bystander_and_leave_nothing() {
    check(LARGE, Campaign::of_environment()).await;
}

/// Lets the mixtures of a campaign at a server that serves a bystander meanwhile.
async fn check(crowd: Crowd, campaign: Campaign) {
    let deployment = Deployment::new();
    let data_lane = SocketAddr::from(([127, 0, 0, 1], harness::unused_port()));
    let server = deployment
        .server()
        .config("system.websocket.listen", data_lane)
        .arg("--config")
        .arg(ALL_REALMS)
        .spawn();
    let url = server.registry_url();
    server.ready();
    let registry = url.split('/').nth(2).unwrap().parse().unwrap();
    let doors = Doors { registry, data_lane };
    let caller = peer::caller(&deployment, &url).await;
    let dest = caller.context().discover(&server_type()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let frames = tokio::spawn(take_frames(caller.clone(), dest.clone(), Arc::clone(&stop)));
    let calls = tokio::spawn(make_calls(caller.clone(), dest, Arc::clone(&stop)));
    // The connection of both is there before the files are counted.
    sleep(Duration::from_secs(1)).await;
    let server = tokio::task::spawn_blocking(move || {
        mixtures(&server, doors, crowd, campaign);
        server
    })
    .await
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    for (what, waits) in [("frames", frames.await.unwrap()), ("calls", calls.await.unwrap())] {
        let count = waits.0.len();
        let (usual, longest) = waits.usual_and_longest();
        println!("{count} {what} of the bystander: median {usual:?}, longest {longest:?}");
        assert!(usual < USUAL && longest < LONGEST, "{what}: {usual:?}, {longest:?}");
    }
    caller.shutdown().await;
    tokio::task::spawn_blocking(move || scrape_until(&url, holds_nothing))
        .await
        .unwrap();
    server.signal(Signal::TERM);
    let finished = server.finish();
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
}
