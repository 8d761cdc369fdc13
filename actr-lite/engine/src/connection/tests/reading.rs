//! What is read, beside a list of what the peer sent.

use actr_lite_wire::{
    keepalive::PING_AFTER,
    misbehaviour::MisbehaviourKind,
    websocket::{ControlFrame, Fragment, append_frame},
};
use proptest::{collection::vec, prelude::*};

use super::{LONGEST, MASK, SECOND, STALL, control, message, read, ready};
use crate::{
    connection::{read_buffer::MAX_READ, *},
    memory::Budget,
};
/// What a peer sends.
#[derive(Debug, Clone)]
enum Sent {
    Message(usize),
    Fragments(Vec<usize>),
    Ping,
    Pong,
}

fn sent() -> impl Strategy<Value = Sent> {
    let len = prop_oneof![0..300usize, 0..100_000usize];
    prop_oneof![
        6 => len.clone().prop_map(Sent::Message),
        2 => vec(len, 2..5).prop_map(Sent::Fragments),
        1 => Just(Sent::Ping),
        1 => Just(Sent::Pong),
    ]
}

/// The bytes of what is sent, and what has to come of them.
fn encode(sent: &[Sent]) -> (Vec<u8>, Vec<Incoming>) {
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    for (number, sent) in sent.iter().enumerate() {
        let body = |len: usize| vec![number as u8; len];
        match sent {
            Sent::Message(len) => {
                wire.extend(message(&body(*len)));
                expected.push(Incoming::Message(body(*len).into()));
            }
            Sent::Fragments(lens) => {
                for (at, len) in lens.iter().enumerate() {
                    let fragment = match at {
                        0 => Fragment::First,
                        at if at + 1 == lens.len() => Fragment::Last,
                        _ => Fragment::Middle,
                    };
                    append_frame(&mut wire, fragment, &body(*len), MASK);
                }
                expected.push(Incoming::Message(body(lens.iter().sum()).into()));
            }
            Sent::Ping => {
                wire.extend(control(ControlFrame::Ping(b"?")));
                expected.push(Incoming::Ping(b"?"[..].into()));
            }
            Sent::Pong => wire.extend(control(ControlFrame::Pong(b"!"))),
        }
    }
    (wire, expected)
}

proptest! {
    #[test]
    fn all_that_is_sent_comes_once_in_order_and_in_bounds(
        sent in vec(sent(), 0..30),
        sizes in vec(prop_oneof![1..100usize, 1..50_000usize, Just(usize::MAX)], 1..20),
        budget in 1_200_000..3_000_000usize,
    ) {
        let (wire, expected) = encode(&sent);
        let mut connection = ready(budget);
        let (mut rest, mut came) = (&wire[..], Vec::new());
        for most in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            came.extend(read(&mut connection, &mut rest, *most, SECOND).unwrap());
            prop_assert!(connection.read.memory.counted <= budget);
        }
        prop_assert!(came == expected, "{} of {} came", came.len(), expected.len());
        connection.found_nothing();
        prop_assert!(connection.read.memory.counted <= 2 * MAX_READ, "{}", connection.read.memory.counted);
    }
}

#[test]
fn what_came_with_the_handshake_is_looked_at_before_a_read() {
    let leftover = message(b"early")[..].into();
    let memory = Budget {
        limit: LONGEST,
        counted: 0,
    };
    let mut connection = Connection::new(Role::Server, true, LONGEST, STALL, leftover, memory);
    assert_eq!(connection.buffer(), Ok(None));
    assert_eq!(connection.incoming(), Ok(Incoming::Message(b"early"[..].into())));
    assert_eq!(connection.buffer(), Ok(None), "there may be more");
    assert_eq!(connection.incoming(), Ok(Incoming::Nothing));
    assert!(connection.buffer().unwrap().is_some());
}

#[test]
fn a_peer_that_closes_or_goes_ends_it() {
    let mut connection = ready(LONGEST);
    let frame = CloseFrame::new(CloseCode::GOING_AWAY, "bye");
    let bytes = control(ControlFrame::Close(Some(&frame)));
    let end = read(&mut connection, &mut &bytes[..], usize::MAX, SECOND).unwrap_err();
    assert_eq!(end, End::Peer(Some(frame)));
    let goodbye = end.goodbye().unwrap();
    assert_eq!(goodbye.answer, Some(CloseFrame::new(CloseCode::GOING_AWAY, "")));
    assert!(!goodbye.waits_for_peer, "the peer has said its last");

    let end = ready(LONGEST).has_read(0, false, SECOND).unwrap_err();
    assert!(matches!(&end, End::Broken(_)) && end.goodbye().is_none());
}

#[test]
fn who_breaks_the_protocol_is_told_and_complained_of() {
    let mut text = message(b"text");
    text[0] = 0x81;
    for (bytes, code) in [
        (text, CloseCode::UNSUPPORTED_DATA),
        (vec![0xFF; 20], CloseCode::PROTOCOL_ERROR),
    ] {
        let end = read(&mut ready(LONGEST), &mut &bytes[..], usize::MAX, SECOND).unwrap_err();
        let goodbye = end.goodbye().unwrap();
        assert_eq!(goodbye.answer.map(|frame| frame.code()), Some(code));
        assert!(goodbye.waits_for_peer, "so that it can read why");
        assert_eq!(end.complaint().unwrap().0, MisbehaviourKind::ProtocolViolation);
    }
}

