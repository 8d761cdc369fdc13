//! What a registry does by the clock, unasked.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{spawn_blocking, yield_now},
    time::sleep,
};
use tracing::{debug, info, warn};

use crate::{
    directory::EXPIRED_PER_STEP,
    sessions::{Dismissal, Notice},
    shared::Shared,
};

/// How long to wait before retrying when keys could not be stored: the old ones serve meanwhile.
const KEYS_RETRY: Duration = Duration::from_secs(60);

/// The shortest pause between two looks at the keys: they are counted in whole seconds.
const KEYS_PAUSE: Duration = Duration::from_millis(500);

/// Rotates the signing key in time, and forgets old ones when everything that they have signed has expired.
pub(crate) async fn look_after_keys(shared: Arc<Shared>) {
    let mut wait = Duration::ZERO;
    loop {
        let due = shared.authority.next_change(shared.clock.unix_seconds());
        tokio::select! {
            () = sleep(due.max(wait)) => {}
            () = shared.stop.cancelled() => return,
        }
        wait = KEYS_PAUSE;
        let look = Arc::clone(&shared);
        let looked = spawn_blocking(move || look.authority.look_after_keys(look.clock.unix_seconds())).await;
        match looked {
            Ok(Ok(Some(ring))) => {
                // Known first: what a key signs is valid at once.
                shared.state().directory.set_signing_keys(ring.verifying_keys());
                let keys = ring.keys().len();
                info!(keys, "the signing keys have changed");
                shared.authority.use_keys(ring);
                shared.authority.note_keys(&shared.journal.audit);
                shared.journal.keys_changed(keys);
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                warn!(reason = %error, "{error}; the old signing keys stay in use");
                wait = KEYS_RETRY;
            }
            Err(error) => {
                warn!(reason = %error, "the signing keys could not be rotated: {error}");
                wait = KEYS_RETRY;
            }
        }
    }
}

/// Forgets nodes whose leases are over, each as soon as that is so.
///
/// A process that was suspended can't tell who was silent meanwhile. It wakes at least once per interval to
/// notice, and then gives pending heartbeats an interval to be read: if it was suspended for more than two
/// intervals, it wakes late by more than one, and with less than that nobody's lease of three is over who sent in
/// time.
pub(crate) async fn forget_the_silent(shared: Arc<Shared>) {
    let interval = shared.options.heartbeat_interval;
    let mut not_before = Duration::ZERO;
    loop {
        let now = shared.clock.now();
        let next_expiry = shared.state().directory.next_expiry().unwrap_or(Duration::MAX);
        let planned = next_expiry.max(not_before).min(now.saturating_add(interval)).max(now);
        tokio::select! {
            () = sleep(planned.saturating_sub(now)) => {}
            () = shared.stop.cancelled() => return,
        }
        let woken = shared.clock.now();
        let late = woken.saturating_sub(planned);
        if late > interval {
            debug!(
                ?late,
                "the registry itself was suspended: pending heartbeats are read first"
            );
            not_before = woken.saturating_add(interval);
        }
        if woken < not_before {
            continue;
        }
        while forget_expired(&shared) {
            yield_now().await;
        }
    }
}

/// Forgets some of those whose leases are over; whether there may be more.
fn forget_expired(shared: &Shared) -> bool {
    let mut state = shared.state();
    let expired = state.directory.expire(shared.clock.now());
    let notices: Vec<_> = expired
        .iter()
        .filter_map(|node| state.sessions.dismiss(node.id(), Dismissal::LeaseExpired))
        .collect();
    drop(state);
    notices.into_iter().for_each(Notice::tell);
    for node in &expired {
        info!(id = %node.id(), "expired: no heartbeat for a whole lease");
        shared.journal.lease_expired(node.id());
    }
    expired.len() == EXPIRED_PER_STEP
}
