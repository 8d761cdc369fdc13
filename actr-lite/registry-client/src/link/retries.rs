use std::time::Duration;

use actr_lite_wire::{backoff::Backoff, peer_text::PeerText};
use tracing::{info, warn};

use super::{mismatch::Mismatch, outage::Outage};
use crate::{error::RegistryLinkError, registry_url::RegistryUrl};

/// The wait before the second try: a registry that restarts on the same machine is often back by then.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait between two tries: a node is to be discoverable about a second after its registry is back, and a try a
/// second costs nobody anything.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long to wait after a refusal that the next try would meet too: somebody has to change something first, and until
/// then the registry is not to count each try as an attack.
const WAIT_AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// How long to wait between tries to reach the registry.
pub(super) fn backoff() -> Backoff {
    Backoff::new(FIRST_WAIT, LONGEST_WAIT)
}

/// How long to wait after a question to AIS that failed.
pub(super) fn wait_after(error: &RegistryLinkError, backoff: &mut Backoff, jitter: f64) -> Duration {
    match error.is_final_refusal() {
        true => WAIT_AFTER_REFUSAL,
        false => backoff.next_wait(jitter) + error.retry_after(),
    }
}

/// How long to wait after each kind of failure, and what a log tells of it.
#[derive(Debug)]
pub(super) struct Retries {
    url: RegistryUrl,
    /// Whether a registry has answered at all: what is wrong then is an outage, and before it ends the start.
    was_connected: bool,
    backoff: Backoff,
    outage: Outage,
    mismatch: Mismatch,
}

impl Retries {
    pub(super) fn new(url: RegistryUrl) -> Self {
        Self {
            url,
            was_connected: false,
            backoff: backoff(),
            outage: Outage::default(),
            mismatch: Mismatch::default(),
        }
    }

    /// The wait after a try that failed.
    pub(super) fn failed(&mut self, error: &RegistryLinkError, now: Duration, jitter: f64) -> Duration {
        self.tell(error, now);
        self.backoff.next_wait(jitter) + error.retry_after()
    }

    /// The wait after a registration that failed.
    pub(super) fn not_registered(&mut self, error: &RegistryLinkError, now: Duration, jitter: f64) -> Duration {
        self.tell(error, now);
        wait_after(error, &mut self.backoff, jitter)
    }

    /// The wait after a `refusal` of an identity that the registry has granted just before, and what it comes to.
    pub(super) fn disowned(
        &mut self,
        refusal: &RegistryLinkError,
        now: Duration,
        jitter: f64,
    ) -> (Duration, RegistryLinkError) {
        let Some(verdict) = self.mismatch.refused(jitter) else {
            let error = self.forgotten(refusal);
            return (self.failed(&error, now, jitter), error);
        };
        let error = RegistryLinkError::Mismatch {
            url: self.url.clone(),
            refusal: PeerText::of(&refusal.cause()),
        };
        if verdict.is_new && self.was_connected {
            let (url, cause) = (&self.url, error.cause());
            warn!(registry = %url, reason = %cause, "registry {url}: {cause}; trying again, more and more seldom");
        }
        (verdict.wait, error)
    }

    /// What a refusal of the identity comes to: it does not last, as a new registration may help.
    pub(super) fn forgotten(&self, refusal: &RegistryLinkError) -> RegistryLinkError {
        RegistryLinkError::Forgotten {
            url: self.url.clone(),
            refusal: PeerText::of(&refusal.cause()),
        }
    }

    /// The registry has let the node in.
    pub(super) fn reached(&mut self, now: Duration) {
        if let Some(lasted) = self.outage.end(now) {
            let (url, seconds) = (&self.url, lasted.as_secs_f64());
            info!(registry = %url, "registry {url} is reached again after {seconds:.1} s");
        }
    }

    /// The registry knows the node.
    pub(super) fn confirmed(&mut self) {
        self.was_connected = true;
        self.backoff.reset();
        self.mismatch.confirmed();
    }

    fn tell(&mut self, error: &RegistryLinkError, now: Duration) {
        // A start that ends with this error tells it itself.
        let ends_start = error.is_final() && !self.was_connected;
        if ends_start || !self.outage.failed(now) {
            return;
        }
        let (url, cause) = (&self.url, error.cause());
        match error {
            RegistryLinkError::Refused { .. }
            | RegistryLinkError::TooOften { .. }
            | RegistryLinkError::Unusable { .. }
            | RegistryLinkError::Forgotten { .. } => {
                warn!(registry = %url, reason = %cause, "registry {url}: {cause}; trying again");
            }
            _ => warn!(registry = %url, reason = %cause, "registry {url} cannot be reached ({cause}); trying again"),
        }
    }
}
