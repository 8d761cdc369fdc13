//! Whoever sends waits for whoever reads, with credit or without.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actr_lite::StreamEnd;
use actr_lite_wire::{credit::INITIAL_WINDOW, frame as wire_frame, record::RecordKind};
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    harness::{
        deadline::{until, within},
        stream::{caller, stream_id},
    },
    raw_peer::{visit::Visit, wire_bytes::frame},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extension_a_sender_waits_for_its_reader() {
    const LEN: usize = 256 << 10;
    const FRAMES: u64 = 400;
    let mut visit = Visit::of_official_peer().await;
    let mut sender = visit.open("unread").await;
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        let payload = vec![1; LEN];
        for _ in 0..FRAMES {
            sender.send(&payload).await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
        sender.finish().await.unwrap();
    });
    let stopped = settle(|| sent.load(Ordering::SeqCst)).await;
    // 100 MiB fit into no socket's buffers.
    assert!(stopped < FRAMES, "all was sent to nobody");
    assert!(!sending.is_finished());
    for number in 1..=FRAMES {
        let (_, body) = visit.peer.record().await;
        assert_eq!(wire_frame::decode(&body).unwrap().sequence, number);
    }
    within(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extension_reading_follows_the_callback() {
    const LEN: usize = 64 << 10;
    const FRAMES: u64 = 1600;
    let visit = Visit::of_official_peer().await;
    let mut subscription = visit.subscribe("untaken");
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let mut peer = visit.peer;
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            let body = frame("untaken", number, &[1; LEN]);
            peer.send_record(RecordKind::StreamReliable, &body).await;
            count.fetch_add(1, Ordering::SeqCst);
        }
        peer.round_trip().await;
        peer
    });
    let stopped = settle(|| sent.load(Ordering::SeqCst)).await;
    assert!(stopped < FRAMES, "all was read though nobody took it");
    for number in 1..=FRAMES {
        assert_eq!(within(subscription.next()).await.unwrap().sequence, number);
    }
    within(sending).await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
}

/// Polls `work` until it has made no progress for a while: on a busy machine that may be early, which weakens the
/// test and does not fail it.
async fn settle(progress: impl Fn() -> u64) -> u64 {
    within(async {
        let mut before = progress();
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = progress();
            if now == before && now > 0 {
                return now;
            }
            before = now;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_read_still_gets_signs_of_life() {
    const LEN: usize = 64 << 10;
    let mut visit = Visit::of_official_peer().await;
    let _subscription = visit.subscribe("untaken");
    // A little more than what waits without credit; the rest fits into the system's buffers.
    for number in 1..=20 {
        let body = frame("untaken", number, &[7; LEN]);
        visit.peer.send_record(RecordKind::StreamReliable, &body).await;
    }
    let answer = within(visit.peer.socket.next()).await.unwrap().unwrap();
    assert!(matches!(answer, Message::Pong(_)), "{answer:?}");
}

#[tokio::test]
async fn ignoring_credit_costs_the_stream_only() {
    let mut visit = Visit::of_extended_peer().await;
    let mut subscription = visit.subscribe("greedy");
    let len = INITIAL_WINDOW as usize / 4;
    for number in 1..=10 {
        let body = frame("greedy", number, &vec![1; len]);
        visit.peer.send_record(RecordKind::StreamReliable, &body).await;
    }
    let end = until(|| async { subscription.end() }).await;
    assert!(matches!(end, StreamEnd::Protocol(_)), "{end:?}");
    let (kind, _) = visit.peer.record().await;
    assert_eq!(kind, RecordKind::StreamCancel);
    let mut taken = 0;
    while within(subscription.next()).await.is_some() {
        taken += 1;
    }
    assert_eq!(taken, 4, "what had credit is handed over");
    visit.peer.round_trip().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_give_up_waiting_leave_nobody_asleep() {
    const STREAMS: usize = 8;
    const FRAMES: usize = 100;
    let mut visit = Visit::of_official_peer().await;
    let ctx = visit.asked().await;
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..STREAMS {
        let id = stream_id(&format!("crowd{number}"));
        let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
        sending.spawn(async move {
            let payload = vec![1; 40 << 10];
            for frame in 0..FRAMES {
                // Every other stream gives up now and then, and tries again.
                let mut sent = false;
                for yields in 0..(frame % 5) * (number % 2) {
                    tokio::select! {
                        biased;
                        result = sender.send(&payload) => {
                            result.unwrap();
                            sent = true;
                            break;
                        }
                        () = async { for _ in 0..yields { tokio::task::yield_now().await } } => {}
                    }
                }
                if !sent {
                    sender.send(&payload).await.unwrap();
                }
            }
        });
    }
    let mut sequences = HashMap::new();
    for _ in 0..STREAMS * FRAMES {
        let (_, body) = visit.peer.record().await;
        let parts = wire_frame::decode(&body).unwrap();
        let last = sequences.entry(body[parts.stream_id].to_vec()).or_insert(0);
        *last += 1;
        assert_eq!(parts.sequence, *last);
    }
    within(sending.join_all()).await;
}
