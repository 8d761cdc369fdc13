//! Frames come once each and in order, and then the end.

use actr_lite::StreamEnd;

use crate::harness::{deadline::within, pair::Pair, stream::stream_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_frames_arrive_in_order_and_the_end_has_their_count() {
    const FRAMES: u64 = 20_000;
    let mut pair = Pair::new().await;
    let id = stream_id("ordered1");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    assert_eq!((sender.stream_id(), subscription.stream_id()), (&id, &id));
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            sender.send(vec![number as u8; (number % 200) as usize]).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    for number in 1..=FRAMES {
        let frame = within(subscription.next()).await.unwrap();
        assert_eq!((frame.sequence, &frame.stream_id), (number, &id));
        assert_eq!(frame.payload, vec![number as u8; (number % 200) as usize]);
    }
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
    assert_eq!(subscription.sender(), &pair.server.actor_id());
    sending.await.unwrap();
}

#[tokio::test]
async fn a_stream_without_frames_ends_as_finished() {
    let mut pair = Pair::new().await;
    let id = stream_id("empty");
    let mut subscription = pair.subscribe(&id);
    pair.open(&id).await.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 0 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_on_one_connection_lose_and_mix_nothing() {
    const STREAMS: u64 = 100;
    const FRAMES: u64 = 200;
    let mut pair = Pair::new().await;
    let mut work = tokio::task::JoinSet::new();
    for number in 0..STREAMS {
        let id = stream_id(&format!("many{number}"));
        let (mut sender, mut subscription) = pair.stream(&id).await;
        work.spawn(async move {
            for frame in 0..FRAMES {
                sender.send(format!("{number}/{frame}")).await.unwrap();
            }
            sender.finish().await.unwrap();
        });
        work.spawn(async move {
            for frame in 0..FRAMES {
                let got = subscription.next().await.unwrap();
                assert_eq!(got.payload, format!("{number}/{frame}"));
            }
            assert_eq!(subscription.next().await, None);
            assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
        });
    }
    within(work.join_all()).await;
    assert_eq!(pair.client.unknown_frames(), 0);
}

#[tokio::test]
async fn dropping_a_wait_for_the_next_frame_loses_none() {
    const FRAMES: u64 = 500;
    let mut pair = Pair::new().await;
    let id = stream_id("impatient");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let sending = tokio::spawn(async move {
        for _ in 0..FRAMES {
            sender.send("x").await.unwrap();
            tokio::task::yield_now().await;
        }
        sender.finish().await.unwrap();
    });
    let mut sequences = Vec::new();
    let mut dropped = 0;
    within(async {
        loop {
            tokio::select! {
                biased;
                frame = subscription.next() => match frame {
                    Some(frame) => sequences.push(frame.sequence),
                    None => break,
                },
                () = tokio::task::yield_now() => dropped += 1,
            }
        }
    })
    .await;
    sending.await.unwrap();
    assert!(dropped > 0);
    assert!(sequences.iter().copied().eq(1..=FRAMES), "{sequences:?}");
}
