//! What a callback got.

use std::sync::{Arc, Mutex};

use actr_lite::DataStream;

use crate::harness::deadline::until;

/// The numbers that a callback got.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<u64>>>);

impl Seen {
    pub(crate) fn push(&self, frame: &DataStream) {
        assert_eq!(frame.payload, frame.sequence.to_string());
        self.0.lock().unwrap().push(frame.sequence);
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for the frame of this number.
    pub(crate) async fn last_is(&self, number: u64) {
        until(|| async { (self.numbers().last() == Some(&number)).then_some(()) }).await;
    }

    /// That all frames came, once and in order.
    pub(crate) fn assert_all(&self, frames: u64) {
        assert_eq!(self.numbers(), (1..=frames).collect::<Vec<_>>());
    }
}
