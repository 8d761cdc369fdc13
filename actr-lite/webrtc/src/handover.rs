//! Batches on their way from a queue into a session.

use actr_lite_wire::record_queue::Precedence;

use crate::{channel::Channel, outgoing::Batch};

/// What is being handed to a session of each precedence, what goes ahead first.
#[derive(Debug)]
pub struct Handover([(Precedence, Option<Batch>); 2]);

impl Default for Handover {
    /// Nothing is.
    fn default() -> Self {
        Self([(Precedence::Ahead, None), (Precedence::Bulk, None)])
    }
}

impl Handover {
    /// Hands messages to the session until it takes no more, which is false, or there are none.
    ///
    /// `next` is told which batch has left, if one has, and says what is to leave then; `write` sends a message, if there is
    /// room for it.
    pub fn run(
        &mut self,
        mut next: impl FnMut(Precedence, Option<Batch>) -> Option<Batch>,
        mut write: impl FnMut(Channel, &[u8]) -> bool,
    ) -> bool {
        for (precedence, leaving) in &mut self.0 {
            if leaving.is_none() {
                *leaving = next(*precedence, None);
            }
            while let Some(batch) = leaving {
                while let Some((channel, message)) = batch.next() {
                    if !write(channel, message) {
                        return false;
                    }
                    batch.advance();
                }
                *leaving = next(*precedence, leaving.take());
            }
        }
        true
    }
    /// What stays behind when the session takes no more: of each batch some messages may have left.
    pub fn held_back(&mut self) -> impl Iterator<Item = &mut Batch> {
        self.0.iter_mut().filter_map(|(_, batch)| batch.as_mut())
    }
}
