use actr_lite_wire::{
    credit::{INITIAL_WINDOW, MAX_WINDOW},
    frame::{self, FrameEncoder},
    record,
};
use proptest::{collection::vec, prelude::*};

use super::*;

/// How a stream ends here: it just does.
type Inbox = super::Inbox<()>;

/// Puts frames of these numbers into the inbox, one record a message; what became of the last.
fn push(inbox: &mut Inbox, kind: RecordKind, numbers: std::ops::RangeInclusive<u64>) -> Pushed {
    let (mut encoder, payload) = (FrameEncoder::new(&"flood".parse().unwrap()), [0; 1000]);
    let mut last = Pushed::Ended;
    for number in numbers {
        let head = encoder.head(number, payload.len());
        let header = record::header(kind, head.len() + payload.len());
        let message = Bytes::from([&header, head, &payload].concat());
        last = inbox.push(&message, 0..message.len(), message.len(), false).unwrap();
    }
    last
}

/// Takes what waits; the frames' numbers.
fn take(inbox: &mut Inbox) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Next::Run(run) = inbox.take() {
        let mut at = 0;
        while at < run.len() {
            let (body, end) = record::body_at(&run, at).unwrap();
            numbers.push(frame::decode(body).unwrap().sequence);
            at = end;
        }
        inbox.hand_over(run.len());
    }
    numbers
}

#[test]
fn latency_first_frames_that_nobody_takes_push_out_older_ones() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    for round in 0..3 {
        let first = round * 5000 + 1;
        let last = first + 4999;
        let pushed = push(&mut inbox, RecordKind::StreamLatencyFirst, first..=last);
        assert_eq!(pushed, Pushed::Taken);
        let numbers = take(&mut inbox);
        assert_eq!(numbers, (last + 1 - numbers.len() as u64..=last).collect::<Vec<_>>());
        let bytes = numbers.len() * 1000;
        let bounds = MAX_WAITING_WITHOUT_CREDIT / 2..=MAX_WAITING_WITHOUT_CREDIT;
        assert!(bounds.contains(&bytes), "{bytes}");
    }
}

#[test]
fn an_oversized_frame_is_kept_until_a_newer_one_arrives() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    let latency_first = RecordKind::StreamLatencyFirst as u8;
    for byte in 1..=3 {
        let message = Bytes::from([vec![latency_first], vec![byte; 2 * MAX_WAITING_WITHOUT_CREDIT]].concat());
        let len = message.len();
        assert_eq!(inbox.push(&message, 0..len, len, false), Ok(Pushed::Taken));
    }
    let Next::Run(run) = inbox.take() else {
        panic!("nothing waits")
    };
    assert_eq!(run[1], 3, "the newest one");
    assert_eq!(inbox.take(), Next::Nothing);
}

#[test]
fn reliable_frames_that_nobody_takes_stop_the_reading() {
    let mut inbox = Inbox::new(10_000);
    assert_eq!(push(&mut inbox, RecordKind::StreamReliable, 1..=9), Pushed::Taken);
    assert!(inbox.has_room());
    assert_eq!(push(&mut inbox, RecordKind::StreamReliable, 10..=10), Pushed::Full);
    assert!(!inbox.has_room());
    let mut exact = Inbox::new(inbox.waiting());
    assert_eq!(push(&mut exact, RecordKind::StreamReliable, 1..=10), Pushed::Full);
    assert_eq!(take(&mut inbox), (1..=10).collect::<Vec<_>>());
    assert!(inbox.has_room());
}

#[test]
fn a_reliable_frame_among_others_stops_the_reading() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    assert_eq!(push(&mut inbox, RecordKind::StreamLatencyFirst, 1..=10), Pushed::Taken);
    assert_eq!(push(&mut inbox, RecordKind::StreamReliable, 11..=11), Pushed::Taken);
    assert_eq!(
        push(&mut inbox, RecordKind::StreamLatencyFirst, 12..=2000),
        Pushed::Full
    );
    assert!(!inbox.has_room());
    assert_eq!(take(&mut inbox), (1..=2000).collect::<Vec<_>>());
    assert!(inbox.has_room());
}

