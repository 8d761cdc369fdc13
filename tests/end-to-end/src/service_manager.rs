//! A service manager such as systemd is told how a program is: `sd_notify(3)`.

use std::{
    os::unix::net::UnixDatagram,
    path::PathBuf,
    time::{Duration, Instant},
};

use harness::{Certificates, Deployment, Launch, Signal, WAIT_TIMEOUT, registry_url, tls_registry_url, unused_port};

/// A service manager that notes what it is told.
struct ServiceManager {
    path: PathBuf,
    socket: UnixDatagram,
}

impl ServiceManager {
    fn new(deployment: &Deployment) -> Self {
        let path = deployment.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
        Self { path, socket }
    }

    fn starts(&self, launch: Launch) -> Launch {
        launch.env("NOTIFY_SOCKET", &self.path)
    }

    /// The next message.
    #[track_caller]
    fn told(&self) -> String {
        let mut buffer = [0; 4096];
        let len = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    /// The next messages begin like this.
    #[track_caller]
    fn is_told(&self, expected: &[&str]) {
        for expected in expected {
            let message = self.told();
            assert!(message.starts_with(expected), "{message:?} and not {expected:?}");
        }
    }

    fn is_told_no_more(&self) {
        self.socket.set_nonblocking(true).unwrap();
        let message = self.socket.recv(&mut [0; 100]);
        assert!(message.is_err(), "{message:?}");
    }
}

#[test]
fn a_server_says_when_it_is_ready_reloads_and_stops() {
    let deployment = Deployment::new();
    let manager = ServiceManager::new(&deployment);
    let certificates = Certificates::new(&deployment.path("certs"));
    let server = certificates
        .served_by(deployment.server())
        .config("system.signaling.url", tls_registry_url(0));
    let server = manager.starts(server).spawn();
    manager.is_told(&["READY=1\nSTATUS=running as "]);
    server.signal(Signal::HUP);
    manager.is_told(&["RELOADING=1\nMONOTONIC_USEC=", "READY=1"]);
    server.wait_for_line("SIGHUP: reloaded", WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    manager.is_told(&["STOPPING=1\nSTATUS=stopping: SIGTERM"]);
    assert_eq!(server.finish().code(), Some(0));
    manager.is_told_no_more();
}

#[test]
fn a_registry_says_when_it_is_ready_reloads_and_stops() {
    let deployment = Deployment::new();
    let manager = ServiceManager::new(&deployment);
    let registry = manager.starts(deployment.registry(0)).spawn();
    manager.is_told(&["READY=1\nSTATUS=listening on ws://127.0.0.1:"]);
    registry.signal(Signal::HUP);
    manager.is_told(&["RELOADING=1\nMONOTONIC_USEC=", "READY=1"]);
    registry.signal(Signal::INT);
    manager.is_told(&["STOPPING=1\nSTATUS=stopping: SIGINT"]);
    assert_eq!(registry.finish().code(), Some(0));
    manager.is_told_no_more();
}

#[test]
fn a_server_is_not_ready_before_its_registry_knows_it() {
    let deployment = Deployment::new();
    let manager = ServiceManager::new(&deployment);
    let port = unused_port();
    let url = registry_url(port);
    let server = manager.starts(deployment.server_at(&url)).spawn();
    server.wait_for_line(&url, WAIT_TIMEOUT);
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0]).is_err());
    manager.socket.set_nonblocking(false).unwrap();
    let _registry = deployment.registry(port).spawn();
    manager.is_told(&["READY=1"]);
}

#[test]
fn the_watchdog_is_told_of_life_again_and_again() {
    let deployment = Deployment::new();
    let manager = ServiceManager::new(&deployment);
    let server = manager
        .starts(deployment.server())
        .env("WATCHDOG_USEC", "100000")
        .spawn();
    let until = Instant::now() + WAIT_TIMEOUT;
    let mut alive = 0;
    while alive < 5 && Instant::now() < until {
        alive += usize::from(manager.told() == "WATCHDOG=1");
    }
    assert_eq!(alive, 5);
    // Whoever stands still says nothing.
    server.signal(Signal::STOP);
    manager.socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut rest = 0;
    while manager.socket.recv(&mut [0; 100]).is_ok() {
        rest += 1;
        assert!(rest < 1000, "a program that stands still goes on");
    }
}
