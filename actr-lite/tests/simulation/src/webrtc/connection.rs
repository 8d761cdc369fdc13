use std::time::Duration;

use actr_lite_webrtc::signal::Description;

/// How often a path is checked, before and after it is found, and how often an unanswered handshake is sent again.
const CHECK_FIRST: Duration = Duration::from_millis(200);
const CHECK: Duration = Duration::from_millis(1500);
const SHAKE: Duration = Duration::from_secs(1);

/// One side of a connection: what ICE, DTLS and SCTP do, as far as it matters to who decides about it.
#[derive(Debug)]
pub(super) struct Connection {
    is_offerer: bool,
    /// The offerer's first generation: both sides of a connection have the same.
    pub(super) origin: u64,
    /// This side's own first generation.
    first: u64,
    /// Which generation of addresses of each side it is at. Numbers are used once.
    pub(super) own: u64,
    pub(super) peer: Option<u64>,
    /// Its own next generation, until the peer's answer.
    offered: Option<u64>,
    /// It never shakes hands.
    pub(super) is_stuck: bool,
    has_path: bool,
    is_open: bool,
    next_check: Duration,
    next_shake: Duration,
}

/// What goes over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) from: u64,
    pub(super) to: u64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Check,
    Checked,
    Shake,
    Shaken,
    Bye,
}

/// What comes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Path,
    Open,
    Ended,
}

impl Connection {
    pub(super) fn new(is_offerer: bool, own: u64, peer: Option<u64>, is_stuck: bool) -> Self {
        Self {
            is_offerer,
            origin: peer.unwrap_or(own),
            first: own,
            own,
            peer,
            offered: None,
            is_stuck,
            has_path: false,
            is_open: false,
            next_check: Duration::ZERO,
            next_shake: Duration::ZERO,
        }
    }

    /// As it is told the peer, with this generation.
    pub(super) fn described(&self, own: u64, exchange: String) -> Description {
        let sdp = format!("o=- {} {own}", self.first);
        Description { sdp, exchange }
    }

    /// It offers a new generation.
    pub(super) fn restart(&mut self, own: u64) {
        self.offered = Some(own);
    }

    /// It takes an offer of a new generation, with `own`; what it answers with. An offer that it knows gets the same answer.
    pub(super) fn accept_offer(&mut self, peer: u64, own: u64) -> u64 {
        if self.peer != Some(peer) {
            (self.peer, self.own) = (Some(peer), own);
        }
        self.own
    }

    pub(super) fn accept_answer(&mut self, peer: u64) {
        if let Some(own) = self.offered.take() {
            self.own = own;
        } else if self.peer.is_some() {
            return;
        }
        self.peer = Some(peer);
    }

    /// Takes a packet: whether it is one of this connection, what comes of it, and what is sent back.
    pub(super) fn receive(&mut self, packet: Packet) -> Option<(Option<Outcome>, Option<Packet>)> {
        if (packet.to, Some(packet.from)) != (self.own, self.peer) {
            return None;
        }
        let (mut outcome, mut answer) = (None, None);
        match packet.what {
            What::Check => answer = self.packet(What::Checked),
            What::Checked if !self.has_path => {
                self.has_path = true;
                outcome = Some(Outcome::Path);
            }
            What::Shake if self.has_path && !self.is_stuck => {
                answer = self.packet(What::Shaken);
                outcome = self.open();
            }
            What::Shaken if !self.is_stuck => outcome = self.open(),
            What::Bye => outcome = Some(Outcome::Ended),
            What::Checked | What::Shake | What::Shaken => {}
        }
        Some((outcome, answer))
    }

    fn open(&mut self) -> Option<Outcome> {
        let is_new = !self.is_open;
        self.is_open = true;
        is_new.then_some(Outcome::Open)
    }

    fn packet(&self, what: What) -> Option<Packet> {
        let (from, to) = (self.own, self.peer?);
        Some(Packet { from, to, what })
    }

    /// The last packet.
    pub(super) fn bye(&self) -> Option<Packet> {
        self.packet(What::Bye)
    }

    /// What is to be sent now, and when it is to be asked next.
    pub(super) fn poll(&mut self, now: Duration) -> ([Option<Packet>; 2], Option<Duration>) {
        if self.peer.is_none() {
            return ([None; 2], None);
        }
        let (mut check, mut shake) = (None, None);
        if self.next_check <= now {
            check = self.packet(What::Check);
            self.next_check = now + if self.has_path { CHECK } else { CHECK_FIRST };
        }
        let shakes = self.is_offerer && self.has_path && !self.is_open;
        if shakes && self.next_shake <= now {
            shake = self.packet(What::Shake);
            self.next_shake = now + SHAKE;
        }
        let next = if shakes {
            self.next_check.min(self.next_shake)
        } else {
            self.next_check
        };
        ([check, shake], Some(next))
    }
}
