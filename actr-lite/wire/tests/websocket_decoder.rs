//! What a WebSocket decoder promises its driver, frame by frame.

use actr_lite_wire::websocket::{
    CloseCode, CloseFrame, ControlFrame, Decoder, Event, HEADER_ROOM, ProtocolError, Role, encode_control, seal,
};
use bytes::{Bytes, BytesMut};

const LIMIT: usize = 100_000;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Both directions: the role that reads, and the mask its peer uses.
const DIRECTIONS: [(Role, Option<[u8; 4]>); 2] = [(Role::Client, None), (Role::Server, Some(KEY))];

fn binary(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut buffer = vec![0; HEADER_ROOM];
    buffer.extend_from_slice(payload);
    let start = seal(&mut buffer, mask);
    buffer.split_off(start)
}

/// One frame as a server sends it, with any first byte and a payload of at most 125 bytes.
fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    [&[first_byte, payload.len() as u8], payload].concat()
}

fn decode_all(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Event>, ProtocolError> {
    let mut buffer = BytesMut::from(bytes);
    let mut events = Vec::new();
    while let Some(event) = decoder.decode(&mut buffer)? {
        events.push(event);
    }
    Ok(events)
}

fn decode_byte_by_byte(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Event>, ProtocolError> {
    let mut buffer = BytesMut::new();
    let mut events = Vec::new();
    for byte in bytes {
        buffer.extend_from_slice(&[*byte]);
        while let Some(event) = decoder.decode(&mut buffer)? {
            events.push(event);
        }
    }
    Ok(events)
}

#[test]
fn each_length_class_arrives_whole_and_byte_by_byte() {
    for (role, mask) in DIRECTIONS {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload: Vec<u8> = (0..len).map(|at: usize| (at % 251) as u8).collect();
            let bytes = binary(&payload, mask);
            let expected = Ok(vec![Event::Binary(Bytes::from(payload))]);
            assert_eq!(
                decode_all(&mut Decoder::new(role, LIMIT), &bytes),
                expected,
                "{role:?}, {len} bytes"
            );
            assert_eq!(
                decode_byte_by_byte(&mut Decoder::new(role, LIMIT), &bytes),
                expected,
                "{role:?}, {len} bytes"
            );
        }
    }
}

#[test]
fn a_message_in_one_frame_is_a_view_into_the_buffer() {
    for (role, mask) in DIRECTIONS {
        let mut buffer = BytesMut::from(&binary(&[7; 1000], mask)[..]);
        buffer.extend_from_slice(&binary(&[8; 70_000], mask));
        let (first_header, second_header) = if mask.is_none() { (4, 10) } else { (8, 14) };
        let first_at = buffer[first_header..].as_ptr();
        let second_at = buffer[first_header + 1000 + second_header..].as_ptr();

        let mut decoder = Decoder::new(role, LIMIT);
        let Ok(Some(Event::Binary(first))) = decoder.decode(&mut buffer) else {
            panic!("no message")
        };
        let Ok(Some(Event::Binary(second))) = decoder.decode(&mut buffer) else {
            panic!("no message")
        };
        assert_eq!((first.as_ptr(), second.as_ptr()), (first_at, second_at));
        assert!(first == [7; 1000][..] && second == [8; 70_000][..]);
    }
}

#[test]
fn memory_of_dropped_messages_is_reused() {
    for (role, mask) in DIRECTIONS {
        let bytes = binary(&[7; 60_000], mask);
        let mut decoder = Decoder::new(role, LIMIT);
        let mut buffer = BytesMut::with_capacity(64 * 1024);
        let memory = buffer.as_ptr();
        for _ in 0..100 {
            buffer.reserve(bytes.len());
            assert_eq!(buffer.as_ptr(), memory);
            buffer.extend_from_slice(&bytes);
            assert!(matches!(decoder.decode(&mut buffer), Ok(Some(Event::Binary(_)))));
            assert_eq!(decoder.decode(&mut buffer), Ok(None));
        }
    }
}

#[test]
fn every_breach_of_the_protocol_has_its_error_and_close_code() {
    let cases: [(&str, Role, Vec<u8>, ProtocolError, u16); 17] = [
        (
            "reserved bit",
            Role::Client,
            frame(0xC2, b""),
            ProtocolError::ReservedBits { first_byte: 0xC2 },
            1002,
        ),
        (
            "reserved data opcode",
            Role::Client,
            frame(0x83, b""),
            ProtocolError::ReservedOpcode { opcode: 0x3 },
            1002,
        ),
        (
            "reserved control opcode",
            Role::Client,
            frame(0x8B, b""),
            ProtocolError::ReservedOpcode { opcode: 0xB },
            1002,
        ),
        (
            "no mask",
            Role::Server,
            binary(b"x", None),
            ProtocolError::MaskMissing,
            1002,
        ),
        (
            "no mask on a ping",
            Role::Server,
            frame(0x89, b""),
            ProtocolError::MaskMissing,
            1002,
        ),
        (
            "mask",
            Role::Client,
            binary(b"x", Some(KEY)),
            ProtocolError::MaskNotAllowed,
            1002,
        ),
        (
            "fragmented ping",
            Role::Client,
            frame(0x09, b""),
            ProtocolError::FragmentedControl,
            1002,
        ),
        (
            "long ping",
            Role::Client,
            vec![0x89, 126, 0, 126],
            ProtocolError::ControlTooLong,
            1002,
        ),
        (
            "stray continuation",
            Role::Client,
            frame(0x80, b"x"),
            ProtocolError::ContinuationWithoutStart,
            1002,
        ),
        (
            "continuation after the end",
            Role::Client,
            [frame(0x02, b"x"), frame(0x80, b"y"), frame(0x80, b"z")].concat(),
            ProtocolError::ContinuationWithoutStart,
            1002,
        ),
        (
            "message in a message",
            Role::Client,
            [frame(0x02, b"x"), frame(0x82, b"y")].concat(),
            ProtocolError::DataInsideFragmented,
            1002,
        ),
        (
            "message over the limit",
            Role::Client,
            vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA1],
            ProtocolError::MessageTooLong {
                len: 100_001,
                limit: LIMIT,
            },
            1009,
        ),
        (
            "long length",
            Role::Client,
            vec![0x82, 126, 0, 5],
            ProtocolError::InvalidLength { len: 5 },
            1002,
        ),
        (
            "length with the top bit",
            Role::Client,
            vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            ProtocolError::InvalidLength { len: 1 << 63 },
            1002,
        ),
        (
            "half a close code",
            Role::Client,
            frame(0x88, &[3]),
            ProtocolError::TruncatedCloseCode,
            1002,
        ),
        (
            "bad close code",
            Role::Client,
            frame(0x88, &[3, 0xED]),
            ProtocolError::InvalidCloseCode { code: 1005 },
            1002,
        ),
        (
            "bad close reason",
            Role::Client,
            frame(0x88, &[3, 0xE8, 0xFF]),
            ProtocolError::CloseReasonNotUtf8,
            1007,
        ),
    ];
    for (name, role, bytes, error, close_code) in cases {
        assert_eq!(decode_all(&mut Decoder::new(role, LIMIT), &bytes), Err(error), "{name}");
        assert_eq!(error.close_code().value(), close_code, "{name}");
        assert!(!error.to_string().is_empty());

        let mut decoder = Decoder::new(role, LIMIT);
        assert_eq!(
            decode_byte_by_byte(&mut decoder, &bytes),
            Err(error),
            "{name}, byte by byte"
        );
        assert_eq!(decoder.wanted(), 0, "{name}");
        let harmless = binary(b"x", (role == Role::Server).then_some(KEY));
        assert_eq!(decode_all(&mut decoder, &harmless), Err(error), "{name}, called again");
    }
}

