//! A calendar that jumps by a day: nobody is forgotten, and no stream is cut, as waits count another clock.

use std::thread;

use tests::{DAY, Deployment, FaultReport, Launch, ShiftedClock, Summary};

use super::{assert_success, client, wait_for_frame};

/// A stream of two seconds.
const FRAMES: u64 = 200;
const PACE: [&str; 2] = ["--interval", "10ms"];

/// Whose calendar jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Registry,
    Server,
    Client,
}

/// Where to.
#[derive(Debug, Clone, Copy)]
enum Jump {
    Ahead,
    Behind,
}

impl Jump {
    fn apply(self, clock: &ShiftedClock) {
        match self {
            Self::Ahead => clock.ahead(DAY),
            Self::Behind => clock.behind(DAY),
        }
    }
}

impl Who {
    /// Whether somebody new gets through after the jump. A credential names the end of its life by the registry's
    /// calendar, and who is dialled compares that with its own: it must not be a day ahead.
    fn admits_newcomers(self, after: Jump) -> bool {
        !matches!(
            (self, after),
            (Self::Registry, Jump::Behind) | (Self::Server, Jump::Ahead)
        )
    }
}

/// A registry, a server and a client in its stream; then the calendar of one of them jumps.
fn survives(who: Who, jump: Jump) -> FaultReport {
    let deployment = Deployment::new();
    let clock = ShiftedClock::new();
    let launch = |this, launch: Launch| match this == who {
        // It is to say something after the jump, with the time.
        true => clock.given_to(launch).env("RUST_LOG", "debug").env("NO_COLOR", "1"),
        false => launch,
    };
    let registry = launch(Who::Registry, deployment.registry(0)).spawn();
    let url = registry.registry_url();
    let server = launch(Who::Server, deployment.server_at(&url).args(PACE)).spawn();
    server.ready();
    let client = launch(Who::Client, client(&deployment, &url, FRAMES)).spawn();
    wait_for_frame(&client, 3);
    jump.apply(&clock);

    // The server is known still.
    let newcomer = deployment.client(&url, 3).args(["--json", "--timeout", "1s"]);
    let newcomer = newcomer.named("newcomer").run();
    if who.admits_newcomers(jump) {
        Summary::of_success(&newcomer, 3);
    } else {
        newcomer.assert_fails_with(&["the credential expired"]);
    }
    let mut report = FaultReport::new("calendar of registry, server or client jumps by a day");
    let finished = client.finish();
    let summary = report.count(&finished, FRAMES);
    assert_success(&finished);
    assert_eq!(summary.resumes, 0, "the stream was cut: {summary:?}");
    let jumped = match who {
        Who::Registry => &registry,
        Who::Server => &server,
        Who::Client => &client,
    };
    let lines = jumped.output().lines();
    let dates = [lines.first(), lines.last()].map(|line| line.unwrap().text.get(..10).unwrap().to_owned());
    assert_ne!(dates[0], dates[1], "the calendar did not jump");
    report
}

#[test]
fn streams_and_registrations_outlive_a_jump_of_the_calendar() {
    let everybody = [Who::Registry, Who::Server, Who::Client];
    let jumps = everybody.map(|who| [(who, Jump::Ahead), (who, Jump::Behind)]);
    let mut report = thread::scope(|scope| {
        let runs: Vec<_> = jumps
            .into_iter()
            .flatten()
            .map(|(who, jump)| scope.spawn(move || survives(who, jump)))
            .collect();
        let reports = runs.into_iter().map(|run| run.join().unwrap());
        reports.reduce(|mut sum, report| {
            sum.add(&report);
            sum
        })
    });
    report.take().unwrap().finish();
}
