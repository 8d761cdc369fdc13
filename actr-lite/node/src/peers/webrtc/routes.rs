use std::{
    mem,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use crate::{
    peers::webrtc::{
        arrivals::{Arrival, Arrivals},
        port::Message,
    },
    tally::tally::Tally,
};
use actr_lite_webrtc::{
    demultiplexer::{Demultiplexer, Path},
    stun::is_stun,
};

/// Whose the datagrams are that come to a node's sockets.
pub(super) struct Routes {
    demultiplexer: Mutex<Demultiplexer<Arc<Arrivals>>>,
    tally: Arc<Tally>,
}

/// What is used again for each batch of datagrams.
#[derive(Default)]
pub(super) struct Batch {
    runs: Vec<Run>,
    found: Vec<(Arc<Arrivals>, Arrival)>,
}

/// Datagrams that go the same way: of one size, from one sender, either one of STUN or others.
struct Run {
    from: SocketAddr,
    segment: usize,
    bytes: Vec<u8>,
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
        let mut unknown = 0;
        let demultiplexer = self.lock();
        for run in batch.runs.drain(..) {
            let arrival = Arrival {
                from: run.from,
                to: local,
                segment: run.segment,
                bytes: run.bytes,
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
        let mut rest = message.bytes.len();
        for datagram in message.bytes.chunks(message.segment) {
            let is_stun = is_stun(datagram);
            match self.runs.last_mut() {
                Some(run) if run.is_open && !is_stun && run.from == message.from && datagram.len() <= run.segment => {
                    run.bytes.extend_from_slice(datagram);
                    run.is_open = datagram.len() == run.segment;
                }
                _ => {
                    let mut bytes = Vec::with_capacity(if is_stun { datagram.len() } else { rest });
                    bytes.extend_from_slice(datagram);
                    self.runs.push(Run {
                        from: message.from,
                        segment: datagram.len(),
                        bytes,
                        is_open: !is_stun,
                    });
                }
            }
            rest -= datagram.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_webrtc::demultiplexer::Evidence;
    use futures_util::FutureExt as _;

    use super::*;

    fn address(host: u8) -> SocketAddr {
        ([192, 0, 2, host], 1).into()
    }

    fn message(host: u8, segment: usize, bytes: &[u8]) -> Message<'_> {
        Message {
            from: address(host),
            segment,
            bytes,
        }
    }

    #[test]
    fn what_comes_together_goes_where_each_belongs() {
        let routes = Routes::new(Arc::default());
        let arrivals = [(); 2].map(|()| Arrivals::new(None));
        for (host, arrivals) in [1, 2].into_iter().zip(&arrivals) {
            let mut demultiplexer = routes.lock();
            let route = demultiplexer.enter(Arc::clone(arrivals)).unwrap();
            let path = Path {
                local: address(9),
                remote: address(host),
            };
            demultiplexer.bind(route, path, Evidence::Answer);
        }
        let messages = [
            message(1, 3, b"aaabbbc"),
            message(2, 3, b"ddd"),
            message(1, 4, b"eeee"),
            message(3, 2, b"ffgg"),
            // The third begins as STUN does, and is a question for nobody.
            message(1, 2, b"hhii\0\0jj"),
            message(1, 2, b"kk"),
        ];
        let mut batch = Batch::default();
        routes.deliver(address(9), messages.into_iter(), &mut batch);
        let taken = arrivals.map(|arrivals| {
            let taken = arrivals.next().now_or_never().unwrap();
            let shown = taken.iter().map(|arrival| (arrival.segment, arrival.bytes.clone()));
            shown.collect::<Vec<_>>()
        });
        let expected =
            |runs: &[(usize, &[u8])]| -> Vec<_> { runs.iter().map(|(len, run)| (*len, run.to_vec())).collect() };
        assert_eq!(
            taken,
            [
                expected(&[(3, b"aaabbbc"), (4, b"eeee"), (2, b"hhii"), (2, b"jjkk")]),
                expected(&[(3, b"ddd")])
            ]
        );
        assert_eq!(routes.tally.datagrams_unknown.load(Relaxed), 3);
    }
}
