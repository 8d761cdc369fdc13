//! Messages of the data channels in, records out.

use std::collections::BTreeMap;

use actr_lite_engine::{begun, memory::Memory};
use actr_lite_wire::record::{HEADER_LEN as RECORD_HEADER_LEN, header};
use bytes::Bytes;
use thiserror::Error;

pub use crate::fragment::HeaderError;
use crate::{
    channel::Channel,
    fragment::{HEADER_LEN, Header},
};

/// How many records of one lane may be under way in fragments. Official nodes let the fragments of as many records mix
/// as tasks send at once, so one is too few; each that is not whole holds memory.
pub const MAX_PARTIALS: usize = 16;

/// The shortest fragments that a long record may come in, on average. Official nodes fill all but the last; what is
/// kept beside the bytes of each is small next to this.
const MIN_FRAGMENT: usize = 1 << 10;

/// What is counted for a fragment beside its bytes.
const COST_OF_ONE: usize = 64;

/// Puts records together that come in fragments.
#[derive(Debug)]
pub struct Assembly<M> {
    max_record_len: usize,
    /// What has come of records that are not whole, on the peer's account.
    held: usize,
    memory: M,
    /// What has come on channels that lose nothing: all of it becomes whole.
    begun: begun::Partial,
    /// By lane and message.
    partials: BTreeMap<(usize, u32), Partial>,
}

#[derive(Debug)]
struct Partial {
    fragments: Vec<Option<Vec<u8>>>,
    missing: usize,
    len: usize,
    cost: usize,
}

/// How a peer broke the framing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssemblyError<L> {
    /// The message is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The record is longer than this node takes.
    #[error("a record of more than {limit} bytes")]
    TooLong {
        /// What it takes.
        limit: usize,
    },
    /// It is cut into too many.
    #[error("a record in {0} fragments")]
    TooManyFragments(u16),
    /// The fragments of one record do not agree, or one came twice.
    #[error("the fragments of a record contradict each other")]
    Contradiction,
    /// Too many records are under way.
    #[error("the fragments of more than {MAX_PARTIALS} records mixed")]
    TooManyPartials,
    /// The peer's share is used up.
    #[error("the peer's share is used up")]
    OverShare(L),
}

impl<M: Memory> Assembly<M> {
    /// For records up to this length; what is under way is counted by `memory`.
    pub fn new(max_record_len: usize, memory: M) -> Self {
        Self {
            max_record_len,
            held: 0,
            memory,
            begun: begun::Partial::default(),
            partials: BTreeMap::new(),
        }
    }

    /// The longest record that it takes.
    pub fn max_record_len(&self) -> usize {
        self.max_record_len
    }

    /// How many bytes have come of records that are not whole.
    pub fn held(&self) -> usize {
        self.held
    }

    /// What has come of records that are to be whole. One on a channel that loses messages may never be.
    pub fn begun(&self) -> begun::Partial {
        self.begun
    }

    /// Takes one message of a channel. The record that it completes, with a record's header, if it does. Several channels
    /// may have the same name; each is a lane of its own, in which messages are numbered.
    ///
    /// # Errors
    /// When the peer breaks the framing, or more would be held than it may make this node hold: the session has to end.
    pub fn take(
        &mut self,
        (channel, lane): (Channel, usize),
        mut message: Vec<u8>,
    ) -> Result<Option<Bytes>, AssemblyError<M::Limit>> {
        let fragment = Header::read(&message)?;
        let len = message.len() - HEADER_LEN;
        if len > self.max_record_len {
            return Err(self.too_long());
        }
        if fragment.count > 1 {
            return self.take_fragment((channel, lane), fragment, message);
        }
        // The record's header is the shorter one: it takes the place of the end of the message's.
        let start = HEADER_LEN - RECORD_HEADER_LEN;
        message[start..HEADER_LEN].copy_from_slice(&header(channel.kind(), len));
        Ok(Some(Bytes::from(message).slice(start..)))
    }

    fn too_long<L>(&self) -> AssemblyError<L> {
        AssemblyError::TooLong {
            limit: self.max_record_len,
        }
    }

