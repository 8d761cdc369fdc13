use std::{io, path::PathBuf, sync::Arc};

use actr_lite_tls::TlsFileError;
use actr_lite_wire::{identity::ActrId, misbehaviour::Misbehaviour};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::{ActrError, CallOptions, Context, Dest, Rpc, node_state::NodeState};

/// A running node. Cheap to clone; when the last clone is dropped the node shuts down.
#[derive(Clone)]
pub struct ActrRef {
    ctx: Context,
    node: Arc<NodeState>,
    requested: CancellationToken,
    stopped: watch::Receiver<bool>,
    _shut_down_when_dropped: Arc<DropGuard>,
}

/// What ended a wait for a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownKind {
    /// Everything ended in order.
    Clean,
    /// A second signal came before that.
    Forced,
}

impl ActrRef {
    pub(crate) fn new(node: Arc<NodeState>, requested: CancellationToken, stopped: watch::Receiver<bool>) -> Self {
        Self {
            ctx: Context::uncalled(Arc::clone(&node)),
            node,
            _shut_down_when_dropped: Arc::new(requested.clone().drop_guard()),
            requested,
            stopped,
        }
    }

    /// Who the node is. A node that had to register again, after its registry was restarted, has a new id.
    pub fn actor_id(&self) -> ActrId {
        self.node.self_id()
    }

    /// Calls one of the node's own services, exported or not, and waits at most 30 s for it.
    ///
    /// # Errors
    /// The handler's error.
    pub async fn call<R: Rpc>(&self, request: R) -> Result<R::Response, ActrError> {
        self.ctx.call(&Dest::Local, request).await
    }

    /// The same with another timeout.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with<R: Rpc>(&self, request: R, options: CallOptions) -> Result<R::Response, ActrError> {
        self.ctx.call_with(&Dest::Local, request, options).await
    }

    /// Calls one of the node's own services and drops its answer.
    ///
    /// # Errors
    /// The handler's error.
    pub async fn tell<R: Rpc>(&self, message: R) -> Result<(), ActrError> {
        self.ctx.tell(&Dest::Local, message).await
    }

    /// What a handler of this node would get, for a program that acts without being called.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Frames that came for streams that nobody had registered, since the start.
    pub fn unknown_frames(&self) -> u64 {
        self.node.unknown_frames()
    }

    /// How many connections of the data lane have misbehaved since the start, by kind: each was refused or closed with a
    /// reason. What the registry saw that the node may host is not among them.
    pub fn misbehaviour(&self) -> Misbehaviour {
        self.node.complaints().misbehaviour()
    }

    /// Reads the files of `[system.tls]` anew, and returns which they were. Connections that are made from now on, to this
    /// node and the registry that it hosts, and by it, go by them; open ones go on as they are. It blocks while it
    /// reads.
    ///
    /// # Errors
    /// When one of them can't be read or used. Then all stays as it was.
    pub fn reload_tls(&self) -> Result<Vec<PathBuf>, TlsFileError> {
        self.node.tls().reload()
    }

    /// Shuts the node down: it takes no more connections and calls, leaves the registry, lets handlers and spawned
    /// tasks finish for the grace, calls `on_stop`, and closes what is open. Returns when that is done.
    ///
    /// # Cancel safety
    /// Once polled, the shutdown goes on without it.
    pub async fn shutdown(&self) {
        self.requested.cancel();
        self.wait_for_shutdown().await;
    }

    /// Waits until the node has shut down, whoever asked for it.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn wait_for_shutdown(&self) {
        // Without a sender the task that shuts down is gone, and so is the node.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// Waits for SIGINT or SIGTERM, then shuts down; meanwhile SIGHUP [reloads](Self::reload_tls) what TLS needs. A second
    /// signal ends the wait at once.
    ///
    /// # Errors
    /// When the system does not let signals be listened for.
    pub async fn wait_for_ctrl_c_and_shutdown(&self) -> io::Result<ShutdownKind> {
        Ok(self.shutdown_on(crate::Signals::listen()?).await)
    }

    /// The same with signals that are listened for already: one that came before is not lost.
    pub async fn shutdown_on(&self, mut signals: crate::Signals) -> ShutdownKind {
        tokio::select! {
            signal = signals.next_for(self) => {
                info!("{signal}: shutting down; once more to stop at once");
            }
            () = self.wait_for_shutdown() => return ShutdownKind::Clean,
        }
        tokio::select! {
            () = self.shutdown() => ShutdownKind::Clean,
            _ = signals.next() => ShutdownKind::Forced,
        }
    }
}
