//! What the system asks of the registry.

use std::io;

use actr_lite_tls::ServerTls;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// The same; meanwhile SIGHUP reads the files of TLS anew.
    pub(crate) async fn next_with_reloads(&mut self, tls: Option<&ServerTls>) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => match tls.map(ServerTls::reload) {
                    Some(Ok(())) => info!("SIGHUP: certificate and key are read anew"),
                    Some(Err(error)) => {
                        warn!("SIGHUP: certificate and key stay as they were, because the new ones are no good: {error}");
                    }
                    None => info!("SIGHUP: there is nothing to read anew, without --tls-cert"),
                },
            }
        }
    }
}
