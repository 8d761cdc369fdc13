//! Which session there is with a peer, and which one is being made: who offers, what counts when both do, when it is tried
//! again, and how it ends. It has no session itself: it says what is to be done with it.

use std::{collections::VecDeque, mem, time::Duration};

use actr_lite_engine::upgrade::offer::Agreed;

use crate::{
    event::Event,
    retries::Retries,
    signal::Description,
    stage::{
        CHANNEL_TIMEOUT, CLOSE_TIMEOUT, DRAIN_TIMEOUT, OFFER_TIMEOUT, PROMISE_TIMEOUT, RECOVERY_TIMEOUT, ROLE_TIMEOUT,
        SESSION_TIMEOUT, SETTLE_TIMEOUT, Stage,
    },
};

/// How long a session or an offer is taken for new: if both ask the registry at once, it tells each twice who offers. The
/// second time is not another question, and a second offer is not another try.
const NEW: Duration = Duration::from_secs(1);

/// Decides about the sessions with one peer: at most one at a time, made by either side, replaced by the peer's next offer.
#[derive(Debug)]
pub struct Negotiation {
    /// Whether this node's offer counts when both offer at once.
    is_first: bool,
    /// No other node's exchanges are called like this one's.
    seed: u64,
    exchanges: u64,
    stage: Stage,
    since: Duration,
    /// The session that there is, or that is being made.
    session: Option<Exchange>,
    /// This node has asked who offers since there was a session last.
    has_asked: bool,
    /// The registry has told the peer to offer, unasked. Until when that is waited for.
    promised: Option<Duration>,
    /// The peer's second offer, until it is answered.
    held: Option<Description>,
    /// Whoever uses the sessions was told of it, and not yet of its end.
    is_told: bool,
    is_wanted: bool,
    retries: Retries,
    actions: VecDeque<Action>,
}

/// What a session came from.
#[derive(Debug)]
struct Exchange {
    is_offerer: bool,
    /// The last offer that was made for it, or the one that was answered first.
    id: String,
    /// Which of the peer's connections it is with, once that is described.
    peer: Option<String>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the registry who offers.
    AskRole,
    /// Make a session that offers, in the place of the one that there is.
    Offer {
        /// The offer's id.
        exchange: String,
    },
    /// Answer the peer's offer with a session, in the place of the one that there is: [`Negotiation::answering`] is to be
    /// told then, or [`Negotiation::failed`].
    Answer(Description),
    /// Offer another path for the session that there is.
    Reoffer {
        /// The offer's id.
        exchange: String,
    },
    /// Ask the peer to offer another path.
    AskRestart,
    /// Tell the peer that the session ends.
    Close,
    /// Let go of the session.
    Discard,
    /// Tell this to whoever uses the sessions.
    Tell(Event),
}

impl Negotiation {
    /// There is no session yet. `is_first` must be different at both ends, and `seed` random.
    pub fn new(is_first: bool, seed: u64) -> Self {
        Self {
            is_first,
            seed,
            exchanges: 0,
            stage: Stage::Idle,
            since: Duration::ZERO,
            session: None,
            has_asked: false,
            promised: None,
            held: None,
            is_told: false,
            is_wanted: false,
            retries: Retries::default(),
            actions: VecDeque::new(),
        }
    }

