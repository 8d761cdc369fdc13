use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::peer_text::RawText;
use futures_util::future::AbortHandle;

/// How many requests of a peer without the extension are remembered when they are done: it may send the first ones again
/// that it makes over a connection.
const MAX_REMEMBERED: usize = 64;

/// The peer's calls that are being served, and the last ones that were.
#[derive(Default)]
pub(super) struct ServedCalls {
    /// By request id; a message without an answer can't be cancelled.
    serving: Mutex<HashMap<Arc<RawText>, Option<AbortHandle>>>,
    /// The oldest first, as digests, since an id may be as long as a record; empty with a peer that speaks the extension.
    done: Mutex<VecDeque<u64>>,
    /// No peer can choose ids of the same digest.
    digests: RandomState,
}

impl ServedCalls {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<Arc<RawText>, Option<AbortHandle>>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request arrived before and is done.
    pub(super) fn is_done(&self, request_id: &RawText) -> bool {
        self.done().contains(&self.digests.hash_one(request_id))
    }

    pub(super) fn remember(&self, request_id: &RawText) {
        let mut done = self.done();
        if done.len() == MAX_REMEMBERED {
            done.pop_front();
        }
        done.push_back(self.digests.hash_one(request_id));
    }

    /// The caller no longer waits.
    pub(super) fn cancel(&self, request_id: &RawText) {
        let serving = self.lock().get(request_id).cloned();
        if let Some(Some(serving)) = serving {
            serving.abort();
        }
    }

    /// The connection is gone: nobody waits any more.
    pub(super) fn cancel_all(&self) {
        let all: Vec<_> = self.lock().values().flatten().cloned().collect();
        for serving in all {
            serving.abort();
        }
    }
}
