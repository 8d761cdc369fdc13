use std::io;

use tracing::info;

use crate::node::{actr_ref::ActrRef, signals::Signals};

/// How a shutdown by a signal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownKind {
    /// Everything ended in order.
    Clean,
    /// A second signal came before that.
    Forced,
}

/// Shutdown by a signal.
impl ActrRef {
    /// Waits for SIGINT or SIGTERM, then shuts down; meanwhile SIGHUP [reloads](Self::reload_tls) what TLS needs. A second
    /// signal ends the wait at once.
    ///
    /// # Errors
    /// When the system does not let signals be listened for.
    pub async fn wait_for_ctrl_c_and_shutdown(&self) -> io::Result<ShutdownKind> {
        Ok(self.shutdown_on(Signals::listen()?).await)
    }

    /// The same with signals that are already listened for, so that an earlier one is not lost.
    pub async fn shutdown_on(&self, mut signals: Signals) -> ShutdownKind {
        tokio::select! {
            signal = signals.next_for(self) => {
                info!(signal, "{signal}: shutting down; send it again to stop at once");
            }
            () = self.wait_for_shutdown() => return ShutdownKind::Clean,
        }
        tokio::select! {
            () = self.shutdown() => ShutdownKind::Clean,
            _ = signals.next() => ShutdownKind::Forced,
        }
    }
}
