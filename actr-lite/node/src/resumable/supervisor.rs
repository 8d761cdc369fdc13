use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actr_lite_wire::{
    identity::{ActrId, ActrType, StreamId},
    resume::{RESUME_AFTER, Resume, without_failed},
};
use bytes::Bytes;
use tokio::{
    sync::oneshot::error::RecvError,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info};

use crate::{
    actor::{context::Context, registration::StreamRegistration},
    error::{actr_error::ActrError, dest::Dest},
    lane::closing::Closing,
    resumable::{
        broken::Broken,
        options::ResumeOptions,
        resume_error::ResumeError,
        setback::{Setback, is_stopped},
    },
    session::call_options::CallOptions,
    stream::{
        delivery::{Delivered, Delivery},
        progress::ProgressCell,
        stream_end::StreamEnd,
        subscriptions::SubscribeError,
    },
};

/// How long one server may take to be reached and to agree before the next one is asked.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the registry if servers are known from before; after that they are asked.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the log says what it waits for.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How often another server is looked for while the one that sends shuts down.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long to wait, when all frames have arrived, for the sender to say that it has finished: one that does not speak
/// the extension never says so.
const END_GRACE: Duration = Duration::from_secs(1);

/// How often a stream is checked within its idle timeout: an idle one is noticed at most that fraction later.
const LOOKS_PER_IDLE_TIMEOUT: u32 = 4;

/// The request that is sent again, and to whom.
pub(super) struct Request {
    pub(super) server_type: ActrType,
    pub(super) route: &'static str,
    pub(super) payload: Bytes,
}

/// Asks one server after the other until all frames have arrived.
pub(super) struct Supervisor {
    ctx: Context,
    stream_id: StreamId,
    request: Request,
    options: ResumeOptions,
    resume: Resume,
    progress: Arc<ProgressCell>,
    delivery: HeldDelivery,
    /// The servers that the registry named last.
    known: Vec<ActrId>,
    failed: Option<ActrId>,
    told: Option<Instant>,
}

impl Supervisor {
    pub(super) fn new(registration: &StreamRegistration, request: Request, options: ResumeOptions) -> Self {
        Self {
            ctx: Context::uncalled(Arc::clone(registration.actor())),
            stream_id: registration.stream_id().clone(),
            request,
            // Its clock starts with the budget.
            resume: Resume::new(options.budget.timeout(), Duration::ZERO),
            options,
            progress: Arc::clone(registration.progress_cell()),
            delivery: HeldDelivery::default(),
            known: vec![registration.sender().clone()],
            failed: None,
            told: None,
        }
    }

    /// Follows this stream, and those that resume it, until all frames have arrived.
    pub(super) async fn run(mut self, mut stream: StreamRegistration) -> Result<(), ResumeError> {
        while let Some(broken) = self.follow(&mut stream).await? {
            match broken {
                Broken::Ended(StreamEnd::Cancelled) => return Err(ResumeError::Cancelled),
                Broken::Ended(StreamEnd::Stopped) => return Err(ResumeError::Stopped),
                _ => {}
            }
            let (id, last) = (&self.stream_id, self.progress.last());
            let of_all = self
                .progress
                .expected()
                .map_or(String::new(), |frames| format!(" of {frames}"));
            info!("stream {id} stopped after frame {last}{of_all}: {broken}; looking for a server to resume it");
            self.failed = Some(stream.sender().clone());
            self.told = Some(Instant::now());
            match self.find_next(&broken).await? {
                Some(next) => stream = next,
                None => break,
            }
        }
        Ok(())
    }

    /// Waits until one server's stream is over or useless. Returns how it broke, if it is not complete.
    async fn follow(&mut self, stream: &mut StreamRegistration) -> Result<Option<Broken>, ResumeError> {
        let (server, begun_with) = (stream.sender().clone(), stream.begun_with());
        let useless = tokio::select! {
            biased;
            () = long_after(&self.progress) => None,
            delivered = stream.delivered() => {
                let (delivery, end) = passed_on(delivered)?;
                self.delivery.put(delivery);
                Some(Broken::Ended(end))
            }
            broken = self.until_useless(&server, begun_with) => Some(broken),
        };
        if self.delivery.is_none() {
            self.delivery.put(take_back(stream).await?);
        }
        if self.progress.delivered() > begun_with {
            self.resume.progressed();
        }
        let broken = useless.filter(|broken| !self.is_complete_with(broken));
        if broken.is_some() {
            retire(stream);
            self.resume.broke(self.now());
        }
        Ok(broken)
    }

    /// Whether nothing is missing, though the stream is over.
    fn is_complete_with(&self, broken: &Broken) -> bool {
        match (self.progress.expected(), broken) {
            (None, Broken::Ended(StreamEnd::Finished { frames })) => *frames <= self.progress.delivered(),
            _ => self.progress.is_complete(),
        }
    }

