use std::time::Duration;

use actr_lite_engine::{peers::dials::DialId, redials::Redials, resend::Resend};
use actr_lite_wire::identity::ActrId;
use bytes::Bytes;

use crate::network::ConnectionId;

/// Which call of a node, over all connections that it takes.
pub(crate) type ExchangeId = u64;

/// A call to a peer: from the way there to its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) reaching: Reaching,
    pub(crate) route: &'static str,
    pub(crate) payload: Bytes,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) redials: Redials,
    pub(crate) sent: Option<Sent>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) connection: ConnectionId,
    pub(crate) request_id: String,
    /// The request, while the peer may not have been ready for it, and when it is sent again.
    pub(crate) again: Option<(Bytes, Resend)>,
}

/// The way to a peer.
#[derive(Debug)]
pub(crate) struct Reaching {
    pub(crate) peer: ActrId,
    pub(crate) until: Duration,
    /// It waits for a connection that is being made.
    pub(crate) dial: Option<DialId>,
}

impl Reaching {
    pub(crate) fn new(peer: ActrId, until: Duration) -> Self {
        Self {
            peer,
            until,
            dial: None,
        }
    }
}

/// How far the way to a peer is.
pub(crate) enum Reached {
    /// Over this connection.
    Lane(usize),
    NotYet,
    Never,
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    Unreachable,
    TimedOut,
    /// The connection is lost on which it was made.
    Lost,
    /// The peer closed one connection after the other as unused.
    Unused,
    /// The peer answered with an error.
    Refused,
}
