//! With TLS nobody can read what passes between the programs or pose as one of them, each mistake has its own
//! error, and new certificates need no restart.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use harness::{
    Certificates, Deployment, FaultProxy, Launch, Process, Signal, Summary, WAIT_TIMEOUT, registry_url,
    tls_registry_url,
};

const DAY: Duration = Duration::from_secs(86_400);

/// A server with these certificates, which hosts the registry too.
fn start_server(
    deployment: &Deployment,
    certificates: &Certificates,
    change: fn(Launch) -> Launch,
) -> (Process, String) {
    let server = certificates.served_by(deployment.server());
    let server = change(server.config("system.signaling.url", tls_registry_url(0))).spawn();
    let url = server.registry_url();
    server.ready();
    (server, url)
}

fn unchanged(launch: Launch) -> Launch {
    launch
}

fn certificates(deployment: &Deployment) -> Certificates {
    Certificates::new(&deployment.path("certs"))
}

#[test]
fn a_stream_arrives_and_its_traffic_is_unreadable() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    for is_tls in [true, false] {
        let proxy = FaultProxy::new();
        proxy.record();
        let server = deployment.server();
        let (server, url) = if is_tls {
            let server = certificates.served_by(server);
            (server.advertised(proxy.tls_url()), tls_registry_url(0))
        } else {
            (server.advertised(proxy.url()), registry_url(0))
        };
        let server = server.config("system.signaling.url", url).spawn();
        let url = server.registry_url();
        server.ready();
        proxy.relay_to(&server);
        let client = certificates.trusted_by(deployment.client(&url, 10_000).arg("--json"));
        let summary = Summary::of_success(&client.run(), 10_000);
        assert_eq!(summary.bytes, summary.bytes_of_all());
        assert_eq!(summary.resumes, 0);
        // Without TLS all of it is found: so the search can find it.
        for text in [
            "[server] Stream message 7000 for",
            &summary.stream_id,
            "x-actr-credential",
            "StreamServer",
        ] {
            assert_eq!(proxy.has_carried(text.as_bytes()), !is_tls, "{text:?}");
        }
    }
}

#[test]
fn a_registry_of_its_own_speaks_tls_too() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let files = certificates.files();
    let registry = deployment.registry(0).arg("--tls-cert").arg(&files.cert);
    let registry = registry.arg("--tls-key").arg(&files.key).spawn();
    let url = registry.registry_url();
    assert!(url.starts_with("wss://"), "{url}");
    let server = certificates.served_by(deployment.server_at(&url)).spawn();
    server.ready();
    let client = || certificates.trusted_by(deployment.client(&url, 100).arg("--json"));
    Summary::of_success(&client().run(), 100);

    // It reads new certificates without a restart; peers that trust the old CA notice when they connect again.
    Certificates::new(&deployment.path("certs"));
    registry.signal(Signal::HUP);
    registry.wait_for_line("SIGHUP: certificate and key reloaded", WAIT_TIMEOUT);
    server.signal(Signal::HUP);
    server.wait_for_line("SIGHUP: reloaded: ", WAIT_TIMEOUT);
    Summary::of_success(&client().run(), 100);
    fs::write(&files.cert, "no certificate").unwrap();
    registry.signal(Signal::HUP);
    let line = registry.wait_for_line("SIGHUP: certificate and key are not reloaded", WAIT_TIMEOUT);
    assert!(line.contains("no certificate in it"), "{line}");
    Summary::of_success(&client().run(), 100);
}

#[test]
fn with_tls_nobody_is_led_to_show_a_credential_in_clear() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let files = certificates.files();
    for is_insecure in [false, true] {
        let registry = deployment.registry(0).arg("--tls-cert").arg(&files.cert);
        let registry = registry.arg("--tls-key").arg(&files.key);
        let registry = if is_insecure {
            registry.arg("--insecure")
        } else {
            registry
        }
        .spawn();
        let url = registry.registry_url();
        let proxy = FaultProxy::new();
        proxy.record();
        let server = deployment.server_at(&url).advertised(proxy.url());
        let server = certificates.trusted_by(server.config("system.insecure", true)).spawn();
        server.ready();
        proxy.relay_to(&server);
        let client = || certificates.trusted_by(deployment.client(&url, 10).arg("--json"));
        let shows_credential = || proxy.has_carried(b"x-actr-credential");

        let refused = client().args(["--timeout", "1s"]).run();
        if is_insecure {
            refused.assert_fails_with(&[&proxy.url(), "without TLS", "insecure = true"]);
            assert!(!shows_credential());
            // It is found where it is allowed: so the search can find it.
            Summary::of_success(&client().config("system.insecure", true).run(), 10);
            assert!(shows_credential());
        } else {
            refused.assert_fails_with(&[]);
            server.wait_for_line("no node can dial this one", WAIT_TIMEOUT);
            registry.wait_for_line("would be dialled without TLS", WAIT_TIMEOUT);
            assert!(!shows_credential());
        }
    }
}

