use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use actr_lite_clock::Clock;

/// What the registry's calendar shows.
///
/// Credentials end by it, and so they are checked by it: the registry's last word, carried on by a clock that does not
/// jump. Neither a jump of this machine's calendar nor one of the registry's then makes anybody's credential worthless
/// for longer than it takes the registry to answer the next heartbeat.
#[derive(Default)]
pub(crate) struct Calendar(Mutex<Option<(Duration, Instant)>>);

impl Calendar {
    /// The registry said just `now` that it is so long after 1970.
    pub(crate) fn heard(&self, unix_time: Duration, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((unix_time, now));
    }

    /// Seconds since 1970; by this machine's own calendar as long as the registry has not said.
    pub(crate) fn unix_seconds(&self, now: Instant) -> u64 {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((unix_time, since)) => (unix_time + now.duration_since(since)).as_secs(),
            None => Clock::start().unix_seconds(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_the_registrys_time_not_its_own() {
        let (calendar, now) = (Calendar::default(), Instant::now());
        assert!(calendar.unix_seconds(now).abs_diff(Clock::start().unix_seconds()) <= 1);
        calendar.heard(Duration::from_millis(1_000_900), now);
        assert_eq!(calendar.unix_seconds(now + Duration::from_millis(7100)), 1008);
        calendar.heard(Duration::from_secs(500), now + Duration::from_secs(8));
        assert_eq!(calendar.unix_seconds(now + Duration::from_secs(9)), 501);
    }
}
