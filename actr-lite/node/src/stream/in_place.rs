use std::time::{Duration, Instant};

use crate::sync::in_place::{self, Spawn};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::tasks::Tasks;

/// A callback that takes longer than this for the frames of one batch gets a task of its own: until then the connection
/// is not read. Callbacks that count or log take a hundredth of it.
const MAX_TURN: Duration = Duration::from_millis(2);

/// The future that runs a stream's callback, before it needs a task of its own: the task that brings frames polls it.
pub(crate) type InPlace = in_place::InPlace<StreamTasks>;

/// Tells whether a turn that begins now has been short, when it is over.
pub(crate) fn is_short_turn() -> impl FnOnce() -> bool {
    let begin = Instant::now();
    move || begin.elapsed() <= MAX_TURN
}

/// Where callbacks become tasks.
pub(crate) struct StreamTasks {
    tasks: Tasks,
    runtime: Handle,
}

impl StreamTasks {
    /// Of this node, on the runtime that this is called on.
    pub(crate) fn here(tasks: Tasks) -> Self {
        Self {
            tasks,
            runtime: Handle::current(),
        }
    }
}

impl Spawn for StreamTasks {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        let stop = self.tasks.stop().clone();
        let stream = async move {
            tokio::select! {
                () = future => {}
                () = stop.cancelled() => {}
            }
        };
        self.tasks.spawn_runtime_on(&self.runtime, "a stream", Box::pin(stream));
    }
}
