//! What a node's link to its registry decides, as a state machine without I/O: times, messages and what became of an
//! [`Action`] in, actions out.
//!
//! A shell polls it until it says to [wait](Action::Wait), does each action, and tells what comes of it as an [`Event`].
//! It has four things at most: one question to AIS, one signaling connection that is being opened, one that is open, and
//! one that is being closed. Times are since any fixed moment; `jitter` is random, from 0 to 1.

mod action;
mod calendar;
mod envelope;
mod grant;
mod handle;
mod heartbeat;
mod membership;
mod mismatch;
mod outage;
mod own_ids;
mod relays;
mod renewal;
mod requests;
mod retries;
mod session;
mod signing_keys;

use std::{collections::VecDeque, mem, time::Duration};

use actr_lite_wire::{
    error_code::ErrorCode,
    peer_text::PeerText,
    proto::{ErrorResponse, actr_to_signaling::Payload as RequestPayload},
};
use tracing::{debug, info};

pub use self::{
    action::{Action, Event},
    handle::OLD_KEY_TIMEOUT,
    session::DEAD_AFTER,
};
use self::{
    calendar::Calendar,
    envelope::{Message, Received, envelope, relay_envelope},
    membership::Membership,
    outage::Outage,
    own_ids::OwnIds,
    relays::Relays,
    renewal::Step,
    requests::{Requests, Waiting},
    retries::Retries,
    session::{Due, Session},
    signing_keys::SigningKeys,
};
use crate::{
    answer::{Outcome, settled},
    error::RegistryLinkError,
    identity::Identity,
    load::LoadReport,
    refusal_code::code_of,
    registry_url::RegistryUrl,
    state::LinkState,
};

/// What heartbeats have before their number, and requests have not.
const HEARTBEAT: char = 'h';

/// What messages to other nodes have before theirs.
const RELAY: char = 'r';

/// A node's link to its registry: it registers and connects, and does both again when they are lost. `W` is whoever waits
/// for an answer.
#[derive(Debug)]
pub struct Link<W> {
    url: RegistryUrl,
    /// Before the number of each envelope, so that no other node's envelopes have the same id.
    envelope_prefix: String,
    heartbeats: u64,
    stage: Stage,
    state: LinkState,
    membership: Option<Membership>,
    /// When AIS was asked last.
    asked_at: Duration,
    /// The last one; the registry may have forgotten it.
    identity: Option<Identity>,
    own_ids: OwnIds,
    is_leaving: bool,
    requests: Requests<W>,
    relays: Relays,
    keys: SigningKeys,
    calendar: Calendar,
    retries: Retries,
    /// The time in which the registry refuses heartbeats, and nobody finds the node.
    heartbeats_refused: Outage,
    /// What is to be done before anything else: one answer for each request at most, and what ends a connection.
    actions: VecDeque<Action<W>>,
}

#[derive(Debug)]
enum Stage {
    /// The next try begins then.
    Pausing(Duration),
    Registering,
    Opening,
    Open(Session),
    Stopped,
}

impl<W> Link<W> {
    /// A link to the registry at `url` that begins now. `life` is random: no two links have the same.
    pub fn new(url: RegistryUrl, life: u64) -> Self {
        Self {
            envelope_prefix: format!("{life:016x}-"),
            heartbeats: 0,
            stage: Stage::Pausing(Duration::ZERO),
            state: LinkState::Registering { last_error: None },
            membership: None,
            asked_at: Duration::ZERO,
            identity: None,
            own_ids: OwnIds::default(),
            is_leaving: false,
            requests: Requests::default(),
            relays: Relays::default(),
            keys: SigningKeys::default(),
            calendar: Calendar::default(),
            retries: Retries::new(url.clone()),
            heartbeats_refused: Outage::default(),
            actions: VecDeque::new(),
            url,
        }
    }

