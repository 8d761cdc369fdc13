//! This node and an official one that want a session with each other at about the same time.

use std::{cmp::Reverse, collections::BinaryHeap, mem, time::Duration};

use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_webrtc::{
    event::Event as Told,
    negotiation::{Action, Negotiation},
    signal::{Description, Signal},
};
use actr_lite_wire::record_limit::RecordLimit;
use rand::{RngExt as _, rngs::SmallRng};

use crate::{trace::Trace, webrtc::official::Official};

/// How long it may take at most until both have the session, beside what signals take: the official node's pause after its
/// first failure.
const JOINED_WITHIN: Duration = Duration::from_millis(2_500);

/// The same when the official node looks for another lane first, which no node but itself can prevent.
const JOINED_LATE: Duration = Duration::from_secs(10);

/// How long they keep it, at least.
const KEPT: Duration = Duration::from_secs(30);

const AGREED: Agreed = Agreed {
    extended: false,
    peer_limit: RecordLimit::MIN,
};

/// This node, and the official one.
const OURS: usize = 0;
const THEIRS: usize = 1;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Want(usize),
    /// The registry is asked who offers.
    Asked,
    Signal(usize, usize),
    /// Both sides of the connection with this exchange have described themselves, and have had the time to open it.
    Opened(String),
    /// The official node has dropped the connection.
    Dropped(String),
    Wake,
}

/// Both nodes, and the time.
pub(super) struct Glare {
    pub(super) now: Duration,
    pub(super) trace: Trace,
    /// How far each is from the registry.
    away: [Duration; 2],
    offerer: usize,
    /// How long a connection takes to open: several times as long as the news on the way between the two.
    opens: Duration,
    ours: Negotiation,
    /// Until when this node only takes in what comes: it has no certificate yet.
    busy: Duration,
    /// It has heard from the registry who offers.
    is_told: bool,
    /// The exchange of this node's connection, and when there was a session on it first.
    connection: Option<String>,
    ready: Option<Duration>,
    theirs: Official,
    queue: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    queued: u64,
    signals: Vec<Signal>,
}

impl Glare {
    pub(super) fn new(mut rng: SmallRng) -> Self {
        let mut draw = |from: f64, to: f64| Duration::from_secs_f64(rng.random_range(from..to));
        let away = [0, 1].map(|_| draw(0.0002, 0.05));
        let round = 2 * (away[OURS] + away[THEIRS]);
        let opens = 2 * round + draw(0.01, 0.1);
        let theirs = Official::new(draw(0.0002, 0.004), draw(0.0001, 0.004));
        let busy = draw(0.0, 0.05);
        // Mostly so close to each other that the questions meet.
        let wants = [0, 1].map(|_| draw(0.0, 1.0).mul_f64(round.as_secs_f64().min(0.1)));
        let mut glare = Self {
            offerer: rng.random_range(0..2),
            ours: Negotiation::new(rng.random_bool(0.5), 1),
            busy,
            now: Duration::ZERO,
            trace: Trace::new(),
            away,
            opens,
            is_told: false,
            connection: None,
            ready: None,
            theirs,
            queue: BinaryHeap::new(),
            queued: 0,
            signals: Vec::new(),
        };
        glare.push(busy, Event::Wake);
        glare.push(wants[OURS], Event::Want(OURS));
        glare.push(wants[THEIRS], Event::Want(THEIRS));
        glare
    }

