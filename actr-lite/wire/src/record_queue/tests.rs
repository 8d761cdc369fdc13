use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    frame::{self, FrameEncoder},
    identity::StreamId,
    partial_record::PartialRecord,
    record::{self, DEFAULT_MAX_RECORD_LEN},
};

const LONGEST: usize = 32 << 10;

fn stream(id: &str) -> StreamId {
    id.parse().unwrap()
}

fn push_frame(queue: &mut RecordQueue, stream_id: &StreamId, len: usize) {
    let mut encoder = FrameEncoder::new(stream_id);
    queue.push(RecordKind::StreamReliable, encoder.head(1, len), &vec![7; len]);
}

/// Everything of one precedence, as the peer reads it.
fn records(queue: &mut RecordQueue, precedence: Precedence, partial: &mut PartialRecord) -> Vec<(RecordKind, Vec<u8>)> {
    let mut read = Vec::new();
    while let Some(content) = queue.take(precedence, LONGEST) {
        assert!(content.len() - HEADER_ROOM <= LONGEST + LONGEST / 4 + HEADER_LEN);
        let mut message = bytes::Bytes::from(content).slice(HEADER_ROOM..);
        while !message.is_empty() {
            let span = record::span_at(&message, 0).unwrap();
            let body = message.slice(span.body_start()..span.end);
            let behind = message.slice(span.end..);
            message = match span.kind {
                RecordKind::Part => match partial.push(&body, DEFAULT_MAX_RECORD_LEN).unwrap() {
                    Some(whole) => whole,
                    None => behind,
                },
                kind => {
                    read.push((kind, body.to_vec()));
                    behind
                }
            };
        }
    }
    read
}

proptest! {
    #[test]
    fn over_two_ways_each_stream_stays_in_order(
        steps in vec((0..3usize, prop_oneof![Just(None), (0..80_000usize).prop_map(Some)], any::<bool>()), 0..60),
    ) {
        let (mut queue, mut partial) = (RecordQueue::two_ways(), PartialRecord::default());
        let ids = ["s", "s1", "s2"];
        let mut sent: [Vec<(RecordKind, Vec<u8>)>; 3] = Default::default();
        let mut came = Vec::new();
        for (number, (of, frame, leaves)) in steps.into_iter().enumerate() {
            let stream_id = stream(ids[of]);
            match frame {
                Some(len) => {
                    let mut encoder = FrameEncoder::new(&stream_id);
                    let body = [encoder.head(number as u64, len), &vec![7; len]].concat();
                    queue.push(RecordKind::StreamReliable, &body, &[]);
                    sent[of].push((RecordKind::StreamReliable, body));
                }
                None => {
                    let end = Control::End { stream_id, frames: number as u64 };
                    queue.push_control(&end).unwrap();
                    sent[of].push(end.encode());
                }
            }
            if leaves {
                came.extend(records(&mut queue, Precedence::Bulk, &mut partial));
            }
        }
        prop_assert_eq!(queue.take(Precedence::Ahead, LONGEST), None);
        came.extend(records(&mut queue, Precedence::Bulk, &mut partial));
        prop_assert!(queue.is_empty());
        for (id, sent) in ids.into_iter().zip(sent) {
            let of_it = came.iter().filter(|(_, body)| frame::stream_id_of(body) == Ok(id.as_bytes()));
            prop_assert!(of_it.cloned().collect::<Vec<_>>() == sent, "{id}");
        }
    }
}

#[test]
fn calls_and_credit_do_not_wait_for_bulk() {
    let (mut queue, mut partial) = (RecordQueue::two_ways(), PartialRecord::default());
    push_frame(&mut queue, &stream("s"), 1 << 20);
    queue.push(RecordKind::RpcReliable, &[], b"call");
    let stream_id = stream("s");
    queue.push_control(&Control::Credit { stream_id, bytes: 1 }).unwrap();
    let ahead = records(&mut queue, Precedence::Ahead, &mut partial);
    let kinds: Vec<_> = ahead.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [RecordKind::RpcReliable, RecordKind::StreamCredit]);
    assert_eq!(records(&mut queue, Precedence::Bulk, &mut partial).len(), 1);
}

#[test]
fn a_full_queue_still_takes_what_goes_the_other_way() {
    let mut queue = RecordQueue::two_ways();
    push_frame(&mut queue, &stream("s"), LONGEST);
    assert!(queue.is_full_for(RecordKind::StreamReliable, 1, LONGEST));
    assert!(!queue.is_full_for(RecordKind::RpcReliable, 1, LONGEST));
    queue.clear();
    assert!(queue.is_empty());
}
