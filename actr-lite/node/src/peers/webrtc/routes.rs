use std::{
    mem,
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use actr_lite_webrtc::{
    demultiplexer::{Demultiplexer, Path},
    stun::is_stun,
};
use bytes::BytesMut;

use crate::{
    peers::webrtc::{
        arrivals::{Arrival, Arrivals},
        port::Message,
    },
    tally::tally::Tally,
};

/// Whose the datagrams are that come to a node's sockets.
pub(super) struct Routes {
    demultiplexer: Mutex<Demultiplexer<Arc<Arrivals>>>,
    tally: Arc<Tally>,
}

/// What is used again for each batch of datagrams.
#[derive(Default)]
pub(super) struct Batch {
    bytes: BytesMut,
    runs: Vec<Run>,
    found: Vec<(Arc<Arrivals>, Arrival)>,
}

/// Datagrams that go the same way: of one size, from one sender, either one of STUN or others.
struct Run {
    from: SocketAddr,
    segment: usize,
    range: Range<usize>,
    /// Another one may follow.
    is_open: bool,
}

impl Routes {
    /// Nobody's yet. What is dropped is counted by `tally`.
    pub(super) fn new(tally: Arc<Tally>) -> Self {
        Self {
            demultiplexer: Mutex::default(),
            tally,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Demultiplexer<Arc<Arrivals>>> {
        // No code panics while it holds the lock.
        self.demultiplexer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands what has come to `local` to whom it is for.
    pub(super) fn deliver<'a>(
        &self,
        local: SocketAddr,
        messages: impl Iterator<Item = Message<'a>>,
        batch: &mut Batch,
    ) {
        for message in messages {
            batch.add(message);
        }
        let bytes = batch.bytes.split().freeze();
        let mut unknown = 0;
        let demultiplexer = self.lock();
        for run in batch.runs.drain(..) {
            let arrival = Arrival {
                from: run.from,
                to: local,
                segment: run.segment,
                bytes: bytes.slice(run.range),
            };
            let path = Path {
                local,
                remote: run.from,
            };
            let routes = demultiplexer.find(path, &arrival.bytes);
            if routes.is_empty() {
                unknown += arrival.datagrams().count();
            }
            let targets = routes.iter().filter_map(|route| demultiplexer.target(*route));
            batch
                .found
                .extend(targets.map(|target| (Arc::clone(target), arrival.clone())));
        }
        drop(demultiplexer);
        self.tally.datagrams_unknown.fetch_add(unknown as u64, Relaxed);
        let mut found = batch.found.drain(..).peekable();
        while let Some((target, first)) = found.next() {
            let mut next = Some(first);
            let same = std::iter::from_fn(|| {
                let following = found.next_if(|(other, _)| Arc::ptr_eq(other, &target));
                mem::replace(&mut next, following.map(|(_, arrival)| arrival))
            });
            let dropped = target.push(same);
            self.tally.datagrams_overflowed.fetch_add(dropped as u64, Relaxed);
        }
    }
}

impl Batch {
    fn add(&mut self, message: Message<'_>) {
        for datagram in message.bytes.chunks(message.segment) {
            let (start, is_stun) = (self.bytes.len(), is_stun(datagram));
            self.bytes.extend_from_slice(datagram);
            let end = self.bytes.len();
            match self.runs.last_mut() {
                Some(run) if run.is_open && !is_stun && run.from == message.from && datagram.len() <= run.segment => {
                    run.range.end = end;
                    run.is_open = datagram.len() == run.segment;
                }
                _ => self.runs.push(Run {
                    from: message.from,
                    segment: datagram.len(),
                    range: start..end,
                    is_open: !is_stun,
                }),
            }
        }
    }
}
