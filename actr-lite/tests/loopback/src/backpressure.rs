//! A slow receiver slows its sender down, and nobody else.

use actr_lite::{SendError, StreamEnd};
use actr_lite_wire::{credit::INITIAL_WINDOW, record::DEFAULT_MAX_RECORD_LEN};

use crate::harness::{deadline::within, pair::Pair, stream::stream_id};

const PAYLOAD: [u8; 1000] = [7; 1000];

/// What a frame costs beyond its payload, at most.
const OVERHEAD: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_without_credit_waits_alone() {
    let mut pair = Pair::new().await;
    let (stalled, flowing) = (stream_id("stalled"), stream_id("flowing"));
    let mut untouched = pair.subscribe(&stalled);
    let mut sender = pair.open(&stalled).await;
    let sent = pair.fill(&mut sender, &PAYLOAD).await;
    let bytes = sent * (PAYLOAD.len() as u64 + OVERHEAD);
    assert!(sent * PAYLOAD.len() as u64 <= INITIAL_WINDOW + PAYLOAD.len() as u64);
    assert!(bytes >= INITIAL_WINDOW, "{sent} frames are less than a window");

    // Ten windows of another stream pass meanwhile.
    let frames = 10 * INITIAL_WINDOW / PAYLOAD.len() as u64;
    let mut subscription = pair.subscribe(&flowing);
    let mut other = pair.open(&flowing).await;
    let sending = tokio::spawn(async move {
        for _ in 0..frames {
            other.send(PAYLOAD).await.unwrap();
        }
        other.finish().await.unwrap();
    });
    while within(subscription.next()).await.is_some() {}
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames }));
    sending.await.unwrap();
    pair.round_trip().await;
    assert_eq!(untouched.end(), None);

    // The stalled one goes on where it was as soon as its frames are taken.
    let more = 2 * sent;
    let sending = tokio::spawn(async move {
        for _ in 0..more {
            sender.send(PAYLOAD).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    for number in 1..=sent + more {
        assert_eq!(within(untouched.next()).await.unwrap().sequence, number);
    }
    assert_eq!(within(untouched.next()).await, None);
    assert_eq!(untouched.end(), Some(StreamEnd::Finished { frames: sent + more }));
    sending.await.unwrap();
}

/// How many bytes come of a stream that was taken at once for a while and then is not any more, at a node with these
/// settings.
async fn waiting_after_a_rush(settings: &[&str]) -> u64 {
    let mut pair = Pair::with_client(|plan| settings.iter().fold(plan, |plan, setting| plan.set(setting))).await;
    let id = stream_id("rush");
    let sender_id = pair.server.actor_id();
    let mut subscription = pair.client.context().subscribe(id.clone(), &sender_id).unwrap();
    let mut sender = pair.open(&id).await;
    let frames = 64 * INITIAL_WINDOW / PAYLOAD.len() as u64;
    let sending = tokio::spawn(async move {
        for _ in 0..frames {
            sender.send(PAYLOAD).await.unwrap();
        }
        sender
    });
    for _ in 0..frames {
        within(subscription.next()).await.unwrap();
    }
    let mut sender = within(sending).await.unwrap();
    pair.fill(&mut sender, &PAYLOAD).await * PAYLOAD.len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_grows_no_more_than_its_peer_may_fill() {
    let grown = waiting_after_a_rush(&[]).await;
    assert!(grown > INITIAL_WINDOW + INITIAL_WINDOW / 2, "{grown}");
    let share = 3 * INITIAL_WINDOW;
    let bounded = waiting_after_a_rush(&[&format!("system.limits.max_bytes_per_peer={share}")]).await;
    assert!(bounded <= INITIAL_WINDOW + PAYLOAD.len() as u64, "{bounded}");
}

#[tokio::test]
async fn a_callback_that_waits_makes_its_sender_wait() {
    let mut pair = Pair::new().await;
    let id = stream_id("slow");
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let permits = std::sync::Arc::clone(&gate);
    let callback = move |_| {
        let permits = std::sync::Arc::clone(&permits);
        async move { permits.acquire().await.unwrap().forget() }
    };
    let mut registration = pair.register_async(&id, callback);
    let mut sender = pair.open(&id).await;
    let sent = pair.fill(&mut sender, &PAYLOAD).await;
    assert!(sent * PAYLOAD.len() as u64 <= INITIAL_WINDOW + PAYLOAD.len() as u64);
    sender.finish().await.unwrap();
    gate.add_permits(sent as usize);
    assert_eq!(within(registration.ended()).await, StreamEnd::Finished { frames: sent });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_longer_than_the_window_passes() {
    let mut pair = Pair::new().await;
    let id = stream_id("large");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let lens = [3 << 20, 1, INITIAL_WINDOW as usize, 3 << 20, 0, 1 << 20];
    let sending = tokio::spawn(async move {
        for len in lens {
            sender.send(vec![len as u8; len]).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    for len in lens {
        let payload = within(subscription.next()).await.unwrap().payload;
        assert!(payload == vec![len as u8; len], "a frame of {len} bytes is another one");
    }
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 6 }));
    sending.await.unwrap();
}

#[tokio::test]
async fn an_oversized_frame_is_refused_and_the_stream_goes_on() {
    let mut pair = Pair::new().await;
    let id = stream_id("limit");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let taking = tokio::spawn(async move {
        let mut lens = Vec::new();
        while let Some(frame) = subscription.next().await {
            lens.push((frame.sequence, frame.payload.len()));
        }
        (lens, subscription.end())
    });
    // Around the limit, what the sender takes the receiver takes too.
    let (mut accepted, mut refused) = (Vec::new(), 0);
    let payload = vec![0; DEFAULT_MAX_RECORD_LEN + 1];
    for len in [
        DEFAULT_MAX_RECORD_LEN - 200,
        DEFAULT_MAX_RECORD_LEN - 60,
        DEFAULT_MAX_RECORD_LEN - 30,
        DEFAULT_MAX_RECORD_LEN - 16,
        DEFAULT_MAX_RECORD_LEN,
        DEFAULT_MAX_RECORD_LEN + 1,
        10,
    ] {
        match within(sender.send(&payload[..len])).await {
            Ok(()) => accepted.push((accepted.len() as u64 + 1, len)),
            Err(SendError::TooLong { len: record, limit }) => {
                assert_eq!(limit, DEFAULT_MAX_RECORD_LEN);
                assert!(record > limit && len > limit - 60, "{len} bytes make {record}");
                refused += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused >= 2, "{refused}");
    let frames = accepted.len() as u64;
    sender.finish().await.unwrap();
    let taken = within(taking).await.unwrap();
    assert_eq!(taken, (accepted, Some(StreamEnd::Finished { frames })));
}

#[tokio::test]
async fn a_dropped_send_has_sent_nothing_and_uses_no_number() {
    let mut pair = Pair::new().await;
    let id = stream_id("dropped");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let mut expected = pair.fill(&mut sender, &PAYLOAD).await;
    let mut taken = 0;
    // Sends that are dropped while they wait for credit, at every point where credit may come.
    for round in 0..300 {
        let marker = format!("dropped {round}");
        tokio::select! {
            biased;
            sent = sender.send(&marker) => {
                sent.unwrap();
                expected += 1;
            }
            () = async { for _ in 0..round % 7 { tokio::task::yield_now().await; } } => {}
        }
        for _ in 0..20 {
            if taken == expected {
                break;
            }
            taken += 1;
            assert_eq!(within(subscription.next()).await.unwrap().sequence, taken);
        }
    }
    sender.send("the last").await.unwrap();
    expected += 1;
    sender.finish().await.unwrap();
    while taken < expected {
        taken += 1;
        assert_eq!(within(subscription.next()).await.unwrap().sequence, taken);
    }
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: expected }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_in_flight_arrive_after_the_sender_has_finished() {
    let mut pair = Pair::new().await;
    let id = stream_id("later");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    for _ in 0..100 {
        sender.send(PAYLOAD).await.unwrap();
    }
    sender.finish().await.unwrap();
    let end = StreamEnd::Finished { frames: 100 };
    crate::harness::deadline::until(|| async { subscription.end() }).await;
    for number in 1..=100 {
        assert_eq!(within(subscription.next()).await.unwrap().sequence, number);
    }
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(end));
}
