//! A stream that is received as a resumable one comes whole, whatever happens to those who send it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use actr_lite::{ActrError, ActrRef, CallOptions, DataStream, Dest, ErrorCode, RESUME_AFTER, ResumeError, SendError};
use actr_lite_wire::{
    envelope::Envelope,
    record::{self, HEADER_LEN, RecordKind},
};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::RngExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{
        deadline::{until, within},
        messages::Ask,
        stream::stream_id,
        world::World,
    },
    raw_peer::{self, Outsider},
    stream_server::{
        Asked, Conduct, LONG, SERVER, Seen, Sending, Then, push, receive, receive_with, server, server_type,
    },
};

const FRAMES: u64 = 10;

/// For a test that waits until it is over.
const SHORT: Duration = Duration::from_millis(300);

async fn client(world: &World) -> ActrRef {
    world.client().await
}

/// Sends up to frame 5 and holds the stream, for any caller.
fn half(asked: Asked) -> Conduct {
    asked.send(5, Then::Hold)
}

/// Waits until the registry names this many servers.
async fn registered(client: &ActrRef, servers: usize) {
    let server_type = server_type();
    until(|| async {
        let found = client.context().discover_all(&server_type).await;
        let count = found.map_or(0, |found| found.len());
        (count == servers).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_servers_stream_resumes_at_the_next_frame() {
    let world = World::new().await;
    let (first, first_log) = server(&world, half);
    let first = first.start_mortal().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "killed", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    let (second, second_log) = server(&world, Asked::rest);
    let second = second.start().await;
    let servers = [first.node.actor_id(), second.actor_id()];
    first.kill();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!((first_log.asked(), second_log.asked()), (vec![0], vec![5]));
    let progress = stream.progress();
    assert_eq!(
        (progress.delivered, progress.resumes, progress.duplicates),
        (FRAMES, 1, 0)
    );
    assert_eq!(progress.servers, servers);
}

#[tokio::test]
async fn duplicates_never_reach_the_callback() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::Send(Sending((1..=FRAMES).collect(), Then::Finish)),
    });
    let server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "hintless", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0, 5]);
    let progress = stream.progress();
    assert_eq!((progress.resumes, progress.duplicates), (1, 5));
    assert_eq!(progress.servers, [server.actor_id()]);
}

#[tokio::test]
async fn a_missing_frame_is_requested_before_later_ones() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => Conduct::Send(Sending(vec![1, 2, 4, 5], Then::Hold)),
        _ => asked.rest(),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "gap", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked()[..2], [0, 2]);
}

#[tokio::test]
async fn a_stream_that_is_finished_too_early_is_asked_for_again() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| asked.send(FRAMES.min(asked.after + 3), Then::Finish));
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "early", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0, 3, 6, 9]);
    assert_eq!(stream.progress().resumes, 3);
}

#[tokio::test]
async fn frames_beyond_the_last_are_dropped() {
    let world = World::new().await;
    let (plan, _) = server(&world, |asked| asked.send(2 * FRAMES, Then::Hold));
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "more", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    let progress = stream.progress();
    assert_eq!((progress.delivered, progress.duplicates), (FRAMES, 0));
}

#[tokio::test]
async fn a_stream_of_no_frames_ends_well() {
    let world = World::new().await;
    let (plan, log) = server(&world, Asked::rest);
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "none", 0, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(0);
    assert_eq!(log.asked(), [0]);
    assert!(stream.progress().servers.is_empty());
}

#[tokio::test]
async fn a_failed_server_is_not_asked_if_there_is_another() {
    let world = World::new().await;
    let told = CancellationToken::new();
    let tell = told.clone();
    let (first, first_log) = server(&world, move |asked| {
        let nothing = Box::new(Sending(Vec::new(), Then::BreakOff));
        asked.send(5, Then::Wait(told.clone(), nothing))
    });
    let _first = first.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "failed", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    // It fails too, so that the first one's turn comes again, but not before.
    let (second, second_log) = server(&world, |asked| match asked.before {
        0 => Conduct::Send(Sending(Vec::new(), Then::BreakOff)),
        _ => asked.rest(),
    });
    let _second = second.start().await;
    tell.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!((first_log.asked(), second_log.asked()), (vec![0, 5], vec![5, 5]));
}

