use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;

/// The system's two clocks: one that only runs forward, for leases, and the calendar's, for what others read.
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// The time since this clock was made; a jump of the calendar does not show here.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The calendar's time in Unix seconds.
    pub(crate) fn unix_seconds(&self) -> u64 {
        since_epoch().as_secs()
    }

    /// The calendar's time as the protocol writes it.
    pub(crate) fn timestamp(&self) -> Timestamp {
        let since_epoch = since_epoch();
        Timestamp {
            nanos: i32::try_from(since_epoch.subsec_nanos()).unwrap_or_default(),
            ..timestamp_of(since_epoch.as_secs())
        }
    }
}

/// A calendar that stands before 1970 counts as 1970.
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Unix seconds as the protocol writes them.
pub(crate) fn timestamp_of(unix_seconds: u64) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(unix_seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}
