//! A node whose calls wait for the test.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use crate::harness::{
    messages::{Answer, Push},
    node_plan::NodePlan,
    world::World,
};

/// A node whose [`Push`] never ends, and says that it has begun.
pub(crate) fn waiting_server(world: &World) -> (NodePlan, mpsc::UnboundedReceiver<()>) {
    let (plan, _, begun) = waiting(world.node("Server"));
    (plan, begun)
}

/// A node whose [`Push`] takes until the test lets it end.
pub(crate) fn waiting(plan: NodePlan) -> (NodePlan, Arc<Semaphore>, mpsc::UnboundedReceiver<()>) {
    let gate = Arc::new(Semaphore::new(0));
    let (begun, has_begun) = mpsc::unbounded_channel();
    let handler_gate = Arc::clone(&gate);
    let plan = plan.echo().on(move |_: Push, _| {
        let gate = Arc::clone(&handler_gate);
        begun.send(()).unwrap();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(Answer::default())
        }
    });
    (plan, gate, has_begun)
}
