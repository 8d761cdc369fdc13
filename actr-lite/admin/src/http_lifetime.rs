//! How long an HTTP connection lasts.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::sleep;

use crate::event_stream::LIFETIME;

/// How long a connection may speak HTTP before it is ended: a peer that does not read its answers holds its place no
/// longer.
const WITHOUT_EVENTS: Duration = Duration::from_secs(60);

/// How long one may last, as it has events to tell or not.
#[derive(Debug, Default)]
pub struct HttpLifetime(AtomicBool);

impl HttpLifetime {
    /// It tells events: it may last as long as these.
    pub(crate) fn has_events(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it tells events: whoever reads them leaves in the middle, and does no wrong.
    pub fn tells_events(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Completes when the connection has lasted long enough.
    pub async fn is_over(&self) {
        sleep(WITHOUT_EVENTS).await;
        // The events may have begun at the last moment.
        if self.tells_events() {
            sleep(LIFETIME).await;
        }
    }
}
