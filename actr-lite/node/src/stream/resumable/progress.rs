use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use actr_lite_wire::identity::{ActrId, StreamId};
use tokio_util::sync::CancellationToken;

use super::ResumableRequest;

/// How many servers are remembered by name: a run that meets more has other worries than a list.
const MAX_SERVERS: usize = 64;

/// What has come of a resumable stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeProgress {
    /// Frames that the callback got, which is also the number of the last.
    pub delivered: u64,
    /// Frames that came again, and were dropped.
    pub duplicates: u64,
    /// How many times a server took over from the one before, or from itself.
    pub resumes: u64,
    /// Who sent frames, in the order of their first; the first 64 of them.
    pub servers: Vec<ActrId>,
}

/// What the callback's side writes and everybody may read.
pub(super) struct Shared {
    pub(super) stream_id: StreamId,
    pub(super) delivered: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) resumes: AtomicU64,
    servers: Mutex<Vec<ActrId>>,
    /// Cancelled when the last frame was handed over, if there is one.
    pub(super) complete: CancellationToken,
}

impl Shared {
    pub(super) fn new(request: &ResumableRequest) -> Self {
        let complete = CancellationToken::new();
        if request.frames == 0 {
            complete.cancel();
        }
        Self {
            stream_id: request.stream_id.clone(),
            delivered: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
            servers: Mutex::default(),
            complete,
        }
    }

    pub(super) fn progress(&self) -> ResumeProgress {
        ResumeProgress {
            delivered: self.delivered.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            resumes: self.resumes.load(Relaxed),
            servers: self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// A server's first frame of a try.
    pub(super) fn add_server(&self, server: &ActrId) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() < MAX_SERVERS && !servers.contains(server) {
            servers.push(server.clone());
        }
    }
}