#[test]
fn what_came_before_the_end_is_taken_before_it() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    push(&mut inbox, RecordKind::StreamReliable, 1..=3);
    assert_eq!(inbox.ended(), None);
    assert!(inbox.end(()));
    assert!(!inbox.end(()), "it has ended");
    assert_eq!(inbox.ended(), Some(&()));
    assert_eq!(push(&mut inbox, RecordKind::StreamReliable, 4..=4), Pushed::Ended);
    assert_eq!(take(&mut inbox), [1, 2, 3]);
    assert_eq!(inbox.take(), Next::Over);
    assert!(!inbox.hand_over(1), "no credit for a stream that is over");
}

#[test]
fn a_discarded_stream_hands_nothing_over() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    push(&mut inbox, RecordKind::StreamReliable, 1..=3);
    inbox.end(());
    inbox.discard();
    assert_eq!(inbox.take(), Next::Over);
}

/// Whole messages of these lengths come with credit.
fn come(inbox: &mut Inbox, lens: &[usize]) -> Vec<Bytes> {
    let messages: Vec<Bytes> = lens.iter().map(|len| vec![0; *len].into()).collect();
    for message in &messages {
        inbox.push(message, 0..message.len(), 1, true).unwrap();
    }
    messages
}

/// The lengths of the runs that wait.
fn take_lens(inbox: &mut Inbox) -> Vec<usize> {
    let take = || match inbox.take() {
        Next::Run(run) => Some(run.len()),
        _ => None,
    };
    std::iter::from_fn(take).collect()
}

#[test]
fn a_short_run_does_not_hold_its_whole_message() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    let message = Bytes::from(vec![0; 1 << 20]);
    for run in [0..100, 100..20_100] {
        inbox.push(&message, run.clone(), 1, true).unwrap();
    }
    assert_eq!(take_lens(&mut inbox), [100, 20_000]);
    assert!(message.is_unique(), "both were copied");
}

#[test]
fn a_run_that_is_a_quarter_of_its_message_is_not_copied() {
    for run in [0..1000, 0..250, 750..1000] {
        let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
        let message = Bytes::from(vec![0; 1000]);
        inbox.push(&message, run.clone(), 1, true).unwrap();
        let Next::Run(taken) = inbox.take() else { panic!() };
        assert_eq!(taken.as_ptr(), message[run].as_ptr());
    }
}

#[test]
fn short_runs_are_copied_together_while_others_wait() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    let messages = come(&mut inbox, &[1000, (16 << 10) - 1, 300, 16 << 10, 500]);
    let is_held: Vec<_> = messages.iter().map(|message| !message.is_unique()).collect();
    assert_eq!(is_held, [true, false, false, true, false]);
    assert_eq!(take_lens(&mut inbox), [1000, (16 << 10) + 299, 16 << 10, 500]);
    // What was copied because of its long message is what the next one waits behind.
    inbox.push(&vec![0; 1000].into(), 0..100, 1, true).unwrap();
    come(&mut inbox, &[1000]);
    assert_eq!(take_lens(&mut inbox), [1100]);
}

#[test]
fn what_is_copied_together_is_taken_in_pieces() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    come(&mut inbox, &[16_000; 12]);
    // A piece is over with the run that makes it 64 KiB.
    assert_eq!(take_lens(&mut inbox), [16_000, 80_000, 80_000, 16_000]);
}

#[test]
fn the_newest_latency_first_frame_stays_whatever_it_pushes_out() {
    let mut inbox = Inbox::new(10_000);
    let latency_first = RecordKind::StreamLatencyFirst as u8;
    for len in [12_000, 1000] {
        let message = Bytes::from(vec![latency_first; len]);
        assert_eq!(inbox.push(&message, 0..len, len, false), Ok(Pushed::Taken));
    }
    assert_eq!(inbox.waiting(), 1000);
    assert_eq!(take_lens(&mut inbox), [1000]);
}

