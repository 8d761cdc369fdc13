//! When to ping a silent peer, when to send it an unsolicited pong, and when to give it up.
//!
//! A ping may wait behind megabytes on a slow link, and its answer is as late. So each end says unasked
//! that it lives as long as anything comes to it. A peer that does not know this custom is alive, too, as long as it
//! takes what this side sends.
//!
//! Times are durations since any fixed moment of a clock that never goes back.

use std::time::Duration;

/// After this much silence a ping is due: a third of what it takes to give a peer up, so that one lost wake-up of a
/// busy machine does not end a connection.
pub const PING_AFTER: Duration = Duration::from_secs(4);

/// After this much silence the peer is given up: with the ping's own period it is found within 15 s.
pub const DEAD_AFTER: Duration = Duration::from_secs(12);

/// How long this side may say nothing while it receives: sooner than a ping of the peer would be due.
pub const SPEAK_AFTER: Duration = Duration::from_secs(3);

/// What proves that a peer is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeSign {
    /// It says so unasked while it receives. What its system takes for it proves nothing: a frozen process is dead.
    Speaks,
    /// It only answers pings, which may wait behind what it receives: that it takes bytes counts too.
    Takes,
}

/// Follows one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalive {
    life_sign: LifeSign,
    /// When the peer last gave a sign of life.
    heard: Duration,
    pinged: Option<Duration>,
    /// When this side last sent anything.
    spoke: Duration,
    /// A part of a message came since.
    owes_word: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepaliveAction {
    /// Nothing before this time, unless something arrives.
    WaitUntil(Duration),
    /// Send a ping, then ask again.
    Ping,
    /// Send an unsolicited pong (RFC 6455 §5.5.3), then call again.
    Pong,
    /// The peer has been silent for this long.
    GiveUp(Duration),
}

impl Keepalive {
    /// A peer that sent something just `now`.
    pub fn new(life_sign: LifeSign, now: Duration) -> Self {
        Self {
            life_sign,
            heard: now,
            pinged: None,
            spoke: now,
            owes_word: false,
        }
    }

    /// Counts anything that came from the peer.
    pub fn heard(&mut self, now: Duration) {
        self.heard = self.heard.max(now);
        self.pinged = None;
    }

    /// Counts that some of what came belongs to a message: its sender is busy, and is told unasked that this side
    /// lives. Pings are answered anyway, and for pongs alone two idle ends would talk forever.
    pub fn received(&mut self) {
        self.owes_word = true;
    }

    /// Counts anything that went to the system for the peer.
    pub fn spoke(&mut self, now: Duration) {
        self.spoke = self.spoke.max(now);
        self.owes_word = false;
    }

    /// Counts that the system takes bytes again after it had refused some: then the peer has taken what came before.
    pub fn taken(&mut self, now: Duration) {
        if self.life_sign == LifeSign::Takes {
            self.heard = self.heard.max(now);
            self.pinged = None;
        }
    }