#[test]
fn a_peer_may_not_announce_more_than_its_share() {
    let mut connection = ready(20 << 10);
    let bytes = message(&[0; 100_000]);
    let mut rest = &bytes[..];
    let end = loop {
        if let Err(end) = read(&mut connection, &mut rest, usize::MAX, SECOND) {
            break end;
        }
        assert!(connection.read.memory.counted <= 20 << 10);
    };
    assert!(
        bytes.len() - rest.len() >= 8 << 10,
        "short reads go on as long as they can"
    );
    assert!(matches!(end, End::Protocol(CloseCode::POLICY_VIOLATION, _)), "{end:?}");
}

#[test]
fn an_idle_connection_keeps_no_buffer() {
    let mut connection = ready(LONGEST);
    let bytes = message(&[0; 200_000]);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        read(&mut connection, &mut rest, usize::MAX, SECOND).unwrap();
    }
    connection.buffer().unwrap();
    connection.found_nothing();
    assert!(
        connection.read.memory.counted > 0,
        "a large buffer is kept for a moment"
    );
    assert_eq!(connection.due(Written::default(), SECOND + PING_AFTER), Ok(Due::Ping));
    assert_eq!(
        (connection.read.memory.counted, connection.read.buffer.capacity()),
        (0, 0)
    );

    read(&mut connection, &mut &message(b"short")[..], usize::MAX, SECOND).unwrap();
    connection.buffer().unwrap();
    connection.found_nothing();
    assert_eq!(
        (connection.read.memory.counted, connection.read.buffer.capacity()),
        (0, 0)
    );
}

#[test]
fn what_is_left_of_a_read_is_looked_at_before_the_next() {
    let mut connection = ready(LONGEST);
    let bytes = message(b"two").repeat(2);
    connection.buffer().unwrap().unwrap().extend_from_slice(&bytes);
    connection.has_read(bytes.len(), false, SECOND).unwrap();
    for _ in 0..2 {
        assert_eq!(connection.buffer(), Ok(None));
        assert_eq!(connection.incoming(), Ok(Incoming::Message(b"two"[..].into())));
    }
    assert_eq!(connection.incoming(), Ok(Incoming::Nothing));
}

#[test]
fn a_turn_ends_after_so_many_frames_however_short_they_are() {
    const LEFT: usize = 7;
    let mut connection = ready(LONGEST);
    let ping = control(ControlFrame::Ping(b""));
    let bytes = ping.repeat(Turn::MAX_FRAMES + LEFT);
    let buffer = connection.buffer().unwrap().unwrap();
    buffer.extend_from_slice(&bytes);
    connection.begin_turn();
    connection.has_read(bytes.len(), false, SECOND).unwrap();
    for _ in 0..Turn::MAX_FRAMES {
        assert_eq!(connection.incoming(), Ok(Incoming::Ping(Bytes::new())));
    }
    assert_eq!(connection.incoming(), Ok(Incoming::Later));
    assert_eq!(connection.goes_on(|| SECOND), Ok(false));
    assert_eq!(
        connection.buffer(),
        Ok(None),
        "the rest is looked at before more is read"
    );
    connection.begin_turn();
    for _ in 0..LEFT {
        assert_eq!(connection.incoming(), Ok(Incoming::Ping(Bytes::new())));
    }
    assert_eq!(connection.incoming(), Ok(Incoming::Nothing));
}

/// When a connection ends whose peer has begun a message, and then sends these bytes again and again, so that there is
/// always something to read.
fn end_in_a_flood(of: &[u8]) -> Option<(End, Duration)> {
    let mut connection = ready(LONGEST);
    let mut begun = Vec::new();
    append_frame(&mut begun, Fragment::First, b"x", MASK);
    read(&mut connection, &mut &begun[..], usize::MAX, Duration::ZERO).unwrap();
    for turn in 1..1000 {
        let now = turn * SECOND;
        connection.begin_turn();
        loop {
            match connection.goes_on(|| now) {
                Ok(true) => {}
                Ok(false) => break,
                Err(end) => return Some((end, now)),
            }
            if let Some(buffer) = connection.buffer().unwrap() {
                let count = (buffer.capacity() - buffer.len()) / of.len();
                buffer.extend_from_slice(&of.repeat(count));
                connection.has_read(count * of.len(), true, now).unwrap();
            }
            let last = loop {
                match connection.incoming().unwrap() {
                    Incoming::Ping(_) => {}
                    last => break last,
                }
            };
            if last == Incoming::Nothing {
                connection.caught_up(Partial::default(), now);
            }
        }
    }
    None
}

#[test]
fn a_flood_of_pings_or_fragments_moves_no_deadline() {
    let mut fragment = Vec::new();
    append_frame(&mut fragment, Fragment::Middle, b"", MASK);
    for flood in [
        control(ControlFrame::Ping(b"")),
        control(ControlFrame::Pong(b"")),
        fragment,
    ] {
        let (end, now) = end_in_a_flood(&flood).unwrap();
        assert!(matches!(end, End::Protocol(CloseCode::POLICY_VIOLATION, _)), "{end:?}");
        assert_eq!(now, STALL);
    }
}
