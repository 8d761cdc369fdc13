use actr_lite_wire::{
    frame::FrameEncoder,
    identity::StreamId,
    partial_record::PartError,
    record::{header, spans},
    websocket::CloseCode,
};
use proptest::{collection::vec, prelude::*};

use super::*;

const LIMIT: usize = 1000;

/// What a session was told, in its order.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Frames(String, Vec<u8>),
    Envelope(Vec<u8>),
    Control(Control),
}

/// Takes all streams but those whose name begins with `x`, and so many bytes of a record in parts.
#[derive(Default)]
struct Session {
    told: Vec<Told>,
    may_hold: usize,
    partial: usize,
}

impl Receive for Session {
    type Inbox = ();

    fn route(&mut self, stream_id: &str) -> Result<Option<(StreamId, ())>, ReceiveError> {
        let stream_id: StreamId = stream_id.parse().map_err(|_| ReceiveError::StreamId)?;
        Ok((!stream_id.as_str().starts_with('x')).then_some((stream_id, ())))
    }

    fn deliver(&mut self, message: &Bytes, mut run: Run<()>) {
        let (bytes, range) = run.records(message);
        self.told
            .push(Told::Frames(run.stream_id.to_string(), bytes[range].to_vec()));
    }

    fn envelope(&mut self, body: Bytes, _: usize) -> Result<(), ReceiveError> {
        self.told.push(Told::Envelope(body.to_vec()));
        Ok(())
    }

    fn control(&mut self, control: Control) -> Result<(), ReceiveError> {
        self.told.push(Told::Control(control));
        Ok(())
    }

    fn hold_partial(&mut self, len: usize) -> Result<(), Limit> {
        let limit = Limit::new("bytes", "max_bytes", self.may_hold);
        if len <= self.may_hold { Ok(()) } else { Err(limit) }
    }

    fn partial_came(&mut self, len: usize) {
        self.partial = len;
    }
}

fn session() -> Session {
    Session {
        may_hold: usize::MAX,
        ..Session::default()
    }
}

fn record(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    [&header(kind, body.len())[..], body].concat()
}

fn frame(stream_id: &str, number: u64) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(&stream_id.parse().unwrap());
    record(RecordKind::StreamReliable, encoder.head(number, 0))
}

fn end(stream_id: &str) -> Vec<u8> {
    let (kind, body) = end_of(stream_id).encode();
    record(kind, &body)
}

fn end_of(stream_id: &str) -> Control {
    Control::End {
        stream_id: stream_id.parse().unwrap(),
        frames: 1,
    }
}

fn read(records: &[Vec<u8>]) -> (Vec<Told>, Result<(), ReceiveError>) {
    let mut session = session();
    let read = MessageReader::new(true, LIMIT).read(&records.concat().into(), &mut session);
    (session.told, read)
}

