use actr_lite_wire::send_queue::Piece;

use super::Accepted;

/// Bytes to be written before any others of the connection. Whoever gets them writes them without the outbox's lock, and
/// then gives them back; until then nobody else gets any.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Writing {
    /// Boxed, so that the answer for each record that only waits is small.
    pub(super) piece: Box<Piece>,
    pub(super) then: Then,
}

/// What follows a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: one piece was to leave.
    Stop,
    /// The next full batch.
    Batches,
}

impl Writing {
    /// What is to be written.
    pub fn bytes(&self) -> &[u8] {
        &self.piece.bytes[self.piece.start..]
    }
}

/// What a sender does next.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It writes this, as much as the socket takes without waiting, and then calls [`wrote`](super::Outbox::wrote).
    Write(Writing),
    /// Nothing more.
    Done(Accepted),
}

/// What a sender gets for its record.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// It is taken.
    Taken(Next),
    /// It is not: this is to be written first, and then the record to be sent again.
    After(Writing),
}

/// What the driver of a connection does next.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Drive {
    /// It writes this, as much as the socket takes, and then calls [`drove`](super::Outbox::drove).
    Write(Writing),
    /// Senders have added more while it wrote: it comes back when other tasks have had their turn.
    More,
    /// It rests until it is woken: there is nothing to write.
    Idle,
    /// It rests until it is woken: somebody else writes.
    Busy,
    /// All was written, the close frame last.
    Closed,
}
