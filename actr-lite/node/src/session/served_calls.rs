use std::{
    hash::RandomState,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_engine::served_calls;
use actr_lite_wire::peer_text::RawText;
use futures_util::future::AbortHandle;

use crate::session::open_call::OpenCall;

/// The peer's calls that are being served, and the last ones that were, with what stops each of them: a message without an
/// answer can't be cancelled.
pub(super) struct ServedCalls(Mutex<served_calls::ServedCalls<Serving>>);

/// One of them.
pub(super) struct Serving {
    /// None of a message without an answer.
    pub(super) abort: Option<AbortHandle>,
    pub(super) shown: OpenCall,
}

impl ServedCalls {
    pub(super) fn new(is_extended: bool) -> Self {
        Self(Mutex::new(served_calls::ServedCalls::new(
            is_extended,
            RandomState::new(),
        )))
    }

    fn lock(&self) -> MutexGuard<'_, served_calls::ServedCalls<Serving>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request has come before.
    pub(super) fn is_known(&self, request_id: &RawText) -> bool {
        self.lock().is_known(request_id)
    }

    /// A request is served from now on.
    pub(super) fn begin(&self, request_id: Arc<RawText>, serving: Serving) {
        self.lock().begin(request_id, serving);
    }

    /// Those that are being served.
    pub(super) fn shown(&self) -> Vec<OpenCall> {
        self.lock().tasks().map(|serving| serving.shown).collect()
    }

    /// It was served, or given up.
    pub(super) fn finish(&self, request_id: &RawText) {
        self.lock().finish(request_id);
    }

    /// The caller no longer waits.
    pub(super) fn cancel(&self, request_id: &RawText) {
        let abort = self.lock().find(request_id).and_then(|serving| serving.abort.clone());
        if let Some(abort) = abort {
            abort.abort();
        }
    }

    /// The connection is gone: nobody waits any more.
    pub(super) fn cancel_all(&self) {
        let all: Vec<_> = self
            .lock()
            .tasks()
            .filter_map(|serving| serving.abort.clone())
            .collect();
        for abort in all {
            abort.abort();
        }
    }
}
