//! The data lane as actr's WebSocket between nodes (RFC 6455; headers and records of actr 0.4.21).
//!
//! One task drives each connection. Whoever sends appends to the connection's [`outbox::Outbox`] and, when that has a
//! batch together, writes it to the socket itself: no queue and no other task stands between a sender and the socket.

mod accept;
mod connection;
mod dial;
mod driver;
mod exchange;
mod outbox;
mod peer_limit;
mod socket;
mod tls_socket;
mod write_gauge;

pub(crate) use accept::Acceptor;
pub use accept::BindError;
pub(crate) use connection::Connection;
pub(crate) use dial::{DialError, Dialer, Upgraded, dial};

/// The header by which a node that speaks the extension asks that the connection be kept when nobody uses it.
const KEEP_OPEN_HEADER: &str = "x-actr-lite-keep-open";

/// The header that names who dials: hex of the encoded id.
const SOURCE_HEADER: &str = "x-actr-source-id";

/// The header that proves it: base64 of the encoded credential.
const CREDENTIAL_HEADER: &str = "x-actr-credential";
