//! Many random schedules keep every promise, and each can be run again from its seed.
#![allow(clippy::print_stdout, reason = "cargo shows what a test prints when it fails")]

use std::{
    env,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use simulation::{campaign::campaign, run, webrtc};

/// How many schedules every change has to pass.
const SCHEDULES: u64 = 10_000;

/// The first of them: from here on they meet each event of [`MET`] several times, the rarest one five times.
const FIRST_SEED: u64 = 20_001;

/// How many the soak has.
const SOAK: u64 = 1_000_000;

/// The events that this many schedules must have covered.
const MET: [&str; 35] = [
    "breaks the protocol on connection {}, in its way {}",
    "cancels its call {}",
    "closes connection {} as unused",
    "does not answer the renewal of serial number {}",
    "does not serve a call on connection {}",
    "doubts the address of {}",
    "ends connection {} with who breaks the protocol",
    "forgets serial number {}",
    "has dropped {} frames of stream {}",
    "hears nothing on connection {}",
    "is asked again on connection {}",
    "is registered under serial number {}",
    "is shown an ended credential by serial number {}",
    "is to register again",
    "is to stop a call on connection {}",
    "is to stop a stream on connection {}",
    "is told to look elsewhere on connection {}",
    "loses connection {}",
    "makes a call again that met the end of connection {}",
    "meets a gap in stream {}",
    "misses {} frames of stream {}",
    "moves stream {} on",
    "reads connection {} no more for now",
    "queues frame {} of stream {}",
    "refuses a call on connection {}",
    "refuses a renewal of serial number {}",
    "refuses a stream on connection {}",
    "refuses connection {}",
    "renews the credential of serial number {}",
    "says unasked that it lives on connection {}",
    "sends a request again on connection {}",
    "sends stream {} already",
    "stream {} is given up behind frame {}",
    "waits for credit for stream {}",
    "waits for room for stream {}",
];

/// What as many schedules of sessions over WebRTC must have covered.
const SESSIONS_MET: [&str; 17] = [
    "answers",
    "answers another path",
    "asks for another path",
    "asks who offers",
    "can get no session",
    "closes its session",
    "crashes",
    "has a session",
    "has lost its session",
    "has lost the path",
    "has the path back",
    "is told that the other one is not there",
    "moves",
    "offers",
    "offers another path",
    "starts again",
    "wants a session",
];

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}, which is not a number")),
    )
}

/// Seeds that nobody has tried yet.
fn new_seeds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() * 1_000_000
}

fn run_schedules(first: u64, count: u64) {
    let began = Instant::now();
    println!("{count} schedules from seed {first} on");
    match campaign(first, count, run) {
        Ok(counts) => {
            println!("{counts:#?} in {:?}", began.elapsed());
            if count >= SCHEDULES {
                let missed: Vec<_> = MET.iter().filter(|what| !counts.events.contains_key(*what)).collect();
                assert!(missed.is_empty(), "no schedule met {missed:?}");
                assert!(counts.duplicates > 0 && counts.resumes > 0 && counts.vanished > 0);
            }
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn ten_thousand_schedules_lose_nothing_and_double_nothing() {
    // The same ones each time: a change that breaks one of them is to blame for it.
    let first = number("SIMULATION_SEED").unwrap_or(FIRST_SEED);
    run_schedules(first, number("SIMULATION_COUNT").unwrap_or(SCHEDULES));
}

#[test]
fn ten_thousand_schedules_of_sessions_end_with_one() {
    let first = number("SIMULATION_SEED").unwrap_or(1);
    let count = number("SIMULATION_COUNT").unwrap_or(SCHEDULES);
    let began = Instant::now();
    let counts = campaign(first, count, webrtc::run).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{:#?} in {:?}", counts.events, began.elapsed());
    let missed = SESSIONS_MET.iter().filter(|what| !counts.events.contains_key(*what));
    assert_eq!(missed.collect::<Vec<_>>(), Vec::<&&str>::new(), "no schedule met these");
}

#[test]
fn ten_thousand_schedules_with_an_official_node_end_well() {
    let first = number("SIMULATION_SEED").unwrap_or(1);
    let count = number("SIMULATION_COUNT").unwrap_or(SCHEDULES);
    let counts = campaign(first, count, webrtc::run_with_official).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{:#?}", counts.events);
    assert!(
        counts.events.contains_key("drops its connection"),
        "no two questions met"
    );
}

#[test]
fn one_schedule_with_an_official_node() {
    let seed = number("SIMULATION_SEED").unwrap_or(1);
    match webrtc::run_with_official(seed) {
        Ok(outcome) => println!("seed {seed}:\n{}", outcome.trace),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn one_schedule_of_sessions() {
    let seed = number("SIMULATION_SEED").unwrap_or(1);
    match webrtc::run(seed) {
        Ok(outcome) => println!("seed {seed}:\n{}", outcome.trace),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
#[ignore = "takes half an hour on two cores: cargo test -p simulation -- --ignored --nocapture"]
fn a_million_schedules_lose_nothing_and_double_nothing() {
    let first = number("SIMULATION_SEED").unwrap_or_else(new_seeds);
    run_schedules(first, number("SIMULATION_COUNT").unwrap_or(SOAK));
}

#[test]
fn one_schedule() {
    let seed = number("SIMULATION_SEED").unwrap_or(1);
    match run(seed) {
        Ok(outcome) => println!("seed {seed}: {:#?}\n{}", outcome.counts, outcome.trace),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in 0..50 {
        let (first, second) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!(first.counts, second.counts, "seed {seed}");
        assert_eq!(first.trace.hash(), second.trace.hash(), "seed {seed}");
    }
    assert_ne!(run(1).unwrap().trace.hash(), run(2).unwrap().trace.hash());
    for seed in 0..50 {
        let [first, second] = [(); 2].map(|()| webrtc::run(seed).unwrap().trace.hash());
        assert_eq!(first, second, "seed {seed} of sessions");
    }
}
