use std::{path::PathBuf, sync::Arc, time::Duration};

use actr_lite_engine::retry::Retry;
use actr_lite_tls::TlsFileError;
use actr_lite_wire::{identity::ActrId, misbehaviour::Misbehaviour};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::{
    actor::actor::Actor,
    actor::{budget::Budget, context::Context, service::Rpc},
    error::{actr_error::ActrError, dest::Dest},
    session::call_options::CallOptions,
};

/// How long one try of [`ActrRef::call_with_retry`] may take: a server that does not answer must not use up
/// the whole budget.
const MAX_TRY: Duration = Duration::from_secs(10);

/// How often the log says what it waits for.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// A running node. Cheap to clone; when the last clone is dropped the node shuts down.
#[derive(Clone)]
pub struct ActrRef {
    ctx: Context,
    actor: Arc<Actor>,
    requested: CancellationToken,
    stopped: watch::Receiver<bool>,
    _shut_down_when_dropped: Arc<DropGuard>,
}

impl ActrRef {
    pub(crate) fn new(actor: Arc<Actor>, requested: CancellationToken, stopped: watch::Receiver<bool>) -> Self {
        Self {
            ctx: Context::uncalled(Arc::clone(&actor)),
            actor,
            _shut_down_when_dropped: Arc::new(requested.clone().drop_guard()),
            requested,
            stopped,
        }
    }

    /// The node's id. A node that had to register again, after its registry was restarted, has a new one.
    pub fn actor_id(&self) -> ActrId {
        self.actor.id()
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

    /// Calls one of the node's own services, and retries after each transient error
    /// ([`ActrError::is_transient`]), as long as there is budget left. The log says what it waits for.
    ///
    /// # Errors
    /// The handler's error: the last one when the budget is over, or one that is not transient.
    pub async fn call_with_retry<R: Rpc + Clone>(&self, request: R, budget: Budget) -> Result<R::Response, ActrError> {
        let mut retry = Retry::new(budget.timeout(), Duration::ZERO);
        let (mut last_error, mut told) = (None, None::<Instant>);
        while let Some(wait) = retry.next_try(budget.elapsed(), rand::random()) {
            sleep(wait).await;
            let timeout = budget.left().min(MAX_TRY);
            // Another try could tell nothing more than the last one.
            if timeout.is_zero() && last_error.is_some() {
                break;
            }
            let options = CallOptions {
                timeout,
                ..CallOptions::default()
            };
            let error = match self.call_with(request.clone(), options).await {
                Err(error) if error.is_transient() => error,
                result => return result,
            };
            if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                let left = budget.left().as_secs() + 1;
                info!(route = R::ROUTE, reason = %error, "retrying for up to {left} s more: {error}");
            }
            last_error = Some(error);
        }
        Err(last_error.unwrap_or_else(|| ActrError::TimedOut {
            dest: Dest::Local,
            route: R::ROUTE.into(),
            after: budget.timeout(),
        }))
    }

    /// Calls one of the node's own services and drops its answer.
    ///
    /// # Errors
    /// The handler's error.
    pub async fn tell<R: Rpc>(&self, message: R) -> Result<(), ActrError> {
        self.ctx.tell(&Dest::Local, message).await
    }

    /// The context for a program that acts without being called.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// How many frames have come since the start for streams that were not registered, or from another sender.
    pub fn unknown_frames(&self) -> u64 {
        self.actor.sessions.unknown_frames()
    }

    /// How many connections of the data lane have misbehaved since the start, by kind; each was refused or closed with
    /// a reason. Those to a registry that the node hosts are not counted here.
    pub fn misbehaviour(&self) -> Misbehaviour {
        self.actor.streams().complaints.misbehaviour()
    }

    /// Reloads the files of `[system.tls]`, and returns which they were. New connections, to this node and the registry
    /// that it hosts, and from it, use them; open ones go on. It blocks while it reads.
    ///
    /// # Errors
    /// If one of them can't be read or used. Then nothing changes.
    pub fn reload_tls(&self) -> Result<Vec<PathBuf>, TlsFileError> {
        self.actor.peers.tls().reload()
    }

    /// Shuts the node down: it takes no more connections and calls, leaves the registry, lets handlers and spawned
    /// tasks finish, calls `on_stop`, and closes what is open. Returns when that is done, and at the latest when
    /// `[system] shutdown_grace` is over: what is left then is dropped.
    ///
    /// # Cancel safety
    /// Once polled, the shutdown goes on without it.
    pub async fn shutdown(&self) {
        self.requested.cancel();
        self.wait_for_shutdown().await;
    }

    /// Waits until the node has shut down, for any reason.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn wait_for_shutdown(&self) {
        // Without a sender the task that shuts down is gone, and so is the node.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }
}
