//! The promises of stream-register, kept by the real programs. One file a promise, or a group of one kind. The first of
//! them, that streams arrive, is in `tests/smoke`.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[cfg(target_os = "linux")]
mod accounts;
mod budget;
#[cfg(target_os = "linux")]
mod campaign;
mod check;
mod discovery;
mod faults;
#[cfg(target_os = "linux")]
mod junk;
mod limits;
mod lock;
mod log_format;
mod loss;
mod manifest;
#[cfg(target_os = "linux")]
mod memory;
mod metrics;
mod misbehaviour;
#[cfg(target_os = "linux")]
mod mixtures;
mod names;
mod open_metrics;
mod other_nodes;
#[cfg(target_os = "linux")]
mod output;
mod peer_text;
#[cfg(target_os = "linux")]
mod raw_connection;
#[cfg(target_os = "linux")]
mod raw_peer;
mod refusal;
mod registry_loss;
#[cfg(target_os = "linux")]
mod registry_memory;
mod secret_files;
#[cfg(unix)]
mod service_manager;
mod shutdown;
mod slow_link;
#[cfg(target_os = "linux")]
mod socket_activation;
#[cfg(target_os = "linux")]
mod special_files;
mod terminal;
mod tls;
mod trust;
