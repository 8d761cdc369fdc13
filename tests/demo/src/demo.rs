use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use programs::{Process, Signal};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// What runs, and what it was told. Both programs have process groups of their own, so that Ctrl-C reaches them through
/// here only: a second signal means to end at once.
#[derive(Default)]
pub(crate) struct Demo {
    state: Mutex<State>,
    interrupted: Condvar,
}

#[derive(Default)]
struct State {
    server: Option<Arc<Process>>,
    /// The last one.
    client: Option<Arc<Process>>,
    server_told: bool,
    interrupted: bool,
}

impl State {
    fn stop_server(&mut self) {
        if let Some(server) = &self.server
            && !self.server_told
        {
            self.server_told = true;
            server.signal(Signal::TERM);
        }
    }
}

impl Demo {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_server(&self, server: Process) -> Arc<Process> {
        let mut state = self.lock();
        let server = state.server.insert(Arc::new(server)).clone();
        if state.interrupted {
            state.stop_server();
        }
        server
    }

    pub(crate) fn add_client(&self, client: Process) -> Arc<Process> {
        let mut state = self.lock();
        let client = state.client.insert(Arc::new(client)).clone();
        if state.interrupted {
            client.signal(Signal::INT);
        }
        client
    }

    pub(crate) fn stop_server(&self) {
        self.lock().stop_server();
    }

    /// Whether a signal has come, or comes within this time; it waits no longer than until then.
    pub(crate) fn is_interrupted_within(&self, bound: Duration) -> bool {
        let waited = self
            .interrupted
            .wait_timeout_while(self.lock(), bound, |state| !state.interrupted);
        waited.unwrap_or_else(PoisonError::into_inner).0.interrupted
    }

    /// The first signal stops the client, and the server after it; a second one kills both.
    fn interrupt(&self) {
        let mut state = self.lock();
        if state.interrupted {
            let both = state.server.iter().chain(&state.client);
            both.for_each(|process| process.signal(Signal::KILL));
            return;
        }
        state.interrupted = true;
        match &state.client {
            Some(client) => client.signal(Signal::INT),
            None => state.stop_server(),
        }
        drop(state);
        self.interrupted.notify_all();
    }

    /// From now on SIGINT, SIGTERM and SIGHUP (the terminal was closed) stop both programs.
    pub(crate) fn stop_at_signals(self: Arc<Self>) -> anyhow::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals can't be handled")?;
        thread::spawn(move || signals.forever().for_each(|_| self.interrupt()));
        Ok(())
    }
}
