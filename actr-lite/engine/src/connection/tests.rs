//! The machine beside a naive model: a list of what the peer sent, and plain arithmetic about time.

use actr_lite_wire::{
    keepalive::{DEAD_AFTER, PING_AFTER, SPEAK_AFTER},
    misbehaviour::MisbehaviourKind,
    websocket::{ControlFrame, Fragment, append_frame, encode_control},
};
use proptest::{collection::vec, prelude::*};

use super::{read_buffer::MAX_READ, *};
use crate::memory::Budget;

const LONGEST: usize = 1 << 20;

const STALL: Duration = Duration::from_secs(100);

const SECOND: Duration = Duration::from_secs(1);

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

fn connection(limit: usize) -> Connection<Budget> {
    let memory = Budget { limit, counted: 0 };
    Connection::new(Role::Server, true, LONGEST, STALL, BytesMut::new(), memory)
}

/// A connection that has looked at what came with the handshake.
fn ready(limit: usize) -> Connection<Budget> {
    let mut connection = connection(limit);
    assert_eq!(connection.incoming(), Ok(None));
    connection.caught_up(Partial::default(), Duration::ZERO);
    connection
}

/// Reads from `wire` once, at most `most` bytes, and takes what is complete.
fn read(
    connection: &mut Connection<Budget>,
    wire: &mut &[u8],
    most: usize,
    now: Duration,
) -> Result<Vec<Incoming>, End> {
    if connection.buffer()?.is_some() {
        let held = connection.read.buffer.len() + connection.decoder.fragmented_len();
        assert!(
            held < connection.read.memory.counted,
            "room is counted before it is made"
        );
    }
    if let Some(buffer) = connection.buffer()? {
        let room = buffer.capacity() - buffer.len();
        let len = room.min(most).min(wire.len());
        let (come, rest) = wire.split_at(len);
        buffer.extend_from_slice(come);
        *wire = rest;
        connection.has_read(len, len == room, now)?;
    }
    let mut came = Vec::new();
    while let Some(incoming) = connection.incoming()? {
        came.push(incoming);
    }
    connection.caught_up(Partial::default(), now);
    Ok(came)
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, Fragment::Whole, body, MASK);
    bytes
}

