use std::time::Duration;

use actr_lite_wire::{
    control::Control,
    credit::MAX_WINDOW,
    envelope::Envelope,
    identity::StreamId,
    record::{DEFAULT_MAX_RECORD_LEN, RecordKind, header},
    websocket::{HEADER_ROOM, seal},
};
use bytes::Bytes;
use rand::{Rng as _, RngExt as _, rngs::SmallRng};

use crate::{caller::CallPlan, outgoing::frame_of, routes::ECHO};

/// The longest of what a peer sends that breaks the protocol.
const LONGEST: usize = 200_000;

/// The most calls that it makes at once: more than a peer may make.
const MOST_CALLS: u64 = 3000;

/// How a peer breaks the protocol, or does what no other one does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    /// Bytes that are no WebSocket frame.
    Noise,
    /// A WebSocket frame that announces more than comes.
    TruncatedFrame,
    /// A message of random bytes.
    RandomMessage,
    /// A record whose header announces more than its message has.
    TruncatedRecord,
    /// A record, in parts, that is longer than any may be.
    OverlongRecord,
    /// A record in parts that never comes to its end.
    EndlessRecord,
    /// More credit than there can be.
    ExcessCredit,
    /// Frames of a stream that another one sends, and of one that nobody asked for.
    StrayFrames,
    /// Control records of streams and calls that don't exist.
    StrayControls,
    /// Answers to calls that nobody made.
    StrayAnswers,
    /// Calls that can't be read, or to what is not there.
    StrangeCalls,
    /// More calls than it may make.
    ManyCalls,
    /// It asks for another one's stream, and reads nothing any more.
    Deaf,
}

impl Deed {
    const ALL: [Self; 13] = [
        Self::Noise,
        Self::TruncatedFrame,
        Self::RandomMessage,
        Self::TruncatedRecord,
        Self::OverlongRecord,
        Self::EndlessRecord,
        Self::ExcessCredit,
        Self::StrayFrames,
        Self::StrayControls,
        Self::StrayAnswers,
        Self::StrangeCalls,
        Self::ManyCalls,
        Self::Deaf,
    ];

