use std::time::Duration;

use actr_lite_engine::patience::Patience;
use actr_lite_quota::Permit;
use bytes::Bytes;

use crate::{exchange::ExchangeId, network::ConnectionId};

/// A call that is being served.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) connection: ConnectionId,
    pub(crate) request_id: String,
    pub(crate) route: &'static str,
    pub(crate) ready_at: Duration,
    /// In the caller's account.
    pub(crate) _places: [Permit; 2],
    /// For the answer that waits for room.
    pub(crate) held: Option<Permit>,
    /// How long it does.
    pub(crate) patience: Option<Patience>,
    pub(crate) stage: Stage,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// The handler has not had its turn: the payload, what it says, and behind which frame to start.
    Asked {
        payload: Bytes,
        subject: u64,
        exchange: ExchangeId,
        after: u64,
    },
    /// The answer waits for room.
    Answered(Vec<u8>),
}