fn control(frame: ControlFrame<'_>) -> Vec<u8> {
    encode_control(frame, MASK).to_vec()
}

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

    #[test]
    fn it_is_called_again_before_anything_is_too_late(
        steps in vec((0..8_000u64, 0..4u8), 1..60),
    ) {
        let mut connection = ready(LONGEST);
        let (mut now, mut heard, mut written) = (Duration::ZERO, Duration::ZERO, Written::default());
        let mut spoke = now;
        for (after, what) in steps {
            let next = now + Duration::from_millis(after);
            // The clock's own times in between.
            loop {
                match connection.due(written, now) {
                    Ok(Due::Ping | Due::Pong) => {
                        written.bytes += 2;
                        spoke = now;
                    }
                    Ok(Due::At(until)) => {
                        prop_assert!(until > now && until <= heard + DEAD_AFTER);
                        if until > next {
                            break;
                        }
                        now = until;
                    }
                    Err(End::Silent(silence)) => {
                        prop_assert_eq!(silence, now - heard);
                        prop_assert!(silence >= DEAD_AFTER);
                        return Ok(());
                    }
                    Err(end) => prop_assert!(false, "{end:?}"),
                }
            }
            prop_assert!(now - heard < DEAD_AFTER);
            now = next;
            match what {
                0 => {
                    let bytes = message(b"something");
                    read(&mut connection, &mut &bytes[..], usize::MAX, now).unwrap();
                    heard = now;
                    prop_assert!(now - spoke < 2 * (SPEAK_AFTER + PING_AFTER));
                }
                1 => {
                    connection.is_not_read(now);
                    heard = now;
                }
                2 => {
                    written.bytes += 100;
                    spoke = now;
                }
                _ => {}
            }
        }
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
    assert_eq!(connection.incoming(), Ok(Some(Incoming::Message(b"early"[..].into()))));
    assert_eq!(connection.buffer(), Ok(None), "there may be more");
    assert_eq!(connection.incoming(), Ok(None));
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

/// Calls `due` at each time it asks for, until it ends.
fn run_out(
    connection: &mut Connection<Budget>,
    mut now: Duration,
    mut hear: impl FnMut(&mut Connection<Budget>, Duration),
) -> (End, Duration) {
    loop {
        match connection.due(Written::default(), now) {
            Ok(Due::At(until)) => now = until,
            Ok(Due::Ping | Due::Pong) => hear(connection, now),
            Err(end) => return (end, now),
        }
    }
}

#[test]
fn what_is_begun_has_to_be_finished_in_time() {
    let pong = control(ControlFrame::Pong(b""));
    let mut hear = |connection: &mut Connection<Budget>, now| {
        // Between the bytes of a message no pong may stand: the peer sends one byte of it.
        connection.keepalive.heard(now);
    };
    let mut within_message = ready(LONGEST);
    read(
        &mut within_message,
        &mut &message(&[0; 1000])[..500],
        usize::MAX,
        SECOND,
    )
    .unwrap();
    let (end, now) = run_out(&mut within_message, SECOND, &mut hear);
    assert!(matches!(end, End::Protocol(CloseCode::POLICY_VIOLATION, _)), "{end:?}");
    assert_eq!(now, SECOND + STALL);

    let mut within_record = ready(LONGEST);
    let partial = |len, whole_records| Partial { len, whole_records };
    within_record.caught_up(partial(10, 0), SECOND);
    within_record.caught_up(partial(10, 1), 2 * SECOND);
    read(&mut within_record, &mut &pong[..0], 0, SECOND).unwrap_err();
    let (end, now) = run_out(&mut within_record, 2 * SECOND, &mut hear);
    assert!(matches!(end, End::Protocol(CloseCode::POLICY_VIOLATION, _)), "{end:?}");
    assert_eq!(now, 2 * SECOND + STALL, "the second record has its own time");

    let mut finished = ready(LONGEST);
    finished.caught_up(partial(10, 0), SECOND);
    finished.caught_up(partial(0, 1), 2 * SECOND);
    assert!(matches!(run_out(&mut finished, SECOND, |_, _| {}).0, End::Silent(_)));
}

#[test]
fn who_is_not_read_is_neither_late_nor_silent() {
    let mut connection = ready(LONGEST);
    read(&mut connection, &mut &message(&[0; 1000])[..500], usize::MAX, SECOND).unwrap();
    let late = SECOND + 10 * STALL;
    connection.is_not_read(late);
    assert!(connection.due(Written::default(), late).is_ok());
}

#[test]
fn a_close_has_its_time() {
    let frame = || Some(CloseFrame::new(CloseCode::POLICY_VIOLATION, "unread"));
    let mut connection = ready(LONGEST);
    connection.look_at_close(|| None, SECOND).unwrap();
    connection.look_at_close(frame, 2 * SECOND).unwrap();
    connection.look_at_close(|| panic!("it is known"), 3 * SECOND).unwrap();
    assert_eq!(
        connection.due(Written::default(), 3 * SECOND),
        Ok(Due::At(2 * SECOND + CLOSE_TIMEOUT))
    );
    let end = connection
        .look_at_close(|| None, 2 * SECOND + CLOSE_TIMEOUT)
        .unwrap_err();
    assert_eq!(end, End::Stuck(frame().unwrap()));
    assert_eq!(end.complaint(), Some((MisbehaviourKind::UnreadAnswers, "unread")));
    assert!(end.goodbye().is_none());

    let closed = connection.closed(|| panic!("it is known"));
    assert_eq!(closed, End::Closed(frame().unwrap()));
    assert_eq!(
        closed.goodbye(),
        Some(Goodbye {
            answer: None,
            waits_for_peer: true
        })
    );
    assert_eq!(ready(LONGEST).closed(frame), closed, "it came while the driver wrote");
}
