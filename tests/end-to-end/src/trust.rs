//! Only nodes with a proof get in, the proof is renewed in time, and each refusal says what is wrong and what to do.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _};

use harness::{Certificates, Deployment, Launch, Signal, Summary, WAIT_TIMEOUT};

const SECRET_VARIABLE: &str = "ACTR_REALM_SECRET";

const SECRET: &str = "open-sesame-0123456789";

/// For clients that are to fail.
const SOON: [&str; 2] = ["--timeout", "1s"];

#[test]
fn only_who_has_the_realms_secret_gets_in_and_nobody_tells_it() {
    let deployment = Deployment::new();
    let chatty = ("RUST_LOG", "trace,h2=off");
    let server = deployment
        .server()
        .env(SECRET_VARIABLE, SECRET)
        .env(chatty.0, chatty.1)
        .spawn();
    let url = server.registry_url();
    server.ready();
    let client = || deployment.client(&url, 10).arg("--json");

    let by_variable = client().env(SECRET_VARIABLE, SECRET).env(chatty.0, chatty.1).run();
    Summary::of_success(&by_variable, 10);
    // The file's path is relative to the folder of Actr.toml.
    fs::write(deployment.path("client/realm-secret"), format!("{SECRET}\n")).unwrap();
    let by_file = client()
        .config("system.deployment.realm_secret_file", "realm-secret")
        .run();
    Summary::of_success(&by_file, 10);

    // These are told at once, however long they would wait for a server.
    let without = client().run();
    without.assert_fails_with(&[
        "realms of this registry have secrets",
        SECRET_VARIABLE,
        "realm_secret_file",
    ]);
    let wrong = client().env(SECRET_VARIABLE, "open-barley-0123456789").run();
    wrong.assert_fails_with(&["not the secret of any realm of this registry", SECRET_VARIABLE]);
    let elsewhere = client()
        .env(SECRET_VARIABLE, SECRET)
        .config("system.deployment.realm_id", 2)
        .run();
    elsewhere.assert_fails_with(&["does not serve realm 2", "realm_id"]);
    // Nor is it sent where others may read it.
    let in_clear = client()
        .env(SECRET_VARIABLE, SECRET)
        .config("system.signaling.url", "ws://registry.invalid/signaling/ws")
        .run();
    in_clear.assert_fails_with(&["ws://registry.invalid", "without TLS", "wss://"]);
    let nowhere = client()
        .config("system.deployment.realm_secret_file", "no-such-file")
        .run();
    nowhere.assert_fails_with(&["realm_secret_file", "no-such-file", SECRET_VARIABLE]);

    server.signal(Signal::TERM);
    let server = server.finish();
    for output in [&server, &by_variable, &by_file, &without, &wrong, &elsewhere] {
        for secret in [SECRET, "open-barley"] {
            assert!(
                !output.stderr.contains(secret) && !output.stdout.contains(secret),
                "a log tells it"
            );
        }
    }
    assert!(
        server.stderr.contains("refused request"),
        "and who had none is seen: {}",
        server.stderr
    );
}

#[test]
fn credentials_and_keys_are_renewed_while_a_stream_runs() {
    let deployment = Deployment::new();
    let server = deployment
        .server()
        .config("system.signaling.credential_lifetime", "2s")
        .config("system.signaling.key_lifetime", "2s")
        .args(["--interval", "10ms"])
        .spawn();
    let url = server.registry_url();
    server.ready();
    let long = deployment.client(&url, 600).arg("--json").spawn();
    let changed = |times| {
        let line = server
            .output()
            .wait_for_nth("the signing keys have changed", times, WAIT_TIMEOUT);
        line.unwrap_or_else(|error| panic!("{error}"));
    };
    // Twice: the key that signed what both had at first is gone.
    changed(2);
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    changed(4);
    let summary = Summary::of_success(&long.finish(), 600);
    assert_eq!(
        (summary.resumes, summary.duplicates, summary.servers.len()),
        (0, 0, 1),
        "{summary:?}"
    );
}

#[test]
fn a_registry_that_is_killed_has_its_keys_again() {
    let deployment = Deployment::new();
    let data_dir = deployment.path("registry-data");
    let launch = |port| deployment.registry(port).arg("--data-dir").arg(&data_dir);
    let registry = launch(0).spawn();
    let url = registry.registry_url();
    let port = url.split([':', '/']).nth(4).unwrap().parse().unwrap();
    let server = deployment.server_at(&url).args(["--interval", "10ms"]).spawn();
    server.ready();
    let client = deployment.client(&url, 300).arg("--json").spawn();
    server.wait_for_line("sending 300 frames", WAIT_TIMEOUT);

    let keys = data_dir.join("signing-keys.toml");
    let before = fs::read_to_string(&keys).unwrap();
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    registry.signal(Signal::KILL);
    registry.wait_exit(WAIT_TIMEOUT);
    let registry = launch(port).spawn();
    registry.registry_url();
    assert_eq!(fs::read_to_string(&keys).unwrap(), before);
    server.wait_for_line("registered again", WAIT_TIMEOUT);
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    let summary = Summary::of_success(&client.finish(), 300);
    assert_eq!(summary.resumes, 0);

    launch(0)
        .run()
        .assert_fails_with(&["another registry uses", "registry-data"]);
    registry.signal(Signal::TERM);
    registry.wait_exit(WAIT_TIMEOUT);
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    launch(0).run().assert_fails_with(&["chmod 600", "signing-keys.toml"]);
}

