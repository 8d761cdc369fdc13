use std::time::Duration;

use actr_lite_wire::error_code::ErrorCode;
use tracing::{info, warn};

use super::{Link, Stage, action::Action};
use crate::{answer::Outcome, error::RegistryLinkError, refusal_code::UNAUTHENTICATED};

/// What becomes of answers to heartbeats, and of those that don't say what they answer.
impl<W> Link<W> {
    /// The registry has answered the heartbeat of this number.
    pub(super) fn heartbeat_answered(&mut self, number: u64, outcome: Outcome, now: Duration, jitter: f64) {
        let (Stage::Open(session), Some(membership)) = (&mut self.stage, &mut self.membership) else {
            return;
        };
        session.heartbeat_answered();
        let had_credential = membership.was_in(number);
        let Err(error) = outcome else {
            membership.is_credential_accepted |= had_credential;
            if let Some(lasted) = self.heartbeats_refused.end(now) {
                let seconds = lasted.as_secs_f64();
                info!(registry = %self.url, "heartbeats are accepted again after {seconds:.1} s");
            }
            return self.confirm();
        };
        let error = RegistryLinkError::refused("heartbeat", error);
        let remedy = match error.refusal() {
            Some(ErrorCode::NotFound) => return self.dismissed(&error, now, jitter),
            // It has been renewed meanwhile.
            Some(UNAUTHENTICATED) if !had_credential => return session.hurry(now),
            Some(UNAUTHENTICATED) if membership.is_credential_accepted => {
                membership.renewal.hurry(now);
                "renewing the credential"
            }
            // The registry has granted it just now: it could go on like that for ever.
            Some(UNAUTHENTICATED) => {
                warn!(registry = %self.url, reason = %error, "the new credential is not accepted");
                return self.dismissed(&error, now, jitter);
            }
            _ if error.is_passing_refusal() => {
                session.repeat_heartbeat(now);
                "trying again in a moment"
            }
            // Of a disabled realm, say: the identity is of use again when the realm is.
            _ => "trying again",
        };
        if self.heartbeats_refused.failed(now) {
            warn!(registry = %self.url, reason = %error, "soon others don't find this node; {remedy}");
        }
    }

    /// What was sent is one too many, and it is not said what: actrix answers so if many messages come at once.
    pub(super) fn one_was_too_many(&mut self, now: Duration, jitter: f64) {
        if let Stage::Open(session) = &mut self.stage {
            session.repeat_open_heartbeat(now);
        }
        self.requests.one_was_too_many(now, jitter);
    }

    /// The registry does not take the node for the one as which it has opened the connection.
    fn dismissed(&mut self, refusal: &RegistryLinkError, now: Duration, jitter: f64) {
        self.actions.push_back(Action::Close);
        self.disowned(refusal, now, jitter);
    }
}
