use std::{
    hash::RandomState,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_engine::served_calls;
use actr_lite_wire::peer_text::RawText;
use futures_util::future::AbortHandle;

/// The peer's calls that are being served, and the last ones that were, with what stops each of them: a message without an
/// answer can't be cancelled.
pub(super) struct ServedCalls(Mutex<served_calls::ServedCalls<Option<AbortHandle>>>);

impl ServedCalls {
    pub(super) fn new(is_extended: bool) -> Self {
        Self(Mutex::new(served_calls::ServedCalls::new(
            is_extended,
            RandomState::new(),
        )))
    }

    fn lock(&self) -> MutexGuard<'_, served_calls::ServedCalls<Option<AbortHandle>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request has come before.
    pub(super) fn is_known(&self, request_id: &RawText) -> bool {
        self.lock().is_known(request_id)
    }

    /// A request is served from now on.
    pub(super) fn begin(&self, request_id: Arc<RawText>, abort: Option<AbortHandle>) {
        self.lock().begin(request_id, abort);
    }

    /// It was served, or given up.
    pub(super) fn finish(&self, request_id: &RawText) {
        self.lock().finish(request_id);
    }

    /// The caller no longer waits.
    pub(super) fn cancel(&self, request_id: &RawText) {
        let serving = self.lock().find(request_id).cloned();
        if let Some(Some(serving)) = serving {
            serving.abort();
        }
    }

    /// The connection is gone: nobody waits any more.
    pub(super) fn cancel_all(&self) {
        let all: Vec<_> = self.lock().tasks().flatten().cloned().collect();
        for serving in all {
            serving.abort();
        }
    }
}
