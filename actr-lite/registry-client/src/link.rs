use std::{collections::HashMap, fmt::Display, sync::Arc, time::Duration};

use actr_lite_wire::{
    credential::VerifyingKey,
    error_code::ErrorCode,
    identity::{ActrId, ActrType, ParseActrIdError},
    peer_text::PeerText,
    possession::{Audience, Proof},
    proto::{
        ErrorResponse, ServiceSpec, get_service_spec_response, route_candidates_response,
        route_candidates_response::RouteCandidatesOk, signaling_to_actr::Payload, unregister_response,
    },
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    config::LinkConfig,
    dial::{Dial, Network},
    error::RegistryLinkError,
    identity::Identity,
    registry_url::RegistryUrl,
    request::{REQUEST_TIMEOUT, Request, UNREGISTER_TIMEOUT},
    retry::retry_backoff,
    shared::Shared,
    state::LinkState,
    upkeep::Upkeep,
};

/// How long to wait for the registry's word on a key that it has shown long ago. A peer that waits to be let in gives up
/// after 5 s, so that most of them are left to it when a registry has just fallen silent.
pub const OLD_KEY_PATIENCE: Duration = Duration::from_secs(1);

/// How long a try that is not over has to last to be told beside the failure of the one before.
const LONG_STEP: Duration = Duration::from_secs(1);

/// A node's lasting connection to its registry. Cheap to clone.
///
/// It registers the node, keeps the credential fresh and the signaling connection open, and starts all that again when the
/// registry was away: after the registry's restart the node has a new [`Identity`] and can be discovered again.
///
/// Requests over it may be made at any time. While the link is down they wait for it, at most [`REQUEST_TIMEOUT`]. Dropping
/// the future of a request takes it back.
#[derive(Clone)]
pub struct RegistryLink {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    identity: watch::Receiver<Option<Identity>>,
    state: watch::Receiver<LinkState>,
    stop: CancellationToken,
    /// Without a handle nobody can want the link.
    _stop: DropGuard,
}

/// A node that may be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which node.
    pub id: ActrId,
    /// Where its data lane listens, if it says so.
    pub ws_address: Option<String>,
    /// Which contract it publishes.
    pub contract: PublishedContract,
}

/// What a registry says about a candidate's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishedContract {
    /// This registry can only be asked for the contract of a type.
    NotTold,
    /// The candidate publishes none.
    None,
    /// It publishes the one with this fingerprint.
    Fingerprint(String),
}

impl RegistryLink {
    /// Starts a link: one task in `tasks`. It ends with `stop`, with [`Self::unregister`], or with the last clone of the link.
    ///
    /// # Panics
    /// When called outside of a Tokio runtime.
    pub fn spawn(config: LinkConfig, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let network = Network {
            tls: config.tls.clone(),
            clear_text: config.clear_text,
        };
        Self::spawn_with(network, config, tasks, &stop)
    }

    pub(crate) fn spawn_with(
        dial: impl Dial,
        config: LinkConfig,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let stop = stop.child_token();
        let shared = Arc::new(Shared::new(config));
        let (identity_sender, identity) = watch::channel(None);
        let (state_sender, state) = watch::channel(LinkState::Registering { last_error: None });
        let upkeep = Upkeep::new(shared.clone(), dial, identity_sender, state_sender);
        tasks.spawn(upkeep.run(stop.clone()));
        Self {
            inner: Arc::new(Inner {
                shared,
                identity,
                state,
                _stop: stop.clone().drop_guard(),
                stop,
            }),
        }
    }

    /// Where the registry is.
    pub fn url(&self) -> &RegistryUrl {
        &self.inner.shared.config.url
    }

    /// Who the node is now; `None` before the first registration.
    pub fn identity(&self) -> Option<Identity> {
        self.inner.identity.borrow().clone()
    }

    /// Which actor that is.
    pub fn actor_id(&self) -> Option<ActrId> {
        let identity = self.inner.identity.borrow();
        identity.as_ref().map(|identity| identity.actor_id.clone())
    }

    /// What proves to another node, `peer`, that this node itself shows the credential of `identity` in the upgrade with
    /// this `Sec-WebSocket-Key`. `None` if the credential names no key.
    pub fn prove(&self, identity: &Identity, peer: &ActrId, websocket_key: &[u8]) -> Option<Proof> {
        let audience = Audience::Node(peer.clone());
        self.inner.shared.config.prove(identity, audience, websocket_key)
    }

