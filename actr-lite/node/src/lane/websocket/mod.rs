//! The data lane as actr's WebSocket between nodes (RFC 6455; headers and records of actr 0.4.21).
//!
//! One task drives each connection. Whoever sends appends to the connection's [`outbox::Outbox`] and, when that has a
//! batch together, writes it to the socket itself: no queue and no other task stands between a sender and the socket.

pub(crate) mod connection;
mod driver;
mod exchange;
mod outbox;
mod read;
pub(crate) mod socket;
mod tls_socket;
pub(crate) mod upgraded;
mod write_gauge;
