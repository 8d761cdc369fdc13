use std::{
    collections::VecDeque,
    mem,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_engine::{held_bytes::HeldBytes, memory::Memory as _};
use tokio::sync::Notify;

/// How much may be held for one user of the sockets: what SCTP lets a peer have on its way, 1 MiB, and as much again for
/// what each datagram costs beside its data.
const MAX_HELD: usize = 2 << 20;

/// What is counted for each entry beside its bytes: its place in a queue whose memory grows to twice what it holds, and what
/// the allocator keeps beside the bytes.
const COST_OF_ONE: usize = 256;

/// Datagrams of one size from one sender, one behind the other; the last may be shorter. The memory is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) from: SocketAddr,
    /// To which of this host's addresses.
    pub(super) to: SocketAddr,
    pub(super) segment: usize,
    pub(super) bytes: Vec<u8>,
}

impl Arrival {
    /// Each by itself.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.segment)
    }

    fn cost(&self) -> usize {
        self.bytes.capacity() + COST_OF_ONE
    }
}

/// The datagrams that wait for one user of the sockets.
#[derive(Debug)]
pub(super) struct Arrivals {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Debug)]
struct Waiting {
    arrivals: VecDeque<Arrival>,
    /// What they cost, with those that were taken.
    held: usize,
    memory: Option<HeldBytes>,
}

/// Datagrams that were taken. They count until this is dropped.
pub(super) struct Arrived {
    arrivals: VecDeque<Arrival>,
    cost: usize,
    from: Arc<Arrivals>,
}

impl Arrivals {
    /// None wait yet. What does is counted by `memory`, if a peer makes this node hold it.
    pub(super) fn new(memory: Option<HeldBytes>) -> Arc<Self> {
        let waiting = Waiting {
            arrivals: VecDeque::new(),
            held: 0,
            memory,
        };
        Arc::new(Self {
            waiting: Mutex::new(waiting),
            told: Notify::new(),
        })
    }

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
            match waiting.hold(arrival.cost()) {
                true => waiting.arrivals.push_back(arrival),
                false => dropped += arrival.datagrams().count(),
            }
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
    pub(super) async fn next(self: &Arc<Self>) -> Arrived {
        loop {
            let arrivals = mem::take(&mut self.lock().arrivals);
            if !arrivals.is_empty() {
                return Arrived {
                    cost: arrivals.iter().map(Arrival::cost).sum(),
                    arrivals,
                    from: Arc::clone(self),
                };
            }
            self.told.notified().await;
        }
    }
}

impl Waiting {
    /// Whether so much more may be held; then it is counted.
    fn hold(&mut self, cost: usize) -> bool {
        let held = self.held + cost;
        let is_covered = |memory: &mut HeldBytes| memory.cover(held).is_ok();
        let is_held = held <= MAX_HELD && self.memory.as_mut().is_none_or(is_covered);
        if is_held {
            self.held = held;
        }
        is_held
    }
}

impl Arrived {
    /// One after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arrival> {
        self.arrivals.iter()
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.arrivals = VecDeque::new();
        let waiting = &mut *self.from.lock();
        waiting.held -= self.cost;
        if let Some(memory) = &mut waiting.memory {
            memory.shrink(waiting.held);
        }
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_engine::accounts::PeerAccount;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::lane::webrtc::outbox::tests::account;

    const FREE: usize = 16 << 10;

    fn arrival(number: u16) -> Arrival {
        Arrival {
            from: ([192, 0, 2, 1], number).into(),
            to: ([192, 0, 2, 2], 1).into(),
            segment: 1000,
            bytes: vec![0; 2500],
        }
    }

    fn counted(account: &Arc<PeerAccount>) -> Arc<Arrivals> {
        Arrivals::new(Some(HeldBytes::new(Arc::clone(account), FREE)))
    }

    #[tokio::test]
    async fn all_that_wait_are_taken_in_order() {
        let arrivals = Arrivals::new(None);
        assert!(arrivals.next().now_or_never().is_none());
        assert_eq!(arrivals.push((1..3).map(arrival)), 0);
        assert_eq!(arrivals.push((3..4).map(arrival)), 0);
        let taken = arrivals.next().await;
        assert!(taken.iter().eq(&(1..4).map(arrival).collect::<Vec<_>>()));
        assert!(arrivals.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_dropped_and_counted() {
        let arrivals = Arrivals::new(None);
        let count = MAX_HELD / arrival(0).cost();
        assert_eq!(arrivals.push((0..count as u16 + 2).map(arrival)), 2 * 3);
        let taken = arrivals.next().await;
        assert_eq!(taken.iter().count(), count);
        assert_eq!(arrivals.push((0..1).map(arrival)), 3, "they are still held");
        drop(taken);
        assert_eq!(arrivals.push((0..1).map(arrival)), 0, "there is room again");
    }

    #[tokio::test]
    async fn what_waits_is_on_the_account_until_it_was_used() {
        let account = account(16 << 20);
        let arrivals = counted(&account);
        assert_eq!(arrivals.push((0..100).map(arrival)), 0);
        let held = 100 * arrival(0).cost();
        assert!(account.bytes().used() >= held - FREE, "{}", account.bytes().used());
        let taken = arrivals.next().await;
        assert!(account.bytes().used() >= held - FREE);
        drop(taken);
        assert_eq!(account.bytes().used(), 0);
        assert_eq!(arrivals.push((0..100).map(arrival)), 0);
        drop(arrivals);
        assert_eq!(account.bytes().used(), 0, "nobody takes them any more");
    }

    #[tokio::test]
    async fn no_more_waits_than_the_share_of_the_peer() {
        let account = account(64 << 10);
        let arrivals = counted(&account);
        assert!(arrivals.push((0..100).map(arrival)) > 0);
        let taken = arrivals.next().await;
        let held: usize = taken.iter().map(Arrival::cost).sum();
        assert!(held <= FREE + (64 << 10), "{held}");
        drop(taken);
        assert_eq!(arrivals.push((0..1).map(arrival)), 0);
    }
}
