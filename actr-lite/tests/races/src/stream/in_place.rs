use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use crate::sync::in_place::{self, Spawn};

pub(crate) type InPlace = in_place::InPlace<StreamTasks>;

/// Time is not what is tried here.
pub(crate) fn is_short_turn() -> impl FnOnce() -> bool {
    || true
}

/// Keeps the callback that became a task.
#[derive(Clone, Default)]
pub(crate) struct StreamTasks(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

impl StreamTasks {
    pub(crate) fn take(&self) -> Option<BoxFuture<'static, ()>> {
        self.0.lock().unwrap().take()
    }
}

impl Spawn for StreamTasks {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        let before = self.0.lock().unwrap().replace(future);
        assert!(before.is_none(), "it was spawned twice");
    }
}
