//! All sessions with one peer, one after the other.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use actr_lite_engine::{begun::Partial, memory::Memory};
use actr_lite_wire::websocket::CloseFrame;
use str0m::Candidate;

use crate::{
    assembly::Assembly,
    candidates::Candidates,
    channel::Channel,
    event_queue::EventQueue,
    locals::Locals,
    negotiation::{Action, Negotiation},
    session::{Outcome, Session, is_dtls},
    signal::{Description, Signal},
};
pub use crate::{
    certificate::{Certificate, NoCertificate},
    datagram::Datagram,
    event::Event,
    event_queue::MAX_BACKLOG,
    local::Local,
    setup::Setup,
};

/// What is longer than this carries data; what is shorter mostly says what has come, and lets this side go on sending.
const SMALL_DATAGRAM: usize = 200;

/// The sessions with one peer: at most one at a time, made by either side, replaced by the peer's next offer.
pub struct Peer<M> {
    setup: Setup<M>,
    negotiation: Negotiation,
    /// The one that the negotiation is about.
    session: Option<Session<M>>,
    locals: Locals,
    /// Between which addresses data was sent last, and whether that went over a relay.
    path: Option<(SocketAddr, SocketAddr, bool)>,
    candidates: Candidates,
    signals: VecDeque<Signal>,
    events: EventQueue<M>,
    /// Something was to be written when there was no path.
    is_held: bool,
    /// Why this side closes; gone once it is said.
    closing: Option<CloseFrame>,
    /// Why the peer is about to close the session.
    goodbye: Option<CloseFrame>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Transmit(Datagram),
    /// Tell the peer this, over the registry.
    Signal(Signal),
    /// A message that was [refused](Peer::write) may be written now.
    Writable,
    /// Poll again at this time, if there is one, or after anything else was told.
    Wait(Option<Duration>),
}

impl<M: Memory> Peer<M> {
    /// There is no session yet.
    pub fn new(setup: Setup<M>) -> Self {
        Self {
            negotiation: Negotiation::new(setup.is_first, setup.seed),
            events: EventQueue::new((setup.memory)()),
            setup,
            session: None,
            locals: Locals::default(),
            path: None,
            candidates: Candidates::default(),
            signals: VecDeque::new(),
            is_held: false,
            closing: None,
            goodbye: None,
        }
    }

    /// A session is wanted: [`Event::Ready`] or [`Event::Failed`] comes.
    pub fn connect(&mut self, now: Duration) {
        self.negotiation.connect(now);
        self.follow(now);
    }

    /// Whether there is no session, and none is being made.
    pub fn is_idle(&self) -> bool {
        self.negotiation.is_idle()
    }

    /// Whether there is a session over which records go.
    pub fn is_ready(&self) -> bool {
        self.negotiation.is_ready()
    }

    /// Whether the session is being closed.
    pub fn is_closing(&self) -> bool {
        self.negotiation.is_closing()
    }

    /// An address of this node at which datagrams are taken.
    pub fn add_local(&mut self, local: impl Into<Local>) {
        let local = local.into();
        if !self.locals.add(local) {
            return;
        }
        let added = self.session.as_mut().and_then(|session| session.add_local(local));
        if let Some(candidate) = added {
            let generation = None;
            self.signals.push_back(Signal::Candidate { candidate, generation });
        }
    }

    /// No further session is to go over it. One that may already goes on as before.
    pub fn retire_local(&mut self, local: Local) {
        self.locals.retire(local);
    }

    /// Nothing arrives there any more. A session that goes over it looks for another path at once.
    pub fn remove_local(&mut self, local: Local, now: Duration) {
        self.locals.remove(local);
        if let Some(session) = &mut self.session {
            session.remove_local(local);
        }
        if self.path.is_some_and(|(from, ..)| from == local.address()) {
            self.negotiation.restart_asked();
            self.follow(now);
        }
    }

