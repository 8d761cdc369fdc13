//! Whatever peers make a registry hold, and however they mix it: its memory stays below what is promised, others are
//! answered meanwhile, and nothing is left afterwards.

mod identity;
mod peer;
mod questions;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use actr_lite_wire::proto::{Ping, SignalingEnvelope, actr_to_signaling::Payload as Request, signaling_envelope::Flow};
use harness::{Deployment, Process, WAIT_TIMEOUT};
use prost::Message as _;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{
    identity::{Door, connect, register, registration},
    peer::Peer,
};
use crate::campaign::{self, Campaign};

/// What the documentation promises for a registry with its default limits.
const PROMISED_MEMORY: u64 = 768 << 20;

/// How many hostile peers there are, each at an address of its own.
const PEERS: u8 = 24;

/// How long they go on.
const DURATION: Duration = Duration::from_secs(10);

/// A realm of the bystander's own.
const BYSTANDER_REALM: u32 = 4711;

/// How long a round of many goes on.
const ROUND: Duration = Duration::from_secs(30);

/// The secret of every realm.
const SECRET: &str = "of-all-realms-0123456789";

/// Sends heartbeats, and waits for each answer.
async fn bystand(door: Door, until: Instant) -> u32 {
    let registry = door.registry;
    let from = Ipv4Addr::new(127, 0, 99, 1);
    let mut stream = connect(registry, from).await.unwrap();
    let request = registration("acme:Bystander:1.0.0", BYSTANDER_REALM);
    let identity = register(&mut stream, door, &request).await.unwrap();
    let stream = connect(registry, from).await.unwrap();
    let mut stream = identity.open(stream, registry).await.unwrap();
    let heartbeat = identity.asks(Request::Ping(Ping {
        availability: 0,
        power_reserve: 1.0,
        mailbox_backlog: 0.0,
        sticky_client_ids: Vec::new(),
    }));
    let mut beats = 0;
    while Instant::now() < until {
        stream.write_all(&heartbeat).await.unwrap();
        let header = timeout(WAIT_TIMEOUT, stream.read_u16()).await.unwrap().unwrap();
        let len = match header & 0x7f {
            126 => usize::from(stream.read_u16().await.unwrap()),
            len => usize::from(len),
        };
        let mut answer = vec![0; len];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = SignalingEnvelope::decode(&answer[..]).unwrap();
        assert!(matches!(answer.flow, Some(Flow::ServerToActr(_))), "{answer:?}");
        beats += 1;
        sleep(Duration::from_millis(50)).await;
    }
    beats
}

async fn nodes(registry: SocketAddr) -> String {
    let mut stream = connect(registry, Ipv4Addr::new(127, 0, 99, 2)).await.unwrap();
    let request = format!("GET /health HTTP/1.1\r\nhost: {registry}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().last().unwrap_or_default().to_owned()
}

/// A registry whose realms all have a secret.
fn start(deployment: &Deployment) -> (Process, Door) {
    let realms = deployment.path("realms.toml");
    let lines = (0..5)
        .chain([BYSTANDER_REALM])
        .map(|realm_id| format!("{realm_id} = \"{SECRET}\"\n"));
    fs::write(&realms, lines.collect::<String>()).unwrap();
    let process = deployment.registry(0).arg("--realms").arg(&realms).spawn();
    let url = process.registry_url();
    let registry = url.split('/').nth(2).unwrap().parse().unwrap();
    let secret = SECRET;
    (process, Door { registry, secret })
}

/// What all peers do who are drawn from this seed, and then the end of their leases.
async fn mixture(process: &Process, door: Door, seed: u64, duration: Duration) {
    let registry = door.registry;
    let until = Instant::now() + duration;
    let bystander = tokio::spawn(bystand(door, until));
    let mut peers = JoinSet::new();
    for number in 0..PEERS {
        // Some are of no realm at all.
        let secret = if number % 6 == 5 { "of-none" } else { door.secret };
        let peer = Peer {
            door: Door { secret, ..door },
            from: Ipv4Addr::new(127, 0, 7, number + 1),
            realm_id: u32::from(number % 5),
            rng: StdRng::seed_from_u64(seed ^ u64::from(number)),
            held: Vec::new(),
            deaf: Vec::new(),
        };
        peers.spawn(peer.run(until));
    }
    let held: Vec<_> = peers.join_all().await.into_iter().flatten().collect();
    assert!(bystander.await.unwrap() > 0);
    let (peak, mut told) = (process.peak_memory(), nodes(registry).await);
    println!("seed {seed}: {} connections, {peak} bytes, {told}", held.len());
    assert!(peak < PROMISED_MEMORY, "{peak} bytes, seed {seed}");
    drop(held);
    // The leases of all end.
    let give_up = Instant::now() + WAIT_TIMEOUT;
    while !told.ends_with("nodes: 0") {
        assert!(Instant::now() < give_up, "{told}, seed {seed}");
        sleep(Duration::from_millis(200)).await;
        told = nodes(registry).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_keeps_its_memory_whatever_peers_mix() {
    let deployment = Deployment::new();
    let (process, door) = start(&deployment);
    mixture(&process, door, campaign::seed(), DURATION).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes HOSTILE_MINUTES, or 5: cargo test -p end-to-end -- --ignored --nocapture one_mixture_after_another"]
async fn a_registry_outlives_one_mixture_after_another() {
    let deployment = Deployment::new();
    let (process, door) = start(&deployment);
    let files = process.open_files();
    let mut campaign = Campaign::of_environment();
    while let Some(seed) = campaign.next_round() {
        mixture(&process, door, seed, ROUND).await;
        let give_up = Instant::now() + WAIT_TIMEOUT;
        while process.open_files() > files {
            assert!(
                Instant::now() < give_up,
                "{} open files instead of {files}, seed {seed}",
                process.open_files()
            );
            sleep(Duration::from_millis(200)).await;
        }
        println!("{} bytes afterwards", process.resident_memory());
    }
}