#[tokio::test]
async fn candidates_that_cannot_be_reached_are_passed_over_in_time() {
    let world = World::new().await;
    let mut outsiders = Vec::new();
    // One at which nobody listens, and some that take connections and never say a word.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    outsiders.push((Outsider::listening(&world, SERVER, Some(closed)).await, None));
    for _ in 0..4 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outsider = Outsider::listening(&world, SERVER, Some(listener.local_addr().unwrap())).await;
        outsiders.push((outsider, Some(listener)));
    }
    let (plan, log) = server(&world, Asked::rest);
    let _server = plan.start().await;
    let client = client(&world).await;
    registered(&client, 6).await;
    let seen = Seen::default();
    let timeout = Duration::from_secs(3);
    let stream = within(receive(&client, "unreachable", FRAMES, timeout, &seen))
        .await
        .unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0]);
}

#[tokio::test]
async fn a_timed_out_stream_says_how_it_broke_and_the_last_error() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::Refuse(ErrorCode::Unavailable, "there is no room"),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "over", FRAMES, SHORT, &seen)).await.unwrap();
    let error = within(stream.ended()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ResumeError::TimedOut { .. }), "{error:?}");
    for part in ["gave up after 5 frames", "within 300 ms", "there is no room"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(log.asked().len() > 2, "{:?}", log.asked());
    assert_eq!(seen.numbers(), [1, 2, 3, 4, 5]);
    // Nothing is left of it.
    drop(
        client
            .context()
            .subscribe(stream_id("over"), &client.context().self_id())
            .unwrap(),
    );
}

#[tokio::test]
async fn without_any_server_the_error_is_the_registrys_answer() {
    let world = World::new().await;
    let client = client(&world).await;
    let error = within(receive(&client, "nobody", FRAMES, SHORT, &Seen::default())).await;
    let error = error.err().unwrap();
    assert!(error.to_string().contains("no server of type acme:Server"), "{error}");
    assert!(matches!(error, ActrError::Discover(_)));
}

