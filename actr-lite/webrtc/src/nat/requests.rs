//! What was asked and is not answered yet: asked again as RFC 8489 §6.2 says.

use std::time::Duration;

use stun_types::message::TransactionId;

/// How long the first answer may take until the request is sent again; each time twice as long (§6.2.1).
const FIRST_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a request is sent over UDP: 0.5 s, 1 s, 2 s … after each other (Rc).
const MAX_SENDS: u32 = 7;

/// How long after the last time (Rm · RTO).
const LAST_TIMEOUT: Duration = Duration::from_secs(8);

/// How long over TCP, where it is sent once (Ti, §6.2.2).
const STREAM_TIMEOUT: Duration = Duration::from_millis(39_500);

/// How many may wait at once: what is asked beyond is asked again by who wants it.
const MAX_PENDING: usize = 64;

/// Which transport takes care that a request arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// None: datagrams.
    Datagrams,
    /// TCP, with TLS over it or without.
    Stream,
}

/// The requests to one server that are not answered.
#[derive(Debug)]
pub(super) struct Requests<Q> {
    way: Way,
    pending: Vec<Pending<Q>>,
}

#[derive(Debug)]
struct Pending<Q> {
    id: TransactionId,
    question: Q,
    bytes: Vec<u8>,
    sends: u32,
    due: Duration,
}

/// What to do with one that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due<Q> {
    /// Send this.
    Send(Q, Vec<u8>),
    /// Nobody answers.
    TimedOut(Q),
    /// Nothing, until then.
    Wait(Option<Duration>),
}

impl<Q: Copy> Requests<Q> {
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            pending: Vec::new(),
        }
    }

    /// Asks. False if too many wait.
    pub(super) fn ask(&mut self, id: TransactionId, question: Q, bytes: Vec<u8>, now: Duration) -> bool {
        if self.pending.len() == MAX_PENDING {
            return false;
        }
        self.pending.push(Pending {
            id,
            question,
            bytes,
            sends: 0,
            due: now,
        });
        true
    }

    /// What was asked with this number, if it still waits.
    pub(super) fn find(&self, id: TransactionId) -> Option<Q> {
        let pending = self.pending.iter().find(|pending| pending.id == id)?;
        Some(pending.question)
    }

    /// It was answered.
    pub(super) fn remove(&mut self, id: TransactionId) {
        self.pending.retain(|pending| pending.id != id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    pub(super) fn poll(&mut self, now: Duration) -> Due<Q> {
        let next = self.pending.iter().enumerate().min_by_key(|(_, pending)| pending.due);
        let Some((at, due)) = next.map(|(at, pending)| (at, pending.due)) else {
            return Due::Wait(None);
        };
        if due > now {
            return Due::Wait(Some(due));
        }
        let max_sends = match self.way {
            Way::Datagrams => MAX_SENDS,
            Way::Stream => 1,
        };
        let pending = &mut self.pending[at];
        if pending.sends == max_sends {
            return Due::TimedOut(self.pending.swap_remove(at).question);
        }
        pending.sends += 1;
        pending.due = now
            + match self.way {
                Way::Stream => STREAM_TIMEOUT,
                Way::Datagrams if pending.sends == MAX_SENDS => LAST_TIMEOUT,
                Way::Datagrams => FIRST_TIMEOUT * 2_u32.pow(pending.sends - 1),
            };
        Due::Send(pending.question, pending.bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it is sent, in milliseconds, and when it is given up.
    fn sends(way: Way) -> (Vec<u128>, u128) {
        let (mut requests, mut now, mut sends) = (Requests::new(way), Duration::ZERO, Vec::new());
        assert!(requests.ask(1.into(), (), Vec::new(), now));
        loop {
            match requests.poll(now) {
                Due::Send((), _) => sends.push(now.as_millis()),
                Due::TimedOut(()) => return (sends, now.as_millis()),
                Due::Wait(until) => now = until.unwrap(),
            }
        }
    }

    #[test]
    fn a_request_is_repeated_as_rfc_8489_says() {
        assert_eq!(
            sends(Way::Datagrams),
            (vec![0, 500, 1500, 3500, 7500, 15500, 31500], 39500)
        );
        assert_eq!(sends(Way::Stream), (vec![0], 39500));
    }

    #[test]
    fn no_more_requests_wait_than_the_limit() {
        let mut requests = Requests::new(Way::Datagrams);
        for id in 0..MAX_PENDING as u128 {
            assert!(requests.ask(id.into(), (), Vec::new(), Duration::ZERO));
        }
        assert!(!requests.ask(1000.into(), (), Vec::new(), Duration::ZERO));
        requests.remove(0.into());
        assert!(requests.ask(1000.into(), (), Vec::new(), Duration::ZERO));
    }
}