    /// What to do now. `load` is what a heartbeat tells. Without `can_send`, as the connection has not taken all that was
    /// sent, nothing more is.
    pub fn poll(&mut self, now: Duration, load: LoadReport, can_send: bool, jitter: f64) -> Action<W> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return action;
            }
            if let Some(waiting) = self.requests.expire(now) {
                return self.timed_out(waiting);
            }
            match (&mut self.stage, &mut self.membership) {
                (Stage::Stopped, _) => return Action::Stop,
                (Stage::Pausing(until), _) if now < *until => return self.wait(can_send),
                (Stage::Pausing(_), None) => {
                    self.stage = Stage::Registering;
                    self.asked_at = now;
                    return Action::Register;
                }
                (Stage::Pausing(_), Some(membership)) => {
                    self.stage = Stage::Opening;
                    return Action::Open(membership.identity.clone());
                }
                (Stage::Open(session), Some(membership)) => {
                    match session.poll(now, membership.heartbeat_interval, can_send) {
                        Due::Silent => {
                            let cause = format!("nothing heard for {} s", DEAD_AFTER.as_secs());
                            self.lost(RegistryLinkError::unreachable(&self.url, cause), now, jitter);
                        }
                        Due::Heartbeat => return self.send(RequestPayload::Ping(load.into())),
                        Due::Ping => return Action::Ping,
                        Due::Nothing => return self.poll_open(now, can_send),
                    }
                }
                (Stage::Registering | Stage::Opening | Stage::Open(_), _) => return self.wait(can_send),
            }
        }
    }

    /// What goes out over an open connection, or is asked beside it.
    fn poll_open(&mut self, now: Duration, can_send: bool) -> Action<W> {
        if let Some(membership) = &mut self.membership {
            let identity = &membership.identity;
            if can_send && let Some((number, request)) = self.requests.next_unsent(now) {
                let id = format!("{}{number}", self.envelope_prefix);
                return Action::Send(envelope(id, identity, request.payload(&identity.actor_id)));
            }
            if can_send && let Some((number, relay)) = self.relays.next(identity) {
                let id = format!("{}{RELAY}{number}", self.envelope_prefix);
                return Action::Send(relay_envelope(id, relay));
            }
            if !self.is_leaving
                && let Some(step) = membership.renewal.poll(now)
            {
                self.asked_at = now;
                return match step {
                    Step::Register => Action::Register,
                    Step::Reissue(token) => Action::Reissue {
                        identity: membership.identity.clone(),
                        token,
                    },
                    Step::Renew(token) => Action::Renew {
                        identity: identity.clone(),
                        token,
                    },
                };
            }
        }
        self.wait(can_send)
    }

    fn wait(&self, can_send: bool) -> Action<W> {
        let (of_stage, is_open) = match &self.stage {
            Stage::Pausing(until) => (Some(*until), false),
            Stage::Open(session) => (Some(session.wake()), true),
            Stage::Registering | Stage::Opening | Stage::Stopped => (None, false),
        };
        let renewal = self.membership.as_ref().and_then(|membership| membership.renewal.due());
        let renewal = renewal.filter(|_| is_open && !self.is_leaving);
        let requests = self.requests.wake(is_open && can_send);
        Action::Wait([of_stage, renewal, requests].into_iter().flatten().min())
    }

    /// Sends what the link itself asks.
    fn send(&mut self, payload: RequestPayload) -> Action<W> {
        self.heartbeats += 1;
        let id = format!("{}{HEARTBEAT}{}", self.envelope_prefix, self.heartbeats);
        match &self.membership {
            Some(membership) => Action::Send(envelope(id, &membership.identity, payload)),
            None => self.wait(false),
        }
    }

    /// Takes note of what came. What does not fit the last actions comes too late, and changes nothing.
    pub fn handle(&mut self, event: Event, now: Duration, jitter: f64) {
        match (event, &mut self.stage) {
            (Event::Granted(granted), Stage::Registering) => self.registered(granted, now, jitter),
            (Event::Granted(granted), _) => self.renewed(granted, now, jitter),
            (Event::Opened(opened), Stage::Opening) => self.opened(opened, now, jitter),
            (Event::Received(message), Stage::Open(session)) => {
                session.heard(now);
                match Message::read(message) {
                    Some(Message::Answer(received)) => self.received(received, now, jitter),
                    Some(Message::Relay(relay)) => self.actions.extend(Relays::said(relay).map(Action::Relay)),
                    None => {}
                }
            }
            (Event::SignOfLife, Stage::Open(session)) => session.heard(now),
            (Event::Lost(error), Stage::Open(_)) => self.lost(error, now, jitter),
            (Event::Opened(_) | Event::Received(_) | Event::SignOfLife | Event::Lost(_), _) => {}
        }
    }

    fn opened(&mut self, opened: Result<(), RegistryLinkError>, now: Duration, jitter: f64) {
        let Some(membership) = &mut self.membership else {
            return;
        };
        match opened {
            Ok(()) => {
                self.stage = Stage::Open(Session::new(now));
                self.requests.start_over();
                self.retries.reached(now);
                self.set_state(LinkState::Opened);
            }
            Err(error) if error.is_identity_refused() => self.disowned(&error, now, jitter),
            Err(error) => {
                // From now on it may also have been forgotten because it has waited: at a full registry, say.
                membership.is_confirmed = true;
                self.retry(error, now, jitter);
            }
        }
    }

    /// The registry has said something.
    fn received(&mut self, received: Received, now: Duration, jitter: f64) {
        if let Some(unix_time) = received.unix_time {
            self.calendar.heard(unix_time, now);
        }
        let outcome = received.outcome;
        let reply_for = received.reply_for.as_deref();
        let number = reply_for.and_then(|id| id.strip_prefix(&self.envelope_prefix));
        match (number, outcome) {
            (Some(number), outcome) => {
                let mut kind = number.chars();
                match kind.next() {
                    Some(HEARTBEAT) => {
                        let number = kind.as_str().parse().unwrap_or_default();
                        self.heartbeat_answered(number, outcome, now, jitter);
                    }
                    Some(RELAY) => {
                        let number = kind.as_str().parse().unwrap_or_default();
                        let refused = outcome.err().and_then(|error| self.relays.refused(number, &error));
                        self.actions.extend(refused.map(Action::Relay));
                    }
                    _ => self.answered(number.parse().unwrap_or_default(), outcome, now, jitter),
                }
            }
            (None, Err(ErrorResponse { code, message })) => {
                debug!(code, message = %PeerText::new(&message), "the registry reports an error");
                if reply_for.is_none() && code_of(code) == ErrorCode::Unavailable {
                    self.one_was_too_many(now, jitter);
                }
            }
            (None, Ok(_)) => debug!("the registry answered what was not asked"),
        }
    }

    fn answered(&mut self, number: u64, outcome: Outcome, now: Duration, jitter: f64) {
        if outcome.is_ok() {
            self.confirm();
        } else if let Stage::Open(session) = &mut self.stage {
            // It may be because the registry forgot the node, which the answer to a heartbeat tells.
            session.hurry(now);
        }
        let outcome = outcome.and_then(settled);
        if let Some(Waiting { request, waiter, .. }) = self.requests.answered(number, &outcome, now, jitter) {
            let answer = outcome.map_err(|error| RegistryLinkError::refused(request.name(), error));
            self.actions.push_back(Action::Answer(waiter, answer));
        }
    }

    fn timed_out(&self, waiting: Waiting<W>) -> Action<W> {
        let error = RegistryLinkError::TimedOut {
            url: self.url.clone(),
            request: waiting.request.name(),
            after: waiting.limit,
        };
        Action::Answer(waiting.waiter, Err(error))
    }

    /// The registry knows the node: others find it from now on.
    fn confirm(&mut self) {
        self.retries.confirmed();
        if let Some(membership) = &mut self.membership {
            membership.is_confirmed = true;
        }
        self.set_state(LinkState::Connected);
    }

    /// The connection is lost.
    fn lost(&mut self, error: RegistryLinkError, now: Duration, jitter: f64) {
        self.actions.push_back(Action::Drop);
        match self.is_leaving {
            true => self.stop(),
            false => self.retry(error, now, jitter),
        }
    }

    /// The registry does not take the node for the one it says it is: it registers again.
    fn disowned(&mut self, refusal: &RegistryLinkError, now: Duration, jitter: f64) {
        info!(registry = %self.url, reason = %refusal, "registering again");
        let last_error = Some(self.retries.forgotten(refusal));
        self.set_state(LinkState::Registering { last_error });
        let membership = self.membership.take();
        if self.is_leaving {
            self.stop();
        } else if membership.is_some_and(|membership| membership.is_confirmed) {
            self.stage = Stage::Pausing(now);
        } else {
            let (wait, error) = self.retries.disowned(refusal, now, jitter);
            self.pause(wait, error, now);
        }
    }

    fn retry(&mut self, error: RegistryLinkError, now: Duration, jitter: f64) {
        let wait = self.retries.failed(&error, now, jitter);
        self.pause(wait, error, now);
    }

    fn pause(&mut self, wait: Duration, error: RegistryLinkError, now: Duration) {
        self.stage = Stage::Pausing(now + wait);
        self.set_state(self.state.failed(error));
    }

    fn set_state(&mut self, state: LinkState) {
        let was_connected = mem::replace(&mut self.state, state) == LinkState::Connected;
        if was_connected && self.state != LinkState::Connected {
            while let Some(waiting) = self.requests.dispense() {
                let answer = self.timed_out(waiting);
                self.actions.push_back(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests;