#[tokio::test]
async fn each_frame_restarts_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let world = World::new().await;
    // One frame, then a refusal for each of two tries: all refusals together take longer than the timeout.
    let (plan, _) = server(&world, |asked| match asked.before % 3 {
        0 => asked.send(asked.after + 1, Then::BreakOff),
        _ => Conduct::Refuse(ErrorCode::Unavailable, "not yet"),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let begin = std::time::Instant::now();
    let stream = within(receive(&client, "again", 16, TIMEOUT, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(16);
    assert!(
        begin.elapsed() > TIMEOUT,
        "the test proves nothing: {:?}",
        begin.elapsed()
    );
    assert_eq!(stream.progress().resumes, 15);
}

#[tokio::test]
async fn a_refusal_for_good_ends_it_at_once() {
    let world = World::new().await;
    let (plan, log) = server(&world, |_| {
        Conduct::Refuse(ErrorCode::InvalidArgument, "no such stream")
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let error = within(receive(&client, "refused", FRAMES, LONG, &Seen::default())).await;
    let error = error.err().unwrap();
    assert!(matches!(error, ActrError::Remote { .. }), "{error:?}");
    assert!(error.to_string().contains("no such stream"), "{error}");
    assert_eq!(log.asked(), [0]);
    drop(
        client
            .context()
            .subscribe(stream_id("refused"), &client.context().self_id())
            .unwrap(),
    );
}

#[tokio::test]
async fn a_refusal_elsewhere_does_not_end_a_resumable_stream() {
    let world = World::new().await;
    let told = CancellationToken::new();
    let tell = told.clone();
    let (first, first_log) = server(&world, move |asked| match asked.before {
        0 => {
            let nothing = Box::new(Sending(Vec::new(), Then::BreakOff));
            asked.send(5, Then::Wait(told.clone(), nothing))
        }
        _ => asked.rest(),
    });
    let _first = first.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "other", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    let (second, second_log) = server(&world, |_| Conduct::Refuse(ErrorCode::PermissionDenied, "not you"));
    let _second = second.start().await;
    tell.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!((first_log.asked(), second_log.asked()), (vec![0, 5], vec![5]));
}

#[tokio::test]
async fn dropping_the_handle_stops_the_sender_and_frees_the_id() {
    let world = World::new().await;
    let (plan, log) = server(&world, half);
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "dropped", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    let id = stream_id("dropped");
    assert!(
        client
            .context()
            .subscribe(id.clone(), &client.context().self_id())
            .is_err()
    );
    drop(stream);
    until(|| async { (!log.stopped().is_empty()).then_some(()) }).await;
    assert!(
        matches!(log.stopped()[0], SendError::Cancelled { .. }),
        "{:?}",
        log.stopped()
    );
    drop(client.context().subscribe(id, &client.context().self_id()).unwrap());
    assert_eq!(log.asked(), [0]);
}

#[tokio::test]
async fn dropping_the_wait_cancels_the_request() {
    let world = World::new().await;
    let (plan, log) = server(&world, |_| Conduct::SendUnanswered(Sending(Vec::new(), Then::Hold)));
    let _server = plan.start().await;
    let client = client(&world).await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move {
            receive(&client, "taken-back", FRAMES, LONG, &Seen::default())
                .await
                .map(drop)
        }
    });
    until(|| async { (!log.asked().is_empty()).then_some(()) }).await;
    waiting.abort();
    let id = stream_id("taken-back");
    until(|| async { client.context().subscribe(id.clone(), &client.context().self_id()).ok() }).await;
}

#[tokio::test]
async fn unregistering_it_ends_it_as_cancelled() {
    let world = World::new().await;
    let (plan, log) = server(&world, half);
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "unregistered", FRAMES, LONG, &seen))
        .await
        .unwrap();
    seen.last_is(5).await;
    assert!(client.context().unregister_stream(stream.stream_id()));
    let error = within(stream.ended()).await.unwrap_err();
    assert!(matches!(error, ResumeError::Cancelled), "{error:?}");
    assert_eq!(log.asked(), [0]);
}

#[tokio::test]
async fn the_nodes_own_shutdown_ends_a_live_stream_as_stopped() {
    let world = World::new().await;
    let (plan, _) = server(&world, half);
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "stopped", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    within(client.shutdown()).await;
    let error = within(stream.ended()).await.unwrap_err();
    assert!(matches!(error, ResumeError::Stopped), "{error:?}");
}

#[tokio::test]
async fn the_nodes_own_shutdown_ends_the_wait_for_a_server_as_stopped() {
    let world = World::new().await;
    // Its second server never answers.
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::SendUnanswered(Sending(Vec::new(), Then::Hold)),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "asking", FRAMES, LONG, &seen)).await.unwrap();
    until(|| async { (log.asked().len() == 2).then_some(()) }).await;
    within(client.shutdown()).await;
    let error = within(stream.ended()).await.unwrap_err();
    assert!(matches!(error, ResumeError::Stopped), "{error:?}");
}

#[tokio::test]
async fn a_panicking_callback_is_final_and_reported() {
    let world = World::new().await;
    let (plan, log) = server(&world, half);
    let _server = plan.start().await;
    let client = client(&world).await;
    let callback = |frame: DataStream| {
        assert!(frame.sequence < 3, "too much of it");
        std::future::ready(())
    };
    let stream = within(receive_with(&client, "panic", FRAMES, LONG, callback)).await;
    let stream = stream.unwrap();
    let error = within(stream.ended()).await.unwrap_err();
    assert!(
        matches!(&error, ResumeError::Panicked(text) if text.contains("too much of it")),
        "{error:?}"
    );
    assert_eq!(stream.progress().delivered, 2);
    until(|| async { (!log.stopped().is_empty()).then_some(()) }).await;
    assert_eq!(log.asked(), [0]);
    drop(
        client
            .context()
            .subscribe(stream_id("panic"), &client.context().self_id())
            .unwrap(),
    );
}

