//! Who asks again and again, among nodes with the longest lists, keeps nobody else waiting.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use actr_lite::ActrType;
use actr_lite_wire::proto::{RouteCandidatesRequest, actr_to_signaling::Payload as Request};
use harness::Deployment;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    bystand,
    identity::{Door, connect, register, registration},
    nodes,
    peer::many_rules,
    start,
};

const CROWD_TYPE: &str = "acme:Crowd:1.0.0";

/// All of them are looked at by each question, as none lets the asker in.
const CROWD: usize = 500;

const FLOODS: u8 = 4;

const DURATION: Duration = Duration::from_secs(3);

/// What an answer takes in the middle: it is 6 ms where nothing else runs, and was ten seconds when each question held a
/// lock while it looked at all lists.
const USUAL: Duration = Duration::from_millis(250);

/// Nodes that are there for a lease.
async fn register_crowd(door: Door) {
    let from = Ipv4Addr::new(127, 0, 8, 1);
    let mut request = registration(CROWD_TYPE, 1);
    request.acl = Some(many_rules(&mut StdRng::seed_from_u64(1)));
    let mut stream = connect(door.registry, from).await.unwrap();
    for _ in 0..CROWD {
        register(&mut stream, door, &request).await.unwrap();
    }
}

/// Asks without a pause, and reads what is answered, until somebody ends this.
async fn flood(door: Door, number: u8) {
    let from = Ipv4Addr::new(127, 0, 9, number + 1);
    let mut stream = connect(door.registry, from).await.unwrap();
    let request = registration("acme:Asker:1.0.0", 1);
    let identity = register(&mut stream, door, &request).await.unwrap();
    let stream = connect(door.registry, from).await.unwrap();
    let stream = identity.open(stream, door.registry).await.unwrap();
    let (mut answers, mut questions) = stream.into_split();
    let question = identity.asks(Request::RouteCandidates(RouteCandidatesRequest {
        target_type: (&CROWD_TYPE.parse::<ActrType>().unwrap()).into(),
        criteria: None,
        client_fingerprint: String::new(),
        candidate_id: None,
    }));
    let many = question.repeat(16);
    let ask = async { while questions.write_all(&many).await.is_ok() {} };
    let read = async {
        let mut buffer = vec![0; 1 << 16];
        while answers.read(&mut buffer).await.is_ok_and(|len| len > 0) {}
    };
    tokio::join!(ask, read);
    panic!("who asks too often is told so, and stays connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_among_long_lists_keep_nobody_waiting() {
    let deployment = Deployment::new();
    let (_process, door) = start(&deployment);
    register_crowd(door).await;
    let floods: Vec<_> = (0..FLOODS).map(|number| tokio::spawn(flood(door, number))).collect();
    let until = Instant::now() + DURATION;
    let bystander = tokio::spawn(bystand(door, until));
    let mut waits = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        nodes(door.registry).await;
        waits.push(began.elapsed());
    }
    for flood in floods {
        assert!(!flood.is_finished());
        flood.abort();
    }
    let beats = bystander.await.unwrap();
    waits.sort_unstable();
    let usual = waits[waits.len() / 2];
    println!("{} times /health, median {usual:?}; {beats} heartbeats", waits.len());
    assert!(usual < USUAL && beats > 0, "{usual:?}, {beats} heartbeats");
}