    /// Waits until another server is better than the one that has agreed, because that goes away or sends nothing.
    async fn until_useless(&self, server: &ActrId, begun_with: u64) -> Broken {
        tokio::select! {
            () = self.until_left(server) => Broken::Leaving(server.clone()),
            after = self.until_silent(server, begun_with) => {
                Broken::Silent(server.clone(), after, self.partial_len(server))
            }
            after = self.until_idle(begun_with) => Broken::Idle(server.clone(), after),
        }
    }

    /// Waits until the server shuts down and there is another one.
    async fn until_left(&self, server: &ActrId) {
        self.ctx.actor().sessions.departures.of(server).await;
        self.until_other(server).await;
    }

    /// Waits until the server has sent no first frame for too long: another one is better, or there is no more time.
    async fn until_silent(&self, server: &ActrId, begun_with: u64) -> Duration {
        let begin = Instant::now();
        let left = self.resume.left(self.now());
        // Half of it is left for another server, if there is one.
        let share = self.options.first_frame.unwrap_or(left / 2);
        let is_better = async {
            sleep(share).await;
            // What has come of a long frame over a slow link is not thrown away for another try.
            while self.partial_len(server) > 0 {
                sleep(LOOK_EVERY).await;
            }
            self.until_other(server).await;
        };
        tokio::select! {
            biased;
            () = self.progress.progressed_beyond(begun_with) => pending().await,
            () = sleep(left.max(share)) => {}
            () = is_better => {}
        }
        begin.elapsed()
    }

    /// How many bytes have come of a frame that is not whole yet.
    fn partial_len(&self, server: &ActrId) -> usize {
        let session = self.ctx.actor().peers.find(server);
        session.map_or(0, |session| session.partial_len())
    }

    /// Waits until the server has sent nothing for the idle timeout, once it has begun.
    async fn until_idle(&self, begun_with: u64) -> Duration {
        let Some(timeout) = self.options.idle_timeout else {
            return pending().await;
        };
        self.progress.progressed_beyond(begun_with).await;
        let (mut delivered, mut since) = (self.progress.delivered(), Instant::now());
        loop {
            sleep(timeout / LOOKS_PER_IDLE_TIMEOUT).await;
            let now = self.progress.delivered();
            if now > delivered {
                (delivered, since) = (now, Instant::now());
            } else if since.elapsed() >= timeout {
                return since.elapsed();
            }
        }
    }

