//! Over which lane a node reaches another one, as `[system.webrtc] mode` says. Nothing here has TLS but WebRTC.

use std::time::Duration;

use actr_lite::{ActrError, DiscoverError};
use tokio::time::timeout;

use crate::{
    harness::{address::free_address, deadline::within, messages::Ask, node_plan::NodePlan, pair::Pair},
    status::{row, status, telling},
};

#[derive(Debug, PartialEq, Eq)]
enum Lane {
    WebSocket,
    WebRtc,
}

fn mode(plan: NodePlan, mode: &str) -> NodePlan {
    plan.set(&format!("system.webrtc.mode={mode}"))
}

/// Over which lane a client has called a server.
async fn lane(server: impl FnOnce(NodePlan) -> NodePlan, client: impl FnOnce(NodePlan) -> NodePlan) -> Lane {
    let at_client = free_address();
    let pair = Pair::start(server, |plan| telling(client(plan), at_client)).await;
    pair.round_trip().await;
    match row(&status(at_client).await["node"]["connections"])["tls"].as_bool() {
        Some(true) => Lane::WebRtc,
        _ => Lane::WebSocket,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_an_address_is_dialled() {
    assert_eq!(lane(|plan| plan, |plan| plan).await, Lane::WebSocket);
    assert_eq!(lane(|plan| plan, |plan| mode(plan, "off")).await, Lane::WebSocket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_an_address_is_reached_over_webrtc() {
    assert_eq!(lane(NodePlan::hidden, |plan| plan).await, Lane::WebRtc);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_prefers_webrtc_dials_nobody() {
    assert_eq!(lane(|plan| plan, |plan| mode(plan, "prefer")).await, Lane::WebRtc);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_prefers_webrtc_dials_a_node_that_has_it_off() {
    let lane = lane(|plan| mode(plan, "off"), |plan| mode(plan, "prefer")).await;
    assert_eq!(lane, Lane::WebSocket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_reached_over_webrtc_that_is_off() {
    let pair = Pair::start(NodePlan::hidden, |plan| mode(plan, "off")).await;
    let called = within(pair.client.context().call(&pair.dest(), Ask::default())).await;
    assert!(
        matches!(called, Err(ActrError::Discover(DiscoverError::NotListed { .. }))),
        "{called:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_relays_only_tells_no_address_of_the_host() {
    let pair = Pair::start(NodePlan::hidden, |plan| plan.set("system.webrtc.force_relay=true")).await;
    let (dest, ctx) = (pair.dest(), pair.client.context());
    // Some ten times what it takes with them.
    let called = timeout(Duration::from_secs(3), ctx.call(&dest, Ask::default())).await;
    assert!(!matches!(called, Ok(Ok(_))), "{called:?}");
}
