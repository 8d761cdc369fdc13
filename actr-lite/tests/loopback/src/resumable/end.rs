//! A stream that cannot come whole ends with an error that says why.

use std::time::{Duration, Instant};

use actr_lite::{ActrError, CallOptions, ErrorCode, RESUME_AFTER, ResumeError};

use crate::{
    harness::deadline::within,
    resumable::SHORT,
    stream_server::{
        request::FRAMES,
        scene::Scene,
        script::{Asked, Conduct, Then, half},
        server::push,
    },
};

#[tokio::test]
async fn a_timed_out_stream_says_how_it_broke_and_the_last_error() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::Refuse(ErrorCode::Unavailable, "there is no room"),
    })
    .await;
    let reception = scene.request().timeout(SHORT).receive().await;
    let error = reception.fails().await;
    let text = error.to_string();
    assert!(matches!(error, ResumeError::TimedOut { .. }), "{error:?}");
    for part in ["gave up after 5 frames", "within 300 ms", "there is no room"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(server.asked().len() > 2, "{:?}", server.asked());
    assert_eq!(reception.seen.numbers(), [1, 2, 3, 4, 5]);
    assert!(scene.is_stream_id_free());
}

#[tokio::test]
async fn without_any_server_the_error_is_the_registrys_answer() {
    let scene = Scene::without_servers().await;
    let error = within(scene.request().timeout(SHORT).try_receive())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("no server of type acme:Server"), "{error}");
    assert!(matches!(error, ActrError::Discover(_)));
}

#[tokio::test]
async fn a_refusal_for_good_ends_it_at_once() {
    let (scene, server) = Scene::with_server(|_| Conduct::Refuse(ErrorCode::InvalidArgument, "no such stream")).await;
    let error = within(scene.request().try_receive()).await.err().unwrap();
    assert!(matches!(error, ActrError::Remote { .. }), "{error:?}");
    assert!(error.to_string().contains("no such stream"), "{error}");
    assert_eq!(server.asked(), [0]);
    assert!(scene.is_stream_id_free());
}

#[tokio::test]
async fn a_hint_behind_which_there_can_be_no_frame_is_refused() {
    let (scene, server) = Scene::with_server(Asked::rest).await;
    for hint in [u64::MAX.to_string(), "-1".into(), "five".into(), String::new()] {
        let options = CallOptions {
            metadata: vec![(RESUME_AFTER.into(), hint.clone())],
            ..CallOptions::default()
        };
        let ctx = scene.client.context();
        let asked = ctx.call_with(server.id(), push("hint", FRAMES), options);
        let error = within(asked).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.to_string().contains(&format!("{hint:?}")), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn progress_is_known_of_a_stream_that_ended_at_once() {
    let (scene, _server) = Scene::with_server(|asked| match asked.after {
        0 => Conduct::send_first(1..=5, Then::BreakOff),
        _ => Conduct::Refuse(ErrorCode::PermissionDenied, "not again"),
    })
    .await;
    // Many at once, so that some are over before their receiver runs.
    let receiving = (0..20).map(|number| {
        let request = scene.request().id(&format!("begun-{number}"));
        tokio::spawn(request.receive())
    });
    for receiving in receiving.collect::<Vec<_>>() {
        let reception = within(receiving).await.unwrap();
        let error = reception.fails().await;
        assert!(matches!(error, ResumeError::Refused(_)), "{error:?}");
        assert_eq!(reception.stream.progress().delivered, 5);
    }
}

#[tokio::test]
async fn the_nodes_own_shutdown_ends_a_live_stream_as_stopped() {
    let (scene, _server) = Scene::with_server(half).await;
    let reception = scene.receive().await;
    reception.reaches(5).await;
    within(scene.client.shutdown()).await;
    let error = reception.fails().await;
    assert!(matches!(error, ResumeError::Stopped), "{error:?}");
}

#[tokio::test]
async fn the_nodes_own_shutdown_ends_the_wait_for_a_server_as_stopped() {
    // The second request is never answered.
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::send_unanswered([], Then::Hold),
    })
    .await;
    let reception = scene.receive().await;
    server.was_asked(2).await;
    within(scene.client.shutdown()).await;
    let error = reception.fails().await;
    assert!(matches!(error, ResumeError::Stopped), "{error:?}");
}

#[tokio::test]
async fn each_frame_restarts_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    // One frame, then a refusal for each of two tries: all refusals together take longer than the timeout.
    let (scene, _server) = Scene::with_server(|asked| match asked.before % 3 {
        0 => asked.send(asked.after + 1, Then::BreakOff),
        _ => Conduct::Refuse(ErrorCode::Unavailable, "not yet"),
    })
    .await;
    let begin = Instant::now();
    let reception = scene.request().frames(16).timeout(TIMEOUT).receive().await;
    let progress = reception.comes_whole().await;
    assert!(
        begin.elapsed() > TIMEOUT,
        "the test proves nothing: {:?}",
        begin.elapsed()
    );
    assert_eq!(progress.resumes, 15);
}
