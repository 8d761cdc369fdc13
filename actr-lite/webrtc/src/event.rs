//! What whoever uses the sessions with a peer is told.

use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_wire::websocket::CloseFrame;
use bytes::Bytes;

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a session, on which this was agreed.
    Ready(Agreed),
    /// What has come: with the extension any number of records, otherwise one; each with a record's header.
    Record(Bytes),
    /// The session's path is another one, or the first.
    Path {
        /// Whether it goes over a relay, this node's or the peer's.
        is_relayed: bool,
    },
    /// The session's path is gone. What is queued is kept.
    Recovering,
    /// It is back.
    Recovered,
    /// The session that was ready has ended.
    Ended(String),
    /// The same, and the peer has said why it would close it.
    Closed(CloseFrame),
    /// There is no session, after all retries.
    Failed(String),
}
