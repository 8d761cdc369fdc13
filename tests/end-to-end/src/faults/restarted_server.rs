//! A server that is killed and started again at the same address: the client resumes at the new one.

use std::time::Instant;

use harness::{Deployment, FaultReport, Signal, WAIT_TIMEOUT, unused_port};

use super::{assert_success, client, wait_for_frame, wait_for_recovery};

const FRAMES: u64 = 200;

#[test]
fn a_client_resumes_at_its_restarted_server() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let listen = format!("127.0.0.1:{}", unused_port());
    let start = |name| {
        let server = deployment.server_at(&url).args(["--interval", "10ms"]).named(name);
        let server = server.config("system.websocket.listen", &listen).spawn();
        (server.ready(), server)
    };
    let (first_id, first) = start("server");
    let client = client(&deployment, &url, FRAMES).spawn();
    wait_for_frame(&client, 3);

    let mut report = FaultReport::new("server killed and restarted at its address");
    let fault = Instant::now();
    first.signal(Signal::KILL);
    first.wait_exit(WAIT_TIMEOUT);
    let (second_id, _second) = start("server again");
    report.recovered_after(wait_for_recovery(&client, fault));
    let client = client.finish();
    let summary = report.count(&client, FRAMES);
    assert_success(&client);
    assert_eq!(summary.servers, [first_id, second_id]);
    report.finish();
}
