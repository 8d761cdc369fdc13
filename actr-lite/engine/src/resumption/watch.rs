use std::{collections::VecDeque, time::Duration};

use actr_lite_wire::identity::ActrId;

use super::{
    event::Seen,
    limits::{ASK_TIMEOUT, DISCOVER_TIMEOUT, LOOK_EVERY, Limits},
};

/// How often a stream is checked within its idle timeout: an idle one is noticed at most that fraction later.
const LOOKS_PER_IDLE_TIMEOUT: u32 = 4;

/// The shortest pause between two looks: an idle timeout of no length at all must not keep a core busy.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

/// How a server that has agreed does, and whether there is a better one.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    since: Duration,
    /// From then on another server is better than one that has sent nothing.
    patient_until: Duration,
    /// When one that has sent nothing is given up, even if there is no other.
    silent_until: Duration,
    idle: Option<Idle>,
    lookup: Lookup,
}

/// The search for another server.
#[derive(Debug, Clone)]
enum Lookup {
    Never,
    Paused(Duration),
    Discovering,
    /// The servers that were named, without the one that sends.
    Named(VecDeque<ActrId>),
    Connecting(VecDeque<ActrId>),
    Found,
}

#[derive(Debug, Clone)]
struct Idle {
    timeout: Duration,
    delivered: u64,
    since: Duration,
}

/// What to do about a server that sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Until then, if there is a time, or an event.
    Wait(Option<Duration>),
    Discover(Duration),
    Connect(ActrId, Duration),
    /// It leaves, and there is another one.
    Leave,
    /// It has sent nothing for this long.
    Silent(Duration),
    /// It has sent nothing more for this long.
    Idle(Duration),
}

impl Watch {
    /// Of a server that agreed now, when so much time is left for its first frame.
    pub(super) fn new(now: Duration, left: Duration, delivered: u64, limits: &Limits) -> Self {
        // Half of it is left for another server, if there is one.
        let share = limits.first_frame.unwrap_or(left / 2);
        Self {
            since: now,
            patient_until: now.saturating_add(share),
            silent_until: now.saturating_add(left.max(share)),
            idle: limits.idle_timeout.map(|timeout| Idle {
                timeout,
                delivered,
                since: now,
            }),
            lookup: Lookup::Never,
        }
    }

    /// The answer to [`Advice::Discover`].
    pub(super) fn named(&mut self, servers: Vec<ActrId>, sender: &ActrId) {
        if let Lookup::Discovering = self.lookup {
            self.lookup = Lookup::Named(servers.into_iter().filter(|server| server != sender).collect());
        }
    }

    /// The answer to [`Advice::Connect`].
    pub(super) fn connected(&mut self, is_connected: bool) {
        if let Lookup::Connecting(rest) = &mut self.lookup {
            self.lookup = match is_connected {
                true => Lookup::Found,
                false => Lookup::Named(std::mem::take(rest)),
            };
        }
    }

    pub(super) fn poll(&mut self, now: Duration, seen: Seen, has_delivered: bool, is_leaving: bool) -> Advice {
        let mut wake = Duration::MAX;
        if let Some(idle) = &mut self.idle {
            if has_delivered && let Some(after) = idle.look(now, seen.delivered) {
                return Advice::Idle(after);
            }
            wake = now.saturating_add((idle.timeout / LOOKS_PER_IDLE_TIMEOUT).max(LEAST_PAUSE));
        }
        if !has_delivered {
            if now >= self.silent_until {
                return Advice::Silent(now.saturating_sub(self.since));
            }
            wake = wake.min(self.silent_until);
        }
        let is_silent = !has_delivered && now >= self.patient_until;
        if !has_delivered && !is_silent {
            wake = wake.min(self.patient_until);
        }
        if is_leaving || is_silent && seen.partial_len == 0 {
            match self.look(now) {
                Advice::Wait(until) => wake = until.map_or(wake, |until| wake.min(until)),
                Advice::Leave if !is_leaving => return Advice::Silent(now.saturating_sub(self.since)),
                advice => return advice,
            }
        } else if is_silent {
            // What has come of a long frame over a slow link is not thrown away for another try.
            wake = wake.min(now.saturating_add(LOOK_EVERY));
        }
        Advice::Wait((wake < Duration::MAX).then_some(wake))
    }

    /// Looks for another server. One that the registry only believes to be alive is no reason to give up a running
    /// stream: a connection must be possible.
    fn look(&mut self, now: Duration) -> Advice {
        if let Lookup::Named(servers) = &mut self.lookup {
            let mut servers = std::mem::take(servers);
            if let Some(server) = servers.pop_front() {
                self.lookup = Lookup::Connecting(servers);
                return Advice::Connect(server, ASK_TIMEOUT);
            }
            self.lookup = Lookup::Paused(now.saturating_add(LOOK_EVERY));
        }
        match self.lookup {
            Lookup::Paused(until) if now < until => Advice::Wait(Some(until)),
            Lookup::Never | Lookup::Paused(_) => {
                self.lookup = Lookup::Discovering;
                Advice::Discover(DISCOVER_TIMEOUT)
            }
            Lookup::Found => Advice::Leave,
            Lookup::Discovering | Lookup::Named(_) | Lookup::Connecting(_) => Advice::Wait(None),
        }
    }
}

impl Idle {
    /// How long nothing has come, if that is too long.
    fn look(&mut self, now: Duration, delivered: u64) -> Option<Duration> {
        if delivered > self.delivered {
            (self.delivered, self.since) = (delivered, now);
        }
        let idle = now.saturating_sub(self.since);
        (idle >= self.timeout).then_some(idle)
    }
}
