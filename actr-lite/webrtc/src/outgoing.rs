//! Records that wait to be sent, as messages for the data channels.

use std::mem;

use actr_lite_engine::{memory::Memory, outbox::SendRefused};
use actr_lite_wire::{
    control::Control,
    record::{HEADER_LEN, RecordKind},
    record_queue::{MAX_AHEAD_RECORD, Overwhelmed, Precedence, RecordQueue},
    websocket::HEADER_ROOM,
};

use crate::{
    channel::Channel,
    message_queue::{self, MessageQueue},
};

/// About how long a message of several records gets: some five are on their way at once, so that one leaves when one has come.
pub const BATCH: usize = 16 << 10;

/// What waits to be sent to one peer.
///
/// Calls and answers leave before frames. A driver [takes](Self::take) some of what waits, and gives it back when it has
/// [left](Self::left): senders fill the next batch meanwhile.
///
/// With the extension the records of each [`Precedence`] go over a channel of their own, many in one message: calls, answers
/// and credit over [`Channel::RpcReliable`], so that they do not wait for frames that are lost and sent again, and all the
/// rest over [`Channel::StreamReliable`], so that the end of a stream comes behind its frames. Latency-first frames are
/// among them: what is late is dropped before it leaves, and what has left has to come, as the receiver gives credit for it.
/// Without it each record is a message for [the channel of its kind](Channel::of).
#[derive(Debug)]
pub struct Outgoing<M> {
    queue: Queue,
    /// What the driver has taken, and has not given back.
    taken: usize,
    sent: u64,
    memory: M,
    is_closed: bool,
}

#[derive(Debug)]
enum Queue {
    Messages(MessageQueue),
    Records(RecordQueue),
}

/// Messages that leave together, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    at: usize,
    /// How much of it is counted as sent.
    counted: usize,
    /// All of it is one message for this channel.
    one: Option<Channel>,
}

impl<M: Memory> Outgoing<M> {
    /// Nothing waits. What does is counted by `memory`; `extended`: the peer takes batches and control records.
    pub fn new(extended: bool, memory: M) -> Self {
        Self {
            queue: match extended {
                true => Queue::Records(RecordQueue::two_ways()),
                false => Queue::Messages(MessageQueue::default()),
            },
            taken: 0,
            sent: 0,
            memory,
            is_closed: false,
        }
    }