#[test]
fn a_node_that_would_use_credentials_in_clear_does_not_start() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let (_server, url) = start_server(&deployment, &certificates, unchanged);
    let server = certificates.trusted_by(deployment.server_at(&url)).run();
    server.assert_fails_with(&[
        "[system.websocket] listen: no node would show its credential at 127.0.0.1:0 without TLS",
        "[system.tls]",
        "insecure = true",
    ]);
    let client = deployment.client("ws://192.0.2.1:8081/signaling/ws", 10).run();
    client.assert_fails_with(&[
        "[system.signaling] url: ws://192.0.2.1:8081/signaling/ws",
        "without TLS",
        "wss://",
        "insecure = true",
    ]);
}

#[test]
fn each_bad_server_certificate_has_its_own_error() {
    let deployment = Deployment::new();
    let other = Certificates::new(&deployment.path("other"));
    let wrong_name = Certificates::for_hosts(&deployment.path("name"), &["example.org", "127.0.0.2"]);
    let expired = Certificates::until(&deployment.path("expired"), SystemTime::now() - DAY);
    let good = certificates(&deployment);
    for (certificates, trusted, expected) in [
        (
            &good,
            &other,
            "its certificate is signed by a CA that is not trusted here",
        ),
        (
            &wrong_name,
            &wrong_name,
            "its certificate is for example.org, 127.0.0.2, not for 127.0.0.1",
        ),
        (&expired, &expired, "its certificate has expired, on "),
    ] {
        let files = certificates.files();
        let registry = deployment.registry(0).arg("--tls-cert").arg(&files.cert);
        let registry = registry.arg("--tls-key").arg(&files.key).spawn();
        let url = registry.registry_url();
        let client = trusted
            .trusted_by(deployment.client(&url, 10))
            .args(["--timeout", "1s"]);
        client.run().assert_fails_with(&[&url, expected]);
        // A server, which waits for its registry without a limit, does not wait for this one.
        let server = trusted
            .trusted_by(deployment.server_at(&url))
            .config("system.discovery.visible", "false")
            .run();
        server.assert_fails_with(&[&url, expected]);
        // The registry has heard of it too.
        registry.wait_for_line("registry: failed TLS handshake from 127.0.0.1", WAIT_TIMEOUT);
        // A server that would not get to the registry that it hosts does not start.
        let hosting = deployment
            .server()
            .config("system.signaling.url", tls_registry_url(0))
            .config("system.tls.cert", files.cert.display())
            .config("system.tls.key", files.key.display())
            .config("system.tls.ca", trusted.files().ca.display());
        hosting.run().assert_fails_with(&["system.signaling", expected]);
    }
    // A system's own CAs have not signed it.
    let (_server, url) = start_server(&deployment, &good, unchanged);
    let client = deployment.client(&url, 10).args(["--timeout", "1s"]).run();
    client.assert_fails_with(&[&url, "system.tls.ca"]);
}

#[test]
fn a_wrong_scheme_is_refused_with_the_right_one() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let (server, url) = start_server(&deployment, &certificates, unchanged);
    let plain_url = url.replace("wss://", "ws://");
    let client = deployment.client(&plain_url, 10).args(["--timeout", "1s"]).run();
    client.assert_fails_with(&["this port speaks TLS only: write wss:// instead of ws://"]);
    let other = deployment.server_at(&plain_url).run();
    other.assert_fails_with(&["this port speaks TLS only: write wss:// instead of ws://"]);
    server.wait_for_line("registry: failed TLS handshake from 127.0.0.1", WAIT_TIMEOUT);

    let (_server, url) = deployment.start_server(&[]);
    let tls_url = url.replace("ws://", "wss://");
    let client = certificates
        .trusted_by(deployment.client(&tls_url, 10))
        .args(["--timeout", "1s"]);
    client
        .run()
        .assert_fails_with(&[&tls_url, "it does not speak TLS: write ws:// instead of wss://"]);
}

