use std::{sync::Arc, time::Duration};

use actr_lite_clock::Clock;
use actr_lite_wire::{
    credential::VerifyingKey,
    identity::{ActrId, ActrType},
    possession::{Audience, Proof},
    proto::{ServiceSpec, actr_relay::Payload as RelayPayload, signaling_to_actr::Payload},
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    answer,
    candidate::Candidate,
    config::LinkConfig,
    dial::{Dial, Network},
    driver::Driver,
    error::RegistryLinkError,
    identity::Identity,
    registry_url::RegistryUrl,
    relayed::Relayed,
    request::{REQUEST_TIMEOUT, Request, UNREGISTER_TIMEOUT},
    shared::Shared,
    spread::spread,
    state::LinkState,
};

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
        let driver = Driver::new(shared.clone(), dial, identity_sender, state_sender);
        tasks.spawn(driver.run(stop.clone()));
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
        self.inner.shared.link().has_been(id)
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
    /// come first, if it is not empty. None at all is an empty list. Where the registry does not take turns among equal
    /// ones, chance does.
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
        let mut candidates = answer::candidates(self.ask(request, REQUEST_TIMEOUT).await?, count)?;
        spread(&mut candidates, rand::random);
        Ok(candidates)
    }

    /// Asks whether the node `id` is live and may be dialled: the node, and perhaps others of its type, which a registry
    /// names that can't tell one of many.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or refuses: see [`RegistryLinkError`].
    pub async fn candidate(&self, id: &ActrId) -> Result<Vec<Candidate>, RegistryLinkError> {
        let request = Request::Candidate { id: id.clone() };
        answer::candidates(self.ask(request, REQUEST_TIMEOUT).await?, usize::MAX)
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
        answer::service_spec(self.ask(request, REQUEST_TIMEOUT).await?)
    }

    /// The registry's public key of this number. Keys that it has shown within an hour, the one of the node's own
    /// credential among them, need no request, and no key that it has ever shown does while it is away. Otherwise an
    /// older one is asked for, and will do if there is no answer within [`OLD_KEY_TIMEOUT`](crate::link::OLD_KEY_TIMEOUT);
    /// not when the registry has given it up.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or has no such key: see [`RegistryLinkError`].
    pub async fn signing_key(&self, key_id: u32) -> Result<VerifyingKey, RegistryLinkError> {
        if let Some(key) = self.known_signing_key(key_id) {
            return Ok(key);
        }
        let answer = self.ask(Request::SigningKey { key_id }, REQUEST_TIMEOUT).await;
        let learned = answer.and_then(|answer| answer::signing_key(answer, key_id));
        let shared = &self.inner.shared;
        shared.link().learned(key_id, learned, shared.now())
    }

    /// What time it is at the registry, in seconds since 1970: credentials end by its calendar. It is known from the
    /// registry's answers, and carried on by a clock that does not jump.
    pub fn unix_seconds(&self) -> u64 {
        let shared = &self.inner.shared;
        let told = shared.link().unix_time(shared.now());
        told.map_or_else(|| Clock::start().unix_seconds(), |unix_time| unix_time.as_secs())
    }

    /// Like [`Self::signing_key`], without a request: `None` where that would ask.
    pub fn known_signing_key(&self, key_id: u32) -> Option<VerifyingKey> {
        let shared = &self.inner.shared;
        shared.link().known_key(key_id, shared.now())
    }

    /// Leaves the registry, and ends the link. It takes at most [`UNREGISTER_TIMEOUT`], and no time while the registry can't be
    /// reached; if it fails, or if the future is dropped, the link ends all the same, and the node's lease a few heartbeats later.
    ///
    /// # Errors
    /// When the registry can't be reached, does not answer, or refuses: see [`RegistryLinkError`].
    pub async fn unregister(&self, reason: &str) -> Result<(), RegistryLinkError> {
        let _end = self.inner.stop.clone().drop_guard();
        self.inner.shared.link().leave();
        let request = Request::Unregister { reason: reason.into() };
        if self.last_error().is_some() {
            return Err(self.unanswered(request.name(), Duration::ZERO));
        }
        self.ask(request, UNREGISTER_TIMEOUT).await.map(drop)
    }

    /// From now on, what other nodes say to this one by way of the registry. Only the last who asked for it gets it.
    pub fn relayed(&self) -> mpsc::Receiver<Relayed> {
        self.inner.shared.follow()
    }

    /// Says something to another node by way of the registry, once that is connected. It may be lost; if the registry
    /// refuses to pass it on, that is [told](Self::relayed).
    pub fn relay(&self, to: ActrId, payload: RelayPayload) {
        self.inner.shared.link().relay(to, payload);
        self.inner.shared.added.notify_one();
    }

    async fn ask(&self, request: Request, limit: Duration) -> Result<Payload, RegistryLinkError> {
        let (shared, name) = (&self.inner.shared, request.name());
        let (waiter, answer) = oneshot::channel();
        let number = shared.link().ask(request, limit, waiter, shared.now())?;
        let _waiting = Waiting { shared, number };
        shared.added.notify_one();
        match answer.await.unwrap_or(Err(RegistryLinkError::Stopped)) {
            Err(RegistryLinkError::TimedOut { .. }) => Err(self.unanswered(name, limit)),
            answer => answer,
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
        self.inner.shared.link().waiting_requests()
    }
}

/// Takes its request back when it is dropped.
struct Waiting<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.link().take_back(self.number);
    }
}
