use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::controlling_terminal::ControllingTerminal;

/// The signals that ask a process to end, and SIGHUP: it asks to reload, unless it comes because the terminal was closed.
/// Then it asks to end, as it does by default.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    terminal: ControllingTerminal,
    /// A SIGHUP came while nobody could reload.
    is_reload_due: bool,
}

impl Signals {
    /// From now on these signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system does not let them be listened for.
    pub fn listen() -> io::Result<Self> {
        // First, because listening replaces how the process was started.
        let terminal = ControllingTerminal::at_start();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            terminal,
            is_reload_due: false,
        })
    }

    /// Waits for the next one that asks the process to end; its name. A SIGHUP that asks to reload is kept for
    /// [`Self::next_with`].
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next(&mut self) -> &'static str {
        loop {
            match self.receive().await {
                Asked::End(name) => return name,
                Asked::Reload => self.is_reload_due = true,
            }
        }
    }

    /// The same; meanwhile `reload` is called for each SIGHUP that asks for it, also for one that came before.
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next_with(&mut self, mut reload: impl FnMut()) -> &'static str {
        loop {
            if std::mem::take(&mut self.is_reload_due) {
                reload();
            }
            match self.receive().await {
                Asked::End(name) => return name,
                Asked::Reload => self.is_reload_due = true,
            }
        }
    }

    async fn receive(&mut self) -> Asked {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Asked::End("SIGINT"),
                _ = self.terminate.recv() => return Asked::End("SIGTERM"),
                _ = self.hangup.recv() => {}
            }
            if !self.terminal.is_lost() {
                return Asked::Reload;
            }
            // The kernel, the shell and a login session may each say it: once is one request to end.
            if self.terminal.tell_loss() {
                return Asked::End("SIGHUP (the terminal was closed)");
            }
        }
    }
}

/// What a signal asks for.
enum Asked {
    End(&'static str),
    Reload,
}
