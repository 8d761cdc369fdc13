//! Many clients at three servers, one of which is killed every second: each client gets its whole stream.

use std::{
    thread,
    time::{Duration, Instant},
};

use tests::{Deployment, FaultReport, Process, received};

use super::{LONG_PATIENCE, assert_success, client, fleet::Fleet, wait_for_frame};

const SERVERS: usize = 3;
const BETWEEN_KILLS: Duration = Duration::from_secs(1);

/// Far more than the longest stream takes: it bounds a test that has failed already.
const MAX_KILLS: usize = 240;

struct Storm {
    clients: usize,
    frames: u64,
    interval: &'static str,
    /// So many servers are killed at least, as long as streams run.
    min_kills: usize,
}

impl Storm {
    fn rage(&self) -> FaultReport {
        let deployment = Deployment::new();
        let (_registry, url) = deployment.start_registry();
        let mut fleet = Fleet::new(&deployment, &url, &["--interval", self.interval]);
        for _ in 0..SERVERS {
            fleet.start();
        }
        let start = |number| {
            let launch = client(&deployment, &url, self.frames).named(&format!("client {number}"));
            launch.spawn()
        };
        let clients: Vec<Process> = (1..=self.clients).map(start).collect();
        clients.iter().for_each(|client| wait_for_frame(client, 1));

        let mut kills = Vec::new();
        while clients.iter().any(Process::is_running) {
            // The rhythm is the fault's, nothing waits for it.
            thread::sleep(BETWEEN_KILLS);
            kills.push(fleet.kill_oldest());
            fleet.start();
            assert!(kills.len() < MAX_KILLS, "the streams don't end");
        }
        assert!(
            kills.len() >= self.min_kills,
            "the streams ended before {} kills",
            self.min_kills
        );
        self.count(&clients, &kills)
    }

    fn count(&self, clients: &[Process], kills: &[Instant]) -> FaultReport {
        let mut report = FaultReport::new("one of three servers killed every second, many clients");
        let (mut resumes, mut recovered) = (0, 0);
        for client in clients {
            let finished = client.finish_within(LONG_PATIENCE);
            resumes += report.count(&finished, self.frames).resumes;
            assert_success(&finished);
            for frame in received::recoveries(client) {
                recovered += 1;
                // The last kill before it is the one that it comes after.
                let kill = kills.iter().rfind(|kill| **kill < frame);
                kill.into_iter().for_each(|kill| report.recovered_after(frame - *kill));
            }
        }
        assert!(resumes >= self.min_kills as u64, "no stream was hit: {resumes} resumed");
        assert!(
            recovered > 0 && recovered <= resumes,
            "{recovered} of {resumes} are in the logs"
        );
        report
    }
}

#[test]
fn twenty_clients_get_all_while_servers_are_killed() {
    let storm = Storm {
        clients: 20,
        frames: 200,
        interval: "20ms",
        min_kills: 3,
    };
    storm.rage().finish();
}

#[test]
#[ignore = "takes minutes"]
fn two_hundred_clients_get_all_while_a_server_is_killed_every_second() {
    let storm = Storm {
        clients: 200,
        frames: 1000,
        interval: "50ms",
        min_kills: 40,
    };
    storm.rage().finish();
}
