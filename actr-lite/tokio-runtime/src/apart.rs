use std::{future::Future, panic, time::Duration};

use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::{self, JoinHandle},
    time::timeout,
};

/// How long [`Apart::cancel`] waits for a thread that is blocked: much longer than it takes to write a file, and short for
/// whoever asked the program to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// A future that runs on a thread of its own, because it may block, as one does that reads files: a disk may stall. Those
/// who wait for it can do something else meanwhile, such as to end the program when a signal comes.
///
/// Dropping it drops the future as soon as it does not block.
#[derive(Debug)]
pub struct Apart<T> {
    thread: JoinHandle<Option<T>>,
    cancel: oneshot::Sender<()>,
}

impl<T: Send + 'static> Apart<T> {
    /// Runs a future; to be called within a runtime.
    pub fn spawn(future: impl Future<Output = T> + Send + 'static) -> Self {
        let runtime = Handle::current();
        let (cancel, cancelled) = oneshot::channel();
        let thread = task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    // Also when the sender is dropped.
                    _ = cancelled => None,
                    output = future => Some(output),
                }
            })
        });
        Self { thread, cancel }
    }

    /// Waits until the future is done. Its panics are passed on.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing; once it has given the output, it may not be called again.
    pub async fn output(&mut self) -> T {
        match (&mut self.thread).await {
            Ok(Some(output)) => output,
            Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            // The runtime ends.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Drops the future, and waits for that, at most for a second; its output if it was done before.
    pub async fn cancel(self) -> Option<T> {
        let Self { thread, cancel } = self;
        drop(cancel);
        timeout(CANCEL_TIMEOUT, thread).await.ok()?.ok()?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::start;

    #[test]
    fn a_blocked_future_keeps_nobody_from_going_on() {
        let runtime = start().unwrap();
        let (unblock, blocked) = mpsc::channel();
        runtime.block_on(async {
            let mut apart = Apart::spawn(async move { blocked.recv().is_ok() });
            tokio::select! {
                biased;
                _ = apart.output() => panic!("it is blocked"),
                () = task::yield_now() => {}
            }
            unblock.send(()).unwrap();
            assert!(apart.output().await);
        });
    }

    #[test]
    fn a_cancelled_future_is_dropped() {
        let runtime = start().unwrap();
        let (held, dropped) = mpsc::channel::<()>();
        runtime.block_on(async {
            let apart = Apart::spawn(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
            assert_eq!(apart.cancel().await, None);
        });
        assert!(dropped.recv().is_err());
    }
}
