//! A stream that is received as a resumable one comes whole, whatever happens to those who send it.

mod callback;
mod end;
mod handle;
mod leaving_server;
mod next_server;
mod official_server;
mod whole;

use std::time::Duration;

/// For a test that waits until a stream is given up.
const SHORT: Duration = Duration::from_millis(300);
