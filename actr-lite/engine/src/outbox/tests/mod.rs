mod model;
mod steps;

use actr_lite_wire::{pace::MAX_BATCH, record::HEADER_LEN, websocket::CloseCode};

use super::*;
use crate::memory::Budget;

const LONGEST: usize = 1 << 20;

const MASK: fn() -> [u8; 4] = || [7, 8, 9, 10];

/// An outbox whose driver rests.
fn resting() -> Outbox<Budget> {
    let mut outbox = Outbox::new(
        Role::Server,
        true,
        Budget {
            limit: LONGEST,
            counted: 0,
        },
    );
    assert_eq!(outbox.drive(0, MASK), Drive::Idle);
    let _ = outbox.take_notices();
    outbox
}

fn push(outbox: &mut Outbox<Budget>, urgency: Urgency, len: usize) -> Next {
    match send(outbox, RecordKind::StreamReliable, urgency, len) {
        Ok(Sent::Taken(next)) => next,
        other => panic!("{other:?}"),
    }
}

fn send(
    outbox: &mut Outbox<Budget>,
    kind: RecordKind,
    urgency: Urgency,
    len: usize,
) -> Result<Sent, SendRefused<usize>> {
    outbox.send(kind, urgency, &[], &vec![0; len], MASK)
}

fn written_by_sender(next: Next) -> Writing {
    match next {
        Next::Write(writing) => writing,
        done => panic!("{done:?}"),
    }
}