#[test]
fn what_waits_is_drained_when_all_was_taken() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    assert!(inbox.is_drained());
    come(&mut inbox, &[1000]);
    assert!(!inbox.is_drained());
    assert_eq!(take_lens(&mut inbox), [1000]);
    assert!(inbox.is_drained());
    inbox.push(&vec![0; 1000].into(), 0..100, 1, true).unwrap();
    assert!(!inbox.is_drained(), "what was copied waits too");
}

#[test]
fn credit_is_given_for_what_was_handed_over() {
    let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
    let half = INITIAL_WINDOW as usize / 2;
    come(&mut inbox, &[half, half]);
    assert!(!inbox.hand_over(0), "for nothing there is none");
    assert!(inbox.hand_over(half));
    assert_eq!(inbox.grant(half, |_| 0, Duration::ZERO), Some(half as u64));
}

#[derive(Debug, Clone)]
enum Step {
    /// A message with so many bytes before the run, the run's records, and bytes behind it.
    Push {
        before: usize,
        records: Vec<usize>,
        behind: usize,
    },
    Take,
}

fn any_step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![4 => 1usize..2000, 1 => 1usize..100_000];
    prop_oneof![
        3 => (0usize..50_000, vec(len, 1..6), 0usize..50_000)
            .prop_map(|(before, records, behind)| Step::Push { before, records, behind }),
        2 => Just(Step::Take),
    ]
}

proptest! {
    #[test]
    fn bytes_come_out_once_in_order_within_the_window(steps in vec(any_step(), 1..60)) {
        let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
        let (mut number, mut model) = (0u8, BytesMut::new());
        // What the sender may send, as a sender counts it.
        let (mut credit, mut growth, mut longest) = (INITIAL_WINDOW as i64, 1u64 << 20, 0);
        for (time, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { before, mut records, behind } => {
                    // A sender sends as long as it has any credit.
                    let mut left = credit;
                    records.retain(|len| { let may = left > 0; left -= if may { *len as i64 } else { 0 }; may });
                    let Some(&last_len) = records.last() else { continue };
                    credit = left;
                    longest = longest.max(*records.iter().max().unwrap());
                    let len: usize = records.iter().sum();
                    number = number.wrapping_add(1);
                    let message = Bytes::from([vec![0; before], vec![number; len], vec![0; behind]].concat());
                    prop_assert_eq!(inbox.push(&message, before..before + len, last_len, true), Ok(Pushed::Taken));
                    model.extend_from_slice(&message[before..before + len]);
                }
                Step::Take => {
                    let Next::Run(run) = inbox.take() else {
                        prop_assert!(model.is_empty());
                        continue;
                    };
                    prop_assert!(run.len() <= model.len());
                    prop_assert!(model.split_to(run.len()) == run);
                    prop_assert!(inbox.hand_over(run.len()));
                    let grow = |wanted: u64| {
                        let grown = wanted.min(growth);
                        growth -= grown;
                        grown
                    };
                    if let Some(bytes) = inbox.grant(run.len(), grow, Duration::from_secs(time as u64)) {
                        credit += bytes as i64;
                    }
                }
            }
            prop_assert_eq!(inbox.waiting(), model.len());
            prop_assert!(inbox.waiting() as u64 <= (INITIAL_WINDOW + inbox.grown()).min(MAX_WINDOW) + longest as u64);
        }
    }

    #[test]
    fn a_sender_without_credit_is_found_out(records in vec(1usize..100_000, 1..20)) {
        let mut inbox = Inbox::new(MAX_WAITING_WITHOUT_CREDIT);
        let mut credit = INITIAL_WINDOW as i64;
        for len in records {
            let message = Bytes::from(vec![0; len]);
            let pushed = inbox.push(&message, 0..len, len, true);
            prop_assert_eq!(pushed.is_ok(), credit > 0);
            if pushed.is_err() {
                prop_assert_eq!(inbox.waiting() as i64, INITIAL_WINDOW as i64 - credit, "nothing of it was taken");
                break;
            }
            credit -= len as i64;
        }
    }
}
