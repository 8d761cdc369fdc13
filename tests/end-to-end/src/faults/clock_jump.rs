//! A wall clock that jumps by a day: no node is forgotten, no stream is cut, and nodes that join or return get in, as
//! waits and credentials do not count by it.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{DAY, Deployment, FaultProxy, FaultReport, Launch, ShiftedClock, Summary};

use super::{TIMEOUT, assert_success, client, wait_for_frame, wait_for_resume};

/// A stream of nine seconds.
const FRAMES: u64 = 900;
const PACE: [&str; 2] = ["--interval", "10ms"];

/// Cuts of the connection, over more than the 5 s in which the registry tells its nodes the time again.
const CUTS: usize = 4;
const BETWEEN_CUTS: Duration = Duration::from_millis(1700);

/// Whose wall clock jumps.
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

/// A registry, a server and a client with a stream; then the wall clock of one of them jumps.
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
    let proxy = FaultProxy::new();
    let server = deployment.server_at(&url).args(PACE);
    let server = server.advertised(proxy.url());
    let server = launch(Who::Server, server).spawn();
    server.ready();
    proxy.relay_to(&server);
    let client = launch(Who::Client, client(&deployment, &url, FRAMES)).spawn();
    wait_for_frame(&client, 3);
    jump.apply(&clock);

    // The server is known still, and knows whom to let in.
    let newcomer = deployment.client(&url, 3).args(["--json", "--timeout", TIMEOUT]);
    Summary::of_success(&newcomer.named("newcomer").run(), 3);
    assert_eq!(client.lines_with(" after frame ").len(), 0, "the stream was cut");
    let mut report = FaultReport::new("wall clock of registry, server or client jumps by a day");
    for cut in 1..=CUTS {
        // Once the registry has answered heartbeats since the jump, and before.
        thread::sleep(BETWEEN_CUTS);
        let fault = Instant::now();
        proxy.cut();
        report.recovered_after(wait_for_resume(&client, cut, fault));
    }
    let finished = client.finish();
    let summary = report.count(&finished, FRAMES);
    assert_success(&finished);
    assert_eq!(summary.resumes, CUTS as u64, "{summary:?}");
    let jumped = match who {
        Who::Registry => &registry,
        Who::Server => &server,
        Who::Client => &client,
    };
    let lines = jumped.output().lines();
    let dates = [lines.first(), lines.last()].map(|line| line.unwrap().text.get(..10).unwrap().to_owned());
    assert_ne!(dates[0], dates[1], "the wall clock did not jump");
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
