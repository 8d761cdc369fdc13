//! A node that can be killed.

use std::future::Future;

use actr_lite::ActrRef;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use crate::harness::node_plan::NodePlan;

/// A node that can die as a killed process does: without a word. Whatever it does has to run in its own runtime.
pub(crate) struct Mortal {
    runtime: Runtime,
    pub(crate) node: ActrRef,
}

impl Mortal {
    pub(crate) async fn start(plan: NodePlan) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let node = runtime.spawn(plan.start()).await.unwrap();
        Self { runtime, node }
    }

    /// Starts something in the node's runtime.
    pub(crate) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(task)
    }

    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }
}

impl NodePlan {
    /// Starts it in a runtime of its own.
    pub(crate) async fn start_mortal(self) -> Mortal {
        Mortal::start(self).await
    }
}
