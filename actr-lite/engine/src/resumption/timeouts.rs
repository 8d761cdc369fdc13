//! How long the steps of a resumption may take.

use std::time::Duration;

/// How long one server may take to be reached and to agree before the next one is asked.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the registry if servers are known from before; after that they are asked.
pub const DISCOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How often another server is looked for while the one that sends is of little use.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long to wait, when all frames have arrived, for the sender to say that it has finished: one that does not speak
/// the extension never says so.
pub const END_GRACE: Duration = Duration::from_secs(1);
