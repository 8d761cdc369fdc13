use std::time::Duration;

use actr_lite_webrtc::{
    event::Event,
    stage::{CLOSE_TIMEOUT, DRAIN_TIMEOUT},
};

/// How long after a wish there is a session at the latest, or the news that there is none: four tries, each with the waits
/// for the registry, an offer and a session, and the pauses between them.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4 * 27 + 7);

/// Whoever uses the sessions: what it was told, and whether that makes sense.
#[derive(Debug)]
pub(super) struct Application {
    /// Whether it wants a session whenever there is none.
    pub(super) wants: bool,
    /// Which session it has, of all that it had.
    pub(super) session: Option<u64>,
    pub(super) sessions: u64,
    has_path: bool,
    asked: Option<Duration>,
    closed: Option<Duration>,
}

impl Application {
    pub(super) fn new(wants: bool) -> Self {
        Self {
            wants,
            session: None,
            sessions: 0,
            has_path: false,
            asked: None,
            closed: None,
        }
    }

    /// It asks for a session.
    pub(super) fn asks(&mut self, now: Duration) {
        self.asked.get_or_insert(now);
    }

    /// It closes the session, or what is being made.
    pub(super) fn closes(&mut self, now: Duration) {
        self.asked = None;
        if self.session.is_some() {
            self.closed.get_or_insert(now);
        }
    }

    /// Takes note; whether there is no session now, and it wants one.
    pub(super) fn told(&mut self, event: &Event) -> Result<bool, String> {
        let is_lost = match (event, self.session) {
            (Event::Ready(_), None) => {
                self.sessions += 1;
                self.session = Some(self.sessions);
                (self.has_path, self.asked) = (true, None);
                false
            }
            (Event::Recovering, Some(_)) if self.has_path => {
                self.has_path = false;
                false
            }
            (Event::Recovered, Some(_)) if !self.has_path => {
                self.has_path = true;
                false
            }
            (Event::Ended(_), Some(_)) => {
                (self.session, self.closed) = (None, None);
                true
            }
            (Event::Failed(_), None) if self.asked.is_some() => {
                self.asked = None;
                true
            }
            (event, session) => return Err(format!("it is told {event:?} while its session is {session:?}")),
        };
        Ok(is_lost && self.wants)
    }

    /// What it waits for comes in time. Nothing is in time while something goes wrong: that ends at `healed`.
    pub(super) fn check(&self, now: Duration, healed: Duration) -> Result<(), String> {
        if self
            .asked
            .is_some_and(|asked| asked.max(healed) + ANSWERED_WITHIN < now)
        {
            return Err("it was told neither of a session nor that there is none".into());
        }
        if self
            .closed
            .is_some_and(|closed| closed + DRAIN_TIMEOUT + CLOSE_TIMEOUT < now)
        {
            return Err("the session that it has closed does not end".into());
        }
        Ok(())
    }
}
