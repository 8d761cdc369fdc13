//! A client's request for a numbered stream.

use std::{
    future::{Future, ready},
    time::Duration,
};

use actr_lite::{ActrError, ActrRef, Budget, CallOptions, DataStream, ResumableStream, ResumeOptions, StreamId};

use crate::{
    harness::{
        deadline::{BOUND, within},
        stream::stream_id,
    },
    stream_server::{
        reception::Reception,
        seen::Seen,
        server::{push, server_type},
    },
};

/// How many frames a stream has if the test does not say.
pub(crate) const FRAMES: u64 = 10;

/// The id of a stream if the test does not say.
pub(crate) const STREAM: &str = "stream";

/// Longer than any test may take: what waits for its end hangs.
const LONG: Duration = Duration::from_secs(2 * BOUND.as_secs());

/// How soon an application asks again.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// What a client asks for, before it does.
#[derive(Clone)]
pub(crate) struct Request {
    client: ActrRef,
    id: StreamId,
    frames: u64,
    timeout: Duration,
    first_frame: Option<Duration>,
    idle_timeout: Option<Duration>,
}

impl Request {
    /// A stream of [`FRAMES`] frames that is never given up.
    pub(crate) fn of(client: &ActrRef) -> Self {
        Self {
            client: client.clone(),
            id: stream_id(STREAM),
            frames: FRAMES,
            timeout: LONG,
            first_frame: None,
            idle_timeout: None,
        }
    }

    pub(crate) fn id(self, id: &str) -> Self {
        Self {
            id: stream_id(id),
            ..self
        }
    }

    pub(crate) fn frames(self, frames: u64) -> Self {
        Self { frames, ..self }
    }

    /// The budget for all up to the next frame.
    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// A server may take so long to send its first frame.
    pub(crate) fn patient_for_the_first(self) -> Self {
        Self {
            first_frame: Some(LONG),
            ..self
        }
    }

    /// A server that has begun is left if it pauses longer than this.
    pub(crate) fn idle_timeout(self, idle_timeout: Duration) -> Self {
        Self {
            idle_timeout: Some(idle_timeout),
            ..self
        }
    }

    /// Asks until there is a server that agrees.
    pub(crate) async fn receive(self) -> Reception {
        within(self.try_receive()).await.unwrap()
    }

    /// The same, or why there is no such server.
    pub(crate) async fn try_receive(self) -> Result<Reception, ActrError> {
        let (seen, frames) = (Seen::default(), self.frames);
        let noted = seen.clone();
        let callback = move |frame: DataStream| {
            noted.push(&frame);
            ready(())
        };
        let stream = self.ask(callback).await?;
        Ok(Reception { stream, seen, frames })
    }

    /// The same as [`receive`](Self::receive), with a callback of the test's own.
    pub(crate) async fn receive_with<F, Fut>(self, callback: F) -> ResumableStream
    where
        F: FnMut(DataStream) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        within(self.ask(callback)).await.unwrap()
    }

    /// Does what an application does: it discovers a server, registers a callback, and asks; again while that may help.
    async fn ask<F, Fut>(self, callback: F) -> Result<ResumableStream, ActrError>
    where
        F: FnMut(DataStream) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let options = ResumeOptions {
            budget: Budget::new(self.timeout),
            first_frame: self.first_frame,
            idle_timeout: self.idle_timeout,
        };
        loop {
            match self.ask_once(options, callback.clone()).await {
                Err(error) if error.is_transient() && !options.budget.left().is_zero() => {
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                started => return started,
            }
        }
    }

    async fn ask_once<F, Fut>(&self, options: ResumeOptions, callback: F) -> Result<ResumableStream, ActrError>
    where
        F: FnMut(DataStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let ctx = self.client.context();
        let server = ctx.discover(&server_type()).await?;
        let stream = ctx
            .register_stream_async(self.id.clone(), &server, callback)?
            .expect_frames(self.frames);
        let call = CallOptions {
            timeout: options.budget.left(),
            ..CallOptions::default()
        };
        let request = push(self.id.as_str(), self.frames);
        ctx.call_with(&server, request.clone(), call).await?;
        Ok(stream.resume_with(&server_type(), request, options))
    }
}
