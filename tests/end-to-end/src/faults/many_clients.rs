//! Many clients at three servers, one of which is killed every second: each client gets its whole stream.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{Deployment, FaultReport, Process, received};

use super::{LONG_WAIT_TIMEOUT, assert_success, client, fleet::Fleet, wait_for_frame};

const SERVERS: usize = 3;
const BETWEEN_KILLS: Duration = Duration::from_secs(1);

struct Storm {
    clients: usize,
    frames: u64,
    interval: &'static str,
    /// So many servers are killed, one every second; the streams run longer, and end in peace.
    kills: usize,
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
        for _ in 0..self.kills {
            // The rhythm is the fault's, nothing waits for it.
            thread::sleep(BETWEEN_KILLS);
            assert!(clients.iter().any(Process::is_running), "the streams are too short");
            kills.push(fleet.kill_oldest());
            fleet.start();
        }
        self.count(&clients, &kills)
    }

    fn count(&self, clients: &[Process], kills: &[Instant]) -> FaultReport {
        let mut report = FaultReport::new(&format!(
            "one of three servers killed every second, {} clients",
            self.clients
        ));
        let (mut resumes, mut recovered) = (0, 0);
        for client in clients {
            let finished = client.finish_within(LONG_WAIT_TIMEOUT);
            resumes += report.count(&finished, self.frames).resumes;
            assert_success(&finished);
            for (broke, frame) in received::recoveries(client) {
                recovered += 1;
                let kill = kills.iter().rfind(|kill| **kill < broke);
                kill.into_iter().for_each(|kill| report.recovered_after(frame - *kill));
            }
        }
        assert!(resumes >= self.kills as u64, "no stream was hit: {resumes} resumed");
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
        frames: 250,
        interval: "20ms",
        kills: 3,
    };
    storm.rage().finish();
}

#[test]
#[ignore = "takes a minute or two: cargo test -p end-to-end -- --ignored many_clients"]
fn two_hundred_clients_survive_a_kill_every_second() {
    let storm = Storm {
        clients: 200,
        frames: 800,
        interval: "50ms",
        kills: 30,
    };
    storm.rage().finish();
}
