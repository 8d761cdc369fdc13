use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actr_lite_engine::resumption::{Action, Broken, End, Event, Failure, GiveUp, Resumption, Seen, Unnamed};
use actr_lite_registry_client::RegistryLinkError;
use actr_lite_wire::{
    identity::{ActrId, ActrType, StreamId},
    resume,
};
use bytes::Bytes;
use futures_util::future::{BoxFuture, OptionFuture};
use tokio::{
    sync::oneshot::error::RecvError,
    time::{sleep, timeout},
};
use tracing::{debug, info};

use crate::{
    actor::{context::Context, registration::StreamRegistration},
    error::{actr_error::ActrError, dest::Dest},
    lane::closing::Closing,
    resumable::{broken::Told, options::ResumeOptions, resume_error::ResumeError},
    session::call_options::CallOptions,
    stream::{
        delivery::{Delivered, Delivery},
        progress::ProgressCell,
        stream_end::StreamEnd,
        subscriptions::SubscribeError,
    },
};

/// How often the log says what it waits for.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The request that is sent again, and to whom.
pub(super) struct Request {
    pub(super) server_type: ActrType,
    pub(super) route: &'static str,
    pub(super) payload: Bytes,
}

/// What comes of a question, to the registry or to a server.
type Answer = Event<StreamEnd, ActrError>;

/// Does what a [`Resumption`] decides: asks one server after the other until all frames have arrived.
pub(super) struct Supervisor {
    ctx: Context,
    stream_id: StreamId,
    request: Arc<Request>,
    options: ResumeOptions,
    progress: Arc<ProgressCell>,
    resumption: Resumption<StreamEnd, ActrError>,
    /// The present server's stream.
    stream: Option<StreamRegistration>,
    /// The number of the frame behind which it was asked for.
    behind: u64,
    /// What hands the frames over, while no server's stream has it.
    delivery: Option<Box<dyn Delivery>>,
    /// The question that is under way.
    question: Option<BoxFuture<'static, Answer>>,
    told: Instant,
}

impl Supervisor {
    pub(super) fn new(stream: StreamRegistration, request: Request, options: ResumeOptions) -> Self {
        let progress = Arc::clone(stream.progress_cell());
        let (server, begun_with) = (stream.sender().clone(), stream.begun_with());
        let limits = options.limits();
        Self {
            ctx: Context::caused_by(Arc::clone(stream.actor()), stream.trace().cloned()),
            stream_id: stream.stream_id().clone(),
            request: Arc::new(request),
            // Its clock starts with the budget.
            resumption: Resumption::agreed(limits, progress.expected(), Duration::ZERO, server, begun_with),
            options,
            progress,
            stream: Some(stream),
            behind: 0,
            delivery: None,
            question: None,
            told: Instant::now(),
        }
    }

    /// Follows this stream, and those that resume it, until all frames have arrived.
    pub(super) async fn run(mut self) -> Result<(), ResumeError> {
        loop {
            let (now, seen) = (self.options.budget.elapsed(), self.seen());
            match self.resumption.poll(now, seen, rand::random()) {
                Action::Discover { timeout } => self.question = Some(self.discover(timeout)),
                Action::Connect { server, timeout } => self.question = Some(self.connect(server, timeout)),
                Action::Ask { server, timeout } => self.ask(server, timeout)?,
                Action::Release => self.release().await?,
                Action::TookOver(server) => {
                    self.progress.add_resume();
                    let tally = &self.ctx.actor().streams().tally;
                    tally.stream_resumed(&self.stream_id, &server);
                    let (id, behind) = (&self.stream_id, self.behind);
                    info!(stream = %id, peer = %server, frame = behind, "resumed after frame {behind}");
                }
                Action::Broke(broken) => self.broke(&broken),
                Action::Wait(until) => self.wait(until).await?,
                Action::Complete => return Ok(()),
                Action::GiveUp(why) => return Err(self.given_up(why)),
            }
        }
    }

