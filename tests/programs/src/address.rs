//! Ports of the loopback interface.

use std::net::{Ipv4Addr, TcpListener};

/// A port on which nothing listens, for a program that is to start later or never.
///
/// The system hands out ports in turn, so another program is most unlikely to be given this one in the meantime.
///
/// # Panics
/// If the system has no port left.
pub fn unused_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port on loopback: {error}"))
        .port()
}

/// The URL of a registry on this port; port 0 asks a program that hosts it for any free one.
pub fn registry_url(port: u16) -> String {
    format!("ws://127.0.0.1:{port}/signaling/ws")
}

/// The same of a registry with TLS.
pub fn tls_registry_url(port: u16) -> String {
    format!("wss://127.0.0.1:{port}/signaling/ws")
}

/// The port of a registry's URL.
///
/// # Panics
/// If it is not what [`registry_url`] or [`tls_registry_url`] makes.
#[track_caller]
pub fn port_of(registry_url: &str) -> u16 {
    let port = registry_url.split(['/', ':']).nth(4).map(str::parse);
    match port {
        Some(Ok(port)) => port,
        _ => panic!("no port in {registry_url}"),
    }
}
