mod ends;

use std::{collections::VecDeque, time::Duration};

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    error_code::ErrorCode,
    frame::{self, FrameEncoder},
    identity::StreamId,
    pace::MAX_BATCH,
    partial_record::PartialRecord,
    record::{self, DEFAULT_MAX_RECORD_LEN},
    record_queue::MAX_AHEAD,
    websocket::{CloseCode, Decoder, Event},
};

/// What a peer makes of the pieces.
struct Peer {
    decoder: Decoder,
    buffer: BytesMut,
    partial: PartialRecord,
    records: Vec<(RecordKind, Bytes)>,
    pings: usize,
    messages: Vec<usize>,
    closed: bool,
}

impl Peer {
    fn new(role: Role) -> Self {
        let role = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        Self {
            decoder: Decoder::new(role, 2 * DEFAULT_MAX_RECORD_LEN),
            buffer: BytesMut::new(),
            partial: PartialRecord::default(),
            records: Vec::new(),
            pings: 0,
            messages: Vec::new(),
            closed: false,
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(event) = self.decoder.decode(&mut self.buffer).unwrap() {
            match event {
                Event::Binary(message) => {
                    self.messages.push(message.len());
                    self.take(&message);
                }
                Event::Ping(_) => self.pings += 1,
                Event::Pong(_) => {}
                Event::Close(_) => self.closed = true,
                Event::Text => panic!("a text message"),
            }
        }
    }

    fn take(&mut self, message: &Bytes) {
        for span in record::spans(message) {
            let span = span.unwrap();
            let body = message.slice(span.body_start()..span.end);
            if span.kind == RecordKind::Part {
                if let Some(record) = self.partial.push(&body, DEFAULT_MAX_RECORD_LEN).unwrap() {
                    self.take(&record);
                }
            } else {
                self.records.push((span.kind, body));
            }
        }
    }

    fn kinds(&self) -> Vec<RecordKind> {
        self.records.iter().map(|(kind, _)| *kind).collect()
    }

    fn bodies(&self, precedence: Precedence) -> Vec<Bytes> {
        let of_it = |(kind, body): &&(RecordKind, Bytes)| Precedence::of(*kind, body.len()) == precedence;
        self.records
            .iter()
            .filter(of_it)
            .map(|(_, body)| body.clone())
            .collect()
    }
}

fn stream(id: &str) -> StreamId {
    id.parse().unwrap()
}

fn end(id: &str) -> Control {
    Control::End {
        stream_id: stream(id),
        frames: 1,
    }
}

fn error(id: &str) -> Control {
    Control::Error {
        stream_id: stream(id),
        frames: 1,
        code: ErrorCode::Internal,
        message: "no".into(),
    }
}

fn push_frame(queue: &mut SendQueue, stream_id: &StreamId, len: usize) {
    let mut encoder = FrameEncoder::new(stream_id);
    queue.push(RecordKind::StreamReliable, encoder.head(1, len), &vec![7; len]);
}

fn queue(role: Role, extended: bool) -> SendQueue {
    SendQueue::new(role, extended)
}

/// Makes the pace that of a link that carries so little.
fn slow_down(queue: &mut SendQueue) {
    queue.pace().wrote(2, 1, Duration::ZERO);
    queue.pace().wrote(1, 1, Duration::from_secs(1));
}

fn write(queue: &mut SendQueue, peer: &mut Peer) -> bool {
    let piece = queue.next_piece(|| [1, 2, 3, 4]);
    if let Some(piece) = &piece {
        peer.read(&piece.bytes[piece.start..]);
        assert!(peer.buffer.is_empty(), "a piece is made of whole frames");
    }
    piece.is_some()
}

#[derive(Debug, Clone)]
enum Step {
    Push(RecordKind, usize),
    Credit,
    Ping,
    Write,
    Pace(usize, u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(RecordKind::RpcReliable),
        Just(RecordKind::StreamReliable),
        Just(RecordKind::StreamEnd),
    ];
    let len = prop_oneof![3 => 0..300usize, 2 => 0..20_000usize, 1 => 0..300_000usize];
    prop_oneof![
        4 => (kind, len).prop_map(|(kind, len)| Step::Push(kind, len)),
        1 => Just(Step::Credit),
        1 => Just(Step::Ping),
        4 => Just(Step::Write),
        1 => (0..=100usize, 0..2000u64).prop_map(|(percent, pause)| Step::Pace(percent, pause)),
    ]
}

proptest! {
    #[test]
    fn all_records_arrive_each_precedence_in_its_order(
        steps in vec(any_step(), 0..150),
        extended: bool,
        role in prop_oneof![Just(Role::Client), Just(Role::Server)],
    ) {
        let (mut queue, mut peer) = (queue(role, extended), Peer::new(role));
        let (mut pushed, mut now) = (Vec::new(), Duration::ZERO);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(kind, len) => {
                    let body = vec![number as u8; len];
                    if !queue.is_full_for(kind, len) && (extended || !kind.is_control()) {
                        queue.push(kind, &body[..len / 2], &body[len / 2..]);
                        pushed.push((kind, Bytes::from(body)));
                    }
                }
                Step::Credit if extended => {
                    let stream_id: StreamId = "ab".parse().unwrap();
                    let control = Control::Credit { stream_id, bytes: number as u64 };
                    queue.push_control(&control).unwrap();
                    let (kind, body) = control.encode();
                    pushed.push((kind, Bytes::from(body)));
                }
                Step::Credit => {}
                Step::Ping => {
                    queue.ping();
                    let before = peer.pings;
                    write(&mut queue, &mut peer);
                    prop_assert_eq!(peer.pings, before + 1, "a ping leaves at once");
                }
                Step::Write => drop(write(&mut queue, &mut peer)),
                Step::Pace(percent, pause) => {
                    now += Duration::from_millis(pause);
                    queue.pace().wrote(1000, percent * 10, now);
                }
            }
            prop_assert!(queue.len() <= MAX_AHEAD + MAX_BATCH + 300_000 + 300 * 100);
        }
        queue.close(CloseFrame::new(CloseCode::NORMAL, ""));
        while write(&mut queue, &mut peer) {}
        prop_assert!(peer.closed && queue.said_goodbye() && queue.is_empty());
        for precedence in [Precedence::Ahead, Precedence::Bulk] {
            let expected: Vec<_> = pushed
                .iter()
                .filter(|(kind, body)| Precedence::of(*kind, body.len()) == precedence)
                .map(|(_, body)| body.clone())
                .collect();
            prop_assert_eq!(peer.bodies(precedence), expected);
        }
        if extended {
            let longest = peer.messages.into_iter().max().unwrap_or_default();
            prop_assert!(longest <= MAX_BATCH + MAX_BATCH / 4 + 100, "{longest}");
        }
    }
}

