use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

/// Every task of a node, in two groups that end one after the other.
///
/// Tasks are boxed: their wrappers would otherwise reserve space for each of them twice, and twice again, and
/// all that is copied when a task starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    work: TaskTracker,
    give_up_work: CancellationToken,
    runtime: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// A task of the application: a handler, or what it spawned. It may finish within the grace of a shutdown.
    pub(crate) fn spawn_work(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        let given_up = self.give_up_work.clone();
        self.work.spawn(async move {
            tokio::select! {
                biased;
                result = contain(task) => report(name, result),
                () = given_up.cancelled() => {}
            }
        });
    }

    /// A task of the runtime: it ends when the node stops, which [`Self::stop`] announces.
    pub(crate) fn spawn_runtime(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(async move { report(name, contain(task).await) });
    }

    /// The same from a thread that may not be the runtime's.
    pub(crate) fn spawn_runtime_on(&self, runtime: &Handle, name: &'static str, task: BoxFuture<'static, ()>) {
        self.runtime
            .spawn_on(async move { report(name, contain(task).await) }, runtime);
    }

    /// Cancelled when the runtime's tasks are to end.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The tracker of the runtime's tasks, for parts that spawn their own.
    pub(crate) fn runtime(&self) -> &TaskTracker {
        &self.runtime
    }

    /// Waits until the application's tasks have ended; new ones may still start meanwhile.
    pub(crate) async fn work_done(&self) {
        self.work.close();
        self.work.wait().await;
    }

    /// How many of the application's tasks run.
    pub(crate) fn work_count(&self) -> usize {
        self.work.len()
    }

    /// Drops the application's tasks where they are.
    pub(crate) fn give_up_work(&self) {
        self.give_up_work.cancel();
    }

    /// Ends the runtime's tasks, and waits until they have.
    pub(crate) async fn stop_runtime(&self) {
        self.stop.cancel();
        self.runtime.close();
        self.runtime.wait().await;
    }
}

/// A panic becomes an error with the panic's text.
pub(crate) async fn contain<T>(task: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(task)
        .catch_unwind()
        .await
        .map_err(|panic| panic_text(panic.as_ref()))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)")
        .into()
}

fn report(name: &str, result: Result<(), String>) {
    if let Err(panic) = result {
        error!("{name} panicked: {panic}");
    }
}