    fn take_fragment(
        &mut self,
        (channel, lane): (Channel, usize),
        fragment: Header,
        message: Vec<u8>,
    ) -> Result<Option<Bytes>, AssemblyError<M::Limit>> {
        if usize::from(fragment.count) > self.max_record_len.div_ceil(MIN_FRAGMENT) {
            return Err(AssemblyError::TooManyFragments(fragment.count));
        }
        self.make_place((channel, lane), fragment.message)?;
        let key = (lane, fragment.message);
        let partial = self.partials.entry(key).or_insert_with(|| Partial {
            fragments: vec![None; fragment.count.into()],
            missing: fragment.count.into(),
            len: 0,
            cost: usize::from(fragment.count) * COST_OF_ONE,
        });
        let is_new = partial.len == 0 && partial.missing == usize::from(fragment.count);
        let count = partial.fragments.len();
        let place = partial.fragments.get_mut(usize::from(fragment.index));
        let place = place.filter(|place| count == usize::from(fragment.count) && place.is_none());
        let place = place.ok_or(AssemblyError::Contradiction)?;
        let len = message.len() - HEADER_LEN;
        if partial.len + len > self.max_record_len {
            return Err(self.too_long());
        }
        let added = len + if is_new { partial.cost } else { 0 };
        self.memory.cover(self.held + added).map_err(AssemblyError::OverShare)?;
        self.held += added;
        partial.cost += len;
        partial.len += len;
        partial.missing -= 1;
        *place = Some(message);
        if channel.is_reliable() {
            self.begun.len += len;
        }
        if partial.missing > 0 {
            return Ok(None);
        }
        let Some(partial) = self.partials.remove(&key) else {
            return Ok(None);
        };
        self.let_go(&partial);
        if channel.is_reliable() {
            self.begun.len -= partial.len;
            self.begun.whole_records += 1;
        }
        let mut record = Vec::with_capacity(RECORD_HEADER_LEN + partial.len);
        record.extend_from_slice(&header(channel.kind(), partial.len));
        for fragment in partial.fragments.iter().flatten() {
            record.extend_from_slice(&fragment[HEADER_LEN..]);
        }
        Ok(Some(record.into()))
    }

    /// Makes a place for one more record, if this one is not known. On a channel that loses messages the oldest may never
    /// be whole.
    fn make_place(&mut self, (channel, lane): (Channel, usize), message: u32) -> Result<(), AssemblyError<M::Limit>> {
        let known = self.partials.range((lane, 0)..=(lane, u32::MAX)).map(|(key, _)| *key);
        if known.clone().count() < MAX_PARTIALS || self.partials.contains_key(&(lane, message)) {
            return Ok(());
        }
        if channel.is_reliable() {
            return Err(AssemblyError::TooManyPartials);
        }
        // The numbers begin anew after the last one: the oldest is the one farthest behind.
        let oldest = known.max_by_key(|(_, known)| message.wrapping_sub(*known));
        if let Some(partial) = oldest.and_then(|oldest| self.partials.remove(&oldest)) {
            self.let_go(&partial);
        }
        Ok(())
    }

