//! How much a connection is used, and when it is closed because nobody uses it.

use std::time::Duration;

use actr_lite_wire::websocket::CloseCode;

/// What a peer is told whose connection is closed because nobody uses it: a call that it has made meanwhile was not
/// served, and can be made again over another connection.
pub const UNUSED: &str = "nobody uses the connection any more";

/// Whether a peer has closed its connection because nobody used it: what was sent meanwhile it has not looked at.
pub fn is_unused(code: CloseCode, reason: &str) -> bool {
    code == CloseCode::NORMAL && reason == UNUSED
}

/// How much a connection is used: by calls both ways, by streams that are sent, by handles.
///
/// Times are those since any fixed moment of a clock that never goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    users: usize,
    /// When the last of them left.
    unused_since: Duration,
    /// How many bytes waited to be sent at the last look.
    unsent: usize,
    /// It takes no more: it is being closed as unused.
    is_retired: bool,
}

impl Usage {
    /// Of a connection that nobody uses yet.
    pub fn new(now: Duration) -> Self {
        Self {
            users: 0,
            unused_since: now,
            unsent: 0,
            is_retired: false,
        }
    }

    /// One more uses it; false if it takes no more.
    pub fn enter(&mut self) -> bool {
        self.users += usize::from(!self.is_retired);
        !self.is_retired
    }

    /// One that uses it brings another, whatever happens to the connection.
    pub fn join(&mut self) {
        debug_assert!(self.users > 0, "nobody is there to bring another");
        self.users += 1;
    }

    /// One that used it is done.
    pub fn leave(&mut self, now: Duration) {
        self.users -= 1;
        if self.users == 0 {
            self.unused_since = now;
        }
    }

    /// Whether it takes no more.
    pub fn is_retired(&self) -> bool {
        self.is_retired
    }

    /// Takes no more from now on, if nobody has used it for this long.
    ///
    /// `no_stream_since` says since when no stream comes over it, `None` while one does, or may begin with the next record.
    /// `unsent` is how many bytes wait to be sent: as long as they become fewer from one call to the next, the peer uses the
    /// connection, though nobody else does any more. A peer that takes nothing does not.
    ///
    /// Once retired, it serves no call of the peer, which may then make it again over another connection. To be called
    /// between two messages of the peer, so that a stream can't begin meanwhile.
    ///
    /// # Errors
    /// It is used: when to check again.
    pub fn retire(
        &mut self,
        no_stream_since: Option<Duration>,
        unsent: usize,
        idle_timeout: Duration,
        now: Duration,
    ) -> Result<(), Duration> {
        if std::mem::replace(&mut self.unsent, unsent) != unsent && unsent > 0 {
            self.unused_since = now;
        }
        let Some(no_stream_since) = no_stream_since.filter(|_| self.users == 0) else {
            return Err(now + idle_timeout);
        };
        let due = self.unused_since.max(no_stream_since) + idle_timeout;
        if due > now {
            return Err(due);
        }
        self.is_retired = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_connection_that_is_used_is_not_closed() {
        let mut usage = Usage::new(at(0));
        assert!(usage.enter());
        assert_eq!(usage.retire(Some(at(0)), 0, IDLE, at(100)), Err(at(110)));
        usage.leave(at(100));
        assert_eq!(usage.retire(Some(at(0)), 0, IDLE, at(109)), Err(at(110)));
        assert_eq!(
            usage.retire(None, 0, IDLE, at(110)),
            Err(at(120)),
            "a stream comes over it"
        );
        assert_eq!(usage.retire(Some(at(105)), 0, IDLE, at(110)), Err(at(115)));
        assert_eq!(usage.retire(Some(at(100)), 0, IDLE, at(110)), Ok(()));
    }

    #[test]
    fn a_connection_is_used_while_the_peer_takes_what_is_sent() {
        let mut usage = Usage::new(at(0));
        assert_eq!(usage.retire(Some(at(0)), 3000, IDLE, at(10)), Err(at(20)));
        assert_eq!(usage.retire(Some(at(0)), 1000, IDLE, at(20)), Err(at(30)));
        let mut stuck = usage.clone();
        assert_eq!(
            stuck.retire(Some(at(0)), 1000, IDLE, at(30)),
            Ok(()),
            "it takes no more"
        );
        assert_eq!(usage.retire(Some(at(0)), 0, IDLE, at(30)), Ok(()), "it has taken all");
    }

    #[test]
    fn a_retired_connection_takes_nobody() {
        let mut usage = Usage::new(at(0));
        assert!(!usage.is_retired());
        assert_eq!(usage.retire(Some(at(0)), 0, IDLE, IDLE), Ok(()));
        assert!(usage.is_retired() && !usage.enter());
    }

    proptest! {
        #[test]
        fn it_retires_exactly_when_nobody_has_used_it_for_so_long(steps in vec((0u8..4, 0u64..8), 1..100)) {
            let (mut usage, mut now) = (Usage::new(at(0)), at(0));
            let (mut users, mut last_used) = (0, at(0));
            for (step, pause) in steps {
                now += at(pause);
                if users > 0 {
                    last_used = now;
                }
                match step {
                    0 if usage.enter() => users += 1,
                    1 if users > 0 => { usage.join(); users += 1 }
                    2 if users > 0 => { usage.leave(now); users -= 1 }
                    3 => {
                        let retired = usage.retire(Some(at(0)), 0, IDLE, now);
                        prop_assert_eq!(retired.is_ok(), users == 0 && now >= last_used + IDLE);
                        if let Err(later) = retired {
                            prop_assert!(later > now);
                        } else {
                            break;
                        }
                    }
                    _ => {}
                }
                if users > 0 {
                    last_used = now;
                }
            }
        }
    }
}
