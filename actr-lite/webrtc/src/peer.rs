//! All sessions with one peer, one after the other.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use actr_lite_engine::{memory::Memory, upgrade::offer::Agreed};
use actr_lite_wire::websocket::CloseFrame;
use bytes::Bytes;
use str0m::Candidate;

use crate::{
    assembly::Assembly,
    candidates::Candidates,
    channel::Channel,
    session::{Outcome, Session, is_dtls},
    signal::{Description, Signal},
};
pub use crate::{
    certificate::{Certificate, NoCertificate},
    datagram::Datagram,
};

/// How long the registry may take to say who offers (actr 0.4.21).
pub const ROLE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the peer may take to offer (actr 0.4.21).
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an offer may take until there is a session: official nodes give up after 12 s.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(12);

/// How long the channels may take once there is a path. DTLS that stays half-open does not heal; an official node waits
/// for 2 s.
pub const CHANNEL_TIMEOUT: Duration = Duration::from_secs(3);

/// How long nothing comes until the path counts as gone. Both sides check it every 1.5 s or 2 s, whatever else they send.
pub const SILENCE: Duration = Duration::from_secs(6);

/// How long a path that is gone is looked for, until the session ends: with [`SILENCE`], less than 10 s after it broke.
pub const RECOVERY_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the peer may take with what was sent, before the session is closed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long saying good-bye may take.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The pauses before a session is tried again (actr 0.4.21).
pub const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long a session or an offer is taken for new: if both ask the registry at once, it tells each twice who offers. The
/// second time is not another question.
const NEW: Duration = Duration::from_secs(1);

/// How many bytes of records may wait to be taken, until what brings more is dropped, as by a path that is too narrow: SCTP
/// sends it again, more slowly each time.
pub const MAX_BACKLOG: usize = 1 << 20;

/// What is longer than this carries data; what is shorter mostly says what has come, and lets this side go on sending.
const SMALL_DATAGRAM: usize = 200;

/// What a peer's sessions are made of.
pub struct Setup<M> {
    /// Who this node is to DTLS.
    pub certificate: Certificate,
    /// When the times that are told begin.
    pub epoch: Instant,
    /// Whether this node's offer counts when both offer at once; it must be different at both ends.
    pub is_first: bool,
    /// Random: no other node's exchanges are called like this one's.
    pub seed: u64,
    /// The longest record that this node takes.
    pub max_record_len: usize,
    /// What counts the memory that a session's records take.
    pub memory: Box<dyn Fn() -> M + Send>,
}

/// The sessions with one peer: at most one at a time, made by either side, replaced by the peer's next offer.
pub struct Peer<M> {
    setup: Setup<M>,
    stage: Stage,
    since: Duration,
    /// When the last datagram of the session came.
    heard: Duration,
    session: Option<Session<M>>,
    is_wanted: bool,
    failures: usize,
    exchanges: u64,
    locals: Vec<SocketAddr>,
    candidates: Candidates,
    signals: VecDeque<Signal>,
    events: VecDeque<Event>,
    backlog: usize,
    /// Why this side closes; gone once it is said.
    closing: Option<CloseFrame>,
    /// Why the peer closes.
    goodbye: Option<CloseFrame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is no session, and nobody wants one.
    Idle,
    /// The registry was asked who offers.
    Asking { until: Duration },
    /// The peer is to offer.
    Awaiting { until: Duration },
    /// Something was offered or answered.
    Connecting { until: Duration },
    /// A channel is open.
    Ready,
    /// The path is gone.
    Recovering { until: Duration },
    /// The next try begins then.
    Pausing { until: Duration },
    /// The session is closed once the peer has all that was sent.
    Draining { until: Duration },
    /// The session is being closed.
    Closing { until: Duration },
}

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// There is a session, on which this was agreed.
    Ready(Agreed),
    /// What has come: with the extension any number of records, otherwise one; each with a record's header.
    Record(Bytes),
    /// The session's path is gone. What is queued is kept.
    Recovering,
    /// It is back.
    Recovered,
    /// The session that was ready has ended.
    Ended(String),
    /// The same, and the peer says why it has closed it.
    Closed(CloseFrame),
    /// There is no session, after all retries.
    Failed(String),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Transmit(Datagram),
    /// Tell the peer this, over the registry.
    Signal(Signal),
    /// Poll again at this time, if there is one, or after anything else was told.
    Wait(Option<Duration>),
}

