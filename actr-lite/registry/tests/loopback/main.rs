//! The registry over loopback, with a client of its own that shares nothing with the node.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod admin;
mod audit;
mod client;
mod holder;
mod hostile;
mod hosts;
mod limits;
mod logs;
mod misbehaviour;
mod possession;
mod rates;
mod realms;
mod registration;
mod reissue;
mod relay;
mod signaling;
mod signing_keys;
mod tls;
