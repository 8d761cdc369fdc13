//! actr's WebRTC data channels without I/O, as actr 0.4.21 speaks them.
//!
//! In reading order:
//!
//! - [`channel`]: the four channels, one for each payload type
//! - [`outgoing`]: records that wait, as messages for the channels
//! - [`assembly`]: messages of the channels, as records
//! - [`demultiplexer`]: whose the datagrams are that come to sockets which many sessions share, by what [`stun`] and their
//!   addresses say; [`burst`]: those that leave in one call
//! - `extension`, with the feature `str0m`: how two nodes of this kind agree on batches and control records
//! - [`signal`]: what two nodes say to each other over the registry
//! - [`negotiation`]: who offers, retries, replacement, recovery: which session there is, without the session
//!   ([`event`]: what comes of it)
//! - `session`, with the feature `str0m`: one peer connection, from its offer to its end (`window`: how much is on its way)
//! - `peer`, with the feature `str0m`: all sessions with one peer, one after the other
//! - `nat`, with the feature `str0m`: public addresses and relays, for nodes behind NAT

pub mod assembly;
pub mod burst;
#[cfg(feature = "str0m")]
mod candidates;
#[cfg(feature = "str0m")]
mod certificate;
pub mod channel;
pub mod datagram;
pub mod demultiplexer;
pub mod event;
#[cfg(feature = "str0m")]
mod extension;
mod fragment;
#[cfg(feature = "str0m")]
mod local;
mod message_queue;
#[cfg(feature = "str0m")]
pub mod nat;
pub mod negotiation;
pub mod outgoing;
#[cfg(feature = "str0m")]
pub mod peer;
pub mod retries;
#[cfg(feature = "str0m")]
mod session;
pub mod signal;
pub mod stage;
pub mod stun;
#[cfg(feature = "str0m")]
mod window;
