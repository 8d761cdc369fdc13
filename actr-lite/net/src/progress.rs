use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Which step a dial is at. It is for those who stop waiting before the dial itself could say what failed. Clones are of the
/// same dial.
#[derive(Debug, Clone, Default)]
pub struct DialProgress(Arc<Mutex<Option<(Step, Instant)>>>);

/// A step of a dial that may take long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Looking up the addresses of this name.
    Resolve(String),
    /// Connecting to the addresses of this host.
    Connect(String),
    /// The TLS handshake with whoever took the connection.
    Tls(SocketAddr),
    /// Waiting for the answer to what is named.
    Answer(&'static str),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(host) => write!(f, "resolving {host}"),
            Self::Connect(host) => write!(f, "connecting to {host}"),
            Self::Tls(address) => write!(f, "in the TLS handshake with {address}"),
            Self::Answer(what) => write!(f, "waiting for the answer to the {what}"),
        }
    }
}

impl DialProgress {
    /// Notes the step that begins now. Dropping the guard ends it, whatever came of it.
    pub fn enter(&self, step: Step) -> StepGuard<'_> {
        *self.lock() = Some((step, Instant::now()));
        StepGuard(self)
    }

    /// The step that the dial is at, and how long it has taken, if that is this long at least: `still resolving name.test
    /// after 3.0 s`.
    pub fn standing(&self, at_least: Duration) -> Option<String> {
        let at = self.lock();
        let (step, since) = at.as_ref().filter(|(_, since)| since.elapsed() >= at_least)?;
        Some(format!("still {step} after {:.1} s", since.elapsed().as_secs_f64()))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Step, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step that is not over.
#[derive(Debug)]
#[must_use]
pub struct StepGuard<'a>(&'a DialProgress);

impl Drop for StepGuard<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_is_told_with_its_time_until_it_is_over() {
        let progress = DialProgress::default();
        assert_eq!(progress.standing(Duration::ZERO), None);
        let step = progress.enter(Step::Resolve("slow.test".into()));
        advance(Duration::from_secs(3)).await;
        assert_eq!(
            progress.clone().standing(Duration::from_secs(3)).unwrap(),
            "still resolving slow.test after 3.0 s"
        );
        assert_eq!(progress.standing(Duration::from_secs(4)), None);
        drop(step);
        assert_eq!(progress.standing(Duration::ZERO), None);
    }
}
