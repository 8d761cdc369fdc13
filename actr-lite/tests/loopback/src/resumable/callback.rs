//! A callback runs once at a time, may use its node, and may fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use actr_lite::{DataStream, Dest, ResumeError};

use crate::{
    harness::{deadline::within, messages::Ask, stream::stream_id},
    stream_server::{
        cue::Cue,
        request::{FRAMES, STREAM},
        scene::Scene,
        script::{breaks_off_once, half},
        seen::Seen,
    },
};

#[tokio::test]
async fn a_panicking_callback_is_final_and_reported() {
    let (scene, server) = Scene::with_server(half).await;
    let callback = |frame: DataStream| {
        assert!(frame.sequence < 3, "too much of it");
        std::future::ready(())
    };
    let stream = scene.request().receive_with(callback).await;
    let error = within(stream.ended()).await.unwrap_err();
    assert!(
        matches!(&error, ResumeError::Panicked(text) if text.contains("too much of it")),
        "{error:?}"
    );
    assert_eq!(stream.progress().delivered, 2);
    server.was_stopped().await;
    assert_eq!(server.asked(), [0]);
    assert!(scene.is_stream_id_free());
}

#[tokio::test]
async fn the_callback_finishes_before_the_next_server_is_asked() {
    let (scene, server) = Scene::with_server(breaks_off_once(1)).await;
    let (running, overlaps) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (go_on, entered) = (Cue::default(), Cue::default());
    let seen = Seen::default();
    let callback = {
        let (running, overlaps) = (Arc::clone(&running), Arc::clone(&overlaps));
        let (go_on, entered, seen) = (go_on.clone(), entered.clone(), seen.clone());
        move |frame: DataStream| {
            let (running, overlaps) = (Arc::clone(&running), Arc::clone(&overlaps));
            let (go_on, entered, seen) = (go_on.clone(), entered.clone(), seen.clone());
            async move {
                overlaps.fetch_or(running.fetch_add(1, SeqCst) > 0, SeqCst);
                entered.give();
                go_on.given().await;
                seen.push(&frame);
                running.fetch_sub(1, SeqCst);
            }
        }
    };
    let stream = scene.request().receive_with(callback).await;
    within(entered.given()).await;
    // A call over the same connection comes back after the stream's end did.
    for _ in 0..3 {
        let dest = Dest::actor(server.id());
        within(scene.client.context().call(&dest, Ask::default()))
            .await
            .unwrap();
    }
    assert_eq!(server.asked(), [0]);
    go_on.give();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert!(!overlaps.load(SeqCst));
}

#[tokio::test]
async fn a_callback_may_use_the_node_that_it_runs_in() {
    let (scene, server) = Scene::with_server(breaks_off_once(5)).await;
    let (ctx, dest) = (scene.client.context().clone(), Dest::actor(server.id()));
    let callback = move |_: DataStream| {
        let (ctx, dest) = (ctx.clone(), dest.clone());
        async move {
            assert!(ctx.subscribe(stream_id(STREAM), &ctx.self_id()).is_err());
            drop(ctx.subscribe(stream_id("another"), &ctx.self_id()).unwrap());
            ctx.call(&dest, Ask::default()).await.unwrap();
        }
    };
    let stream = scene.request().receive_with(callback).await;
    within(stream.ended()).await.unwrap();
    assert_eq!(stream.progress().delivered, FRAMES);
}