    /// Whether this node has, or had, this id. Who knows an id from before a registration dials it for a while.
    pub fn has_been(&self, id: &ActrId) -> bool {
        self.inner.shared.own_ids().contains(id)
    }

    /// Follows [`Self::identity`]: a change of `actor_id` is a new registration, any other a renewed credential.
    pub fn identity_changes(&self) -> watch::Receiver<Option<Identity>> {
        self.inner.identity.clone()
    }

    /// Waits until the node is registered and connected, and the registry has answered over that connection: until others
    /// can find it. However long that takes; dropping the future changes nothing.
    ///
    /// # Errors
    /// What prevents it, if that [lasts](RegistryLinkError::is_final) until somebody changes something: the link goes on
    /// trying, but says nothing of it before it was connected once. [`RegistryLinkError::Stopped`] when the link ends.
    pub async fn connected(&self) -> Result<Identity, RegistryLinkError> {
        let mut state = self.inner.state.clone();
        let decided = state.wait_for(|state| {
            let is_over = matches!(state, LinkState::Connected | LinkState::Stopped);
            is_over || state.last_error().is_some_and(RegistryLinkError::is_final)
        });
        let state = decided.await.map_err(|_| RegistryLinkError::Stopped)?.clone();
        match state.last_error() {
            Some(error) => Err(error.clone()),
            None => self.identity().ok_or(RegistryLinkError::Stopped),
        }
    }

