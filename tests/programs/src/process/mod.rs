//! A program that runs, and is killed when it is dropped.

mod announced;
mod finished;
#[cfg(target_os = "linux")]
mod resources;

use std::{
    fmt::Write as _,
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, kill_process, waitid},
};

pub use finished::Finished;
pub use rustix::process::Signal;

use crate::{
    command_line::CommandLine,
    output::{Line, Output, Source},
};

/// How long a test waits for an event before it fails. No promise is about this time: it is long enough for the
/// busiest machine, and short enough that a test which hangs is noticed.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A program that runs. Dropping it kills it; if that happens because a test failed, what it printed is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    output: Arc<Output>,
    life: Arc<Life>,
}

/// The child, and its exit status once it is reaped. Signals are sent under the lock that reaping takes, so that none
/// can reach another process which got the same pid.
#[derive(Debug)]
struct Life {
    state: Mutex<(Child, Option<ExitStatus>)>,
    ended: Condvar,
}

impl Life {
    fn lock(&self) -> MutexGuard<'_, (Child, Option<ExitStatus>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until the child has ended, then reaps it.
    fn reap(&self, pid: Pid) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
        let mut state = self.lock();
        state.1 = state.0.wait().ok();
        self.ended.notify_all();
    }
}

/// Where a program's streams lead; by default nothing comes in, and the rest goes into the [`Output`].
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Stdio>,
    pub(crate) stdout: Option<Stdio>,
    pub(crate) stderr: Option<Stdio>,
}

/// A pipe to read, or nothing if the stream leads elsewhere.
fn readable(pipe: Option<impl Read + Send + 'static>) -> Box<dyn Read + Send> {
    match pipe {
        Some(pipe) => Box::new(pipe),
        None => Box::new(io::empty()),
    }
}

impl Process {
    /// Starts the command; `watch` sees every line that it prints.
    ///
    /// # Errors
    /// If the system can't start it.
    pub(crate) fn start(
        name: String,
        command: &mut Command,
        streams: Streams,
        watch: impl Fn(&Line) + Clone + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(streams.stdin.unwrap_or_else(Stdio::null))
            .stdout(streams.stdout.unwrap_or_else(Stdio::piped))
            .stderr(streams.stderr.unwrap_or_else(Stdio::piped))
            .spawn()
            .with_context(|| format!("cannot start {}", CommandLine(command)))?;
        let pid = Pid::from_child(&child);
        // The command holds its ends of what a test reads itself: then nothing would ever end it.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let output = Output::of(readable(child.stdout.take()), readable(child.stderr.take()), watch);
        let life = Arc::new(Life {
            state: Mutex::new((child, None)),
            ended: Condvar::new(),
        });
        let reaped = life.clone();
        thread::spawn(move || reaped.reap(pid));
        Ok(Self {
            name,
            pid,
            output,
            life,
        })
    }

    /// What it has printed so far.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The texts of the lines printed so far that contain `pattern`.
    pub fn lines_with(&self, pattern: &str) -> Vec<String> {
        let lines = self.output.lines().into_iter().map(|line| line.text);
        lines.filter(|text| text.contains(pattern)).collect()
    }

    /// Waits for a line that contains `pattern`, printed before the call or after it.
    ///
    /// # Panics
    /// If the program ends without one, or `bound` has passed.
    #[track_caller]
    pub fn wait_for_line(&self, pattern: &str, bound: Duration) -> String {
        match self.output.wait_for(pattern, bound) {
            Ok(line) => line.text,
            Err(error) => panic!("{} {error}", self.name),
        }
    }

    /// Sends a signal; nothing happens if the program has ended.
    ///
    /// # Panics
    /// If the system refuses it.
    pub fn signal(&self, signal: Signal) {
        let state = self.life.lock();
        if state.1.is_none()
            && let Err(error) = kill_process(self.pid, signal)
        {
            panic!("no {signal:?} to {}: {error}", self.name);
        }
    }

    /// Whether it runs still.
    pub fn is_running(&self) -> bool {
        self.life.lock().1.is_none()
    }