    /// Waits until there is a server beside this one.
    async fn until_other(&self, server: &ActrId) {
        while !self.finds_other(server).await {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether there is another server to which a connection can be made. One that the registry only believes
    /// to be alive is no reason to give up a running stream.
    async fn finds_other(&self, server: &ActrId) -> bool {
        let found = timeout(DISCOVER_TIMEOUT, self.ctx.discover_all(&self.request.server_type)).await;
        let Ok(Ok(servers)) = found else { return false };
        let peers = &self.ctx.actor().peers;
        for other in servers.iter().filter(|other| *other != server) {
            if let Ok(Ok(_)) = timeout(ASK_TIMEOUT, peers.connect(other)).await {
                return true;
            }
        }
        false
    }

    /// Asks until a server goes on with the stream; `None` if all frames have come meanwhile.
    async fn find_next(&mut self, broken: &Broken) -> Result<Option<StreamRegistration>, ResumeError> {
        let mut cause = None;
        loop {
            let Some(wait) = self.resume.next_try(self.now(), rand::random()) else {
                return Err(ResumeError::TimedOut {
                    timeout: self.options.budget.timeout(),
                    broke: broken.to_string(),
                    cause,
                });
            };
            sleep(wait).await;
            // Another try could tell nothing more than the last one.
            if cause.is_some() && self.left().is_zero() {
                continue;
            }
            let error = match self.ask_servers().await {
                Ok(stream) => return Ok(Some(stream)),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Transient(error)) => error,
            };
            // Frames may have come though the answer did not.
            if self.progress.is_complete() {
                return Ok(None);
            }
            self.tell(&error);
            cause = Some(Box::new(error));
        }
    }

    /// Asks the servers that there are, one after the other, until one agrees.
    ///
    /// The one that failed last is asked only if all others, if there are any, refuse permanently.
    async fn ask_servers(&mut self) -> Result<StreamRegistration, Setback> {
        self.discover().await?;
        let asked = without_failed(self.known.clone(), self.failed.as_ref());
        let left_out = self.known.iter().filter(|server| !asked.contains(server));
        let left_out = left_out.cloned().collect::<Vec<_>>();
        let mut transient = None;
        let mut refusal = None;
        for servers in [asked, left_out] {
            let mut remaining = u32::try_from(servers.len()).unwrap_or(u32::MAX);
            for server in servers {
                // A server that does not answer leaves time for the next ones.
                let timeout = self.left() / remaining;
                remaining -= 1;
                if timeout.is_zero() {
                    break;
                }
                match self.ask_server(&server, timeout.min(ASK_TIMEOUT)).await {
                    Ok(stream) => return Ok(stream),
                    Err(Setback::Transient(error)) if error.is_transient() => transient = Some(error),
                    Err(Setback::Transient(error)) => refusal = Some(error),
                    Err(error) => return Err(error),
                }
                debug!("{server} did not take over stream {}", self.stream_id);
                self.failed = Some(server);
                if self.progress.is_complete() {
                    break;
                }
            }
            if transient.is_some() {
                break;
            }
        }
        match (transient, refusal) {
            (Some(error), _) => Err(Setback::Transient(error)),
            (None, Some(error)) => Err(Setback::Final(error.into())),
            (None, None) => Err(Setback::Transient(self.no_answer())),
        }
    }

    /// Asks the registry for the servers. If it does not answer, those that it named before are kept.
    async fn discover(&mut self) -> Result<(), Setback> {
        if !self.known.is_empty() && self.ctx.actor().discovery.is_down() {
            debug!("the registry is down; asking the servers known from before");
            return Ok(());
        }
        let left = self.left();
        let discover_timeout = if self.known.is_empty() {
            left
        } else {
            DISCOVER_TIMEOUT.min(left / 2)
        };
        let error = match timeout(discover_timeout, self.ctx.discover_all(&self.request.server_type)).await {
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
        if !error.is_transient() {
            return Err(Setback::Final(error.into()));
        }
        let registry_is_silent = !matches!(error, ActrError::Discover(_));
        if registry_is_silent && !self.known.is_empty() {
            debug!("{error}; asking the servers known from before");
            return Ok(());
        }
        Err(Setback::Transient(error))
    }

    fn no_answer(&self) -> ActrError {
        let discovery = &self.ctx.actor().discovery;
        discovery.no_answer(&self.request.server_type, self.options.budget.timeout())
    }

    /// Asks one server, after registering for its frames.
    async fn ask_server(&mut self, server: &ActrId, timeout: Duration) -> Result<StreamRegistration, Setback> {
        let last = self.progress.last();
        let subscription = match self.ctx.subscribe_behind(self.stream_id.clone(), server, last) {
            Ok(subscription) => subscription,
            Err(SubscribeError::Stopped) => return Err(Setback::Final(ResumeError::Stopped)),
            Err(error @ SubscribeError::TooMany(_)) => return Err(Setback::Transient(error.into())),
            Err(error) => return Err(Setback::Final(ResumeError::Refused(error.into()))),
        };
        let delivery = self.delivery.take().ok_or(ResumeError::Stopped)?;
        let progress = Arc::clone(&self.progress);
        let mut stream = StreamRegistration::start(self.ctx.actor(), subscription, delivery, progress);
        let metadata = match last {
            0 => Vec::new(),
            last => vec![(RESUME_AFTER.into(), last.to_string())],
        };
        let dest = Dest::from(server);
        let (route, payload) = (self.request.route, self.request.payload.clone());
        let error = tokio::select! {
            biased;
            answer = self.ctx.exchange(&dest, route, payload, CallOptions { timeout, metadata }) => match answer {
                Ok(_) => {
                    self.progress.add_resume();
                    info!("stream {} resumed at {server} after frame {last}", self.stream_id);
                    return Ok(stream);
                }
                Err(error) => error,
            },
            // A server that sends has agreed, though its answer is late.
            () = long_after(&self.progress) => ActrError::TimedOut { dest: dest.clone(), route: route.into(), after: END_GRACE },
        };
        self.delivery.put(take_back(&mut stream).await?);
        if !self.progress.is_complete() {
            retire(&stream);
        }
        // A server that sends has agreed, though its answer was lost.
        if self.progress.delivered() > stream.begun_with() {
            self.progress.add_resume();
            self.resume.progressed();
            self.resume.broke(self.now());
        }
        if is_stopped(&error) {
            return Err(Setback::Final(ResumeError::Stopped));
        }
        Err(Setback::Transient(error))
    }

    fn tell(&mut self, error: &ActrError) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            info!("waiting for a server of type {}: {error}", self.request.server_type);
        }
    }

    fn left(&self) -> Duration {
        self.resume.left(self.now())
    }

    /// On the clock of the budget.
    fn now(&self) -> Duration {
        self.options.budget.elapsed()
    }
}

/// The delivery while no server's stream has it. Only its owner uses it: the lock is for the compiler, to which
/// a callback is not [`Sync`].
#[derive(Default)]
struct HeldDelivery(Mutex<Option<Box<dyn Delivery>>>);

impl HeldDelivery {
    fn get_mut(&mut self) -> &mut Option<Box<dyn Delivery>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_none(&mut self) -> bool {
        self.get_mut().is_none()
    }

    fn put(&mut self, delivery: Box<dyn Delivery>) {
        *self.get_mut() = Some(delivery);
    }

    fn take(&mut self) -> Option<Box<dyn Delivery>> {
        self.get_mut().take()
    }
}

/// Waits until all frames have arrived, and the sender had time to finish.
async fn long_after(progress: &ProgressCell) {
    progress.completed().await;
    sleep(END_GRACE).await;
}

/// Ends a stream here, which stops its sender, and waits until its callback is done.
async fn take_back(stream: &mut StreamRegistration) -> Result<Box<dyn Delivery>, ResumeError> {
    stream.unregister();
    passed_on(stream.delivered().await).map(|(delivery, _)| delivery)
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
