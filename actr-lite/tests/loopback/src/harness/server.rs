//! A node whose requests the test answers itself.

use actr_lite::{ActrRef, Context};
use tokio::sync::mpsc;

use crate::harness::{
    messages::{Answer, Push},
    node_plan::NodePlan,
    world::World,
};

/// A node with [`NodePlan::echo`], which hands over the context of each [`Push`].
pub(crate) async fn start_server(world: &World, name: &str) -> (ActrRef, mpsc::UnboundedReceiver<Context>) {
    start_plan(world.node(name)).await
}

/// The same of a node with something special.
pub(crate) async fn start_plan(plan: NodePlan) -> (ActrRef, mpsc::UnboundedReceiver<Context>) {
    let (pushes, contexts) = mpsc::unbounded_channel();
    let server = plan
        .echo()
        .on(move |_: Push, ctx| {
            pushes.send(ctx).unwrap();
            async { Ok(Answer::default()) }
        })
        .start()
        .await;
    (server, contexts)
}
