//! What is done with the handle of a resumable stream, or before there is one, ends the stream at both ends.

use actr_lite::{ResumeError, SendError};

use crate::{
    harness::deadline::until,
    stream_server::{
        scene::Scene,
        script::{Conduct, Then, half},
    },
};

#[tokio::test]
async fn dropping_the_handle_stops_the_sender_and_frees_the_id() {
    let (scene, server) = Scene::with_server(half).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    assert!(!scene.is_stream_id_free());
    drop(reception);
    let stopped = server.was_stopped().await;
    assert!(matches!(stopped[0], SendError::Cancelled { .. }), "{stopped:?}");
    assert!(scene.is_stream_id_free());
    assert_eq!(server.asked(), [0]);
}

#[tokio::test]
async fn dropping_the_wait_cancels_the_request() {
    let (scene, server) = Scene::with_server(|_| Conduct::send_unanswered([], Then::Hold)).await;
    let waiting = tokio::spawn(scene.request().receive());
    server.was_asked(1).await;
    waiting.abort();
    until(|| async { scene.is_stream_id_free().then_some(()) }).await;
}

#[tokio::test]
async fn unregistering_it_ends_it_as_cancelled() {
    let (scene, server) = Scene::with_server(half).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    let ctx = scene.client.context();
    assert!(ctx.unregister_stream(reception.stream.stream_id()));
    let error = reception.fails().await;
    assert!(matches!(error, ResumeError::Cancelled), "{error:?}");
    assert_eq!(server.asked(), [0]);
}
