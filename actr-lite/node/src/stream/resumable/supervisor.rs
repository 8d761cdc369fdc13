use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use actr_lite_wire::{
    error_code::ErrorCode,
    frame::DataStream,
    identity::{ActrId, ActrType},
    resume::{RESUME_AFTER, Resume, without_failed},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Asking, ResumableRequest, ResumeError,
    attempt::{Attempt, AttemptEnd, Break, Delivery},
    progress::Shared,
    setback::{Setback, is_passing, is_stopped},
};
use crate::{
    ActrError, CallOptions, Context, Dest, SubscribeError, error::humantime, stream::StreamEnd, tasks::contain,
};

/// How long one server may take to be reached and to agree before the next one is asked.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the registry where servers are known from before: they are asked then.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the log says what is being waited for.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How often another server is looked for while the one that sends shuts down.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long to wait, when all frames are in, for the sender to say that it has finished: one that does not speak the
/// extension never says so.
const END_GRACE: Duration = Duration::from_secs(1);

/// How far a resumable stream is.
#[derive(Debug, Clone)]
pub(super) enum Life {
    /// No server has agreed yet.
    Starting,
    /// One has, sometime.
    Live,
    Over {
        was_live: bool,
        result: Result<(), ResumeError>,
    },
}

/// Asks one server after the other until all frames are in.
pub(super) struct Supervisor<A, F> {
    ctx: Context,
    request: ResumableRequest,
    ask: A,
    /// None while an attempt has it.
    delivery: Option<Delivery<F>>,
    shared: Arc<Shared>,
    life: watch::Sender<Life>,
    started: Instant,
    /// The servers that the registry named last.
    known: Vec<ActrId>,
    failed: Option<ActrId>,
    told: Option<Instant>,
}

