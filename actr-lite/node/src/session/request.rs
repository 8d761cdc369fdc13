use std::{sync::Arc, time::Duration};

use actr_lite_wire::{envelope::Envelope, peer_text::RawText, trace_context::TraceContext};
use bytes::Bytes;

/// A request as it came.
pub(super) struct Request {
    pub(super) request_id: Arc<RawText>,
    pub(super) route: RawText,
    pub(super) payload: Bytes,
    pub(super) metadata: Vec<(String, String)>,
    /// What caused it.
    pub(super) trace: Option<TraceContext>,
    /// How long the message is that the payload may be a part of, and then keeps as a whole.
    pub(super) message_len: usize,
    /// How long the caller waits; `None` if nobody waits.
    pub(super) timeout: Option<Duration>,
    /// Whether the caller wants an answer.
    pub(super) is_call: bool,
}

impl Request {
    /// What an envelope asks for, which came in a message of this length; `None` if it is an answer.
    pub(super) fn of(envelope: Envelope, message_len: usize) -> Option<Self> {
        match envelope {
            Envelope::Request {
                request_id,
                route_key: route,
                payload,
                metadata,
                trace,
                timeout,
            } => Some(Self {
                request_id: request_id.into(),
                route,
                payload,
                metadata,
                trace,
                message_len,
                timeout,
                is_call: true,
            }),
            Envelope::Tell {
                request_id,
                route_key: route,
                payload,
                metadata,
                trace,
            } => Some(Self {
                request_id: request_id.into(),
                route,
                payload,
                metadata,
                trace,
                message_len,
                timeout: None,
                is_call: false,
            }),
            Envelope::Response { .. } => None,
        }
    }
}
