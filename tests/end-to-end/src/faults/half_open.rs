//! A connection over which nothing comes any more, though it is open: both ends find out, and the stream goes on.

use std::time::{Duration, Instant};

use harness::{Deployment, FaultProxy, FaultReport, Newcomers, Process, WAIT_TIMEOUT};

use super::{assert_success, client, wait_for_recovery};

/// What both ends promise.
const FOUND_WITHIN: Duration = Duration::from_secs(15);

/// What a busy machine may add, and finding another server.
const SLACK: Duration = Duration::from_secs(10);

/// As fast as it is taken, and longer than what a server may send before its client has taken any: both ends are in the
/// middle of it.
const FRAMES: u64 = 10_000;

/// What passes before the connection is silent: more than one record, which may have 64 KiB of frames, and less than the
/// window, so that the server goes on sending.
const BYTES: u64 = 150_000;

/// A server behind a proxy, and a client in a stream of it; packets vanish since this moment.
fn client_in_silence(deployment: &Deployment, url: &str, proxy: &FaultProxy) -> (Process, Process, Instant) {
    let server = deployment.server_at(url);
    let server = server.advertised(proxy.url()).spawn();
    server.ready();
    proxy.relay_to(&server);
    proxy.freeze_after(BYTES);
    let client = client(deployment, url, FRAMES).spawn();
    let fault = proxy.wait_until_frozen(WAIT_TIMEOUT);
    (server, client, fault)
}

/// Waits for the end of all; the server that lost the client knows it, too.
fn recover(fault: Instant, client: &Process, server: &Process, frames: u64) -> FaultReport {
    let mut report = FaultReport::new("packets vanish, the connection stays open");
    let recovery = wait_for_recovery(client, fault);
    server.wait_for_line("ended after ", WAIT_TIMEOUT);
    let found = fault.elapsed();
    assert!(recovery.max(found) <= FOUND_WITHIN + SLACK, "{recovery:?}, {found:?}");
    report.recovered_after(recovery);
    let client = client.finish();
    let summary = report.count(&client, frames);
    assert_success(&client);
    assert_eq!(summary.resumes, 1, "{summary:?}");
    report
}

#[test]
fn a_client_resumes_elsewhere_if_its_server_is_cut_off() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let proxy = FaultProxy::new();
    let (server, client, fault) = client_in_silence(&deployment, &url, &proxy);
    // The registry hears of the server still, and names it.
    proxy.newcomers(Newcomers::Swallow);
    let other = deployment.server_at(&url).named("other server").spawn();
    other.ready();
    recover(fault, &client, &server, FRAMES).finish();
}

#[test]
fn a_client_replaces_a_silent_connection() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let proxy = FaultProxy::new();
    let (server, client, fault) = client_in_silence(&deployment, &url, &proxy);
    recover(fault, &client, &server, FRAMES).finish();
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs root and iproute2, for network namespaces: cargo test -p end-to-end -- --ignored network_is_split"]
fn if_its_network_is_split_a_client_resumes_on_its_side() {
    use harness::{Host, SplitNetwork};

    use super::wait_for_frame;

    const FRAMES: u64 = 100_000;

    let deployment = Deployment::new();
    let network = SplitNetwork::new();
    let registry = deployment.registry_on(&format!("{}:0", Host::Left.address()));
    // A network that the test makes for itself can be trusted.
    let registry = network.on(Host::Left, registry.arg("--insecure")).spawn();
    let url = registry.registry_url();
    let start = |host: Host| {
        let listen = format!("{}:0", host.address());
        let server = deployment.server_at(&url).config("system.websocket.listen", listen);
        let server = server.config("system.insecure", true);
        let server = network.on(host, server.named(&format!("server {host:?}"))).spawn();
        server.ready();
        server
    };
    let server = start(Host::Right);
    let client = client(&deployment, &url, FRAMES).config("system.insecure", true);
    let client = network.on(Host::Left, client).spawn();
    wait_for_frame(&client, 3);
    let fault = Instant::now();
    network.split();
    let _other = start(Host::Left);
    recover(fault, &client, &server, FRAMES).finish();
}
