use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use actr_lite_net::DialProgress;
use actr_lite_wire::identity::ActrId;

use crate::{calendar::Calendar, config::LinkConfig, requests::Requests, signing_keys::SigningKeys};

/// How many of its ids a node answers to: it has a new one when its registry has lost the last one, and others look it up
/// again within seconds.
const MAX_OWN_IDS: usize = 16;

/// What a link's handles and its task have in common.
pub(crate) struct Shared {
    pub(crate) config: LinkConfig,
    pub(crate) requests: Arc<Requests>,
    pub(crate) calendar: Calendar,
    /// The step at which the link's own connection is; renewals beside it are not told.
    pub(crate) progress: DialProgress,
    keys: Mutex<SigningKeys>,
    /// The node's ids, the latest last.
    own_ids: Mutex<VecDeque<ActrId>>,
    is_leaving: AtomicBool,
    /// Before the number of each envelope, so that no other node's envelopes have the same id.
    envelope_prefix: String,
}

impl Shared {
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self {
            config,
            requests: Arc::default(),
            calendar: Calendar::default(),
            progress: DialProgress::default(),
            keys: Mutex::default(),
            own_ids: Mutex::default(),
            is_leaving: AtomicBool::new(false),
            envelope_prefix: format!("{:016x}-", rand::random::<u64>()),
        }
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, SigningKeys> {
        // No code panics while it holds the lock.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's ids, also those that it had.
    pub(crate) fn own_ids(&self) -> MutexGuard<'_, VecDeque<ActrId>> {
        // No code panics while it holds the lock.
        self.own_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node has this id from now on.
    pub(crate) fn is_now(&self, id: &ActrId) {
        let mut own_ids = self.own_ids();
        if own_ids.len() == MAX_OWN_IDS {
            own_ids.pop_front();
        }
        own_ids.push_back(id.clone());
    }

    /// The id of an envelope of this link.
    pub(crate) fn own_id(&self, number: &str) -> String {
        format!("{}{number}", self.envelope_prefix)
    }

    /// What [`Self::own_id`] was given, if `id` is of this link.
    pub(crate) fn own_number<'a>(&self, id: &'a str) -> Option<&'a str> {
        id.strip_prefix(&self.envelope_prefix)
    }

    /// The node leaves: a connection that ends now is not opened again.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }
}