#[test]
fn the_limit_is_checked_on_the_header_and_over_all_fragments() {
    let too_long = |len| Err(ProtocolError::MessageTooLong { len, limit: 10 });
    let mut decoder = Decoder::new(Role::Client, 10);
    assert_eq!(
        decode_all(&mut decoder, &binary(&[7; 10], None)),
        Ok(vec![Event::Binary(Bytes::from_static(&[7; 10]))])
    );
    assert_eq!(decode_all(&mut decoder, &[0x82, 11]), too_long(11));

    for opcode in [0x01, 0x02] {
        let mut decoder = Decoder::new(Role::Client, 10);
        assert_eq!(
            decode_all(&mut decoder, &[frame(opcode, &[7; 6]), frame(0x00, &[7; 4])].concat()),
            Ok(vec![])
        );
        assert_eq!(decode_all(&mut decoder, &[0x80, 1]), too_long(11));
    }

    let mut decoder = Decoder::new(Role::Client, 10);
    assert_eq!(decode_all(&mut decoder, &frame(0x02, &[7; 6])), Ok(vec![]));
    let greatest = [0x80, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(decode_all(&mut decoder, &greatest), too_long((1 << 63) + 5));
}

#[test]
fn the_limit_of_messages_does_not_hold_for_control_frames() {
    let mut decoder = Decoder::new(Role::Client, 0);
    let ping = encode_control(ControlFrame::Ping(&[7; 125]), None);
    assert_eq!(
        decode_all(&mut decoder, &ping),
        Ok(vec![Event::Ping(Bytes::from_static(&[7; 125]))])
    );
    assert_eq!(
        decode_all(&mut decoder, &binary(b"", None)),
        Ok(vec![Event::Binary(Bytes::new())])
    );
}

#[test]
fn control_frames_between_fragments_come_first() {
    let bytes = [
        frame(0x02, b"one "),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x00, b"two "),
        frame(0x8A, b"pong"),
        frame(0x80, b"three"),
        frame(0x82, b"four"),
    ];
    let expected = Ok(vec![
        Event::Ping(Bytes::from_static(b"ping")),
        Event::Pong(Bytes::from_static(b"pong")),
        Event::Binary(Bytes::from_static(b"one two three")),
        Event::Binary(Bytes::from_static(b"four")),
    ]);
    assert_eq!(
        decode_all(&mut Decoder::new(Role::Client, 13), &bytes.concat()),
        expected
    );
    assert_eq!(
        decode_byte_by_byte(&mut Decoder::new(Role::Client, 13), &bytes.concat()),
        expected
    );
}