    /// A session is wanted: [`Event::Ready`] or [`Event::Failed`] comes. It is asked for when [`Self::poll`] is called, so
    /// that what the registry and the peer have said already counts first.
    pub fn connect(&mut self, now: Duration) {
        match self.stage {
            Stage::Ready { .. } | Stage::Recovering { .. } => return,
            Stage::Idle => self.enter(Stage::Pausing { until: now }, now),
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
        self.stage.is_ready()
    }

    /// Whether the path of the session is there.
    pub fn has_path(&self) -> bool {
        matches!(self.stage, Stage::Ready { .. })
    }

    /// Whether the session is being closed.
    pub fn is_closing(&self) -> bool {
        self.stage.is_closing()
    }

    /// Whether the session is closed once the peer has all that was sent.
    pub fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. })
    }

    /// The registry says who offers, because this node or the peer has asked.
    pub fn assigned(&mut self, is_offerer: bool, now: Duration) {
        let is_new = now < self.since + NEW;
        match (self.stage, is_offerer) {
            (Stage::Asking { .. }, false) => {
                let until = now + OFFER_TIMEOUT;
                self.enter(Stage::Awaiting { until }, now);
            }
            (_, false) => self.promised = Some(now + PROMISE_TIMEOUT),
            (Stage::Connecting { .. } | Stage::Ready { .. } | Stage::Recovering { .. }, true) if is_new => {}
            // The peer would not ask if it had a session.
            (_, true) => {
                let exchange = self.next_exchange();
                self.replace(true, exchange.clone(), now);
                self.actions.push_back(Action::Offer { exchange });
            }
        }
    }

    /// The peer offers a new session: [`Action::Answer`] comes, at once as a rule.
    pub fn offered(&mut self, offer: Description, now: Duration) {
        if !self.takes_offer(&offer.exchange) {
            return;
        }
        if self.has_crossed(now) {
            self.discard("the peer makes another session");
            (self.has_asked, self.promised) = (false, None);
            let until = now + SETTLE_TIMEOUT;
            self.enter(Stage::Settling { until }, now);
            self.held = Some(offer);
        } else {
            self.actions.push_back(Action::Answer(offer));
        }
    }

    /// Whether an offer of a new session is to be answered: it replaces what there is, unless it came while this node's own,
    /// which counts, was on its way. Behind the answer to that one comes only what the peer wants instead.
    fn takes_offer(&self, exchange: &str) -> bool {
        let is_connecting = matches!(self.stage, Stage::Connecting { .. });
        let is_on_its_way = |session: &Exchange| is_connecting && session.is_offerer && session.peer.is_none();
        let is_outdone = |session: &Exchange| self.is_first && is_on_its_way(session);
        let session = self.session.as_ref();
        let is_held = self.held.as_ref().is_some_and(|held| held.exchange == exchange);
        !is_held && session.is_none_or(|session| !is_outdone(session) && session.id != exchange)
    }

    /// Whether this offer, right behind another one, comes of two questions at once. An official node that is told twice to
    /// offer drops the first connection for a second one; but whoever wants the first one there takes that for a failure,
    /// drops whatever there is then, and asks again 1 s later, which drops the second one at the latest.
    fn has_crossed(&self, now: Duration) -> bool {
        let is_connecting = matches!(self.stage, Stage::Connecting { .. }) && now < self.since + NEW;
        let is_answerer = self.session.as_ref().is_some_and(|session| !session.is_offerer);
        self.has_asked && is_connecting && is_answerer
    }

    /// The peer's offer is answered with a session, in the place of the one that there is.
    pub fn answering(&mut self, offer: &Description, now: Duration) {
        self.replace(false, offer.exchange.clone(), now);
        self.described(offer);
    }

    /// Whether the peer's offer of another path is to be answered. It may be for a session that this node has no longer.
    pub fn takes_reoffer(&self, offer: &Description) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.peer.as_deref() == offer.connection())
    }

    /// Whether an answer is to the last offer. One to an offer that was replaced comes too late.
    pub fn takes_answer(&mut self, answer: &Description) -> bool {
        let is_taken = self
            .session
            .as_ref()
            .is_some_and(|session| session.id == answer.exchange);
        if is_taken {
            self.described(answer);
        }
        is_taken
    }

    fn described(&mut self, description: &Description) {
        if let Some(session) = &mut self.session {
            session.peer = description.connection().map(Into::into);
        }
    }

    /// The peer asks for another path.
    pub fn restart_asked(&mut self) {
        if self.is_ready() {
            self.restart();
        }
    }

    /// The registry can't pass on what was said.
    pub fn refused(&mut self, reason: &str, now: Duration) {
        if let Stage::Asking { .. } = self.stage {
            self.retries.exhaust();
            self.failed(reason, now);
        }
    }

    /// A datagram of the session has come.
    pub fn heard(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Ready { heard } => *heard = now,
            Stage::Recovering { .. } => {
                self.enter(Stage::Ready { heard: now }, now);
                self.tell(Event::Recovered);
            }
            _ => {}
        }
    }

    /// The session that is being made has a path.
    pub fn path_found(&mut self, now: Duration) {
        if let Stage::Connecting { until, has_path } = &mut self.stage {
            *until = (*until).min(now + CHANNEL_TIMEOUT);
            *has_path = true;
        }
    }

    /// The session that is being made has an open channel, and this was agreed on it.
    pub fn opened(&mut self, agreed: Agreed, now: Duration) {
        if let Stage::Connecting { .. } = self.stage {
            self.enter(Stage::Ready { heard: now }, now);
            (self.is_wanted, self.has_asked, self.promised) = (false, false, None);
            self.retries.reset();
            self.is_told = true;
            self.tell(Event::Ready(agreed));
        }
    }

    /// The session has ended, or could not be made.
    pub fn ended(&mut self, reason: &str, now: Duration) {
        self.discard(reason);
        match self.stage {
            stage if !stage.is_ready() && !stage.is_closing() => self.failed(reason, now),
            // Somebody has asked for another one meanwhile.
            _ if self.is_wanted => self.ask(now),
            _ => self.enter(Stage::Idle, now),
        }
    }

    /// The session that is being made can't be made.
    pub fn failed(&mut self, reason: &str, now: Duration) {
        if self.is_ready() {
            return;
        }
        self.discard(reason);
        if !self.is_wanted {
            return self.enter(Stage::Idle, now);
        }
        if let Some(pause) = self.retries.next() {
            self.enter(Stage::Pausing { until: now + pause }, now);
        } else {
            self.is_wanted = false;
            self.tell(Event::Failed(reason.into()));
            self.enter(Stage::Idle, now);
        }
    }

    /// Closes the session once the peer has all that was sent. [`Event::Ended`] comes then.
    pub fn close(&mut self, now: Duration) {
        self.is_wanted = false;
        if self.is_closing() {
            return;
        }
        let until = now + DRAIN_TIMEOUT;
        let stage = self.session.as_ref().map_or(Stage::Idle, |_| Stage::Draining { until });
        self.enter(stage, now);
    }

    /// The peer has all that was sent.
    pub fn drained(&mut self, now: Duration) {
        if self.is_draining() {
            self.actions.push_back(Action::Close);
            let until = now + CLOSE_TIMEOUT;
            self.enter(Stage::Closing { until }, now);
        }
    }

    /// Decides what is due. Until when to wait then, if anything is due later.
    pub fn poll(&mut self, now: Duration) -> Option<Duration> {
        loop {
            let until = self.stage.deadline()?;
            if now < until {
                return Some(until);
            }
            match self.stage {
                Stage::Idle => return None,
                Stage::Asking { .. } => self.ended("the registry does not say who offers", now),
                Stage::Awaiting { .. } => self.ended("it does not offer", now),
                Stage::Settling { .. } => self.settle(now),
                Stage::Connecting { has_path, .. } => {
                    self.ended("no session with it in time", now);
                    // The peer is there: a pause would give it nothing.
                    if has_path && let Stage::Pausing { until } = &mut self.stage {
                        *until = now;
                    }
                }
                Stage::Ready { .. } => self.recover(now),
                Stage::Recovering { .. } => self.ended("its path is gone", now),
                Stage::Pausing { .. } => self.ask(now),
                Stage::Draining { .. } => self.drained(now),
                Stage::Closing { .. } => self.ended("it is closed", now),
            }
        }
    }

    /// What is to be done next.
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn enter(&mut self, stage: Stage, now: Duration) {
        self.stage = stage;
        self.since = now;
        self.held = None;
    }

    fn tell(&mut self, event: Event) {
        self.actions.push_back(Action::Tell(event));
    }

    /// Asks the registry who offers, unless it has just said that the peer does.
    fn ask(&mut self, now: Duration) {
        if let Some(until) = self.promised.take().filter(|until| now < *until) {
            return self.enter(Stage::Pausing { until }, now);
        }
        self.has_asked = true;
        self.actions.push_back(Action::AskRole);
        let until = now + ROLE_TIMEOUT;
        self.enter(Stage::Asking { until }, now);
    }

    /// No third offer has come: the second one counts.
    fn settle(&mut self, now: Duration) {
        let held = self.held.take();
        self.actions.extend(held.map(Action::Answer));
        self.connecting(now);
    }

    /// Something was offered or answered, or is about to be.
    fn connecting(&mut self, now: Duration) {
        let (until, has_path) = (now + SESSION_TIMEOUT, false);
        self.enter(Stage::Connecting { until, has_path }, now);
    }

    fn next_exchange(&mut self) -> String {
        self.exchanges += 1;
        format!("{:016x}-{}", self.seed, self.exchanges)
    }

    /// Another session takes the place of the one that there is.
    fn replace(&mut self, is_offerer: bool, id: String, now: Duration) {
        let peer = None;
        self.session = Some(Exchange { is_offerer, id, peer });
        self.promised = None;
        self.tell_end("the peer made another session");
        self.connecting(now);
    }

    fn discard(&mut self, reason: &str) {
        if self.session.take().is_some() {
            self.actions.push_back(Action::Discard);
        }
        self.tell_end(reason);
    }

    fn tell_end(&mut self, reason: &str) {
        if mem::take(&mut self.is_told) {
            self.tell(Event::Ended(reason.into()));
        }
    }

    /// The path is gone.
    fn recover(&mut self, now: Duration) {
        let until = now + RECOVERY_TIMEOUT;
        self.enter(Stage::Recovering { until }, now);
        self.tell(Event::Recovering);
        self.restart();
    }

    /// Looks for another path: only whoever has offered may, and the other one asks for it.
    fn restart(&mut self) {
        let exchange = self.next_exchange();
        match &mut self.session {
            Some(session) if session.is_offerer => {
                session.id.clone_from(&exchange);
                self.actions.push_back(Action::Reoffer { exchange });
            }
            Some(_) => self.actions.push_back(Action::AskRestart),
            None => {}
        }
    }
}
