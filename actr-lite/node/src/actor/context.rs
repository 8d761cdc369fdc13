use std::{future::Future, pin::pin, sync::Arc};

use actr_lite_wire::{
    identity::{ActrId, ActrType},
    resume::{self, MAX_RESUME_AFTER, RESUME_AFTER},
    trace_context::TraceContext,
};
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use crate::{
    actor::{actor::Actor, call::Call, own_connection::OwnConnection, task_outcome::TaskOutcome},
    error::{actr_error::ActrError, dest::Dest},
    session::session_handle::SessionHandle,
    stream::send_error::SendError,
    trace::spans,
};

/// What handlers and the tasks that they spawn use to discover, call, and stream. Cheap to clone.
///
/// While a handler runs, its own calls and discoveries wait no longer than its caller does.
#[derive(Clone)]
pub struct Context {
    pub(super) actor: Arc<Actor>,
    pub(super) call: Arc<Call>,
    own: Option<Arc<OwnConnection>>,
}

impl Context {
    pub(crate) fn new(actor: Arc<Actor>, call: Arc<Call>) -> Self {
        Self { actor, call, own: None }
    }

    /// For a program that acts without being called.
    pub(crate) fn uncalled(actor: Arc<Actor>) -> Self {
        Self::new(actor, Arc::default())
    }

    /// For what a call has caused and goes on without it.
    pub(crate) fn caused_by(actor: Arc<Actor>, trace: Option<TraceContext>) -> Self {
        Self::new(actor, Arc::new(Call::caused_by(trace)))
    }

    /// This node's id. A node that had to register again, after its registry was restarted, has a new one.
    pub fn self_id(&self) -> ActrId {
        self.actor.id()
    }

    /// Who called; `None` for a call within the node.
    pub fn caller_id(&self) -> Option<&ActrId> {
        Some(self.call.session.as_ref()?.peer())
    }

    /// Metadata that came with the call, by its key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let metadata = &self.call.metadata;
        metadata
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The place of this handler's call in the trace of what caused it: calls made in this context belong to the same trace.
    /// `None` for a program that acts without being called: each call that it makes begins a trace of its own.
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.call.trace.as_ref()
    }

    /// The number of the last frame that the caller of this handler already has: 0 unless it resumes a stream
    /// that broke, at this server or another. What is sent should start after it: [`crate::StreamOptions::resume_after`].
    ///
    /// # Errors
    /// If the caller's metadata is not a number; the error can be the answer.
    pub fn resume_after(&self) -> Result<u64, ActrError> {
        let Some(value) = self.metadata(RESUME_AFTER) else {
            return Ok(0);
        };
        resume::parse(value).ok_or_else(|| {
            let message = format!("{RESUME_AFTER} is {value:?}, but must be a number from 0 to {MAX_RESUME_AFTER}");
            ActrError::invalid_argument(message)
        })
    }

    /// Finds a live node of exactly this type; of several, the first one to which a connection can be made. If the type
    /// is a dependency of Actr.toml, its contract is compared with the lock file's.
    ///
    /// # Errors
    /// [`crate::DiscoverError`] says why: no server, another contract, or a refusal; [`ActrError::Registry`]
    /// if the registry can't be asked.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn discover(&self, actr_type: &ActrType) -> Result<ActrId, ActrError> {
        let found = async {
            let mut found = pin!(self.actor.discovery.discover_reachable(actr_type));
            let Some(left) = self.call.left() else {
                return found.await;
            };
            timeout(left, found.as_mut())
                .await
                // The discovery is not dropped yet, so that its step is known.
                .unwrap_or_else(|_| Err(self.actor.discovery.timed_out(actr_type, left)))
        };
        self.search(actr_type, found).await
    }

    /// Finds up to eight live nodes of exactly this type; the one to ask first comes first. The registry spreads the
    /// callers over all nodes, by the load that each reports.
    ///
    /// # Errors
    /// As [`Self::discover`]; the list is never empty.
    pub async fn discover_all(&self, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
        self.search(actr_type, self.actor.discovery.discover(actr_type)).await
    }

    /// A search in a span of its own.
    fn search<T, F>(&self, actr_type: &ActrType, found: F) -> impl Future<Output = Result<T, ActrError>> + use<T, F>
    where
        F: Future<Output = Result<T, ActrError>>,
    {
        let span = spans::discover(actr_type);
        self.begin_trace(&span);
        spans::within(span, found)
    }

    /// This context with a connection of its own to an actor: calls to it, and the streams that they bring, don't share
    /// the one that everything else goes over. The connection closes with the last clone of the context.
    ///
    /// # Errors
    /// When the actor can't be reached.
    pub async fn with_own_connection(&self, peer: &ActrId) -> Result<Self, ActrError> {
        let session = Box::pin(self.actor.peers.connect_alone(peer)).await?;
        Ok(Self {
            own: Some(Arc::new(OwnConnection(session))),
            ..self.clone()
        })
    }

    /// Runs a task of this actor. If it fails, its error is logged; a panic is logged too, and ends nothing else. A task
    /// that has not ended within the grace of a shutdown is dropped where it is.
    ///
    /// The answer of a handler that has opened a stream leaves together with what the next task that it spawns sends before
    /// it waits for the first time. If that task computes or blocks first, the answer waits for it, but not longer than
    /// until the connection has something else to send, such as its next ping.
    pub fn spawn<T: TaskOutcome>(&self, task: impl Future<Output = T> + Send + 'static) {
        let actor = Arc::clone(&self.actor);
        let first_turn = self.call.first_turn();
        let task: BoxFuture<'_, ()> = Box::pin(async move {
            let outcome = task.await;
            if let Some(failure) = outcome.failure() {
                let subject = outcome.send_error().map(SendError::subject).unwrap_or_default();
                actor.streams().complaints.remark(subject.because(failure), failure);
            }
        });
        let task = match first_turn {
            Some(first_turn) => Box::pin(first_turn.run(task)),
            None => task,
        };
        self.actor.tasks().spawn_work("a spawned task", task);
    }

    pub(crate) fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// A connection to a peer: the one that brought the call, if that is the peer and it still stands.
    pub(super) async fn session(&self, dest: &Dest) -> Result<SessionHandle, ActrError> {
        let peer = match dest {
            Dest::Actor(peer) => peer.clone(),
            Dest::Local => self.actor.id(),
        };
        if let Some(own) = &self.own
            && *own.0.peer() == peer
        {
            return Ok(own.0.clone());
        }
        match self.caller_session(&peer) {
            Some(session) if session.is_open() => Ok(session),
            _ => self.actor.peers.connect(&peer).await,
        }
    }

    pub(super) fn caller_session(&self, peer: &ActrId) -> Option<SessionHandle> {
        let session = self.call.session.as_ref()?;
        (session.peer() == peer).then(|| session.clone())
    }
}
