//! Real nodes in one process, over loopback sockets and a real registry: what the documentation promises of calls,
//! streams, a node's life, and the data lane as any client sees it.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod accounts;
mod answers;
mod backpressure;
mod budget;
mod bystander;
mod calls;
mod data_lane;
mod dialling;
mod floods;
mod harness;
#[cfg(all(feature = "webrtc", target_os = "linux"))]
mod lane_choice;
mod latency_first;
mod lifecycle;
mod limits;
mod logs;
mod mixed_peers;
#[cfg(all(feature = "webrtc", target_os = "linux"))]
mod over_webrtc;
mod possession;
mod protocol_violations;
mod raw_peer;
mod reach;
mod record_limit;
mod refused_upgrades;
#[cfg(all(feature = "webrtc", target_os = "linux"))]
mod relayed_signals;
mod resumable;
mod slow_link;
mod status;
mod stream_cancel;
mod stream_end;
mod stream_frames;
mod stream_server;
mod tls;
mod traces;
