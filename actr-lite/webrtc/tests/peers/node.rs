//! A peer, what it sends, and what it was told.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use actr_lite_engine::memory::Memory;
use actr_lite_webrtc::{
    channel::Channel,
    outgoing::{Batch, Outgoing},
    peer::{Certificate, Event, Peer, Setup},
};
use actr_lite_wire::record::{HEADER_LEN, RecordKind};

pub(crate) const MAX_RECORD_LEN: usize = 1 << 20;

/// Counts nothing.
#[derive(Debug)]
pub(crate) struct Unlimited;

impl Memory for Unlimited {
    type Limit = ();

    fn cover(&mut self, _: usize) -> Result<(), ()> {
        Ok(())
    }

    fn shrink(&mut self, _: usize) {}
}

/// One of the two, and what it was told.
pub(crate) struct Node {
    pub(crate) peer: Peer<Unlimited>,
    pub(crate) outgoing: Outgoing<Unlimited>,
    batch: Option<Batch>,
    pub(crate) events: Vec<Event>,
    pub(crate) address: SocketAddr,
    /// Whether it takes the records that come.
    pub(crate) takes: bool,
    /// Counts its starts.
    pub(crate) life: u64,
}

impl Node {
    pub(crate) fn new(number: usize, life: u64, address: SocketAddr, epoch: Instant, certificate: Certificate) -> Self {
        let mut peer = Peer::new(Setup {
            certificate,
            epoch,
            is_first: number == 0,
            seed: life << 8 | number as u64,
            max_record_len: MAX_RECORD_LEN,
            memory: Box::new(|| Unlimited),
        });
        peer.add_local(address);
        Self {
            peer,
            outgoing: Outgoing::new(Unlimited),
            batch: None,
            events: Vec::new(),
            address,
            takes: true,
            life,
        }
    }

    /// Nothing of an earlier session is sent over the next one.
    pub(crate) fn begin(&mut self) {
        (self.outgoing, self.batch) = (Outgoing::new(Unlimited), None);
    }

    /// Hands messages to the session as long as it takes some.
    pub(crate) fn write(&mut self, now: Duration) {
        loop {
            if self.batch.is_none() {
                self.batch = self.outgoing.take();
            }
            let Some(batch) = &mut self.batch else { return };
            while let Some((channel, message)) = batch.next() {
                if !self.peer.write(channel, message, now) {
                    return;
                }
                batch.advance();
            }
            if let Some(batch) = self.batch.take() {
                self.outgoing.left(batch);
            }
        }
    }

    /// The bodies of the records that have come.
    pub(crate) fn records<'a>(&'a self) -> Vec<&'a [u8]> {
        let record = |event: &'a Event| match event {
            Event::Record(record) => Some(&record[HEADER_LEN..]),
            _ => None,
        };
        self.events.iter().filter_map(record).collect()
    }

    pub(crate) fn has(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    /// How its last session ended.
    pub(crate) fn ended(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Ended(reason) | Event::Failed(reason) => Some(reason.as_str()),
            _ => None,
        })
    }
}

pub(crate) fn stream() -> RecordKind {
    Channel::StreamReliable.kind()
}
