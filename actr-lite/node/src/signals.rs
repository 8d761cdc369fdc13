use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(unix)]
use tracing::{info, warn};

use crate::ActrRef;

/// The signals that ask a process to end, and SIGHUP, which asks it to read its certificates anew.
#[cfg(unix)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

#[cfg(unix)]
impl Signals {
    /// From now on these signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system does not let them be listened for.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one that asks the process to end; its name.
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// The same; meanwhile each SIGHUP, also one that came before, [reloads](ActrRef::reload_tls) what the node needs for
    /// TLS. The log says how that went.
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next_for(&mut self, node: &ActrRef) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => reload(node),
            }
        }
    }
}

#[cfg(unix)]
fn reload(node: &ActrRef) {
    match node.reload_tls() {
        Ok(files) if files.is_empty() => info!("SIGHUP: there is nothing to read anew, without files in [system.tls]"),
        Ok(files) => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            info!("SIGHUP: read anew: {}", files.join(", "));
        }
        Err(error) => warn!("SIGHUP: the certificates stay as they were, because the new ones are no good: {error}"),
    }
}

/// The signal that asks a process to end.
#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Nothing has to be prepared.
    ///
    /// # Errors
    /// None.
    pub fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one; its name.
    pub async fn next(&mut self) -> &'static str {
        // Without a console there is nobody who could press the keys.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }

    /// The same; there is no signal for a reload.
    pub async fn next_for(&mut self, _node: &ActrRef) -> &'static str {
        self.next().await
    }
}
