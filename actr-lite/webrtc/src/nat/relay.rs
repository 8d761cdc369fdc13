//! An address at a relay: made, kept and made anew.

use std::{collections::VecDeque, net::SocketAddr, ops::Range, time::Duration};

use stun_types::message::TransactionId;

use crate::nat::{
    Random,
    channels::{Channels, Route, channel_data, read_channel_data},
    login::Login,
    message::{Question, Received, Refusal, answered, is_relayable, request},
    requests::{Due, Requests},
    stage::{LIFETIME, Stage, refresh_at},
};
pub use crate::nat::{login::Credential, requests::Way};

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: a relay that is away is asked for once a minute, while sessions are made.
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// How often a request is made anew because the relay wants to know who asks, or has another nonce: one that always does so is
/// broken.
const MAX_TRIES: u8 = 4;

/// How long a relay that is [retired](Relay::retire) keeps its address while nothing is sent from there: longer than a session
/// looks for another path before it ends. One that goes over the relay sends something every two seconds.
pub const RETIRED_IDLE: Duration = Duration::from_secs(10);

/// An address at one relay, as long as it is wanted.
pub struct Relay {
    way: Way,
    /// Whether it is reached over IPv6. The address is of the same family.
    is_ipv6: bool,
    random: Random,
    login: Login,
    is_wanted: bool,
    /// Nothing new is to use it: when something was sent from its address last.
    retired: Option<Duration>,
    stage: Stage,
    /// How often in a row no address could be had.
    failures: u32,
    requests: Requests<Ask>,
    channels: Channels,
    outputs: VecDeque<Output>,
}

/// A question, and how often it was asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ask {
    question: Question,
    tries: u8,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a socket to the relay, another one than before; then it is [connected](Relay::connected), or
    /// [disconnected](Relay::disconnected).
    Connect,
    /// Send this to it.
    Transmit(Vec<u8>),
    /// Close the socket.
    Disconnect,
    /// There is an address.
    Allocated(SocketAddr),
    /// Nothing new is to use it.
    Retired(SocketAddr),
    /// It is gone, and why.
    Lost(SocketAddr, String),
    /// It is not wanted any more, and given back.
    Released(SocketAddr),
    /// There is none, and why. It is tried again, as long as one is wanted.
    Failed(String),
    /// Poll again at this time, if there is one, or after anything else was told.
    Wait(Option<Duration>),
}

