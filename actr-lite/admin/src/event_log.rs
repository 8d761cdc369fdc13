//! The last events of a program, shared by those who note and those who read them.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use actr_lite_clock::{Clock, rfc3339};
use tokio::sync::watch;

use crate::{
    event::{Event, Kind},
    recent_events::{RecentEvents, Since},
};

/// Where parts of a program note what happens. Noting never waits for a reader.
pub struct EventLog {
    clock: Clock,
    recent: Mutex<RecentEvents>,
    /// The number of the last one.
    latest: watch::Sender<u64>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            clock: Clock::start(),
            recent: Mutex::default(),
            latest: watch::Sender::new(0),
        }
    }
}

impl EventLog {
    /// Notes an event of this kind, which `describe` makes; of kinds that come in floods, not each.
    pub fn note(&self, kind: Kind, describe: impl FnOnce() -> Event) {
        if !self.lock().takes(kind, self.clock.now()) {
            return;
        }
        // Not under the lock: it allocates.
        let (event, time) = (describe(), rfc3339(self.clock.unix_time()));
        let id = self.lock().push(event, time);
        self.latest.send_if_modified(|latest| {
            let is_later = id > *latest;
            *latest = id.max(*latest);
            is_later
        });
    }

    /// What came after the event of this number.
    pub fn since(&self, known: u64) -> Since {
        self.lock().since(known)
    }

    /// Tells when there is another one.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// The clock by which it says when something happened.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn lock(&self) -> MutexGuard<'_, RecentEvents> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog")
            .field("latest", &self.lock().latest())
            .finish_non_exhaustive()
    }
}