    /// Takes note of what the peer, or the registry, has said.
    pub fn signal(&mut self, signal: Signal, now: Duration) {
        match signal {
            Signal::AskRole => {}
            Signal::Role { is_offerer } => self.negotiation.assigned(is_offerer, now),
            Signal::Offer(offer) => self.negotiation.offered(offer, now),
            Signal::Reoffer(offer) => self.offered_again(offer, now),
            Signal::Answer(answer) => self.answered(&answer, now),
            Signal::AskRestart => self.negotiation.restart_asked(),
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
        self.follow(now);
    }

    /// The registry can't pass on what was said.
    pub fn refused(&mut self, reason: &str, now: Duration) {
        self.negotiation.refused(reason, now);
        self.follow(now);
    }

    /// Takes a datagram that has come to one of the [addresses of this host](Self::add_local). Whether the session has
    /// taken it for the peer's: one of STUN, because it is authentic.
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], now: Duration) -> bool {
        let is_dropped =
            is_dtls(bytes) && self.events.is_full() && (bytes.len() > SMALL_DATAGRAM || self.events.is_overfull());
        let Some(session) = self.session.as_mut().filter(|_| !is_dropped) else {
            return false;
        };
        let taken = session.receive(from, to, bytes, now);
        match &taken {
            Err(error) => self.negotiation.ended(error, now),
            Ok(false) => {}
            Ok(true) => self.negotiation.heard(now),
        }
        self.follow(now);
        taken == Ok(true)
    }

    /// Sends a message, if there is room for it now; [`Output::Writable`] comes when there is some again.
    ///
    /// False also for a channel that is not open yet, and until the session's [`Event::Ready`] is taken: what is sent before
    /// that is meant for an earlier one.
    pub fn write(&mut self, channel: Channel, message: &[u8], now: Duration) -> bool {
        let written = match &mut self.session {
            Some(session) if self.negotiation.has_path() && !self.events.has_untold() => {
                session.write(channel, message, now)
            }
            _ => {
                self.is_held = true;
                return false;
            }
        };
        written.unwrap_or_else(|error| {
            self.negotiation.ended(&error, now);
            self.follow(now);
            false
        })
    }

    /// Closes the session of which [`Event::Ready`] told last, once the peer has all that was sent; the peer is told, and why,
    /// if it takes control records. [`Event::Ended`] comes then.
    pub fn close(&mut self, reason: CloseFrame, now: Duration) {
        // Otherwise that one is over, and this is the next.
        if !self.events.has_untold() {
            self.stop(reason, now);
        }
    }

    /// Closes whatever session there is, in the same way, or gives up the one that is being made.
    pub fn stop(&mut self, reason: CloseFrame, now: Duration) {
        self.closing = Some(reason);
        self.negotiation.close(now);
        self.follow(now);
    }

    /// What has come in fragments of records that are not whole: an official node sends long ones so.
    pub fn begun(&self) -> Partial {
        self.session.as_ref().map_or_else(Partial::default, Session::begun)
    }

    /// What has happened since.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// What to do now.
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            self.drain(now);
            let due = self.negotiation.poll(now);
            self.follow(now);
            if let Some(signal) = self.signals.pop_front() {
                return Output::Signal(signal);
            }
            let Some(session) = &mut self.session else {
                return Output::Wait(due);
            };
            match session.poll(now) {
                Outcome::Transmit(datagram) => {
                    self.note_path(&datagram);
                    return Output::Transmit(datagram);
                }
                Outcome::Writable => return Output::Writable,
                Outcome::Wait(_) if self.is_held && self.negotiation.has_path() && !self.events.has_untold() => {
                    self.is_held = false;
                    return Output::Writable;
                }
                Outcome::Wait(until) => return Output::Wait(due.map_or(Some(until), |due| Some(due.min(until)))),
                Outcome::Open => {
                    if let Some(agreed) = session.agreed() {
                        self.negotiation.opened(agreed, now);
                    }
                }
                Outcome::Path => self.negotiation.path_found(now),
                Outcome::Record(record) => {
                    if self.events.push_record(record).is_err() {
                        self.negotiation.ended("the peer's share is used up", now);
                    }
                }
                Outcome::Goodbye(reason) => self.goodbye = Some(reason),
                Outcome::Ended(reason) => self.negotiation.ended(&reason, now),
            }
        }
    }

    /// Tells when what is sent takes another way.
    fn note_path(&mut self, datagram: &Datagram) {
        let (from, to) = (datagram.from, datagram.to);
        let before = self.path;
        if before.is_some_and(|(a, b, _)| (a, b) == (from, to)) || !is_dtls(&datagram.bytes) {
            return;
        }
        let is_relayed = self.locals.is_relayed(from) || self.candidates.is_relayed(to);
        self.path = Some((from, to, is_relayed));
        if before.is_none_or(|(.., was_relayed)| was_relayed != is_relayed) {
            self.events.push(Event::Path { is_relayed });
        }
    }

    /// Goes on with closing the session if the peer has all that was sent, first the records and then the reason.
    fn drain(&mut self, now: Duration) {
        let Some(session) = self.session.as_mut().filter(|_| self.negotiation.is_draining()) else {
            return;
        };
        if session.unsent() == 0
            && let Some(reason) = self.closing.take()
        {
            session.say_goodbye(&reason, now);
        }
        if session.unsent() == 0 {
            self.negotiation.drained(now);
        }
    }

    /// Does what was decided.
    fn follow(&mut self, now: Duration) {
        while let Some(action) = self.negotiation.action() {
            match action {
                Action::AskRole => self.signals.push_back(Signal::AskRole),
                Action::Offer { exchange } => self.offer(exchange, now),
                Action::Answer(offer) => self.offered(offer, now),
                Action::Reoffer { exchange } => {
                    let sdp = self.session.as_mut().and_then(Session::restart);
                    let description = sdp.map(|sdp| Description { sdp, exchange });
                    self.signals.extend(description.map(Signal::Reoffer));
                }
                Action::AskRestart => self.signals.push_back(Signal::AskRestart),
                Action::Close => {
                    if let Some(session) = &mut self.session {
                        session.close();
                    }
                }
                Action::Discard => {
                    self.session = None;
                    self.path = None;
                }
                Action::Tell(Event::Ended(reason)) => {
                    let said = self.goodbye.take().map(Event::Closed);
                    self.events.push(said.unwrap_or(Event::Ended(reason)));
                }
                Action::Tell(event) => self.events.push(event),
            }
        }
    }

    fn assembly(&self) -> Assembly<M> {
        Assembly::new(self.setup.max_record_len, (self.setup.memory)())
    }

    fn offer(&mut self, exchange: String, now: Duration) {
        let Setup { certificate, epoch, .. } = &self.setup;
        let offer = Session::offer(certificate, self.locals.usable(), self.assembly(), *epoch, now);
        self.session = None;
        let Some((session, sdp)) = offer else {
            return self.negotiation.ended("an offer has no channels", now);
        };
        self.session = Some(session);
        self.candidates.begin();
        self.signals.push_back(Signal::Offer(Description { sdp, exchange }));
    }

    fn offered(&mut self, offer: Description, now: Duration) {
        let Setup { certificate, epoch, .. } = &self.setup;
        match Session::answer(
            certificate,
            self.locals.usable(),
            self.assembly(),
            *epoch,
            now,
            &offer.sdp,
        ) {
            Err(error) => self.negotiation.failed(&error, now),
            Ok((session, sdp)) => {
                self.negotiation.answering(&offer, now);
                self.session = Some(session);
                self.candidates.begin();
                self.answer(offer, sdp, now);
            }
        }
    }

    /// The session that there is looks for another path.
    fn offered_again(&mut self, offer: Description, now: Duration) {
        let Some(session) = self.session.as_mut().filter(|_| self.negotiation.takes_reoffer(&offer)) else {
            return;
        };
        match session.accept_offer(&offer.sdp) {
            Err(error) => self.negotiation.ended(&error, now),
            Ok(sdp) => self.answer(offer, sdp, now),
        }
    }

    /// Answers an offer that the session has taken.
    fn answer(&mut self, offer: Description, sdp: String, now: Duration) {
        self.described(&offer, now);
        let exchange = offer.exchange;
        self.signals.push_back(Signal::Answer(Description { sdp, exchange }));
    }

    /// The peer's side of the session is known.
    fn described(&mut self, description: &Description, now: Duration) {
        match self.candidates.describe(&description.sdp) {
            Err(error) => self.negotiation.ended(&error, now),
            Ok(()) => self.use_candidates(),
        }
    }

    fn answered(&mut self, answer: &Description, now: Duration) {
        let Some(session) = self.session.as_mut() else { return };
        if !self.negotiation.takes_answer(answer) {
            return;
        }
        match session.accept_answer(&answer.sdp) {
            Err(error) => self.negotiation.ended(&error, now),
            Ok(()) => self.described(answer, now),
        }
    }

    fn use_candidates(&mut self) {
        if let Some(session) = &mut self.session {
            while let Some(candidate) = self.candidates.next() {
                session.add_remote(candidate);
            }
        }
    }
}
