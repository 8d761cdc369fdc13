//! A server that is killed at a random frame: another one goes on.

use harness::{Deployment, FaultReport};
use rand::RngExt as _;

use super::{LONG_WAIT_TIMEOUT, assert_success, client, fleet::Fleet, wait_for_frame, wait_for_recovery};

/// A stream of half a second, in which each frame is a wake-up of its own.
const PACED: Kills = Kills {
    pace: &["--interval", "5ms"],
    frames: 100,
    last_kill: 80,
};

/// A stream as fast as it is taken: the server is killed with much of it under way.
const UNPACED: Kills = Kills {
    pace: &[],
    frames: 50_000,
    last_kill: 10_000,
};

struct Kills {
    pace: &'static [&'static str],
    frames: u64,
    /// The server is killed at this frame or an earlier one.
    last_kill: u64,
}

impl Kills {
    fn run(&self, times: u32) -> FaultReport {
        let mut report = FaultReport::new("server killed at a random frame, another takes over");
        let deployment = Deployment::new();
        let (_registry, url) = deployment.start_registry();
        let mut fleet = Fleet::new(&deployment, &url, self.pace);
        fleet.start();
        for _ in 0..times {
            fleet.start();
            let client = client(&deployment, &url, self.frames).spawn();
            let server = fleet.begins();
            wait_for_frame(&client, rand::rng().random_range(1..=self.last_kill));
            let fault = fleet.kill(server);
            assert_ne!(fleet.begins(), server);
            report.recovered_after(wait_for_recovery(&client, fault));
            let client = client.finish_within(LONG_WAIT_TIMEOUT);
            let summary = report.count(&client, self.frames);
            assert_success(&client);
            assert_eq!((summary.resumes, summary.servers.len()), (1, 2), "{summary:?}");
        }
        report
    }
}

#[test]
fn another_server_goes_on_at_the_next_frame_when_one_is_killed() {
    let mut report = PACED.run(3);
    report.add(&UNPACED.run(2));
    report.finish();
}

#[test]
#[ignore = "takes a minute or two: cargo test -p end-to-end -- --ignored a_hundred_times"]
fn another_server_goes_on_each_of_a_hundred_times() {
    let mut report = PACED.run(50);
    report.add(&UNPACED.run(50));
    report.finish();
}
