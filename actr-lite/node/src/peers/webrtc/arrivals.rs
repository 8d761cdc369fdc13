use std::{
    collections::VecDeque,
    mem,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// How much may wait for one user of the sockets: what SCTP lets a peer have on its way, 1 MiB, and as much again for what
/// each datagram costs beside its data.
const MAX_WAITING: usize = 2 << 20;

/// What is counted for each entry beside its bytes.
const COST_OF_ONE: usize = 128;

/// Datagrams of one size from one sender, one behind the other; the last may be shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) from: SocketAddr,
    /// To which of this host's addresses.
    pub(super) to: SocketAddr,
    pub(super) segment: usize,
    pub(super) bytes: Bytes,
}

impl Arrival {
    /// Each by itself.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.segment)
    }

    fn cost(&self) -> usize {
        self.bytes.len() + COST_OF_ONE
    }
}

/// The datagrams that wait for one user of the sockets.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    arrivals: VecDeque<Arrival>,
    cost: usize,
}

impl Arrivals {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some more. What there is no room for is dropped, as by a path that is too narrow: how many datagrams.
    pub(super) fn push(&self, arrivals: impl Iterator<Item = Arrival>) -> usize {
        let mut dropped = 0;
        let mut waiting = self.lock();
        let is_first = waiting.arrivals.is_empty();
        for arrival in arrivals {
            let cost = arrival.cost();
            if waiting.cost + cost > MAX_WAITING {
                dropped += arrival.datagrams().count();
                continue;
            }
            waiting.cost += cost;
            waiting.arrivals.push_back(arrival);
        }
        drop(waiting);
        if is_first {
            self.told.notify_one();
        }
        dropped
    }

    /// All that wait, at least one.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&self) -> VecDeque<Arrival> {
        loop {
            let taken = mem::take(&mut *self.lock()).arrivals;
            if !taken.is_empty() {
                return taken;
            }
            self.told.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn arrival(number: u16) -> Arrival {
        Arrival {
            from: ([192, 0, 2, 1], number).into(),
            to: ([192, 0, 2, 2], 1).into(),
            segment: 1000,
            bytes: vec![0; 2500].into(),
        }
    }

    #[tokio::test]
    async fn all_that_wait_are_taken_in_order() {
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.next().now_or_never(), None);
        assert_eq!(arrivals.push((1..3).map(arrival)), 0);
        assert_eq!(arrivals.push((3..4).map(arrival)), 0);
        assert_eq!(arrivals.next().await, (1..4).map(arrival).collect::<Vec<_>>());
        assert_eq!(arrivals.next().now_or_never(), None);
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_dropped_and_counted() {
        let arrivals = Arrivals::default();
        let count = MAX_WAITING / arrival(0).cost();
        assert_eq!(arrivals.push((0..count as u16 + 2).map(arrival)), 2 * 3);
        assert_eq!(arrivals.next().await.len(), count);
        assert_eq!(arrivals.push((0..1).map(arrival)), 0, "there is room again");
    }
}
