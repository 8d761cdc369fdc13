//! A stream that is requested again when it breaks: whom to ask and for how long, when a server is useless, and when to
//! give up.
//!
//! The shell polls a [`Resumption`] and does what it says until it says to wait. Then it sleeps, and reports what happens
//! as [`Event`]s. At most one server is asked at any time, and only one search for servers is under way.
//!
//! Times are durations since any fixed moment of a clock that never goes back.

mod action;
mod attempt;
mod broken;
mod event;
mod limits;
mod servers;
#[cfg(test)]
mod tests;
mod watch;

use std::{mem, time::Duration};

use actr_lite_wire::identity::ActrId;

pub use self::{
    action::{Action, GiveUp},
    broken::Broken,
    event::{End, Event, Failure, Seen, Unnamed},
    limits::{ASK_TIMEOUT, DISCOVER_TIMEOUT, END_GRACE, LOOK_EVERY, Limits},
};
use self::{
    attempt::Attempt,
    servers::{Round, Servers, Verdict},
    watch::{Advice, Watch},
};
use crate::retry::Retry;

/// Decides for one stream. `S` says how a server's stream ended and `E` why a step failed.
#[derive(Debug)]
pub struct Resumption<S, E> {
    limits: Limits,
    /// How many frames are wanted, if that is known.
    expected: Option<u64>,
    retry: Retry,
    servers: Servers,
    phase: Phase<S, E>,
    /// When all frames had come.
    completed: Option<Duration>,
    broken: Option<Broken<S>>,
    /// Why the last try since then failed.
    cause: Option<E>,
}

#[derive(Debug)]
enum Phase<S, E> {
    /// The next try is to be planned.
    Planning,
    /// Until the next try.
    Pausing(Duration),
    Discovering,
    /// The next server is to be asked.
    Choosing(Round<E>),
    Asking(Attempt<S>, Round<E>),
    /// The server has agreed.
    Agreed(Attempt<S>),
    Sending(Attempt<S>, Watch),
    /// The server's stream is given up, or to be given up at the next poll.
    Releasing(Attempt<S>, After<S, E>),
    Released(Attempt<S>, After<S, E>),
    GivingUp(GiveUp<S, E>),
    Over,
}

/// What follows a release.
#[derive(Debug)]
enum After<S, E> {
    Complete,
    /// The next server of this round is asked.
    Next(Round<E>),
    Broken(Broken<S>),
    GiveUp(GiveUp<S, E>),
}

impl<S: Clone, E> Resumption<S, E> {
    /// Of a stream that no server sends yet. The time starts now.
    pub fn new(limits: Limits, expected: Option<u64>, now: Duration) -> Self {
        Self {
            limits,
            expected,
            retry: Retry::new(limits.timeout, now),
            servers: Servers::default(),
            phase: Phase::Planning,
            completed: None,
            broken: None,
            cause: None,
        }
    }

    /// Of a stream that `server` has agreed to send, and of which `delivered` frames had come before. The time starts
    /// at `since`.
    pub fn agreed(limits: Limits, expected: Option<u64>, since: Duration, server: ActrId, delivered: u64) -> Self {
        let mut resumption = Self::new(limits, expected, since);
        resumption.servers.known.push(server.clone());
        resumption.phase = Phase::Agreed(Attempt::agreed(server, delivered));
        resumption
    }

    /// The server that was asked or sends, if there is one.
    pub fn server(&self) -> Option<&ActrId> {
        self.attempt().map(|attempt| &attempt.server)
    }

    fn attempt(&self) -> Option<&Attempt<S>> {
        match &self.phase {
            Phase::Asking(attempt, _)
            | Phase::Agreed(attempt)
            | Phase::Sending(attempt, _)
            | Phase::Releasing(attempt, _)
            | Phase::Released(attempt, _) => Some(attempt),
            _ => None,
        }
    }

