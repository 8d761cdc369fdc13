//! Who is let in by the two sides of a handshake, and what each is told otherwise.
#![allow(clippy::unwrap_used)]

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use actr_lite_dev_certs::{DevCa, DevCert};
use actr_lite_tls::{AcceptError, ClientTls, HandshakeError, PemFile, ServerTls, Stream};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const LIMIT: Duration = Duration::from_secs(30);

fn server(cert: &DevCert) -> (TempDir, ServerTls) {
    let folder = TempDir::new().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert_file, &cert.cert_pem).unwrap();
    std::fs::write(&key_file, &cert.key_pem).unwrap();
    let tls = ServerTls::load(
        PemFile::new("--tls-cert", cert_file),
        PemFile::new("--tls-key", key_file),
    );
    (folder, tls.unwrap())
}

fn client(ca: &DevCa) -> ClientTls {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, ca.pem()).unwrap();
    ClientTls::load(PemFile::new("system.tls.ca", path)).unwrap()
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, dialled)
}

/// Both sides of a handshake with `host`.
async fn handshake(
    server: &ServerTls,
    client: &ClientTls,
    host: &str,
) -> (Result<Stream, AcceptError>, Result<Stream, HandshakeError>) {
    let (accepted, dialled) = sockets().await;
    let (accepted, dialled) = tokio::join!(server.accept(accepted, LIMIT), client.connect(host, dialled));
    (accepted.map_err(|rejected| rejected.reason), dialled)
}

/// What both sides say of a handshake that fails.
async fn failure(cert: &DevCert, client: &ClientTls, host: &str) -> (String, String) {
    let (_folder, server) = server(cert);
    let (accepted, dialled) = handshake(&server, client, host).await;
    (accepted.unwrap_err().to_string(), dialled.unwrap_err().to_string())
}

#[tokio::test]
async fn a_server_is_who_its_certificate_says_by_name_and_by_address() {
    let ca = DevCa::new().unwrap();
    let (_folder, server) = server(&ca.issue(["localhost", "127.0.0.1", "::1"]).unwrap());
    for host in ["localhost", "127.0.0.1", "::1"] {
        let (accepted, dialled) = handshake(&server, &client(&ca), host).await;
        let (mut accepted, mut dialled) = (accepted.unwrap(), dialled.unwrap());
        dialled.write_all(b"hello").await.unwrap();
        dialled.shutdown().await.unwrap();
        let mut heard = String::new();
        accepted.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
    }
}

#[tokio::test]
async fn each_refused_certificate_has_an_error_at_both_ends() {
    let ca = DevCa::new().unwrap();
    let good = ca.issue(["localhost", "::1"]).unwrap();
    let (told_server, told) = failure(&good, &client(&DevCa::new().unwrap()), "localhost").await;
    assert!(
        told.starts_with("its certificate is signed by a CA that is not trusted here"),
        "{told}"
    );
    assert!(told.contains("ca.pem (system.tls.ca)"), "{told}");
    assert!(told_server.contains("it does not trust the CA"), "{told_server}");

    for host in ["example.org", "127.0.0.1"] {
        let (told_server, told) = failure(&good, &client(&ca), host).await;
        let expected = format!(
            "its certificate is for localhost, ::1, not for {host}: dial it by one of its names, or give it a \
             certificate for {host}"
        );
        assert_eq!(told, expected);
        assert!(told_server.contains("not for the name"), "{told_server}");
    }

    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    let expired = ca.issue_until(["localhost"], yesterday).unwrap();
    let (told_server, told) = failure(&expired, &client(&ca), "localhost").await;
    assert!(told.starts_with("its certificate has expired, on "), "{told}");
    assert!(told_server.contains("expired"), "{told_server}");

    let (accepted, dialled) = handshake(&server(&good).1, &client(&ca), "no name").await;
    assert!(matches!(accepted, Err(AcceptError::Silent)));
    assert!(matches!(dialled, Err(HandshakeError::NotAName(_))));
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart_from_one_that_hangs_up() {
    let trusting = client(&DevCa::new().unwrap());
    let (mut accepted, dialled) = sockets().await;
    accepted.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = trusting.connect("localhost", dialled).await.unwrap_err();
    assert!(matches!(error, HandshakeError::NotTls), "{error}");

    let (mut accepted, dialled) = sockets().await;
    let hangs_up = async {
        accepted.read_u8().await.unwrap();
        accepted.shutdown().await.unwrap();
        accepted
    };
    let (_accepted, error) = tokio::join!(hangs_up, trusting.connect("localhost", dialled));
    let error = error.unwrap_err();
    assert!(matches!(error, HandshakeError::Cut), "{error}");
}

#[tokio::test]
async fn a_peer_without_tls_can_be_answered() {
    let ca = DevCa::new().unwrap();
    let (_folder, server) = server(&ca.issue(["localhost"]).unwrap());
    let accept = async |bytes: &[u8], limit| {
        let (accepted, mut dialled) = sockets().await;
        dialled.write_all(bytes).await.unwrap();
        let rejected = server.accept(accepted, limit).await.unwrap_err();
        let peer: Option<SocketAddr> = rejected.stream.map(|stream| stream.peer_addr().unwrap());
        (rejected.reason, peer.is_some())
    };
    let soon = Duration::from_millis(50);
    assert!(matches!(
        accept(b"GET / HTTP/1.1\r\n", LIMIT).await,
        (AcceptError::NotTls, true)
    ));
    assert!(matches!(accept(b"", soon).await, (AcceptError::Silent, false)));
    assert!(matches!(
        accept(b"\x16\x03\x01", soon).await,
        (AcceptError::TooSlow, false)
    ));
    let garbage = [&b"\x16\x03\x01\x00\x10"[..], &[0xff; 16]].concat();
    assert!(matches!(accept(&garbage, LIMIT).await, (AcceptError::Failed(_), true)));
}

#[tokio::test]
async fn a_reload_applies_to_new_handshakes_only() {
    let (old_ca, new_ca) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let (folder, server) = server(&old_ca.issue(["localhost"]).unwrap());
    let old = client(&old_ca);
    let (accepted, dialled) = handshake(&server, &old, "localhost").await;
    let (mut accepted, mut dialled) = (accepted.unwrap(), dialled.unwrap());

    let cert = new_ca.issue(["localhost"]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), &cert.cert_pem).unwrap();
    server.reload().unwrap_err();
    assert!(
        handshake(&server, &old, "localhost").await.1.is_ok(),
        "the old ones stay"
    );
    std::fs::write(folder.path().join("key.pem"), &cert.key_pem).unwrap();
    server.clone().reload().unwrap();
    let error = handshake(&server, &old, "localhost").await.1.unwrap_err();
    assert!(matches!(error, HandshakeError::UnknownCa { .. }), "{error}");
    assert!(handshake(&server, &client(&new_ca), "localhost").await.1.is_ok());

    dialled.write_all(b"!").await.unwrap();
    dialled.flush().await.unwrap();
    assert_eq!(accepted.read_u8().await.unwrap(), b'!');
}