    /// What it sends; `streams` are those of the schedule.
    pub(crate) fn bytes(self, streams: &[StreamId], rng: &mut SmallRng) -> Vec<u8> {
        let len = rng.random_range(1..LONGEST);
        let mut random = vec![0; len];
        rng.fill_bytes(&mut random);
        let announced = rng.random_range(len..=DEFAULT_MAX_RECORD_LEN);
        let stray: StreamId = "stray".parse().unwrap_or_else(|error| unreachable!("{error}"));
        let stream_id = match streams.len() {
            0 => stray.clone(),
            count => streams[rng.random_range(0..count)].clone(),
        };
        let mut records = Vec::new();
        let mut push = |kind: RecordKind, body: &[u8]| {
            records.extend_from_slice(&header(kind, body.len()));
            records.extend_from_slice(body);
        };
        match self {
            Self::Noise => return random,
            Self::Deaf => return Vec::new(),
            Self::TruncatedFrame => {
                let mut message = message(&random, rng);
                message.truncate(rng.random_range(1..message.len()));
                return message;
            }
            Self::RandomMessage => return message(&random, rng),
            Self::TruncatedRecord => {
                records.extend_from_slice(&header(RecordKind::StreamReliable, announced + 1));
                records.extend_from_slice(&random);
            }
            Self::OverlongRecord => {
                let too_long = header(RecordKind::RpcReliable, DEFAULT_MAX_RECORD_LEN + 1);
                push(RecordKind::Part, &[&too_long, &random[..]].concat());
            }
            Self::EndlessRecord => {
                let endless = header(RecordKind::RpcReliable, announced.max(len + 1));
                push(RecordKind::Part, &[&endless, &random[..]].concat());
            }
            Self::ExcessCredit => {
                let bytes = MAX_WINDOW + u64::from(rng.random::<u32>());
                push_control(&mut push, &Control::Credit { stream_id, bytes });
            }
            Self::StrayFrames => {
                for stream_id in [&stream_id, &stray] {
                    let sequence = rng.random_range(1..10);
                    push(RecordKind::StreamReliable, &frame_of(stream_id, sequence, &random));
                    push(RecordKind::StreamLatencyFirst, &frame_of(stream_id, sequence, &[]));
                }
            }
            Self::StrayControls => {
                let frames = rng.random_range(0..10);
                push_control(
                    &mut push,
                    &Control::CallCancel {
                        request_id: "none".into(),
                    },
                );
                push_control(&mut push, &Control::End { stream_id, frames });
                push_control(&mut push, &Control::Leaving);
                let reason = "nobody asked for it".into();
                push_control(
                    &mut push,
                    &Control::Cancel {
                        stream_id: stray,
                        reason,
                    },
                );
            }
            Self::StrayAnswers => {
                for request_id in ["none", "1-1", "2-1"] {
                    push(RecordKind::RpcReliable, &answer(request_id));
                }
            }
            Self::StrangeCalls => {
                push(RecordKind::RpcReliable, &call(0, "simulation.Nobody.Call", "1 1"));
                push(RecordKind::RpcReliable, &call(1, ECHO, "no number"));
                push(RecordKind::RpcReliable, &random);
            }
            Self::ManyCalls => {
                // Others know their calls by the time, and the number.
                let first = rng.random::<u64>() >> 1;
                for number in 0..rng.random_range(1..=MOST_CALLS) {
                    push(
                        RecordKind::RpcReliable,
                        &call(number, ECHO, &format!("1 {}", first + number)),
                    );
                }
            }
        }
        message(&records, rng)
    }
}

fn push_control(push: &mut impl FnMut(RecordKind, &[u8]), control: &Control) {
    let (kind, body) = control.encode();
    push(kind, &body);
}

fn call(number: u64, route: &str, payload: &str) -> Vec<u8> {
    let envelope = Envelope::Request {
        request_id: format!("rogue-{number}-{payload}").as_str().into(),
        route_key: route.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        metadata: Vec::new(),
        trace: None,
        timeout: None,
    };
    envelope.encode()
}

fn answer(request_id: &str) -> Vec<u8> {
    let envelope = Envelope::Response {
        request_id: request_id.into(),
        route_key: ECHO.into(),
        result: Ok(Bytes::new()),
    };
    envelope.encode()
}

/// One message with these records.
fn message(records: &[u8], rng: &mut SmallRng) -> Vec<u8> {
    let mut message = vec![0; HEADER_ROOM];
    message.extend_from_slice(records);
    let start = seal(&mut message, Some(rng.random::<u32>().to_be_bytes()));
    message.split_off(start)
}

/// A node that breaks the protocol: when, how, and what it calls beside that, so that others know it.
#[derive(Debug, Clone)]
pub(crate) struct Rogue {
    pub(crate) extended: bool,
    pub(crate) starts: Duration,
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) calls: CallPlan,
}

impl Rogue {
    pub(crate) fn draw(rng: &mut SmallRng) -> Self {
        let milliseconds = |rng: &mut SmallRng, most| Duration::from_millis(rng.random_range(0..most));
        let deeds = 0..rng.random_range(1..10);
        let deeds = deeds.map(|_| {
            let deed = Deed::ALL[rng.random_range(0..Deed::ALL.len())];
            (Duration::from_secs(1) + milliseconds(rng, 10_000), deed)
        });
        let deeds = deeds.collect();
        Self {
            extended: rng.random_bool(0.8),
            deeds,
            starts: milliseconds(rng, 1000),
            calls: CallPlan {
                starts: milliseconds(rng, 1000),
                count: 100,
                pause: milliseconds(rng, 300),
                patience: None,
            },
        }
    }
}
