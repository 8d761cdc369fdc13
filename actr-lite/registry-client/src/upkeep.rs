use std::{sync::Arc, time::Duration};

use actr_lite_wire::{backoff::Backoff, peer_text::PeerText};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    ais::Ais,
    dial::Dial,
    error::RegistryLinkError,
    identity::{Identity, Registration},
    mismatch::Mismatch,
    outage::Outage,
    retry::retry_backoff,
    session::{Published, Session, SessionEnd},
    shared::Shared,
    signaling,
    state::LinkState,
};

/// How long to wait after a refusal that the next try would meet too: somebody has to change something first, and until
/// then the registry is not to count each try as an attack.
const WAIT_AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// The task behind a link.
pub(crate) struct Upkeep<D: Dial> {
    shared: Arc<Shared>,
    dial: Arc<D>,
    identity: watch::Sender<Option<Identity>>,
    state: watch::Sender<LinkState>,
    registration: Option<Registration>,
    /// Whether the registry has accepted the identity before, or the identity is not fresh any more: if the registry refuses
    /// it now, a new one is worth an immediate try.
    is_confirmed: bool,
    /// Whether a registry has answered at all: what is wrong then is an outage, and before it ends the start.
    was_connected: bool,
    backoff: Backoff,
    outage: Outage,
    mismatch: Mismatch,
}