    fn seen(&self) -> Seen {
        let actor = self.ctx.actor();
        let session = self.resumption.server().and_then(|server| actor.peers.find(server));
        Seen {
            delivered: self.progress.delivered(),
            partial_len: session.map_or(0, |session| session.partial_len()),
            registry_is_away: actor.discovery.is_down(),
        }
    }

    /// Waits until there is something to decide.
    async fn wait(&mut self, until: Option<Duration>) -> Result<(), ResumeError> {
        self.tell();
        let left = until.map(|until| until.saturating_sub(self.options.budget.elapsed()));
        let leaves = self.stream.as_ref().map(|stream| stream.sender().clone());
        let leaves = leaves.filter(|_| !self.resumption.is_leaving());
        let sends = self.stream.as_mut().filter(|_| self.delivery.is_none());
        let event = tokio::select! {
            biased;
            Some(delivered) = OptionFuture::from(sends.map(StreamRegistration::delivered)) => {
                let (delivery, end) = passed_on(delivered)?;
                self.delivery = Some(delivery);
                Event::Ended(kind_of(&end), end)
            }
            Some(event) = OptionFuture::from(self.question.as_mut()) => {
                self.question = None;
                event
            }
            Some(()) = OptionFuture::from(leaves.as_ref().map(|server| self.ctx.actor().sessions.departures.of(server))) => {
                Event::Leaves
            }
            () = self.progress.completed(), if !self.progress.is_complete() => return Ok(()),
            Some(()) = OptionFuture::from(left.map(sleep)) => return Ok(()),
            else => return Err(ResumeError::Stopped),
        };
        self.resumption.handle(event);
        Ok(())
    }

