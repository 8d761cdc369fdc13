//! What tungstenite, an implementation of its own, writes is what a decoder reads, and the other way round.

#![allow(
    clippy::expect_used,
    reason = "helpers of tests stand outside of `#[test]` functions"
)]

use std::io::{self, Read, Write};

use actr_lite_wire::websocket::{
    CloseCode, CloseFrame, ControlFrame, Decoder, Event, HEADER_ROOM, Role, encode_control, seal,
};
use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*, sample::Index};
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    protocol::{
        CloseFrame as ModelCloseFrame, Role as ModelRole, WebSocketConfig,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

const LIMIT: usize = 1 << 20;

/// A socket in memory: what it was written, and what is to be read from it, in pieces of the given sizes.
struct Pipe {
    written: Vec<u8>,
    incoming: io::Cursor<Vec<u8>>,
    pieces: Pieces,
}

/// Sizes of reads, over and over.
struct Pieces(std::iter::Cycle<std::vec::IntoIter<usize>>);

impl Pieces {
    fn new(sizes: Vec<usize>) -> Self {
        Self(sizes.into_iter().cycle())
    }

    fn next(&mut self) -> usize {
        self.0.next().expect("at least one size")
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = buffer.len().min(self.pieces.next());
        match self.incoming.read(&mut buffer[..size])? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn model(role: Role, incoming: Vec<u8>, pieces: Pieces) -> WebSocket<Pipe> {
    let role = match role {
        Role::Client => ModelRole::Client,
        Role::Server => ModelRole::Server,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT));
    let pipe = Pipe {
        written: Vec::new(),
        incoming: io::Cursor::new(incoming),
        pieces,
    };
    WebSocket::from_raw_socket(pipe, role, Some(config))
}

fn peer(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// What is sent, as one frame or in the parts between the cuts, with control frames after the first of them.
#[derive(Clone, Debug)]
enum Sent {
    Binary {
        payload: Vec<u8>,
        cuts: Vec<Index>,
        between: Vec<Control>,
    },
    Text {
        payload: String,
        cuts: Vec<Index>,
    },
    Control(Control),
}

#[derive(Clone, Debug)]
enum Control {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn control() -> impl Strategy<Value = Control> {
    let payload = vec(any::<u8>(), 0..=125);
    prop_oneof![payload.clone().prop_map(Control::Ping), payload.prop_map(Control::Pong)]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![6 => 0..130usize, 2 => 130..3000usize, 1 => 65_530..65_545usize];
    (len, any::<u8>()).prop_map(|(len, seed)| (0..len).map(|at| (at % 253) as u8 ^ seed).collect())
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = prop_oneof![2 => Just(Vec::new()), 3 => vec(any::<Index>(), 0..5)];
    prop_oneof![
        5 => (payload(), cuts.clone(), vec(control(), 0..3))
            .prop_map(|(payload, cuts, between)| Sent::Binary { payload, cuts, between }),
        1 => ("\\PC{0,40}", cuts).prop_map(|(payload, cuts)| Sent::Text { payload, cuts }),
        2 => control().prop_map(Sent::Control),
    ]
}

fn close() -> impl Strategy<Value = Option<CloseFrame>> {
    let code = prop_oneof![
        Just(1000u16),
        Just(1001),
        Just(1002),
        Just(1009),
        Just(1011),
        3000..5000u16
    ];
    proptest::option::of(
        (code, "\\PC{0,60}")
            .prop_map(|(code, reason)| CloseFrame::new(CloseCode::new(code).expect("a valid code"), reason)),
    )
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

fn pieces() -> impl Strategy<Value = Pieces> {
    vec(prop_oneof![1..20usize, 20..70_000usize], 1..8).prop_map(Pieces::new)
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

fn parts<'a>(payload: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([payload.len()]);
    starts.zip(ends).map(|(start, end)| &payload[start..end]).collect()
}

fn model_frame(control: &Control) -> Message {
    Message::Frame(match control {
        Control::Ping(payload) => Frame::ping(payload.clone()),
        Control::Pong(payload) => Frame::pong(payload.clone()),
    })
}

fn event(control: &Control) -> Event {
    match control {
        Control::Ping(payload) => Event::Ping(payload.clone().into()),
        Control::Pong(payload) => Event::Pong(payload.clone().into()),
    }
}

/// Lets tungstenite write everything, and says which events the decoder owes.
fn write_with_model(role: Role, sent: &[Sent], close: &Option<CloseFrame>) -> (Vec<u8>, Vec<Event>) {
    let mut model = model(role, Vec::new(), Pieces::new(vec![1]));
    let mut expected = Vec::new();
    let mut write = |message| model.write(message).expect("writing to memory");
    for item in sent {
        let (payload, kind, cuts, between, event_at_end) = match item {
            Sent::Control(control) => {
                write(model_frame(control));
                expected.push(event(control));
                continue;
            }
            Sent::Binary { payload, cuts, between } => (
                &payload[..],
                Data::Binary,
                cuts,
                &between[..],
                Event::Binary(payload.clone().into()),
            ),
            Sent::Text { payload, cuts } => (payload.as_bytes(), Data::Text, cuts, &[][..], Event::Text),
        };
        let parts = parts(payload, cuts);
        let mut expected_between = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let opcode = OpCode::Data(if at == 0 { kind } else { Data::Continue });
            let is_final = at + 1 == parts.len();
            write(Message::Frame(Frame::message(part.to_vec(), opcode, is_final)));
            if at == 0 && !is_final {
                between.iter().for_each(|control| write(model_frame(control)));
                expected_between.extend(between.iter().map(event));
            }
        }
        expected.extend(expected_between);
        expected.push(event_at_end);
    }
    let model_close = close.as_ref().map(|close| ModelCloseFrame {
        code: close.code().value().into(),
        reason: close.reason().to_owned().into(),
    });
    write(Message::Frame(Frame::close(model_close)));
    expected.push(Event::Close(close.clone()));
    model.flush().expect("flushing to memory");
    (std::mem::take(&mut model.get_mut().written), expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_tungstenite_writes_is_read(
        role in role(), sent in vec(sent(), 0..12), close in close(), mut pieces in pieces(),
    ) {
        let (bytes, expected) = write_with_model(peer(role), &sent, &close);
        let mut decoder = Decoder::new(role, LIMIT);
        let mut buffer = BytesMut::new();
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        loop {
            while let Some(event) = decoder.decode(&mut buffer).expect("legal frames") {
                events.push(event);
            }
            if rest.is_empty() {
                break;
            }
            prop_assert!(decoder.wanted() <= rest.len(), "wants more than its message needs");
            let (piece, next) = rest.split_at(pieces.next().min(rest.len()));
            buffer.extend_from_slice(piece);
            rest = next;
        }
        prop_assert!(events == expected, "{events:?} instead of {expected:?}");
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_written_tungstenite_reads(
        role in role(),
        sent in vec(prop_oneof![
            3 => payload().prop_map(|payload| Sent::Binary { payload, cuts: Vec::new(), between: Vec::new() }),
            1 => control().prop_map(Sent::Control),
        ], 0..12),
        close in close(),
        key in any::<[u8; 4]>(),
        pieces in pieces(),
    ) {
        let mask = role.masks().then_some(key);
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for item in sent {
            match item {
                Sent::Binary { payload, .. } => {
                    let mut buffer = BytesMut::zeroed(HEADER_ROOM);
                    buffer.extend_from_slice(&payload);
                    let start = seal(&mut buffer, mask);
                    bytes.extend_from_slice(&buffer[start..]);
                    expected.push(Message::Binary(payload.into()));
                }
                Sent::Control(Control::Ping(payload)) => {
                    bytes.extend_from_slice(&encode_control(ControlFrame::Ping(&payload), mask));
                    expected.push(Message::Ping(payload.into()));
                }
                Sent::Control(Control::Pong(payload)) => {
                    bytes.extend_from_slice(&encode_control(ControlFrame::Pong(&payload), mask));
                    expected.push(Message::Pong(payload.into()));
                }
                Sent::Text { .. } => unreachable!("no text is written"),
            }
        }
        bytes.extend_from_slice(&encode_control(ControlFrame::Close(close.as_ref()), mask));
        expected.push(Message::Close(close.map(|close| ModelCloseFrame {
            code: close.code().value().into(),
            reason: close.reason().to_owned().into(),
        })));

        let mut model = model(peer(role), bytes, pieces);
        for message in expected {
            let read = model.read().map_err(|error| error.to_string());
            prop_assert!(read.as_ref() == Ok(&message), "{read:?} instead of {message:?}");
        }
    }

    // Tungstenite is laxer than the decoder in places, never stricter, but for text, which it checks and which is
    // therefore left out.
    #[test]
    fn what_is_accepted_tungstenite_accepts_too(
        role in role(),
        frames in vec((
            prop_oneof![3 => Just(0x82u8), 2 => Just(0x02), 2 => Just(0x00), 2 => Just(0x80), 1 => Just(0x89),
                1 => Just(0x8A), 1 => Just(0x88),
                1 => any::<u8>().prop_filter("text", |first_byte| first_byte & 0x0F != 1)],
            vec(any::<u8>(), 0..=125),
            prop_oneof![8 => Just(false), 1 => Just(true)],
        ), 0..12),
    ) {
        let mut bytes = Vec::new();
        for (first_byte, payload, wrong_mask) in &frames {
            let masked = (role == Role::Server) != *wrong_mask;
            bytes.extend_from_slice(&[*first_byte, payload.len() as u8 | if masked { 0x80 } else { 0 }]);
            if masked {
                bytes.extend_from_slice(&[0x37, 0xfa, 0x21, 0x3d]);
            }
            bytes.extend_from_slice(payload);
        }
        let mut model = model(role, bytes.clone(), Pieces::new(vec![usize::MAX]));
        let mut decoder = Decoder::new(role, LIMIT);
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(event)) = decoder.decode(&mut buffer) {
            let expected = match event {
                Event::Binary(payload) => Message::Binary(payload),
                Event::Ping(payload) => Message::Ping(payload),
                Event::Pong(payload) => Message::Pong(payload),
                Event::Text => unreachable!("no text is sent"),
                Event::Close(close) => Message::Close(close.map(|close| ModelCloseFrame {
                    code: close.code().value().into(),
                    reason: close.reason().to_owned().into(),
                })),
            };
            let read = model.read().map_err(|error| error.to_string());
            prop_assert_eq!(read, Ok(expected));
        }
    }
}

#[test]
fn a_sealed_batch_is_one_message_for_tungstenite() {
    let records = Bytes::from((0..65_536).map(|at| at as u8).collect::<Vec<u8>>());
    let mut buffer = BytesMut::zeroed(HEADER_ROOM);
    buffer.extend_from_slice(&records);
    let start = seal(&mut buffer, Some([1, 2, 3, 4]));
    let mut model = model(Role::Server, buffer[start..].to_vec(), Pieces::new(vec![1000]));
    assert_eq!(model.read().expect("a message"), Message::Binary(records));
}
