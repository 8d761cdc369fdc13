use std::{future::Future, sync::Arc, time::Instant};

use actr_lite_wire::{
    frame::DataStream,
    identity::{ActrId, ActrType, StreamId},
    peer_text::PeerText,
    resume::RESUME_AFTER,
};
use futures_util::future::BoxFuture;
use prost::Message as _;
use tokio::time::timeout;

use crate::{
    ActrError, Asking, CallOptions, Dest, PeerConnection, ResumableRequest, ResumableStream, ResumeError, Rpc,
    SendError, StreamOptions, StreamRegistration, StreamSender, SubscribeError, Subscription,
    call::Call,
    discovery,
    node_state::NodeState,
    session::{DEFAULT_CALL_TIMEOUT, InUse},
    sessions::Sharing,
    stream::{self, Feeders, StreamEnd},
};

/// How often a call is made anew whose connection the peer gave up unused just before: more often in a row is not bad
/// luck.
const MAX_REDIALS: usize = 3;

/// The last frame behind which a caller may ask to go on: no stream comes to half of what a number can be.
const MAX_RESUME_AFTER: u64 = u64::MAX / 2;

/// What a handler, and whatever it spawns, does with the world. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    node: Arc<NodeState>,
    call: Arc<Call>,
}

impl Context {
    pub(crate) fn new(node: Arc<NodeState>, call: Arc<Call>) -> Self {
        Self { node, call }
    }

    /// For what nobody has called.
    pub(crate) fn uncalled(node: Arc<NodeState>) -> Self {
        Self::new(node, Arc::default())
    }

    /// Who this node is. A node that had to register again, after its registry was restarted, has a new id.
    pub fn self_id(&self) -> ActrId {
        self.node.self_id()
    }

    /// Who called; none for a call within the node.
    pub fn caller_id(&self) -> Option<&ActrId> {
        Some(self.call.session.as_ref()?.peer())
    }

    /// A hint that came with the call, by its name.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let metadata = &self.call.metadata;
        metadata
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The last frame that the caller of this handler has already of the stream that it asks for: 0 unless it resumes one
    /// that broke, at this server or another. What is sent should start behind it: [`StreamOptions::resume_after`].
    ///
    /// # Errors
    /// When the caller's hint is no number; the error is an answer for it.
    pub fn resume_after(&self) -> Result<u64, ActrError> {
        let Some(hint) = self.metadata(RESUME_AFTER) else {
            return Ok(0);
        };
        // Behind the highest there would be no number for the next frame.
        let number = hint.parse().ok().filter(|number| *number <= MAX_RESUME_AFTER);
        number.ok_or_else(|| {
            let message = format!("{RESUME_AFTER} is {hint:?}, but must be a number from 0 to {MAX_RESUME_AFTER}");
            ActrError::invalid_argument(message)
        })
    }

