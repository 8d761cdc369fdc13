//! Shows server and client at work: `cargo demo MESSAGE_COUNT [--tls] [CLIENT ARGUMENT]...`.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use actr_lite_terminal::{flush, has_colour, print, report, say};
use anyhow::Context as _;
use tempfile::TempDir;
use tests::{Binaries, Certificates, Launch, Line, PATIENCE, Process, Signal, Source, registry_url, tls_registry_url};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: cargo demo MESSAGE_COUNT [--tls] [CLIENT ARGUMENT]...";

/// The exit code for a command line that means nothing, as the programs have it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let code = match arguments.first().map(|argument| argument.to_string_lossy()) {
        Some(help) if help == "--help" || help == "-h" => {
            print_line(USAGE);
            ExitCode::SUCCESS
        }
        Some(count) if !count.starts_with('-') => run(&arguments).unwrap_or_else(|error| report(&error)),
        _ => {
            say(USAGE);
            ExitCode::from(EXIT_USAGE)
        }
    };
    flush();
    code
}

/// What the demo itself is told among the client's arguments.
const TLS: &str = "--tls";

/// Runs both programs; the client's exit code.
fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let binaries = Binaries::build_visibly()?;
    let demo = Arc::new(Demo::default());
    demo.clone().stop_at_signals()?;

    // The directory of the certificates, which are gone with it.
    let folder = TempDir::new().context("no temporary directory")?;
    let is_tls = arguments.iter().any(|argument| argument == TLS);
    let certificates = is_tls
        .then(|| Certificates::try_new(&folder.path().join("certs")))
        .transpose()?;

    let mut server = Launch::new("server", &binaries.server)
        .arg("--actr-toml")
        .arg(shipped("server/Actr.toml"));
    server = match &certificates {
        Some(certificates) => certificates
            .served_by(server)
            .config("system.signaling.url", tls_registry_url(0)),
        None => server.config("system.signaling.url", registry_url(0)),
    };
    let server = server.own_process_group().spawn_watched(show("server", "\x1b[36m"))?;
    let server = demo.add_server(server);
    let url = server.try_registry_url()?;
    server.try_ready()?;

    let mut client = Launch::new("client", &binaries.client)
        .arg("--actr-toml")
        .arg(shipped("client/Actr.toml"))
        .config("system.signaling.url", url);
    if let Some(certificates) = &certificates {
        client = certificates.trusted_by(client);
    }
    let client = client
        .args(arguments.iter().filter(|argument| *argument != TLS))
        .own_process_group()
        .spawn_watched(show("client", "\x1b[32m"))?;
    let status = demo.add_client(client).wait();

    demo.stop_server();
    server.try_wait_exit(PATIENCE).context("the server doesn't stop")?;
    server.output().wait_for_end(PATIENCE);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What runs, and what it was told. Both programs have process groups of their own, so that Ctrl-C reaches them through
/// here only: a second signal means to end at once.
#[derive(Default)]
struct Demo(Mutex<State>);

#[derive(Default)]
struct State {
    server: Option<Arc<Process>>,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_server(&self, server: Process) -> Arc<Process> {
        let mut state = self.lock();
        let server = state.server.insert(Arc::new(server)).clone();
        if state.interrupted {
            state.stop_server();
        }
        server
    }

    fn add_client(&self, client: Process) -> Arc<Process> {
        let mut state = self.lock();
        let client = state.client.insert(Arc::new(client)).clone();
        if state.interrupted {
            client.signal(Signal::INT);
        }
        client
    }

    fn stop_server(&self) {
        self.lock().stop_server();
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
    }

    /// From now on SIGINT, SIGTERM and SIGHUP (the terminal was closed) stop both programs.
    fn stop_at_signals(self: Arc<Self>) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let guard = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        drop(guard);
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    self.interrupt();
                }
            });
        });
        Ok(())
    }
}

/// Shows a program's log with its name before each line, on stderr. What the client says on stdout is the result, and
/// goes to stdout as it is.
fn show(name: &'static str, colour: &'static str) -> impl Fn(&Line) + Clone + Send + 'static {
    let (colour, end) = match has_colour() {
        true => (colour, "\x1b[0m"),
        false => ("", ""),
    };
    move |line| match line.source {
        Source::Stdout if name == "client" => print_line(&line.text),
        _ => say(&format!("{colour}{name} |{end} {}", line.text)),
    }
}

/// Prints a line on stdout. A reader that has gone away is no reason to stop.
fn print_line(line: &str) {
    let _ = print(&format!("{line}\n"));
}

/// A file as it is shipped.
fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}
