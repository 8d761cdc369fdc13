//! A registry with TLS: nodes are served as without TLS, and a peer without TLS is told so and counted.

use std::path::Path;

use actr_lite_dev_certs::{DevCa, LOCAL_HOSTS};
use actr_lite_net::{ClearText, DialProgress};
use actr_lite_registry::{Options, Registry, RegistryHandle};
use actr_lite_registry_client::{LinkConfig, LinkState, RegistryLink};
use actr_lite_tls::{ClientTls, PemFile, ServerTls};
use actr_lite_wire::identity::ActrType;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::client::{start, within};

async fn start_with_tls(folder: &Path) -> (RegistryHandle, ClientTls) {
    let ca = DevCa::new().unwrap();
    let cert = ca.issue(LOCAL_HOSTS).unwrap();
    let files = actr_lite_dev_certs::write(folder, &ca, &cert, false).unwrap();
    let tls = ServerTls::load(PemFile::new("cert", files.cert), PemFile::new("key", files.key)).unwrap();
    let registry = Registry::bind("127.0.0.1:0", Options::default()).await.unwrap();
    let trusting = ClientTls::load(PemFile::new("ca", files.ca)).unwrap();
    (registry.with_tls(tls).spawn(), trusting)
}

/// A link to the registry at this URL, and what ends it.
fn link(url: String, tls: ClientTls) -> (RegistryLink, CancellationToken) {
    let mut config = LinkConfig::new(url.parse().unwrap(), "acme+Client".parse().unwrap(), 1);
    config.tls = tls;
    let stop = CancellationToken::new();
    (RegistryLink::spawn(config, &TaskTracker::new(), stop.clone()), stop)
}