#[test]
fn each_reason_for_finding_no_server_has_its_own_remedy() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let client = || deployment.client(&url, 10).args(SOON);
    let no_server = client().run();
    no_server.assert_fails_with(&[
        "no server of type acme:StreamEchoServer:1.0.0",
        "start one",
        "whose [acl] has no rule for this node's type",
    ]);

    let server = deployment
        .server_at(&url)
        .config("acl.rules", r#"[{ permission = "allow", types = ["acme+Somebody"] }]"#)
        .spawn();
    server.ready();
    let refused = client().run();
    refused.assert_fails_with(&[
        "acme:StreamEchoServer:1.0.0",
        "has no rule for",
        "acme:StreamEchoClient:1.0.0",
        r#"add { permission = "allow", types = ["acme:StreamEchoClient:1.0.0"] }"#,
    ]);
    let other_realm = client().config("system.deployment.realm_id", 2).run();
    other_realm.assert_fails_with(&["in other realms only", "realm_id"]);
    drop(server);

    let (_server, url) = deployment.start_server(&[]);
    let lock = deployment.path("client/Actr.lock.toml");
    let text = fs::read_to_string(&lock).unwrap();
    let fingerprint = text.split("service_semantic:").nth(1).unwrap()[..64].to_owned();
    fs::write(&lock, text.replace(&fingerprint, &"0".repeat(64))).unwrap();
    let mismatch = deployment.client(&url, 10).args(SOON).run();
    mismatch.assert_fails_with(&[
        "the contract of acme:StreamEchoServer:1.0.0 has changed",
        "--update-lock",
    ]);

    let errors = [&no_server, &refused, &other_realm, &mismatch].map(|client| client.error().to_owned());
    for (at, error) in errors.iter().enumerate() {
        assert!(!errors[..at].contains(error), "{error}");
    }
}

#[test]
fn an_audit_log_is_kept_only_where_it_is_switched_on() {
    let deployment = Deployment::new();
    let data_dir = deployment.path("registry-data");
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o700)).unwrap();
    let files = || fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().file_name());
    let log = data_dir.join("audit.jsonl");
    for is_on in [false, true] {
        let registry = deployment.registry(0).arg("--data-dir").arg(&data_dir);
        let registry = if is_on {
            registry.arg("--audit-log").arg(&log)
        } else {
            registry
        }
        .spawn();
        let server = deployment.server_at(&registry.registry_url()).spawn();
        let id = server.ready();
        drop(server);
        registry.signal(Signal::TERM);
        assert_eq!(registry.wait_exit(WAIT_TIMEOUT).code(), Some(0));
        if is_on {
            let text = fs::read_to_string(&log).unwrap();
            let registered = text.lines().find(|line| line.contains(r#""event":"registered""#));
            assert!(registered.is_some_and(|line| line.contains(&id)), "{text}");
        } else {
            assert!(
                files().all(|name| name != "audit.jsonl"),
                "{:?}",
                files().collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn nothing_is_opened_to_other_machines_by_accident() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let open = |launch: Launch| {
        // Free at all addresses: other tests use those of the loopback network.
        let free = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap();
        launch
            .config("system.websocket.listen", free)
            .config("system.websocket.advertised", "ws://127.0.0.1:1")
    };
    let server = open(deployment.server_at(&url)).run();
    server.assert_fails_with(&[
        "the data lane is not to listen on 0.0.0.0:",
        "without TLS and a realm secret",
        "[system.tls]",
        SECRET_VARIABLE,
        "insecure = true",
    ]);
    let server = open(deployment.server_at(&url)).env(SECRET_VARIABLE, SECRET).run();
    server.assert_fails_with(&["without TLS: add cert and key"]);
    open(deployment.server_at(&url))
        .config("system.insecure", true)
        .spawn()
        .ready();

    let hosting = deployment
        .server()
        .config("system.signaling.url", "ws://127.0.0.1:0/signaling/ws")
        .config("system.signaling.listen", "0.0.0.0:0");
    hosting
        .run()
        .assert_fails_with(&["the registry is not to listen on 0.0.0.0:", "insecure = true"]);
    let alone = deployment.registry_on("0.0.0.0:0").run();
    alone.assert_fails_with(&[
        "the registry is not to listen on 0.0.0.0:",
        "--tls-cert",
        "--realms",
        "--insecure",
    ]);
    let realms = deployment.path("realms.toml");
    fs::write(&realms, format!("1 = \"{SECRET}\"\n")).unwrap();
    let with_secrets = deployment.registry_on("0.0.0.0:0").arg("--realms").arg(&realms).run();
    with_secrets.assert_fails_with(&["without TLS: "]);
    let files = Certificates::new(&deployment.path("certs")).files();
    let certified = || {
        let registry = deployment.registry_on("0.0.0.0:0").arg("--realms").arg(&realms);
        registry
            .arg("--tls-cert")
            .arg(&files.cert)
            .arg("--tls-key")
            .arg(&files.key)
    };
    certified().run().assert_fails_with(&[
        "the registry's status is not to listen on 0.0.0.0:",
        "without an admin token: give it a token (--admin-token-file)",
    ]);
    let token = deployment.path("token");
    fs::write(&token, "short\n").unwrap();
    let with_short_token = certified().arg("--admin-token-file").arg(&token).run();
    with_short_token.assert_fails_with(&["--admin-token-file: ", "16 characters or more", "openssl rand -hex 32"]);
    fs::write(&token, format!("{SECRET}{SECRET}\n")).unwrap();
    certified().arg("--admin-token-file").arg(&token).spawn().registry_url();
    let insecure = deployment.registry_on("0.0.0.0:0").arg("--insecure").spawn();
    insecure.registry_url();
}