    fn push(&mut self, after: Duration, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((self.now + after, self.queued, event)));
    }

    fn record(&mut self, host: usize, what: &'static str) {
        self.trace.record(self.now, host, what, [0, 0]);
    }

    pub(super) fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            self.now = at;
            self.step(event);
            self.turn()?;
            let limit = if self.theirs.was_elsewhere {
                JOINED_LATE
            } else {
                JOINED_WITHIN
            };
            let is_joined = self.ready.is_some() && self.theirs.session() == self.connection.as_deref();
            if !is_joined && at > limit + 8 * (self.away[OURS] + self.away[THEIRS]) + self.opens {
                return Err(format!("they do not have the same session: {:?}", self.theirs));
            }
            if is_joined && at > JOINED_LATE + KEPT {
                return Ok(());
            }
        }
        Err("nothing is to come, and the path of a session is checked for ever".into())
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Want(OURS) => self.ours.connect(self.now),
            Event::Want(_) => self.theirs.wants(self.now),
            Event::Asked => {
                for host in [OURS, THEIRS] {
                    let is_offerer = host == self.offerer;
                    self.pass_on(host, Duration::ZERO, Signal::Role { is_offerer });
                }
            }
            Event::Signal(OURS, signal) => self.hear(self.signals[signal].clone()),
            Event::Signal(_, signal) => {
                let signal = self.signals[signal].clone();
                if let Signal::Answer(answer) = &signal
                    && self.theirs.has(&answer.exchange)
                {
                    self.push(self.opens, Event::Opened(answer.exchange.clone()));
                }
                self.theirs.hear(signal, self.now);
            }
            Event::Opened(exchange) => {
                if self.theirs.has(&exchange) && self.connection.as_ref() == Some(&exchange) {
                    self.theirs.opened();
                    self.ours.opened(AGREED, self.now);
                }
            }
            Event::Dropped(exchange) => {
                if self.ready.is_some() && self.connection.as_ref() == Some(&exchange) {
                    self.ours.ended("the peer closed it", self.now);
                }
            }
            Event::Wake => {}
        }
    }

    fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Role { is_offerer } => {
                self.is_told = true;
                self.ours.assigned(is_offerer, self.now);
            }
            Signal::Offer(offer) => self.ours.offered(offer, self.now),
            Signal::Answer(answer) if self.ours.takes_answer(&answer) => {
                self.push(self.opens, Event::Opened(answer.exchange));
            }
            _ => {}
        }
    }

    /// Both do all that is due.
    fn turn(&mut self) -> Result<(), String> {
        if self.ours.is_ready() && self.connection.as_ref().is_some_and(|it| self.theirs.has(it)) {
            self.ours.heard(self.now);
        }
        if self.now >= self.busy {
            self.ours.poll(self.now);
            while let Some(action) = self.ours.action() {
                self.act(action)?;
            }
            let due = self.ours.poll(self.now);
            self.wake_at(due);
        }
        self.theirs.poll(self.now);
        for signal in mem::take(&mut self.theirs.says) {
            self.say(THEIRS, signal);
        }
        for exchange in mem::take(&mut self.theirs.dropped) {
            self.record(THEIRS, "drops its connection");
            let after = self.away[OURS] + self.away[THEIRS];
            self.push(after, Event::Dropped(exchange));
        }
        self.wake_at(self.theirs.due());
        Ok(())
    }

    fn wake_at(&mut self, due: Option<Duration>) {
        if let Some(due) = due {
            self.push(due.saturating_sub(self.now), Event::Wake);
        }
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::AskRole if self.is_told => return Err("this node asks who offers, and was told".into()),
            Action::AskRole => self.say(OURS, Signal::AskRole),
            Action::Offer { exchange } => {
                self.connection = Some(exchange.clone());
                let sdp = "o=- 0 0".into();
                self.say(OURS, Signal::Offer(Description { sdp, exchange }));
            }
            Action::Answer(offer) => {
                self.ours.answering(&offer, self.now);
                self.connection = Some(offer.exchange.clone());
                self.say(OURS, Signal::Answer(offer));
            }
            Action::Discard => self.connection = None,
            Action::Tell(Told::Ready(_)) if self.ready.is_none() => {
                self.record(OURS, "has a session");
                self.ready = Some(self.now);
            }
            other => return Err(format!("this node is to {other:?}")),
        }
        Ok(())
    }

    fn say(&mut self, host: usize, signal: Signal) {
        let (word, away) = (signal.word(), self.away[host]);
        self.record(host, word);
        match signal {
            Signal::AskRole => self.push(away, Event::Asked),
            _ => self.pass_on(1 - host, away, signal),
        }
    }

    /// The registry passes something on.
    fn pass_on(&mut self, to: usize, after: Duration, signal: Signal) {
        self.signals.push(signal);
        self.push(after + self.away[to], Event::Signal(to, self.signals.len() - 1));
    }
}
