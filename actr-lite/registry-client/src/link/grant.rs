use std::time::Duration;

use tracing::{debug, info, warn};

use super::{Link, Stage, action::Action, membership::Membership};
use crate::{error::RegistryLinkError, registration::Registration, request::Request, state::LinkState};

/// What becomes of what AIS grants.
impl<W> Link<W> {
    /// AIS has answered a node without an identity.
    pub(super) fn registered(&mut self, granted: Result<Registration, RegistryLinkError>, now: Duration, jitter: f64) {
        match granted {
            Ok(registration) => self.join(registration, now),
            Err(error) => {
                let wait = self.retries.not_registered(&error, now, jitter);
                self.pause(wait, error, now);
            }
        }
    }

    /// AIS has answered a node that asked for a new credential.
    pub(super) fn renewed(&mut self, granted: Result<Registration, RegistryLinkError>, now: Duration, jitter: f64) {
        let Some(membership) = &mut self.membership else {
            return;
        };
        let id = &membership.identity.actor_id;
        match granted {
            Err(error) => membership.renewal.failed(&error, id, now, jitter),
            Ok(registration) if registration.identity.actor_id == *id => {
                debug!(%id, "credential renewed");
                let is_confirmed = membership.is_confirmed;
                self.hold(registration, is_confirmed, now);
                if let Stage::Open(session) = &mut self.stage {
                    // If the registry did not accept the last one, it counts the node as gone until it sees this one.
                    session.hurry(now);
                }
            }
            Ok(registration) => {
                if let Stage::Open(_) = self.stage {
                    // This connection can't go on. If this does not arrive the old identity's lease ends by itself.
                    let reason = "registered again".into();
                    let farewell = Request::Unregister { reason }.payload(id);
                    let farewell = self.send(farewell);
                    self.actions.extend([farewell, Action::Close]);
                }
                self.join(registration, now);
            }
        }
    }

    /// The node has an identity that is new, and connects with it.
    fn join(&mut self, registration: Registration, now: Duration) {
        let (url, id) = (&self.url, &registration.identity.actor_id);
        if self.identity.is_some() {
            info!(registry = %url, %id, "registered again at {url} as {id}");
        } else {
            debug!(registry = %url, %id, "registered at {url} as {id}");
        }
        if let Some(reason) = &registration.withheld_address {
            warn!(registry = %url, %reason, "registry {url}: no node can dial this one: {reason}");
        }
        self.own_ids.insert(id.clone());
        self.calendar.heard(Duration::from_secs(registration.granted_at), now);
        self.hold(registration, false, now);
        self.stage = Stage::Pausing(now);
        self.set_state(LinkState::Registered { last_error: None });
    }

    fn hold(&mut self, registration: Registration, is_confirmed: bool, now: Duration) {
        self.keys.insert(registration.identity.signing_key.clone(), now);
        self.identity = Some(registration.identity.clone());
        // The answer may have waited for this node, but not the question for the answer.
        self.membership = Some(Membership::new(
            registration,
            is_confirmed,
            self.asked_at,
            self.heartbeats,
        ));
    }
}