    fn discover(&self, after: Duration) -> BoxFuture<'static, Answer> {
        let (ctx, request) = (self.ctx.clone(), Arc::clone(&self.request));
        let budget = self.options.budget.timeout();
        Box::pin(async move {
            let server_type = &request.server_type;
            let error = match timeout(after, ctx.discover_all(server_type)).await {
                Ok(Ok(servers)) => return Event::Named(servers),
                Ok(Err(error)) => error,
                Err(_) => ctx.actor().discovery.no_answer(server_type, budget),
            };
            debug!(%server_type, reason = %error, "no server is named");
            let why = match &error {
                error if !error.is_transient() => Unnamed::Final,
                ActrError::Discover(_) => Unnamed::NoServer,
                _ => Unnamed::Silent,
            };
            Event::Unnamed(why, error)
        })
    }

    fn connect(&self, server: ActrId, after: Duration) -> BoxFuture<'static, Answer> {
        let actor = Arc::clone(self.ctx.actor());
        Box::pin(async move {
            match timeout(after, actor.peers.connect(&server)).await {
                Ok(Ok(_)) => Event::Connected,
                _ => Event::Unreachable,
            }
        })
    }

    /// Asks one server, after registering for its frames.
    fn ask(&mut self, server: ActrId, timeout: Duration) -> Result<(), ResumeError> {
        self.behind = self.progress.last();
        let subscription = match self.ctx.subscribe_behind(self.stream_id.clone(), &server, self.behind) {
            Ok(subscription) => subscription,
            Err(error) => {
                let failure = match error {
                    SubscribeError::TooMany(_) => Failure::Transient,
                    _ => Failure::Final,
                };
                self.resumption.handle(Event::Failed(failure, error.into()));
                return Ok(());
            }
        };
        let delivery = self.delivery.take().ok_or(ResumeError::Stopped)?;
        let progress = Arc::clone(&self.progress);
        let stream = StreamRegistration::start(
            self.ctx.actor(),
            subscription,
            delivery,
            progress,
            self.ctx.trace_context().cloned(),
        );
        self.stream = Some(stream);
        let (ctx, request) = (self.ctx.clone(), Arc::clone(&self.request));
        let metadata = resume::metadata(self.behind);
        self.question = Some(Box::pin(async move {
            let (dest, payload) = (Dest::from(&server), request.payload.clone());
            let options = CallOptions { timeout, metadata };
            let Err(error) = ctx.exchange(&dest, request.route, payload, options).await else {
                return Event::Agreed;
            };
            debug!(peer = %server, reason = %error, "the stream is not taken over");
            let failure = match &error {
                error if is_stopped(error) => Failure::Final,
                error if error.is_transient() => Failure::Transient,
                _ => Failure::Refused,
            };
            Event::Failed(failure, error)
        }));
        Ok(())
    }

    /// Ends the present stream here, which stops its sender, and waits until its callback is done.
    async fn release(&mut self) -> Result<(), ResumeError> {
        self.question = None;
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        if self.delivery.is_none() {
            stream.unregister();
            let (delivery, _) = passed_on(stream.delivered().await)?;
            self.delivery = Some(delivery);
        }
        if !self.progress.is_complete() {
            retire(&stream);
        }
        Ok(())
    }

    fn broke(&mut self, broken: &Broken<StreamEnd>) {
        let (id, last, broken) = (&self.stream_id, self.progress.last(), Told(broken));
        let expected = self.progress.expected();
        let of_all = expected.map_or(String::new(), |frames| format!(" of {frames}"));
        info!(stream = %id, frame = last, reason = %broken, "stopped after frame {last}{of_all}; looking for a server to resume it");
        self.told = Instant::now();
    }

    fn tell(&mut self) {
        if let Some(error) = self.resumption.cause()
            && self.told.elapsed() >= TELL_EVERY
        {
            self.told = Instant::now();
            info!(server_type = %self.request.server_type, reason = %error, "waiting for a server");
        }
    }

    fn given_up(&self, why: GiveUp<StreamEnd, ActrError>) -> ResumeError {
        match why {
            GiveUp::TimedOut { broken, cause } => ResumeError::TimedOut {
                timeout: self.options.budget.timeout(),
                broke: broken.map_or(String::new(), |broken| Told(&broken).to_string()),
                cause: cause.map(Box::new),
            },
            GiveUp::Refused(error) if is_stopped(&error) => ResumeError::Stopped,
            GiveUp::Refused(error) => ResumeError::Refused(error),
            GiveUp::Ended(StreamEnd::Stopped) => ResumeError::Stopped,
            GiveUp::Ended(_) => ResumeError::Cancelled,
        }
    }
}

fn kind_of(end: &StreamEnd) -> End {
    match end {
        StreamEnd::Finished { frames } => End::Finished { frames: *frames },
        StreamEnd::Cancelled | StreamEnd::Stopped => End::Unwanted,
        _ => End::Broken,
    }
}

/// Whether the error means that this node stops.
fn is_stopped(error: &ActrError) -> bool {
    matches!(
        error,
        ActrError::Stopping
            | ActrError::Registry(RegistryLinkError::Stopped)
            | ActrError::Subscribe(SubscribeError::Stopped)
    )
}

/// What handed a stream's frames over, and how the stream ended.
fn passed_on(delivered: Result<Delivered, RecvError>) -> Result<(Box<dyn Delivery>, StreamEnd), ResumeError> {
    match delivered {
        Ok(Ok(passed_on)) => Ok(passed_on),
        Ok(Err(panic)) => Err(ResumeError::Panicked(panic)),
        Err(_) => Err(ResumeError::Stopped),
    }
}

/// Makes sure that no more frames of an incomplete stream arrive. A sender that knows no cancel goes on over its
/// connection, and its frames would be taken for those of the next sender. So the connection is closed.
fn retire(stream: &StreamRegistration) {
    if let Some(source) = stream.inbox().source()
        && !source.lane().has_control()
    {
        source.close(Closing::Uncancellable);
    }
}
