//! Limits hold and are named; a program that lacks file descriptors serves whom it has, and accepts others again later.

use std::net::{SocketAddr, TcpStream};

use actr_lite::{ActrRef, Dest, ErrorCode, Subscription};
use harness::{
    Deployment, Launch, Process, Summary, WAIT_TIMEOUT,
    peer::{self, server_type},
    registry_url, unused_port,
};
use protos::stream_server::RegisterStreamRequest;

/// More than a program gets that may have [`FEW_FILES`] open.
const MANY: usize = 100;

/// Enough for a program and a few connections.
const FEW_FILES: u32 = 48;

/// Fewer than any program needs, whatever it connects to.
const TOO_FEW_FILES: [u32; 4] = [4, 6, 10, 16];

/// Fewer than any program needs on one processor.
const TOO_FEW_THREADS: [u32; 5] = [1, 2, 3, 4, 5];

/// Each program, as it would run if it had what it needs.
fn programs(deployment: &Deployment) -> [Launch; 3] {
    let url = registry_url(unused_port());
    [
        deployment.server(),
        deployment.client(&url, 10),
        deployment.registry_on("localhost:0"),
    ]
}

#[test]
fn too_few_file_descriptors_are_one_line_at_the_start() {
    let deployment = Deployment::new();
    for limit in TOO_FEW_FILES {
        for program in programs(&deployment) {
            let program = program.max_open_files(limit).run();
            program.assert_fails_with(&["file descriptors", &format!("`ulimit -n` ({limit})")]);
            assert_eq!(program.stderr.lines().count(), 1, "{}", program.stderr);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn too_few_threads_are_one_line_at_the_start() {
    let deployment = Deployment::new();
    let possible = deployment.bare_server().arg("--version").max_processes(1).run();
    if possible.code() != Some(0) {
        eprintln!("skipped: another user can't run the programs here: {}", possible.stderr);
        return;
    }
    for limit in TOO_FEW_THREADS {
        for program in programs(&deployment) {
            let program = program.max_processes(limit).run();
            program.assert_fails_with(&["threads", &format!("`ulimit -u` ({limit} ")]);
            assert_eq!(program.stderr.lines().count(), 1, "{}", program.stderr);
        }
    }
}

#[test]
fn a_number_of_threads_that_is_none_is_one_line() {
    let deployment = Deployment::new();
    for program in programs(&deployment) {
        let program = program.env("TOKIO_WORKER_THREADS", "many").run();
        program.assert_fails_with(&["TOKIO_WORKER_THREADS=many", "unset it"]);
        assert_eq!(program.stderr.lines().count(), 1, "{}", program.stderr);
    }
}

/// Connects this many times to a program, which may accept the connections or not.
fn connections(address: SocketAddr) -> Vec<TcpStream> {
    (0..MANY).map(|_| TcpStream::connect(address).unwrap()).collect()
}

/// Where the data lane of this server is.
fn data_lane(server: &Process) -> SocketAddr {
    let line = server.wait_for_line("data lane listening on ", WAIT_TIMEOUT);
    line.split_whitespace().last().unwrap().parse().unwrap()
}

/// Asks the server for a stream of this many messages, and waits for the first.
async fn stream(caller: &ActrRef, id: &str, message_count: i32) -> Subscription {
    let ctx = caller.context();
    let server = ctx.discover(&server_type()).await.unwrap();
    let mut subscription = ctx.subscribe(id.parse().unwrap(), &server).unwrap();
    let request = RegisterStreamRequest {
        stream_id: id.into(),
        message_count,
    };
    assert!(ctx.call(&server, request).await.unwrap().success);
    assert_eq!(subscription.next().await.unwrap().sequence, 1);
    subscription
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_descriptors_recovers_and_loses_no_frame() {
    let deployment = Deployment::new();
    let server = deployment.server().config("system.limits.header_timeout", "1h");
    let server = server.max_open_files(FEW_FILES).spawn();
    let url = server.registry_url();
    server.ready();
    let caller = peer::caller(&deployment, &url).await;
    let mut subscription = stream(&caller, "earlier1", 1_000_000).await;

    let connections = connections(data_lane(&server));
    let line = server.wait_for_line("the data lane cannot accept connections: ", WAIT_TIMEOUT);
    assert!(line.contains("WARN") && line.contains("ulimit -n"), "{line}");
    // Far more than what was on its way before.
    for sequence in 2..=50_000 {
        assert_eq!(subscription.next().await.unwrap().sequence, sequence);
    }
    // New calls and streams go over the connection that stands.
    let mut second = stream(&caller, "second12", 3).await;
    assert_eq!(second.next().await.unwrap().sequence, 2);
    assert!(server.lines_with("accepts connections again").is_empty());

    drop(connections);
    server.wait_for_line("the data lane accepts connections again, after ", WAIT_TIMEOUT);
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    assert_eq!(server.lines_with("the data lane cannot accept connections").len(), 1);
    assert_eq!(subscription.next().await.unwrap().sequence, 50_001);
    assert!(server.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_descriptors_serves_and_recovers() {
    let deployment = Deployment::new();
    let registry = deployment.registry(0).args(["--header-timeout", "3600"]);
    let registry = registry.max_open_files(FEW_FILES).spawn();
    let url = registry.registry_url();
    let server = deployment.server_at(&url).spawn();
    server.ready();
    let caller = peer::caller(&deployment, &url).await;

    // From now on its connection to the registry stands.
    stream(&caller, "earlier1", 1).await;

    let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
    let connections = connections(address.unwrap().parse().unwrap());
    registry.wait_for_line("the registry cannot accept connections: ", WAIT_TIMEOUT);
    stream(&caller, "meantime", 10).await;

    drop(connections);
    registry.wait_for_line("the registry accepts connections again, after ", WAIT_TIMEOUT);
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    assert_eq!(registry.lines_with("cannot accept connections").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_over_the_limit_is_refused_with_the_limits_key() {
    let deployment = Deployment::new();
    let server = deployment.server().config("system.limits.max_streams", 1).spawn();
    let url = server.registry_url();
    server.ready();
    let caller = peer::caller(&deployment, &url).await;
    let mut first = stream(&caller, "first123", 1_000_000).await;
    let dest = Dest::actor(caller.context().discover(&server_type()).await.unwrap());
    let request = RegisterStreamRequest {
        stream_id: "second12".into(),
        message_count: 1,
    };
    let error = caller.context().call(&dest, request).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    let text = error.to_string();
    assert!(
        text.contains("raise system.limits.max_streams in its Actr.toml"),
        "{text}"
    );
    assert_eq!(first.next().await.unwrap().sequence, 2);
}

#[test]
fn one_node_too_many_is_told_which_limit_of_the_registry_it_is() {
    let deployment = Deployment::new();
    let server = deployment
        .server()
        .config("system.signaling.limits.max_nodes", 1)
        .spawn();
    let url = server.registry_url();
    server.ready();
    let client = deployment.client(&url, 10).args(["--timeout", "1s"]).run();
    client.assert_fails_with(&["holds 1 nodes", "system.signaling.limits.max_nodes"]);
}
