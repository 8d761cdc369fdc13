//! Deterministic simulation: the protocol without I/O and the registry's directory, on a clock and a network of its own.
//!
//! A schedule is drawn from a seed, and run in one thread, event by event: the same seed gives the same events. What
//! decides is the real code of `actr-lite-wire`, of the machines in `actr-lite-engine`, and of the registry's directory;
//! around it stands a shell of plain state, as the node's is one of locks, sockets and timers. See `tests/README.md` for
//! what is simulated and what is not.
//!
//! - [`run`]: one schedule
//! - [`webrtc::run`]: one of two nodes with sessions over WebRTC
//! - [`webrtc::run_with_official`]: one of a node and an official one, which begin at the same time
//! - [`campaign`]: many of either, on all cores
//!
//! Behind them, in reading order: `schedule` (what is drawn from the seed), `world` (the clock, the events, and what
//! must hold for all hosts together), `network`, `registry`, `link` and `asking` (a node's side of it), `node`, `dials`
//! and `upgrades` (how it gets connections), `lane`, `idle` (when it closes one), `shutdown`, `exchanges` (calls that it
//! makes), `servings` (calls that it answers), `calls`, `outbox` and `waiters` (the shell around a connection), `outgoing`
//! (a stream that is sent), `inbox`, `reception` (a stream that is received), `client_stream` and `requests` (a stream
//! that is asked for again when it breaks), `deed` and `deeds` (how somebody breaks the protocol), `trace`.

mod asking;
mod caller;
mod calls;
pub mod campaign;
mod client_stream;
mod context;
mod deed;
mod deeds;
mod dialling;
mod dials;
mod exchange;
mod exchanges;
mod handshake;
mod idle;
mod inbox;
mod lane;
mod leaving;
mod link;
mod network;
mod node;
mod outbox;
mod outgoing;
mod reception;
mod registry;
mod requests;
mod routes;
mod schedule;
mod serving;
mod servings;
mod shutdown;
mod stream_spec;
mod trace;
mod upgrade;
mod upgrades;
mod waiters;
pub mod webrtc;
mod world;

pub use trace::{Events, Trace};
pub use world::{Counts, Outcome, run};
