//! A command line in the making.

use std::{
    ffi::OsStr,
    fmt::Display,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::geteuid;

use crate::{
    address::unused_port,
    build::own_package_variables,
    output::Line,
    process::{Finished, Process, Streams},
};

/// A command line in the making.
#[derive(Debug)]
pub struct Launch {
    name: String,
    command: Command,
    streams: Streams,
}

impl Launch {
    /// A program, with a name for messages.
    ///
    /// It gets this process's environment without what cargo or a user set to steer programs like it.
    pub fn new(name: &str, program: &Path) -> Self {
        let mut command = Command::new(program);
        for variable in own_package_variables() {
            command.env_remove(variable);
        }
        for variable in [
            "RUST_LOG",
            "RUST_BACKTRACE",
            "ACTR_REALM_SECRET",
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(variable);
        }
        Self {
            name: name.into(),
            command,
            streams: Streams::default(),
        }
    }

    /// Another name for messages, where a test has two of the kind.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// `--config KEY=VALUE`.
    #[must_use]
    pub fn config(self, key: &str, value: impl Display) -> Self {
        self.arg("--config").arg(format!("{key}={value}"))
    }

    /// A server that tells others this address of something in between, and listens on a port of its own.
    #[must_use]
    pub fn advertised(self, url: impl Display) -> Self {
        let listen = format!("127.0.0.1:{}", unused_port());
        self.config("system.websocket.listen", listen)
            .config("system.websocket.advertised", url)
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Another program that runs this one: `runner ARGUMENTS... program ARGUMENTS...`.
    #[must_use]
    pub fn under(mut self, runner: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(runner);
        command
            .args(arguments)
            .arg(self.command.get_program())
            .args(self.command.get_args());
        for (variable, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        if let Some(directory) = self.command.get_current_dir() {
            command.current_dir(directory);
        }
        self.command = command;
        self
    }

    /// Another working directory.
    #[must_use]
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// No more open files than this, connections among them.
    #[must_use]
    pub fn max_open_files(self, limit: u32) -> Self {
        let limit = limit.to_string();
        self.under("sh", &["-c", "ulimit -n \"$0\" && exec \"$@\"", &limit])
    }

    /// No more processes and threads than this, all of its user's together. The limit is not for root, who becomes somebody
    /// else, without other processes.
    #[must_use]
    pub fn max_processes(self, limit: u32) -> Self {
        let limit = format!("--nproc={limit}");
        if geteuid().is_root() {
            let somebody = ["--reuid=54321", "--regid=54321", "--clear-groups", "prlimit", &limit];
            self.under("setpriv", &somebody)
        } else {
            self.under("prlimit", &[&limit])
        }
    }

    /// Standard input from there, instead of from nowhere.
    #[must_use]
    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.streams.stdin = Some(from.into());
        self
    }

    /// Standard output there, instead of into the [`Output`](crate::Output).
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.streams.stdout = Some(to.into());
        self
    }

    /// Standard error there, instead of into the [`Output`](crate::Output).
    #[must_use]
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.streams.stderr = Some(to.into());
        self
    }

    /// A process group of its own, so that Ctrl-C on the terminal reaches this process only.
    #[must_use]
    pub fn own_process_group(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// Starts it; `watch` sees every line that it prints.
    ///
    /// # Errors
    /// If the system can't start it.
    pub fn spawn_watched(mut self, watch: impl Fn(&Line) + Clone + Send + 'static) -> anyhow::Result<Process> {
        Process::start(self.name, &mut self.command, self.streams, watch)
    }

    /// Starts it.
    ///
    /// # Panics
    /// If the system can't.
    #[track_caller]
    pub fn spawn(self) -> Process {
        self.spawn_watched(|_| ()).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it can't be started, or doesn't end.
    #[track_caller]
    pub fn run(self) -> Finished {
        self.spawn().finish()
    }
}