#[test]
fn a_text_message_is_reported_once_it_is_whole() {
    let mut decoder = Decoder::new(Role::Client, LIMIT);
    assert_eq!(decode_all(&mut decoder, &frame(0x81, b"text")), Ok(vec![Event::Text]));
    assert_eq!(decode_all(&mut decoder, &frame(0x01, &[0xFF])), Ok(vec![]));
    assert_eq!(decode_all(&mut decoder, &frame(0x80, b"text")), Ok(vec![Event::Text]));
    assert_eq!(
        decode_all(&mut decoder, &frame(0x82, b"x")),
        Ok(vec![Event::Binary(Bytes::from_static(b"x"))])
    );
}

#[test]
fn a_close_is_read_back_and_what_follows_it_is_thrown_away() {
    let reason = CloseFrame::new(CloseCode::GOING_AWAY, "the node shuts down");
    for (role, mask) in DIRECTIONS {
        for close in [None, Some(CloseFrame::new(CloseCode::NORMAL, "")), Some(reason.clone())] {
            let mut buffer = BytesMut::from(&*encode_control(ControlFrame::Close(close.as_ref()), mask));
            buffer.extend_from_slice(&[0xFF; 1000]);
            let mut decoder = Decoder::new(role, LIMIT);
            assert_eq!(decoder.decode(&mut buffer), Ok(Some(Event::Close(close))));
            assert_eq!(decoder.wanted(), 0);
            assert_eq!(decoder.decode(&mut buffer), Ok(None));
            assert!(buffer.is_empty());
            assert_eq!(decoder.wanted(), 0);
        }
    }
}

#[test]
fn reading_only_what_is_wanted_gets_every_event() {
    for (role, mask) in DIRECTIONS {
        let bytes = [
            binary(&[1; 70_000], mask),
            encode_control(ControlFrame::Ping(b"ping"), mask).to_vec(),
            binary(&[2; 300], mask),
            binary(b"", mask),
        ]
        .concat();
        let ends = [70_000, 4, 300, 0];
        let mut decoder = Decoder::new(role, LIMIT);
        let (mut buffer, mut rest, mut reads, mut lens) = (BytesMut::new(), &bytes[..], 0, Vec::new());
        while !rest.is_empty() {
            let wanted = decoder.wanted();
            assert!(wanted > 0 && wanted <= rest.len(), "{wanted} of {} bytes", rest.len());
            buffer.extend_from_slice(&rest[..wanted]);
            rest = &rest[wanted..];
            reads += 1;
            if let Some(event) = decoder.decode(&mut buffer).expect("legal frames") {
                assert!(buffer.is_empty());
                assert_eq!(decoder.wanted(), 2, "the next header");
                match event {
                    Event::Binary(payload) | Event::Ping(payload) => lens.push(payload.len()),
                    other => panic!("nobody sent {other:?}"),
                }
            }
        }
        assert_eq!(lens, ends);
        assert!(reads <= 3 * ends.len(), "{reads} reads");
    }
}
