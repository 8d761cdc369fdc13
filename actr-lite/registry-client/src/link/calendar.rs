use std::time::Duration;

/// What the registry's calendar shows.
///
/// Credentials end by it, and so they are checked by it: the registry's last word, carried on by a clock that does not
/// jump. Neither a jump of this machine's calendar nor one of the registry's then makes anybody's credential worthless
/// for longer than it takes the registry to answer the next heartbeat.
#[derive(Debug, Default)]
pub(super) struct Calendar(Option<(Duration, Duration)>);

impl Calendar {
    /// The registry said just `now` that it is so long after 1970.
    pub(super) fn heard(&mut self, unix_time: Duration, now: Duration) {
        self.0 = Some((unix_time, now));
    }

    /// How long after 1970 it is, if the registry has ever said.
    pub(super) fn unix_time(&self, now: Duration) -> Option<Duration> {
        self.0.map(|(unix_time, since)| unix_time + now.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_the_registrys_time_not_its_own() {
        let second = Duration::from_secs;
        let mut calendar = Calendar::default();
        assert_eq!(calendar.unix_time(second(3)), None);
        calendar.heard(Duration::from_millis(1_000_900), second(3));
        let later = second(3) + Duration::from_millis(7100);
        assert_eq!(calendar.unix_time(later), Some(second(1008)));
        calendar.heard(second(500), second(11));
        assert_eq!(calendar.unix_time(second(12)), Some(second(501)));
    }
}