fn written_by_driver(outbox: &mut Outbox<Budget>) -> Writing {
    match outbox.drive(0, MASK) {
        Drive::Write(writing) => writing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_resting_driver_is_woken_once() {
    let mut outbox = resting();
    let _ = push(&mut outbox, Urgency::Later, 1);
    assert_eq!(outbox.take_notices(), Notices::default(), "the record waits for others");
    let _ = push(&mut outbox, Urgency::Pause, 1);
    assert!(outbox.take_notices().driver);
    let _ = push(&mut outbox, Urgency::Pause, 1);
    assert_eq!(outbox.take_notices(), Notices::default(), "it is awake");
}

#[test]
fn what_is_no_record_wakes_the_driver_too() {
    let actions: [fn(&mut Outbox<Budget>); 4] = [
        |outbox| outbox.ping(),
        |outbox| outbox.pong(b""),
        |outbox| outbox.close(CloseFrame::new(CloseCode::NORMAL, "")),
        |outbox| outbox.abandon(CloseFrame::new(CloseCode::NORMAL, "")),
    ];
    for action in actions {
        let mut outbox = resting();
        action(&mut outbox);
        assert!(outbox.take_notices().driver);
        let _writing = written_by_driver(&mut outbox);
    }
}

#[test]
fn a_full_batch_is_written_by_its_sender() {
    let mut outbox = resting();
    let mut writing = written_by_sender(push(&mut outbox, Urgency::Pause, 10 << 10));
    assert_eq!(outbox.waiting(), 0, "{:?}", writing.bytes().len());
    let len = writing.bytes().len();
    let next = outbox.wrote(writing, len, false, Duration::ZERO, MASK);
    assert_eq!(next, Next::Done(Accepted::BatchWritten));
    assert_eq!(
        outbox.take_notices(),
        Notices {
            driver: false,
            room: Room::One
        }
    );

    writing = written_by_sender(push(&mut outbox, Urgency::Pause, 10 << 10));
    let next = outbox.wrote(writing, len - 1, false, Duration::ZERO, MASK);
    assert_eq!(next, Next::Done(Accepted::Queued));
    assert!(outbox.take_notices().driver, "it writes the rest");
    assert_eq!(written_by_driver(&mut outbox).bytes().len(), 1);
}

#[test]
fn a_sender_goes_on_while_there_are_full_batches() {
    let mut outbox = resting();
    let mut next = push(&mut outbox, Urgency::Pause, 100 << 10);
    let mut pieces = 0;
    while let Next::Write(writing) = next {
        pieces += 1;
        let len = writing.bytes().len();
        next = outbox.wrote(writing, len, false, Duration::from_secs(pieces), MASK);
    }
    assert!(pieces > 1, "{pieces}");
    assert!(outbox.waiting() > 0, "the rest is no full batch");
    assert!(outbox.take_notices().driver);
}

#[test]
fn a_driver_comes_back_for_what_is_more_than_a_turn() {
    let mut outbox = resting();
    let _ = push(&mut outbox, Urgency::Later, LONGEST);
    let mut written = 0;
    loop {
        match outbox.drive(written, MASK) {
            Drive::Write(writing) => {
                let len = writing.bytes().len();
                written += len;
                outbox.drove(writing, len, Duration::from_secs(1));
            }
            rest => {
                assert_eq!(rest, Drive::More);
                break;
            }
        }
    }
    let bounds = MAX_WRITTEN_AT_ONCE..MAX_WRITTEN_AT_ONCE + 2 * MAX_BATCH;
    assert!(bounds.contains(&written), "{written}");
}

#[test]
fn a_driver_that_has_written_enough_leaves_a_full_batch() {
    let mut outbox = resting();
    let _ = push(&mut outbox, Urgency::Later, LONGEST);
    assert_eq!(outbox.drive(256 << 10, MASK), Drive::More);
    assert!(matches!(outbox.drive((256 << 10) - 1, MASK), Drive::Write(_)));
}

#[test]
fn a_record_waits_until_the_socket_has_taken_it() {
    let mut outbox = resting();
    assert!(outbox.is_drained());
    let _ = push(&mut outbox, Urgency::Later, 1000);
    assert_eq!((outbox.is_drained(), outbox.given_out()), (false, 0));
    let writing = written_by_driver(&mut outbox);
    assert!(!outbox.is_drained(), "it is being written");
    let len = writing.bytes().len();
    outbox.drove(writing, len, Duration::ZERO);
    assert!(outbox.is_drained());
    let least = HEADER_LEN as u64 + 1000;
    assert!((least..least + 16).contains(&outbox.given_out()));
    assert_eq!(outbox.held(), 0, "nothing of it is kept");
}

#[test]
fn a_socket_that_takes_everything_is_not_held_for_slow() {
    let mut outbox = resting();
    assert!(outbox.new_bound().is_some());
    for seconds in [0, 10] {
        let writing = written_by_sender(push(&mut outbox, Urgency::Now, 1000));
        let len = writing.bytes().len();
        let _ = outbox.wrote(writing, len, false, Duration::from_secs(seconds), MASK);
        assert_eq!(outbox.new_bound(), None);
    }
}

#[test]
fn room_is_told_as_soon_as_a_piece_is_taken_out() {
    let mut outbox = resting();
    let _ = push(&mut outbox, Urgency::Later, 10 << 10);
    let _ = outbox.take_notices();
    let _writing = written_by_driver(&mut outbox);
    assert_eq!(outbox.take_notices().room, Room::One);
}

#[test]
fn who_is_refused_for_bytes_in_flight_is_told_when_they_leave() {
    let mut outbox = Outbox::new(
        Role::Server,
        true,
        Budget {
            limit: 1000,
            counted: 0,
        },
    );
    let _ = push(&mut outbox, Urgency::Pause, 500);
    let writing = written_by_driver(&mut outbox);
    let len = writing.bytes().len();
    outbox.drove(writing, len - 1, Duration::ZERO);
    let writing = written_by_driver(&mut outbox);
    let _ = outbox.take_notices();
    let kind = RecordKind::StreamReliable;
    let urgency = Urgency::Pause;
    assert_eq!(send(&mut outbox, kind, urgency, 1001), Err(SendRefused::Full));
    outbox.drove(writing, 1, Duration::ZERO);
    assert_eq!(outbox.take_notices().room, Room::One);
    assert_eq!(
        send(&mut outbox, kind, urgency, 1001),
        Err(SendRefused::OverShare(1000))
    );
}

#[test]
fn what_tls_keeps_is_written_by_the_driver() {
    let mut outbox = resting();
    let writing = written_by_sender(push(&mut outbox, Urgency::Now, 10));
    let len = writing.bytes().len();
    let _ = outbox.wrote(writing, len, true, Duration::ZERO, MASK);
    assert!(outbox.take_notices().driver);
}

#[test]
fn a_driver_that_is_busy_with_one_write_learns_of_a_close() {
    let mut outbox = resting();
    let _ = push(&mut outbox, Urgency::Later, 10);
    let writing = written_by_driver(&mut outbox);
    outbox.close(CloseFrame::new(CloseCode::NORMAL, "over"));
    assert!(!outbox.take_notices().driver, "it is not resting");
    outbox.drove(writing, 3, Duration::ZERO);
    assert!(outbox.take_notices().driver, "the time to close runs");
    assert_eq!(outbox.closing().map(CloseFrame::reason), Some("over"));
    let writing = written_by_driver(&mut outbox);
    outbox.drove(writing, 0, Duration::ZERO);
    assert_eq!(outbox.take_notices(), Notices::default(), "it knows");
}

#[test]
fn why_this_side_closes_is_known_after_the_close_frame() {
    let mut outbox = resting();
    outbox.close(CloseFrame::new(CloseCode::POLICY_VIOLATION, "unread"));
    outbox.close(CloseFrame::new(CloseCode::NORMAL, "too late"));
    let writing = written_by_driver(&mut outbox);
    let len = writing.bytes().len();
    outbox.drove(writing, len, Duration::ZERO);
    assert_eq!(outbox.drive(len, MASK), Drive::Closed);
    assert_eq!(outbox.closing().map(CloseFrame::reason), Some("unread"));
}

#[test]
fn a_control_record_needs_a_kibibyte_of_the_peers_share() {
    for (limit, is_taken) in [(1 << 10, true), ((1 << 10) - 1, false)] {
        let mut outbox = Outbox::new(Role::Server, true, Budget { limit, counted: 0 });
        assert_eq!(outbox.push_control(&Control::Leaving, MASK).is_ok(), is_taken);
    }
}

#[test]
fn a_peer_that_does_not_read_can_not_make_it_grow() {
    let mut outbox = Outbox::new(
        Role::Server,
        true,
        Budget {
            limit: 100 << 20,
            counted: 0,
        },
    );
    let mut first = None;
    let overwhelmed = (0..2_000_000).any(|_| match outbox.push_control(&Control::Leaving, MASK) {
        Ok(Next::Write(writing)) => {
            first = Some(writing);
            false
        }
        Ok(Next::Done(_)) => false,
        Err(Overwhelmed) => true,
    });
    assert!(overwhelmed && first.is_some());
    assert!(outbox.waiting() <= 1 << 20, "{}", outbox.waiting());
}

#[test]
fn an_outbox_that_has_ended_keeps_nothing() {
    let mut outbox = resting();
    let writing = written_by_sender(push(&mut outbox, Urgency::Now, 1000));
    let _ = push(&mut outbox, Urgency::Later, 1000);
    outbox.close(CloseFrame::new(CloseCode::NORMAL, ""));
    outbox.end();
    assert_eq!(
        outbox.take_notices(),
        Notices {
            driver: false,
            room: Room::Everyone
        }
    );
    assert_eq!(
        outbox.wrote(writing, 5, false, Duration::ZERO, MASK),
        Next::Done(Accepted::Queued)
    );
    assert_eq!((outbox.waiting(), outbox.memory.counted), (0, 0));
    let refused = send(&mut outbox, RecordKind::RpcReliable, Urgency::Now, 1);
    assert_eq!(refused, Err(SendRefused::Closed));
    assert_eq!(outbox.drive(0, MASK), Drive::Idle);
}

#[test]
fn the_bound_is_told_when_it_changes() {
    let mut outbox = resting();
    let first = outbox.new_bound().unwrap();
    assert!(first >= HEADER_LEN);
    assert_eq!(outbox.new_bound(), None);
    for _ in 0..8 {
        let writing = written_by_sender(push(&mut outbox, Urgency::Now, 16 << 10));
        let len = writing.bytes().len();
        let _ = outbox.wrote(writing, len, false, Duration::from_micros(1), MASK);
    }
    assert!(outbox.new_bound().unwrap() > first, "a good link");
}
