use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actr_lite_wire::{frame::DataStream, identity::ActrId};
use tokio::sync::Notify;

/// How many servers are remembered by name: a run that meets more has other worries than a list.
const MAX_SERVERS: usize = 64;

/// Stands for an unknown number of frames.
const UNKNOWN: u64 = u64::MAX;

/// What has come of a stream so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamProgress {
    /// Frames that the callback got.
    pub delivered: u64,
    /// The bytes of their payloads.
    pub bytes: u64,
    /// Frames that arrived again and were dropped.
    pub duplicates: u64,
    /// Frames that the callback got after one with a higher number: 0 for a reliable stream.
    pub out_of_order: u64,
    /// How many times a server took over from the one before, or from itself.
    pub resumes: u64,
    /// Who sent frames, in the order of their first; the first 64 of them.
    pub servers: Vec<ActrId>,
    /// From the registration to the last frame; until then, to now.
    pub elapsed: Duration,
}

/// What the callback's side counts, and everybody may read.
pub(crate) struct ProgressCell {
    registered: Instant,
    expected: AtomicU64,
    delivered: AtomicU64,
    bytes: AtomicU64,
    /// The number of the last frame handed over.
    last: AtomicU64,
    duplicates: AtomicU64,
    out_of_order: AtomicU64,
    resumes: AtomicU64,
    servers: Mutex<Vec<ActrId>>,
    completed: OnceLock<Instant>,
    /// The last frame of all was handed over.
    changed: Notify,
}

impl ProgressCell {
    pub(crate) fn new() -> Self {
        Self {
            registered: Instant::now(),
            expected: AtomicU64::new(UNKNOWN),
            delivered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            out_of_order: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
            servers: Mutex::default(),
            completed: OnceLock::new(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn snapshot(&self) -> StreamProgress {
        let until = self.completed.get().copied().unwrap_or_else(Instant::now);
        StreamProgress {
            delivered: self.delivered(),
            bytes: self.bytes.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            out_of_order: self.out_of_order.load(Relaxed),
            resumes: self.resumes.load(Relaxed),
            servers: self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            elapsed: until.saturating_duration_since(self.registered),
        }
    }

    /// So many frames are wanted, and none beyond.
    pub(crate) fn expect(&self, frames: u64) {
        self.expected.store(frames, Relaxed);
        if self.is_complete() {
            self.complete();
        }
    }

    /// How many frames are wanted, if that was said.
    pub(crate) fn expected(&self) -> Option<u64> {
        Some(self.expected.load(Relaxed)).filter(|frames| *frames != UNKNOWN)
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// The number of the last frame handed over; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Relaxed)
    }

    /// Whether all frames that are wanted were handed over.
    pub(crate) fn is_complete(&self) -> bool {
        self.delivered() >= self.expected.load(Relaxed)
    }

    /// Waits until all frames that are wanted were handed over.
    pub(crate) async fn completed(&self) {
        self.until(|| self.is_complete()).await;
    }

    pub(crate) fn add_resume(&self) {
        self.resumes.fetch_add(1, Relaxed);
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    fn complete(&self) {
        let _ = self.completed.set(Instant::now());
        self.changed.notify_waiters();
    }

    fn add_server(&self, server: &ActrId) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() < MAX_SERVERS && !servers.contains(server) {
            servers.push(server.clone());
        }
    }
}

/// Counts what one server's stream hands over. There is one at a time, so plain stores do.
pub(super) struct Tally<'a> {
    cell: &'a ProgressCell,
    server: &'a ActrId,
    duplicates_before: u64,
    is_first: bool,
}

impl<'a> Tally<'a> {
    pub(super) fn new(cell: &'a ProgressCell, server: &'a ActrId) -> Self {
        Self {
            cell,
            server,
            duplicates_before: cell.duplicates.load(Relaxed),
            is_first: true,
        }
    }

    /// Whether a frame is one of those that are wanted.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        !self.cell.is_complete()
    }

    /// A frame is about to be handed over.
    #[inline]
    pub(super) fn begin(&mut self, frame: &DataStream) -> Counted {
        Counted {
            sequence: frame.sequence,
            len: frame.payload.len() as u64,
        }
    }

    /// It was handed over.
    #[inline]
    pub(super) fn count(&mut self, frame: Counted) {
        let cell = self.cell;
        let delivered = cell.delivered() + 1;
        cell.bytes.store(cell.bytes.load(Relaxed) + frame.len, Relaxed);
        if frame.sequence < cell.last() {
            cell.out_of_order.fetch_add(1, Relaxed);
        }
        cell.last.store(frame.sequence, Relaxed);
        cell.delivered.store(delivered, Relaxed);
        if self.is_first {
            self.is_first = false;
            cell.add_server(self.server);
        }
        if delivered == cell.expected.load(Relaxed) {
            cell.complete();
        }
    }

    /// This many frames of this server arrived again.
    pub(super) fn set_duplicates(&self, duplicates: u64) {
        self.cell.duplicates.store(self.duplicates_before + duplicates, Relaxed);
    }
}

/// What is counted of a frame that the callback has got.
pub(super) struct Counted {
    sequence: u64,
    len: u64,
}
