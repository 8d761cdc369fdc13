//! The server that is asked next is one that may help.

use std::time::Duration;

use actr_lite::ErrorCode;
use tokio::net::TcpListener;

use crate::{
    harness::deadline::within,
    raw_peer::outsider::Outsider,
    stream_server::{
        cue::Cue,
        scene::Scene,
        script::{Asked, Conduct, Then, breaks_off_once_at},
        server::SERVER,
    },
};

#[tokio::test]
async fn a_failed_server_is_not_asked_if_there_is_another() {
    let cue = Cue::default();
    let fails = cue.clone();
    let (scene, first) = Scene::with_server(move |asked| asked.send(5, Then::break_off_at(&fails))).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    // It fails too, so that the first one's turn comes again, but not before.
    let second = scene
        .add_server(|asked| match asked.before {
            0 => Conduct::send([], Then::BreakOff),
            _ => asked.rest(),
        })
        .await;
    cue.give();
    reception.comes_whole().await;
    assert_eq!((first.asked(), second.asked()), (vec![0, 5], vec![5, 5]));
}

#[tokio::test]
async fn a_refusal_elsewhere_does_not_end_a_resumable_stream() {
    let cue = Cue::default();
    let (scene, first) = Scene::with_server(breaks_off_once_at(&cue)).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    let second = scene
        .add_server(|_| Conduct::Refuse(ErrorCode::PermissionDenied, "not you"))
        .await;
    cue.give();
    reception.comes_whole().await;
    assert_eq!((first.asked(), second.asked()), (vec![0, 5], vec![5]));
}

#[tokio::test]
async fn candidates_that_cannot_be_reached_are_passed_over_in_time() {
    let scene = Scene::without_servers().await;
    let mut outsiders = Vec::new();
    // One at which nobody listens, and some that take connections and never say a word.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    outsiders.push((Outsider::listening(&scene.world, SERVER, Some(closed)).await, None));
    for _ in 0..4 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outsider = Outsider::listening(&scene.world, SERVER, Some(listener.local_addr().unwrap())).await;
        outsiders.push((outsider, Some(listener)));
    }
    let server = scene.add_server(Asked::rest).await;
    scene.lists(6).await;
    let request = scene.request().timeout(Duration::from_secs(3));
    request.receive().await.comes_whole().await;
    assert_eq!(server.asked(), [0]);
}

#[tokio::test]
async fn the_known_server_is_asked_while_the_registry_is_away() {
    let cue = Cue::default();
    let (scene, server) = Scene::with_server(breaks_off_once_at(&cue)).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    within(scene.world.registry.shutdown()).await;
    cue.give();
    reception.comes_whole().await;
    assert_eq!(server.asked(), [0, 5]);
}
