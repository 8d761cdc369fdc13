//! Something that a peer has begun to send and not finished.

use std::time::Duration;

/// How much has to come until the next deadline: a link that is slower than this in some minutes carries nothing.
pub const LEAST_PROGRESS: usize = 64 << 10;

/// What has come of something, and since when that is all. Times are since any fixed moment of a clock that never goes
/// back.
#[derive(Debug, Default, Clone, Copy)]
pub struct Unfinished(Option<Mark>);

#[derive(Debug, Clone, Copy)]
struct Mark {
    since: Duration,
    len: usize,
}

impl Unfinished {
    /// Notes that so much has come; nothing: it is finished, or not begun.
    pub fn note(&mut self, len: usize, now: Duration) {
        match &self.0 {
            _ if len == 0 => self.0 = None,
            Some(mark) if len < mark.len + LEAST_PROGRESS => {}
            _ => self.0 = Some(Mark { since: now, len }),
        }
    }

    /// Gives the peer all its time again: this side did not read.
    pub fn excuse(&mut self, now: Duration) {
        if let Some(mark) = &mut self.0 {
            mark.since = now;
        }
    }

    /// When it has taken too long; `None` if nothing is under way.
    pub fn deadline(&self, stall_timeout: Duration) -> Option<Duration> {
        self.0.map(|mark| mark.since + stall_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_trickle_does_not_move_the_deadline() {
        let mut message = Unfinished::default();
        assert_eq!(message.deadline(SECOND), None);
        for second in 1..100 {
            message.note(second as usize, SECOND * second);
        }
        assert_eq!(message.deadline(SECOND), Some(SECOND * 2));
        message.note(LEAST_PROGRESS + 1, SECOND * 100);
        assert_eq!(message.deadline(SECOND), Some(SECOND * 101), "enough has come");
        message.note(0, SECOND * 100);
        assert_eq!(message.deadline(SECOND), None);
    }

    #[test]
    fn who_is_not_read_is_not_late() {
        let mut message = Unfinished::default();
        message.note(7, SECOND);
        message.excuse(SECOND * 9);
        assert_eq!(message.deadline(SECOND), Some(SECOND * 10));
    }
}
