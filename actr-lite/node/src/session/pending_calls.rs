use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::{envelope::ErrorReply, peer_text::RawText};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{error::actr_error::ActrError, session::open_call::OpenCall};

/// What a caller gets.
pub(super) type Answer = Result<Result<Bytes, ErrorReply>, ActrError>;

/// The calls that wait for the peer's answer.
#[derive(Default)]
pub(super) struct PendingCalls(Mutex<HashMap<String, PendingCall>>);

/// One of them.
pub(super) struct PendingCall {
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) shown: OpenCall,
}

impl PendingCalls {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, PendingCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an answer to its call; false if the call is not pending.
    pub(super) fn answer(&self, request_id: &RawText, result: Result<Bytes, ErrorReply>) -> bool {
        let waiting = self.lock().remove(request_id.as_str());
        waiting.is_some_and(|waiting| waiting.answer.send(Ok(result)).is_ok())
    }

    /// The connection is gone.
    pub(super) fn fail_all(&self, error: &ActrError) {
        let all: Vec<_> = self.lock().drain().collect();
        for (_, waiting) in all {
            // A caller that dropped its call does not wait for this.
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }
}
