use std::process::ExitCode;

use actr_lite::{ActrRef, Node, ShutdownKind, Signals, Workload};
use actr_lite_net::inherited;
use actr_lite_tokio_runtime::Apart;
use anyhow::anyhow;
use thiserror::Error;
use tracing::info;

use crate::{check::check, node_arguments::NodeArguments};

/// A node that SIGINT and SIGTERM stop in order: the first signal ends its work, a second one ends the process. A service
/// manager such as systemd is told of it.
pub struct RunningNode {
    actr: ActrRef,
    signals: Signals,
}

/// A signal came before the node was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stopped by {signal} before the node was running")]
pub struct Interrupted {
    /// Its name.
    pub signal: &'static str,
}

impl RunningNode {
    /// Starts a node, and from now on listens for signals.
    ///
    /// # Errors
    /// When it can't be started; [`Interrupted`] if a signal came first.
    pub async fn start<W: Workload>(node: Node<W>) -> anyhow::Result<Self> {
        let mut signals = Signals::listen()?;
        let mut start = Apart::spawn(node.start());
        let signal = tokio::select! {
            actr = start.output() => {
                inherited::close_unused();
                let actr = actr?;
                signals.ready(&format!("running as {}", actr.actor_id()));
                return Ok(Self { actr, signals });
            }
            signal = signals.next() => signal,
        };
        start.cancel().await;
        Err(Interrupted { signal }.into())
    }

    /// The node.
    pub fn actr(&self) -> &ActrRef {
        &self.actr
    }

    /// Runs `work` until it is done.
    ///
    /// # Errors
    /// Its own, or that a signal came first: then it is dropped.
    pub async fn until_signal<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            result = work => result,
            signal = self.signals.next_for(&self.actr) => {
                info!(signal, "{signal}: stopping; send it again to stop at once");
                Err(anyhow!("stopped by {signal}"))
            }
        }
    }

    /// Stops the node in order. A signal ends the wait at once.
    pub async fn shutdown(mut self) {
        tokio::select! {
            () = self.actr.shutdown() => {}
            _ = self.signals.next() => {}
        }
    }
}

/// Runs `work`, which may block, until it is done, or a signal asks the process to end.
///
/// # Errors
/// Its own, or that a signal came first: then it is dropped.
pub async fn until_signal<T, F>(work: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let mut signals = Signals::listen()?;
    let mut work = Apart::spawn(work);
    let signal = tokio::select! {
        result = work.output() => return result,
        signal = signals.next() => signal,
    };
    // What was done before it could be dropped is done.
    let done = work.cancel().await;
    done.unwrap_or_else(|| Err(anyhow!("stopped by {signal}")))
}

/// Runs a program that only runs its node, until a signal stops it. Its exit code is 0 if everything ended in order. With
/// `--check` it only [checks](check()).
pub fn serve<W: Workload>(arguments: &NodeArguments, workload: W) -> ExitCode {
    if arguments.is_check() {
        return check(arguments, |_| Ok(workload));
    }
    crate::run(arguments, async {
        let node = arguments.system()?.attach(workload);
        let node = match RunningNode::start(node).await {
            Ok(node) => node,
            Err(error) => match error.downcast::<Interrupted>() {
                Ok(Interrupted { signal }) => {
                    info!(signal, "{signal} before the node was running");
                    return Ok(ExitCode::SUCCESS);
                }
                Err(error) => return Err(error),
            },
        };
        let id = node.actr.actor_id();
        info!(%id, "server ready as {id}");
        Ok(match node.actr.shutdown_on(node.signals).await {
            ShutdownKind::Clean => ExitCode::SUCCESS,
            ShutdownKind::Forced => ExitCode::FAILURE,
        })
    })
}