    /// What to do now. After [`KeepaliveAction::Ping`] the ping counts as sent, after [`KeepaliveAction::Pong`] the pong.
    pub fn poll(&mut self, now: Duration) -> KeepaliveAction {
        let silence = now.saturating_sub(self.heard);
        if silence >= DEAD_AFTER {
            return KeepaliveAction::GiveUp(silence);
        }
        let ping_due = self.pinged.unwrap_or(self.heard) + PING_AFTER;
        if now >= ping_due {
            self.pinged = Some(now);
            return KeepaliveAction::Ping;
        }
        let mut until = ping_due.min(self.heard + DEAD_AFTER);
        if self.owes_word {
            let pong_due = self.spoke + SPEAK_AFTER;
            if now >= pong_due {
                self.spoke(now);
                return KeepaliveAction::Pong;
            }
            until = until.min(pong_due);
        }
        KeepaliveAction::WaitUntil(until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);

    const BOTH: [LifeSign; 2] = [LifeSign::Speaks, LifeSign::Takes];

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up_within_15_seconds() {
        for life_sign in BOTH {
            let mut now = Duration::from_secs(100);
            let mut keepalive = Keepalive::new(life_sign, now);
            let mut pings = 0;
            let silence = loop {
                match keepalive.poll(now) {
                    KeepaliveAction::WaitUntil(until) => now = until,
                    KeepaliveAction::Ping => pings += 1,
                    KeepaliveAction::Pong => panic!("nothing was heard"),
                    KeepaliveAction::GiveUp(silence) => break silence,
                }
            };
            assert!(silence <= LIMIT, "{silence:?}");
            assert_eq!(pings, 2);
        }
    }

    /// Runs a receiver to which bytes come at these intervals, in milliseconds, and which has nothing to send; the
    /// longest silence that its peer meets.
    fn longest_silence(arrivals: &[u64]) -> Duration {
        let mut now = Duration::ZERO;
        let mut keepalive = Keepalive::new(LifeSign::Speaks, now);
        let (mut said, mut longest) = (now, Duration::ZERO);
        for after in arrivals {
            let next = now + Duration::from_millis(*after);
            while now < next {
                match keepalive.poll(now) {
                    KeepaliveAction::WaitUntil(until) => now = until.min(next),
                    KeepaliveAction::Ping | KeepaliveAction::Pong => {
                        keepalive.spoke(now);
                        longest = longest.max(now - said);
                        said = now;
                    }
                    KeepaliveAction::GiveUp(silence) => panic!("given up after {silence:?}"),
                }
            }
            keepalive.heard(now);
            keepalive.received();
        }
        longest.max(now - said)
    }

    proptest! {
        #[test]
        fn a_peer_that_answers_is_kept(answers in vec(0..4000u64, 1..50)) {
            let mut now = Duration::ZERO;
            let mut keepalive = Keepalive::new(LifeSign::Speaks, now);
            for after in answers {
                loop {
                    match keepalive.poll(now) {
                        KeepaliveAction::WaitUntil(until) => {
                            prop_assert!(until > now);
                            now = until;
                        }
                        KeepaliveAction::Ping => break,
                        KeepaliveAction::Pong => {}
                        KeepaliveAction::GiveUp(silence) => prop_assert!(false, "given up after {silence:?}"),
                    }
                }
                now += Duration::from_millis(after);
                keepalive.heard(now);
            }
        }

        #[test]
        fn a_receiver_to_which_bytes_trickle_is_never_silent(arrivals in vec(1..6000u64, 1..200)) {
            // The last arrival but one may have come just after it spoke.
            let longest = longest_silence(&arrivals);
            prop_assert!(longest < DEAD_AFTER, "{longest:?}");
        }
    }

    #[test]
    fn a_receiver_that_sends_anything_itself_says_nothing_more() {
        let mut keepalive = Keepalive::new(LifeSign::Speaks, Duration::ZERO);
        for second in 1..100 {
            let now = Duration::from_secs(second);
            keepalive.heard(now);
            keepalive.received();
            keepalive.spoke(now);
            assert!(matches!(keepalive.poll(now), KeepaliveAction::WaitUntil(until) if until > now));
        }
    }

    #[test]
    fn an_idle_end_says_nothing_unasked() {
        let mut keepalive = Keepalive::new(LifeSign::Speaks, Duration::ZERO);
        for second in 1..100 {
            let now = Duration::from_secs(second);
            keepalive.heard(now);
            assert!(matches!(keepalive.poll(now), KeepaliveAction::WaitUntil(_)));
        }
    }

    #[test]
    fn taken_bytes_keep_only_a_peer_that_does_not_speak_unasked() {
        for life_sign in BOTH {
            let mut keepalive = Keepalive::new(life_sign, Duration::ZERO);
            let mut given_up = None;
            for second in 1..60 {
                let now = Duration::from_secs(second);
                keepalive.taken(now);
                while let KeepaliveAction::Ping = keepalive.poll(now) {}
                if let KeepaliveAction::GiveUp(_) = keepalive.poll(now) {
                    given_up.get_or_insert(now);
                }
            }
            let expected = (life_sign == LifeSign::Speaks).then_some(DEAD_AFTER);
            assert_eq!(given_up, expected, "{life_sign:?}");
        }
    }
}
