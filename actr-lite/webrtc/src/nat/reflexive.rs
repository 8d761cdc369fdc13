//! The address at which others see a UDP socket of this host.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use crate::{
    datagram::Datagram,
    nat::{
        Random,
        message::{Question, Received, answered, request},
        requests::{Due, Requests, Way},
    },
};

/// How long an answer is taken for true: a NAT keeps a mapping for at least half a minute (RFC 4787 REQ-5 asks for two
/// minutes), and a session's own checks keep it from then on.
const FRESH: Duration = Duration::from_secs(10);

/// How many servers are asked that others name in their place (RFC 8489 §10), each time: two could name each other for ever.
const MAX_ALTERNATES: usize = 4;

/// Asks STUN servers for the public address of one socket.
pub struct Reflexive {
    local: SocketAddr,
    servers: Vec<SocketAddr>,
    requests: Requests<SocketAddr>,
    random: Random,
    found: Option<SocketAddr>,
    /// When the last answer came.
    heard: Option<Duration>,
    /// How many other servers those have named that were asked.
    alternates: usize,
    outputs: VecDeque<SocketAddr>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Transmit(Datagram),
    /// Others see the socket at this address, which is another one than before.
    Found(SocketAddr),
    /// Poll again at this time, if there is one, or after anything else was told.
    Wait(Option<Duration>),
}

impl Reflexive {
    /// Of the socket at `local`, by these servers.
    pub fn new(local: SocketAddr, servers: &[SocketAddr], random: Random) -> Self {
        let is_near = |server: &&SocketAddr| server.is_ipv4() == local.is_ipv4();
        Self {
            local,
            servers: servers.iter().filter(is_near).copied().collect(),
            requests: Requests::new(Way::Datagrams),
            random,
            found: None,
            heard: None,
            alternates: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The address, as far as it is known.
    pub fn address(&self) -> Option<SocketAddr> {
        self.found
    }

    /// Somebody is to be told the address: it is asked for, unless it is known from a moment ago.
    pub fn ask(&mut self, now: Duration) {
        let is_fresh = self.heard.is_some_and(|heard| now < heard + FRESH);
        if is_fresh || !self.requests.is_empty() {
            return;
        }
        self.alternates = 0;
        for server in self.servers.clone() {
            self.ask_server(server, now);
        }
    }

    fn ask_server(&mut self, server: SocketAddr, now: Duration) {
        let id = (self.random)().into();
        if let Some(bytes) = request(Question::Address, id, None) {
            self.requests.ask(id, server, bytes, now);
        }
    }

    /// Takes a datagram that came to the socket. False for one that is none of a server's answers.
    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Duration) -> bool {
        let Some(id) = answered(bytes) else { return false };
        if self.requests.find(id.into()) != Some(from) {
            return false;
        }
        let Some(answer) = Received::read(bytes) else {
            return true;
        };
        self.requests.remove(id.into());
        let alternate = answer.refusal().and_then(|refusal| refusal.alternate);
        if let Some(alternate) = alternate.filter(|alternate| alternate.is_ipv4() == self.local.is_ipv4())
            && self.alternates < MAX_ALTERNATES
        {
            self.alternates += 1;
            self.ask_server(alternate, now);
        }
        if let Some(address) = answer.mapped() {
            // The others would say the same, or the NAT has one for each peer, and no answer is of use.
            self.requests.clear();
            self.heard = Some(now);
            if self.found.replace(address) != Some(address) && address != self.local {
                self.outputs.push_back(address);
            }
        }
        true
    }

    /// What to do now.
    pub fn poll(&mut self, now: Duration) -> Output {
        loop {
            if let Some(address) = self.outputs.pop_front() {
                return Output::Found(address);
            }
            match self.requests.poll(now) {
                Due::Send(to, bytes) => {
                    let from = self.local;
                    return Output::Transmit(Datagram { from, to, bytes });
                }
                // Host addresses and relays may do.
                Due::TimedOut(_) => {}
                Due::Wait(until) => return Output::Wait(until),
            }
        }
    }
}
