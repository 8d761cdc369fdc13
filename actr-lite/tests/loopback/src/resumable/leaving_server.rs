//! A server that shuts down in order keeps its streams until another server has them.

use std::time::Duration;

use actr_lite::SendError;
use tokio::net::TcpListener;

use crate::{
    harness::deadline::{until, within},
    raw_peer::outsider::Outsider,
    resumable::SHORT,
    stream_server::{
        cue::Cue,
        request::FRAMES,
        scene::Scene,
        script::{Asked, Then, half},
        server::{self, SERVER, server_type},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_moves_from_a_leaving_server_without_a_gap() {
    let (scene, first) = Scene::with_server(half).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    let second = scene.add_server(Asked::rest).await;
    // Its stream would hold it for the whole grace.
    within(first.node.shutdown()).await;
    let progress = reception.comes_whole().await;
    assert_eq!((first.asked(), second.asked()), (vec![0], vec![5]));
    let stopped = first.stopped();
    assert!(matches!(stopped[..], [SendError::Cancelled { .. }]), "{stopped:?}");
    assert_eq!((progress.resumes, progress.duplicates), (1, 0));
    assert_eq!(progress.servers, [first.id(), second.id()]);
}

/// A server leaves in the middle of a stream, and finishes it when the test says so.
async fn leaves_alone(scene: Scene) {
    let cue = Cue::default();
    let goes_on = cue.clone();
    let server = scene
        .add_server(move |asked| asked.send(5, Then::send_at(&goes_on, 6..=FRAMES, Then::Finish)))
        .await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    let shutdown = tokio::spawn({
        let leaving = server.node.clone();
        async move { leaving.shutdown().await }
    });
    let (server_type, id) = (server_type(), server.id());
    until(|| async {
        let found = scene.client.context().discover_all(&server_type).await;
        (!found.is_ok_and(|found| found.contains(&id))).then_some(())
    })
    .await;
    // Longer than it takes to look for another server once.
    tokio::time::sleep(Duration::from_millis(700)).await;
    cue.give();
    let progress = reception.comes_whole().await;
    assert_eq!(server.asked(), [0]);
    assert_eq!(progress.resumes, 0);
    within(shutdown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_server_is_kept_when_there_is_no_other() {
    leaves_alone(Scene::without_servers().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_server_is_kept_if_no_other_can_be_reached() {
    let scene = Scene::without_servers().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let _dead = Outsider::listening(&scene.world, SERVER, Some(closed)).await;
    leaves_alone(scene).await;
}

#[tokio::test]
async fn a_leaving_server_is_lost_after_its_grace() {
    let scene = Scene::without_servers().await;
    let (plan, _) = server::plan(&scene.world, half);
    let leaving = within(plan.node().shutdown_grace(SHORT).start()).await.unwrap();
    let reception = scene.request().timeout(SHORT).receive().await;
    reception.reaches(5).await;
    within(leaving.shutdown()).await;
    let text = reception.fails().await.to_string();
    assert!(
        text.contains("shutting down") && text.contains("no server of type"),
        "{text}"
    );
    assert_eq!(reception.seen.numbers(), [1, 2, 3, 4, 5]);
}
