use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actr_lite_net::DialProgress;
use actr_lite_wire::{
    frame::DataStream,
    identity::{ActrId, ActrType, StreamId},
    peer_text::PeerText,
    resume::{self, MAX_RESUME_AFTER, RESUME_AFTER},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use prost::Message as _;
use tokio::time::timeout;

use crate::{
    call::Call,
    dest::Dest,
    discovery,
    error::{ActrError, humantime},
    node_state::NodeState,
    own_connection::OwnConnection,
    service::Rpc,
    session::{CallOptions, DEFAULT_CALL_TIMEOUT, InUse},
    sessions::Sharing,
    stream::{
        CallbackDelivery, ProgressCell, SendError, StreamEnd, StreamOptions, StreamRegistration, StreamSender,
        SubscribeError, Subscription,
    },
    task_outcome::TaskOutcome,
};

/// How often a call is retried if the peer had just closed its connection as unused: more often in a row is not bad
/// luck.
const MAX_REDIALS: usize = 3;

/// How much longer the caller of a local call waits than its handler, so that the step that takes too long reports it.
const LOCAL_SLACK: Duration = Duration::from_millis(200);

/// What handlers and the tasks that they spawn use to discover, call, and stream. Cheap to clone.
///
/// While a handler runs, its own calls and discoveries wait no longer than its caller does.
#[derive(Clone)]
pub struct Context {
    node: Arc<NodeState>,
    call: Arc<Call>,
    own: Option<Arc<OwnConnection>>,
}

impl Context {
    pub(crate) fn new(node: Arc<NodeState>, call: Arc<Call>) -> Self {
        Self { node, call, own: None }
    }

    /// For a program that acts without being called.
    pub(crate) fn uncalled(node: Arc<NodeState>) -> Self {
        Self::new(node, Arc::default())
    }

    /// This node's id. A node that had to register again, after its registry was restarted, has a new one.
    pub fn self_id(&self) -> ActrId {
        self.node.self_id()
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

    /// The number of the last frame that the caller of this handler already has: 0 unless it resumes a stream
    /// that broke, at this server or another. What is sent should start after it: [`StreamOptions::resume_after`].
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
        let mut found = pin!(discovery::discover_reachable(&self.node, actr_type));
        let Some(left) = self.call.left() else {
            return found.await;
        };
        timeout(left, found.as_mut())
            .await
            // The discovery is not dropped yet, so that its step is known.
            .unwrap_or_else(|_| Err(discovery::timed_out(&self.node, actr_type, left)))
    }

    /// Finds up to eight live nodes of exactly this type; the one to ask first comes first. The registry spreads the
    /// callers over all nodes, by the load that each reports.
    ///
    /// # Errors
    /// As [`Self::discover`]; the list is never empty.
    pub async fn discover_all(&self, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
        discovery::discover(&self.node, actr_type).await
    }

    /// This context with a connection of its own to an actor: calls to it, and the streams that they bring, don't share
    /// the one that everything else goes over. The connection closes with the last clone of the context.
    ///
    /// # Errors
    /// When the actor can't be reached.
    pub async fn with_own_connection(&self, peer: &ActrId) -> Result<Self, ActrError> {
        let progress = DialProgress::default();
        let session = Box::pin(self.node.sessions().dial(&self.node, peer, Sharing::Own, &progress)).await?;
        Ok(Self {
            own: Some(Arc::new(OwnConnection(session))),
            ..self.clone()
        })
    }

    /// Calls an actor, and waits at most 30 s for a connection and the answer.
    ///
    /// # Errors
    /// The callee's own error as [`ActrError::Remote`]; no connection, a lost connection, or no answer in time.
    ///
    /// # Cancel safety
    /// Dropping it cancels the call, and the handler at the callee if that speaks this project's extension.
    pub async fn call<R: Rpc>(&self, dest: impl Into<Dest>, request: R) -> Result<R::Response, ActrError> {
        self.call_with(dest, request, CallOptions::default()).await
    }

    /// The same with another timeout, or with metadata.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with<R: Rpc>(
        &self,
        dest: impl Into<Dest>,
        request: R,
        options: CallOptions,
    ) -> Result<R::Response, ActrError> {
        let dest = dest.into();
        let payload = request.encode_to_vec().into();
        let response = self.exchange(&dest, R::ROUTE, payload, options).await?;
        R::Response::decode(response).map_err(|error| ActrError::Answer {
            dest,
            route: R::ROUTE.into(),
            cause: PeerText::of(&error),
        })
    }

    /// Sends a request to an actor, and waits for the answer.
    pub(crate) async fn exchange(
        &self,
        dest: &Dest,
        route: &'static str,
        payload: Bytes,
        options: CallOptions,
    ) -> Result<Bytes, ActrError> {
        self.node.occupancy().check_metadata(&options.metadata)?;
        let after = self
            .call
            .left()
            .map_or(options.timeout, |left| left.min(options.timeout));
        let slack = match dest {
            Dest::Local => LOCAL_SLACK,
            Dest::Actor(_) => Duration::ZERO,
        };
        let is_connected = AtomicBool::new(false);
        let mut exchange = pin!(async {
            if *dest == Dest::Local {
                let call = Arc::new(Call::new(None, options.metadata, Some(after)));
                let ctx = Self::new(Arc::clone(&self.node), Arc::clone(&call));
                let answer = self.node.router().dispatch(route, payload, ctx).await;
                call.returned();
                return answer;
            }
            let begin = Instant::now();
            let mut attempts = 0..MAX_REDIALS;
            loop {
                let session = self.session(dest).await?;
                is_connected.store(true, Ordering::Relaxed);
                let metadata = options.metadata.clone();
                let timeout = after.saturating_sub(begin.elapsed());
                let options = CallOptions { timeout, metadata };
                match session.call(route, payload.clone(), options).await {
                    // The peer closed the connection before the call arrived.
                    Err(ActrError::PeerGone { reason, .. }) if reason.is_unused() && attempts.next().is_some() => {}
                    result => return result,
                }
            }
        });
        timeout(after.saturating_add(slack), exchange.as_mut())
            .await
            // The exchange is not dropped yet, so that its step is known.
            .unwrap_or_else(|_| Err(self.timed_out(dest, route, after, is_connected.load(Ordering::Relaxed))))
    }

    /// Sends an actor a message that has no answer. It is on its way when this returns; whether it was
    /// handled is not known. It is lost if the actor closes the connection as unused at that moment.
    ///
    /// # Errors
    /// No connection. A local handler's error.
    pub async fn tell<R: Rpc>(&self, dest: impl Into<Dest>, message: R) -> Result<(), ActrError> {
        let dest = &dest.into();
        match dest {
            Dest::Local => self.call(dest, message).await.map(drop),
            dest => {
                let payload = message.encode_to_vec().into();
                let after = DEFAULT_CALL_TIMEOUT;
                let is_connected = AtomicBool::new(false);
                let mut told = pin!(async {
                    let session = self.session(dest).await?;
                    is_connected.store(true, Ordering::Relaxed);
                    session.tell(R::ROUTE, payload).await
                });
                timeout(after, told.as_mut()).await.unwrap_or_else(|_| {
                    Err(self.timed_out(dest, R::ROUTE, after, is_connected.load(Ordering::Relaxed)))
                })
            }
        }
    }

    /// Calls `callback` for each frame of a stream that `sender` is to send: in order, each once. Streams run
    /// concurrently.
    ///
    /// Register before asking for the stream: frames of a stream that is not registered are dropped and counted. So are
    /// frames of any other actor than `sender`. If the callback panics, the stream is unregistered and the sender
    /// stopped.
    ///
    /// The callback runs in the task that reads the connection, so it must not block its thread. If it has to wait for
    /// something, use [`Self::register_stream_async`].
    ///
    /// # Errors
    /// When the stream is registered already, or too many are.
    pub fn register_stream<F>(
        &self,
        stream_id: StreamId,
        sender: &ActrId,
        mut callback: F,
    ) -> Result<StreamRegistration, SubscribeError>
    where
        F: FnMut(DataStream) + Send + 'static,
    {
        self.register_stream_async(stream_id, sender, move |frame| {
            callback(frame);
            std::future::ready(())
        })
    }

    /// The same with a callback that may wait. While it does, only the sender of this stream waits too.
    ///
    /// # Errors
    /// As [`Self::register_stream`].
    pub fn register_stream_async<F, Fut>(
        &self,
        stream_id: StreamId,
        sender: &ActrId,
        callback: F,
    ) -> Result<StreamRegistration, SubscribeError>
    where
        F: FnMut(DataStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let subscription = self.subscribe(stream_id, sender)?;
        let progress = Arc::new(ProgressCell::new());
        let delivery = Box::new(CallbackDelivery::new(callback, Arc::clone(&progress)));
        Ok(StreamRegistration::start(&self.node, subscription, delivery, progress))
    }

    /// Ends a stream that this node receives, and stops its sender. Returns false if it was not registered.
    pub fn unregister_stream(&self, stream_id: &StreamId) -> bool {
        let inbox = self.node.subscriptions().find(stream_id.as_str());
        inbox
            .inspect(|inbox| self.node.unsubscribe(inbox, StreamEnd::Cancelled))
            .is_some()
    }

    /// Subscribes to the frames of a stream that `sender` will send, to take them one by one; [`Self::register_stream`]
    /// is a callback on top of this.
    ///
    /// # Errors
    /// When the stream is registered already, or too many are.
    pub fn subscribe(&self, stream_id: StreamId, sender: &ActrId) -> Result<Subscription, SubscribeError> {
        self.subscribe_behind(stream_id, sender, 0)
    }

    /// The same for a stream whose frames up to number `last` have already arrived.
    pub(crate) fn subscribe_behind(
        &self,
        stream_id: StreamId,
        sender: &ActrId,
        last: u64,
    ) -> Result<Subscription, SubscribeError> {
        let inbox = self.node.subscriptions().insert(stream_id, sender.clone())?;
        Ok(Subscription::new(Arc::clone(&self.node), inbox, last))
    }

    /// Opens a stream to the caller of this handler, over the connection that brought the call. If the caller resumes a
    /// stream that broke, its frames go on after those that it has: [`StreamSender::next_sequence`].
    ///
    /// # Errors
    /// When the call came from this node itself, the caller is gone, or a stream of this id to it is open already.
    pub async fn open_stream_to_caller(&self, stream_id: StreamId) -> Result<StreamSender, ActrError> {
        let Some(caller) = self.caller_id() else {
            return Err(SendError::Local(stream_id).into());
        };
        let options = StreamOptions {
            resume_after: self.resume_after()?,
            ..StreamOptions::default()
        };
        self.open_stream_with(caller, stream_id, options).await
    }

    /// Opens a stream to an actor that has asked for it.
    ///
    /// To the caller of this context it goes over the connection that brought the call, and no other.
    ///
    /// # Errors
    /// When the receiver is gone or can't be reached, or the stream is open already.
    pub async fn open_stream(&self, dest: impl Into<Dest>, stream_id: StreamId) -> Result<StreamSender, ActrError> {
        self.open_stream_with(dest, stream_id, StreamOptions::default()).await
    }

    /// The same with another delivery: a stream whose frames are worth nothing when they are late is sent as
    /// [`crate::Delivery::LatencyFirst`].
    ///
    /// # Errors
    /// As [`Self::open_stream`].
    pub async fn open_stream_with(
        &self,
        dest: impl Into<Dest>,
        stream_id: StreamId,
        options: StreamOptions,
    ) -> Result<StreamSender, ActrError> {
        let session = self.stream_session(&dest.into(), &stream_id).await?;
        Ok(StreamSender::open(&session, stream_id, options)?)
    }

    /// Sends one frame as it is, with the sequence number that it has. The stream opens with its first frame.
    ///
    /// It belongs to this context and its clones, those of one call: [`Self::finish_stream`] ends it, and when the
    /// last clone is dropped before that, the receiver is told that it broke off. Frames of one stream go out in the
    /// order in which the calls are made. For a long stream [`Self::open_stream`] is faster: it looks the receiver up
    /// once.
    ///
    /// # Errors
    /// At once when the receiver is gone or has unregistered the stream, or the frame is too long.
    pub async fn send_stream(&self, dest: impl Into<Dest>, frame: &DataStream) -> Result<(), ActrError> {
        let session = self.stream_session(&dest.into(), &frame.stream_id).await?;
        Ok(self
            .call
            .direct
            .sender(&session, &frame.stream_id)?
            .lock()
            .await
            .send_frame(frame)
            .await?)
    }

    /// Ends a stream that [`Self::send_stream`] opened: the receiver learns that it was all. A stream that was never
    /// opened is opened and ended, so that it arrives as an empty one.
    ///
    /// # Errors
    /// When the receiver is gone or has unregistered the stream.
    pub async fn finish_stream(&self, dest: impl Into<Dest>, stream_id: &StreamId) -> Result<(), ActrError> {
        let session = self.stream_session(&dest.into(), stream_id).await?;
        let sender = self.call.direct.sender(&session, stream_id)?;
        let result = sender.lock().await.finish_here();
        self.call.direct.forget(&session, stream_id);
        Ok(result?)
    }

    /// Runs a task of this actor. If it fails, its error is logged; a panic is logged too, and ends nothing else. A task
    /// that has not ended within the grace of a shutdown is dropped where it is.
    ///
    /// The handler's answer leaves together with what its first task sends before it waits for the first time. A task
    /// that first computes or blocks should wait before that, for example with [`tokio::task::yield_now`].
    pub fn spawn<T: TaskOutcome>(&self, task: impl Future<Output = T> + Send + 'static) {
        let node = Arc::clone(&self.node);
        let first_turn = self.call.first_turn();
        let task: BoxFuture<'_, ()> = Box::pin(async move {
            if let Some(failure) = task.await.failure() {
                node.complaints().remark(failure);
            }
        });
        let task = match first_turn {
            Some(first_turn) => Box::pin(first_turn.run(task)),
            None => task,
        };
        self.node.tasks().spawn_work("a spawned task", task);
    }

    pub(crate) fn node(&self) -> &Arc<NodeState> {
        &self.node
    }

    /// A connection to a peer: the one that brought the call, if that is the peer and it still stands.
    async fn session(&self, dest: &Dest) -> Result<InUse, ActrError> {
        let peer = match dest {
            Dest::Actor(peer) => peer.clone(),
            Dest::Local => self.node.self_id(),
        };
        if let Some(own) = &self.own
            && *own.0.peer() == peer
        {
            return Ok(own.0.clone());
        }
        match self.caller_session(&peer) {
            Some(session) if session.is_open() => Ok(session),
            _ => self.node.sessions().to(&self.node, &peer).await,
        }
    }

    /// The time for a call is over; which step it was that took too long.
    fn timed_out(&self, dest: &Dest, route: &str, after: Duration, is_connected: bool) -> ActrError {
        match dest {
            Dest::Actor(peer) if !is_connected => {
                let step = self.node.sessions().dial_standing(peer);
                let step = step.map_or_else(String::new, |step| format!(": {step}"));
                ActrError::Unreachable {
                    peer: peer.clone(),
                    cause: PeerText::of(&format_args!("no connection within {}{step}", humantime(after))),
                }
            }
            dest => ActrError::TimedOut {
                dest: dest.clone(),
                route: route.into(),
                after,
            },
        }
    }

    /// A stream belongs to the connection that asked for it: a caller that is gone is not dialled.
    async fn stream_session(&self, dest: &Dest, stream_id: &StreamId) -> Result<InUse, ActrError> {
        let Dest::Actor(peer) = dest else {
            return Err(SendError::Local(stream_id.clone()).into());
        };
        match self.caller_session(peer) {
            Some(session) => match session.gone() {
                Some(error) => Err(error.into()),
                None => Ok(session),
            },
            None => self.node.sessions().to(&self.node, peer).await,
        }
    }

    fn caller_session(&self, peer: &ActrId) -> Option<InUse> {
        let session = self.call.session.as_ref()?;
        (session.peer() == peer).then(|| session.clone())
    }
}
