use std::{
    str,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use actr_lite::{DataStream, SequenceTally};
use tracing::{debug, info};

/// Up to so many messages each is logged; beyond, a log would bury what it says.
pub(crate) const MAX_LOGGED: u64 = 100;

/// What arrived of the stream. The callback writes it, everybody may read it.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    received: AtomicU64,
    bytes: AtomicU64,
    missing: AtomicU64,
    out_of_order: AtomicU64,
    ended: Mutex<Option<Instant>>,
}

impl Reception {
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How many of the expected messages did not come in their order.
    pub(crate) fn missing(&self) -> u64 {
        self.missing.load(Relaxed)
    }

    pub(crate) fn out_of_order(&self) -> u64 {
        self.out_of_order.load(Relaxed)
    }

    /// When the last message came.
    pub(crate) fn ended(&self) -> Option<Instant> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The callback's side: it alone counts, and lets others see the sums.
pub(crate) struct Receiver {
    reception: Arc<Reception>,
    expected: u64,
    tally: SequenceTally,
    bytes: u64,
}

impl Receiver {
    pub(crate) fn new(reception: Arc<Reception>, expected: u64) -> Self {
        reception.missing.store(expected, Relaxed);
        Self {
            reception,
            expected,
            tally: SequenceTally::default(),
            bytes: 0,
        }
    }

    pub(crate) fn take(&mut self, frame: &DataStream) {
        self.tally.observe(frame.sequence);
        self.bytes += frame.payload.len() as u64;
        if self.expected <= MAX_LOGGED {
            info!("Received: {}", text(&frame.payload));
        } else {
            debug!("Received: {}", text(&frame.payload));
        }
        // One writer, so plain stores do.
        self.reception.received.store(self.tally.received(), Relaxed);
        self.reception.bytes.store(self.bytes, Relaxed);
        self.reception.missing.store(self.tally.missing(self.expected), Relaxed);
        self.reception.out_of_order.store(self.tally.out_of_order(), Relaxed);
        if self.tally.received() >= self.expected {
            *self.reception.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

fn text(payload: &[u8]) -> &str {
    str::from_utf8(payload).unwrap_or("(not text)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(expected: u64, sequences: &[u64]) -> Arc<Reception> {
        let reception = Arc::new(Reception::default());
        let mut receiver = Receiver::new(Arc::clone(&reception), expected);
        for sequence in sequences {
            let frame = DataStream::new("ab12cd34".parse().unwrap(), *sequence, "12345");
            receiver.take(&frame);
        }
        reception
    }

    #[test]
    fn what_is_missing_is_known_at_any_moment() {
        assert_eq!(receive(3, &[]).missing(), 3);
        assert_eq!(receive(3, &[1]).missing(), 2);
        let reception = receive(3, &[1, 3]);
        assert_eq!(
            (reception.received(), reception.missing(), reception.bytes()),
            (2, 1, 10)
        );
        assert!(reception.ended().is_none());
    }

    #[test]
    fn it_is_complete_with_the_last_message() {
        let reception = receive(2, &[1, 2]);
        assert!(reception.ended().is_some());
        assert_eq!((reception.missing(), reception.out_of_order()), (0, 0));
    }
}
