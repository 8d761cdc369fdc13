//! When a request is sent again to a peer that may not have been ready for it.

use std::time::Duration;

/// How long to wait before a request is sent again, each time: an official node is ready some milliseconds after it has
/// accepted a connection, on a busy machine some hundred. After the last retry only the call's own timeout helps.
const RESEND_AFTER: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// When a request is sent again over the same connection.
///
/// An official node (actr 0.4.21) reads a connection before it knows where to put what comes, and drops that. It knows
/// requests by their ids, so one that comes twice is served once. Once it has answered anything it is ready.
#[derive(Debug, Clone)]
pub struct Resend {
    waits: &'static [Duration],
    at: Duration,
}

impl Resend {
    /// A request was sent for the first time.
    pub fn new(now: Duration) -> Self {
        let mut resend = Self {
            waits: &RESEND_AFTER,
            at: now,
        };
        resend.sent(now);
        resend
    }

    /// When to send it again, unless there is an answer by then; `None`: not any more.
    pub fn due(&self, has_answered: bool) -> Option<Duration> {
        (self.at < Duration::MAX && !has_answered).then_some(self.at)
    }

    /// It was sent.
    pub fn sent(&mut self, now: Duration) {
        self.at = match self.waits.split_first() {
            Some((wait, later)) => {
                self.waits = later;
                now + *wait
            }
            None => Duration::MAX,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_again_until_the_peer_answers_anything() {
        let mut resend = Resend::new(Duration::ZERO);
        let mut times = Vec::new();
        while let Some(at) = resend.due(false) {
            assert_eq!(resend.due(true), None);
            times.push(at.as_millis());
            resend.sent(at);
        }
        assert_eq!(times, [250, 750, 1750, 3750]);
    }
}
