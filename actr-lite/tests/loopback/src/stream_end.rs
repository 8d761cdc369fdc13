//! Ends that nobody planned: a sender that breaks off, a peer that dies or leaves.

use actr_lite::{CloseReason, DataStream, Dest, ErrorCode, SendError, StreamEnd};
use tokio::sync::mpsc;

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Ask, Push},
        mortal::Mortal,
        pair::Pair,
        server::start_server,
        stream::{caller, stream_id},
        world::World,
    },
    logs,
};

const PAYLOAD: [u8; 1000] = [7; 1000];

#[tokio::test]
async fn a_sender_that_is_dropped_before_the_end_is_seen_as_a_failure() {
    let mut pair = Pair::new().await;
    let id = stream_id("broken");
    for frames in [0, 3] {
        let (mut sender, mut subscription) = pair.stream(&id).await;
        for _ in 0..frames {
            sender.send("x").await.unwrap();
        }
        drop(sender);
        for _ in 0..frames {
            within(subscription.next()).await.unwrap();
        }
        assert_eq!(within(subscription.next()).await, None);
        match subscription.end() {
            Some(StreamEnd::Failed { frames: sent, code, .. }) => {
                assert_eq!((sent, code), (frames, ErrorCode::Internal));
            }
            end => panic!("{end:?}"),
        }
    }
}

#[tokio::test]
async fn a_sender_whose_task_panics_ends_and_logs_nothing_meanwhile() {
    logs::capture();
    let mut pair = Pair::new().await;
    let (sender, mut subscription) = pair.stream(&stream_id("panics")).await;
    let task = tokio::spawn(async move {
        let _sender = sender;
        panic!("as it must");
    });
    assert!(within(task).await.unwrap_err().is_panic());
    assert_eq!(within(subscription.next()).await, None);
    assert!(matches!(subscription.end(), Some(StreamEnd::Failed { frames: 0, .. })));
    assert_eq!(logs::count_while_unwinding(), 0);
}

/// A server that dies: a [`Push`] for the stream `text` is served with `number` frames, then with silence.
async fn mortal_server(world: &World) -> Mortal {
    let server = world.node("Mortal").echo().on(|push: Push, ctx| async move {
        for number in 1..=push.number {
            let frame = DataStream::new(stream_id(&push.text), number, "x");
            ctx.send_stream(&caller(&ctx), &frame).await?;
        }
        // A process that is killed has no time to say that its streams break off.
        std::mem::forget(ctx);
        Ok(Answer::default())
    });
    server.start_mortal().await
}

fn assert_lost(reason: &CloseReason) {
    assert!(matches!(reason, CloseReason::Lost(_)), "{reason:?}");
}

#[tokio::test]
async fn a_receiver_learns_of_a_sender_lost_before_its_first_frame() {
    const FRAMES: u64 = 10;
    let world = World::new().await;
    let server = mortal_server(&world).await;
    let server_id = server.node.actor_id();
    let client = world.client().await;
    let ctx = client.context();
    let (started, silent, called) = (stream_id("started"), stream_id("silent"), stream_id("callback"));
    let mut started_subscription = ctx.subscribe(started.clone(), &server_id).unwrap();
    let mut silent_subscription = ctx.subscribe(silent.clone(), &server_id).unwrap();
    let mut registration = ctx.register_stream(called.clone(), &server_id, |_| {}).unwrap();
    for (id, number) in [(&started, FRAMES), (&silent, 0), (&called, 0)] {
        let push = Push {
            text: id.to_string(),
            number,
            ..Push::default()
        };
        within(ctx.call(&Dest::actor(server_id.clone()), push)).await.unwrap();
    }
    // All that was sent is still handed over.
    within(started_subscription.next()).await.unwrap();
    let ask = Ask::default();
    within(ctx.call(&Dest::actor(server_id.clone()), ask)).await.unwrap();
    server.kill();
    for _ in 1..FRAMES {
        within(started_subscription.next()).await.unwrap();
    }
    assert_eq!(within(started_subscription.next()).await, None);
    assert_eq!(within(silent_subscription.next()).await, None);
    let ends = [
        started_subscription.end().unwrap(),
        silent_subscription.end().unwrap(),
        within(registration.ended()).await,
    ];
    for end in ends {
        match end {
            StreamEnd::PeerGone { peer, reason } => {
                assert_eq!(peer, server_id);
                assert_lost(&reason);
            }
            end => panic!("{end:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_ends_at_both_ends_despite_held_handles() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let client = world.node("Client").hidden().start_mortal().await;
    let id = stream_id("held");
    let mut subscription = client.node.context().subscribe(id.clone(), &server.actor_id()).unwrap();
    let (ctx, dest) = (client.node.context().clone(), Dest::actor(server.actor_id()));
    let call = client.spawn(async move { ctx.call(&dest, Push::default()).await });
    within(call).await.unwrap().unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    sender.send("x").await.unwrap();
    within(subscription.next()).await.unwrap();
    client.kill();
    // The application's end of the stream is still there, the connection below it is not.
    assert_eq!(within(subscription.next()).await, None);
    match within(sender.closed()).await {
        SendError::PeerGone { reason, .. } => assert_lost(&reason),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_node_that_leaves_sends_what_it_has_and_says_so() {
    const FRAMES: u64 = 100;
    let mut pair = Pair::new().await;
    let (done, open) = (stream_id("done"), stream_id("open"));
    let mut done_subscription = pair.subscribe(&done);
    let mut open_subscription = pair.subscribe(&open);
    let mut sender = pair.open(&done).await;
    let mut open_sender = pair.open(&open).await;
    open_sender.send("x").await.unwrap();
    for _ in 0..FRAMES {
        sender.send(PAYLOAD).await.unwrap();
    }
    sender.finish().await.unwrap();
    within(pair.server.shutdown()).await;
    for number in 1..=FRAMES {
        assert_eq!(within(done_subscription.next()).await.unwrap().sequence, number);
    }
    assert_eq!(within(done_subscription.next()).await, None);
    assert_eq!(done_subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
    within(open_subscription.next()).await.unwrap();
    assert_eq!(within(open_subscription.next()).await, None);
    match open_subscription.end() {
        Some(StreamEnd::PeerGone {
            reason: CloseReason::Closed { code, reason },
            ..
        }) => assert_eq!((code, reason.as_str()), (1001, "the node is shutting down")),
        end => panic!("{end:?}"),
    }
    let error = open_sender.send("x").await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::PeerGone {
                reason: CloseReason::Local(_),
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_receiver_that_leaves_stops_its_senders() {
    let mut pair = Pair::new().await;
    let id = stream_id("leaving");
    let (frames, mut received) = mpsc::unbounded_channel();
    let mut registration = pair.register(&id, move |frame| {
        frames.send(frame.sequence).unwrap();
    });
    let mut sender = pair.open(&id).await;
    sender.send("x").await.unwrap();
    within(received.recv()).await.unwrap();
    within(pair.client.shutdown()).await;
    within(registration.ended()).await;
    let error = within(sender.closed()).await;
    // Whichever is told first: the unregistered stream, or the closed connection.
    assert!(
        matches!(error, SendError::Cancelled { .. } | SendError::PeerGone { .. }),
        "{error:?}"
    );
    assert_eq!(sender.send("x").await, Err(error));
}
