//! How a node behind NAT is reached, without I/O: servers tell it its public address, or relay for it.
//!
//! - [`reflexive`]: the address at which others see a UDP socket (STUN, RFC 8489)
//! - [`relay`]: an address at a relay, and what goes through it (TURN, RFC 8656)
//! - [`frames`]: what a relay sends over TCP, one by one
//! - [`reach`]: to how many addresses a node sends through relays for one peer
//! - `login`: what a node shows to a relay
//! - `stage`: how far it has got with an address there
//! - `channels`: the short way to each peer of a relay
//! - `requests`: what was asked and not answered
//! - `message`: STUN messages

mod channels;
pub mod frames;
mod login;
mod message;
pub mod reach;
pub mod reflexive;
pub mod relay;
mod requests;
#[cfg(test)]
mod server;
mod stage;
#[cfg(test)]
mod tests;

/// Makes the numbers of requests, which nobody may guess.
pub type Random = Box<dyn FnMut() -> u128 + Send>;
