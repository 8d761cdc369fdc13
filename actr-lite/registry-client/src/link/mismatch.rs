use std::time::Duration;

use actr_lite_wire::backoff::Backoff;

/// How often in a row the registry may not know a node that it has just registered: it may restart in between, and again
/// while it comes up.
const MAX_RESTARTS: u32 = 2;

/// The wait when that happens more often; it doubles up to the longest one.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait: somebody has to change something first, and each try leaves a node at a registry.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Identities that a registry has just granted and then does not know: sometimes it has been restarted, but again and
/// again it is another registry that answers at the same address.
#[derive(Debug)]
pub(super) struct Mismatch {
    refusals: u32,
    backoff: Backoff,
}

/// What follows from a refusal that is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// How long to wait before the next try.
    pub(super) wait: Duration,
    /// Whether nobody has been told yet.
    pub(super) is_new: bool,
}

impl Default for Mismatch {
    fn default() -> Self {
        Self {
            refusals: 0,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
        }
    }
}

impl Mismatch {
    /// A fresh identity is refused; what follows, if that is more than a restart explains. `jitter` is random, from 0 to 1.
    pub(super) fn refused(&mut self, jitter: f64) -> Option<Verdict> {
        self.refusals = self.refusals.saturating_add(1);
        (self.refusals > MAX_RESTARTS).then(|| Verdict {
            wait: self.backoff.next_wait(jitter),
            is_new: self.refusals == MAX_RESTARTS + 1,
        })
    }

    /// A registry knows the node after all.
    pub(super) fn confirmed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_once_and_tried_ever_more_seldom() {
        let mut mismatch = Mismatch::default();
        assert_eq!(mismatch.refused(0.0), None);
        assert_eq!(mismatch.refused(0.0), None);
        let verdicts: Vec<_> = (0..20).map(|_| mismatch.refused(1.0).unwrap()).collect();
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_new).count(), 1);
        assert!(verdicts[0].is_new);
        let waited: Duration = verdicts.iter().map(|verdict| verdict.wait).sum();
        assert!(waited > 10 * LONGEST_WAIT, "{waited:?}");
        mismatch.confirmed();
        assert_eq!(mismatch.refused(0.0), None);
    }
}
