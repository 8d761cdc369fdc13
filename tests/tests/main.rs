//! The promises of stream-register, kept by the real programs. One file a promise, or a group of one kind.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod delivery;
mod demo;
mod discovery;
mod faults;
#[cfg(target_os = "linux")]
mod junk;
mod limits;
mod lock;
mod loss;
mod manifest;
#[cfg(target_os = "linux")]
mod memory;
mod misbehaviour;
mod refusal;
mod registry_loss;
mod shutdown;
mod slow_link;
mod tls;
mod trust;
mod usage;