proptest! {
    #[test]
    fn each_stream_arrives_in_its_order(
        steps in vec((0..3usize, prop_oneof![Just(None), (0..20_000usize).prop_map(Some)], 0..3usize), 0..60),
        bandwidth in 1..1_000_000u64,
    ) {
        let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
        queue.pace().wrote(2, 1, Duration::ZERO);
        queue.pace().wrote(bandwidth as usize, bandwidth as usize, Duration::from_secs(1));
        let ids = ["s", "s1", "s2"];
        let mut sent: [Vec<(RecordKind, Vec<u8>)>; 3] = Default::default();
        for (number, (of, frame, pieces)) in steps.into_iter().enumerate() {
            let stream_id = stream(ids[of]);
            match frame {
                Some(len) if !queue.is_full_for(RecordKind::StreamReliable, len + 100) => {
                    let payload = vec![7; len];
                    let mut encoder = FrameEncoder::new(&stream_id);
                    let head = encoder.head(number as u64, len);
                    queue.push(RecordKind::StreamReliable, head, &payload);
                    sent[of].push((RecordKind::StreamReliable, [head, &payload].concat()));
                }
                Some(_) => {}
                None => {
                    let end = Control::End { stream_id, frames: number as u64 };
                    queue.push_control(&end).unwrap();
                    sent[of].push(end.encode());
                }
            }
            for _ in 0..pieces {
                write(&mut queue, &mut peer);
            }
        }
        while write(&mut queue, &mut peer) {}
        for (id, sent) in ids.into_iter().zip(sent) {
            let of_it = |body: &Bytes| frame::stream_id_of(body) == Ok(id.as_bytes());
            let came = peer.records.iter().filter(|(_, body)| of_it(body));
            let came: Vec<_> = came.map(|(kind, body)| (*kind, body.to_vec())).collect();
            prop_assert!(came == sent, "{id}");
        }
    }
}

