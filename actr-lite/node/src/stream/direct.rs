use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use actr_lite_wire::{identity::StreamId, trace_context::TraceContext};

use crate::stream::{options::StreamOptions, send_error::SendError, sender::StreamSender, uplink::Uplink};

/// The streams that a context has opened by sending their first frame.
///
/// They are the context's, not the connection's: when the receiver ends one and asks for another of the same id, that
/// request has a context of its own, and sends of the old one keep failing.
#[derive(Default)]
pub(crate) struct DirectStreams(Mutex<HashMap<(usize, StreamId), DirectSender>>);

/// A sender that several tasks may use, one after the other.
type DirectSender = Arc<tokio::sync::Mutex<StreamSender>>;

impl DirectStreams {
    /// The stream's sender, opened if this is its first frame.
    pub(crate) fn sender(
        &self,
        uplink: &Arc<Uplink>,
        stream_id: &StreamId,
        trace: Option<&TraceContext>,
    ) -> Result<DirectSender, SendError> {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(uplink, stream_id);
        if let Some(sender) = senders.get(&key) {
            return Ok(Arc::clone(sender));
        }
        let sender = Arc::new(tokio::sync::Mutex::new(StreamSender::open(
            uplink,
            stream_id.clone(),
            StreamOptions::default(),
            trace,
        )?));
        senders.insert(key, Arc::clone(&sender));
        Ok(sender)
    }

    /// The stream is over.
    pub(crate) fn forget(&self, uplink: &Arc<Uplink>, stream_id: &StreamId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key(uplink, stream_id));
    }
}

/// Unique as long as the entry is there: its sender keeps the uplink.
fn key(uplink: &Arc<Uplink>, stream_id: &StreamId) -> (usize, StreamId) {
    (Arc::as_ptr(uplink).addr(), stream_id.clone())
}
