//! Many calls at once.

use std::sync::Arc;

use actr_lite::Dest;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    calls::ask,
    harness::{
        deadline::within,
        messages::{Answer, Ask},
        world::World,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_all_answered() {
    const CALLS: usize = 1000;
    let world = World::new().await;
    // Nobody is answered before all are there.
    let all = Arc::new(Barrier::new(CALLS));
    let server = world
        .node("Server")
        .on(move |request: Ask, _| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                Ok(Answer::text(request.text))
            }
        })
        .start()
        .await;
    let client = world.client().await;
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (ctx, dest) = (client.context().clone(), Dest::actor(server.actor_id()));
        calls.spawn(async move {
            let text = number.to_string();
            assert_eq!(ctx.call(&dest, ask(&text)).await.unwrap().text, text);
        });
    }
    within(calls.join_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_can_call_each_other_at_the_same_time() {
    let world = World::new().await;
    for round in 0..5 {
        let left = world.node(&format!("Left{round}")).echo().start().await;
        let right = world.node(&format!("Right{round}")).echo().start().await;
        let (to_left, to_right) = (Dest::actor(left.actor_id()), Dest::actor(right.actor_id()));
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            for (node, dest) in [(&left, &to_right), (&right, &to_left)] {
                let (ctx, dest) = (node.context().clone(), dest.clone());
                calls.spawn(async move { ctx.call(&dest, ask("x")).await.unwrap() });
            }
        }
        within(calls.join_all()).await;
    }
}
