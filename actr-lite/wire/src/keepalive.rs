//! When to ask a silent peer whether it lives, and when to give it up.
//!
//! Times are durations since any fixed moment of a clock that never goes back.

use std::time::Duration;

/// After so much silence a ping is due: a third of what it takes to give a peer up, so that one lost wake-up of a
/// busy machine does not end a connection.
pub const PING_AFTER: Duration = Duration::from_secs(4);

/// After so much silence the peer is given up: with the ping's own period it is found within 15 s.
pub const DEAD_AFTER: Duration = Duration::from_secs(12);

/// Follows one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalive {
    heard: Duration,
    pinged: Option<Duration>,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Nothing before this time, unless something is heard.
    WaitUntil(Duration),
    /// Send a ping, then ask again.
    Ping,
    /// The peer has been silent for so long.
    GiveUp(Duration),
}

impl Keepalive {
    /// A peer that was heard just `now`.
    pub fn new(now: Duration) -> Self {
        Self {
            heard: now,
            pinged: None,
        }
    }

    /// Counts anything that came from the peer.
    pub fn heard(&mut self, now: Duration) {
        self.heard = self.heard.max(now);
        self.pinged = None;
    }

    /// What to do now. After [`KeepaliveAction::Ping`] the ping counts as sent.
    pub fn poll(&mut self, now: Duration) -> KeepaliveAction {
        let silence = now.saturating_sub(self.heard);
        if silence >= DEAD_AFTER {
            return KeepaliveAction::GiveUp(silence);
        }
        let due = self.pinged.unwrap_or(self.heard) + PING_AFTER;
        if now >= due {
            self.pinged = Some(now);
            return KeepaliveAction::Ping;
        }
        KeepaliveAction::WaitUntil(due.min(self.heard + DEAD_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up_within_15_seconds() {
        let mut now = Duration::from_secs(100);
        let mut keepalive = Keepalive::new(now);
        let mut pings = 0;
        let silence = loop {
            match keepalive.poll(now) {
                KeepaliveAction::WaitUntil(until) => now = until,
                KeepaliveAction::Ping => pings += 1,
                KeepaliveAction::GiveUp(silence) => break silence,
            }
        };
        assert!(silence <= LIMIT, "{silence:?}");
        assert_eq!(pings, 2);
    }

    proptest! {
        #[test]
        fn a_peer_that_answers_is_kept(answers in vec(0..4000u64, 1..50)) {
            let mut now = Duration::ZERO;
            let mut keepalive = Keepalive::new(now);
            for after in answers {
                loop {
                    match keepalive.poll(now) {
                        KeepaliveAction::WaitUntil(until) => {
                            prop_assert!(until > now);
                            now = until;
                        }
                        KeepaliveAction::Ping => break,
                        KeepaliveAction::GiveUp(silence) => prop_assert!(false, "given up after {silence:?}"),
                    }
                }
                now += Duration::from_millis(after);
                keepalive.heard(now);
            }
        }
    }
}
