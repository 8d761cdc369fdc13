use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use actr_lite_engine::outgoing::add_grant;
use actr_lite_wire::{credit::CreditError, identity::StreamId};
use futures_util::task::AtomicWaker;
use tokio_util::sync::CancellationToken;

use crate::stream::send_error::SendError;

/// How much a sender sends before other tasks of its thread have their turn: four batches, a fraction of a millisecond.
/// A loop that only sends would otherwise keep calls waiting for as long as its credit lasts; with half as much the rate
/// of a single stream falls by a tenth.
const TURN_BYTES: usize = 256 << 10;

/// The same where several streams share the connection: a batch. What one leaves unfinished another fills up, so shorter
/// turns cost nothing, and a call waits for one turn of each.
const SHARED_TURN_BYTES: usize = 64 << 10;

/// What a connection knows of a stream that goes out over it.
#[derive(Debug)]
pub(crate) struct OutgoingStream {
    pub(super) stream_id: StreamId,
    /// Credit that came and was not counted by the sender yet.
    granted: AtomicU64,
    pub(super) waker: AtomicWaker,
    pub(super) end: OnceLock<SendError>,
    pub(super) closed: CancellationToken,
}

impl OutgoingStream {
    /// Counts credit that came.
    pub(crate) fn grant(&self, bytes: u64) -> Result<(), CreditError> {
        let add = |granted| add_grant(granted, bytes).ok();
        let added = self.granted.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        if let Err(granted) = added {
            add_grant(granted, bytes)?;
        }
        self.waker.wake();
        Ok(())
    }

    /// The credit that came since the last time.
    pub(super) fn take_granted(&self) -> u64 {
        self.granted.swap(0, Ordering::AcqRel)
    }

    /// The receiver is gone or wants no more.
    pub(crate) fn close(&self, reason: SendError) {
        let _ = self.end.set(reason);
        self.closed.cancel();
        self.waker.wake();
    }
}

/// The streams that go out over a connection.
#[derive(Debug, Default)]
pub(crate) struct OutgoingStreams(Mutex<HashMap<StreamId, Arc<OutgoingStream>>>);

impl OutgoingStreams {
    fn lock(&self) -> MutexGuard<'_, HashMap<StreamId, Arc<OutgoingStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, stream_id: &StreamId) -> Result<Arc<OutgoingStream>, SendError> {
        let mut streams = self.lock();
        if streams.contains_key(stream_id) {
            return Err(SendError::AlreadyOpen(stream_id.clone()));
        }
        let stream = Arc::new(OutgoingStream {
            stream_id: stream_id.clone(),
            granted: AtomicU64::new(0),
            waker: AtomicWaker::new(),
            end: OnceLock::new(),
            closed: CancellationToken::new(),
        });
        streams.insert(stream_id.clone(), Arc::clone(&stream));
        Ok(stream)
    }

    /// Forgets a stream and tells the receiver, under one lock: no stream with the same id can open in between.
    pub(super) fn remove(&self, stream: &OutgoingStream, say: impl FnOnce()) {
        let mut streams = self.lock();
        say();
        streams.remove(&stream.stream_id);
    }

    /// How much one of them sends before others have their turn.
    pub(super) fn turn(&self) -> usize {
        if self.lock().len() > 1 {
            SHARED_TURN_BYTES
        } else {
            TURN_BYTES
        }
    }

    /// The stream of this id, if it is sent.
    pub(crate) fn find(&self, stream_id: &StreamId) -> Option<Arc<OutgoingStream>> {
        self.lock().get(stream_id).cloned()
    }

    /// Ends all: the connection is gone.
    pub(crate) fn close_all(&self, reason: &SendError) {
        for stream in self.lock().values() {
            stream.close(reason.clone());
        }
    }
}
