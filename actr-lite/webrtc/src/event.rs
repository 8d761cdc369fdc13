//! What whoever uses the sessions with a peer is told.

use bytes::Bytes;

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a session.
    Ready,
    /// A record has come, with a record's header.
    Record(Bytes),
    /// The session's path is gone. What is queued is kept.
    Recovering,
    /// It is back.
    Recovered,
    /// The session that was ready has ended.
    Ended(String),
    /// There is no session, after all retries.
    Failed(String),
}
