//! How many calls may wait.

use actr_lite::{ActrError, ActrRef, Dest, Rpc as _};

use crate::{
    harness::{
        deadline::{until, within},
        messages::{Ask, Push},
        waiting_server::waiting,
        world::World,
    },
    limits::{assert_refused_for, echo},
};

#[tokio::test]
async fn one_call_too_many_is_refused_with_the_limit_that_it_meets() {
    let world = World::new().await;
    let (plan, gate, mut begun) = waiting(world.node("Server"));
    let plan = plan
        .set("system.limits.max_calls_per_peer=2")
        .set("system.limits.max_calls=3");
    let server = plan.start().await;
    let dest = Dest::actor(server.actor_id());
    let [client, other] = [world.node("Client"), world.node("Other")].map(|plan| plan.hidden().start());
    let (client, other) = (client.await, other.await);
    let push = |client: &ActrRef| {
        let (client, dest) = (client.clone(), dest.clone());
        tokio::spawn(async move { client.context().call(&dest, Push::default()).await })
    };
    let mut pushed = vec![push(&client), push(&client)];
    begun.recv().await.unwrap();
    begun.recv().await.unwrap();
    let error = echo(&client, &dest).await.unwrap_err();
    assert_refused_for(error, &dest, Ask::ROUTE, "system.limits.max_calls_per_peer", 2);
    pushed.push(push(&other));
    begun.recv().await.unwrap();
    let error = echo(&other, &dest).await.unwrap_err();
    assert_refused_for(error, &dest, Ask::ROUTE, "system.limits.max_calls", 3);
    gate.add_permits(3);
    for call in pushed {
        within(call).await.unwrap().unwrap();
    }
    until(|| async { echo(&client, &dest).await.ok() }).await;
}

#[tokio::test]
async fn a_caller_is_held_to_its_own_limit_of_calls_that_wait() {
    let world = World::new().await;
    let (plan, gate, mut begun) = waiting(world.node("Server"));
    let server = plan.start().await;
    let dest = Dest::actor(server.actor_id());
    let client = world.node("Client").hidden().set("system.limits.max_calls_per_peer=1");
    let client = client.start().await;
    let ctx = client.context().clone();
    let first = tokio::spawn({
        let (ctx, dest) = (ctx.clone(), dest.clone());
        async move { ctx.call(&dest, Push::default()).await }
    });
    begun.recv().await.unwrap();
    let error = echo(&client, &dest).await.unwrap_err();
    let ActrError::Busy(limit) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((limit.key(), limit.value()), ("system.limits.max_calls_per_peer", 1));
    gate.add_permits(1);
    within(first).await.unwrap().unwrap();
    echo(&client, &dest).await.unwrap();
}
