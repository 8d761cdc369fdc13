use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::clock::Clock;

/// What the registry's calendar shows.
///
/// Credentials end by it, and so they are checked by it: the registry's last word, carried on by a clock that does not
/// jump. Neither a jump of this machine's calendar nor one of the registry's then makes anybody's credential worthless
/// for longer than it takes the registry to answer the next heartbeat.
#[derive(Default)]
pub(super) struct Calendar(Mutex<Option<(u64, Instant)>>);

impl Calendar {
    /// The registry said just `now` that it is so many seconds after 1970.
    pub(super) fn heard(&self, unix_seconds: u64, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((unix_seconds, now));
    }

    /// Seconds since 1970; by this machine's own calendar as long as the registry has not said.
    pub(super) fn unix_seconds(&self, now: Instant) -> u64 {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((unix_seconds, since)) => unix_seconds + now.duration_since(since).as_secs(),
            None => Clock::new().unix_seconds(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_on_from_the_registrys_last_word_whatever_the_own_calendar_shows() {
        let (calendar, now) = (Calendar::default(), Instant::now());
        assert!(calendar.unix_seconds(now).abs_diff(Clock::new().unix_seconds()) <= 1);
        calendar.heard(1000, now);
        assert_eq!(calendar.unix_seconds(now + Duration::from_secs(7)), 1007);
        calendar.heard(500, now + Duration::from_secs(8));
        assert_eq!(calendar.unix_seconds(now + Duration::from_secs(9)), 501);
    }
}
