use std::{future::pending, pin::Pin};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for one who waits until another time after each datagram, mostly a later one. It is not put off then: it rings too
/// early once, which costs less than to set it anew each time, and to wake the thread that watches all timers.
#[derive(Debug)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// It is set to no time.
    pub(super) fn new() -> Self {
        Self(None)
    }

    /// Completes at this time, or before it; never without a time.
    ///
    /// # Cancel safety
    /// It goes on.
    pub(super) async fn rings(&mut self, until: Option<Instant>) {
        let Some(until) = until else {
            return pending().await;
        };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if until < sleep.deadline() || sleep.is_elapsed() {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn it_is_set_to_the_earliest_time_and_never_put_off() {
        let (mut alarm, now) = (Alarm::new(), Instant::now());
        let hours = |hours: u64| now + Duration::from_secs(3600 * hours);
        assert!(alarm.rings(None).now_or_never().is_none());
        for (until, set) in [(5, 5), (2, 2), (9, 2)] {
            assert!(alarm.rings(Some(hours(until))).now_or_never().is_none());
            assert_eq!(alarm.0.as_ref().unwrap().deadline(), hours(set));
        }
        let soon = Instant::now() + Duration::from_millis(5);
        alarm.rings(Some(soon)).await;
        assert!(Instant::now() >= soon);
        assert!(alarm.rings(Some(hours(9))).now_or_never().is_none(), "it has rung");
        assert!(alarm.rings(None).now_or_never().is_none());
    }
}