    /// A live node of exactly this type. If the type is a dependency of Actr.toml, its contract is compared with the
    /// lock file's.
    ///
    /// # Errors
    /// [`crate::DiscoverError`] says which it is: no server, another contract, or a refusal; [`ActrError::Registry`]
    /// when the registry can't be asked.
    pub async fn discover(&self, actr_type: &ActrType) -> Result<ActrId, ActrError> {
        let found = self.discover_all(actr_type).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| ActrError::internal("nobody was found, and no reason"))
    }

    /// The same, but up to eight of them: the one to ask first comes first. The registry spreads those who ask over all,
    /// and looks at the load that each reports.
    ///
    /// # Errors
    /// As [`Self::discover`]; the list is never empty.
    pub async fn discover_all(&self, actr_type: &ActrType) -> Result<Vec<ActrId>, ActrError> {
        discovery::discover(&self.node, actr_type).await
    }

    /// A connection of its own to an actor, for what is not to share one with other calls and streams: as a
    /// destination it goes through [`Dest::Connection`].
    ///
    /// # Errors
    /// When the actor can't be reached.
    pub async fn connect(&self, peer: &ActrId) -> Result<PeerConnection, ActrError> {
        let session = Box::pin(self.node.sessions().dial(&self.node, peer, Sharing::Own)).await?;
        Ok(PeerConnection::new(session))
    }

    /// Calls an actor, and waits at most 30 s for a connection and the answer.
    ///
    /// # Errors
    /// The callee's own error as [`ActrError::Remote`]; no connection, a lost connection, or no answer in time.
    ///
    /// # Cancel safety
    /// Dropping it cancels the call, and the handler at the callee if that speaks this project's extension.
    pub async fn call<R: Rpc>(&self, dest: &Dest, request: R) -> Result<R::Response, ActrError> {
        self.call_with(dest, request, CallOptions::default()).await
    }

    /// The same with another timeout, or with hints.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with<R: Rpc>(
        &self,
        dest: &Dest,
        request: R,
        options: CallOptions,
    ) -> Result<R::Response, ActrError> {
        let payload = request.encode_to_vec().into();
        let after = options.timeout;
        let timed_out = || ActrError::TimedOut {
            dest: dest.clone(),
            route: R::ROUTE.into(),
            after,
        };
        self.node.occupancy().check_metadata(&options.metadata)?;
        let exchange = async {
            if *dest == Dest::Local {
                let call = Arc::new(Call::new(None, options.metadata));
                let ctx = Self::new(Arc::clone(&self.node), call);
                return self.node.router().dispatch_local(R::ROUTE, payload, ctx).await;
            }
            let begin = Instant::now();
            let mut attempts = 0..MAX_REDIALS;
            loop {
                let session = self.session(dest).await?;
                let metadata = options.metadata.clone();
                let timeout = after.saturating_sub(begin.elapsed());
                let options = CallOptions { timeout, metadata };
                match session.call(R::ROUTE, payload.clone(), options).await {
                    // The peer gave the connection up before the call came to it.
                    Err(ActrError::PeerGone { reason, .. }) if reason.is_unused() && attempts.next().is_some() => {}
                    result => return result,
                }
            }
        };
        let response = timeout(after, exchange).await.unwrap_or_else(|_| Err(timed_out()))?;
        R::Response::decode(response).map_err(|error| ActrError::Answer {
            dest: dest.clone(),
            route: R::ROUTE.into(),
            cause: PeerText::of(&error),
        })
    }

    /// Sends an actor a message to which it has no answer. It is on its way when this returns; whether it was
    /// handled, nobody learns. It is lost if the actor closes the connection at that moment, because nobody used it.
    ///
    /// # Errors
    /// No connection. A local handler's error.
    pub async fn tell<R: Rpc>(&self, dest: &Dest, message: R) -> Result<(), ActrError> {
        match dest {
            Dest::Local => self.call(dest, message).await.map(drop),
            dest => {
                let payload = message.encode_to_vec().into();
                let after = DEFAULT_CALL_TIMEOUT;
                let told = async { self.session(dest).await?.tell(R::ROUTE, payload).await };
                timeout(after, told).await.unwrap_or_else(|_| {
                    Err(ActrError::TimedOut {
                        dest: dest.clone(),
                        route: R::ROUTE.into(),
                        after,
                    })
                })
            }
        }
    }

    /// Calls `callback` for each frame of a stream, strictly one after the other; streams run concurrently.
    ///
    /// Register before asking for the stream: frames that nobody has registered for are dropped, and counted, and so are
    /// those of an actor from which the stream was not asked: see [`Subscription::expect_from`]. The callback's wait is the sender's wait. If it panics, the stream is unregistered and the sender stopped.
    ///
    /// A callback that waits for nothing runs where the connection is read, so it must not block its thread. One that
    /// is not written where it is registered needs the types of its arguments: `|frame: DataStream, sender: &ActrId|`.
    ///
    /// # Errors
    /// When the stream is registered already, or too many are.
    pub fn register_stream<F, Fut>(
        &self,
        stream_id: StreamId,
        callback: F,
    ) -> Result<StreamRegistration, SubscribeError>
    where
        F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let subscription = self.subscribe(stream_id)?;
        Ok(stream::register(&self.node, subscription, callback))
    }

    /// Ends a stream that this node receives, and stops its sender. False where it was not registered.
    pub fn unregister_stream(&self, stream_id: &StreamId) -> bool {
        let inbox = self.node.subscriptions().find(stream_id.as_str());
        inbox
            .inspect(|inbox| self.node.unsubscribe(inbox, StreamEnd::Cancelled))
            .is_some()
    }

    /// The frames of a stream, to be taken one by one; [`Self::register_stream`] is a callback on top of it.
    ///
    /// # Errors
    /// When the stream is registered already, or too many are.
    pub fn subscribe(&self, stream_id: StreamId) -> Result<Subscription, SubscribeError> {
        let feeders = Feeders::new(self.node.asks().next(), self.caller_id().cloned());
        let inbox = self.node.subscriptions().insert(stream_id, feeders)?;
        Ok(Subscription::new(Arc::clone(&self.node), inbox))
    }

    /// Receives a stream that outlives its senders: whenever one is lost, or a frame of it missing, the stream is asked
    /// for again behind the last frame that came, from another server of the type if there is one. `callback` gets each
    /// frame once, in order; for the rest it is as with [`Self::register_stream`].
    ///
    /// `ask` asks one server, by whatever call its service has for that, with the options that it is given, and returns
    /// an error if the server does not agree. Returns when the first server has agreed.
    ///
    /// # Errors
    /// When no server has agreed within the request's patience, or one refuses for good.
    ///
    /// # Cancel safety
    /// Dropping it takes the request back.
    pub async fn receive_resumable<A, Asked, F, Fut>(
        &self,
        request: ResumableRequest,
        ask: A,
        callback: F,
    ) -> Result<ResumableStream, ResumeError>
    where
        A: Fn(Asking) -> Asked + Send + Sync + 'static,
        Asked: Future<Output = Result<(), ActrError>> + Send + 'static,
        F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        ResumableStream::start(self, request, ask, callback).await
    }

    /// Opens a stream to an actor that has asked for it.
    ///
    /// To the caller of this context it goes over the connection that brought the call, and no other.
    ///
    /// # Errors
    /// When the receiver is gone or can't be reached, or the stream is open already.
    pub async fn open_stream(&self, dest: &Dest, stream_id: StreamId) -> Result<StreamSender, ActrError> {
        self.open_stream_with(dest, stream_id, StreamOptions::default()).await
    }

    /// The same with another delivery: a stream whose frames are worth nothing when they are late is sent as
    /// [`crate::Delivery::LatencyFirst`].
    ///
    /// # Errors
    /// As [`Self::open_stream`].
    pub async fn open_stream_with(
        &self,
        dest: &Dest,
        stream_id: StreamId,
        options: StreamOptions,
    ) -> Result<StreamSender, ActrError> {
        let session = self.stream_session(dest, &stream_id).await?;
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
    pub async fn send_stream(&self, dest: &Dest, frame: &DataStream) -> Result<(), ActrError> {
        let session = self.stream_session(dest, &frame.stream_id).await?;
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
    pub async fn finish_stream(&self, dest: &Dest, stream_id: &StreamId) -> Result<(), ActrError> {
        let session = self.stream_session(dest, stream_id).await?;
        let sender = self.call.direct.sender(&session, stream_id)?;
        let result = sender.lock().await.finish_here();
        self.call.direct.forget(&session, stream_id);
        Ok(result?)
    }

    /// Runs a task of this actor. It is dropped where it is when the node stops and it has not ended within the grace.
    /// A panic is reported, and ends nothing else.
    ///
    /// The handler's answer leaves together with what its first task sends until that waits for the first time: one that
    /// would compute or block before should wait first, with [`tokio::task::yield_now`], say.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let first_turn = self.call.first_turn();
        let task: BoxFuture<'_, ()> = Box::pin(task);
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
            Dest::Connection(connection) => return Ok(connection.session().clone()),
            Dest::Actor(peer) => peer.clone(),
            Dest::Local => self.node.self_id(),
        };
        match self.caller_session(&peer) {
            Some(session) if session.is_open() => Ok(session),
            _ => self.node.sessions().to(&self.node, &peer).await,
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