impl Relay {
    /// None is wanted yet.
    pub fn new(way: Way, credential: Credential, random: Random) -> Self {
        Self {
            way,
            is_ipv6: false,
            random,
            login: Login::new(credential),
            is_wanted: false,
            retired: None,
            stage: Stage::Idle,
            failures: 0,
            requests: Requests::new(way),
            channels: Channels::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The address, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.stage {
            Stage::Open { relayed, .. } => Some(relayed),
            _ => None,
        }
    }

    /// The node has a new credential. An address that there is keeps the old one, as RFC 8656 §7.1 asks.
    pub fn set_credential(&mut self, credential: Credential, now: Duration) {
        if self.login.set_credential(credential)
            && let Stage::Pausing { .. } = self.stage
        {
            self.failures = 0;
            self.stage = Stage::Pausing { until: now };
        }
    }

    /// The node is not to use this relay any more. An address that there is stays as long as something is sent from there:
    /// sessions that go over it go on. Another one is not made.
    pub fn retire(&mut self, now: Duration) {
        if self.retired.is_some() {
            return;
        }
        self.retired = Some(now);
        if let Some(relayed) = self.address() {
            self.outputs.push_back(Output::Retired(relayed));
        }
    }

    /// Whether it is [retired](Self::retire): once [`Output::Wait`] has no time, it is over.
    pub fn is_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// Until when a retired one is kept, if nothing is sent.
    fn kept_until(&self) -> Option<Duration> {
        match (self.stage, self.retired) {
            (Stage::Open { .. }, Some(used)) => Some(used + RETIRED_IDLE),
            (_, retired) => retired.map(|_| Duration::ZERO),
        }
    }

    /// Whether an address is wanted from now on.
    pub fn want(&mut self, is_wanted: bool, now: Duration) {
        self.is_wanted = is_wanted && self.kept_until().is_none_or(|until| now < until);
        let is_wanted = self.is_wanted;
        match self.stage {
            Stage::Idle if is_wanted => self.connect(now),
            Stage::Connecting { .. } | Stage::Allocating if !is_wanted => self.disconnect(),
            Stage::Pausing { .. } if !is_wanted => self.stage = Stage::Idle,
            Stage::Open { relayed, .. } if !is_wanted => {
                self.outputs.push_back(Output::Released(relayed));
                self.requests.clear();
                self.channels.clear();
                self.stage = Stage::releasing(now);
                self.ask(Question::Refresh { seconds: 0 }, now);
            }
            _ => {}
        }
    }

    /// There is a socket to the relay, over IPv6 or IPv4.
    pub fn connected(&mut self, is_ipv6: bool, now: Duration) {
        if let Stage::Connecting { .. } = self.stage {
            self.stage = Stage::Allocating;
            self.is_ipv6 = is_ipv6;
            self.ask(Question::Allocate { is_ipv6 }, now);
        }
    }

    /// There is none, or none any more.
    pub fn disconnected(&mut self, reason: &str, now: Duration) {
        match self.stage {
            Stage::Idle | Stage::Pausing { .. } => {}
            Stage::Releasing { .. } => self.disconnect(),
            _ => self.fail(reason, now),
        }
    }

    /// Nothing comes from the address any more: the relay is asked whether it still has it.
    pub fn check(&mut self, now: Duration) {
        if let Stage::Open { refresh, .. } = &mut self.stage
            && let Some(refresh) = refresh
        {
            *refresh = now;
        }
    }

    /// What goes to the relay to send this to a peer. What can't be sent yet is lost, except for the last; whoever sends over
    /// UDP sends again what matters.
    pub fn send(&mut self, peer: SocketAddr, bytes: &[u8], now: Duration) -> Option<Vec<u8>> {
        self.address()?;
        if !is_relayable(peer) || peer.is_ipv6() != self.is_ipv6 {
            return None;
        }
        if let Some(used) = &mut self.retired {
            *used = now;
        }
        match self.channels.route(peer, bytes, now) {
            Route::Open(number) => Some(channel_data(self.way, number, bytes)),
            Route::Closed => None,
            Route::Ask(number) => {
                self.ask_for_channel(number, peer, now);
                None
            }
        }
    }

    /// Takes what the relay has sent, one datagram, or one of the [frames](crate::nat::frames) of a stream. What a peer has
    /// sent, if it is that: where it begins and ends.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) -> Option<(SocketAddr, Range<usize>)> {
        if let [0x40..=0x4F, ..] = bytes {
            let (number, data) = read_channel_data(bytes)?;
            return Some((self.channels.peer(number)?, data));
        }
        if let Some(id) = answered(bytes) {
            self.answered(id.into(), bytes, now);
            return None;
        }
        self.address()?;
        Received::read(bytes)?.data()
    }