    /// Takes one record, whose body is `head` and `body` together. A kind that the peer does not know is dropped.
    ///
    /// # Errors
    /// When enough waits, or the peer's share is used up, or nothing leaves any more.
    #[inline]
    pub fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) -> Result<(), SendRefused<M::Limit>> {
        if self.is_closed {
            return Err(SendRefused::Closed);
        }
        let len = head.len() + body.len();
        let (is_full, cost) = match &self.queue {
            Queue::Messages(queue) => (queue.is_full_for(kind, len), MessageQueue::cost(len)),
            Queue::Records(queue) => (queue.is_full_for(kind, len, BATCH), HEADER_LEN + len),
        };
        if is_full {
            return Err(SendRefused::Full);
        }
        let waiting = self.waiting();
        self.memory.cover(waiting + cost).map_err(SendRefused::OverShare)?;
        match &mut self.queue {
            Queue::Messages(queue) => queue.push(kind, head, body),
            Queue::Records(queue) => queue.push(kind, head, body),
        }
        Ok(())
    }

    /// Takes a control record, however much waits; without effect if the peer does not take them, or nothing leaves any more.
    ///
    /// # Errors
    /// When the peer makes this side say more than it reads.
    pub fn push_control(&mut self, control: &Control) -> Result<(), Overwhelmed> {
        match &mut self.queue {
            Queue::Records(queue) if !self.is_closed => queue.push_control(control)?,
            _ => return Ok(()),
        }
        let waiting = self.waiting();
        self.memory.cover(waiting).map_err(|_| Overwhelmed)
    }

    /// What leaves next of this precedence.
    pub fn take(&mut self, precedence: Precedence) -> Option<Batch> {
        let batch = match &mut self.queue {
            Queue::Messages(queue) => Batch {
                bytes: queue.take(precedence)?,
                at: 0,
                counted: 0,
                one: None,
            },
            Queue::Records(queue) => {
                let (channel, longest) = match precedence {
                    Precedence::Ahead => (Channel::RpcReliable, BATCH.max(HEADER_LEN + MAX_AHEAD_RECORD)),
                    Precedence::Bulk => (Channel::StreamReliable, BATCH),
                };
                Batch {
                    bytes: queue.take(precedence, longest)?,
                    at: HEADER_ROOM,
                    counted: HEADER_ROOM,
                    one: Some(channel),
                }
            }
        };
        self.taken += batch.bytes.len();
        Some(batch)
    }

    /// Some messages of this batch have left: a long record may be minutes on its way, which whoever waits behind it is to see.
    pub fn leaves(&mut self, batch: &mut Batch) {
        let counted = mem::replace(&mut batch.counted, batch.at);
        self.sent += (batch.at - counted) as u64;
    }

    /// The messages of this batch have left.
    pub fn left(&mut self, mut batch: Batch) {
        self.leaves(&mut batch);
        self.taken -= batch.bytes.len();
        if let Queue::Messages(queue) = &mut self.queue {
            queue.put_back(batch.bytes);
        }
        self.memory.shrink(self.waiting());
    }

    /// What leaves next of this precedence, behind a batch that has left.
    pub fn next(&mut self, precedence: Precedence, left: Option<Batch>) -> Option<Batch> {
        if let Some(batch) = left {
            self.left(batch);
        }
        self.take(precedence)
    }

    /// How many bytes wait.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.taken
            + match &self.queue {
                Queue::Messages(queue) => queue.len(),
                Queue::Records(queue) => queue.len(),
            }
    }

    /// How many bytes have left.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// No more is taken in.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Nothing leaves any more.
    pub fn end(&mut self) {
        self.is_closed = true;
        match &mut self.queue {
            Queue::Messages(queue) => queue.clear(),
            Queue::Records(queue) => queue.clear(),
        }
        self.memory.shrink(self.taken);
    }
}

impl Batch {
    /// The next message, and its channel.
    pub fn next(&self) -> Option<(Channel, &[u8])> {
        let rest = &self.bytes[self.at..];
        match self.one {
            Some(channel) => (!rest.is_empty()).then_some((channel, rest)),
            None => message_queue::next(rest),
        }
    }

    /// Whether messages have left that are [not counted](Outgoing::leaves) yet.
    pub fn has_news(&self) -> bool {
        self.counted < self.at
    }