impl<A, Asked, F, Fut> Supervisor<A, F>
where
    A: Fn(Asking) -> Asked + Send + Sync + 'static,
    Asked: Future<Output = Result<(), ActrError>> + Send + 'static,
    F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    pub(super) fn new(
        ctx: Context,
        request: ResumableRequest,
        ask: A,
        callback: F,
        shared: Arc<Shared>,
        life: watch::Sender<Life>,
    ) -> Self {
        let resume = Resume::new(request.frames, request.patience, Duration::ZERO);
        let delivery = Delivery::new(resume, callback, Arc::clone(&shared));
        Self {
            ctx,
            request,
            ask,
            delivery: Some(delivery),
            shared,
            life,
            started: Instant::now(),
            known: Vec::new(),
            failed: None,
            told: None,
        }
    }

    pub(super) async fn run(mut self) {
        let result = self.receive().await;
        self.life.send_modify(|life| {
            let was_live = matches!(life, Life::Live);
            *life = Life::Over { was_live, result };
        });
    }

    async fn receive(&mut self) -> Result<(), ResumeError> {
        let (mut broke, mut cause) = (None, None);
        loop {
            let now = self.now();
            let wait = self.resume()?.next_try(now, rand::random());
            let Some(wait) = wait else {
                let patience = self.request.patience;
                return Err(ResumeError::NoServer { patience, broke, cause });
            };
            sleep(wait).await;
            // Then there is nothing more to learn than what the last try said.
            if cause.is_some() && self.left()?.is_zero() {
                continue;
            }
            let (server, attempt) = match self.find_sender().await {
                Ok(found) => found,
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Passing(error)) => {
                    let frames = self.request.frames;
                    let resume = self.resume()?;
                    // Frames may have come though the answer did not.
                    if frames > 0 && resume.is_complete() {
                        return Ok(());
                    }
                    self.tell(&error);
                    cause = Some(Box::new(error));
                    continue;
                }
            };
            let live_since = self.now();
            self.life.send_replace(Life::Live);
            let ended = self.follow(&server, attempt, live_since).await?;
            let now = self.now();
            let delivered = {
                let resume = self.resume()?;
                if resume.is_complete() {
                    return Ok(());
                }
                resume.broke(now);
                resume.delivered()
            };
            let end = match ended {
                Break::Ended(StreamEnd::Cancelled) => return Err(ResumeError::Cancelled),
                Break::Ended(StreamEnd::Stopped) => return Err(ResumeError::Stopped),
                end => end,
            };
            let (id, frames) = (&self.request.stream_id, self.request.frames);
            info!("stream {id} stopped after frame {delivered} of {frames}: {end}; looking for a server to go on");
            broke = Some(end.to_string());
            cause = None;
            self.failed = Some(server);
            self.told = Some(Instant::now());
        }
    }

    /// Waits until a server's stream is over, or the server shuts down and there is another one.
    async fn follow(
        &mut self,
        server: &ActrId,
        mut attempt: Attempt<F>,
        live_since: Duration,
    ) -> Result<Break, ResumeError> {
        let node = Arc::clone(self.ctx.node());
        let complete = self.shared.complete.clone();
        self.shared.resumes.store(attempt.resumes(), Relaxed);
        let ended = tokio::select! {
            biased;
            () = complete.cancelled() => timeout(END_GRACE, attempt.ended()).await.ok(),
            ended = attempt.ended() => Some(ended),
            () = node.departures().of(server) => None,
        };
        let ended = match ended {
            None if !complete.is_cancelled() => self.until_other(server, &mut attempt).await,
            ended => ended,
        };
        let (mut delivery, end) = match ended {
            Some(ended) => ended?,
            None => (attempt.give_up().await?, Break::Leaving(server.clone())),
        };
        attempt.retire(&delivery);
        delivery.resume.live(live_since);
        self.delivery = Some(delivery);
        Ok(end)
    }

    /// Waits until there is a server beside this one, or its stream is over.
    async fn until_other(&mut self, server: &ActrId, attempt: &mut Attempt<F>) -> Option<AttemptEnd<F>> {
        let (ctx, server_type) = (&self.ctx, &self.request.server_type);
        let is_found = async {
            while !finds_other(ctx, server_type, server).await {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            ended = attempt.ended() => Some(ended),
            () = long_after(&self.shared.complete) => None,
            () = is_found => None,
        }
    }

    /// Asks the servers that there are, one after the other, until one agrees.
    ///
    /// The one that failed last is asked only where all others, if there are any, refuse for good.
    async fn find_sender(&mut self) -> Result<(ActrId, Attempt<F>), Setback> {
        self.discover().await?;
        let asked = without_failed(self.known.clone(), self.failed.as_ref());
        let left_out = self.known.iter().filter(|server| !asked.contains(server));
        let left_out = left_out.cloned().collect::<Vec<_>>();
        let mut passing = None;
        let mut refusal = None;
        for servers in [asked, left_out] {
            let mut remaining = u32::try_from(servers.len()).unwrap_or(u32::MAX);
            for server in servers {
                // One that does not answer leaves time for those behind it.
                let patience = self.left()? / remaining;
                remaining -= 1;
                if patience.is_zero() {
                    break;
                }
                match self.ask_server(&server, patience.min(ASK_TIMEOUT)).await {
                    Ok(attempt) => return Ok((server, attempt)),
                    Err(Setback::Passing(error)) if is_passing(&error) => passing = Some(error),
                    Err(Setback::Passing(error)) => refusal = Some(error),
                    Err(error) => return Err(error),
                }
                debug!("{server} does not send stream {}", self.request.stream_id);
                self.failed = Some(server);
                if self.shared.complete.is_cancelled() && self.request.frames > 0 {
                    break;
                }
            }
            if passing.is_some() {
                break;
            }
        }
        match (passing, refusal) {
            (Some(error), _) => Err(Setback::Passing(error)),
            (None, Some(error)) => Err(Setback::Final(error.into())),
            (None, None) => Err(Setback::Passing(self.no_answer())),
        }
    }

    /// Has the registry name the servers. If it does not answer, those that it named before are still there.
    async fn discover(&mut self) -> Result<(), Setback> {
        let left = self.left()?;
        if !self.known.is_empty() && self.ctx.node().link().last_error().is_some() {
            debug!("the registry is away; the servers known from before are asked");
            return Ok(());
        }
        let patience = if self.known.is_empty() {
            left
        } else {
            DISCOVER_TIMEOUT.min(left / 2)
        };
        let error = match timeout(patience, self.ctx.discover_all(&self.request.server_type)).await {
            Ok(Ok(servers)) => {
                self.known = servers;
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => self.no_answer(),
        };
        if is_stopped(&error) {
            return Err(Setback::Final(ResumeError::Stopped));
        }
        if !is_passing(&error) {
            return Err(Setback::Final(error.into()));
        }
        let registry_is_silent = !matches!(error, ActrError::Discover(_));
        if registry_is_silent && !self.known.is_empty() {
            debug!("{error}; the servers known from before are asked");
            return Ok(());
        }
        Err(Setback::Passing(error))
    }

    fn no_answer(&self) -> ActrError {
        let message = format!(
            "no server of type {} was found within {}: the registry does not answer",
            self.request.server_type,
            humantime(self.request.patience)
        );
        ActrError::new(ErrorCode::TimedOut, message)
    }

    /// Asks one server. Its frames are waited for before it hears of it.
    async fn ask_server(&mut self, server: &ActrId, patience: Duration) -> Result<Attempt<F>, Setback> {
        let subscription = match self.ctx.subscribe(self.request.stream_id.clone()) {
            Ok(subscription) => subscription,
            Err(SubscribeError::Stopped) => return Err(Setback::Final(ResumeError::Stopped)),
            Err(error @ SubscribeError::TooMany(_)) => return Err(Setback::Passing(error.into())),
            Err(error) => return Err(Setback::Final(ResumeError::Refused(error.into()))),
        };
        subscription.expect_from(server);
        let asked_at = self.now();
        let delivery = self.delivery.take().ok_or(ResumeError::Stopped)?;
        let delivered = delivery.resume.delivered();
        let metadata = match delivered {
            0 => Vec::new(),
            delivered => vec![(RESUME_AFTER.into(), delivered.to_string())],
        };
        let mut attempt = Attempt::start(self.ctx.node(), subscription, delivery);
        let dest = Dest::actor(server.clone());
        let asking = Asking {
            dest: dest.clone(),
            options: CallOptions {
                timeout: patience,
                metadata,
            },
        };
        let timed_out = |after| ActrError::TimedOut {
            dest,
            route: "the request for the stream".into(),
            after,
        };
        let ask = &self.ask;
        let answered = contain(async { ask(asking).await });
        let needs_no_answer = self.request.frames > 0;
        let error = tokio::select! {
            biased;
            answer = answered => match answer {
                Ok(Ok(())) => {
                    if delivered > 0 {
                        let id = &self.request.stream_id;
                        info!("stream {id} goes on at {server} after frame {delivered}");
                    }
                    return Ok(attempt);
                }
                Ok(Err(error)) => error,
                Err(panic) => return Err(Setback::Final(ResumeError::Panicked(panic))),
            },
            () = sleep(patience) => timed_out(patience),
            () = long_after(&self.shared.complete), if needs_no_answer => timed_out(END_GRACE),
        };
        let mut delivery = attempt.give_up().await?;
        attempt.retire(&delivery);
        // Who sends has agreed, though its answer was lost.
        if delivery.resume.delivered() > delivered {
            delivery.resume.live(asked_at);
            delivery.resume.broke(self.now());
            self.shared.resumes.store(delivery.resume.resumes(), Relaxed);
            self.life.send_replace(Life::Live);
        }
        self.delivery = Some(delivery);
        if is_stopped(&error) {
            return Err(Setback::Final(ResumeError::Stopped));
        }
        Err(Setback::Passing(error))
    }

    fn tell(&mut self, error: &ActrError) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            info!("waiting for a server of type {}: {error}", self.request.server_type);
        }
    }

    fn resume(&mut self) -> Result<&mut Resume, ResumeError> {
        let delivery = self.delivery.as_mut().ok_or(ResumeError::Stopped)?;
        Ok(&mut delivery.resume)
    }

    fn left(&mut self) -> Result<Duration, ResumeError> {
        let now = self.now();
        Ok(self.resume()?.left(now))
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Waits until all frames are in, and the sender had time to say what it has to say.
async fn long_after(complete: &CancellationToken) {
    complete.cancelled().await;
    sleep(END_GRACE).await;
}

/// Whether there is a server beside this one to which a connection can be made: one that the registry only believes to
/// be alive is not worth giving up a stream that goes on.
async fn finds_other(ctx: &Context, server_type: &ActrType, server: &ActrId) -> bool {
    let found = timeout(DISCOVER_TIMEOUT, ctx.discover_all(server_type)).await;
    let Ok(Ok(servers)) = found else { return false };
    let node = ctx.node();
    for other in servers.iter().filter(|other| *other != server) {
        if let Ok(Ok(_)) = timeout(ASK_TIMEOUT, node.sessions().to(node, other)).await {
            return true;
        }
    }
    false
}
