//! What is known of a peer before there is a session.

use std::time::Instant;

use crate::certificate::Certificate;

/// What a peer's sessions are made of.
pub struct Setup<M> {
    /// Who this node is to DTLS.
    pub certificate: Certificate,
    /// When the times that are told begin.
    pub epoch: Instant,
    /// Whether this node's offer counts when both offer at once; it must be different at both ends.
    pub is_first: bool,
    /// Random: no other node's exchanges are called like this one's.
    pub seed: u64,
    /// The longest record that this node takes.
    pub max_record_len: usize,
    /// What counts the memory that records take: those of a session that come in fragments, and all that wait to be taken.
    pub memory: Box<dyn Fn() -> M + Send>,
}
