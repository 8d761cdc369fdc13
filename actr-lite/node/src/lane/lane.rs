//! The seam between sessions and what carries their records from node to node.
//!
//! A lane belongs to one session, and the session to one peer: the one that proved itself to an acceptor, or the one
//! whom the registry names at the address dialled. Below the seam lie batches, masks and sockets; above it records, of
//! which credit counts the bytes as [`actr_lite_wire::record`] writes them. A lane that works otherwise (WebRTC data channels,
//! say) implements [`Lane`], and calls a [`Receiver`](crate::lane::receiver::Receiver) with what comes.
//!
//! States: a lane is connecting until its session exists, ready from then on, and closed once; one that can recover
//! keeps what is queued and answers [`SendRefused::Full`] meanwhile.

use crate::sync::room::Room;
use actr_lite_engine::outbox::{self, Accepted, Urgency};
use actr_lite_quota::Limit;
use actr_lite_wire::{control::Control, record::RecordKind, record_queue::Precedence};

use crate::lane::closing::Closing;

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

    /// How many bytes wait until the system takes them.
    fn unsent(&self) -> usize;

    /// Lets what waits leave at once.
    fn flush(&self);

    /// Takes a control record, whatever the queue's length; without effect where [`Self::has_control`] is false.
    ///
    /// A peer that makes this node say more than it reads is closed.
    fn send_control(&self, control: &Control);

    /// Tells, one waiter at a time, when there may be room again for records of this precedence after
    /// [`SendRefused::Full`].
    fn room(&self, precedence: Precedence) -> &Room;

    /// Sends what is queued, says why, and closes; all within a bounded time.
    fn close(&self, cause: Closing);
}

/// Why a lane does not take a record now. After `Full`, [`Lane::room`] tells when to try again.
pub(crate) type SendRefused = outbox::SendRefused<Limit>;
