use std::{
    sync::mpsc::{Receiver, Sender, channel},
    time::Instant,
};

use harness::{Deployment, Process, Signal, WAIT_TIMEOUT};

/// What a server's log says when it begins with a stream.
const BEGINS: &str = "INFO sending ";

/// Servers of one type at one registry, which say whose turn it is.
pub(super) struct Fleet<'a> {
    deployment: &'a Deployment,
    url: String,
    pace: Vec<String>,
    servers: Vec<Server>,
    begun: (Sender<usize>, Receiver<usize>),
    started: usize,
}

struct Server {
    number: usize,
    process: Process,
}

impl<'a> Fleet<'a> {
    /// No server yet. Each will get these arguments.
    pub(super) fn new(deployment: &'a Deployment, url: &str, pace: &[&str]) -> Self {
        Self {
            deployment,
            url: url.into(),
            pace: pace.iter().map(ToString::to_string).collect(),
            servers: Vec::new(),
            begun: channel(),
            started: 0,
        }
    }

    /// Starts one more, and waits until it is ready.
    pub(super) fn start(&mut self) -> usize {
        self.started += 1;
        let (number, begun) = (self.started, self.begun.0.clone());
        let launch = self.deployment.server_at(&self.url).args(&self.pace);
        let watched = launch.named(&format!("server {number}")).spawn_watched(move |line| {
            if line.text.contains(BEGINS) {
                // Nobody listens any more when the test is over.
                let _ = begun.send(number);
            }
        });
        let process = watched.unwrap();
        process.ready();
        self.servers.push(Server { number, process });
        number
    }

    /// Waits until one begins with a stream, which it has not been seen to do before: its number.
    pub(super) fn begins(&self) -> usize {
        self.begun.1.recv_timeout(WAIT_TIMEOUT).unwrap()
    }

    /// Takes one out, which runs still.
    pub(super) fn take(&mut self, number: usize) -> Process {
        let at = self.servers.iter().position(|server| server.number == number);
        self.servers.remove(at.unwrap()).process
    }

    /// Kills one, and waits until it is gone: when it was killed.
    pub(super) fn kill(&mut self, number: usize) -> Instant {
        let server = self.take(number);
        let fault = Instant::now();
        server.signal(Signal::KILL);
        server.wait_exit(WAIT_TIMEOUT);
        fault
    }

    /// Kills the one that has run for the longest time: when it was killed.
    pub(super) fn kill_oldest(&mut self) -> Instant {
        let oldest = self.servers.first().unwrap().number;
        self.kill(oldest)
    }
}
