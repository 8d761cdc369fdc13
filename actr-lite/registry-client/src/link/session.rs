use std::time::Duration;

/// After so much silence the registry counts as dead, and also if it takes so long to accept a message: official clients
/// (actr 0.4.21) take the same time.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);

/// How often the registry is asked for a sign of life at least, whatever heartbeats it wants: official clients do the same.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long to wait before a heartbeat is sent again that the registry refused for now, as it is busy or is asked too
/// often: seldom enough not to be a part of that, and early enough not to be forgotten, which takes some intervals.
const HEARTBEAT_PAUSE: Duration = Duration::from_secs(1);

/// What is due over one signaling connection.
#[derive(Debug)]
pub(super) struct Session {
    next_heartbeat: Duration,
    /// The last heartbeat has no answer yet.
    is_heartbeat_open: bool,
    next_probe: Duration,
    /// When anything came last.
    heard: Duration,
    /// Since when the registry has not accepted what was sent.
    stuck_since: Option<Duration>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// To give the connection up.
    Silent,
    Heartbeat,
    Ping,
    Nothing,
}

impl Session {
    /// Of a connection that has been open since `now`.
    pub(super) fn new(now: Duration) -> Self {
        Self {
            next_heartbeat: now,
            is_heartbeat_open: false,
            next_probe: now,
            heard: now,
            stuck_since: None,
        }
    }

    /// Anything came.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// The last heartbeat was answered.
    pub(super) fn heartbeat_answered(&mut self) {
        self.is_heartbeat_open = false;
    }

    /// A heartbeat is due now, unless there will be an answer to one anyway.
    pub(super) fn hurry(&mut self, now: Duration) {
        if !self.is_heartbeat_open {
            self.next_heartbeat = now;
        }
    }

    /// The last heartbeat was not taken for one, and is sent again a bit later.
    pub(super) fn repeat_heartbeat(&mut self, now: Duration) {
        self.next_heartbeat = self.next_heartbeat.min(now + HEARTBEAT_PAUSE);
    }

    /// The same, if it was the heartbeat to which this happened: if it has no answer.
    pub(super) fn repeat_open_heartbeat(&mut self, now: Duration) {
        if self.is_heartbeat_open {
            self.repeat_heartbeat(now);
        }
    }

    /// What is due now, which then counts as done. Without `can_send` nothing can be sent.
    pub(super) fn poll(&mut self, now: Duration, heartbeat_interval: Duration, can_send: bool) -> Due {
        self.stuck_since = match can_send {
            true => None,
            false => self.stuck_since.or(Some(now)),
        };
        if now >= self.gives_up_at() {
            return Due::Silent;
        }
        if !can_send || now < self.next_heartbeat.min(self.next_probe) {
            return Due::Nothing;
        }
        // A heartbeat asks for a sign of life too.
        self.next_probe = now + PROBE_INTERVAL;
        if now < self.next_heartbeat {
            return Due::Ping;
        }
        self.next_heartbeat = now + heartbeat_interval;
        self.is_heartbeat_open = true;
        Due::Heartbeat
    }

    /// When to be polled again, whatever comes.
    pub(super) fn wake(&self) -> Duration {
        match self.stuck_since {
            Some(_) => self.gives_up_at(),
            None => self.gives_up_at().min(self.next_heartbeat).min(self.next_probe),
        }
    }

    fn gives_up_at(&self) -> Duration {
        self.heard.min(self.stuck_since.unwrap_or(Duration::MAX)) + DEAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(12);

    /// What is due at which second, if the registry lives on.
    fn due(interval: Duration, until: u64) -> Vec<(u64, Due)> {
        let mut session = Session::new(Duration::ZERO);
        let mut due = Vec::new();
        for second in 0..until {
            let now = Duration::from_secs(second);
            session.heard(now);
            match session.poll(now, interval, true) {
                Due::Nothing => assert!(session.wake() > now),
                step => due.push((second, step)),
            }
        }
        due
    }

    #[test]
    fn heartbeats_go_out_on_time_and_pings_between_them() {
        use Due::{Heartbeat, Ping};
        let expected = [
            (0, Heartbeat),
            (5, Ping),
            (10, Ping),
            (12, Heartbeat),
            (17, Ping),
            (22, Ping),
            (24, Heartbeat),
        ];
        assert_eq!(due(INTERVAL, 25), expected);
        assert_eq!(
            due(Duration::from_secs(2), 5),
            [(0, Heartbeat), (2, Heartbeat), (4, Heartbeat)]
        );
    }

    #[test]
    fn ten_seconds_of_silence_end_it() {
        let mut session = Session::new(Duration::ZERO);
        assert_eq!(session.poll(Duration::ZERO, INTERVAL, true), Due::Heartbeat);
        let before = DEAD_AFTER - Duration::from_millis(1);
        assert_eq!(session.poll(before, INTERVAL, true), Due::Ping);
        assert_eq!(
            (session.wake(), session.poll(before, INTERVAL, true)),
            (DEAD_AFTER, Due::Nothing)
        );
        assert_eq!(session.poll(DEAD_AFTER, INTERVAL, true), Due::Silent);
    }

    #[test]
    fn a_message_that_is_not_taken_for_ten_seconds_ends_it() {
        let mut session = Session::new(Duration::ZERO);
        let mut poll = |second, can_send| {
            let now = Duration::from_secs(second);
            session.heard(now);
            let due = session.poll(now, INTERVAL, can_send);
            (due, session.wake())
        };
        assert_eq!(poll(1, false), (Due::Nothing, Duration::from_secs(11)));
        assert_eq!(poll(9, true).0, Due::Heartbeat, "it is taken at last");
        assert_eq!(poll(12, false), (Due::Nothing, Duration::from_secs(22)));
        assert_eq!(poll(21, false).0, Due::Nothing);
        assert_eq!(poll(22, false).0, Due::Silent);
    }
}
