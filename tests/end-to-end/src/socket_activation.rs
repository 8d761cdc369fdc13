//! A service manager such as systemd may open the sockets, and pass them to the program: `sd_listen_fds(3)`.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::OwnedFd,
};

use harness::{Deployment, Launch, Signal, Summary, WAIT_TIMEOUT};

/// Starts a program as systemd does, with this as the only socket.
fn with_socket(launch: Launch, socket: impl Into<OwnedFd>) -> Launch {
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=front.socket; exec \"$@\" 3<&0 0</dev/null";
    launch.under("sh", &["-c", script, "sh"]).stdin(socket.into())
}

/// A socket that listens, and its port.
fn opened() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Asks whether the program is ready, and does not wait for the answer.
fn ask(port: u16) -> TcpStream {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    let request = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    connection
}

#[track_caller]
fn assert_is_answered(mut connection: TcpStream) {
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[track_caller]
fn assert_gets_ten_messages(deployment: &Deployment, url: &str) {
    Summary::of_success(&deployment.client(url, 10).arg("--json").run(), 10);
}

#[test]
fn who_connects_while_a_registry_restarts_is_answered() {
    let deployment = Deployment::new();
    // As systemd, the test keeps it open.
    let (listener, port) = opened();
    let start = || with_socket(deployment.registry(port), listener.try_clone().unwrap()).spawn();
    let early = ask(port);
    let registry = start();
    assert_is_answered(early);
    registry.signal(Signal::TERM);
    assert_eq!(registry.finish().code(), Some(0));
    let between = ask(port);
    let _registry = start();
    assert_is_answered(between);
}

#[test]
fn a_server_hosts_its_registry_at_a_socket_that_is_passed() {
    let deployment = Deployment::new();
    let (listener, port) = opened();
    let server = with_socket(deployment.server_that_hosts(port), listener).spawn();
    let url = server.registry_url();
    server.ready();
    assert_gets_ten_messages(&deployment, &url);
    assert_eq!(server.lines_with(" WARN "), [""; 0]);
}

#[test]
fn a_data_lane_uses_the_socket_at_its_address() {
    let deployment = Deployment::new();
    let (listener, port) = opened();
    let server = deployment
        .server()
        .config("system.websocket.listen", format!("127.0.0.1:{port}"));
    let server = with_socket(server, listener).spawn();
    let url = server.registry_url();
    server.ready();
    assert_eq!(server.data_lane().port(), port);
    assert_gets_ten_messages(&deployment, &url);
}

#[test]
fn a_socket_where_nobody_listens_is_told_of() {
    let deployment = Deployment::new();
    let (listener, port) = opened();
    let registry = with_socket(deployment.registry(0), listener).spawn();
    registry.registry_url();
    let line = registry.wait_for_line("ListenStream=", WAIT_TIMEOUT);
    assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
}

#[test]
fn sockets_that_are_for_another_process_are_left_alone() {
    let deployment = Deployment::new();
    let (_taken, port) = opened();
    let others = |launch: Launch| launch.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let (registry, finished) = (others(deployment.registry(0)), others(deployment.registry(port)));
    registry.spawn().registry_url();
    finished.run().assert_fails_with(&["another program uses it"]);
}

#[test]
fn what_is_no_listening_socket_ends_the_program() {
    let deployment = Deployment::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connection = || {
        let (listener, port) = opened();
        let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        drop(listener);
        connection
    };
    for passed in [OwnedFd::from(socket), connection().into()] {
        let registry = with_socket(deployment.registry(0), passed).run();
        registry.assert_fails_with(&["descriptor 3 \"front.socket\"", "ListenStream="]);
    }
    let server = deployment
        .server()
        .under("sh", &["-c", "LISTEN_PID=$$ LISTEN_FDS=many exec \"$@\"", "sh"]);
    server.run().assert_fails_with(&["LISTEN_FDS is \"many\""]);
}
