//! What belongs to a node, a context or a runtime ends with it.

use actr_lite::{ActrError, StreamEnd};

use crate::harness::{
    deadline::{BOUND, within},
    messages::Ask,
    pair::Pair,
    stream::{caller, stream_id},
};

#[tokio::test]
async fn a_node_that_has_stopped_calls_nobody() {
    let pair = Pair::new().await;
    pair.round_trip().await;
    within(pair.client.shutdown()).await;
    let error = within(pair.client.context().call(&pair.dest(), Ask::default())).await;
    assert!(matches!(error, Err(ActrError::Stopping)), "{error:?}");
    let opened = pair.client.context().open_stream(&pair.dest(), stream_id("late")).await;
    assert!(matches!(opened, Err(ActrError::Stopping)), "{:?}", opened.err());
}

#[tokio::test]
async fn what_was_subscribed_to_ends_with_the_node() {
    let pair = Pair::new().await;
    let mut subscription = pair
        .client
        .context()
        .subscribe(stream_id("unfed"), &pair.server.actor_id())
        .unwrap();
    let ctx = pair.client.context();
    let mut registration = ctx
        .register_stream(stream_id("unfed2"), &pair.server.actor_id(), |_| {})
        .unwrap();
    within(pair.client.shutdown()).await;
    assert_eq!(within(registration.ended()).await, StreamEnd::Stopped);
    assert_eq!(within(subscription.next()).await, None);
}

#[tokio::test]
async fn an_own_connection_closes_with_its_context() {
    let mut pair = Pair::new().await;
    pair.round_trip().await;
    let client = pair.client.context().clone();
    let own = within(client.with_own_connection(&pair.server.actor_id()))
        .await
        .unwrap();
    let id = stream_id("own");
    let mut subscription = client.subscribe(id.clone(), &pair.server.actor_id()).unwrap();
    let ctx = pair.asked_through(&own).await;
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    sender.send("x").await.unwrap();
    within(subscription.next()).await.unwrap();
    drop(own);
    within(sender.closed()).await;
    assert_eq!(within(subscription.next()).await, None);
    assert!(matches!(subscription.end(), Some(StreamEnd::PeerGone { .. })));
    pair.round_trip().await;
}

#[test]
fn a_runtime_that_is_dropped_with_live_streams_ends() {
    let (ended, has_ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for round in 0..20 {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut pair = Pair::new().await;
                for number in 0..20 {
                    let id = stream_id(&format!("live{round}x{number}"));
                    // Some callbacks wait where the connection is read, some in a task of their own.
                    let ctx = pair.client.context();
                    let callback = move |_| async move {
                        if number % 2 == 0 {
                            std::future::pending::<()>().await;
                        }
                    };
                    let registration = ctx.register_stream_async(id.clone(), &pair.server.actor_id(), callback);
                    registration.unwrap().detach();
                    let mut sender = pair.open(&id).await;
                    sender.send("one").await.unwrap();
                }
                pair.round_trip().await;
            });
            drop(runtime);
        }
        ended.send(()).unwrap();
    });
    has_ended.recv_timeout(BOUND).expect("dropping a runtime hangs");
}
