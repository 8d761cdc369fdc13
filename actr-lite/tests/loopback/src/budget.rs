//! One budget of time covers everything up to the next frame, and a stream that flows may be as slow as it likes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use actr_lite::{ActrError, Budget, ErrorCode, ResumeError};

use crate::{
    harness::{
        deadline::{BOUND, within},
        messages::{Answer, Ask, Push},
        node_plan::NodePlan,
        world::World,
    },
    stream_server::{
        cue::Cue,
        request::FRAMES,
        scene::Scene,
        script::{Asked, Conduct, Then, silent},
        server::push,
    },
};

/// For a test that waits until it is over.
const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_server_that_agrees_and_sends_nothing_is_left_for_another() {
    let (scene, first) = Scene::with_server(silent).await;
    let reception = scene.request().timeout(Duration::from_secs(4)).receive().await;
    let second = scene.add_server(Asked::rest).await;
    reception.comes_whole().await;
    assert_eq!((first.asked(), second.asked()), (vec![0], vec![0]));
}

#[tokio::test]
async fn without_another_the_error_says_that_it_sent_nothing() {
    let (scene, server) = Scene::with_server(silent).await;
    let error = scene.request().timeout(SHORT).receive().await.fails().await;
    assert!(matches!(error, ResumeError::TimedOut { .. }), "{error:?}");
    let text = format!("{} agreed, and sent no frame within ", server.id());
    assert!(error.to_string().contains(&text), "{error}");
}

#[tokio::test]
async fn a_stream_that_has_begun_may_pause_longer_than_the_budget() {
    let cue = Cue::default();
    let goes_on = cue.clone();
    let (scene, server) =
        Scene::with_server(move |asked| asked.send(1, Then::send_at(&goes_on, 2..=FRAMES, Then::Finish))).await;
    let reception = scene.request().timeout(SHORT).receive().await;
    reception.reaches(1).await;
    tokio::time::sleep(2 * SHORT).await;
    cue.give();
    reception.comes_whole().await;
    assert_eq!(server.asked(), [0]);
}

#[tokio::test]
async fn an_idle_timeout_leaves_a_server_that_pauses() {
    let (scene, server) = Scene::with_server(|asked| match asked.before {
        0 => asked.send(3, Then::Hold),
        _ => asked.rest(),
    })
    .await;
    let reception = scene.request().idle_timeout(SHORT).receive().await;
    reception.comes_whole().await;
    assert_eq!(server.asked(), [0, 3]);
}

#[tokio::test]
async fn a_first_frame_may_be_later_than_the_budget_if_that_is_said() {
    let cue = Cue::default();
    let begins = cue.clone();
    let (scene, server) =
        Scene::with_server(move |asked| Conduct::send([], Then::send_at(&begins, 1..=asked.frames, Then::Finish)))
            .await;
    let request = scene.request().timeout(SHORT).patient_for_the_first();
    let reception = request.receive().await;
    tokio::time::sleep(2 * SHORT).await;
    cue.give();
    reception.comes_whole().await;
    assert_eq!(server.asked(), [0]);
}

/// A node whose own service fails so often with this code before it answers; and how often it was called.
fn failing(world: &World, times: usize, code: ErrorCode) -> (NodePlan, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let plan = world.node("Failing").on(move |_: Ask, _| {
        let call = count.fetch_add(1, SeqCst);
        async move {
            match call < times {
                true => Err(ActrError::new(code, format!("try {call}"))),
                false => Ok(Answer::text("at last")),
            }
        }
    });
    (plan, calls)
}

#[tokio::test]
async fn a_local_call_is_retried_until_it_succeeds() {
    let world = World::new().await;
    let (plan, calls) = failing(&world, 3, ErrorCode::Unavailable);
    let node = plan.start().await;
    let answer = within(node.call_with_retry(Ask::default(), Budget::new(BOUND))).await;
    assert_eq!((answer.unwrap().text.as_str(), calls.load(SeqCst)), ("at last", 4));
}

#[tokio::test]
async fn a_failure_that_does_not_heal_is_not_retried() {
    let world = World::new().await;
    let (plan, calls) = failing(&world, 3, ErrorCode::InvalidArgument);
    let node = plan.start().await;
    let error = within(node.call_with_retry(Ask::default(), Budget::new(BOUND))).await;
    assert_eq!(error.unwrap_err().to_string(), "try 0");
    assert_eq!(calls.load(SeqCst), 1);
}

#[tokio::test]
async fn when_the_budget_is_over_the_last_error_is_returned() {
    let world = World::new().await;
    let (plan, calls) = failing(&world, usize::MAX, ErrorCode::Unavailable);
    let node = plan.start().await;
    let error = within(node.call_with_retry(Ask::default(), Budget::new(SHORT))).await;
    let last = calls.load(SeqCst) - 1;
    assert_eq!(error.unwrap_err().to_string(), format!("try {last}"));
    assert!(last > 0);
}

#[tokio::test]
async fn the_step_that_takes_too_long_says_so_itself() {
    let world = World::new().await;
    let hanging = world
        .node("Hanging")
        .on(|_: Push, _| std::future::pending())
        .start()
        .await;
    let id = hanging.actor_id();
    let caller = id.clone();
    let node = world
        .node("Caller")
        .on(move |_: Ask, ctx| {
            let id = caller.clone();
            async move { ctx.call(&id, push("any", 0)).await }
        })
        .start()
        .await;
    let error = within(node.call_with_retry(Ask::default(), Budget::new(SHORT))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&id.to_string()), "{error}");
}
