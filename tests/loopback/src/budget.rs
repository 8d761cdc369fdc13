//! One budget of time covers everything up to the next frame, and a stream that flows may be as slow as it likes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use actr_lite::{ActrError, ActrRef, Budget, DataStream, ErrorCode, ResumableStream, ResumeError, ResumeOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Ask, Push},
        node_plan::NodePlan,
        world::World,
    },
    stream_server::{Asked, Conduct, LONG, Seen, Sending, Then, push, receive_options, server},
};

const FRAMES: u64 = 10;

/// For a test that waits until it is over.
const SHORT: Duration = Duration::from_millis(400);

async fn client(world: &World) -> ActrRef {
    world.client().await
}

async fn receive(client: &ActrRef, id: &str, options: ResumeOptions, seen: &Seen) -> ResumableStream {
    let seen = seen.clone();
    let callback = move |frame: DataStream| {
        seen.push(&frame);
        std::future::ready(())
    };
    within(receive_options(client, id, FRAMES, options, callback))
        .await
        .unwrap()
}

/// Agrees, and sends nothing.
fn silent(_: Asked) -> Conduct {
    Conduct::Send(Sending(Vec::new(), Then::Hold))
}

#[tokio::test]
async fn a_server_that_agrees_and_sends_nothing_is_left_for_another() {
    let world = World::new().await;
    let (first, first_log) = server(&world, silent);
    let _first = first.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let budget = Budget::new(Duration::from_secs(4));
    let stream = receive(&client, "silent", ResumeOptions::new(budget), &seen).await;
    let (second, second_log) = server(&world, Asked::rest);
    let _second = second.start().await;
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!((first_log.asked(), second_log.asked()), (vec![0], vec![0]));
}

#[tokio::test]
async fn without_another_the_error_says_that_it_sent_nothing() {
    let world = World::new().await;
    let (plan, _) = server(&world, silent);
    let server = plan.start().await;
    let client = client(&world).await;
    let options = ResumeOptions::new(Budget::new(SHORT));
    let stream = receive(&client, "alone", options, &Seen::default()).await;
    let error = within(stream.ended()).await.unwrap_err();
    assert!(matches!(error, ResumeError::TimedOut { .. }), "{error:?}");
    let text = format!("{} agreed, and sent no frame within ", server.actor_id());
    assert!(error.to_string().contains(&text), "{error}");
}

#[tokio::test]
async fn a_stream_that_has_begun_may_pause_longer_than_the_budget() {
    let world = World::new().await;
    let told = CancellationToken::new();
    let tell = told.clone();
    let (plan, log) = server(&world, move |asked| {
        let rest = Box::new(Sending((2..=FRAMES).collect(), Then::Finish));
        asked.send(1, Then::Wait(told.clone(), rest))
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let budget = Budget::new(SHORT);
    let stream = receive(&client, "pausing", ResumeOptions::new(budget), &seen).await;
    seen.last_is(1).await;
    tokio::time::sleep(2 * SHORT).await;
    tell.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0]);
}

#[tokio::test]
async fn an_idle_timeout_leaves_a_server_that_pauses() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(3, Then::Hold),
        _ => asked.rest(),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let options = ResumeOptions {
        idle_timeout: Some(SHORT),
        ..ResumeOptions::new(Budget::new(LONG))
    };
    let stream = receive(&client, "idle", options, &seen).await;
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0, 3]);
}

#[tokio::test]
async fn a_first_frame_may_be_later_than_the_budget_if_that_is_said() {
    let world = World::new().await;
    let told = CancellationToken::new();
    let tell = told.clone();
    let (plan, log) = server(&world, move |asked| {
        let all = Box::new(Sending((1..=asked.frames).collect(), Then::Finish));
        Conduct::Send(Sending(Vec::new(), Then::Wait(told.clone(), all)))
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let options = ResumeOptions {
        first_frame: Some(LONG),
        ..ResumeOptions::new(Budget::new(SHORT))
    };
    let stream = receive(&client, "late", options, &seen).await;
    tokio::time::sleep(2 * SHORT).await;
    tell.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0]);
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
    let answer = within(node.call_with_retry(Ask::default(), Budget::new(LONG))).await;
    assert_eq!((answer.unwrap().text.as_str(), calls.load(SeqCst)), ("at last", 4));
}

#[tokio::test]
async fn a_failure_that_does_not_heal_is_not_retried() {
    let world = World::new().await;
    let (plan, calls) = failing(&world, 3, ErrorCode::InvalidArgument);
    let node = plan.start().await;
    let error = within(node.call_with_retry(Ask::default(), Budget::new(LONG))).await;
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
