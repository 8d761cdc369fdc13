//! Two ends of a measured stream, each a process, started one after the other.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use bench::figures::cpu_seconds_of;

use crate::figures::role::{Kind, Measured, now};

/// A server and a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Who sends.
    pub server: Kind,
    /// Who receives.
    pub client: Kind,
}

/// What a run of a pair has come to.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// From the request to the last frame.
    pub frames_per_s: f64,
    /// Processor time of both for each frame, in microseconds: all that they have used since they were started.
    pub cpu_us: f64,
    /// From the start of the client's process to the first frame, in milliseconds.
    pub first_frame_ms: f64,
}

/// Ends a process when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Pair {
    /// Runs both, at this registry.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn run(self, registry: SocketAddr, count: u32) -> Result<Figures> {
        let mut server = role("serve", self.server, registry, 0)?;
        let ready = line(&mut server)?;
        ensure!(ready == "ready", "the server says {ready:?}");
        let started = now()?;
        let mut client = role("receive", self.client, registry, count)?;
        let measured: Measured = serde_json::from_str(&line(&mut client)?).context("what the client says")?;
        let cpu_s = measured.cpu_s + cpu_seconds_of(&[server.0.id()]);
        Ok(Figures {
            frames_per_s: f64::from(count) / measured.seconds,
            cpu_us: cpu_s * 1e6 / f64::from(count),
            first_frame_ms: (measured.first_frame_at - started) * 1e3,
        })
    }
}

fn role(role: &str, kind: Kind, registry: SocketAddr, count: u32) -> Result<Ended> {
    let mut command = Command::new(env::current_exe()?);
    command.args([role, &format!("{kind:?}"), &registry.to_string(), &count.to_string()]);
    let child = command.stdout(Stdio::piped()).spawn();
    Ok(Ended(child.context("a process cannot be started")?))
}

fn line(process: &mut Ended) -> Result<String> {
    let stdout = process.0.stdout.take().context("it has said all")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    ensure!(!line.is_empty(), "a process has ended early");
    Ok(line.trim_end().to_owned())
}
