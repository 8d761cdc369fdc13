//! A calendar that jumps by a day: nobody is forgotten, and no stream is cut, as waits count another clock.

use tests::{DAY, Deployment, FaultReport, Finished, Launch, PATIENCE, Process, ShiftedClock, Summary};

use super::{assert_success, client, wait_for_frame};

/// A stream of three seconds.
const FRAMES: u64 = 300;
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

struct Jumped {
    deployment: Deployment,
    url: String,
    _registry: Process,
    _server: Process,
}

/// A registry, a server and a client in its stream; the calendar of one jumps.
fn jump(who: Who, jump: Jump) -> Jumped {
    let deployment = Deployment::new();
    let clock = ShiftedClock::new();
    let given_to = |this, launch: Launch| if this == who { clock.given_to(launch) } else { launch };
    let registry = given_to(Who::Registry, deployment.registry(0)).spawn();
    let url = registry.registry_url();
    let server = given_to(Who::Server, deployment.server_at(&url)).args(PACE).spawn();
    server.ready();
    let client = given_to(Who::Client, client(&deployment, &url, FRAMES)).spawn();
    wait_for_frame(&client, 3);
    jump.apply(&clock);
    let mut report = FaultReport::new("calendar of registry, server or client jumps by a day");
    let finished = client.finish();
    let summary = report.count(&finished, FRAMES);
    assert_success(&finished);
    assert_eq!(summary.resumes, 0, "the stream was cut: {summary:?}");
    report.finish();
    Jumped {
        deployment,
        url,
        _registry: registry,
        _server: server,
    }
}

impl Jumped {
    /// A client that comes after the jump.
    fn new_client(&self) -> Finished {
        self.deployment
            .client(&self.url, 3)
            .args(["--json", "--timeout", "3s"])
            .run()
    }
}

#[test]
fn streams_outlive_a_jump_of_the_calendar_and_nobody_is_forgotten() {
    for (who, to) in [
        (Who::Registry, Jump::Ahead),
        (Who::Registry, Jump::Behind),
        (Who::Server, Jump::Ahead),
        (Who::Server, Jump::Behind),
        (Who::Client, Jump::Ahead),
        (Who::Client, Jump::Behind),
    ] {
        let jumped = jump(who, to);
        let after = jumped.new_client();
        eprintln!("{who:?} {to:?}: {:?} {}", after.code(), after.stderr);
    }
}
