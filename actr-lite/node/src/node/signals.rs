use std::io;

use tracing::{info, warn};

use crate::node::actr_ref::ActrRef;

/// The signals that ask a process to end, and SIGHUP, which asks it to reload its certificates. A SIGHUP that comes because
/// the terminal was closed asks it to end.
#[derive(Debug)]
pub struct Signals(actr_lite_signals::Signals);

impl Signals {
    /// From now on these signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system does not let them be listened for.
    pub fn listen() -> io::Result<Self> {
        actr_lite_signals::Signals::listen().map(Self)
    }

    /// Tells the service manager that has started the process, if there is one such as systemd, that the process does its work
    /// from now on, and which that is. What signals ask for is told without being asked to.
    pub fn ready(&self, status: &str) {
        self.0.ready(status);
    }

    /// Waits for the next one that asks the process to end; its name.
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next(&mut self) -> &'static str {
        self.0.next().await
    }

    /// The same; meanwhile each SIGHUP that asks for it, also one that came before, [reloads](ActrRef::reload_tls) what the
    /// node needs for TLS. The log says how that went.
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next_for(&mut self, node: &ActrRef) -> &'static str {
        self.0.next_with(|| reload(node)).await
    }
}

fn reload(node: &ActrRef) {
    match node.reload_tls() {
        Ok(files) if files.is_empty() => info!("SIGHUP: nothing to reload without files in [system.tls]"),
        Ok(files) => {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            let files = files.join(", ");
            info!(files, "SIGHUP: reloaded: {files}");
        }
        Err(error) => {
            warn!(reason = %error, "SIGHUP: the certificates are not reloaded, the old ones stay in use: {error}")
        }
    }
}
