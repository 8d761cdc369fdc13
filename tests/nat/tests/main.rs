//! Streams over WebRTC through NAT: the shipped programs behind routers, and coturn, all in network namespaces. It takes
//! Linux, root, `ip` of iproute2, `nft` of nftables and `turnserver` of coturn; without them the tests say so, and skip.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod coturn;
mod network;
mod scene;
mod streams;