    /// The next message has left.
    pub fn advance(&mut self) {
        let len = match self.one {
            Some(_) => self.bytes.len(),
            None => self.next().map_or(0, |(_, message)| message_queue::entry_len(message)),
        };
        self.at = self.bytes.len().min(self.at + len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actr_lite_wire::{frame::FrameEncoder, identity::StreamId};

    /// Grants everything.
    #[derive(Debug)]
    struct Unlimited;

    impl Memory for Unlimited {
        type Limit = ();

        fn cover(&mut self, _: usize) -> Result<(), ()> {
            Ok(())
        }

        fn shrink(&mut self, _: usize) {}
    }

    fn left(outgoing: &mut Outgoing<Unlimited>, precedence: Precedence) -> Vec<(Channel, Vec<u8>)> {
        let mut left = Vec::new();
        while let Some(mut batch) = outgoing.take(precedence) {
            while let Some((channel, message)) = batch.next() {
                left.push((channel, message.to_vec()));
                batch.advance();
            }
            outgoing.left(batch);
        }
        left
    }

    #[test]
    fn an_official_peer_gets_exactly_its_own_messages() {
        let mut outgoing = Outgoing::new(false, Unlimited);
        let control = Control::Leaving;
        for (kind, body) in [
            (RecordKind::RpcReliable, "c1"),
            (RecordKind::StreamReliable, "f1"),
            (RecordKind::RpcReliable, "c2"),
            (RecordKind::RpcSignal, "s1"),
            (RecordKind::StreamLatencyFirst, "l1"),
            (RecordKind::StreamReliable, "f2"),
        ] {
            let (head, rest) = body.split_at(1);
            outgoing.push(kind, head.as_bytes(), rest.as_bytes()).unwrap();
            outgoing.push_control(&control).unwrap();
        }
        let expected = |channel, number: u8, body: &str| {
            let header = [0, 0, 0, number, 0, 0, 0, 1];
            (channel, [&header[..], body.as_bytes()].concat())
        };
        assert_eq!(
            left(&mut outgoing, Precedence::Ahead),
            [
                expected(Channel::RpcReliable, 1, "c1"),
                expected(Channel::RpcReliable, 2, "c2"),
                expected(Channel::RpcSignal, 1, "s1"),
            ]
        );
        assert_eq!(
            left(&mut outgoing, Precedence::Bulk),
            [
                expected(Channel::StreamReliable, 1, "f1"),
                expected(Channel::StreamLatencyFirst, 1, "l1"),
                expected(Channel::StreamReliable, 2, "f2"),
            ]
        );
        outgoing.push(RecordKind::StreamReliable, &[7; 65_527], b"8").unwrap();
        let long = left(&mut outgoing, Precedence::Bulk);
        let headers: Vec<_> = long.iter().map(|(_, message)| (&message[..8], message.len())).collect();
        assert_eq!(
            headers,
            [(&[0, 0, 0, 3, 0, 0, 0, 2][..], 65_535), (&[0, 0, 0, 3, 0, 1, 0, 2], 9)]
        );
        assert_eq!(outgoing.waiting(), 0);
    }

    #[test]
    fn a_long_record_counts_as_sent_while_it_leaves() {
        let mut outgoing = Outgoing::new(false, Unlimited);
        outgoing
            .push(RecordKind::StreamReliable, &[], &vec![7; 1 << 20])
            .unwrap();
        let mut batch = outgoing.take(Precedence::Bulk).unwrap();
        assert!(!batch.has_news());
        let mut sent = vec![outgoing.sent()];
        while batch.next().is_some() {
            batch.advance();
            assert!(batch.has_news());
            outgoing.leaves(&mut batch);
            sent.push(outgoing.sent());
        }
        assert!(
            sent.len() > 16 && sent.is_sorted_by(|before, after| before < after),
            "{sent:?}"
        );
        outgoing.left(batch);
        assert_eq!(sent.last(), Some(&outgoing.sent()), "it is counted once");
    }

    #[test]
    fn with_the_extension_a_message_has_many_records() {
        let mut outgoing = Outgoing::new(true, Unlimited);
        let stream_id: StreamId = "s".parse().unwrap();
        let (mut encoder, mut frames) = (FrameEncoder::new(&stream_id), 0);
        let mut messages = Vec::new();
        while messages.len() < 4 {
            match outgoing.push(RecordKind::StreamReliable, encoder.head(frames + 1, 60), &[7; 60]) {
                Ok(()) => frames += 1,
                Err(refused) => {
                    assert_eq!(refused, SendRefused::Full);
                    messages.extend(left(&mut outgoing, Precedence::Bulk));
                }
            }
        }
        for (channel, message) in messages {
            assert_eq!(channel, Channel::StreamReliable);
            assert!((BATCH - 100..=BATCH).contains(&message.len()), "{}", message.len());
        }
        let end = Control::End { stream_id, frames };
        outgoing.push_control(&end).unwrap();
        assert_eq!(left(&mut outgoing, Precedence::Ahead), []);
        let (kind, body) = end.encode();
        let record = [&actr_lite_wire::record::header(kind, body.len())[..], &body].concat();
        assert_eq!(
            left(&mut outgoing, Precedence::Bulk),
            [(Channel::StreamReliable, record)]
        );
    }

    #[test]
    fn no_record_makes_a_message_too_long_for_any_peer() {
        let mut outgoing = Outgoing::new(true, Unlimited);
        for len in [MAX_AHEAD_RECORD, MAX_AHEAD_RECORD + 1, 40_000, 1 << 20] {
            for kind in [RecordKind::RpcReliable, RecordKind::StreamReliable] {
                // Whatever it finds there.
                while outgoing.push(kind, &[], &vec![7; len]).is_ok() {}
            }
            for precedence in [Precedence::Ahead, Precedence::Bulk] {
                for (_, message) in left(&mut outgoing, precedence) {
                    assert!(message.len() <= 64 << 10, "{}", message.len());
                }
            }
        }
    }
}
