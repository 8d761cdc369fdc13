//! What nodes of ours and official ones do together, so often that a fault of one run in ten is seen.

use std::time::Instant;

use crate::{webrtc_frames, webrtc_streams};

const RUNS: usize = 30;

const TESTS: [(&str, fn()); 10] = [
    (
        "official server, our client",
        webrtc_streams::an_official_server_streams_to_our_client,
    ),
    (
        "our server, official client",
        webrtc_streams::our_server_streams_to_an_official_client,
    ),
    (
        "official server, our client, published registry",
        webrtc_frames::an_official_server_streams_with_the_published_registry,
    ),
    (
        "our server, official client, published registry",
        webrtc_streams::our_server_streams_with_the_published_registry,
    ),
    (
        "calls both ways, official node first",
        webrtc_streams::calls_both_ways_at_once_are_answered_at_once,
    ),
    (
        "calls both ways, our node first",
        webrtc_streams::calls_both_ways_are_answered_if_our_node_offers,
    ),
    (
        "calls both ways, published registry",
        webrtc_streams::calls_both_ways_are_answered_with_the_published_registry,
    ),
    (
        "our server dies",
        webrtc_streams::an_official_client_goes_on_when_our_server_dies,
    ),
    (
        "an official client dies",
        webrtc_streams::our_server_goes_on_when_an_official_client_dies,
    ),
    (
        "an official server dies",
        webrtc_streams::the_death_of_an_official_server_is_told_in_time,
    ),
];

#[test]
#[ignore = "takes half an hour: cargo test -- --ignored --nocapture series"]
#[allow(clippy::print_stderr, reason = "who waits for it wants to know how far it is")]
fn a_series_of_runs_has_no_failure() {
    for run in 1..=RUNS {
        for (name, test) in TESTS {
            let began = Instant::now();
            test();
            eprintln!("run {run} of {RUNS}: {name}: {:.1} s", began.elapsed().as_secs_f64());
        }
    }
}