impl<M: Memory> Peer<M> {
    /// There is no session yet.
    pub fn new(setup: Setup<M>) -> Self {
        Self {
            setup,
            stage: Stage::Idle,
            since: Duration::ZERO,
            heard: Duration::ZERO,
            session: None,
            is_wanted: false,
            failures: 0,
            exchanges: 0,
            locals: Vec::new(),
            candidates: Candidates::default(),
            signals: VecDeque::new(),
            events: VecDeque::new(),
            backlog: 0,
            closing: None,
            goodbye: None,
        }
    }

    /// A session is wanted: [`Event::Ready`] or [`Event::Failed`] comes.
    pub fn connect(&mut self, now: Duration) {
        match self.stage {
            Stage::Ready | Stage::Recovering { .. } => return,
            Stage::Idle if !self.is_wanted => self.ask(now),
            _ => {}
        }
        self.is_wanted = true;
    }

    /// Whether there is no session, and none is being made.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// Whether there is a session over which records go.
    pub fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::Recovering { .. })
    }

    /// An address of this host at which datagrams are taken.
    pub fn add_local(&mut self, address: SocketAddr) {
        if self.locals.contains(&address) {
            return;
        }
        self.locals.push(address);
        let added = self.session.as_mut().and_then(|session| session.add_local(address));
        if let Some(candidate) = added {
            let generation = None;
            self.signals.push_back(Signal::Candidate { candidate, generation });
        }
    }

    /// Takes note of what the peer, or the registry, has said.
    pub fn signal(&mut self, signal: Signal, now: Duration) {
        match signal {
            Signal::AskRole => {}
            Signal::Role { is_offerer } => self.assigned(is_offerer, now),
            Signal::Offer(offer) => self.offered(offer, now),
            Signal::Reoffer(offer) => self.offered_again(offer, now),
            Signal::Answer(answer) => self.answered(&answer, now),
            Signal::AskRestart => {
                if self.is_ready() {
                    self.restart();
                }
            }
            Signal::Candidate { candidate, generation } => {
                // What can't be used, an mDNS name say, is no fault of the peer's.
                if let Ok(mut candidate) = Candidate::from_sdp_string(&candidate) {
                    if let Some(generation) = &generation {
                        candidate.set_ufrag(generation);
                    }
                    self.candidates.add(candidate, generation);
                    self.use_candidates();
                }
            }
        }
    }

    /// The registry can't pass on what was said.
    pub fn refused(&mut self, reason: &str, now: Duration) {
        if let Stage::Asking { .. } = self.stage {
            self.failures = PAUSES.len();
            self.failed(reason, now);
        }
    }

    /// Takes a datagram that has come to one of the [addresses of this host](Self::add_local).
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], now: Duration) {
        let is_dropped = match self.backlog {
            ..=MAX_BACKLOG => false,
            backlog => is_dtls(bytes) && (bytes.len() > SMALL_DATAGRAM || backlog > 2 * MAX_BACKLOG),
        };
        let Some(session) = self.session.as_mut().filter(|_| !is_dropped) else {
            return;
        };
        match session.receive(from, to, bytes, now) {
            Err(error) => self.ended(&error, now),
            Ok(false) => {}
            Ok(true) => {
                self.heard = now;
                if let Stage::Recovering { .. } = self.stage {
                    self.enter(Stage::Ready, now);
                    self.events.push_back(Event::Recovered);
                }
            }
        }
    }

    /// Sends a message, if there is room for it now. Any datagram that comes may make some.
    ///
    /// False also for a channel that is not open yet.
    pub fn write(&mut self, channel: Channel, message: &[u8], now: Duration) -> bool {
        let written = match &mut self.session {
            Some(session) if matches!(self.stage, Stage::Ready) => session.write(channel, message),
            _ => return false,
        };
        written.unwrap_or_else(|error| {
            self.ended(&error, now);
            false
        })
    }

    /// Closes the session once the peer has all that was sent; the peer is told, and why, if it takes control records.
    /// [`Event::Ended`] comes once all is sent.
    pub fn close(&mut self, reason: CloseFrame, now: Duration) {
        self.is_wanted = false;
        self.closing = Some(reason);
        let stage = match self.session {
            Some(_) => Stage::Draining {
                until: now + DRAIN_TIMEOUT,
            },
            None => Stage::Idle,
        };
        self.enter(stage, now);
    }

    /// Whether the session is being closed.
    pub fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. } | Stage::Closing { .. })
    }

    /// What has happened since.
    pub fn event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let Event::Record(record) = &event {
            self.backlog -= record.len();
        }
        Some(event)
    }

    /// What to do now.
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return Output::Signal(signal);
            }
            let due = match self.stage {
                Stage::Asking { until } => Some((until, "the registry does not say who offers")),
                Stage::Awaiting { until } => Some((until, "it does not offer")),
                Stage::Connecting { until } => Some((until, "no session with it in time")),
                Stage::Recovering { until } => Some((until, "its path is gone")),
                Stage::Pausing { until } => Some((until, "")),
                Stage::Ready => Some((self.heard + SILENCE, "")),
                Stage::Draining { until } => Some((until, "")),
                Stage::Closing { until } => Some((until, "it is closed")),
                Stage::Idle => None,
            };
            if let (Stage::Draining { until }, Some(session)) = (self.stage, &mut self.session)
                && (until <= now || session.unsent() == 0)
            {
                if let Some(reason) = self.closing.take() {
                    session.say_goodbye(&reason);
                    continue;
                }
                session.close();
                self.enter(
                    Stage::Closing {
                        until: now + CLOSE_TIMEOUT,
                    },
                    now,
                );
                continue;
            }
            match (due, self.stage) {
                (Some((until, _)), Stage::Ready) if until <= now => {
                    self.recover(now);
                    continue;
                }
                (Some((until, _)), Stage::Pausing { .. }) if until <= now => {
                    self.ask(now);
                    continue;
                }
                (Some((until, reason)), _) if until <= now => {
                    self.ended(reason, now);
                    continue;
                }
                _ => {}
            }
            let Some(session) = &mut self.session else {
                return Output::Wait(due.map(|(until, _)| until));
            };
            match session.poll(now) {
                Outcome::Transmit(datagram) => return Output::Transmit(datagram),
                Outcome::Wait(until) => {
                    return Output::Wait(due.map_or(Some(until), |(due, _)| Some(due.min(until))));
                }
                Outcome::Open => self.opened(now),
                Outcome::Path => {
                    if let Stage::Connecting { until } = self.stage {
                        let until = until.min(now + CHANNEL_TIMEOUT);
                        self.stage = Stage::Connecting { until };
                    }
                }
                Outcome::Record(record) => {
                    self.backlog += record.len();
                    self.events.push_back(Event::Record(record));
                }
                Outcome::Goodbye(reason) => self.goodbye = Some(reason),
                Outcome::Ended(reason) => self.ended(&reason, now),
            }
        }
    }

    fn ask(&mut self, now: Duration) {
        self.signals.push_back(Signal::AskRole);
        self.enter(
            Stage::Asking {
                until: now + ROLE_TIMEOUT,
            },
            now,
        );
    }

    fn enter(&mut self, stage: Stage, now: Duration) {
        self.stage = stage;
        self.since = now;
    }

    fn assembly(&self) -> Assembly<M> {
        Assembly::new(self.setup.max_record_len, (self.setup.memory)())
    }

    fn next_exchange(&mut self) -> String {
        self.exchanges += 1;
        format!("{:016x}-{}", self.setup.seed, self.exchanges)
    }

    /// The registry says who offers, because this node or the peer has asked.
    fn assigned(&mut self, is_offerer: bool, now: Duration) {
        let is_new = now < self.since + NEW;
        match (self.stage, is_offerer) {
            (Stage::Asking { .. }, false) => self.enter(
                Stage::Awaiting {
                    until: now + OFFER_TIMEOUT,
                },
                now,
            ),
            (_, false) => {}
            (Stage::Connecting { .. } | Stage::Ready | Stage::Recovering { .. }, true) if is_new => {}
            // The peer would not ask if it had a session.
            (_, true) => self.offer(now),
        }
    }

    fn offer(&mut self, now: Duration) {
        self.replace();
        let exchange = self.next_exchange();
        let Setup { certificate, epoch, .. } = &self.setup;
        let offer = Session::offer(
            certificate,
            &self.locals,
            self.assembly(),
            *epoch,
            now,
            exchange.clone(),
        );
        let Some((session, sdp)) = offer else { return };
        self.session = Some(session);
        self.candidates.begin(None);
        self.signals.push_back(Signal::Offer(Description { sdp, exchange }));
        let until = now + SESSION_TIMEOUT;
        self.enter(Stage::Connecting { until }, now);
    }

    /// An offer replaces what there is, unless it came while this node's own, which counts, was on its way.
    fn offered(&mut self, offer: Description, now: Duration) {
        let is_connecting = matches!(self.stage, Stage::Connecting { .. });
        if let Some(session) = &self.session
            && ((is_connecting && session.is_offerer() && self.setup.is_first) || session.exchange() == offer.exchange)
        {
            return;
        }
        let Setup { certificate, epoch, .. } = &self.setup;
        let described = (offer.sdp.as_str(), offer.exchange.clone());
        match Session::answer(certificate, &self.locals, self.assembly(), *epoch, now, described) {
            Err(error) => self.failed(&error, now),
            Ok((session, sdp)) => {
                self.replace();
                self.session = Some(session);
                self.candidates.begin(Some(&offer.sdp));
                self.use_candidates();
                let exchange = offer.exchange;
                self.signals.push_back(Signal::Answer(Description { sdp, exchange }));
                let until = now + SESSION_TIMEOUT;
                self.enter(Stage::Connecting { until }, now);
            }
        }
    }

    /// The session that there is looks for another path.
    fn offered_again(&mut self, offer: Description, now: Duration) {
        let Some(session) = &mut self.session else { return };
        match session.accept_offer(&offer.sdp) {
            Err(error) => self.ended(&error, now),
            Ok(sdp) => {
                self.candidates.begin(Some(&offer.sdp));
                self.use_candidates();
                let exchange = offer.exchange;
                self.signals.push_back(Signal::Answer(Description { sdp, exchange }));
            }
        }
    }

    fn answered(&mut self, answer: &Description, now: Duration) {
        let Some(session) = &mut self.session else { return };
        // The answer to an offer that was replaced comes too late.
        if session.exchange() != answer.exchange {
            return;
        }
        match session.accept_answer(&answer.sdp) {
            Err(error) => self.ended(&error, now),
            Ok(()) => {
                self.candidates.begin(Some(&answer.sdp));
                self.use_candidates();
            }
        }
    }

    fn use_candidates(&mut self) {
        if let Some(session) = &mut self.session {
            while let Some(candidate) = self.candidates.next() {
                session.add_remote(candidate);
            }
        }
    }

    /// Looks for another path: only whoever has offered may, and the other one asks for it.
    fn restart(&mut self) {
        let exchange = self.next_exchange();
        let Some(session) = &mut self.session else { return };
        if !session.is_offerer() {
            self.signals.push_back(Signal::AskRestart);
        } else if let Some(sdp) = session.restart(exchange.clone()) {
            self.signals.push_back(Signal::Reoffer(Description { sdp, exchange }));
        }
    }

    fn opened(&mut self, now: Duration) {
        if let Stage::Connecting { .. } = self.stage {
            self.enter(Stage::Ready, now);
            self.heard = now;
            self.is_wanted = false;
            self.failures = 0;
            let agreed = self.session.as_ref().and_then(Session::agreed);
            self.events.extend(agreed.map(Event::Ready));
        }
    }

    /// The path is gone.
    fn recover(&mut self, now: Duration) {
        let until = now + RECOVERY_TIMEOUT;
        self.enter(Stage::Recovering { until }, now);
        self.events.push_back(Event::Recovering);
        self.restart();
    }

    /// Lets go of the session that there is, for another one.
    fn replace(&mut self) {
        if self.session.take().is_some() && self.is_ready() {
            self.tell_end("the peer made another session");
        }
    }

    /// The session has ended, or could not be made.
    fn ended(&mut self, reason: &str, now: Duration) {
        self.session = None;
        if self.is_ready() || self.is_closing() {
            self.tell_end(reason);
            self.enter(Stage::Idle, now);
        } else {
            self.failed(reason, now);
        }
    }

    fn tell_end(&mut self, reason: &str) {
        let said = self.goodbye.take().map(Event::Closed);
        self.events
            .push_back(said.unwrap_or_else(|| Event::Ended(reason.into())));
    }

    fn failed(&mut self, reason: &str, now: Duration) {
        if self.is_ready() {
            return;
        }
        self.session = None;
        if !self.is_wanted {
            return self.enter(Stage::Idle, now);
        }
        if let Some(pause) = PAUSES.get(self.failures) {
            self.failures += 1;
            self.enter(Stage::Pausing { until: now + *pause }, now);
        } else {
            self.failures = 0;
            self.is_wanted = false;
            self.events.push_back(Event::Failed(reason.into()));
            self.enter(Stage::Idle, now);
        }
    }
}
