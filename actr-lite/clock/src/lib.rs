//! The system's two clocks: one that only runs forward, and what time it is for people and for the protocol.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;

/// A clock that only runs forward, for leases, and a wall clock, for what others read.
///
/// The wall clock goes on from the system's as it was when this clock was made, at the pace of a clock that counts the
/// time in which the machine sleeps too. A jump of the system's clock does not show, so it makes no credential that
/// was given before it worthless, and none that is given after it; a registry that was started with a wrong clock
/// keeps it until it is restarted, which does not matter to nodes, because they follow the registry's clock.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    awake_or_not: Duration,
    unix_time: Duration,
}

impl Clock {
    /// A clock that starts now, with the system's time.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            awake_or_not: since_boot(),
            // A time before 1970 counts as 1970.
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// The time since this clock was made.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time in Unix seconds.
    pub fn unix_seconds(&self) -> u64 {
        self.unix_time().as_secs()
    }

    /// The time as the protocol writes it.
    pub fn timestamp(&self) -> Timestamp {
        let unix_time = self.unix_time();
        Timestamp {
            nanos: i32::try_from(unix_time.subsec_nanos()).unwrap_or_default(),
            ..timestamp_of(unix_time.as_secs())
        }
    }

    /// The time as HTTP writes it (RFC 9110 §5.6.7).
    pub fn http_date(&self) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + self.unix_time())
    }

    /// The time since 1970.
    pub fn unix_time(&self) -> Duration {
        self.unix_time + since_boot().saturating_sub(self.awake_or_not)
    }

    /// What [`Self::unix_time`] was when [`Self::now`] was this: always the same for the same moment.
    pub fn unix_time_at(&self, now: Duration) -> Duration {
        self.unix_time.saturating_add(now)
    }

    /// What [`Self::unix_time`] was at this moment: always the same for the same moment.
    pub fn unix_time_of(&self, moment: Instant) -> Duration {
        match moment.checked_duration_since(self.start) {
            Some(after) => self.unix_time_at(after),
            None => self
                .unix_time
                .saturating_sub(self.start.saturating_duration_since(moment)),
        }
    }
}

/// A time since 1970 as RFC 3339 writes it, in UTC and to the millisecond.
pub fn rfc3339(unix_time: Duration) -> String {
    let timestamp = Timestamp {
        nanos: i32::try_from(unix_time.subsec_millis() * 1_000_000).unwrap_or_default(),
        ..timestamp_of(unix_time.as_secs())
    };
    timestamp.to_string()
}

/// A clock that does not jump and, if the system has one, does not stop while the machine sleeps.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Unix seconds as the protocol writes them.
pub fn timestamp_of(unix_seconds: u64) -> Timestamp {
    Timestamp {
        seconds: i64::try_from(unix_seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_to_the_millisecond() {
        assert_eq!(rfc3339(Duration::from_micros(1_500_999)), "1970-01-01T00:00:01.500Z");
        assert_eq!(rfc3339(Duration::ZERO), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_moment_has_one_time() {
        let before = Instant::now();
        let clock = Clock::start();
        let after = clock.start + Duration::from_secs(3);
        assert_eq!(clock.unix_time_of(after), clock.unix_time_at(Duration::from_secs(3)));
        assert!(clock.unix_time_of(before) <= clock.unix_time_at(Duration::ZERO));
    }
}
