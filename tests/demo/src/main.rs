//! Shows server and client at work: `cargo demo MESSAGE_COUNT [--tls] [CLIENT ARGUMENT]...`.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use programs::{
    Checkout, Launch, Line, Process, Program, Progress, Signal, Source, WAIT_TIMEOUT, build, registry_url,
    tls_registry_url,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tempfile::TempDir;

const USAGE: &str = "usage: cargo demo MESSAGE_COUNT [--tls] [CLIENT ARGUMENT]...";

/// The exit code for an invalid command line, as the programs have it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match arguments.first().map(|argument| argument.to_string_lossy()) {
        Some(help) if help == "--help" || help == "-h" => {
            say(&mut io::stdout(), USAGE);
            ExitCode::SUCCESS
        }
        Some(count) if !count.starts_with('-') => run(&arguments).unwrap_or_else(|error| {
            say(&mut io::stderr(), &format!("error: {error:#}"));
            ExitCode::FAILURE
        }),
        _ => {
            say(&mut io::stderr(), USAGE);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The demo's own option among the client's arguments.
const TLS: &str = "--tls";

/// Runs both programs; the client's exit code.
fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let checkout = Checkout::of_this_run()?;
    let built = build(&checkout, &[Program::SERVER, Program::CLIENT], Progress::Live)?;
    let is_tls = arguments.iter().any(|argument| argument == TLS);
    let certificates = is_tls.then(|| Certificates::make(&checkout)).transpose()?;
    let demo = Arc::new(Demo::default());
    demo.clone().stop_at_signals()?;

    let mut server = Launch::new("server", &built.path(Program::SERVER))
        .arg("--actr-toml")
        .arg(checkout.path("server/Actr.toml"));
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

    let mut client = Launch::new("client", &built.path(Program::CLIENT))
        .arg("--actr-toml")
        .arg(checkout.path("client/Actr.toml"))
        .config("system.signaling.url", url);
    if let Some(certificates) = &certificates {
        client = certificates.trusted_by(client);
    }
    let client = client
        .args(arguments.iter().filter(|argument| *argument != TLS))
        .own_process_group()
        .spawn_watched(show("client", "\x1b[32m"))?;
    let client = demo.add_client(client);
    let status = client.wait();
    client.output().wait_for_end(LAST_LINES);

    demo.stop_server();
    server.try_wait_exit(WAIT_TIMEOUT).context("the server doesn't stop")?;
    server.output().wait_for_end(LAST_LINES);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// How long to wait until the last lines are printed: nobody may read them.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A certificate for this machine and the CA that it is from, made by `cargo dev-certs`: files that are gone with this.
struct Certificates(TempDir);

impl Certificates {
    /// Builds `dev-certs` first, only if it is needed.
    fn make(checkout: &Checkout) -> anyhow::Result<Self> {
        let folder = TempDir::new().context("no temporary directory")?;
        let built = build(checkout, &[Program::DEV_CERTS], Progress::Live)?;
        let maker = Launch::new("dev-certs", &built.path(Program::DEV_CERTS));
        // What it says is what to do with the files, which is done here.
        let maker = maker
            .arg("--out")
            .arg(folder.path())
            .arg("--force")
            .spawn_watched(|_| ())?;
        let status = maker.wait();
        ensure!(
            status.success(),
            "no certificates: {}",
            maker
                .output()
                .lines()
                .pop()
                .map_or_else(|| status.to_string(), |line| line.text)
        );
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn served_by(&self, launch: Launch) -> Launch {
        self.trusted_by(launch)
            .config("system.tls.cert", self.file("cert.pem").display())
            .config("system.tls.key", self.file("key.pem").display())
    }

    fn trusted_by(&self, launch: Launch) -> Launch {
        launch.config("system.tls.ca", self.file("ca.pem").display())
    }
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
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals can't be handled")?;
        thread::spawn(move || signals.forever().for_each(|_| self.interrupt()));
        Ok(())
    }
}

/// Shows a program's log with its name before each line, on stderr. What the client says on stdout is the result, and
/// goes to stdout as it is.
fn show(name: &'static str, colour: &'static str) -> impl Fn(&Line) + Clone + Send + 'static {
    let has_colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no_colour| no_colour.is_empty());
    let (colour, end) = match has_colour {
        true => (colour, "\x1b[0m"),
        false => ("", ""),
    };
    move |line| match line.source {
        Source::Stdout if name == "client" => say(&mut io::stdout(), &line.text),
        _ => say(&mut io::stderr(), &format!("{colour}{name} |{end} {}", line.text)),
    }
}

/// Prints a line, in one piece. A reader that has gone away is no reason to stop.
fn say(to: &mut impl io::Write, line: &str) {
    let _ = to.write_all(format!("{line}\n").as_bytes());
}