#[test]
fn an_answer_overtakes_a_long_frame_that_is_under_way() {
    let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
    slow_down(&mut queue);
    queue.push(RecordKind::StreamReliable, &[], &vec![7; 1 << 20]);
    assert!(write(&mut queue, &mut peer));
    assert!(peer.records.is_empty());
    queue.push(RecordKind::RpcReliable, &[], b"answer");
    assert!(write(&mut queue, &mut peer));
    assert_eq!(peer.records, [(RecordKind::RpcReliable, Bytes::from_static(b"answer"))]);
    let mut pieces = 0;
    while write(&mut queue, &mut peer) {
        pieces += 1;
    }
    assert_eq!(peer.records[1].1, vec![7; 1 << 20]);
    assert!(pieces > 200, "{pieces}");
}

#[test]
fn what_ends_work_overtakes_a_long_frame_under_way() {
    let stream_id: StreamId = "s".parse().unwrap();
    for control in [
        Control::Credit {
            stream_id: stream_id.clone(),
            bytes: 1,
        },
        Control::Cancel {
            stream_id,
            reason: "enough".into(),
        },
        Control::CallCancel {
            request_id: "call".into(),
        },
        Control::Leaving,
    ] {
        let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
        slow_down(&mut queue);
        queue.push(RecordKind::StreamReliable, &[], &vec![7; 1 << 20]);
        assert!(write(&mut queue, &mut peer));
        queue.push_control(&control).unwrap();
        assert!(write(&mut queue, &mut peer));
        assert_eq!(peer.kinds(), [control.encode().0], "{control:?}");
    }
}

#[test]
fn an_answer_does_not_wait_for_the_batch_behind_it() {
    let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
    queue.push(RecordKind::RpcReliable, &[], b"answer");
    while !queue.is_full_for(RecordKind::StreamReliable, 100) {
        queue.push(RecordKind::StreamReliable, &[], &[0; 100]);
    }
    while write(&mut queue, &mut peer) {}
    assert_eq!(peer.records[0].1, &b"answer"[..]);
    assert!(peer.messages[0] < 100, "{:?}", peer.messages);
    assert!(peer.records.len() > 100);
    assert!(!queue.has_records());
}

#[test]
fn an_answer_and_its_streams_first_frames_are_one_message() {
    let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
    queue.push(RecordKind::StreamReliable, &[], b"frame");
    queue.push(RecordKind::RpcReliable, &[], b"answer");
    assert!(write(&mut queue, &mut peer));
    let bodies: VecDeque<_> = peer.records.iter().map(|(_, body)| &body[..]).collect();
    assert_eq!(bodies, [&b"answer"[..], b"frame"]);
    assert!(queue.is_empty());
}

#[test]
fn without_the_extension_a_ping_goes_between_fragments() {
    let (mut queue, mut peer) = (queue(Role::Client, false), Peer::new(Role::Client));
    slow_down(&mut queue);
    queue.push(RecordKind::StreamReliable, &[], &[7; 100_000]);
    write(&mut queue, &mut peer);
    queue.push(RecordKind::RpcReliable, &[], b"call");
    queue.ping();
    write(&mut queue, &mut peer);
    assert_eq!((peer.pings, peer.records.len()), (1, 0));
    while write(&mut queue, &mut peer) {}
    assert_eq!(peer.records[0].1, vec![7; 100_000]);
    assert_eq!(peer.records[1].1, &b"call"[..]);
}

#[test]
fn a_peer_that_does_not_read_overwhelms_the_queue_in_the_end() {
    let mut queue = queue(Role::Server, true);
    let control = Control::CallCancel {
        request_id: "r".repeat(1000).into(),
    };
    let taken = std::iter::from_fn(|| queue.push_control(&control).ok()).count();
    assert!((1000..1100).contains(&taken), "{taken}");
    for _ in 0..1000 {
        queue.ping();
        queue.pong(&[0; 125]);
    }
    assert!(
        queue.next_piece(|| [0; 4]).unwrap().bytes.len() < 150,
        "one ping and one pong"
    );
}
