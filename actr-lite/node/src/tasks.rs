use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};
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
    give_up_runtime: CancellationToken,
}

impl Tasks {
    /// A task of the application: a handler, or what it spawned. It may finish within the grace of a shutdown.
    pub(crate) fn spawn_work(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.work.spawn(unless(self.give_up_work.clone(), name, task));
    }

    /// A task of the runtime: it ends when the node stops, which [`Self::stop`] announces.
    pub(crate) fn spawn_runtime(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(unless(self.give_up_runtime.clone(), name, task));
    }

    /// The same from a thread that may not be the runtime's.
    pub(crate) fn spawn_runtime_on(&self, runtime: &Handle, name: &'static str, task: BoxFuture<'static, ()>) {
        self.runtime
            .spawn_on(unless(self.give_up_runtime.clone(), name, task), runtime);
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

    /// Ends the runtime's tasks, and waits until they have. Those that take longer than until then are dropped.
    pub(crate) async fn stop_runtime(&self, until: Instant) {
        self.stop.cancel();
        self.runtime.close();
        if timeout_at(until, self.runtime.wait()).await.is_err() {
            self.give_up_runtime();
            self.runtime.wait().await;
        }
    }

    /// Drops the runtime's tasks where they are.
    pub(crate) fn give_up_runtime(&self) {
        self.stop.cancel();
        self.give_up_runtime.cancel();
    }
}

/// Does this until it is done or given up.
async fn unless(given_up: CancellationToken, name: &'static str, task: BoxFuture<'static, ()>) {
    tokio::select! {
        biased;
        result = contain(task) => report(name, result),
        () = given_up.cancelled() => {}
    }
}

/// A panic becomes an error with the panic's text.
///
/// No `async fn`: its future would hold the task twice, as its argument and as what it waits for.
pub(crate) fn contain<T, F: Future<Output = T>>(task: F) -> impl Future<Output = Result<T, String>> + use<T, F> {
    let contained = AssertUnwindSafe(task).catch_unwind();
    contained.map(|result| result.map_err(|panic| panic_text(panic.as_ref())))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)")
        .into()
}

fn report(name: &str, result: Result<(), String>) {
    if let Err(panic) = result {
        error!(task = name, reason = %panic, "{name} panicked: {panic}");
    }
}