    fn let_go(&mut self, partial: &Partial) {
        self.held -= partial.cost;
        self.memory.shrink(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_queue::{self, MessageQueue};
    use actr_lite_wire::record_queue::Precedence;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    /// Grants so much.
    #[derive(Debug)]
    struct Share(usize);

    impl Memory for Share {
        type Limit = usize;

        fn cover(&mut self, len: usize) -> Result<(), usize> {
            if len > self.0 { Err(self.0) } else { Ok(()) }
        }

        fn shrink(&mut self, _: usize) {}
    }

    fn assembly() -> Assembly<Share> {
        Assembly::new(LIMIT, Share(usize::MAX))
    }

    fn fragment(message: u32, index: u16, count: u16, body: &[u8]) -> Vec<u8> {
        let header = Header { message, index, count };
        [&header.bytes()[..], body].concat()
    }

    proptest! {
        #[test]
        fn what_is_cut_comes_together(lens in prop::collection::vec(0..200_000_usize, 1..6)) {
            let mut queue = MessageQueue::default();
            let mut assembly = assembly();
            for (number, len) in lens.into_iter().enumerate() {
                let body: Vec<u8> = (0..len).map(|at| (at * 7 + number) as u8).collect();
                let (head, rest) = body.split_at(len / 3);
                queue.push(Channel::StreamReliable.kind(), head, rest);
                let messages = queue.take(Precedence::Bulk).unwrap();
                let (mut records, mut at) = (Vec::new(), 0);
                while let Some((channel, message)) = message_queue::next(&messages[at..]) {
                    records.extend(assembly.take((channel, 0), message.to_vec()).unwrap());
                    at += message_queue::entry_len(message);
                }
                prop_assert_eq!(at, messages.len());
                prop_assert_eq!(at, MessageQueue::cost(len));
                let expected = [&header(Channel::StreamReliable.kind(), len)[..], &body[..]].concat();
                prop_assert_eq!(records, [expected]);
                prop_assert_eq!(assembly.held(), 0);
            }
        }
    }

    #[test]
    fn fragments_of_several_records_may_mix() {
        let mut assembly = assembly();
        let channel = Channel::RpcReliable;
        for (message, index) in [(1, 0), (2, 0), (2, 1)] {
            let taken = assembly.take((channel, 0), fragment(message, index, 3, b"ab")).unwrap();
            assert_eq!(taken, None);
        }
        let second = assembly.take((channel, 0), fragment(2, 2, 3, b"c")).unwrap().unwrap();
        assert_eq!(&second[RECORD_HEADER_LEN..], b"ababc");
        assert!(assembly.held() > 0, "the first is still under way");
        let begun = begun::Partial {
            len: 2,
            whole_records: 1,
        };
        assert_eq!(assembly.begun(), begun);
    }

    #[test]
    fn lanes_with_the_same_name_count_by_themselves() {
        let mut assembly = assembly();
        for lane in [0, 1] {
            let taken = assembly
                .take((Channel::RpcReliable, lane), fragment(1, 0, 2, b"ab"))
                .unwrap();
            assert_eq!(taken, None);
        }
        for lane in [0, 1] {
            let whole = assembly
                .take((Channel::RpcReliable, lane), fragment(1, 1, 2, b"c"))
                .unwrap();
            assert_eq!(&whole.unwrap()[RECORD_HEADER_LEN..], b"abc");
        }
    }

    #[test]
    fn a_lossy_channel_forgets_the_oldest_record_in_parts() {
        let mut assembly = assembly();
        for message in 0..1000_u32 {
            let message = message.wrapping_sub(500);
            let taken = assembly.take((Channel::StreamLatencyFirst, 0), fragment(message, 0, 2, b"ab"));
            assert_eq!(taken, Ok(None));
        }
        assert_eq!(assembly.held(), MAX_PARTIALS * (2 + 2 * COST_OF_ONE));
        let whole = assembly
            .take((Channel::StreamLatencyFirst, 0), fragment(499, 1, 2, b"c"))
            .unwrap();
        assert_eq!(&whole.unwrap()[RECORD_HEADER_LEN..], b"abc");
        assert_eq!(assembly.begun(), begun::Partial::default(), "nobody waits for them");
    }

    #[test]
    fn what_breaks_the_framing_is_refused() {
        let refused = |messages: &[Vec<u8>]| {
            let mut assembly = assembly();
            let mut last = Ok(None);
            for message in messages {
                last = assembly.take((Channel::RpcReliable, 0), message.clone());
            }
            last.unwrap_err()
        };
        assert_eq!(refused(&[vec![0; 7]]), HeaderError::Cut(7).into());
        let wrong = HeaderError::Index { index: 2, count: 2 };
        assert_eq!(refused(&[fragment(1, 2, 2, b"")]), wrong.into());
        assert_eq!(
            refused(&[fragment(1, 0, 0, b"")]),
            HeaderError::Index { index: 0, count: 0 }.into()
        );
        let twice = [fragment(1, 0, 2, b""), fragment(1, 0, 2, b"")];
        assert_eq!(refused(&twice), AssemblyError::Contradiction);
        let other_count = [fragment(1, 0, 2, b""), fragment(1, 1, 3, b"")];
        assert_eq!(refused(&other_count), AssemblyError::Contradiction);
        let many = fragment(1, 0, u16::MAX, b"");
        assert_eq!(refused(&[many]), AssemblyError::TooManyFragments(u16::MAX));
        let long = fragment(1, 0, 1, &vec![0; LIMIT + 1]);
        assert_eq!(refused(&[long]), AssemblyError::TooLong { limit: LIMIT });
        let halves = [0, 1].map(|index| fragment(1, index, 2, &vec![0; LIMIT / 2 + 1]));
        assert_eq!(refused(&halves), AssemblyError::TooLong { limit: LIMIT });
        let mixed: Vec<_> = (0..=MAX_PARTIALS as u32)
            .map(|message| fragment(message, 0, 2, b""))
            .collect();
        assert_eq!(refused(&mixed), AssemblyError::TooManyPartials);
    }

    #[test]
    fn no_more_is_held_than_the_share_of_the_peer() {
        let mut assembly = Assembly::new(LIMIT, Share(10_000));
        let channel = Channel::RpcReliable;
        assert_eq!(assembly.take((channel, 0), fragment(1, 0, 3, &[0; 6000])), Ok(None));
        let refused = assembly.take((channel, 0), fragment(1, 1, 3, &[0; 6000]));
        assert_eq!(refused, Err(AssemblyError::OverShare(10_000)));
    }
}
