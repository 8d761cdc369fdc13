use actr_lite_wire::{
    frame::{FrameEncoder, FrameHints},
    record::header,
};
use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};

use super::*;

fn stream_id() -> StreamId {
    "frames".parse().unwrap()
}

/// A run of records of this kind, one for each number; the payload is the number's digits.
fn run(kind: RecordKind, numbers: &[u64]) -> Bytes {
    let (mut encoder, mut run) = (FrameEncoder::new(&stream_id()), BytesMut::new());
    for number in numbers {
        let payload = number.to_string();
        let head = encoder.head(*number, payload.len());
        run.extend_from_slice(&header(kind, head.len() + payload.len()));
        run.extend_from_slice(head);
        run.extend_from_slice(payload.as_bytes());
    }
    run.freeze()
}

/// Reads a run to its end, or to a gap: the numbers of its frames.
fn read(reader: &mut FrameReader, run: Bytes) -> Result<Vec<u64>, (u64, u64)> {
    let (len, mut numbers) = (run.len(), Vec::new());
    reader.put(run);
    loop {
        match reader.step().unwrap() {
            Step::Frame(frame) => {
                assert_eq!(frame.payload, frame.sequence.to_string());
                numbers.push(frame.sequence);
            }
            Step::Duplicate(_) => {}
            Step::Gap { expected, came } => return Err((expected, came)),
            Step::Read(read) => {
                assert_eq!(read, len);
                return Ok(numbers);
            }
        }
    }
}

#[test]
fn frames_that_came_before_are_counted_and_not_yielded() {
    let mut reader = FrameReader::behind(stream_id(), 3);
    assert_eq!(
        read(&mut reader, run(RecordKind::StreamReliable, &[1, 2, 3, 4, 4, 5])),
        Ok(vec![4, 5])
    );
    assert_eq!(reader.duplicates(), 4);
}

#[test]
fn the_due_frame_is_found_at_once_and_no_other() {
    let mut reader = FrameReader::behind(stream_id(), 0);
    reader.put(run(RecordKind::StreamReliable, &[1, 1, 2, 4]));
    assert_eq!(reader.due().map(|frame| frame.sequence), Some(1));
    assert_eq!(reader.due(), None, "it came before");
    assert_eq!(reader.step().unwrap(), Step::Duplicate(1));
    assert_eq!(reader.due().map(|frame| frame.sequence), Some(2));
    assert_eq!(reader.due(), None, "one is missing");
    assert_eq!(reader.step().unwrap(), Step::Gap { expected: 3, came: 4 });
    let mut reader = FrameReader::behind(stream_id(), 0);
    reader.put(run(RecordKind::StreamLatencyFirst, &[1]));
    assert_eq!(reader.due(), None, "it may be dropped, which is counted");
    assert!(matches!(reader.step(), Ok(Step::Frame(_))));
    assert!(matches!(reader.step(), Ok(Step::Read(_))));
    reader.put(run(RecordKind::StreamReliable, &[1]));
    assert_eq!(reader.due(), None, "those behind it are counted too");
}

#[test]
fn a_missing_frame_of_a_reliable_stream_is_a_gap() {
    let mut reader = FrameReader::behind(stream_id(), 0);
    assert_eq!(
        read(&mut reader, run(RecordKind::StreamReliable, &[1, 2, 4])),
        Err((3, 4))
    );
    reader.discard();
    assert_eq!(reader.step().unwrap(), Step::Read(0));
}

#[test]
fn missing_frames_of_a_latency_first_stream_are_counted() {
    let mut reader = FrameReader::behind(stream_id(), 0);
    assert_eq!(
        read(&mut reader, run(RecordKind::StreamLatencyFirst, &[2, 3, 7])),
        Ok(vec![2, 3, 7])
    );
    assert_eq!(reader.dropped(), 4, "1, 4, 5 and 6");
    reader.finish(10);
    assert_eq!(reader.dropped(), 7, "8, 9 and 10 too");
}

