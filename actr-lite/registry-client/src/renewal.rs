use std::time::Duration;

use actr_lite_net::DialProgress;
use actr_lite_wire::error_code::ErrorCode;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::{
    ais::Ais, config::LinkConfig, dial::Dial, error::RegistryLinkError, identity::Registration, outage::Outage,
    retry::retry_backoff,
};

/// Waits until the credential is to be renewed, and renews it, however often it has to try. What comes out has the same id, or
/// another one where the registry would not renew and the node registered again.
///
/// Dropping it gives up little: a renewal token is for one use, but the registry gives the same answer once more, within
/// half a minute, to whoever tries again from the same address. A node that has lost two answers in a row, or is away
/// for longer, registers again.
pub(crate) async fn renewed<D: Dial>(config: &LinkConfig, dial: &D, registration: Registration) -> Registration {
    let ais = Ais {
        config,
        dial,
        progress: &DialProgress::default(),
    };
    let id = &registration.identity.actor_id;
    let mut token = registration.renewal_token.clone();
    let mut backoff = retry_backoff();
    let mut outage = Outage::default();
    let mut wait = registration.renew_after;
    loop {
        sleep(wait).await;
        let tried = match &token {
            Some(token) => ais.renew(&registration, token).await,
            None => ais.register().await,
        };
        let error = match tried {
            Ok(registration) => return registration,
            Err(error) => error,
        };
        if token.is_some() && is_final(&error) {
            info!(%id, %error, "the credential is not renewed; registering again");
            token = None;
            wait = Duration::ZERO;
            continue;
        }
        if outage.failed(Instant::now()) {
            warn!(%id, %error, "the credential can't be renewed; trying again");
        }
        wait = backoff.next_wait(rand::random()) + error.retry_after();
    }
}

/// Whether a renewal that failed so would fail again.
fn is_final(error: &RegistryLinkError) -> bool {
    match error {
        RegistryLinkError::Refused { code, .. } => {
            !matches!(code, ErrorCode::Unavailable | ErrorCode::TimedOut | ErrorCode::Internal)
        }
        RegistryLinkError::Malformed { .. } => true,
        _ => false,
    }
}
