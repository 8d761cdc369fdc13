//! Servers of one type that do with requests for a numbered stream what they are told, and a receiver for it.

use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use actr_lite::{
    ActrError, ActrRef, ActrType, Budget, CallOptions, Context, DataStream, Dest, ErrorCode, ResumableStream,
    ResumeOptions, SendError, StreamId, StreamOptions,
};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    deadline::{BOUND, until},
    messages::{Answer, Push},
    node_plan::NodePlan,
    stream::{caller, stream_id},
    world::World,
};

/// The name in the type of all these servers.
pub(crate) const SERVER: &str = "Server";

/// Longer than any test may take: what waits for its end hangs.
pub(crate) const LONG: Duration = Duration::from_secs(2 * BOUND.as_secs());

/// How soon an application asks again.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// One request for a stream.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// How many came before it.
    pub(crate) before: usize,
    /// The frame that the caller says it has.
    pub(crate) after: u64,
    /// How many frames the stream has.
    pub(crate) frames: u64,
}

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Conduct {
    /// It answers, and sends.
    Send(Sending),
    /// It sends, and answers when all that is sent.
    SendFirst(Sending),
    /// It sends, and never answers.
    SendUnanswered(Sending),
    Refuse(ErrorCode, &'static str),
}

/// Frames of these numbers, and then?
#[derive(Clone)]
pub(crate) struct Sending(pub(crate) Vec<u64>, pub(crate) Then);

#[derive(Clone)]
pub(crate) enum Then {
    Finish,
    BreakOff,
    /// Nothing, until the receiver cancels it.
    Hold,
    /// Nothing, until it is told, whatever the receiver says.
    Linger(CancellationToken),
    /// It goes on when it is told, with these.
    Wait(CancellationToken, Box<Sending>),
}

impl Asked {
    /// The stream from where the caller is to its end.
    pub(crate) fn rest(self) -> Conduct {
        self.send(self.frames, Then::Finish)
    }

    /// From where the caller is up to a number.
    pub(crate) fn send(self, last: u64, then: Then) -> Conduct {
        Conduct::Send(Sending((self.after + 1..=last).collect(), then))
    }
}

/// What a server was asked, and how the streams ended that its receiver did not want to the end.
#[derive(Default)]
pub(crate) struct Log {
    asked: Mutex<Vec<u64>>,
    stopped: Mutex<Vec<SendError>>,
}

impl Log {
    /// Behind which frame, for each request.
    pub(crate) fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn stopped(&self) -> Vec<SendError> {
        self.stopped.lock().unwrap().clone()
    }
}

/// A server that does what the script says.
pub(crate) fn server(world: &World, script: impl Fn(Asked) -> Conduct + Send + Sync + 'static) -> (NodePlan, Arc<Log>) {
    let log = Arc::new(Log::default());
    let script_log = Arc::clone(&log);
    let plan = world.node(SERVER).echo().on(move |push: Push, ctx: Context| {
        let log = Arc::clone(&script_log);
        let after = ctx.resume_after();
        let conduct = after.map(|after| {
            let mut asked = log.asked.lock().unwrap();
            asked.push(after);
            script(Asked {
                before: asked.len() - 1,
                after,
                frames: push.number,
            })
        });
        async move {
            let id = stream_id(&push.text);
            match conduct? {
                Conduct::Refuse(code, text) => return Err(ActrError::new(code, text)),
                Conduct::Send(sending) => {
                    let outgoing = Outgoing::open(&ctx, &id, &sending.0).await?;
                    ctx.spawn(outgoing.send(sending, log));
                }
                Conduct::SendFirst(sending) => Outgoing::open(&ctx, &id, &sending.0).await?.send(sending, log).await,
                Conduct::SendUnanswered(sending) => {
                    let outgoing = Outgoing::open(&ctx, &id, &sending.0).await?;
                    ctx.spawn(outgoing.send(sending, log));
                    pending().await
                }
            }
            Ok(Answer::default())
        }
    });
    (plan, log)
}

/// A stream that leaves out numbers goes frame by frame, any other as a whole.
enum Outgoing {
    Whole(actr_lite::StreamSender),
    Single(Context, Dest, StreamId),
}

impl Outgoing {
    async fn open(ctx: &Context, id: &StreamId, numbers: &[u64]) -> Result<Self, ActrError> {
        let dest = caller(ctx);
        if numbers.windows(2).any(|pair| pair[1] != pair[0] + 1) {
            return Ok(Self::Single(ctx.clone(), dest, id.clone()));
        }
        let options = StreamOptions {
            resume_after: numbers.first().map_or(0, |first| first - 1),
            ..StreamOptions::default()
        };
        ctx.open_stream_with(&dest, id.clone(), options).await.map(Self::Whole)
    }

    async fn send(mut self, mut sending: Sending, log: Arc<Log>) {
        loop {
            let Sending(numbers, then) = sending;
            for number in numbers {
                let payload = number.to_string();
                let sent = match &mut self {
                    Self::Whole(sender) => sender.send(payload).await.map_err(ActrError::from),
                    Self::Single(ctx, dest, id) => {
                        ctx.send_stream(&*dest, &DataStream::new(id.clone(), number, payload))
                            .await
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
            let Self::Whole(sender) = self else { return };
            match then {
                Then::Finish => return drop(sender.finish().await),
                Then::BreakOff => return,
                Then::Hold => {
                    let error = sender.closed().await;
                    return log.stopped.lock().unwrap().push(error);
                }
                Then::Linger(told) => return told.cancelled().await,
                Then::Wait(told, next) => {
                    tokio::select! {
                        () = told.cancelled() => sending = *next,
                        error = sender.closed() => return log.stopped.lock().unwrap().push(error),
                    }
                    self = Self::Whole(sender);
                }
            }
        }
    }
}

/// The numbers that a callback got.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<u64>>>);

impl Seen {
    pub(crate) fn push(&self, frame: &DataStream) {
        assert_eq!(frame.payload, frame.sequence.to_string());
        self.0.lock().unwrap().push(frame.sequence);
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for the frame of this number.
    pub(crate) async fn last_is(&self, number: u64) {
        until(|| async { (self.numbers().last() == Some(&number)).then_some(()) }).await;
    }

    /// That all frames came, once and in order.
    pub(crate) fn assert_all(&self, frames: u64) {
        assert_eq!(self.numbers(), (1..=frames).collect::<Vec<_>>());
    }
}

/// The type of all these servers.
pub(crate) fn server_type() -> ActrType {
    format!("acme+{SERVER}").parse().unwrap()
}

/// What asks a server for a stream.
pub(crate) fn push(id: &str, frames: u64) -> Push {
    Push {
        text: id.into(),
        number: frames,
        ..Push::default()
    }
}

/// A stream whose callback notes what it gets.
pub(crate) async fn receive(
    client: &ActrRef,
    id: &str,
    frames: u64,
    timeout: Duration,
    seen: &Seen,
) -> Result<ResumableStream, ActrError> {
    let seen = seen.clone();
    let callback = move |frame: DataStream| {
        seen.push(&frame);
        std::future::ready(())
    };
    receive_with(client, id, frames, timeout, callback).await
}

/// Does what an application does: it discovers a server, registers a callback, and asks; again while that may help.
pub(crate) async fn receive_with<F, Fut>(
    client: &ActrRef,
    id: &str,
    frames: u64,
    timeout: Duration,
    callback: F,
) -> Result<ResumableStream, ActrError>
where
    F: FnMut(DataStream) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let options = ResumeOptions::new(Budget::new(timeout));
    receive_options(client, id, frames, options, callback).await
}

pub(crate) async fn receive_options<F, Fut>(
    client: &ActrRef,
    id: &str,
    frames: u64,
    options: ResumeOptions,
    callback: F,
) -> Result<ResumableStream, ActrError>
where
    F: FnMut(DataStream) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    loop {
        match start(client.context(), id, frames, options, callback.clone()).await {
            Err(error) if error.is_transient() && !options.budget.left().is_zero() => {
                tokio::time::sleep(RETRY_EVERY).await;
            }
            started => return started,
        }
    }
}

async fn start<F, Fut>(
    ctx: &Context,
    id: &str,
    frames: u64,
    options: ResumeOptions,
    callback: F,
) -> Result<ResumableStream, ActrError>
where
    F: FnMut(DataStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let server = ctx.discover(&server_type()).await?;
    let stream = ctx
        .register_stream_async(stream_id(id), &server, callback)?
        .expect_frames(frames);
    let call = CallOptions {
        timeout: options.budget.left(),
        ..CallOptions::default()
    };
    ctx.call_with(&server, push(id, frames), call).await?;
    Ok(stream.resume_with(&server_type(), push(id, frames), options))
}
