//! How a connection becomes a data lane: what is asked, who asks, and what the answer means.
//!
//! HTTP's heads come and go as values of the crate [`http`]; whoever has the socket reads and writes them. In reading
//! order: [`offer`] is what one who dials asks, and what it makes of the answer; [`request`] what the other end reads of it,
//! and answers; [`doorkeeper`] decides who may connect, and how often; [`refused`] is the answer to who may not.

pub mod doorkeeper;
mod headers;
pub mod offer;
pub mod peer_limit;
pub mod refused;
pub mod request;

/// How many connections may be on their way to an upgrade: a thousand of them would cost some 50 MiB with TLS, and one
/// that is honest takes a few round trips.
pub const MAX_UPGRADES: usize = 256;