#[tokio::test]
async fn the_callback_finishes_before_the_next_server_is_asked() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(1, Then::BreakOff),
        _ => asked.rest(),
    });
    let sender = plan.start().await;
    let client = client(&world).await;
    let (running, overlaps) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (go_on, entered) = (CancellationToken::new(), CancellationToken::new());
    let seen = Seen::default();
    let callback = {
        let (running, overlaps) = (Arc::clone(&running), Arc::clone(&overlaps));
        let (go_on, entered, seen) = (go_on.clone(), entered.clone(), seen.clone());
        move |frame: DataStream| {
            let (running, overlaps) = (Arc::clone(&running), Arc::clone(&overlaps));
            let (go_on, entered, seen) = (go_on.clone(), entered.clone(), seen.clone());
            async move {
                overlaps.fetch_or(running.fetch_add(1, SeqCst) > 0, SeqCst);
                entered.cancel();
                go_on.cancelled().await;
                seen.push(&frame);
                running.fetch_sub(1, SeqCst);
            }
        }
    };
    let stream = within(receive_with(&client, "slow", FRAMES, LONG, callback)).await;
    let stream = stream.unwrap();
    within(entered.cancelled()).await;
    // A call over the same connection comes back after the stream's end did.
    for _ in 0..3 {
        let dest = Dest::actor(sender.actor_id());
        within(client.context().call(&dest, Ask::default())).await.unwrap();
    }
    assert_eq!(log.asked(), [0]);
    go_on.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert!(!overlaps.load(SeqCst));
}

#[tokio::test]
async fn a_callback_may_use_the_node_that_it_runs_in() {
    let world = World::new().await;
    let (plan, _) = server(&world, |asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => asked.rest(),
    });
    let server = plan.start().await;
    let client = client(&world).await;
    let (ctx, dest) = (client.context().clone(), Dest::actor(server.actor_id()));
    let callback = move |_: DataStream| {
        let (ctx, dest) = (ctx.clone(), dest.clone());
        async move {
            assert!(ctx.subscribe(stream_id("calling"), &ctx.self_id()).is_err());
            drop(ctx.subscribe(stream_id("another"), &ctx.self_id()).unwrap());
            ctx.call(&dest, Ask::default()).await.unwrap();
        }
    };
    let stream = within(receive_with(&client, "calling", FRAMES, LONG, callback)).await;
    let stream = stream.unwrap();
    within(stream.ended()).await.unwrap();
    assert_eq!(stream.progress().delivered, FRAMES);
}

#[tokio::test]
async fn frames_that_come_before_the_answer_count() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| {
        Conduct::SendFirst(Sending((1..=asked.frames).collect(), Then::Finish))
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "first", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0]);
}

#[tokio::test]
async fn a_stream_that_is_whole_needs_no_answer() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(5, Then::BreakOff),
        _ => Conduct::SendUnanswered(Sending((6..=asked.frames).collect(), Then::Finish)),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "answerless", FRAMES, LONG, &seen))
        .await
        .unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0, 5]);
    assert_eq!(stream.progress().resumes, 1);
}

#[tokio::test]
async fn frames_of_a_request_without_an_answer_are_kept() {
    let world = World::new().await;
    let (plan, log) = server(&world, |asked| match asked.before {
        0 => asked.send(3, Then::BreakOff),
        1 => Conduct::SendUnanswered(Sending((4..=5).collect(), Then::Hold)),
        _ => asked.rest(),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "kept", FRAMES, SHORT, &seen)).await;
    let stream = stream.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(
        (log.asked()[..2].to_vec(), *log.asked().last().unwrap()),
        (vec![0, 3], 5)
    );
    assert_eq!(stream.progress().resumes, 2);
}

#[tokio::test]
async fn progress_is_known_of_a_stream_that_ended_at_once() {
    let world = World::new().await;
    let (plan, _) = server(&world, |asked| match asked.after {
        0 => Conduct::SendFirst(Sending((1..=5).collect(), Then::BreakOff)),
        _ => Conduct::Refuse(ErrorCode::PermissionDenied, "not again"),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    // Many at once, so that some are over before their receiver runs.
    let receiving = (0..20).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let id = format!("begun-{number}");
            receive(&client, &id, FRAMES, LONG, &Seen::default()).await
        })
    });
    for receiving in receiving.collect::<Vec<_>>() {
        let stream = within(receiving).await.unwrap().unwrap();
        let error = within(stream.ended()).await.unwrap_err();
        assert!(matches!(error, ResumeError::Refused(_)), "{error:?}");
        assert_eq!(stream.progress().delivered, 5);
    }
}

