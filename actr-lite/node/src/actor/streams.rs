use std::{future::Future, sync::Arc};

use actr_lite_wire::{
    frame::DataStream,
    identity::{ActrId, StreamId},
};

use crate::{
    actor::{context::Context, registration::StreamRegistration},
    error::{actr_error::ActrError, dest::Dest},
    session::session_handle::SessionHandle,
    stream::{
        delivery::CallbackDelivery, options::StreamOptions, progress::ProgressCell, send_error::SendError,
        sender::StreamSender, stream_end::StreamEnd, subscription::Subscription, subscriptions::SubscribeError,
    },
    trace::spans,
};

/// Streams to other actors, and from them.
impl Context {
    /// Calls `callback` for each frame of a stream that `sender` is to send: in order, each once. Streams run
    /// concurrently.
    ///
    /// Register before asking for the stream: frames of a stream that is not registered are dropped and counted. So are
    /// frames of any other actor than `sender`. If the callback panics, the stream is unregistered and the sender
    /// stopped.
    ///
    /// The callback runs in the task that reads the connection until it takes longer than 2 ms for the frames of one
    /// batch, and in a task of its own from then on. So one that blocks its thread holds up everything on its connection
    /// once, for as long as it blocks, and only its own stream after that. One that never returns stops its connection:
    /// the peer closes it when it hears nothing, but this node does not see that. If the callback has to wait for
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
        Ok(StreamRegistration::start(
            &self.actor,
            subscription,
            delivery,
            progress,
            self.trace_context().cloned(),
        ))
    }

    /// Ends a stream that this node receives, and stops its sender. Returns false if it was not registered.
    pub fn unregister_stream(&self, stream_id: &StreamId) -> bool {
        let subscriptions = self.actor.subscriptions();
        let inbox = subscriptions.find(stream_id.as_str());
        inbox
            .inspect(|inbox| subscriptions.unsubscribe(inbox, StreamEnd::Cancelled))
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
        let subscriptions = self.actor.subscriptions();
        let streams = self.actor.streams();
        let inbox = subscriptions.insert(stream_id, sender.clone());
        let inbox = inbox.inspect_err(|error| {
            if let SubscribeError::TooMany(limit) = error {
                streams.tally.limit_reached(limit);
            }
        })?;
        let span = spans::receive_stream(inbox.stream_id(), sender);
        streams.tracer.begin(&span, self.trace_context());
        Ok(Subscription::new(
            Arc::clone(subscriptions),
            inbox,
            &streams.meters,
            last,
            span,
        ))
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
        let sender = StreamSender::open(session.uplink(), stream_id, options, self.trace_context())?;
        self.call.opened_stream();
        Ok(sender)
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
            .sender(session.uplink(), &frame.stream_id, self.trace_context())?
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
        let sender = self
            .call
            .direct
            .sender(session.uplink(), stream_id, self.trace_context())?;
        let result = sender.lock().await.finish_here();
        self.call.direct.forget(session.uplink(), stream_id);
        Ok(result?)
    }

    /// A stream belongs to the connection that asked for it: a caller that is gone is not dialled.
    async fn stream_session(&self, dest: &Dest, stream_id: &StreamId) -> Result<SessionHandle, ActrError> {
        let Dest::Actor(peer) = dest else {
            return Err(SendError::Local(stream_id.clone()).into());
        };
        match self.caller_session(peer) {
            Some(session) => match session.uplink().gone() {
                Some(error) => Err(error.into()),
                None => Ok(session),
            },
            None => self.actor.peers.connect(peer).await,
        }
    }
}