    /// Waits for the program's end, however long it takes.
    pub fn wait(&self) -> ExitStatus {
        let mut state = self.life.lock();
        loop {
            if let Some(status) = state.1 {
                return status;
            }
            state = self.life.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the program's end; nothing if `bound` passes before it.
    pub fn try_wait_exit(&self, bound: Duration) -> Option<ExitStatus> {
        let ended = self
            .life
            .ended
            .wait_timeout_while(self.life.lock(), bound, |state| state.1.is_none());
        let (state, _) = ended.unwrap_or_else(PoisonError::into_inner);
        state.1
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// If `bound` passes before it.
    #[track_caller]
    pub fn wait_exit(&self, bound: Duration) -> ExitStatus {
        match self.try_wait_exit(bound) {
            Some(status) => status,
            None => panic!("{} has not ended within {bound:?}", self.name),
        }
    }

    /// Waits for the program's end and the end of its output.
    ///
    /// # Panics
    /// If [`WAIT_TIMEOUT`] is at an end before it.
    #[track_caller]
    pub fn finish(&self) -> Finished {
        self.finish_within(WAIT_TIMEOUT)
    }

    /// Waits for the program's end and the end of its output.
    ///
    /// # Panics
    /// If `bound` passes before it.
    #[track_caller]
    pub fn finish_within(&self, bound: Duration) -> Finished {
        let status = self.wait_exit(bound);
        self.output.wait_for_end(WAIT_TIMEOUT);
        let lines = self.output.lines();
        let text = |source| -> String {
            let lines = lines.iter().filter(|line| line.source == source);
            lines.fold(String::new(), |text, line| text + &line.text + "\n")
        };
        Finished {
            status,
            stdout: text(Source::Stdout),
            stderr: text(Source::Stderr),
        }
    }

    fn transcript(&self) -> String {
        let mut transcript = String::new();
        for Line { source, at, text, .. } in self.output.lines() {
            let mark = if source == Source::Stdout { '>' } else { '|' };
            let _ = writeln!(transcript, "{} {:7.3} {mark} {text}", self.name, at.as_secs_f64());
        }
        transcript
    }
}

impl Drop for Process {
    #[allow(clippy::print_stderr, reason = "libtest captures it and shows it with the failure")]
    fn drop(&mut self) {
        let state = self.life.lock();
        if state.1.is_none() {
            // Fails only if it has just ended.
            let _ = kill_process(self.pid, Signal::KILL);
        }
        let status = state.1;
        drop(state);
        if thread::panicking() {
            self.output.wait_for_end(Duration::from_secs(1));
            let end = status.map_or("killed by the test".into(), |status| status.to_string());
            eprintln!("{}{} {end}", self.transcript(), self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::start(
            "sh".into(),
            Command::new("sh").args(["-c", script]),
            Streams::default(),
            |_| (),
        )
        .unwrap()
    }

    #[test]
    fn the_exit_code_and_both_outputs_are_known_at_the_end() {
        let finished = shell("echo out; echo log >&2; echo error: no luck >&2; exit 1").finish();
        assert_eq!(finished.code(), Some(1));
        assert_eq!(finished.stdout, "out\n");
        assert_eq!(finished.error(), "error: no luck");
    }

    #[test]
    fn a_process_that_has_ended_gets_no_signal() {
        let process = shell("exit 0");
        assert!(process.wait_exit(WAIT_TIMEOUT).success());
        process.signal(Signal::KILL);
        assert!(!process.is_running());
    }

    #[test]
    fn a_dropped_process_is_killed() {
        let process = shell("echo up; exec sleep 600");
        process.wait_for_line("up", WAIT_TIMEOUT);
        let life = process.life.clone();
        drop(process);
        let ended = life
            .ended
            .wait_timeout_while(life.lock(), WAIT_TIMEOUT, |state| state.1.is_none());
        assert_eq!(ended.unwrap().0.1.and_then(|status| status.code()), None);
        assert!(life.lock().1.is_some());
    }
}
