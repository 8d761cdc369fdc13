//! A registry that is gone, or comes back and knows nobody: streams neither need it nor suffer from it.

use std::time::Instant;

use harness::{Deployment, FaultProxy, FaultReport, Signal, Summary, WAIT_TIMEOUT, port_of};

use super::{assert_success, client, wait_for_frame, wait_for_recovery};

const FRAMES: u64 = 200;
const PACE: [&str; 2] = ["--interval", "10ms"];

#[test]
fn without_a_registry_a_client_resumes_at_a_known_server() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let proxy = FaultProxy::new();
    let server = deployment.server_at(&url).args(PACE);
    let server = server.advertised(proxy.url()).spawn();
    server.ready();
    proxy.relay_to(&server);
    let client = client(&deployment, &url, FRAMES).spawn();
    wait_for_frame(&client, 3);
    registry.signal(Signal::KILL);
    registry.wait_exit(WAIT_TIMEOUT);
    wait_for_frame(&client, 50);

    let mut report = FaultReport::new("registry gone for good, then the connection cut");
    let fault = Instant::now();
    proxy.cut();
    report.recovered_after(wait_for_recovery(&client, fault));
    let client = client.finish();
    let summary = report.count(&client, FRAMES);
    assert_success(&client);
    assert_eq!((summary.resumes, summary.servers.len()), (1, 1), "{summary:?}");
    report.finish();
}

#[test]
fn a_registry_restarted_empty_learns_of_all_servers_again() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).args(PACE).spawn();
    server.ready();
    let client = client(&deployment, &url, FRAMES).spawn();
    wait_for_frame(&client, 3);
    registry.signal(Signal::KILL);
    registry.wait_exit(WAIT_TIMEOUT);
    let again = deployment.registry(port_of(&url)).named("registry again").spawn();
    assert_eq!(again.registry_url(), url);
    // The only server is found again: it has registered again. The stream did not notice.
    Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);
    assert!(client.is_running());

    let other = deployment.server_at(&url).args(PACE).named("other server").spawn();
    other.ready();
    let mut report = FaultReport::new("registry restarted empty, then the server killed");
    let fault = Instant::now();
    server.signal(Signal::KILL);
    report.recovered_after(wait_for_recovery(&client, fault));
    let client = client.finish();
    let summary = report.count(&client, FRAMES);
    assert_success(&client);
    assert_eq!((summary.resumes, summary.servers.len()), (1, 2), "{summary:?}");
    report.finish();
}
