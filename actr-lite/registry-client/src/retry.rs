use std::time::Duration;

use actr_lite_wire::backoff::Backoff;

/// The wait before the second try: a registry that restarts on the same machine is often back by then.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait between two tries: a node is to be discoverable about a second after its registry is back, and a try a
/// second costs nobody anything.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long to wait between tries to reach the registry.
pub(crate) fn retry_backoff() -> Backoff {
    Backoff::new(FIRST_WAIT, LONGEST_WAIT)
}