impl<D: Dial> Upkeep<D> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        dial: D,
        identity: watch::Sender<Option<Identity>>,
        state: watch::Sender<LinkState>,
    ) -> Self {
        Self {
            shared,
            dial: Arc::new(dial),
            identity,
            state,
            registration: None,
            is_confirmed: false,
            was_connected: false,
            backoff: retry_backoff(),
            outage: Outage::default(),
            mismatch: Mismatch::default(),
        }
    }

    /// Keeps the node registered and connected until `stop`, or until a connection ends while the node leaves.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(mut session) = stop.run_until_cancelled(self.connected()).await {
            let end = stop.run_until_cancelled(session.run()).await;
            let Some(end) = end else {
                session.close().await;
                return;
            };
            if self.shared.is_leaving() {
                return;
            }
            let ended = self.session_ended(session, end);
            if stop.run_until_cancelled(ended).await.is_none() {
                return;
            }
        }
    }

    /// Registers if necessary, and connects, however often it has to try.
    async fn connected(&mut self) -> Session<D> {
        loop {
            let tried = match self.registration.clone() {
                Some(registration) => self.connect(registration).await,
                None => match self.register().await {
                    Err(error) if error.is_final_refusal() => {
                        self.retry_in(WAIT_AFTER_REFUSAL, error).await;
                        continue;
                    }
                    registered => registered.map(|()| None),
                },
            };
            match tried {
                Ok(Some(session)) => return session,
                Ok(None) => {}
                Err(error) => self.retry_after(error).await,
            }
        }
    }

    async fn register(&mut self) -> Result<(), RegistryLinkError> {
        let ais = Ais {
            config: &self.shared.config,
            dial: &*self.dial,
            progress: &self.shared.progress,
        };
        let registration = ais.register().await?;
        let id = &registration.identity.actor_id;
        if self.identity.borrow().is_some() {
            info!("registered again at {} as {id}", self.shared.config.url);
        } else {
            debug!("registered at {} as {id}", self.shared.config.url);
        }
        if let Some(reason) = &registration.withheld_address {
            warn!(
                "registry {}: no node can dial this one: {reason}",
                self.shared.config.url
            );
        }
        self.publish(registration);
        Ok(())
    }

    fn publish(&mut self, registration: Registration) {
        let granted_at = Duration::from_secs(registration.granted_at);
        self.shared.calendar.heard(granted_at, Instant::now());
        let identity = registration.identity.clone();
        self.shared.keys().insert(identity.signing_key.clone(), Instant::now());
        self.shared.is_now(&identity.actor_id);
        self.registration = Some(registration);
        self.is_confirmed = false;
        self.identity.send_replace(Some(identity));
        self.state.send_replace(LinkState::Registered { last_error: None });
    }

    /// One try to connect. `None`: the registry refuses the identity, and a new one may be asked for now.
    async fn connect(&mut self, registration: Registration) -> Result<Option<Session<D>>, RegistryLinkError> {
        let opened = signaling::open(
            &self.shared.config,
            &*self.dial,
            &registration.identity,
            &self.shared.progress,
        )
        .await;
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) if error.is_identity_refused() => {
                let was_confirmed = self.is_confirmed;
                self.identity_refused(&error);
                if !was_confirmed {
                    self.fresh_identity_refused(&error).await;
                }
                return Ok(None);
            }
            Err(error) => {
                // From now on it may also have been forgotten because it has waited: at a full registry, say.
                self.is_confirmed = true;
                return Err(error);
            }
        };
        if let Some(lasted) = self.outage.end(Instant::now()) {
            let seconds = lasted.as_secs_f64();
            info!(
                "registry {} is reached again after {seconds:.1} s",
                self.shared.config.url
            );
        }
        self.state.send_replace(LinkState::Opened);
        Ok(Some(Session::new(
            socket,
            self.shared.clone(),
            self.dial.clone(),
            Published {
                identity: self.identity.clone(),
                state: self.state.clone(),
            },
            registration,
        )))
    }

    fn identity_refused(&mut self, error: &RegistryLinkError) {
        info!(registry = %self.shared.config.url, %error, "registering again");
        self.registration = None;
        self.is_confirmed = false;
        let last_error = Some(self.forgotten(error));
        self.state.send_replace(LinkState::Registering { last_error });
    }

    /// Takes over what a session leaves behind, and waits if the next one is not to be tried at once.
    async fn session_ended(&mut self, session: Session<D>, end: SessionEnd) {
        self.registration = Some(session.registration().clone());
        if session.is_confirmed() {
            self.is_confirmed = true;
            self.was_connected = true;
            self.backoff.reset();
            self.mismatch.confirmed();
        }
        match end {
            SessionEnd::Lost(error) => {
                drop(session);
                self.retry_after(error).await;
            }
            SessionEnd::IdentityRefused(error) => {
                let was_confirmed = self.is_confirmed;
                self.identity_refused(&error);
                session.close().await;
                if !was_confirmed {
                    self.fresh_identity_refused(&error).await;
                }
            }
            SessionEnd::Replaced(registration) => {
                self.publish(*registration);
                session.close().await;
            }
        }
    }

    /// Waits after a refusal of an identity that the registry has granted just before.
    async fn fresh_identity_refused(&mut self, error: &RegistryLinkError) {
        let Some(verdict) = self.mismatch.refused(rand::random()) else {
            return self.retry_after(self.forgotten(error)).await;
        };
        let url = &self.shared.config.url;
        let error = RegistryLinkError::Mismatch {
            url: url.clone(),
            refusal: PeerText::of(&error.cause()),
        };
        if verdict.is_new && self.was_connected {
            warn!("registry {url}: {}; trying again, more and more seldom", error.cause());
        }
        self.state.send_modify(|state| *state = state.failed(error));
        sleep(verdict.wait).await;
    }

    /// What a refusal of the identity comes to: it does not last, as a new registration may help.
    fn forgotten(&self, refusal: &RegistryLinkError) -> RegistryLinkError {
        RegistryLinkError::Forgotten {
            url: self.shared.config.url.clone(),
            refusal: PeerText::of(&refusal.cause()),
        }
    }

    async fn retry_after(&mut self, error: RegistryLinkError) {
        let wait = self.backoff.next_wait(rand::random()) + error.retry_after();
        self.retry_in(wait, error).await;
    }

    async fn retry_in(&mut self, wait: Duration, error: RegistryLinkError) {
        // A start that ends with this error tells it itself.
        let ends_start = error.is_final() && !self.was_connected;
        if !ends_start && self.outage.failed(Instant::now()) {
            let url = &self.shared.config.url;
            match &error {
                RegistryLinkError::Refused { .. }
                | RegistryLinkError::TooOften { .. }
                | RegistryLinkError::Unusable { .. }
                | RegistryLinkError::Forgotten { .. } => {
                    warn!("registry {url}: {}; trying again", error.cause())
                }
                _ => warn!("registry {url} cannot be reached ({}); trying again", error.cause()),
            }
        }
        self.state.send_modify(|state| *state = state.failed(error));
        sleep(wait).await;
    }
}

impl<D: Dial> Drop for Upkeep<D> {
    /// However the task ends, nobody waits for it any more.
    fn drop(&mut self) {
        self.state.send_replace(LinkState::Stopped);
        self.shared.requests.close();
    }
}
