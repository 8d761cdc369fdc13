//! The channels of an allocation: a number for each peer, which stands before what is sent instead of an address, and lets
//! the peer send (RFC 8656 §12).

use std::{collections::HashMap, net::SocketAddr, ops::Range, time::Duration};

use crate::nat::requests::Way;

/// The numbers that there are (§12).
const FIRST_NUMBER: u16 = 0x4000;
const LAST_NUMBER: u16 = 0x4FFF;

/// How many peers' addresses there can be: one for each number.
pub(super) const MAX_CHANNELS: usize = (LAST_NUMBER - FIRST_NUMBER) as usize + 1;

/// How long the peer may send then, and how much earlier it counts as over: §9 says five minutes.
const PERMISSION: Duration = Duration::from_secs(300 - 10);

/// How long after that the number may not be another peer's: a channel lasts for ten minutes, and five more must pass (§12).
const QUARANTINE: Duration = Duration::from_secs(16 * 60);

/// How old one that is used gets until it is asked for again, with [`CHECK_INTERVAL`] well before its end.
const REFRESH_AFTER: Duration = Duration::from_secs(210);

/// How often all are looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// How long a refusal counts: what is sent there meanwhile is dropped.
const REFUSED_FOR: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Channels {
    by_peer: HashMap<SocketAddr, Channel>,
    by_number: HashMap<u16, SocketAddr>,
    last_number: u16,
    next_check: Duration,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    state: State,
    /// When the relay last agreed, or was asked first.
    since: Duration,
    is_used: bool,
    /// The last that is to be sent once the relay agrees.
    held: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The relay could not be asked.
    Idle,
    Asked,
    Open,
    /// Open, and the relay is asked for more time.
    Renewing,
    Refused,
}

/// How something gets to a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// With this number.
    Open(u16),
    /// The relay is to be asked for this number.
    Ask(u16),
    /// Not now.
    Closed,
}

impl Channels {
    /// Nothing is open any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The way to a peer. What is sent while there is none is held, the last one of it.
    pub(super) fn route(&mut self, peer: SocketAddr, bytes: &[u8], now: Duration) -> Route {
        let Some(channel) = self.by_peer.get_mut(&peer) else {
            let Some(number) = self.free_number() else {
                return Route::Closed;
            };
            self.by_number.insert(number, peer);
            let channel = Channel {
                number,
                state: State::Asked,
                since: now,
                is_used: true,
                held: Some(bytes.to_vec()),
            };
            self.by_peer.insert(peer, channel);
            return Route::Ask(number);
        };
        channel.is_used = true;
        match channel.state {
            State::Open | State::Renewing if now < channel.since + PERMISSION => Route::Open(channel.number),
            State::Refused if now < channel.since + REFUSED_FOR => Route::Closed,
            State::Asked | State::Renewing => {
                channel.held = Some(bytes.to_vec());
                Route::Closed
            }
            State::Idle | State::Open | State::Refused => {
                channel.held = Some(bytes.to_vec());
                channel.state = State::Asked;
                Route::Ask(channel.number)
            }
        }
    }

    fn free_number(&mut self) -> Option<u16> {
        if self.by_peer.len() == MAX_CHANNELS {
            return None;
        }
        loop {
            self.last_number = match self.last_number {
                FIRST_NUMBER..LAST_NUMBER => self.last_number + 1,
                _ => FIRST_NUMBER,
            };
            if !self.by_number.contains_key(&self.last_number) {
                return Some(self.last_number);
            }
        }
    }

    /// Whose number it is.
    pub(super) fn peer(&self, number: u16) -> Option<SocketAddr> {
        self.by_number.get(&number).copied()
    }

    /// The relay agrees. What was held for the peer, with its number.
    pub(super) fn opened(&mut self, peer: SocketAddr, now: Duration) -> Option<(u16, Vec<u8>)> {
        let channel = self.by_peer.get_mut(&peer)?;
        channel.state = State::Open;
        channel.since = now;
        Some((channel.number, channel.held.take()?))
    }

    /// It does not.
    pub(super) fn refused(&mut self, peer: SocketAddr, now: Duration) {
        if let Some(channel) = self.by_peer.get_mut(&peer) {
            channel.state = State::Refused;
            channel.since = now;
            channel.held = None;
        }
    }

    /// It could not be asked.
    pub(super) fn not_asked(&mut self, peer: SocketAddr) {
        if let Some(channel) = self.by_peer.get_mut(&peer) {
            channel.state = match channel.state {
                State::Renewing => State::Open,
                _ => State::Idle,
            };
        }
    }

    /// When to look at them again, if there are any.
    pub(super) fn next_check(&self) -> Option<Duration> {
        (!self.by_peer.is_empty()).then_some(self.next_check)
    }

    /// The relay is to be asked for more time for these, which were used; those that were not end by themselves.
    pub(super) fn check(&mut self, now: Duration) -> Vec<(u16, SocketAddr)> {
        self.next_check = now + CHECK_INTERVAL;
        let by_number = &mut self.by_number;
        self.by_peer.retain(|_, channel| {
            let is_over = channel.state != State::Asked && now >= channel.since + QUARANTINE;
            if is_over {
                by_number.remove(&channel.number);
            }
            !is_over
        });
        let due = self.by_peer.iter_mut().filter_map(|(peer, channel)| {
            let is_old = channel.state == State::Open && now >= channel.since + REFRESH_AFTER;
            let is_due = is_old && std::mem::replace(&mut channel.is_used, false);
            is_due.then(|| {
                channel.state = State::Renewing;
                (channel.number, *peer)
            })
        });
        due.collect()
    }
}

/// The number of a channel, and where in the message the data is that has come over it.
pub(crate) fn read_channel_data(message: &[u8]) -> Option<(u16, Range<usize>)> {
    let [a, b, c, d] = *message.first_chunk()?;
    let end = 4 + usize::from(u16::from_be_bytes([c, d]));
    (end <= message.len()).then_some((u16::from_be_bytes([a, b]), 4..end))
}

/// What goes to a relay for the channel with this number (RFC 8656 §12.4).
pub(crate) fn channel_data(way: Way, number: u16, bytes: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity((4 + bytes.len()).next_multiple_of(4));
    framed.extend(number.to_be_bytes());
    // Datagrams are far shorter.
    framed.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    framed.extend_from_slice(bytes);
    if way == Way::Stream {
        framed.resize(framed.len().next_multiple_of(4), 0);
    }
    framed
}