#[test]
fn frames_that_came_before_are_not_missing_in_a_resumed_stream() {
    let mut reader = FrameReader::behind(stream_id(), 3);
    assert_eq!(
        read(&mut reader, run(RecordKind::StreamLatencyFirst, &[4])),
        Ok(vec![4])
    );
    assert_eq!(reader.dropped(), 0);
    reader.finish(6);
    assert_eq!(reader.dropped(), 2, "5 and 6");
    let mut reader = FrameReader::behind(stream_id(), 3);
    read(&mut reader, run(RecordKind::StreamLatencyFirst, &[5])).unwrap();
    assert_eq!(reader.dropped(), 1, "4");
}

#[test]
fn a_reliable_stream_drops_nothing_at_its_end() {
    let mut reader = FrameReader::behind(stream_id(), 0);
    read(&mut reader, run(RecordKind::StreamReliable, &[1, 2])).unwrap();
    reader.finish(2);
    assert_eq!(reader.dropped(), 0);
    let mut reader = FrameReader::behind(stream_id(), 0);
    reader.finish(5);
    assert_eq!(
        reader.dropped(),
        5,
        "all of a latency-first stream's frames were dropped"
    );
}

#[test]
fn a_frame_with_hints_is_read_with_them() {
    let hints = FrameHints {
        metadata: vec![("k".into(), "v".into())],
        ..FrameHints::default()
    };
    let frame = DataStream::new(stream_id(), 1, "x").with_hints(hints);
    let head = FrameEncoder::new(&stream_id()).head_with_hints(&frame);
    let header = header(RecordKind::StreamReliable, head.len() + frame.payload.len());
    let mut reader = FrameReader::behind(stream_id(), 0);
    reader.put([&header[..], &head, &frame.payload].concat().into());
    assert_eq!(reader.step().unwrap(), Step::Frame(frame));
}

#[test]
fn a_latency_first_stream_goes_on_behind_what_came_before() {
    let mut reader = FrameReader::behind(stream_id(), 5);
    reader.put(run(RecordKind::StreamLatencyFirst, &[4, 7, 6, 8]));
    let mut steps = Vec::new();
    loop {
        match reader.step().unwrap() {
            Step::Frame(frame) => steps.push((frame.sequence, true)),
            Step::Duplicate(number) => steps.push((number, false)),
            Step::Gap { .. } => unreachable!("its frames may be missing"),
            Step::Read(_) => break,
        }
    }
    assert_eq!(steps, [(4, false), (7, true), (6, false), (8, true)]);
    assert_eq!((reader.dropped(), reader.duplicates()), (1, 2));
    reader.finish(10);
    assert_eq!(reader.dropped(), 3);
}

#[test]
fn bytes_that_are_no_frame_are_an_error() {
    let mut reader = FrameReader::behind(stream_id(), 0);
    reader.put(
        [&header(RecordKind::StreamReliable, 2)[..], &[0xff, 0xff]]
            .concat()
            .into(),
    );
    assert!(matches!(reader.step(), Err(ReadError::Frame(_))));
    let mut reader = FrameReader::behind(stream_id(), 0);
    reader.put(Bytes::from_static(&[RecordKind::StreamReliable as u8, 0]));
    assert!(matches!(reader.step(), Err(ReadError::Record(_))));
}

proptest! {
    #[test]
    fn frames_come_in_order_and_once_until_one_is_missing(numbers in vec(1u64..12, 0..40), at in 0usize..40) {
        let mut reader = FrameReader::behind(stream_id(), 0);
        let (mut expected, mut gap, mut last) = (Vec::new(), None, 0);
        for number in &numbers {
            if *number == last + 1 {
                last += 1;
                expected.push(last);
            } else if *number > last {
                gap = Some((last + 1, *number));
                break;
            }
        }
        // It makes no difference how the records are cut into runs.
        let (first, second) = numbers.split_at(at.min(numbers.len()));
        let mut seen = Vec::new();
        let mut met = None;
        for part in [first, second] {
            reader.put(run(RecordKind::StreamReliable, part));
            met = loop {
                match reader.step().unwrap() {
                    Step::Frame(frame) => seen.push(frame.sequence),
                    Step::Duplicate(number) => prop_assert!(number <= seen.len() as u64),
                    Step::Gap { expected, came } => break Some((expected, came)),
                    Step::Read(_) => break None,
                }
            };
            if met.is_some() {
                break;
            }
        }
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(met, gap);
    }
}
