use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time::sleep,
};

use crate::{
    controlling_terminal::ControllingTerminal,
    supervisor::{Supervisor, watchdog_interval},
};

/// The signals that ask a process to end, and SIGHUP: it asks to reload, unless it comes because the terminal was closed.
/// Then it asks to end, as it does by default.
///
/// A service manager such as systemd, if one has started the process, is told that a signal has arrived, and twice in each of
/// its watchdog's intervals that Tokio runs tasks.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    terminal: ControllingTerminal,
    /// A SIGHUP came while nobody could reload.
    is_reload_due: bool,
    supervisor: Supervisor,
    watchdog: Option<JoinHandle<()>>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
    }
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
            supervisor: Supervisor::of_environment(),
            watchdog: watchdog_interval().map(|interval| {
                tokio::spawn(async move {
                    let supervisor = Supervisor::of_environment();
                    loop {
                        supervisor.alive();
                        sleep(interval).await;
                    }
                })
            }),
        })
    }

    /// Tells the service manager, if there is one, that the process does its work from now on, and which that is.
    pub fn ready(&self, status: &str) {
        self.supervisor.ready(Some(status));
    }

    /// Waits for the next one that asks the process to end; its name. A SIGHUP that asks to reload is kept for
    /// [`Self::next_with`].
    ///
    /// # Cancel safety
    /// Dropping it loses no signal.
    pub async fn next(&mut self) -> &'static str {
        loop {
            match self.receive().await {
                Asked::End(name) => return self.stopping(name),
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
                self.supervisor.reloading();
                reload();
                self.supervisor.ready(None);
            }
            match self.receive().await {
                Asked::End(name) => return self.stopping(name),
                Asked::Reload => self.is_reload_due = true,
            }
        }
    }

    fn stopping(&self, name: &'static str) -> &'static str {
        self.supervisor.stopping(name);
        name
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
