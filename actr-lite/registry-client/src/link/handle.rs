use std::time::Duration;

use actr_lite_wire::{credential::VerifyingKey, identity::ActrId, proto::actr_relay::Payload};

use super::{Link, Stage, action::Action};
use crate::{
    error::RegistryLinkError, identity::Identity, refusal_code::UNAUTHENTICATED, request::Request, state::LinkState,
};

/// How long to wait for the registry's word on a key that it has shown long ago. A peer that waits to be let in gives up
/// after 5 s, so that most of them are left to it when a registry has just fallen silent.
pub const OLD_KEY_TIMEOUT: Duration = Duration::from_secs(1);

/// What those see and want who hold the link.
impl<W> Link<W> {
    /// How it stands.
    pub fn state(&self) -> &LinkState {
        &self.state
    }

    /// Who the node is now; `None` before the first registration.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether this node has, or had, this id.
    pub fn has_been(&self, id: &ActrId) -> bool {
        self.own_ids.contains(id)
    }

    /// How long after 1970 it is at the registry, if it has ever said.
    pub fn unix_time(&self, now: Duration) -> Option<Duration> {
        self.calendar.unix_time(now)
    }

    /// Asks the registry, within `limit`. The number serves to [take it back](Self::take_back).
    ///
    /// # Errors
    /// When as many requests wait as may, or the link has ended.
    pub fn ask(
        &mut self,
        request: Request,
        limit: Duration,
        waiter: W,
        now: Duration,
    ) -> Result<u64, RegistryLinkError> {
        let is_dispensable = match &request {
            Request::SigningKey { key_id } => self.keys.old_key(*key_id).is_some(),
            _ => false,
        };
        let limit = if is_dispensable {
            limit.min(OLD_KEY_TIMEOUT)
        } else {
            limit
        };
        self.requests.add(request, limit, is_dispensable, waiter, now)
    }

    /// Nobody waits for the answer any more.
    pub fn take_back(&mut self, number: u64) {
        self.requests.take_back(number);
    }

    /// Says something to another node. What becomes of it is not known, unless it is refused.
    pub fn relay(&mut self, to: ActrId, payload: Payload) {
        self.relays.add(to, payload);
    }

    /// How many requests wait.
    pub fn waiting_requests(&self) -> usize {
        self.requests.len()
    }

    /// The registry's public key of this number, if it need not be asked for: it has shown it within an hour, or ever and
    /// is away.
    pub fn known_key(&self, key_id: u32, now: Duration) -> Option<VerifyingKey> {
        match self.state {
            LinkState::Connected => self.keys.key(key_id, now),
            _ => self.keys.old_key(key_id),
        }
    }

    /// Takes note of what became of a request for a key, and gives the key to be used: an old one will do if there is no
    /// answer, but not if the registry has given it up.
    ///
    /// # Errors
    /// Why there is none.
    pub fn learned(
        &mut self,
        key_id: u32,
        learned: Result<VerifyingKey, RegistryLinkError>,
        now: Duration,
    ) -> Result<VerifyingKey, RegistryLinkError> {
        match learned {
            Ok(key) => {
                self.keys.insert(key.clone(), now);
                Ok(key)
            }
            Err(error) if error.is_final_refusal() && error.refusal() != Some(UNAUTHENTICATED) => {
                self.keys.remove(key_id);
                Err(error)
            }
            Err(error) => self.keys.old_key(key_id).ok_or(error),
        }
    }

    /// The node leaves: a connection that ends now is not opened again.
    pub fn leave(&mut self) {
        self.is_leaving = true;
    }

    /// Ends the link: those who wait for answers are told, and no more are let in.
    pub fn stop(&mut self) {
        self.stage = Stage::Stopped;
        self.state = LinkState::Stopped;
        while let Some(waiting) = self.requests.close() {
            let answer = Action::Answer(waiting.waiter, Err(RegistryLinkError::Stopped));
            self.actions.push_back(answer);
        }
    }
}
