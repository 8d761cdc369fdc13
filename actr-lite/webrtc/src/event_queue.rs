//! What has happened, until it is taken.

use std::collections::VecDeque;

use actr_lite_engine::memory::Memory;
use bytes::Bytes;

use crate::event::Event;

/// How many bytes of records may wait to be taken, until what brings more is dropped, as by a path that is too narrow: SCTP
/// sends it again, more slowly each time.
pub const MAX_BACKLOG: usize = 1 << 20;

/// How much room on the peer's account one more datagram may need while others' records wait: that of the longest message.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Events that wait to be taken, with the records that have come.
#[derive(Debug)]
pub(crate) struct EventQueue<M> {
    events: VecDeque<Event>,
    /// How many sessions are ready of which nobody has been told.
    untold: usize,
    /// How many bytes of records wait.
    backlog: usize,
    /// They are on the peer's account.
    memory: M,
}

impl<M: Memory> EventQueue<M> {
    /// Nothing has happened. Records that come are counted by `memory`.
    pub(crate) fn new(memory: M) -> Self {
        Self {
            events: VecDeque::new(),
            untold: 0,
            backlog: 0,
            memory,
        }
    }

    /// Something has happened.
    pub(crate) fn push(&mut self, event: Event) {
        self.untold += usize::from(matches!(event, Event::Ready(_)));
        self.events.push_back(event);
    }

    /// Records have come.
    ///
    /// # Errors
    /// When the peer's share does not suffice.
    pub(crate) fn push_record(&mut self, record: Bytes) -> Result<(), M::Limit> {
        self.memory.cover(self.backlog + record.len())?;
        self.backlog += record.len();
        self.events.push_back(Event::Record(record));
        Ok(())
    }

    /// What comes next.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        match &event {
            Event::Record(record) => {
                self.backlog -= record.len();
                self.memory.shrink(self.backlog);
            }
            Event::Ready(_) => self.untold -= 1,
            _ => {}
        }
        Some(event)
    }

    /// Whether there is a session of which nobody has been told.
    pub(crate) fn has_untold(&self) -> bool {
        self.untold > 0
    }

    /// Whether so many records wait that no more should come.
    pub(crate) fn is_full(&mut self) -> bool {
        match self.backlog {
            0 => false,
            backlog => backlog > MAX_BACKLOG || self.memory.cover(backlog + LONGEST_MESSAGE).is_err(),
        }
    }

    /// Whether far more wait: what says nothing but what has come still does come then.
    pub(crate) fn is_overfull(&self) -> bool {
        self.backlog > 2 * MAX_BACKLOG
    }
}
