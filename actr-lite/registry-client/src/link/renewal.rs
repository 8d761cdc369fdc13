use std::time::Duration;

use actr_lite_wire::{backoff::Backoff, error_code::ErrorCode, identity::ActrId};
use tracing::warn;

use super::{
    outage::Outage,
    retries::{backoff, wait_after},
};
use crate::{error::RegistryLinkError, registration::Registration, renewal_token::RenewalToken};

/// When and how a credential is renewed, however often that has to be tried: by its renewal token; where the registry would
/// not renew it, by that token and all that a registration shows, which keeps the id; and at last by a new registration.
///
/// A renewal token is for one use, but the registry gives the same answer once more, within half a minute, to whoever
/// tries again from the same address. A node that has lost two answers in a row, or is away for longer, is refused.
#[derive(Debug)]
pub(super) struct Renewal {
    step: Step,
    /// None: it is under way.
    due: Option<Duration>,
    /// It was due before its time.
    is_hurried: bool,
    backoff: Backoff,
    outage: Outage,
}

/// What to ask AIS for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Renew(RenewalToken),
    Reissue(RenewalToken),
    Register,
}

impl Renewal {
    /// Of what was granted, but not before `since`.
    pub(super) fn new(registration: &Registration, since: Duration) -> Self {
        Self {
            step: registration.renewal_token.clone().map_or(Step::Register, Step::Renew),
            due: Some(since + registration.renew_after),
            is_hurried: false,
            backoff: backoff(),
            outage: Outage::default(),
        }
    }

    /// When the next try is due, unless one is under way.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// The credential is of no use any more, whatever its end says. Who says that again changes nothing: a try that fails
    /// waits for its turn.
    pub(super) fn hurry(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.is_hurried, true) {
            self.due = self.due.map(|due| due.min(now));
        }
    }

    /// The next try, if it is due.
    pub(super) fn poll(&mut self, now: Duration) -> Option<Step> {
        self.due.take_if(|due| now >= *due)?;
        Some(self.step.clone())
    }

    /// The try has failed.
    pub(super) fn failed(&mut self, error: &RegistryLinkError, id: &ActrId, now: Duration, jitter: f64) {
        match &self.step {
            Step::Renew(token) if is_token_refused(error) => {
                warn!(%id, reason = %error, "the credential is not renewed; asking for another one");
                self.go_on(Step::Reissue(token.clone()), now);
                return;
            }
            Step::Reissue(_) if is_reissue_refused(error) => {
                warn!(%id, reason = %error, "there is no other credential; registering again");
                self.go_on(Step::Register, now);
                return;
            }
            _ => {}
        }
        if self.outage.failed(now) {
            warn!(%id, reason = %error, "the credential can't be renewed; trying again");
        }
        self.due = Some(now + wait_after(error, &mut self.backoff, jitter));
    }

    fn go_on(&mut self, step: Step, now: Duration) {
        self.step = step;
        self.due = Some(now);
    }
}

/// Whether the node has to register. A registry that reissues nothing answers as no registry does.
fn is_reissue_refused(error: &RegistryLinkError) -> bool {
    is_token_refused(error) || matches!(error, RegistryLinkError::Unusable { .. })
}

/// Whether the token is of no use any more. It is, once a realm is let in again that is disabled: PermissionDenied.
fn is_token_refused(error: &RegistryLinkError) -> bool {
    match error {
        RegistryLinkError::Refused { code, .. } => *code != ErrorCode::PermissionDenied && !error.is_passing_refusal(),
        RegistryLinkError::Malformed { .. } => true,
        _ => false,
    }
}