    /// How the link stands, to follow and to tell.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.inner.state.clone()
    }

    /// Why the link is not up, if it failed: for the message of a timeout.
    pub fn last_error(&self) -> Option<RegistryLinkError> {
        self.inner.state.borrow().last_error().cloned()
    }

    /// Why the link is not up: what failed, and which step it is at now. For the message of a timeout.
    pub fn standing(&self) -> String {
        let state = self.inner.state.borrow();
        match &*state {
            LinkState::Connected => "the registry does not answer".into(),
            state => self.standing_with(state.last_error().map(ToString::to_string), state),
        }
    }

    fn standing_with(&self, failed: Option<String>, state: &LinkState) -> String {
        let progress = &self.inner.shared.progress;
        match failed {
            Some(failed) => match progress.standing(LONG_STEP) {
                Some(step) => format!("{failed}; {step}"),
                None => failed,
            },
            None => progress
                .standing(Duration::ZERO)
                .unwrap_or_else(|| format!("still {state}")),
        }
    }

    /// Asks which live nodes of exactly the type `target` there are, best first, at most `count`. Those whose contract has `fingerprint`
    /// come first, if it is not empty. None at all is an empty list.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or refuses: see [`RegistryLinkError`].
    pub async fn candidates(
        &self,
        target: &ActrType,
        count: usize,
        fingerprint: &str,
    ) -> Result<Vec<Candidate>, RegistryLinkError> {
        let request = Request::Candidates {
            target: target.clone(),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            fingerprint: fingerprint.into(),
        };
        self.ask_candidates(request, count).await
    }

    /// Asks whether the node `id` is live and may be dialled: the node, and perhaps others of its type, which a registry
    /// names that can't tell one of many.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or refuses: see [`RegistryLinkError`].
    pub async fn candidate(&self, id: &ActrId) -> Result<Vec<Candidate>, RegistryLinkError> {
        self.ask_candidates(Request::Candidate { id: id.clone() }, usize::MAX)
            .await
    }

    async fn ask_candidates(&self, request: Request, count: usize) -> Result<Vec<Candidate>, RegistryLinkError> {
        let name = request.name();
        let Payload::RouteCandidates(response) = self.ask(request, REQUEST_TIMEOUT).await? else {
            return Err(other_kind(name));
        };
        match response.result {
            Some(route_candidates_response::Result::Success(found)) => {
                candidates(found, count).map_err(|error| RegistryLinkError::Malformed {
                    request: name,
                    what: PeerText::of(&error),
                })
            }
            Some(route_candidates_response::Result::Error(error)) => Err(RegistryLinkError::refused(name, error)),
            None => Err(empty(name)),
        }
    }

    /// Asks for a contract: `name` is the text of an actor type, or the contract's own name. If nodes publish several
    /// under it, `fingerprint` says which one; a registry that can't tell them apart answers with any of them.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or has none: see [`RegistryLinkError`].
    pub async fn service_spec(&self, name: &str, fingerprint: Option<&str>) -> Result<ServiceSpec, RegistryLinkError> {
        let request = Request::ServiceSpec {
            name: name.into(),
            fingerprint: fingerprint.map(str::to_owned),
        };
        let name = request.name();
        let Payload::GetServiceSpec(response) = self.ask(request, REQUEST_TIMEOUT).await? else {
            return Err(other_kind(name));
        };
        match response.result {
            Some(get_service_spec_response::Result::Success(spec)) => Ok(spec),
            Some(get_service_spec_response::Result::Error(error)) => Err(RegistryLinkError::refused(name, error)),
            None => Err(empty(name)),
        }
    }

    /// The registry's public key of this number. Keys that it has shown within an hour, the one of the node's own
    /// credential among them, need no request, and no key that it has ever shown does while it is away. Otherwise an
    /// older one is asked for, and will do if there is no answer within [`OLD_KEY_PATIENCE`]; not when the registry has
    /// given it up.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or has no such key: see [`RegistryLinkError`].
    pub async fn signing_key(&self, key_id: u32) -> Result<VerifyingKey, RegistryLinkError> {
        if let Some(key) = self.known_signing_key(key_id) {
            return Ok(key);
        }
        let old_key = self.inner.shared.keys().old_key(key_id);
        let Some(old_key) = old_key else {
            return self.learn_signing_key(key_id).await;
        };
        let mut state = self.inner.state.clone();
        tokio::select! {
            biased;
            learned = self.learn_signing_key(key_id) => match learned {
                Err(RegistryLinkError::Refused { .. }) => learned,
                learned => Ok(learned.unwrap_or(old_key)),
            },
            // A failure means that the link has ended: then the registry is away for good.
            _ = state.wait_for(|state| *state != LinkState::Connected) => Ok(old_key),
            () = sleep(OLD_KEY_PATIENCE) => Ok(old_key),
        }
    }

    /// Asks for a key, and notes what the registry says of it.
    async fn learn_signing_key(&self, key_id: u32) -> Result<VerifyingKey, RegistryLinkError> {
        let learned = self.ask_signing_key(key_id).await;
        let mut keys = self.inner.shared.keys();
        match &learned {
            Ok(key) => keys.insert(key.clone(), Instant::now()),
            Err(RegistryLinkError::Refused { .. }) => keys.remove(key_id),
            Err(_) => {}
        }
        learned
    }

    async fn ask_signing_key(&self, key_id: u32) -> Result<VerifyingKey, RegistryLinkError> {
        let request = Request::SigningKey { key_id };
        let name = request.name();
        let Payload::GetSigningKey(response) = self.ask(request, REQUEST_TIMEOUT).await? else {
            return Err(other_kind(name));
        };
        let malformed = |what: &dyn Display| RegistryLinkError::Malformed {
            request: name,
            what: PeerText::of(what),
        };
        if response.key_id != key_id {
            let other = response.key_id;
            return Err(malformed(&format_args!("it has key {other} instead of key {key_id}")));
        }
        VerifyingKey::from_bytes(key_id, &response.pubkey).map_err(|error| malformed(&error))
    }

    /// What time it is at the registry, in seconds since 1970: credentials end by its calendar. It is known from the
    /// registry's answers, and carried on by a clock that does not jump.
    pub fn unix_seconds(&self) -> u64 {
        self.inner.shared.calendar.unix_seconds(Instant::now())
    }

    /// Like [`Self::signing_key`], without a request: `None` where that would ask.
    pub fn known_signing_key(&self, key_id: u32) -> Option<VerifyingKey> {
        let is_away = *self.inner.state.borrow() != LinkState::Connected;
        let keys = self.inner.shared.keys();
        if is_away {
            keys.old_key(key_id)
        } else {
            keys.key(key_id, Instant::now())
        }
    }

    /// Leaves the registry, and ends the link. It takes at most [`UNREGISTER_TIMEOUT`], and no time while the registry can't be
    /// reached; if it fails, or if the future is dropped, the link ends all the same, and the node's lease a few heartbeats later.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or refuses: see [`RegistryLinkError`].
    pub async fn unregister(&self, reason: &str) -> Result<(), RegistryLinkError> {
        let _end = self.inner.stop.clone().drop_guard();
        self.inner.shared.leave();
        let request = Request::Unregister { reason: reason.into() };
        let name = request.name();
        if self.last_error().is_some() {
            return Err(self.unanswered(name, Duration::ZERO));
        }
        let Payload::Unregister(response) = self.ask(request, UNREGISTER_TIMEOUT).await? else {
            return Err(other_kind(name));
        };
        match response.result {
            Some(unregister_response::Result::Success(_)) => Ok(()),
            Some(unregister_response::Result::Error(error)) => Err(RegistryLinkError::refused(name, error)),
            None => Err(empty(name)),
        }
    }

    async fn ask(&self, request: Request, limit: Duration) -> Result<Payload, RegistryLinkError> {
        let name = request.name();
        let until = Instant::now() + limit;
        let mut backoff = retry_backoff();
        loop {
            let waiting = self.inner.shared.requests.add(request.clone())?;
            let answer = match timeout_at(until, waiting.answer()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Err(RegistryLinkError::Stopped),
                Err(_) => return Err(self.unanswered(name, limit)),
            };
            // What is asked too often is answered somewhat later.
            let wait = backoff.next_wait(rand::random());
            if !is_for_later(&answer) || Instant::now() + wait >= until {
                return answer.map_err(|error| RegistryLinkError::refused(name, error));
            }
            sleep(wait).await;
        }
    }

    /// Why there is no answer.
    fn unanswered(&self, request: &'static str, after: Duration) -> RegistryLinkError {
        let url = self.url();
        match &*self.inner.state.borrow() {
            LinkState::Opened | LinkState::Connected => RegistryLinkError::TimedOut {
                url: url.clone(),
                request,
                after,
            },
            LinkState::Stopped => RegistryLinkError::Stopped,
            state => {
                let cause = self.standing_with(state.last_error().map(RegistryLinkError::cause), state);
                RegistryLinkError::unreachable(url, cause)
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn waiting_requests(&self) -> usize {
        self.inner.shared.requests.len()
    }
}

/// Whether it is a refusal that only holds for now.
fn is_for_later(answer: &Result<Payload, ErrorResponse>) -> bool {
    let refusal = match answer {
        Err(error) => Some(error),
        Ok(Payload::RouteCandidates(response)) => match &response.result {
            Some(route_candidates_response::Result::Error(error)) => Some(error),
            _ => None,
        },
        Ok(Payload::GetServiceSpec(response)) => match &response.result {
            Some(get_service_spec_response::Result::Error(error)) => Some(error),
            _ => None,
        },
        Ok(_) => None,
    };
    refusal.is_some_and(|error| error.code == ErrorCode::Unavailable.number())
}

fn candidates(found: RouteCandidatesOk, count: usize) -> Result<Vec<Candidate>, ParseActrIdError> {
    let mut addresses = HashMap::new();
    for entry in found.ws_address_map {
        addresses.insert(ActrId::try_from(&entry.candidate_id)?, entry.ws_address);
    }
    let is_told = !found.contracts.is_empty();
    let mut fingerprints = HashMap::new();
    for entry in found.contracts {
        fingerprints.insert(ActrId::try_from(&entry.candidate_id)?, entry.fingerprint);
    }
    let ids = found.candidates.iter().take(count).map(ActrId::try_from);
    ids.map(|id| {
        let id = id?;
        let ws_address = addresses.remove(&id).flatten();
        let contract = match fingerprints.remove(&id).flatten() {
            Some(fingerprint) => PublishedContract::Fingerprint(fingerprint),
            None if is_told => PublishedContract::None,
            None => PublishedContract::NotTold,
        };
        Ok(Candidate {
            id,
            ws_address,
            contract,
        })
    })
    .collect()
}

fn other_kind(request: &'static str) -> RegistryLinkError {
    RegistryLinkError::Malformed {
        request,
        what: "it is the answer to something else".into(),
    }
}

fn empty(request: &'static str) -> RegistryLinkError {
    RegistryLinkError::Malformed {
        request,
        what: "it is empty".into(),
    }
}