#[test]
fn a_server_that_lacks_what_it_needs_says_what_that_is() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let files = certificates.files();
    let fails_with = |launch: Launch, parts: &[&str]| launch.run().assert_fails_with(parts);
    let wss = |launch: Launch| launch.config("system.signaling.url", tls_registry_url(0));
    fails_with(
        wss(deployment.server()),
        &["system.signaling.url", "add cert and key to [system.tls]"],
    );
    let named = |cert: &Path, key: &Path| {
        let server = deployment.server().config("system.tls.cert", cert.display());
        wss(server.config("system.tls.key", key.display()))
    };
    let missing = deployment.path("none.pem");
    fails_with(
        named(&missing, &files.key),
        &["none.pem (system.tls.cert): no such file", "cargo dev-certs"],
    );
    fails_with(
        named(&files.key, &files.key),
        &["no certificate in it", "BEGIN CERTIFICATE"],
    );
    let other = Certificates::new(&deployment.path("other"));
    fails_with(
        named(&files.cert, &other.files().key),
        &["not the private key of the certificate in"],
    );
    let server = certificates.served_by(deployment.server());
    fails_with(
        wss(server.config("system.tls.ca", missing.display())),
        &["none.pem (system.tls.ca): no such file"],
    );
    let registry = deployment
        .registry(0)
        .arg("--tls-cert")
        .arg(&missing)
        .arg("--tls-key")
        .arg(&files.key);
    fails_with(registry, &["none.pem (--tls-cert): no such file"]);
    let half = deployment.registry(0).arg("--tls-cert").arg(&files.cert).run();
    assert_eq!(half.code(), Some(2));
    assert!(half.stderr.contains("--tls-key"), "{}", half.stderr);
}

#[test]
fn sighup_reloads_certificates_and_streams_go_on() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let old_ca = deployment.path("old-ca.pem");
    fs::copy(certificates.files().ca, &old_ca).unwrap();
    let (server, url) = start_server(&deployment, &certificates, |server| server.args(["--interval", "20ms"]));
    let client = deployment.client(&url, 200).config("system.tls.ca", old_ca.display());
    let client = client.args(["--json", "-v"]).spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);

    let certificates = Certificates::new(&deployment.path("certs"));
    server.signal(Signal::HUP);
    let line = server.wait_for_line("SIGHUP: reloaded: ", WAIT_TIMEOUT);
    assert!(
        line.contains("cert.pem") && line.contains("key.pem") && line.contains("ca.pem"),
        "{line}"
    );
    // A client that trusts only the new CA gets in, and one that trusts only the old CA does not.
    let newcomer = certificates.trusted_by(deployment.client(&url, 10).arg("--json"));
    Summary::of_success(&newcomer.run(), 10);
    let latecomer = deployment.client(&url, 10).config("system.tls.ca", old_ca.display());
    let latecomer = latecomer.args(["--timeout", "1s"]).run();
    latecomer.assert_fails_with(&["signed by a CA that is not trusted here"]);

    // The client reloads its file as well.
    fs::copy(certificates.files().ca, &old_ca).unwrap();
    client.signal(Signal::HUP);
    client.wait_for_line("SIGHUP: reloaded: ", WAIT_TIMEOUT);
    let summary = Summary::of_success(&client.finish(), 200);
    assert_eq!(summary.resumes, 0, "{summary:?}");
    assert!(server.is_running());
}

#[test]
fn new_certificates_that_are_no_good_leave_the_old_ones_in_use() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let files = certificates.files();
    let (server, url) = start_server(&deployment, &certificates, unchanged);
    let trusted = deployment.path("trusted.pem");
    fs::copy(&files.ca, &trusted).unwrap();
    let client = || {
        let client = deployment.client(&url, 10).arg("--json");
        client.config("system.tls.ca", trusted.display()).run()
    };
    let other = Certificates::new(&deployment.path("other"));
    let refused = "SIGHUP: the certificates are not reloaded, the old ones stay in use: ";
    for (path, text, reason) in [
        (
            &files.key,
            fs::read(other.files().key).unwrap(),
            "not the private key of the certificate in",
        ),
        (&files.ca, b"nothing".to_vec(), "no certificate in it"),
        (&files.cert, Vec::new(), "no certificate in it"),
    ] {
        let before = fs::read(path).unwrap();
        let told = server.lines_with(refused).len();
        fs::write(path, text).unwrap();
        server.signal(Signal::HUP);
        let line = server.output().wait_for_nth(refused, told + 1, WAIT_TIMEOUT).unwrap();
        assert!(
            line.text.contains(reason) && line.text.contains("WARN"),
            "{}",
            line.text
        );
        Summary::of_success(&client(), 10);
        fs::write(path, before).unwrap();
    }
}

#[test]
fn a_program_without_tls_goes_on_after_sighup() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    server.signal(Signal::HUP);
    server.wait_for_line("SIGHUP: nothing to reload", WAIT_TIMEOUT);
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
}

#[test]
fn the_lock_file_is_updated_over_tls() {
    let deployment = Deployment::new();
    let certificates = certificates(&deployment);
    let (_server, url) = start_server(&deployment, &certificates, unchanged);
    fs::remove_file(deployment.path("client/Actr.lock.toml")).unwrap();
    let update = certificates
        .trusted_by(deployment.client_without_count(&url))
        .arg("--update-lock")
        .run();
    assert_eq!(update.code(), Some(0), "{}", update.stderr);
    let client = certificates.trusted_by(deployment.client(&url, 10).arg("--json"));
    Summary::of_success(&client.run(), 10);
}
