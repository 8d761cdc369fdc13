//! Both ends of a stream learn that the other one has died.

use actr_lite::{ActrError, CloseReason, DataStream, SendError, StreamEnd};
use actr_lite_wire::{credit::INITIAL_WINDOW, record::RecordKind};
use futures_util::FutureExt as _;

use crate::{
    harness::{
        deadline::within,
        stream::{caller, stream_id},
    },
    raw_peer::{visit::Visit, wire_bytes::frame},
};

#[tokio::test]
async fn a_sender_learns_that_its_receiver_died_also_while_it_waits() {
    let mut visit = Visit::of_extended_peer().await;
    let ctx = visit.asked().await;
    let mut waiting = ctx.open_stream(&caller(&ctx), stream_id("waiting")).await.unwrap();
    let mut idle = ctx.open_stream(&caller(&ctx), stream_id("idle")).await.unwrap();
    // Nobody grants anything: in the end it waits for credit.
    let payload = vec![1; INITIAL_WINDOW as usize];
    within(waiting.send(&payload)).await.unwrap();
    let mut send = Box::pin(waiting.send(&payload));
    assert!((&mut send).now_or_never().is_none());
    drop(visit.peer);
    let errors = [
        within(send).await.unwrap_err(),
        within(idle.closed()).await,
        idle.send("x").await.unwrap_err(),
        idle.finish().await.unwrap_err(),
    ];
    for error in errors {
        match error {
            SendError::PeerGone {
                peer,
                reason: CloseReason::Lost(_),
                ..
            } => assert_eq!(&peer, visit.outsider.id()),
            error => panic!("{error:?}"),
        }
    }
    // A stream to a caller belongs to its connection: another one of the same caller does not bring it back.
    let _again = visit.outsider.dial_extended(&visit.server).await;
    let late = DataStream::new(stream_id("late"), 1, "x");
    let error = ctx.send_stream(&caller(&ctx), &late).await.unwrap_err();
    assert!(
        matches!(error, ActrError::Send(SendError::PeerGone { .. })),
        "{error:?}"
    );
    let error = ctx.open_stream(&caller(&ctx), late.stream_id).await.err().unwrap();
    assert!(
        matches!(error, ActrError::Send(SendError::PeerGone { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_receiver_learns_that_its_sender_died() {
    let mut visit = Visit::of_extended_peer().await;
    let (mut started, mut silent) = (visit.subscribe("started"), visit.subscribe("silent"));
    visit
        .peer
        .send_record(RecordKind::StreamReliable, &frame("started", 1, b"x"))
        .await;
    within(started.next()).await.unwrap();
    drop(visit.peer);
    assert_eq!(within(started.next()).await, None);
    assert_eq!(within(silent.next()).await, None);
    for end in [started.end(), silent.end()] {
        match end {
            Some(StreamEnd::PeerGone {
                peer,
                reason: CloseReason::Lost(_),
            }) => assert_eq!(&peer, visit.outsider.id()),
            end => panic!("{end:?}"),
        }
    }
}
