//! What the programs here log, to stderr.

use std::io;

use tracing_subscriber::EnvFilter;

/// Logs what `RUST_LOG` says, or else this.
pub fn start(otherwise: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(otherwise));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}
