use actr_lite_wire::{credit::INITIAL_WINDOW, latency_queue::MAX_QUEUED_FRAMES};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::memory::Budget;

fn stream(has_credit: bool, limit: usize) -> LatencyFirst<Budget> {
    LatencyFirst::new(has_credit, Budget { limit, counted: 0 })
}

fn none() -> u64 {
    0
}

fn full(_: &[u8]) -> Result<(), SendRefused<usize>> {
    Err(SendRefused::Full)
}

#[test]
fn a_frame_goes_straight_unless_others_wait() {
    let mut stream = stream(false, 1000);
    assert_eq!(stream.try_send::<usize>(10, none, || Ok(())), Attempt::Sent);
    assert_eq!(
        stream.try_send::<usize>(10, none, || Err(SendRefused::Full)),
        Attempt::Congested
    );
    assert_eq!(stream.queue(vec![1; 10], none, full), HeldUp::Room);
    assert_eq!(
        stream.try_send::<usize>(10, none, || Ok(())),
        Attempt::Congested,
        "an older one waits"
    );
    let mut sent = Vec::new();
    let send = |frame: &[u8]| {
        sent.push(frame.to_vec());
        Ok::<_, SendRefused<usize>>(())
    };
    assert_eq!(stream.advance(none, send), HeldUp::Not);
    assert_eq!(sent, [vec![1; 10]]);
    assert_eq!((stream.dropped(), stream.memory.counted), (0, 0));
    assert_eq!(
        stream.try_send::<usize>(10, none, || Err(SendRefused::Closed)),
        Attempt::Closed
    );
}

#[test]
fn the_oldest_go_when_there_is_no_room_for_more() {
    let mut few = stream(false, 25);
    for number in 0..5 {
        few.queue(vec![number; 10], none, full);
    }
    assert_eq!((few.dropped(), few.queue.front()), (3, Some(&[3; 10][..])));
    let mut many = stream(false, usize::MAX);
    for _ in 0..MAX_QUEUED_FRAMES + 5 {
        many.queue(vec![0; 10], none, full);
    }
    assert_eq!(many.dropped(), 5);
    many.clear();
    assert_eq!((many.dropped(), many.memory.counted), (5 + MAX_QUEUED_FRAMES as u64, 0));
}

#[test]
fn what_was_granted_is_taken_when_it_is_needed() {
    let mut stream = stream(true, usize::MAX);
    let len = INITIAL_WINDOW as usize;
    assert_eq!(
        stream.try_send::<usize>(len, || unreachable!(), || Ok(())),
        Attempt::Sent
    );
    assert_eq!(stream.try_send::<usize>(1, none, || Ok(())), Attempt::Congested);
    assert_eq!(stream.queue(vec![0; 1], none, full), HeldUp::Credit);
    let granted = || 2 * HEADER_LEN as u64;
    assert_eq!(stream.advance::<usize>(granted, |_| Ok(())), HeldUp::Not);
}

#[test]
fn what_can_never_leave_is_dropped_and_not_waited_for() {
    for refused in [SendRefused::OverShare(7usize), SendRefused::Closed] {
        let mut stream = stream(false, usize::MAX);
        stream.queue(vec![0; 1], none, full);
        let refuse = |_: &[u8]| match &refused {
            SendRefused::Closed => Err(SendRefused::Closed),
            _ => Err(SendRefused::OverShare(7)),
        };
        assert_eq!(stream.advance(none, refuse), HeldUp::Not);
        assert_eq!((stream.dropped(), stream.is_empty()), (1, true));
    }
}

proptest! {
    #[test]
    fn frames_leave_in_order_and_each_leaves_or_is_counted(
        steps in vec((any::<bool>(), 1usize..400, 0u64..800), 1..300), has_credit: bool,
    ) {
        let mut stream = stream(has_credit, 2000);
        let (mut sent, mut sent_bytes, mut granted) = (Vec::new(), 0, INITIAL_WINDOW);
        for (number, (has_room, len, grant)) in steps.iter().copied().enumerate() {
            let mut frame = (number as u32).to_be_bytes().to_vec();
            frame.resize(len.max(4), 0);
            let len = frame.len();
            granted += grant;
            let refused = || if has_room { Ok(()) } else { Err(SendRefused::<usize>::Full) };
            let mut grants = Some(grant);
            let mut take = || grants.take().unwrap_or_default();
            if stream.try_send(len, &mut take, refused) == Attempt::Sent {
                sent.push(number as u32);
                sent_bytes += len;
            } else {
                stream.queue(frame, &mut take, |frame| {
                    refused()?;
                    sent.push(u32::from_be_bytes(*frame.first_chunk().unwrap()));
                    sent_bytes += frame.len();
                    Ok(())
                });
            }
            // What was not asked for is lost in this test, so credit is at most what was granted.
            prop_assert!(!has_credit || (sent_bytes as u64) < granted + 400);
            prop_assert!(stream.queue.bytes() <= 2000);
        }
        prop_assert!(sent.is_sorted());
        let waiting = stream.queue.len() as u64;
        prop_assert_eq!(sent.len() as u64 + waiting + stream.dropped(), steps.len() as u64);
        if waiting > 0 {
            stream.advance::<usize>(|| 1 << 20, |frame| {
                sent.push(u32::from_be_bytes(*frame.first_chunk().unwrap()));
                Ok(())
            });
            prop_assert_eq!(sent.last().copied(), Some(steps.len() as u32 - 1), "the newest arrives");
        }
    }
}