    /// What to do now.
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            let due = match self.stage {
                Stage::Open { .. } => earliest(self.kept_until(), self.channels.next_check()),
                _ => None,
            };
            let due = earliest(due, self.stage.due());
            if due.is_some_and(|due| due <= now) {
                self.timeout(now);
                continue;
            }
            match self.requests.poll(now) {
                Due::Send(_, bytes) => return Output::Transmit(bytes),
                Due::TimedOut(Ask { question, .. }) => match question {
                    Question::Channel { peer, .. } => self.channels.refused(peer, now),
                    _ => self.fail("it does not answer", now),
                },
                Due::Wait(until) => return Output::Wait(earliest(due, until)),
            }
        }
    }

    fn timeout(&mut self, now: Duration) {
        let is_over = self.kept_until().is_some_and(|until| until <= now);
        match &mut self.stage {
            Stage::Idle | Stage::Allocating => {}
            Stage::Connecting { .. } => self.fail("no connection to it in time", now),
            Stage::Pausing { .. } => self.connect(now),
            Stage::Releasing { .. } => self.disconnect(),
            Stage::Open { .. } if is_over => self.want(false, now),
            Stage::Open { refresh, .. } => {
                if refresh.take_if(|refresh| *refresh <= now).is_some() {
                    let seconds = LIFETIME.as_secs() as u32;
                    self.ask(Question::Refresh { seconds }, now);
                }
                if self.channels.next_check().is_some_and(|check| check <= now) {
                    for (number, peer) in self.channels.check(now) {
                        self.ask_for_channel(number, peer, now);
                    }
                }
            }
        }
    }

    fn connect(&mut self, now: Duration) {
        self.login.begin();
        self.stage = Stage::connecting(now);
        self.outputs.push_back(Output::Connect);
    }

    /// Lets go of everything; begins again if an address was wanted again meanwhile.
    fn disconnect(&mut self) {
        self.requests.clear();
        self.channels.clear();
        self.outputs.push_back(Output::Disconnect);
        self.stage = match self.is_wanted {
            true => Stage::Pausing { until: Duration::ZERO },
            false => Stage::Idle,
        };
    }

    fn fail(&mut self, reason: &str, now: Duration) {
        if let Stage::Releasing { .. } = self.stage {
            return self.disconnect();
        }
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.failures)).min(LAST_PAUSE);
        let until = match self.stage {
            Stage::Open { relayed, since, .. } => {
                self.outputs.push_back(Output::Lost(relayed, reason.into()));
                // One that was good for a while is missed at once.
                now + if since + LAST_PAUSE < now {
                    Duration::ZERO
                } else {
                    pause
                }
            }
            _ => {
                self.outputs.push_back(Output::Failed(reason.into()));
                now + pause
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.disconnect();
        if self.is_wanted {
            self.stage = Stage::Pausing { until };
        }
    }

    fn ask(&mut self, question: Question, now: Duration) {
        self.try_to_ask(Ask { question, tries: 0 }, now);
    }

    fn try_to_ask(&mut self, ask: Ask, now: Duration) {
        let (id, question): (TransactionId, _) = ((self.random)().into(), ask.question);
        let bytes = request(question, id, self.login.shown());
        if bytes.is_some_and(|bytes| self.requests.ask(id, ask, bytes, now)) {
            return;
        }
        match question {
            Question::Channel { peer, .. } => self.channels.not_asked(peer),
            _ => self.fail("its realm or this node's user name is too long for it", now),
        }
    }

    fn ask_for_channel(&mut self, number: u16, peer: SocketAddr, now: Duration) {
        self.ask(Question::Channel { number, peer }, now);
    }

    fn answered(&mut self, id: TransactionId, bytes: &[u8], now: Duration) {
        let (Some(ask), Some(answer)) = (self.requests.find(id), Received::read(bytes)) else {
            return;
        };
        if let Some(refusal) = answer.refusal() {
            self.requests.remove(id);
            return self.refused(ask, refusal, now);
        }
        // A relay that lets everybody in proves nothing.
        if let Some(shown) = self.login.shown()
            && !answer.is_authentic(shown)
        {
            return;
        }
        self.requests.remove(id);
        match ask.question {
            Question::Address => {}
            Question::Allocate { .. } => match answer.relayed() {
                Some(relayed) => {
                    self.failures = 0;
                    self.stage = Stage::Open {
                        relayed,
                        since: now,
                        refresh: Some(refresh_at(answer.lifetime(), now)),
                    };
                    self.outputs.push_back(Output::Allocated(relayed));
                }
                None => self.fail("it names no address", now),
            },
            Question::Refresh { .. } => match &mut self.stage {
                Stage::Open { refresh, .. } => *refresh = Some(refresh_at(answer.lifetime(), now)),
                Stage::Releasing { .. } => self.disconnect(),
                _ => {}
            },
            Question::Channel { peer, .. } => {
                if let Some((number, bytes)) = self.channels.opened(peer, now) {
                    let framed = channel_data(self.way, number, &bytes);
                    self.outputs.push_back(Output::Transmit(framed));
                }
            }
        }
    }

    fn refused(&mut self, ask: Ask, refusal: Refusal, now: Duration) {
        let Refusal {
            code,
            reason,
            realm,
            nonce,
            alternate,
        } = refusal;
        if ask.tries < MAX_TRIES && self.login.is_asked_for(code, realm, nonce, ask.question) {
            let tries = ask.tries + 1;
            return self.try_to_ask(Ask { tries, ..ask }, now);
        }
        match ask.question {
            Question::Channel { peer, .. } => self.channels.refused(peer, now),
            _ => match alternate {
                Some(alternate) => self.fail(
                    &format!("it wants {alternate} to be asked, which is not done ({code} {reason}): name that relay in its place"),
                    now,
                ),
                None => self.fail(&format!("it refuses: {code} {reason}"), now),
            },
        }
    }
}

fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
