//! The seam between sessions and what carries their records from node to node.
//!
//! A lane belongs to one session, and the session to one peer: the one that proved itself to an acceptor, or the one
//! whom the registry names at the address dialled. Below the seam lie batches, masks and sockets; above it records, of
//! which credit counts the bytes as [`actr_lite_wire::record`] writes them. A lane that works otherwise (WebRTC data channels,
//! say) implements [`Lane`], and calls [`crate::session::SessionReceiver`] with what comes.
//!
//! States: a lane is connecting until its session exists, ready from then on, and closed once; one that can recover
//! keeps what is queued and answers [`SendRefused::Full`] meanwhile.

mod patience;
mod turn;
pub(crate) mod websocket;

pub(crate) use actr_lite_engine::outbox::{Accepted, Urgency};
pub(crate) use patience::Patience;
pub(crate) use turn::Turn;

use std::time::Duration;

use actr_lite_engine::outbox;
use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::Control, peer_text::PeerText, record::RecordKind, send_queue::Precedence, websocket::CloseCode,
};
use thiserror::Error;
use tokio::sync::Notify;

use crate::error::humantime;

/// The way of records to one peer.
pub(crate) trait Lane: Send + Sync + 'static {
    /// Whether the peer understands control records.
    fn has_control(&self) -> bool;

    /// The longest record body that goes to the peer: neither end has a lower limit.
    fn max_record_len(&self) -> usize;

    /// Takes one record, or says at once why not. The body is `head` and `body` together.
    ///
    /// Never waits. What it takes goes out in the order of its [`Precedence`], at the latest when a batch is full; before
    /// that, `urgency` says.
    fn try_send(&self, kind: RecordKind, urgency: Urgency, head: &[u8], body: &[u8]) -> Result<Accepted, SendRefused>;

    /// How many bytes of records have left so far, about.
    fn sent(&self) -> u64;

    /// Lets what waits leave at once.
    fn flush(&self);

    /// Takes a control record, whatever the queue's length; without effect where [`Self::has_control`] is false.
    ///
    /// A peer that makes this node say more than it reads is closed.
    fn send_control(&self, control: &Control);

    /// Notified, one waiter at a time, when there may be room again for records of this precedence after
    /// [`SendRefused::Full`].
    fn room(&self, precedence: Precedence) -> &Notify;

    /// Sends what is queued, says why, and closes; all within a bounded time.
    fn close(&self, cause: Closing);
}

/// What a peer is told whose connection is closed because nobody uses it: a call that it has made meanwhile was not
/// served.
const UNUSED: &str = "nobody uses the connection any more";

/// Why this node closes a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Closing {
    /// The handle is dropped whose own it was.
    #[error("its handle was dropped")]
    Dropped,
    /// Nobody has used it for a long time. The peer's calls that came since are not served.
    #[error("{UNUSED}")]
    Idle,
    /// A stream that is to be asked for again can't be stopped in any other way.
    #[error("one of its streams is asked for again, and the peer knows no cancel")]
    Uncancellable,
    /// The node stops.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// The peer makes this node say more than it reads.
    #[error("the peer asks for more than it reads")]
    Overwhelmed,
    /// The peer has not read what it asked for.
    #[error("the peer did not read an answer in time (system.limits.stall_timeout)")]
    Stalled,
}

/// Why a lane does not take a record now. After `Full`, [`Lane::room`] tells when to try again.
pub(crate) type SendRefused = outbox::SendRefused<Limit>;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it and said why.
    #[error("it closed the connection ({code}{})", reason_text(.reason))]
    Closed {
        /// The WebSocket close code.
        code: u16,
        /// For people; may be empty.
        reason: PeerText,
    },
    /// It broke.
    #[error("the connection broke ({0})")]
    Lost(PeerText),
    /// The peer said nothing for so long.
    #[error("it has been silent for {}", humantime(*.0))]
    Silent(Duration),
    /// The peer did not follow the protocol.
    #[error("it broke the protocol: {0}")]
    Protocol(PeerText),
    /// This node closed it.
    #[error("this node closed the connection ({0})")]
    Local(String),
}

impl CloseReason {
    /// Whether the peer closed it because it had no use for it: what was sent meanwhile it has not looked at.
    pub(crate) fn is_unused(&self) -> bool {
        let normal = CloseCode::NORMAL.value();
        matches!(self, Self::Closed { code, reason } if *code == normal && reason.as_str() == UNUSED)
    }
}

fn reason_text(reason: &PeerText) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}
