//! All frames come, once and in order, wherever the stream breaks and whatever its server repeats or leaves out.

use std::time::Duration;

use actr_lite::ErrorCode;
use rand::RngExt as _;

use crate::{
    harness::deadline::{until, within},
    resumable::SHORT,
    stream_server::{
        cue::Cue,
        request::FRAMES,
        scene::Scene,
        script::{Asked, Conduct, Then, half},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_servers_stream_resumes_at_the_next_frame() {
    let scene = Scene::without_servers().await;
    let first = scene.add_mortal_server(half).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    let second = scene.add_server(Asked::rest).await;
    let servers = [first.id(), second.id()];
    let killed = first.kill();
    let progress = reception.comes_whole().await;
    assert_eq!((killed.asked(), second.asked()), (vec![0], vec![5]));
    assert_eq!(
        (progress.delivered, progress.resumes, progress.duplicates),
        (FRAMES, 1, 0)
    );
    assert_eq!(progress.servers, servers);
}

#[tokio::test]
async fn duplicates_never_reach_the_callback() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::send(1..=FRAMES, Then::Finish),
    })
    .await;
    let progress = scene.receive().await.comes_whole().await;
    assert_eq!(server.asked(), [0, 5]);
    assert_eq!((progress.resumes, progress.duplicates), (1, 5));
    assert_eq!(progress.servers, [server.id()]);
}

#[tokio::test]
async fn a_missing_frame_is_requested_before_later_ones() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => Conduct::send([1, 2, 4, 5], Then::Hold),
        _ => asked.rest(),
    })
    .await;
    scene.receive().await.comes_whole().await;
    assert_eq!(server.asked()[..2], [0, 2]);
}

#[tokio::test]
async fn a_stream_that_is_finished_too_early_is_asked_for_again() {
    let (scene, server) = Scene::with_server(|asked| asked.send(FRAMES.min(asked.after + 3), Then::Finish)).await;
    let progress = scene.receive().await.comes_whole().await;
    assert_eq!(server.asked(), [0, 3, 6, 9]);
    assert_eq!(progress.resumes, 3);
}

#[tokio::test]
async fn frames_beyond_the_last_are_dropped() {
    let (scene, _server) = Scene::with_server(|asked| asked.send(2 * FRAMES, Then::Hold)).await;
    let progress = scene.receive().await.comes_whole().await;
    assert_eq!((progress.delivered, progress.duplicates), (FRAMES, 0));
}

#[tokio::test]
async fn a_stream_of_no_frames_ends_well() {
    let (scene, server) = Scene::with_server(Asked::rest).await;
    let progress = scene.request().frames(0).receive().await.comes_whole().await;
    assert_eq!(server.asked(), [0]);
    assert!(progress.servers.is_empty());
}

#[tokio::test]
async fn frames_that_come_before_the_answer_count() {
    let (scene, server) = Scene::with_server(|asked| Conduct::send_first(1..=asked.frames, Then::Finish)).await;
    scene.receive().await.comes_whole().await;
    assert_eq!(server.asked(), [0]);
}

#[tokio::test]
async fn a_stream_that_is_whole_needs_no_answer() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::send_unanswered(6..=asked.frames, Then::Finish),
    })
    .await;
    let progress = scene.receive().await.comes_whole().await;
    assert_eq!(server.asked(), [0, 5]);
    assert_eq!(progress.resumes, 1);
}

#[tokio::test]
async fn frames_of_a_request_without_an_answer_are_kept() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(3, Then::BreakOff),
        1 => Conduct::send_unanswered(4..=5, Then::Hold),
        _ => asked.rest(),
    })
    .await;
    let progress = scene.request().timeout(SHORT).receive().await.comes_whole().await;
    let asked = server.asked();
    assert_eq!((&asked[..2], asked.last()), (&[0, 3][..], Some(&5)));
    assert_eq!(progress.resumes, 2);
}

#[tokio::test]
async fn a_server_slow_to_cancel_is_asked_until_it_has() {
    let cue = Cue::default();
    let lingering = cue.clone();
    let (scene, server) = Scene::with_server(move |asked| match asked.before {
        0 => asked.send(3, Then::BreakOff),
        1 => Conduct::send_unanswered(4..=5, Then::Linger(lingering.clone())),
        _ => asked.rest(),
    })
    .await;
    let receiving = scene.request().timeout(Duration::from_secs(1)).receive();
    let letting_go = async {
        server.was_asked(4).await;
        cue.give();
    };
    let (reception, ()) = within(async { tokio::join!(receiving, letting_go) }).await;
    reception.comes_whole().await;
}

#[tokio::test]
async fn a_take_over_is_counted_as_soon_as_it_is_one() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(3, Then::BreakOff),
        _ => half(asked),
    })
    .await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    until(|| async { (reception.stream.progress().resumes == 1).then_some(()) }).await;
    let progress = reception.stream.progress();
    assert_eq!((progress.delivered, progress.duplicates), (5, 0));
    assert_eq!(progress.servers, [server.id()]);
}

/// How a faulty server behaves.
fn confused(asked: Asked) -> Conduct {
    let mut random = rand::rng();
    let last = random.random_range(asked.after..=asked.frames);
    let rest = asked.after + 1..=last;
    match random.random_range(0..8) {
        0 => Conduct::send(rest, Then::BreakOff),
        1 => Conduct::send(rest, Then::Finish),
        2 => Conduct::send_first(rest, Then::BreakOff),
        3 => Conduct::send_first(rest, Then::Finish),
        // From the beginning.
        4 => Conduct::send(1..=last, Then::BreakOff),
        // With holes.
        5 => {
            let numbers = (asked.after + 1..=asked.frames).filter(|number| number % 7 != last % 7);
            Conduct::send(numbers, Then::Finish)
        }
        6 => Conduct::Refuse(ErrorCode::Unavailable, "busy"),
        _ => asked.send(2 * asked.frames, Then::Hold),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_come_whole_whatever_their_servers_do() {
    let (scene, _first) = Scene::with_server(confused).await;
    let _second = scene.add_server(confused).await;
    // It vanishes in the middle.
    let mortal = scene.add_mortal_server(half).await;
    scene.lists(3).await;
    let receptions = (0..40).map(|number| {
        let request = scene.request().id(&format!("confused-{number}")).frames(200);
        tokio::spawn(async move { request.receive().await.comes_whole().await })
    });
    let receptions = receptions.collect::<Vec<_>>();
    until(|| async { receptions.iter().any(|reception| reception.is_finished()).then_some(()) }).await;
    mortal.kill();
    for reception in receptions {
        within(reception).await.unwrap();
    }
}
