use std::time::Duration;

/// How often a lasting outage is told: often enough to see that the node still tries, seldom enough to read what else it says.
const REMIND_AFTER: Duration = Duration::from_secs(5);

/// The time in which the registry can't be reached, as a log tells it: at once, then now and then. A registry that comes and
/// goes is not told of more often than one that stays away.
#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<Duration>,
    last_told: Option<Duration>,
    is_told: bool,
}

impl Outage {
    /// Counts a failure, and says whether to tell it.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        self.since.get_or_insert(now);
        let tell = self
            .last_told
            .is_none_or(|told| now.saturating_sub(told) >= REMIND_AFTER);
        if tell {
            self.last_told = Some(now);
            self.is_told = true;
        }
        tell
    }

    /// The outage is over: how long it lasted, if there was one and it was told.
    pub(super) fn end(&mut self, now: Duration) -> Option<Duration> {
        let since = self.since.take();
        let is_told = std::mem::take(&mut self.is_told);
        since.filter(|_| is_told).map(|since| now.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_at_once_then_every_five_seconds() {
        let second = Duration::from_secs;
        let mut outage = Outage::default();
        let told: Vec<u64> = (0..=11).filter(|tried| outage.failed(second(*tried))).collect();
        assert_eq!(told, [0, 5, 10]);
        assert_eq!(outage.end(second(12)), Some(Duration::from_secs(12)));
        assert_eq!(outage.end(second(12)), None);

        assert!(!outage.failed(second(13)), "it comes and goes");
        assert_eq!(outage.end(second(14)), None);
        assert!(outage.failed(second(20)), "another outage");
    }
}
