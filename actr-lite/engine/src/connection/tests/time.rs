//! What is due by the clock, beside plain arithmetic.

use actr_lite_wire::{
    keepalive::{DEAD_AFTER, PING_AFTER, SPEAK_AFTER},
    misbehaviour::MisbehaviourKind,
    websocket::ControlFrame,
};
use proptest::{collection::vec, prelude::*};

use super::{LONGEST, SECOND, STALL, control, message, read, ready};
use crate::{connection::*, memory::Budget};
proptest! {
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
fn each_message_has_its_own_time() {
    let bytes = message(&[0; 1000]);
    let mut connection = ready(LONGEST);
    read(&mut connection, &mut &bytes[..500], usize::MAX, SECOND).unwrap();
    let rest = [&bytes[500..], &bytes[..400]].concat();
    let came = read(&mut connection, &mut &rest[..], usize::MAX, 50 * SECOND).unwrap();
    assert_eq!(came.len(), 1);
    let hear = |connection: &mut Connection<Budget>, now| connection.keepalive.heard(now);
    assert_eq!(run_out(&mut connection, 50 * SECOND, hear).1, 50 * SECOND + STALL);
}

#[test]
fn who_is_not_read_is_neither_late_nor_silent() {
    let late = 10 * STALL;
    let mut within_message = ready(LONGEST);
    read(
        &mut within_message,
        &mut &message(&[0; 1000])[..500],
        usize::MAX,
        SECOND,
    )
    .unwrap();
    let mut within_record = ready(LONGEST);
    let partial = Partial {
        len: 10,
        whole_records: 0,
    };
    within_record.caught_up(partial, SECOND);
    for mut connection in [within_message, within_record] {
        connection.is_not_read(late);
        let hear = |connection: &mut Connection<Budget>, now| connection.keepalive.heard(now);
        assert_eq!(run_out(&mut connection, late, hear).1, late + STALL);
    }
}

#[test]
fn a_busy_receiver_says_unasked_that_it_lives() {
    let quiet = Written::default();
    let bytes = message(&[0; 1000]);
    for way in 0..3 {
        let mut connection = ready(LONGEST);
        match way {
            0 => drop(read(&mut connection, &mut &bytes[..], usize::MAX, SECOND)),
            1 => drop(read(&mut connection, &mut &bytes[..10], usize::MAX, SECOND)),
            _ => connection.is_not_read(SECOND),
        }
        assert_eq!(connection.due(quiet, 2 * SECOND), Ok(Due::At(SPEAK_AFTER)));
        assert_eq!(connection.due(quiet, SPEAK_AFTER), Ok(Due::Pong));
        assert_eq!(connection.due(quiet, SPEAK_AFTER), Ok(Due::At(SECOND + PING_AFTER)));
    }
    let mut connection = ready(LONGEST);
    read(&mut connection, &mut &bytes[..], usize::MAX, SECOND).unwrap();
    let written = Written { bytes: 9, relieved: 0 };
    assert_eq!(
        connection.due(written, 2 * SECOND),
        Ok(Due::At(SECOND + PING_AFTER)),
        "it spoke"
    );
    read(&mut connection, &mut &bytes[..], usize::MAX, 4 * SECOND).unwrap();
    assert_eq!(
        connection.due(written, 2 * SECOND + SPEAK_AFTER),
        Ok(Due::Pong),
        "and no more since"
    );
}

#[test]
fn that_bytes_are_taken_keeps_only_a_peer_that_does_not_speak() {
    for extended in [true, false] {
        let memory = Budget {
            limit: LONGEST,
            counted: 0,
        };
        let leftover = BytesMut::new();
        let mut connection = Connection::new(Role::Server, extended, LONGEST, STALL, leftover, memory);
        let relieved = Written { bytes: 0, relieved: 9 };
        let heard = if extended { Duration::ZERO } else { 3 * SECOND };
        assert_eq!(connection.due(relieved, 3 * SECOND), Ok(Due::At(heard + PING_AFTER)));
    }
}

#[test]
fn a_close_has_its_time() {
    let frame = || Some(CloseFrame::new(CloseCode::POLICY_VIOLATION, "unread"));
    let mut connection = ready(LONGEST);
    connection.look_at_close(|| None, Duration::ZERO).unwrap();
    connection.look_at_close(frame, SECOND).unwrap();
    connection.look_at_close(|| panic!("it is known"), 2 * SECOND).unwrap();
    let until = SECOND + CLOSE_TIMEOUT;
    assert_eq!(connection.due(Written::default(), 2 * SECOND), Ok(Due::At(until)));
    let end = connection.due(Written::default(), until).unwrap_err();
    assert_eq!(end, End::Stuck(frame().unwrap()));
    assert_eq!(end.complaint(), Some((MisbehaviourKind::UnreadAnswers, "unread")));
    assert!(end.goodbye().is_none());
    assert_eq!(connection.look_at_close(|| None, until), Err(end));

    let closed = connection.closed(|| panic!("it is known"));
    assert_eq!(closed, End::Closed(frame().unwrap()));
    let goodbye = Goodbye {
        answer: None,
        waits_for_peer: true,
    };
    assert_eq!(closed.goodbye(), Some(goodbye));
    assert_eq!(ready(LONGEST).closed(frame), closed, "it came while the driver wrote");
}