#[test]
fn an_end_comes_behind_all_frames_before_it() {
    let records = [frame("a", 1), frame("b", 1), frame("a", 2), end("b"), frame("a", 3)];
    let (told, read) = read(&records);
    read.unwrap();
    let frames = |name: &str, frames: &[Vec<u8>]| Told::Frames(name.into(), frames.concat());
    let expected = [
        frames("a", &[frame("a", 1), frame("a", 2)]),
        frames("b", &[frame("b", 1)]),
        Told::Control(end_of("b")),
        frames("a", &[frame("a", 3)]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn frames_before_a_broken_record_are_handed_over() {
    let (told, read) = read(&[frame("a", 1), vec![99, 0, 0, 0, 0]]);
    assert!(matches!(read, Err(ReceiveError::Record(_))), "{read:?}");
    assert_eq!(told, [Told::Frames("a".into(), frame("a", 1))]);
}

#[test]
fn a_message_of_too_many_records_breaks_the_protocol() {
    // The shortest that there is, and one whose body this reader does not look into.
    let shortest = record(RecordKind::RpcReliable, b"");
    // As many as two of the longest batches hold.
    let most = 2 * (64 << 10) / shortest.len();
    let mut records = vec![shortest.clone(); most];
    let (told, taken) = read(&records);
    taken.unwrap();
    assert_eq!(told.len(), most);
    records.push(shortest);
    let (told, refused) = read(&records);
    let error = refused.unwrap_err();
    assert!(
        matches!(error, ReceiveError::TooMany { limit } if limit == most),
        "{error}"
    );
    assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    assert_eq!(told.len(), most);
}

#[test]
fn records_in_parts_count_among_those_of_their_message() {
    let in_part = record(RecordKind::Part, &record(RecordKind::RpcReliable, b""));
    let (_, refused) = read(&vec![in_part; MAX_RECORDS / 2 + 1]);
    assert!(matches!(refused, Err(ReceiveError::TooMany { .. })), "{refused:?}");
}

#[test]
fn frames_that_nobody_wants_are_dropped() {
    let (told, read) = read(&[frame("x", 1), frame("a", 1), frame("x", 2)]);
    read.unwrap();
    assert_eq!(told, [Told::Frames("a".into(), frame("a", 1))]);
}

#[test]
fn without_the_extension_a_message_is_one_record() {
    let mut reader = MessageReader::new(false, LIMIT);
    let mut session = session();
    reader.read(&frame("a", 1).into(), &mut session).unwrap();
    let batch = [frame("a", 2), frame("a", 3)].concat();
    assert!(matches!(
        reader.read(&batch.into(), &mut session),
        Err(ReceiveError::Batch)
    ));
    let control = reader.read(&end("a").into(), &mut session);
    assert!(
        matches!(control, Err(ReceiveError::NotExtended(RecordKind::StreamEnd))),
        "{control:?}"
    );
}

#[test]
fn a_record_over_the_limit_is_refused_before_it_has_come() {
    let announced = header(RecordKind::RpcReliable, LIMIT + 1).to_vec();
    let (_, read) = read(&[announced]);
    assert!(
        matches!(
            read,
            Err(ReceiveError::TooLong {
                len: 1001,
                limit: LIMIT
            })
        ),
        "{read:?}"
    );
}

#[test]
fn a_record_of_the_longest_length_is_taken_and_no_longer_one() {
    for (len, is_taken) in [(LIMIT, true), (LIMIT + 1, false)] {
        let body = vec![7; len];
        let (told, read) = read(&[record(RecordKind::RpcReliable, &body)]);
        assert_eq!(told == [Told::Envelope(body)], is_taken);
        assert_eq!(matches!(read, Err(ReceiveError::TooLong { .. })), !is_taken);
    }
    let (_, cut) = read(&[header(RecordKind::RpcReliable, LIMIT).to_vec()]);
    assert!(
        matches!(cut, Err(ReceiveError::Record(RecordError::Cut { .. }))),
        "{cut:?}"
    );
}

#[test]
fn frames_are_gathered_for_64_streams_at_most() {
    let mut records: Vec<_> = (0..64).map(|stream| frame(&stream.to_string(), 1)).collect();
    records.push(frame("0", 2));
    assert_eq!(read(&records).0.len(), 64);
    records.extend([frame("64", 1), frame("0", 3)]);
    assert_eq!(read(&records).0.len(), 66, "those before were handed over");
}

#[test]
fn a_peer_holds_no_more_of_a_record_in_parts_than_it_may() {
    let mut reader = MessageReader::new(true, LIMIT);
    let mut session = Session {
        may_hold: 200,
        ..session()
    };
    let whole = record(RecordKind::RpcReliable, &[7; 500]);
    let part = |range: std::ops::Range<usize>| Bytes::from(record(RecordKind::Part, &whole[range]));
    reader.read(&part(0..100), &mut session).unwrap();
    assert_eq!(session.partial, 100);
    assert_eq!((reader.partial_len(), reader.whole_records()), (100, 0));
    let refused = reader.read(&part(100..101), &mut session);
    assert!(matches!(refused, Err(ReceiveError::OverShare(_))), "{refused:?}");
}

#[test]
fn a_part_in_parts_is_refused() {
    let part = record(RecordKind::Part, &record(RecordKind::Part, &[0; 10]));
    let (_, read) = read(&[part]);
    assert!(matches!(read, Err(ReceiveError::Part(PartError::Nested))), "{read:?}");
}

proptest! {
    #[test]
    fn a_record_in_parts_reads_as_if_it_came_whole(len in 0usize..LIMIT, cuts in vec(1usize..200, 1..20)) {
        let whole = record(RecordKind::RpcReliable, &vec![7; len]);
        let mut reader = MessageReader::new(true, LIMIT);
        let mut session = session();
        let (mut rest, mut cuts) = (&whole[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            rest = behind;
            let message = [record(RecordKind::Part, part), frame("a", 1)].concat();
            reader.read(&message.into(), &mut session).unwrap();
        }
        session.told.retain(|told| !matches!(told, Told::Frames(..)));
        prop_assert_eq!(session.told, [Told::Envelope(vec![7; len])]);
        prop_assert_eq!((session.partial, reader.partial_len(), reader.whole_records()), (0, 0, 1));
    }

    #[test]
    fn frames_of_many_streams_are_all_handed_over(streams in vec(0usize..200, 1..400)) {
        let records: Vec<_> = streams.iter().map(|stream| frame(&stream.to_string(), 1)).collect();
        let (told, read) = read(&records);
        prop_assert!(read.is_ok());
        let mut counts = vec![0; 200];
        for told in told {
            let Told::Frames(name, frames) = told else { panic!("only frames were sent") };
            counts[name.parse::<usize>().unwrap()] += spans(&frames).count();
        }
        for (stream, count) in counts.into_iter().enumerate() {
            prop_assert_eq!(count, streams.iter().filter(|other| **other == stream).count());
        }
    }
}
