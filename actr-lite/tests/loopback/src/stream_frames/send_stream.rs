//! Frames that the application numbers itself.

use actr_lite::{ActrError, DataStream, FrameHints, SendError, StreamEnd};
use tokio::sync::mpsc;

use crate::harness::{
    deadline::within,
    pair::Pair,
    stream::{caller, stream_id},
};

#[tokio::test]
async fn send_stream_keeps_the_frames_own_number_hints_and_time() {
    let mut pair = Pair::new().await;
    let id = stream_id("direct");
    let mut subscription = pair.subscribe(&id);
    let ctx = pair.asked().await;
    let dest = caller(&ctx);
    // One that counts from 0 is taken as it is.
    let empty = DataStream::new(id.clone(), 0, "").with_hints(FrameHints {
        timestamp_ms: Some(0),
        ..FrameHints::default()
    });
    let plain = DataStream::new(id.clone(), 1, "plain");
    let hinted = DataStream::new(id.clone(), 2, "hinted").with_hints(FrameHints {
        metadata: vec![("a".into(), "1".into()), ("b".into(), String::new())],
        timestamp_ms: Some(-5),
    });
    for frame in [&empty, &plain, &hinted] {
        ctx.send_stream(&dest, frame).await.unwrap();
        assert_eq!(within(subscription.next()).await.as_ref(), Some(frame));
    }
    let refused = ctx.open_stream(&dest, id.clone()).await.err().unwrap();
    assert!(
        matches!(&refused, ActrError::Send(SendError::AlreadyOpen(open)) if *open == id),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_frame_comes_once_and_a_missing_one_ends_the_stream() {
    let mut pair = Pair::new().await;
    let id = stream_id("filtered");
    let (frames, mut received) = mpsc::unbounded_channel();
    let mut registration = pair.register(&id, move |frame| {
        frames.send(frame.sequence).unwrap();
    });
    let ctx = pair.asked().await;
    for number in [1, 2, 2, 1, 3, 5] {
        let frame = DataStream::new(id.clone(), number, "x");
        ctx.send_stream(caller(&ctx), &frame).await.unwrap();
    }
    let end = within(registration.ended()).await;
    assert_eq!(end, StreamEnd::Gap { expected: 4, came: 5 });
    let mut numbers = Vec::new();
    within(received.recv_many(&mut numbers, 10)).await;
    assert_eq!(numbers, [1, 2, 3]);
    let progress = registration.progress();
    assert_eq!((progress.delivered, progress.bytes), (3, 3));
    assert_eq!((progress.duplicates, progress.out_of_order), (2, 0));
}

#[tokio::test]
async fn send_stream_ends_with_finish_stream_or_its_context() {
    let mut pair = Pair::new().await;
    for (name, frames, finishes) in [("done", 2, true), ("nothing", 0, true), ("broken", 2, false)] {
        let id = stream_id(name);
        let mut subscription = pair.subscribe(&id);
        let ctx = pair.asked().await;
        let dest = caller(&ctx);
        for number in 1..=frames {
            let frame = DataStream::new(id.clone(), number, "x");
            ctx.clone().send_stream(&dest, &frame).await.unwrap();
            within(subscription.next()).await.unwrap();
        }
        if finishes {
            ctx.finish_stream(&dest, &id).await.unwrap();
        }
        drop(ctx);
        assert_eq!(within(subscription.next()).await, None);
        let end = subscription.end().unwrap();
        match finishes {
            true => assert_eq!(end, StreamEnd::Finished { frames }),
            false => assert!(matches!(end, StreamEnd::Failed { frames: 2, .. }), "{end:?}"),
        }
    }
}