    /// Whether a server has agreed and was not given up yet.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Agreed(_) | Phase::Sending(..))
    }

    /// Whether it is known that the present server shuts down.
    pub fn is_leaving(&self) -> bool {
        self.attempt().is_some_and(|attempt| attempt.is_leaving)
    }

    /// Why the last try failed, since the stream broke.
    pub fn cause(&self) -> Option<&E> {
        self.cause.as_ref()
    }

    /// Takes note of what happened. What does not fit the last action comes too late, and changes nothing.
    pub fn handle(&mut self, event: Event<S, E>) {
        self.phase = match (mem::replace(&mut self.phase, Phase::Over), event) {
            (Phase::Discovering, Event::Named(servers)) => {
                self.servers.known = servers;
                Phase::Choosing(self.servers.round())
            }
            (Phase::Discovering, Event::Unnamed(why, error)) => self.unnamed(why, error),
            (Phase::Asking(attempt, _), Event::Agreed) => Phase::Agreed(attempt),
            (Phase::Asking(attempt, round), Event::Failed(failure, error)) => {
                self.refused(attempt, round, failure, error)
            }
            (Phase::Asking(mut attempt, round), event) => {
                note(&mut attempt, event);
                Phase::Asking(attempt, round)
            }
            (Phase::Agreed(mut attempt), event) => {
                note(&mut attempt, event);
                Phase::Agreed(attempt)
            }
            (Phase::Sending(mut attempt, mut watch), event) => {
                match event {
                    Event::Named(servers) => watch.named(servers, &attempt.server),
                    Event::Unnamed(..) => watch.named(Vec::new(), &attempt.server),
                    Event::Connected => watch.connected(true),
                    Event::Unreachable => watch.connected(false),
                    event => note(&mut attempt, event),
                }
                Phase::Sending(attempt, watch)
            }
            (Phase::Releasing(mut attempt, after), event) => {
                note(&mut attempt, event);
                Phase::Releasing(attempt, after)
            }
            (phase, _) => phase,
        };
    }

    fn unnamed(&mut self, why: Unnamed, error: E) -> Phase<S, E> {
        match why {
            Unnamed::Final => Phase::GivingUp(GiveUp::Refused(error)),
            Unnamed::Silent if !self.servers.known.is_empty() => Phase::Choosing(self.servers.round()),
            Unnamed::Silent | Unnamed::NoServer => {
                self.cause = Some(error);
                Phase::Planning
            }
        }
    }

    fn refused(&mut self, attempt: Attempt<S>, mut round: Round<E>, failure: Failure, error: E) -> Phase<S, E> {
        self.servers.failed = Some(attempt.server.clone());
        let after = match failure {
            Failure::Final => After::GiveUp(GiveUp::Refused(error)),
            failure => {
                round.failed(failure, error);
                After::Next(round)
            }
        };
        Phase::Releasing(attempt, after)
    }

    /// What to do now. `jitter` is random, from 0 to 1.
    pub fn poll(&mut self, now: Duration, seen: Seen, jitter: f64) -> Action<S, E> {
        loop {
            let (phase, action) = match mem::replace(&mut self.phase, Phase::Over) {
                Phase::Planning => self.plan(now, seen, jitter),
                Phase::Pausing(until) => self.pause(until, now, seen),
                Phase::Discovering => (Phase::Discovering, Some(Action::Wait(None))),
                Phase::Choosing(round) => self.choose(round, now, seen),
                Phase::Asking(attempt, round) => self.ask(attempt, round, now, seen),
                Phase::Agreed(attempt) => self.begin(attempt, now, seen),
                Phase::Sending(attempt, watch) => self.watch(attempt, watch, now, seen),
                Phase::Releasing(attempt, after) => (Phase::Released(attempt, after), Some(Action::Release)),
                Phase::Released(attempt, after) => self.released(attempt, after, now, seen),
                Phase::GivingUp(why) => (Phase::Over, Some(Action::GiveUp(why))),
                Phase::Over => (Phase::Over, Some(Action::Wait(None))),
            };
            self.phase = phase;
            if let Some(action) = action {
                return action;
            }
        }
    }

    fn plan(&mut self, now: Duration, seen: Seen, jitter: f64) -> Step<S, E> {
        if self.expected.is_some_and(|expected| seen.delivered >= expected) {
            return (Phase::Over, Some(Action::Complete));
        }
        match self.retry.next_try(now, jitter) {
            Some(wait) => (Phase::Pausing(now.saturating_add(wait)), None),
            None => {
                let (broken, cause) = (self.broken.take(), self.cause.take());
                (Phase::GivingUp(GiveUp::TimedOut { broken, cause }), None)
            }
        }
    }

    fn pause(&mut self, until: Duration, now: Duration, seen: Seen) -> Step<S, E> {
        if now < until {
            return (Phase::Pausing(until), Some(Action::Wait(Some(until))));
        }
        let left = self.retry.left(now);
        let has_known = !self.servers.known.is_empty();
        if left.is_zero() {
            return (Phase::Planning, None);
        }
        if has_known && seen.registry_is_away {
            return (Phase::Choosing(self.servers.round()), None);
        }
        let timeout = match has_known {
            true => DISCOVER_TIMEOUT.min(left / 2),
            false => left,
        };
        (Phase::Discovering, Some(Action::Discover { timeout }))
    }

    fn choose(&mut self, mut round: Round<E>, now: Duration, seen: Seen) -> Step<S, E> {
        if let Some((server, timeout)) = round.next(self.retry.left(now)) {
            let attempt = Attempt::new(server.clone(), seen.delivered);
            return (Phase::Asking(attempt, round), Some(Action::Ask { server, timeout }));
        }
        match round.verdict() {
            Verdict::Refused(error) => (Phase::GivingUp(GiveUp::Refused(error)), None),
            Verdict::TryAgain(error) => {
                self.cause = error.or(self.cause.take());
                (Phase::Planning, None)
            }
        }
    }

    fn ask(&mut self, attempt: Attempt<S>, round: Round<E>, now: Duration, seen: Seen) -> Step<S, E> {
        // A server that sends has agreed, though its answer is late.
        match self.finish(&attempt, now, seen) {
            Finish::Missing => (Phase::Asking(attempt, round), Some(Action::Wait(None))),
            Finish::Soon(until) => (Phase::Asking(attempt, round), Some(Action::Wait(Some(until)))),
            Finish::Now => (Phase::Releasing(attempt, After::Complete), None),
        }
    }

    fn begin(&mut self, mut attempt: Attempt<S>, now: Duration, seen: Seen) -> Step<S, E> {
        if let Some(server) = attempt.count() {
            return (Phase::Agreed(attempt), Some(Action::TookOver(server)));
        }
        let watch = Watch::new(now, self.retry.left(now), seen.delivered, &self.limits);
        (Phase::Sending(attempt, watch), None)
    }

    fn watch(&mut self, attempt: Attempt<S>, mut watch: Watch, now: Duration, seen: Seen) -> Step<S, E> {
        match self.finish(&attempt, now, seen) {
            Finish::Missing => {}
            Finish::Soon(until) => return (Phase::Sending(attempt, watch), Some(Action::Wait(Some(until)))),
            Finish::Now => return (Phase::Releasing(attempt, After::Complete), None),
        }
        let server = attempt.server.clone();
        let after = match &attempt.ended {
            Some((End::Unwanted, end)) => After::GiveUp(GiveUp::Ended(end.clone())),
            Some((_, end)) => After::Broken(Broken::Ended(end.clone())),
            None => {
                let has_delivered = attempt.has_delivered(seen.delivered);
                let action = match watch.poll(now, seen, has_delivered, attempt.is_leaving) {
                    Advice::Wait(until) => Ok(Action::Wait(until)),
                    Advice::Discover(timeout) => Ok(Action::Discover { timeout }),
                    Advice::Connect(server, timeout) => Ok(Action::Connect { server, timeout }),
                    Advice::Leave => Err(Broken::Leaving(server)),
                    Advice::Idle(after) => Err(Broken::Idle { server, after }),
                    Advice::Silent(after) => Err(Broken::Silent {
                        server,
                        after,
                        partial_len: seen.partial_len,
                    }),
                };
                match action {
                    Ok(action) => return (Phase::Sending(attempt, watch), Some(action)),
                    Err(broken) => After::Broken(broken),
                }
            }
        };
        (Phase::Releasing(attempt, after), None)
    }

    /// Whether this server's part ends well.
    fn finish(&mut self, attempt: &Attempt<S>, now: Duration, seen: Seen) -> Finish {
        if attempt.has_delivered(seen.delivered) {
            self.retry.progressed();
        }
        if !attempt.is_complete(self.expected, seen.delivered) {
            return Finish::Missing;
        }
        let until = self.completed.get_or_insert(now).saturating_add(END_GRACE);
        match attempt.ended.is_some() || now >= until {
            true => Finish::Now,
            false => Finish::Soon(until),
        }
    }

    /// No more frames of this server come.
    fn released(&mut self, mut attempt: Attempt<S>, after: After<S, E>, now: Duration, seen: Seen) -> Step<S, E> {
        let has_delivered = attempt.has_delivered(seen.delivered);
        if has_delivered && let Some(server) = attempt.count() {
            return (Phase::Released(attempt, after), Some(Action::TookOver(server)));
        }
        if attempt.is_complete(self.expected, seen.delivered) {
            return (Phase::Over, Some(Action::Complete));
        }
        if has_delivered {
            self.retry.progressed();
        }
        self.retry.broke(now);
        match after {
            After::Next(round) => (Phase::Choosing(round), None),
            After::GiveUp(why) => (Phase::GivingUp(why), None),
            After::Broken(broken) => {
                self.servers.failed = Some(attempt.server);
                self.cause = None;
                self.broken = Some(broken.clone());
                (Phase::Planning, Some(Action::Broke(broken)))
            }
            // What was complete remains so.
            After::Complete => (Phase::Planning, None),
        }
    }
}

/// The next phase, and what to do if anything is to be done.
type Step<S, E> = (Phase<S, E>, Option<Action<S, E>>);

enum Finish {
    /// Frames are missing.
    Missing,
    /// Nothing is missing; at that time the server's word is waited for no longer.
    Soon(Duration),
    Now,
}

fn note<S, E>(attempt: &mut Attempt<S>, event: Event<S, E>) {
    match event {
        Event::Ended(end, how) => attempt.ended = Some((end, how)),
        Event::Leaves => attempt.is_leaving = true,
        _ => {}
    }
}
