//! Shows server and client at work: `cargo demo MESSAGE_COUNT`, or `cargo demo --page`.

mod arguments;
mod certificates;
mod demo;
mod show;

use std::{
    io,
    process::{ExitCode, ExitStatus},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use programs::{
    Checkout, Executables, Launch, Process, Program, Progress, WAIT_TIMEOUT, build, registry_url, tls_registry_url,
};

use crate::{
    arguments::{Arguments, Command, USAGE},
    certificates::Certificates,
    demo::Demo,
    show::{say, show},
};

/// The exit code for an invalid command line, as the programs have it.
const EXIT_USAGE: u8 = 2;

/// The pause between two messages of a stream that is to be watched.
const WATCHED_INTERVAL: &str = "100ms";

/// How long whoever watches sees that a client has left, before the next one comes.
const BETWEEN_CLIENTS: Duration = Duration::from_secs(3);

/// How long to wait until the last lines are printed: nobody may read them.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match arguments::parse() {
        Some(Command::Help) => {
            say(&mut io::stdout(), USAGE);
            ExitCode::SUCCESS
        }
        Some(Command::Run(arguments)) => run(arguments).unwrap_or_else(|error| {
            say(&mut io::stderr(), &format!("error: {error:#}"));
            ExitCode::FAILURE
        }),
        None => {
            say(&mut io::stderr(), USAGE);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Runs both programs; the exit code of the last client, or success if whoever watched the page has ended it.
fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let checkout = Checkout::of_this_run()?;
    let built = build(&checkout, &[Program::SERVER, Program::CLIENT], Progress::Live)?;
    let certificates = arguments.has_tls.then(|| Certificates::make(&checkout)).transpose()?;
    let demo = Arc::new(Demo::default());
    demo.clone().stop_at_signals()?;
    let plan = Plan {
        arguments,
        checkout,
        built,
        certificates,
        demo,
    };
    let server = plan.start_server()?;
    let url = server.try_registry_url()?;
    server.try_ready()?;
    let code = match plan.arguments.has_page {
        false => exit_code(plan.run_client(&url)?),
        true => {
            let page = server.try_page_url()?;
            let line = format!("open {page} in a browser to watch; Ctrl-C ends the demo");
            say(&mut io::stdout(), &line);
            plan.run_clients(&url)?
        }
    };
    plan.demo.stop_server();
    server.try_wait_exit(WAIT_TIMEOUT).context("the server doesn't stop")?;
    server.output().wait_for_end(LAST_LINES);
    Ok(code)
}

/// What the programs are started with.
struct Plan {
    arguments: Arguments,
    checkout: Checkout,
    built: Executables,
    certificates: Option<Certificates>,
    demo: Arc<Demo>,
}

impl Plan {
    fn start_server(&self) -> anyhow::Result<Arc<Process>> {
        let mut server = Launch::new("server", &self.built.path(Program::SERVER))
            .arg("--actr-toml")
            .arg(self.checkout.path("server/Actr.toml"));
        server = match &self.certificates {
            Some(certificates) => certificates
                .served_by(server)
                .config("system.signaling.url", tls_registry_url(0)),
            None => server.config("system.signaling.url", registry_url(0)),
        };
        if self.arguments.has_page {
            server = server.args(["--interval", WATCHED_INTERVAL]);
        }
        let server = server.own_process_group().spawn_watched(show("server", "\x1b[36m"))?;
        Ok(self.demo.add_server(server))
    }

    /// Runs a client to its end.
    fn run_client(&self, url: &str) -> anyhow::Result<ExitStatus> {
        let mut client = Launch::new("client", &self.built.path(Program::CLIENT))
            .arg("--actr-toml")
            .arg(self.checkout.path("client/Actr.toml"))
            .config("system.signaling.url", url);
        if let Some(certificates) = &self.certificates {
            client = certificates.trusted_by(client);
        }
        let client = client
            .args(&self.arguments.client)
            .own_process_group()
            .spawn_watched(show("client", "\x1b[32m"))?;
        let client = self.demo.add_client(client);
        let status = client.wait();
        client.output().wait_for_end(LAST_LINES);
        Ok(status)
    }

    /// One client after another, until a signal comes or one fails: whoever opens the page sees one come, its stream run, and
    /// both end.
    fn run_clients(&self, url: &str) -> anyhow::Result<ExitCode> {
        while !self.demo.is_interrupted_within(Duration::ZERO) {
            let status = self.run_client(url)?;
            if self.demo.is_interrupted_within(Duration::ZERO) {
                break;
            }
            if !status.success() {
                return Ok(exit_code(status));
            }
            self.demo.is_interrupted_within(BETWEEN_CLIENTS);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