#[tokio::test]
async fn no_node_is_told_an_address_that_is_dialled_in_clear() {
    let folder = TempDir::new().unwrap();
    let (registry, trusting) = start_with_tls(folder.path()).await;
    let url = format!("wss://{}/signaling/ws", registry.local_addr());
    let (asker, _stop) = link(url.clone(), trusting.clone());
    for (name, address, is_told) in [
        ("Clear", "ws://127.0.0.1:9", false),
        ("Tls", "wss://127.0.0.1:9", true),
        ("Named", "ws://node.example:9", false),
    ] {
        let actr_type: ActrType = format!("acme+{name}").parse().unwrap();
        let mut config = LinkConfig::new(url.parse().unwrap(), actr_type.clone(), 1);
        config.tls = trusting.clone();
        config.ws_address = Some(address.into());
        let stop = CancellationToken::new();
        let node = RegistryLink::spawn(config, &TaskTracker::new(), stop.clone());
        let id = within(node.connected()).await.unwrap().actor_id;
        let found = within(asker.candidates(&actr_type, 1, "")).await.unwrap();
        assert_eq!(found.len(), 1, "it may be reached over WebRTC");
        assert_eq!(found[0].id, id);
        assert_eq!(found[0].ws_address.as_deref(), is_told.then_some(address), "{name}");
        stop.cancel();
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn nothing_is_sent_in_clear_where_that_is_not_allowed() {
    let registry = start(Options::default()).await;
    let url = format!("ws://{}/signaling/ws", registry.local_addr());
    let mut config = LinkConfig::new(url.parse().unwrap(), "acme+Client".parse().unwrap(), 1);
    config.clear_text = ClearText::Nowhere;
    let stop = CancellationToken::new();
    let node = RegistryLink::spawn(config, &TaskTracker::new(), stop.clone());
    let error = start_error(&node).await;
    assert!(error.contains("without TLS") && error.contains("wss://"), "{error}");
    stop.cancel();
    registry.shutdown().await;
}

/// What ends the start of a node with this link, as the next try would meet it too.
async fn start_error(link: &RegistryLink) -> String {
    within(link.connected()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_node_registers_and_asks_over_tls() {
    let folder = TempDir::new().unwrap();
    let (registry, trusting) = start_with_tls(folder.path()).await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("wss://{host}:{}/signaling/ws", registry.local_addr().port());
        let (link, _stop) = link(url, trusting.clone());
        within(link.state().wait_for(|state| *state == LinkState::Connected))
            .await
            .unwrap();
        let found = within(link.candidates(&"acme+Nobody".parse().unwrap(), 1, ""))
            .await
            .unwrap();
        assert_eq!(found, []);
        within(link.unregister("done")).await.unwrap();
    }
    assert_eq!(registry.misbehaviour().total(), 0);
    within(registry.shutdown()).await;
}

#[tokio::test]
async fn a_wrong_scheme_is_answered_with_the_right_one() {
    let folder = TempDir::new().unwrap();
    let (registry, trusting) = start_with_tls(folder.path()).await;
    let (plain, _stop) = link(format!("ws://{}/signaling/ws", registry.local_addr()), trusting.clone());
    let error = start_error(&plain).await;
    assert!(
        error.contains("this port speaks TLS only: write wss:// instead of ws://"),
        "{error}"
    );

    let without = start(Options::default()).await;
    let (secure, _stop) = link(format!("wss://{}/signaling/ws", without.local_addr()), trusting);
    let error = start_error(&secure).await;
    assert!(
        error.contains("it does not speak TLS: write ws:// instead of wss://"),
        "{error}"
    );

    let (stranger, _stop) = link(
        format!("wss://{}/signaling/ws", registry.local_addr()),
        ClientTls::load(PemFile::new("ca", other_ca(folder.path()))).unwrap(),
    );
    let error = start_error(&stranger).await;
    assert!(error.contains("signed by a CA that is not trusted here"), "{error}");
}

fn other_ca(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("other.pem");
    std::fs::write(&path, DevCa::new().unwrap().pem()).unwrap();
    path
}

#[tokio::test]
async fn what_is_no_tls_is_answered_without_it_and_counted() {
    let folder = TempDir::new().unwrap();
    let (registry, _) = start_with_tls(folder.path()).await;
    let address = registry.local_addr();
    for (number, bytes) in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0", b"hello"]
        .into_iter()
        .enumerate()
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("wss://"),
            "{answer}"
        );
        assert_eq!(registry.misbehaviour().failed_handshakes, number as u64 + 1);
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x00\x04\xff\xff\xff\xff").await.unwrap();
    within(stream.read_to_end(&mut Vec::new())).await.unwrap();
    assert_eq!(registry.misbehaviour().failed_handshakes, 4);
    // A peer that says nothing and leaves has done nothing wrong.
    drop(TcpStream::connect(address).await.unwrap());
    within(registry.shutdown()).await;
}

#[tokio::test]
async fn the_names_of_the_certificate_are_the_registrys_own() {
    let folder = TempDir::new().unwrap();
    let ca = DevCa::new().unwrap();
    let cert = ca.issue(["localhost", "registry.example"]).unwrap();
    let files = actr_lite_dev_certs::write(folder.path(), &ca, &cert, false).unwrap();
    let tls = ServerTls::load(PemFile::new("cert", files.cert), PemFile::new("key", files.key)).unwrap();
    let trusting = ClientTls::load(PemFile::new("ca", files.ca)).unwrap();
    let registry = Registry::bind("127.0.0.1:0", Options::default()).await.unwrap();
    let registry = registry.with_tls(tls).spawn();
    for (host, status) in [("registry.example", "HTTP/1.1 200 "), ("evil.example", "HTTP/1.1 421 ")] {
        let stream = TcpStream::connect(registry.local_addr()).await.unwrap();
        let mut stream = within(actr_lite_net::secure(
            &trusting,
            "localhost",
            stream,
            &DialProgress::default(),
        ))
        .await
        .unwrap();
        let request = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(status), "{host}: {answer}");
    }
    registry.shutdown().await;
}