#[tokio::test]
async fn a_server_slow_to_cancel_is_asked_until_it_has() {
    let world = World::new().await;
    let told = CancellationToken::new();
    let tell = told.clone();
    let (plan, log) = server(&world, move |asked| match asked.before {
        0 => asked.send(3, Then::BreakOff),
        1 => Conduct::SendUnanswered(Sending((4..=5).collect(), Then::Linger(told.clone()))),
        _ => asked.rest(),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let receiving = receive(&client, "lingering", FRAMES, Duration::from_secs(1), &seen);
    let third = async {
        until(|| async { (log.asked().len() >= 4).then_some(()) }).await;
        tell.cancel();
    };
    let (stream, ()) = within(async { tokio::join!(receiving, third) }).await;
    let stream = stream.unwrap();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
}

#[tokio::test]
async fn a_hint_behind_which_there_can_be_no_frame_is_refused() {
    let world = World::new().await;
    let (plan, log) = server(&world, Asked::rest);
    let server = plan.start().await;
    let client = client(&world).await;
    for hint in [u64::MAX.to_string(), "-1".into(), "five".into(), String::new()] {
        let options = CallOptions {
            metadata: vec![(RESUME_AFTER.into(), hint.clone())],
            ..CallOptions::default()
        };
        let asked = client
            .context()
            .call_with(server.actor_id(), push("hint", FRAMES), options);
        let error = within(asked).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.to_string().contains(&format!("{hint:?}")), "{error}");
    }
    assert!(log.asked().is_empty());
}

/// How a faulty server behaves.
fn confused(asked: Asked) -> Conduct {
    let mut random = rand::rng();
    let last = random.random_range(asked.after..=asked.frames);
    let rest = (asked.after + 1..=last).collect::<Vec<_>>();
    match random.random_range(0..8) {
        0 => Conduct::Send(Sending(rest, Then::BreakOff)),
        1 => Conduct::Send(Sending(rest, Then::Finish)),
        2 => Conduct::SendFirst(Sending(rest, Then::BreakOff)),
        3 => Conduct::SendFirst(Sending(rest, Then::Finish)),
        // From the beginning.
        4 => Conduct::Send(Sending((1..=last).collect(), Then::BreakOff)),
        // With holes.
        5 => {
            let numbers = (asked.after + 1..=asked.frames).filter(|number| number % 7 != last % 7);
            Conduct::Send(Sending(numbers.collect(), Then::Finish))
        }
        6 => Conduct::Refuse(ErrorCode::Unavailable, "busy"),
        _ => asked.send(2 * asked.frames, Then::Hold),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_come_whole_whatever_their_servers_do() {
    let world = World::new().await;
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(server(&world, confused).0.start().await);
    }
    // One of them vanishes in the middle.
    let mortal = server(&world, half).0.start_mortal().await;
    let client = client(&world).await;
    registered(&client, 3).await;
    let receiving = (0..40).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let seen = Seen::default();
            let stream = receive(&client, &format!("confused-{number}"), 200, LONG, &seen)
                .await
                .unwrap();
            let ended = stream.ended().await;
            seen.assert_all(stream.progress().delivered);
            ended
        })
    });
    let receiving = receiving.collect::<Vec<_>>();
    until(|| async { receiving.iter().any(|receiving| receiving.is_finished()).then_some(()) }).await;
    mortal.kill();
    for receiving in receiving {
        within(receiving).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_take_over_is_counted_as_soon_as_it_is_one() {
    let world = World::new().await;
    let (plan, _) = server(&world, |asked| match asked.before {
        0 => asked.send(3, Then::BreakOff),
        _ => asked.send(5, Then::Hold),
    });
    let server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "progress", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    until(|| async { (stream.progress().resumes == 1).then_some(()) }).await;
    let progress = stream.progress();
    assert_eq!((progress.delivered, progress.duplicates), (5, 0));
    assert_eq!(progress.servers, [server.actor_id()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_moves_from_a_leaving_server_without_a_gap() {
    let world = World::new().await;
    let (first, first_log) = server(&world, half);
    let first = first.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "leaving", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    let (second, second_log) = server(&world, Asked::rest);
    let second = second.start().await;
    // Its stream would hold it for the whole grace.
    within(first.shutdown()).await;
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!((first_log.asked(), second_log.asked()), (vec![0], vec![5]));
    assert!(
        matches!(first_log.stopped()[..], [SendError::Cancelled { .. }]),
        "{:?}",
        first_log.stopped()
    );
    let progress = stream.progress();
    assert_eq!((progress.resumes, progress.duplicates), (1, 0));
    assert_eq!(progress.servers, [first.actor_id(), second.actor_id()]);
}

/// A server leaves in the middle of a stream, and finishes it when the test says so.
async fn leaves_alone(world: &World, id: &str) {
    let told = CancellationToken::new();
    let tell = told.clone();
    let (plan, log) = server(world, move |asked| {
        let rest = Box::new(Sending((6..=FRAMES).collect(), Then::Finish));
        asked.send(5, Then::Wait(told.clone(), rest))
    });
    let leaving = plan.start().await;
    let client = client(world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, id, FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    let shutdown = tokio::spawn({
        let leaving = leaving.clone();
        async move { leaving.shutdown().await }
    });
    let server_type = server_type();
    let id = leaving.actor_id();
    until(|| async {
        let found = client.context().discover_all(&server_type).await;
        (!found.is_ok_and(|found| found.contains(&id))).then_some(())
    })
    .await;
    // Longer than it takes to look for another server once.
    tokio::time::sleep(Duration::from_millis(700)).await;
    tell.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0]);
    assert_eq!(stream.progress().resumes, 0);
    within(shutdown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_server_is_kept_when_there_is_no_other() {
    let world = World::new().await;
    leaves_alone(&world, "alone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_server_is_kept_if_no_other_can_be_reached() {
    let world = World::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let _dead = Outsider::listening(&world, SERVER, Some(closed)).await;
    leaves_alone(&world, "dead").await;
}

#[tokio::test]
async fn a_leaving_server_is_lost_after_its_grace() {
    let world = World::new().await;
    let (plan, _) = server(&world, half);
    let leaving = within(plan.node().shutdown_grace(SHORT).start()).await.unwrap();
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "grace", FRAMES, SHORT, &seen)).await.unwrap();
    seen.last_is(5).await;
    within(leaving.shutdown()).await;
    let error = within(stream.ended()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("shutting down") && text.contains("no server of type"),
        "{text}"
    );
    assert_eq!(seen.numbers(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_known_server_is_asked_while_the_registry_is_away() {
    let world = World::new().await;
    let told = CancellationToken::new();
    let tell = told.clone();
    let (plan, log) = server(&world, move |asked| match asked.before {
        0 => {
            let nothing = Box::new(Sending(Vec::new(), Then::BreakOff));
            asked.send(5, Then::Wait(told.clone(), nothing))
        }
        _ => asked.rest(),
    });
    let _server = plan.start().await;
    let client = client(&world).await;
    let seen = Seen::default();
    let stream = within(receive(&client, "registry", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    within(world.registry.shutdown()).await;
    tell.cancel();
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
    assert_eq!(log.asked(), [0, 5]);
}

/// A server without the extension, made by hand.
struct Plain(WebSocketStream<TcpStream>);

impl Plain {
    async fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = within(listener.accept()).await.unwrap();
        Self(within(tokio_tungstenite::accept_async(socket)).await.unwrap())
    }

    async fn send(&mut self, kind: RecordKind, body: &[u8]) {
        let message = Message::binary(raw_peer::record(kind, body));
        within(self.0.send(message)).await.unwrap();
    }

    /// Answers the next request; returns its metadata.
    async fn answer(&mut self) -> Vec<(String, String)> {
        loop {
            let Message::Binary(bytes) = within(self.0.next()).await.unwrap().unwrap() else {
                continue;
            };
            let span = record::span_at(&bytes, 0).unwrap();
            assert_eq!(span.kind, RecordKind::RpcReliable);
            let Envelope::Request {
                request_id,
                route_key,
                metadata,
                ..
            } = Envelope::decode(bytes.slice(HEADER_LEN..)).unwrap()
            else {
                panic!("not a request");
            };
            let result = Ok(Default::default());
            let response = Envelope::Response {
                request_id,
                route_key,
                result,
            };
            self.send(RecordKind::RpcReliable, &response.encode()).await;
            return metadata;
        }
    }

    async fn send_frames(&mut self, id: &str, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            let frame = raw_peer::frame(id, number, number.to_string().as_bytes());
            self.send(RecordKind::StreamReliable, &frame).await;
        }
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    until(|| async { TcpListener::bind(address).await.ok() }).await
}

#[tokio::test]
async fn without_the_extension_a_stream_resumes_and_completes() {
    let world = World::new().await;
    let listener = bind("127.0.0.1:0".parse().unwrap()).await;
    let outsider = Outsider::listening(&world, SERVER, Some(listener.local_addr().unwrap())).await;
    let client = client(&world).await;
    let seen = Seen::default();
    let serving = tokio::spawn(async move {
        let mut plain = Plain::accept(&listener).await;
        assert!(plain.answer().await.is_empty());
        plain.send_frames("plain", 1..=5).await;
        drop(plain);
        let mut plain = Plain::accept(&listener).await;
        assert_eq!(
            plain.answer().await,
            [("stream-resume-after".to_owned(), "5".to_owned())]
        );
        plain.send_frames("plain", 1..=FRAMES).await;
        plain
    });
    let stream = within(receive(&client, "plain", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    let _plain = within(serving).await.unwrap();
    seen.assert_all(FRAMES);
    let progress = stream.progress();
    assert_eq!((progress.resumes, progress.duplicates), (1, 5));
    assert_eq!(progress.servers, [outsider.id().clone()]);
}

#[tokio::test]
async fn without_cancel_the_connection_is_closed_before_a_retry() {
    let world = World::new().await;
    let listener = bind("127.0.0.1:0".parse().unwrap()).await;
    let _outsider = Outsider::listening(&world, SERVER, Some(listener.local_addr().unwrap())).await;
    let client = client(&world).await;
    let seen = Seen::default();
    let serving = tokio::spawn(async move {
        let mut first = Plain::accept(&listener).await;
        first.answer().await;
        first.send_frames("holed", 1..=3).await;
        first.send_frames("holed", 5..=6).await;
        let end = within(async {
            while let Some(Ok(message)) = first.0.next().await {
                if let Message::Close(Some(frame)) = message {
                    return frame.reason.to_string();
                }
            }
            String::new()
        });
        assert!(end.await.contains("asked for again"));
        let mut second = Plain::accept(&listener).await;
        assert_eq!(
            second.answer().await,
            [("stream-resume-after".to_owned(), "3".to_owned())]
        );
        second.send_frames("holed", 4..=FRAMES).await;
        second
    });
    let stream = within(receive(&client, "holed", FRAMES, LONG, &seen)).await.unwrap();
    within(stream.ended()).await.unwrap();
    let _second = within(serving).await.unwrap();
    seen.assert_all(FRAMES);
}

#[tokio::test]
async fn a_known_server_is_dialled_again_without_the_registry() {
    let world = World::new().await;
    let listener = bind("127.0.0.1:0".parse().unwrap()).await;
    let address = listener.local_addr().unwrap();
    let _outsider = Outsider::listening(&world, SERVER, Some(address)).await;
    let client = client(&world).await;
    let seen = Seen::default();
    let first = tokio::spawn(async move {
        let mut plain = Plain::accept(&listener).await;
        plain.answer().await;
        plain.send_frames("dial", 1..=5).await;
        (plain, listener)
    });
    let stream = within(receive(&client, "dial", FRAMES, LONG, &seen)).await.unwrap();
    seen.last_is(5).await;
    within(world.registry.shutdown()).await;
    // Connection and listener are gone at once, and nobody can say whether there is another address.
    drop(within(first).await.unwrap());
    // Long enough for some tries to fail.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let listener = bind(address).await;
    let mut plain = Plain::accept(&listener).await;
    plain.answer().await;
    plain.send_frames("dial", 6..=FRAMES).await;
    within(stream.ended()).await.unwrap();
    seen.assert_all(FRAMES);
}
