//! When an answer leaves, and what is there when it has come.

use std::future::pending;

use actr_lite::{Dest, Rpc as _, StreamEnd};
use actr_lite_wire::{
    control::Control,
    envelope::Envelope,
    record::{self, RecordKind},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Ask, Push},
        stream::{caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{
        outsider::Outsider,
        visit::Visit,
        wire_bytes::{frame, record},
    },
};

// With one thread it is known what runs when: the answer is queued before the task runs.
#[tokio::test]
async fn an_answer_and_its_streams_beginning_are_one_message() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|request: Push, ctx| async move {
            let sender = ctx.open_stream(&caller(&ctx), stream_id("soon")).await?;
            ctx.spawn(async move {
                let mut sender = sender;
                sender.send("first").await.unwrap();
                sender.finish().await.unwrap();
            });
            Ok(Answer::text(request.text))
        })
        .start()
        .await;
    let outsider = Outsider::new(&world, "Raw").await;
    let mut peer = outsider.dial_extended(&server).await;
    peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    let message = loop {
        match within(peer.socket.next()).await.unwrap().unwrap() {
            Message::Binary(message) => break message,
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    let kinds: Vec<_> = record::spans(&message).map(|span| span.unwrap().kind).collect();
    assert_eq!(
        kinds,
        [
            RecordKind::RpcReliable,
            RecordKind::StreamReliable,
            RecordKind::StreamEnd
        ]
    );
}

#[tokio::test]
async fn an_answer_waits_for_no_task_of_a_handler_without_stream() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|request: Push, ctx| async move {
            let for_task = ctx.clone();
            ctx.spawn(async move {
                let sender = for_task.open_stream(&caller(&for_task), stream_id("later")).await;
                sender.unwrap().send("first").await.unwrap();
            });
            Ok(Answer::text(request.text))
        })
        .start()
        .await;
    let outsider = Outsider::new(&world, "Raw").await;
    let mut peer = outsider.dial_extended(&server).await;
    peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    assert_eq!(peer.record().await.0, RecordKind::RpcReliable, "a message of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leaves_whatever_its_spawned_task_does() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|request: Ask, ctx| async move {
            let _stream = ctx
                .open_stream_to_caller(stream_id(&request.text.replace(' ', "-")))
                .await?;
            match request.text.as_str() {
                "waits" => ctx.spawn(pending::<()>()),
                "panics" => ctx.spawn::<()>(async { panic!("as it is told to") }),
                "is over" => ctx.spawn(async {}),
                "several" => {
                    for _ in 0..3 {
                        ctx.spawn(pending::<()>());
                    }
                }
                "runs before" => {
                    let (done, mut has_run) = mpsc::channel(1);
                    ctx.spawn(async move { done.send(()).await.unwrap() });
                    has_run.recv().await.unwrap();
                }
                other => panic!("{other}"),
            }
            Ok(Answer::text(request.text))
        })
        .start()
        .await;
    let client = world.client().await;
    let dest = Dest::actor(server.actor_id());
    for text in ["waits", "panics", "is over", "several", "runs before"] {
        let request = Ask {
            text: text.into(),
            ..Ask::default()
        };
        assert_eq!(within(client.context().call(&dest, request)).await.unwrap().text, text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_with_an_answer_is_there_when_the_call_returns() {
    let mut visit = Visit::of_extended_peer().await;
    let asked = visit.peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    let ctx = visit.next_context().await;
    visit.peer.answer(&asked).await;
    let mut peer = visit.peer;
    let answering = tokio::spawn(async move {
        let (_, body) = peer.record().await;
        let Envelope::Request { request_id, .. } = Envelope::decode(body).unwrap() else {
            panic!("not a request");
        };
        let response = Envelope::Response {
            request_id,
            route_key: Ask::ROUTE.into(),
            result: Ok(Bytes::new()),
        };
        let (end, end_body) = Control::End {
            stream_id: stream_id("with"),
            frames: 1,
        }
        .encode();
        let message = [
            record(RecordKind::RpcReliable, &response.encode()),
            record(RecordKind::StreamReliable, &frame("with", 1, b"the answer")),
            record(end, &end_body),
        ];
        peer.send(Message::binary(message.concat())).await;
        peer
    });
    let mut subscription = subscribe_from(&ctx, visit.outsider.id(), "with");
    within(ctx.call(&caller(&ctx), Ask::default())).await.unwrap();
    let first = subscription.next().now_or_never().expect("the frame is not there yet");
    assert_eq!(first.unwrap().payload, b"the answer"[..]);
    assert!(matches!(subscription.next().now_or_never(), Some(None)));
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 1 }));
    drop(answering.await.unwrap());
}
